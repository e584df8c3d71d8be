// SPDX-License-Identifier: Apache-2.0
// penchant embed, apply.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/command/verbs.h"
#include "pipeline/export/delta.h"
#include "pipeline/export/embed.h"
#include "pipeline/export/verify.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

using nlohmann::json;

/// The report on stdout; what is wrong goes the way of every error.
void verify_and_say(const VerifyFlags& flags, Invocation& invocation) {
  const Config config = invocation.config_for("embed");
  TerminalProgress progress = invocation.progress();
  const VerifyReport report = verify_by(flags, config, progress);
  print(invocation.json ? verify_json(report).dump(2) + "\n" : verify_text(report));
  if (!report.problems().empty()) throw InputError(verify_failure(report, flags.path));
}

/// The delta in place of all rows.
void write_delta_and_say(const DeltaFlags& flags, Invocation& invocation) {
  const Config config = invocation.config_for("embed");
  TerminalProgress progress = invocation.progress();
  const json done = delta_by(flags, config, progress);
  if (invocation.json)
    print(done.dump(2) + "\n");
  else
    print_text(fmt::format("{}: since {}\n{}", flags.out, flags.since, delta_text(done)));
}

void add_embed_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<EmbedFlags>();
  const auto verify = std::make_shared<VerifyFlags>();
  const auto delta = std::make_shared<DeltaFlags>();
  auto* embed_verb = program.add_subcommand(
      "embed",
      "Write the embeddings of all items and users with their raw ids, or what is new or moved "
      "since such files, or compare such files, or what a store gave back, with the model");
  add_common_options(*embed_verb, invocation);
  embed_verb->add_option("data", flags->data, "Data set (X.data)")->required();
  embed_verb->add_option("model", flags->model, "Model (X.model)")->required();
  embed_verb->add_option("--out", flags->out, "Where to write, such as shop.embeddings");
  embed_verb
      ->add_option("--format", flags->formats,
                   fmt::format("{}, or both (npy and parquet); several with commas, or given "
                               "several times",
                               all_enum_names<EmbeddingFormat>()))
      ->delimiter(',');
  embed_verb->add_option("--type", flags->type, "float32 or float16");
  embed_verb->add_option(
      "--since", delta->since,
      "Embeddings that were written before: --out becomes a delta (X.delta) of the rows that are "
      "new or moved and the ids that are gone, which apply and penchant.handoff take");
  embed_verb
      ->add_option("--moved", delta->moved,
                   "Of --since: a row that moved by no more than this share of its length stays as "
                   "it was; 0: all that differ are written")
      ->capture_default_str();
  embed_verb->add_option(
      "--verify", verify->path,
      "Instead of writing: a folder with items.* and users.* in any of these formats, which must "
      "hold the model's vectors under their raw ids");
  embed_verb
      ->add_option("--sample", verify->sample, "Of --verify: how many users' top 20 are compared")
      ->capture_default_str();
  embed_verb->callback([flags, verify, delta, embed_verb, &invocation] {
    const auto given = [&](const char* option) { return !embed_verb->get_option(option)->empty(); };
    if (given("--verify")) {
      for (const char* option : {"--out", "--format", "--type", "--since", "--moved"}) {
        if (given(option))
          throw InputError(
              fmt::format("embed: --verify writes nothing, so {} has no effect", option));
      }
      verify->data = flags->data;
      verify->model = flags->model;
      return verify_and_say(*verify, invocation);
    }
    if (given("--sample")) throw InputError("embed: --sample goes with --verify");
    if (given("--since")) {
      for (const char* option : {"--format", "--type"}) {
        if (given(option)) {
          throw InputError(
              fmt::format("embed: {} has no effect with --since: a delta is Parquet, of "
                          "the type of the old embeddings",
                          option));
        }
      }
      delta->data = flags->data;
      delta->model = flags->model;
      delta->out = flags->out;
      return write_delta_and_say(*delta, invocation);
    }
    if (given("--moved")) throw InputError("embed: --moved goes with --since");
    Config config = invocation.config();
    apply_flags(*flags, config);
    invocation.check(config, "embed");
    TerminalProgress progress = invocation.progress();
    const json done = embed_by(*flags, config, progress);
    if (invocation.json)
      print(done.dump(2) + "\n");
    else
      print_text(fmt::format("{}: {} items, {} users, {} dimensions\n",
                             done["out"].get<std::string>(), done["num_items"].get<std::int64_t>(),
                             done["num_users"].get<std::int64_t>(),
                             done["dimension"].get<std::int64_t>()));
  });
}

void add_apply_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<ApplyFlags>();
  auto* verb = program.add_subcommand(
      "apply",
      "Make the new embeddings of the old ones and a delta (embed --since), in the old formats");
  add_common_options(*verb, invocation, UsesDevice::no);
  verb->add_option("old", flags->old, "Embeddings that the delta was made since (X.embeddings)")
      ->required();
  verb->add_option("delta", flags->delta, "Delta (X.delta)")->required();
  verb->add_option("--out", flags->out,
                   "Where to write, such as new.embeddings; the old ones may be replaced")
      ->required();
  verb->callback([flags, &invocation] {
    invocation.config_for("apply");
    TerminalProgress progress = invocation.progress();
    const json done = apply_by(*flags, progress);
    if (invocation.json)
      print(done.dump(2) + "\n");
    else
      print_text(fmt::format("{}: {} items, {} users, {} dimensions\n", flags->out,
                             done["num_items"].get<std::int64_t>(),
                             done["num_users"].get<std::int64_t>(),
                             done["dimension"].get<std::int64_t>()));
  });
}

}  // namespace penchant::pipeline
