// SPDX-License-Identifier: Apache-2.0
// penchant tag: missing and suspicious values of an attribute of items.
#include <memory>

#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"
#include "pipeline/workflow/tag_calls.h"

namespace penchant::pipeline {

void add_tag_verb(CLI::App& program, Invocation& invocation) {
  struct Flags : TagFlags {
    std::string data, model;
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand(
      "tag",
      "Tell the missing values of a categorical or list attribute of items, with probabilities, or "
      "find values that look wrong");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("model", flags->model, "Model (X.model)")->required();
  verb->add_option("--attribute", flags->attribute, "Which attribute")->required();
  verb->add_option("--out", flags->out, "Where to write: a .parquet or .csv file")->required();
  verb->add_option(
      "--threshold", flags->threshold,
      "Least probability of a value that is told, 0 to 1; items without one are written "
      "with an empty value (0.5; of a list attribute what does best on items left out)");
  verb->add_option("--min-support", flags->min_support,
                   "Values that fewer items have are never told")
      ->capture_default_str();
  verb->add_flag("--suspicious", flags->suspicious,
                 "Instead: values that items have and that look wrong, the most suspicious first");
  verb->add_option("--items", flags->items_file,
                   "File with the raw ids, one a line, of the only items to tell of, with a value "
                   "or without");
  verb->add_flag("--all-items", flags->all_items, "All items, also those that have a value");
  verb->add_option("--unknown", flags->unknown,
                   "Ids in --items that are not in the data set: error, or skip (leave out, count)")
      ->capture_default_str();
  verb->add_option("--seed", flags->seed, "Of folds and order (42)");
  verb->callback([flags, &invocation] {
    const Config config = invocation.config_for("tag");
    const nlohmann::json said = answer_by_one_version(flags->data, flags->model, [&] {
      const Loaded loaded(config, flags->data, flags->model, DatasetUse::everything);
      TerminalProgress progress = invocation.progress();
      return tag_by(*flags, loaded.model, nullptr, progress);
    });
    if (invocation.json)
      print(said.dump(2) + "\n");
    else
      print_text(tag_text(said));
  });
}

}  // namespace penchant::pipeline
