// SPDX-License-Identifier: Apache-2.0
// penchant forget: users and items out of X.data.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

namespace {

std::string count_line(const char* what, std::int64_t count, std::int64_t unknown) {
  return fmt::format("{:<28}{:>12}{}\n", what, count,
                     unknown > 0 ? fmt::format("  ({} unknown)", unknown) : std::string());
}

const char* what_to_do(std::string_view kind) {
  if (kind == "model") return "model that was trained before: train again, and remove this one";
  if (kind == "embeddings") return "embeddings of before: embed again, or remove it";
  if (kind == "compressed") return "compressed vectors of before: compress again, or remove them";
  if (kind == "delta") return "delta of before: remove it";
  if (kind == "data") return "data set as it was before: remove it";
  return "file that is not Penchant's, not looked into";
}

void run_forget(const ForgetFlags& flags, const Invocation& invocation) {
  invocation.config_for("forget");
  TerminalProgress progress = invocation.progress();
  const ForgetReport report = forget_by(flags, progress);
  const nlohmann::json facts = forget_json(report, flags);
  if (invocation.json) {
    print(facts.dump(2) + "\n");
    return;
  }
  std::string text =
      count_line("users forgotten", report.num_forgotten_users, report.num_unknown_users) +
      count_line("items forgotten", report.num_forgotten_items, report.num_unknown_items);
  if (report.num_items_of_theirs > 0)
    text += count_line("  items of these users alone", report.num_items_of_theirs, 0);
  text += fmt::format("{:<28}{:>12}  ({} / {} / {} in train / validation / test)\n",
                      "rows forgotten", report.rows[0] + report.rows[1] + report.rows[2],
                      report.rows[0], report.rows[1], report.rows[2]);
  text +=
      count_line("users left", report.num_users, 0) + count_line("items left", report.num_items, 0);
  if (report.num_users_left_without_rows > 0)
    text += count_line("  users left without rows", report.num_users_left_without_rows, 0);
  text += fmt::format("{:<28}{}\n", "data set", facts["out"].get<std::string>());
  if (!report.remaining.empty()) text += "These may still hold what was forgotten:\n";
  for (const RemainingPlace& place : report.remaining)
    text += fmt::format("  {:<26}  {}\n", place.path.string(), what_to_do(place.kind));
  text +=
      "Not looked at: the log's own files, a server's events, stores of vectors, reports, copies, "
      "backups.\n";
  print_text(text);
}

}  // namespace

void add_forget_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "forget", "Take users or items out of a data set, with all that it holds of them");
  add_common_options(*verb, invocation, UsesDevice::no);
  const auto flags = std::make_shared<ForgetFlags>();
  verb->add_option("data", flags->data, "Data set (X.data)")->required();
  verb->add_option("--users", flags->users_file,
                   "File with the raw ids, one a line, of users to forget; ids that are not known "
                   "are counted, and an error if none is");
  verb->add_option("--items", flags->items_file, "The same of items");
  add_key_option(*verb, flags->key);
  verb->add_option("--out", flags->out,
                   "Data set to write; without it X.data is replaced, and its old files removed");
  verb->footer(
      "What is forgotten is known by nothing afterwards: files that hold it bring it back. "
      "`penchant "
      "append` leaves out files that were taken in before, byte for byte, and warns of new users "
      "and "
      "items with rows from before; keep the list of ids, and forget again after an append of a "
      "log "
      "that has grown or of a server's events. Models that were trained before do not go with the "
      "data set any more, and hold vectors of what was forgotten: train again.");
  verb->callback([flags, &invocation] { run_forget(*flags, invocation); });
}

}  // namespace penchant::pipeline
