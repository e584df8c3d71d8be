// SPDX-License-Identifier: Apache-2.0
// Reads tables as ingest does and prints what it finds, for table_property.py: one JSON object a
// line in (path, threads, slice, and how the text is written), one out (names, rows with their
// lines, malformed rows, counts, or the error).
#include <iostream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <omp.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/tables/block_stages.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {
namespace {

using nlohmann::json;

TextMark mark_of(const json& request, const char* key) {
  const std::string text = request.value(key, "auto");
  if (text == "auto") return {};
  return text == "none" ? TextMark('\0') : TextMark(text.front());
}

struct Block {
  TableBlock table;
  json rows, malformed, open_quotes;
  std::int64_t lines = 0;
};

void add_batch(const TextBatch& batch, Block& block) {
  for (const MalformedRow& row : batch.malformed)
    block.malformed.push_back({row.line, row.expected_fields, row.found_fields});
  for (const OpenQuote& quote : batch.open_quotes)
    block.open_quotes.push_back({quote.line, quote.field});
  for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
    json cells = {batch.line(row)};
    for (const auto& column : batch.columns) cells.push_back(std::string(column[row]));
    block.rows.push_back(std::move(cells));
  }
  block.lines += batch.counts.lines;
}

json counts_to_json(const TextCounts& counts) {
  return {{"lines", counts.lines},
          {"header_lines", counts.header_lines},
          {"blank_lines", counts.blank_lines},
          {"continuation_lines", counts.continuation_lines},
          {"repeated_headers", counts.repeated_headers},
          {"rows", counts.rows},
          {"malformed", counts.malformed},
          {"open_quotes", counts.open_quotes}};
}

json answer(const json& request) {
  TableReadOptions options;
  const std::string separator = request.value("separator", "");
  options.separator = separator.empty() ? '\0' : separator.front();
  options.header = request.value("header", true);
  options.quote = mark_of(request, "quote");
  options.escape = mark_of(request, "escape");
  options.encoding = request.value("latin1", false) ? TextEncoding::latin1 : TextEncoding::utf8;
  options.block_bytes = request.value("block", kTextBlock);
  const std::string path = request.at("path");
  const std::vector<std::string> names = table_columns(path, options);
  TableReader reader(path, options, names);
  omp_set_num_threads(request.value("threads", 1));
  const std::size_t slice = request.value("slice", std::size_t{1} << 16);
  std::vector<Block> blocks(6);
  json rows = json::array();
  json malformed = json::array();
  json open_quotes = json::array();
  std::int64_t line = reader.first_line();
  BlockStages stages;
  stages.fetch = [&](std::size_t slot) { return reader.fetch(blocks[slot].table); };
  stages.encode = [&](std::size_t slot) {
    Block& block = blocks[slot];
    block.rows = block.malformed = block.open_quotes = json::array();
    block.lines = 0;
    TextBatch batch;
    while (reader.split(block.table, batch, slice)) add_batch(batch, block);
  };
  stages.commit = [&](std::size_t slot) {
    const auto append = [&](json& found, json& all) {
      for (json& entry : found) {
        entry[0] = entry[0].get<std::int64_t>() + line;
        all.push_back(std::move(entry));
      }
    };
    append(blocks[slot].rows, rows);
    append(blocks[slot].malformed, malformed);
    append(blocks[slot].open_quotes, open_quotes);
    line += blocks[slot].lines;
  };
  run_block_stages(stages, blocks.size());
  reader.check_all_counted();
  return {{"names", names},
          {"rows", rows},
          {"malformed", malformed},
          {"open_quotes", open_quotes},
          {"counts", counts_to_json(reader.counts())},
          {"note", reader.note()},
          {"hash", reader.hash()}};
}

}  // namespace
}  // namespace penchant::pipeline

int main() {
  using nlohmann::json;
  for (std::string line; std::getline(std::cin, line);) {
    json reply;
    try {
      reply = penchant::pipeline::answer(json::parse(line));
    } catch (const std::exception& error) {
      reply = {{"error", error.what()}};
    }
    std::cout << reply.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
  }
  return 0;
}
