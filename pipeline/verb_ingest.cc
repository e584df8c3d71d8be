// SPDX-License-Identifier: Apache-2.0
// penchant ingest: tables and text formats -> X.data.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/names.h"
#include "pipeline/verbs.h"

namespace penchant::pipeline {

namespace {

struct IngestFlags {
  std::string out, format, train, test, sequences, attributes, prefix, separator, quote, escape;
  std::vector<std::string> log, item_table, filters;
  LogColumns columns;
  bool strict = false;
};

void apply_flags(const IngestFlags& flags, Config& config) {
  IngestOptions& ingest = config.ingest;
  const auto path = [](const std::string& text, std::filesystem::path& to) {
    if (!text.empty()) to = text;
  };
  const auto word = [](const std::string& text, std::string& to) {
    if (!text.empty()) to = text;
  };
  path(flags.out, config.data_out);
  path(flags.train, ingest.train_file);
  path(flags.test, ingest.test_file);
  path(flags.sequences, ingest.sequences_file);
  path(flags.attributes, ingest.attributes_file);
  path(flags.prefix, ingest.prefix);
  if (!flags.format.empty()) ingest.format = parse_enum<InputFormat>(flags.format, "--format");
  if (!flags.log.empty()) ingest.log.files.assign(flags.log.begin(), flags.log.end());
  if (!flags.separator.empty())
    ingest.log.text.separator = parse_separator(flags.separator, "--separator");
  if (!flags.quote.empty()) ingest.log.text.quote = parse_mark(flags.quote, "--quote");
  if (!flags.escape.empty()) ingest.log.text.escape = parse_mark(flags.escape, "--escape");
  if (!flags.item_table.empty()) {
    ingest.item_table.emplace();
    ingest.item_table->files.assign(flags.item_table.begin(), flags.item_table.end());
  }
  for (const std::string& filter : flags.filters) ingest.filters.push_back(parse_filter(filter));
  word(flags.columns.user, ingest.columns.user);
  word(flags.columns.item, ingest.columns.item);
  word(flags.columns.time, ingest.columns.time);
  word(flags.columns.event, ingest.columns.event);
  word(flags.columns.weight, ingest.columns.weight);
  word(flags.columns.session, ingest.columns.session);
  if (flags.strict) ingest.strict = true;
}

nlohmann::json to_json(const RowCounts& rows) {
  const auto list = [](const std::vector<RowCounts::Reason>& reasons) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& reason : reasons) {
      list.push_back({{"reason", reason.reason},
                      {"rows", reason.rows},
                      {"example", reason.example},
                      {"malformed", reason.is_error}});
    }
    return list;
  };
  return {{"read", rows.read},
          {"kept", rows.kept},
          {"rejected", list(rows.rejected)},
          {"remarks", list(rows.remarks)},
          {"notes", rows.notes}};
}

std::string rows_table(const char* name, const RowCounts& rows) {
  std::string text = fmt::format("{:<28}{:>12}\n{:<28}{:>12}\n", std::string(name) + " rows read",
                                 rows.read, "  kept", rows.kept);
  for (const auto& reason : rows.rejected) {
    text += fmt::format(
        "  {:<26}{:>12}{}\n", reason.is_error ? "rejected" : "left out", reason.rows,
        "  " + reason.reason + (reason.example.empty() ? "" : " (first: " + reason.example + ")"));
  }
  for (const auto& reason : rows.remarks)
    text += fmt::format("  {:<26}{:>12}  {} (first: {})\n", "of those read", reason.rows,
                        reason.reason, reason.example);
  for (const std::string& note : rows.notes) text += fmt::format("  {}\n", note);
  return text;
}

void run_ingest(const IngestFlags& flags, const Invocation& invocation) {
  Config config = invocation.config();
  apply_flags(flags, config);
  if (config.data_out.empty())
    throw InputError("ingest: no output given (--out X.data, or data.out in the configuration)");
  TerminalProgress progress = invocation.progress();
  const IngestReport report = ingest(config.ingest, config.data_out, progress);
  if (invocation.json) {
    const nlohmann::json json = {
        {"out", config.data_out.string()},
        {"rows", to_json(report.rows)},
        {"item_rows", to_json(report.item_rows)},
        {"num_users", report.num_users},
        {"num_items", report.num_items},
        {"num_items_without_interactions", report.num_items_without_interactions},
        {"num_items_without_row", report.num_items_without_row},
        {"repeated_share", report.repeated_share},
        {"repeats_allowed", report.repeats_allowed},
        {"num_train", report.num_train},
        {"num_validation", report.num_validation},
        {"num_test", report.num_test}};
    print(json.dump(2) + "\n");
    return;
  }
  std::string text = rows_table("log", report.rows);
  if (report.item_rows.read > 0) {
    text += rows_table("item table", report.item_rows);
    text +=
        fmt::format("{:<28}{:>12}\n", "  log's items without a row", report.num_items_without_row);
  }
  text += fmt::format(
      "{:<28}{:>12}\n{:<28}{:>12}  ({} without interaction in train)\n{:<28}{:>12} / {} / "
      "{}\n{:<28}{:>10.1f} %  ({})\n{:<28}{}\n",
      "users", report.num_users, "items", report.num_items, report.num_items_without_interactions,
      "train / validation / test", report.num_train, report.num_validation, report.num_test,
      "held out, but in train too", 100.0 * report.repeated_share,
      report.repeats_allowed ? "own items are ranked" : "own items are masked", "data set",
      config.data_out.string());
  print(text);
}

}  // namespace

void add_ingest_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "ingest", "Read a behaviour log and an item table into a data set (X.data)");
  add_common_options(*verb, invocation);
  const auto flags = std::make_shared<IngestFlags>();
  verb->add_option("--out", flags->out, "Data set to write, such as shop.data");
  verb->add_option("--format", flags->format, "table, lightgcn, s3rec or recbole");
  verb->add_option("--train", flags->train, "lightgcn: training file");
  verb->add_option("--test", flags->test, "lightgcn: test file");
  verb->add_option("--sequences", flags->sequences, "s3rec: sequence file");
  verb->add_option("--attributes", flags->attributes, "s3rec: attribute JSON");
  verb->add_option("--prefix", flags->prefix, "recbole: PREFIX of PREFIX.inter and PREFIX.item");
  verb->add_option("--log", flags->log, "table: log file; may be given several times");
  verb->add_option("--separator", flags->separator, "table: one character, tab or auto");
  verb->add_option("--quote", flags->quote,
                   "table: character around cells, none (quotes are text) or auto");
  verb->add_option("--escape", flags->escape,
                   "table: character that takes the meaning of the next one, none or auto");
  verb->add_option("--user-column", flags->columns.user, "table: column of the user id");
  verb->add_option("--item-column", flags->columns.item, "table: column of the item id");
  verb->add_option("--time-column", flags->columns.time, "table: column of the time");
  verb->add_option("--event-column", flags->columns.event, "table: column of the event type");
  verb->add_option("--weight-column", flags->columns.weight, "table: column of a weight");
  verb->add_option("--session-column", flags->columns.session,
                   "table: column of the session or basket");
  verb->add_option("--filter", flags->filters,
                   "table: rows to keep, such as 'quantity > 0'; may be given several times");
  verb->add_option("--item-table", flags->item_table,
                   "table: item table; its columns are chosen in the configuration");
  verb->add_flag("--strict", flags->strict, "A malformed row is an error instead of being counted");
  verb->callback([flags, &invocation] { run_ingest(*flags, invocation); });
}

}  // namespace penchant::pipeline
