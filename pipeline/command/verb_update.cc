// SPDX-License-Identifier: Apache-2.0
// penchant update: new rows into X.data, and X.model trained on from where it was.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/exit_codes.h"
#include "pipeline/command/rows_table.h"
#include "pipeline/command/verbs.h"
#include "pipeline/model/movement.h"
#include "pipeline/workflow/update.h"

namespace penchant::pipeline {

namespace {

std::string updated_text(const Updated& updated, const UpdateFlags& flags) {
  std::string text;
  if (updated.rows) text += appended_text(*updated.rows);
  text += fmt::format("{:<28}{}, version {}\n{:<28}{}, version {}{}\n", "data set", flags.rows.data,
                      updated.data_version, "model", flags.model, updated.model_version,
                      updated.trained ? "" : ": of these rows already");
  if (!updated.trained) return text;
  text += fmt::format("{:<28}{:.1f} s on {}\n", "trained on for", updated.training.seconds,
                      updated.device);
  if (updated.known_items_move) {
    text += fmt::format("{:<28}{}\n", "an index of earlier items",
                        *updated.known_items_move
                            ? "needs the new vectors: users alone could not follow (embed --since)"
                            : "still serves: known items hardly moved");
  }
  const nlohmann::json moved = nlohmann::json::parse(updated.moved_json);
  for (const char* side : {"users", "items"}) {
    if (moved.is_object())
      text += fmt::format("{:<28}{}\n", fmt::format("vectors of known {}", side),
                          movement_text(movement_of(moved.at(side))));
  }
  return text;
}

void run_update(const UpdateFlags& flags, Invocation& invocation) {
  const Config config = invocation.config_for("update");
  TerminalProgress progress = invocation.progress();
  const Updated updated = update_by(flags, config, nullptr, progress);
  if (invocation.json)
    print(updated_json(updated, flags).dump(2) + "\n");
  else if (!updated.training.interrupted)
    print_text(updated_text(updated, flags));
  if (updated.training.interrupted) invocation.exit_code = kExitInterrupted;
}

}  // namespace

void add_update_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "update",
      "Add rows that came later to a data set and train its model on from where it was; both are "
      "replaced together, and what they replace is kept beside them");
  add_common_options(*verb, invocation);
  const auto flags = std::make_shared<UpdateFlags>();
  verb->add_option("data", flags->rows.data, "Data set (X.data), read from tables")->required();
  verb->add_option("model", flags->model,
                   "Model (X.model) of this data set or of what it was before `penchant append`")
      ->required();
  verb->add_option("--log", flags->rows.log,
                   "Log file, folder or pattern, as of `penchant append`; without new rows the "
                   "model is brought up to the data set as it is");
  verb->add_option("--events", flags->rows.events,
                   "Folder of events that `penchant serve --events` wrote");
  verb->add_option("--item-table,--items", flags->rows.item_table,
                   "Item table, as of `penchant append`");
  add_vector_options(*verb, flags->rows);
  add_privacy_options(*verb, flags->rows);
  verb->add_option("--budget", flags->budget,
                   "Time to plan for, such as 60s or 5m; without it as long as the new rows' "
                   "validation part says");
  verb->add_option("--keep", flags->keep,
                   "Replaced versions that stay, as X.data.v1, X.model.v1 and so on (1)");
  verb->add_flag("--strict", flags->rows.strict,
                 "A malformed row is an error instead of being counted");
  verb->callback([flags, &invocation] { run_update(*flags, invocation); });
}

}  // namespace penchant::pipeline
