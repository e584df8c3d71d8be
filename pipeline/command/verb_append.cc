// SPDX-License-Identifier: Apache-2.0
// penchant append: rows that came later into X.data.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/command/rows_table.h"
#include "pipeline/command/verbs.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

namespace {

void run_append(const AppendFlags& flags, const Invocation& invocation) {
  invocation.config_for("append");
  TerminalProgress progress = invocation.progress();
  const AppendReport report = append_by(flags, nullptr, progress);
  const nlohmann::json facts = append_json(report, flags);
  if (invocation.json) {
    print(facts.dump(2) + "\n");
    return;
  }
  print_text(appended_text(report) +
             fmt::format("{:<28}{}\n", "data set", facts["out"].get<std::string>()));
}

}  // namespace

std::string appended_text(const AppendReport& report) {
  std::string text = rows_table("log", report.rows);
  if (report.item_rows.read > 0 || !report.item_rows.rejected.empty())
    text += rows_table("item table", report.item_rows);
  if (report.vector_rows.read > 0) text += rows_table("vectors", report.vector_rows);
  for (const std::string& name : report.known_files)
    text += fmt::format("  {:<26}  {}\n", "taken in before", name);
  return text + fmt::format(
                    "{:<28}{:>12}  ({} new)\n{:<28}{:>12}  ({} new)\n"
                    "{:<28}{:>12} / {} / {}\n",
                    "users", report.num_users, report.num_new_users, "items", report.num_items,
                    report.num_new_items, "new in train / validation / test", report.new_train,
                    report.new_validation, report.new_test);
}

void add_vector_options(CLI::App& verb, AppendFlags& flags) {
  verb.add_option("--vectors", flags.vectors,
                  "NAME=FILE: vectors of new items, of the attribute of that name ([[data.items."
                  "vectors]]); may be given several times");
  verb.add_option("--vector-ids", flags.vector_ids,
                  "NAME=FILE: raw ids of such a file, a line each, where it holds numbers alone");
}

void add_privacy_options(CLI::App& verb, AppendFlags& flags) {
  verb.add_option("--key", flags.key,
                  "File with the key of the data set's pseudonyms, where it is not in the place "
                  "that data.pseudonym_key named");
  verb.add_option("--same-user", flags.same_user,
                  "Table of people's many accounts, in place of the one that data.same_user named; "
                  "rows that are there stay with the account that they had");
}

void add_append_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "append", "Add rows that came later to a data set: ids and parts of its rows stay");
  add_common_options(*verb, invocation, UsesDevice::no);
  const auto flags = std::make_shared<AppendFlags>();
  verb->add_option("data", flags->data, "Data set (X.data), read from tables by `penchant ingest`")
      ->required();
  verb->add_option("--log", flags->log,
                   "Log file, folder or pattern, written as the data set's; may be given several "
                   "times; files that were taken in before and rows that are there change nothing");
  verb->add_option("--events", flags->events,
                   "Folder of events that `penchant serve --events` wrote, while it runs or later");
  verb->add_option(
      "--item-table", flags->item_table,
      "Item table, written as the data set's; of items that are there it fills in what "
      "they lack");
  add_vector_options(*verb, *flags);
  add_privacy_options(*verb, *flags);
  verb->add_option("--out", flags->out, "Data set to write; without it X.data is replaced");
  verb->add_flag("--strict", flags->strict, "A malformed row is an error instead of being counted");
  verb->callback([flags, &invocation] { run_append(*flags, invocation); });
}

}  // namespace penchant::pipeline
