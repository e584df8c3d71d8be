// SPDX-License-Identifier: Apache-2.0
// penchant explain: why an item is recommended, or near another one.
#include <memory>
#include <string>
#include <vector>

#include "pipeline/command/single_list.h"
#include "pipeline/command/verbs.h"
#include "pipeline/workflow/explain_calls.h"

namespace penchant::pipeline {

void add_explain_verb(CLI::App& program, Invocation& invocation) {
  struct Flags : ExplainFlags {
    std::vector<std::string> texts;  ///< of --history, as they are given
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand(
      "explain",
      "Why an item is recommended to a user: the share of each item that the user had, of "
      "popularity and of attributes in the score, and a sentence; or why two items are similar");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("model", flags->model, "Model (X.model)")->required();
  verb->add_option("--user", flags->user, "Raw user id");
  verb->add_option("--item", flags->item, "Raw id of the item whose score is explained")
      ->required();
  auto* history = verb->add_option(
      "--history", flags->texts,
      "Instead of --user: raw item ids, oldest first, separated by commas, as for recommend");
  history->allow_extra_args(false);
  verb->add_option("--similar", flags->similar,
                   "Instead of --user: raw id of another item; explains their cosine");
  verb->add_option("--top", flags->top, "How many shares of each kind are told")
      ->capture_default_str();
  add_ranking_option(*verb, flags->ranking);
  add_key_option(*verb, flags->key);
  verb->callback([flags, history, &invocation] {
    flags->by_history = !history->empty();
    check_flags(*flags);
    const Config config = invocation.config_for("explain");
    if (flags->by_history) {
      const Dataset dataset = read_dataset(flags->data, DatasetUse::lookup);
      flags->history = history_items(flags->texts, dataset.items);
    }
    const Explained explained = explain_by(*flags, config);
    if (invocation.json) {
      print(explained.answer.dump(2) + "\n");
    } else {
      print_text(explained.text);
    }
  });
}

}  // namespace penchant::pipeline
