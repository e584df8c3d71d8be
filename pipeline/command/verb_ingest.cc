// SPDX-License-Identifier: Apache-2.0
// penchant ingest: tables and text formats -> X.data.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/command/rows_table.h"
#include "pipeline/command/verbs.h"
#include "pipeline/config/ingest_flags.h"

namespace penchant::pipeline {

namespace {

/// One line a file of the log, where there are several.
std::string files_table(const std::vector<FileAccount>& files) {
  constexpr std::size_t kShown = 20;
  std::string text;
  std::size_t shown = 0;
  for (const FileAccount& file : files) {
    if (!is_log(file.role)) continue;
    if (++shown > kShown) continue;
    text += fmt::format("  {:<26}{:>12} of {} kept ({})\n", file.path.filename().string(),
                        file.rows.kept, file.rows.read,
                        kInputRoles[static_cast<std::size_t>(file.role)]);
  }
  if (shown > kShown) text += fmt::format("  and {} files more\n", shown - kShown);
  return shown > 1 ? text : std::string();
}

void run_ingest(const IngestFlags& flags, const Invocation& invocation) {
  Config config = invocation.config();
  apply_flags(flags, config);
  invocation.check(config, "ingest");
  if (config.data_out.empty())
    throw InputError("ingest: no output given (--out X.data, or data.out in the configuration)");
  TerminalProgress progress = invocation.progress();
  const IngestReport report = ingest(ingest_options(config), config.data_out, progress);
  if (invocation.json) {
    print(ingest_json(report, config.data_out).dump(2) + "\n");
    return;
  }
  std::string text = rows_table("log", report.rows) + files_table(report.files);
  if (report.item_rows.read > 0) {
    text += rows_table("item table", report.item_rows);
    text +=
        fmt::format("{:<28}{:>12}\n", "  log's items without a row", report.num_items_without_row);
  }
  if (report.link_rows.read > 0) {
    text += rows_table("links", report.link_rows);
    text += fmt::format("{:<28}{:>12}\n", "  links between users", report.num_links);
  }
  if (report.vector_rows.read > 0) text += rows_table("vectors", report.vector_rows);
  text += fmt::format(
      "{:<28}{:>12}\n{:<28}{:>12}  ({} without interaction in train)\n{:<28}{:>12} / {} / "
      "{}\n{:<28}{:>10.1f} %  ({})\n{:<28}{}\n",
      "users", report.num_users, "items", report.num_items, report.num_items_without_interactions,
      "train / validation / test", report.num_train, report.num_validation, report.num_test,
      "held out, but in train too", 100.0 * report.repeated_share,
      report.repeats_allowed ? "own items are ranked" : "own items are masked", "data set",
      config.data_out.string());
  print_text(text);
}

}  // namespace

void add_ingest_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "ingest", "Read a behaviour log and an item table into a data set (X.data)");
  add_common_options(*verb, invocation, UsesDevice::no);
  const auto flags = std::make_shared<IngestFlags>();
  verb->add_option("--out", flags->out, "Data set to write, such as shop.data");
  verb->add_option("--format", flags->format, "table, lightgcn, s3rec or recbole");
  verb->add_option("--train", flags->train, "lightgcn: training file");
  verb->add_option("--validation", flags->validation,
                   "table, lightgcn: file of the validation part; may be given several times");
  verb->add_option("--test", flags->test,
                   "table, lightgcn: file of the test part; may be given several times");
  verb->add_option("--sequences", flags->sequences, "s3rec: sequence file");
  verb->add_option("--attributes", flags->attributes, "s3rec: attribute JSON");
  verb->add_option("--prefix", flags->prefix, "recbole: PREFIX of PREFIX.inter and PREFIX.item");
  verb->add_option("--benchmark", flags->benchmark,
                   "recbole: train,valid,test reads PREFIX.train.inter and so on")
      ->delimiter(',');
  verb->add_option("--log", flags->log,
                   "table: log file, folder or pattern; may be given several times");
  verb->add_option("--separator", flags->separator, "table: one character, tab or auto");
  verb->add_option("--quote", flags->quote,
                   "table: character around cells, none (quotes are text) or auto");
  verb->add_option("--escape", flags->escape,
                   "table: character that takes the meaning of the next one, none or auto");
  verb->add_option("--user-column", flags->user_column, "table, recbole: column of the user id");
  verb->add_option("--item-column", flags->item_column, "table, recbole: column of the item id");
  verb->add_option("--time-column", flags->time_column, "table, recbole: column of the time");
  verb->add_option("--event-column", flags->event_column,
                   "table, recbole: column of the event type");
  verb->add_option("--weight-column", flags->weight_column,
                   "table, recbole: column of a weight; empty: none");
  verb->add_option("--session-column", flags->session_column,
                   "table, recbole: column of the session or basket");
  verb->add_option("--part-column", flags->part_column,
                   "table, recbole: column that says train, validation or test");
  verb->add_option(
      "--filter", flags->filters,
      "table, recbole: rows to keep, such as 'quantity > 0'; may be given several times");
  verb->add_option("--item-table", flags->item_table,
                   "table, recbole: item table; its columns are chosen in the configuration");
  verb->add_flag("--strict", flags->strict, "A malformed row is an error instead of being counted");
  verb->callback([flags, &invocation] { run_ingest(*flags, invocation); });
}

}  // namespace penchant::pipeline
