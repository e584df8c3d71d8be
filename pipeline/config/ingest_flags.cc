// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/ingest_flags.h"

#include <filesystem>

#include "graph/enum_names.h"

namespace penchant::pipeline {

void apply_flags(const IngestFlags& flags, Config& config) {
  IngestOptions& ingest = config.ingest;
  const auto note = [&](const char* flag, const char* key) { mark_given(config, key, flag); };
  const auto text = [&](const char* flag, const char* key, const IngestFlags::Text& value,
                        auto& to) {
    if (!value) return;
    to = *value;
    note(flag, key);
  };
  const auto files = [&](const char* flag, const char* key, const std::vector<std::string>& names,
                         std::vector<std::filesystem::path>& to) {
    if (names.empty()) return;
    to.assign(names.begin(), names.end());
    note(flag, key);
  };
  const auto given = [](const IngestFlags::Text& value) { return value && !value->empty(); };
  text("--out", "data.out", flags.out, config.data_out);
  files("--train", "data.train", flags.train, ingest.train_files);
  files("--validation", "data.validation", flags.validation, ingest.validation_files);
  files("--test", "data.test", flags.test, ingest.test_files);
  if (!flags.benchmark.empty()) {
    ingest.benchmark = flags.benchmark;
    note("--benchmark", "data.benchmark");
  }
  text("--sequences", "data.sequences", flags.sequences, ingest.sequences_file);
  text("--attributes", "data.attributes_file", flags.attributes, ingest.attributes_file);
  text("--prefix", "data.prefix", flags.prefix, ingest.prefix);
  files("--log", "data.log", flags.log, ingest.log.files);
  if (given(flags.format)) {
    ingest.format = parse_enum<InputFormat>(*flags.format, "--format");
    note("--format", "data.format");
  }
  if (given(flags.separator)) {
    ingest.log.text.separator = parse_separator(*flags.separator, "--separator");
    note("--separator", "data.separator");
  }
  if (given(flags.quote)) {
    ingest.log.text.quote = parse_mark(*flags.quote, "--quote");
    note("--quote", "data.quote");
  }
  if (given(flags.escape)) {
    ingest.log.text.escape = parse_mark(*flags.escape, "--escape");
    note("--escape", "data.escape");
  }
  if (!flags.item_table.empty()) {
    if (!ingest.item_table) ingest.item_table.emplace();
    files("--item-table", "data.items.table", flags.item_table, ingest.item_table->files);
  }
  if (!flags.filters.empty()) {
    for (const std::string& filter : flags.filters) ingest.filters.push_back(parse_filter(filter));
    note("--filter", "data.filters");
  }
  text("--user-column", "data.columns.user", flags.user_column, ingest.columns.user);
  text("--item-column", "data.columns.item", flags.item_column, ingest.columns.item);
  text("--time-column", "data.columns.time", flags.time_column, ingest.columns.time);
  text("--event-column", "data.columns.event", flags.event_column, ingest.columns.event);
  text("--weight-column", "data.columns.weight", flags.weight_column, ingest.columns.weight);
  text("--session-column", "data.columns.session", flags.session_column, ingest.columns.session);
  text("--part-column", "data.columns.part", flags.part_column, ingest.columns.part);
  if (flags.strict) {
    ingest.strict = true;
    note("--strict", "data.strict");
  }
}

}  // namespace penchant::pipeline
