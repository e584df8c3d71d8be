// SPDX-License-Identifier: Apache-2.0
// penchant compress: vectors and networks in 8 bits or less.
#include <memory>

#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"
#include "pipeline/workflow/compress_calls.h"

namespace penchant::pipeline {

void add_compress_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<CompressFlags>();
  auto* verb = program.add_subcommand(
      "compress",
      "Make the vectors of items and users smaller (8 bits a number, or product quantisation), or "
      "the network of an interest model faster, and say what is lost on validation");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("model", flags->model, "Model (X.model)")->required();
  verb->add_option(
          "--out", flags->out,
          "Where to write: a folder such as shop.compressed; with --network a model such as "
          "shop-int8.model")
      ->required();
  verb->add_option("--vectors", flags->vectors,
                   "int8: 4 times smaller; pq: items 16 times smaller, by product quantisation");
  verb->add_option("--network", flags->network,
                   "int8: the products of an rnn or lstm in 8 bits; the result is a model");
  verb->add_option(
      "--bytes", flags->code_bytes,
      "Of --vectors pq: bytes of an item's code (as many as make items 16 times smaller, "
      "codebooks counted)");
  verb->add_option("--seed", flags->seed, "Of --vectors pq: where k-means starts (42)");
  verb->callback([flags, &invocation] {
    const Config config = invocation.config_for("compress");
    TerminalProgress progress = invocation.progress();
    const nlohmann::json said = answer_by_one_version(
        flags->data, flags->model, [&] { return compress_by(*flags, config, progress); });
    if (invocation.json)
      print(said.dump(2) + "\n");
    else
      print_text(compress_text(said));
  });
}

}  // namespace penchant::pipeline
