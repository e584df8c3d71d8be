// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/sequence_files.h"

#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/attribute_cells.h"
#include "pipeline/ingest/id_rules.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::AttributeKind;
using graph::NodeId;

namespace {

/// What the file seems to put between ids instead of spaces, or null: tabs anywhere, or commas and
/// semicolons where there is no space or where they end a field or stand between numbers.
const char* other_separator(std::string_view line) {
  if (line.find('\t') != std::string_view::npos) return "tabs";
  const bool spaces = line.find(' ') != std::string_view::npos;
  for (const auto& [mark, name] : {std::pair(',', "commas"), std::pair(';', "semicolons")}) {
    for (std::size_t at = line.find(mark); at != std::string_view::npos;
         at = line.find(mark, at + 1)) {
      const auto is = [&](std::size_t place, auto what) {
        return place < line.size() && what(static_cast<unsigned char>(line[place]));
      };
      const auto is_digit = [](unsigned char c) { return c >= '0' && c <= '9'; };
      const bool ends_field = at + 1 == line.size() || line[at + 1] == ' ';
      const bool in_numbers = at > 0 && is(at - 1, is_digit) && is(at + 1, is_digit);
      if (!spaces || ends_field || in_numbers) return name;
    }
  }
  return nullptr;
}

/// Reads lines of "user item item ..." file by file. Each item is a row of the log; a line that
/// cannot be taken apart is one row.
class SequenceReader {
 public:
  /// Positions in a line become times if `timed`.
  SequenceReader(const IngestOptions& options, bool timed, ReadResult& result)
      : timed_(timed),
        result_(result),
        rejections_(options),
        user_ids_(options, Entity::user),
        item_ids_(options, Entity::item) {}

  void read(const fs::path& path, InputRole role) {
    FileAccount account;
    account.path = path;
    account.role = role;
    account.first_row = result_.log.rows.user.size();
    LineCounts counts;
    TextLines lines(path);
    for (std::string_view line; lines.next(line);) {
      ++counts.lines;
      const std::int64_t read_before = account.rows.read;
      if (line.find_first_not_of(' ') == std::string_view::npos) {
        ++counts.blank;
        continue;
      }
      const auto place = [&] { return fmt::format("{}:{}", path.string(), counts.lines); };
      if (const char* found = other_separator(line)) {
        ++account.rows.read;
        rejections_.malformed("wrong separator", [&] {
          return fmt::format("{}: the line holds {}, expected 'user item item ...' with spaces",
                             place(), found);
        });
      } else {
        add_line(line, account.rows, place);
      }
      ++(account.rows.read > read_before ? counts.rows : counts.without_items);
    }
    account.lines = counts;
    account.rows.rejected = rejections_.take();
    result_.files.push_back(std::move(account));
  }

 private:
  template <typename Place>
  void add_line(std::string_view line, RowCounts& counts, const Place& place) {
    RawLog& log = result_.log;
    std::int64_t field = 0;
    std::string_view raw_user;
    NodeId user = graph::kNoNode;  // of a broken id: none
    std::int64_t position = 0;
    for_each_piece(line, " ", [&](std::string_view token) {
      if (++field == 1) {
        raw_user = token;
        if (is_valid_utf8(token)) user = log.users.intern(user_ids_(token));
        return;
      }
      ++counts.read;
      const bool good_user = user != graph::kNoNode;
      if (!good_user || !is_valid_utf8(token)) {
        rejections_.malformed(kBrokenUtf8, [&] {
          return fmt::format("{}: {}", place(),
                             explain_broken_utf8(fmt::format("field {}", good_user ? field : 1),
                                                 good_user ? token : raw_user));
        });
        return;
      }
      log.rows.user.push_back(user);
      log.rows.item.push_back(log.items.intern(item_ids_(token)));
      log.rows.weight.push_back(1.0F);
      if (timed_) log.rows.time_ms.push_back(position++);
    });
  }

  bool timed_;
  ReadResult& result_;
  Rejections rejections_;  ///< of the file
  IdMap user_ids_, item_ids_;
};

}  // namespace

void read_lightgcn(const IngestOptions& options, ReadResult& result) {
  if (options.train_files.empty())
    throw InputError("ingest: no training (data.train, or --train) file given");
  SequenceReader reader(options, false, result);
  for (const fs::path& path : options.train_files) reader.read(path, InputRole::log);
  for (const fs::path& path : options.validation_files) reader.read(path, InputRole::validation);
  for (const fs::path& path : options.test_files) reader.read(path, InputRole::test);
  result.default_split = default_split(options);
}

void read_s3rec(const IngestOptions& options, ReadResult& result, RawCatalog& catalog) {
  if (options.sequences_file.empty())
    throw InputError("ingest: no sequence (data.sequences, or --sequences) file given");
  SequenceReader(options, true, result).read(options.sequences_file, InputRole::log);
  result.default_split = default_split(options);
  if (options.attributes_file.empty()) return;
  FileAccount& account = result.item_files.emplace_back();
  account.path = options.attributes_file;
  account.role = InputRole::attributes;
  std::string text;
  TextLines lines(options.attributes_file);
  for (std::string_view line; lines.next(line); text += '\n') text += line;
  const auto refuse = [&](const std::string& found) {
    throw InputError(fmt::format(
        "{}: {}, expected a JSON object of item -> [attribute, ...] with strings or numbers",
        options.attributes_file.string(), found));
  };
  IdMap item_ids(options, Entity::item);
  const auto named = [&](const std::string& item) {
    return item_ids.changes() ? std::string("an item") : fmt::format("item '{}'", printable(item));
  };
  nlohmann::json attributes;
  try {
    attributes = parse_json(text, options.attributes_file);
  } catch (const InputError& error) {
    if (options.ids != nullptr && options.ids->withholds_cells()) {  // the error quotes the text
      throw InputError(fmt::format(
          "{}: damaged, expected a JSON object of item -> [attribute, ...]; where it breaks off is "
          "not shown (data.pseudonymise)",
          options.attributes_file.string()));
    }
    throw InputError(
        fmt::format("{}; expected a JSON object of item -> [attribute, ...]", error.what()));
  }
  if (!attributes.is_object()) refuse(fmt::format("holds {}", attributes.type_name()));
  RawAttribute list{{"attributes", "attributes", AttributeKind::list, "|", ""}, {}, {}, false};
  for (const auto& [item, values] : attributes.items()) {
    if (!values.is_array()) refuse(fmt::format("{} has {}", named(item), values.type_name()));
    std::string joined;
    for (const nlohmann::json& value : values) {
      if (!value.is_string() && !value.is_number())
        refuse(fmt::format("{} has an attribute that is {}", named(item), value.type_name()));
      if (!joined.empty()) joined += kListSeparator;
      joined += value.is_string() ? value.get<std::string>() : value.dump();
    }
    const std::string_view id = item_ids(item);
    catalog.items.intern(id);
    add_attribute_cell(list, id, joined, {});
    ++account.rows.read;
    ++account.rows.kept;
  }
  catalog.attributes.push_back(std::move(list));
}

}  // namespace penchant::pipeline
