// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/timed_item_table.h"

#include <algorithm>
#include <limits>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/attribute_cells.h"
#include "pipeline/ingest/id_rules.h"
#include "pipeline/ingest/item_table.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/ingest/settle_times.h"
#include "pipeline/ingest/time_parse.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLater = "later than the training part";
constexpr const char* kOlder = "older than the item's last row before the end of training";

TableReadOptions read_options(const IngestOptions& options) {
  TableReadOptions read = options.item_table->text;
  read.time_column = options.item_time;
  return read;
}

/// The times of all rows of a table, in their order; kNoTime for what is none.
class ItemTimes {
 public:
  ItemTimes(const IngestOptions& options, const TimeParser& parse, Progress& progress)
      : parse_(parse) {
    for (const fs::path& path : options.item_table->files) read(path, options);
    std::vector<std::int64_t> good;
    for (const std::int64_t time : times_)
      if (time != graph::kNoTime) good.push_back(time);
    const std::string where = fmt::format("column '{}' of the item table", options.item_time);
    for (const std::string& message : settle_times(good, counts_, parse, where))
      progress.warn(message);
    auto next = good.begin();
    for (std::int64_t& time : times_)
      if (time != graph::kNoTime) time = *next++;
  }
  std::int64_t operator[](std::size_t row) const { return times_[row]; }

 private:
  void read(const fs::path& path, const IngestOptions& options) {
    TableReader reader(path, read_options(options), std::vector{options.item_time});
    const TimeParser milliseconds("ms");
    const bool typed = reader.is_timestamp(0);
    const bool local = typed && !reader.type(0).has_zone;
    TextBatch batch;
    while (reader.next(batch)) {
      for (const std::string_view cell : batch.columns[0]) {
        TimeUnit unit = TimeUnit::text;
        const auto time = (typed ? milliseconds : parse_)(cell, unit);
        if (time) counts_.add(typed ? TimeUnit::text : unit);
        times_.push_back(!time ? graph::kNoTime : local ? parse_.zone().to_utc_ms(*time) : *time);
      }
    }
  }

  const TimeParser& parse_;
  TimeCounts counts_;
  std::vector<std::int64_t> times_;
};

/// What is in force: for each item and slot the time of the row that gave the value. A slot is the
/// whole row of a wide table, or one attribute of a long one.
class InForce {
 public:
  explicit InForce(std::size_t num_slots) : num_slots_(num_slots) {}
  enum class Offer { first, replaces, older };
  /// Whether a row of this time and file counts, as the first or instead of one of another file,
  /// which `file` then is.
  Offer offer(graph::NodeId item, std::size_t slot, std::int64_t time, std::size_t& file) {
    const std::size_t place = static_cast<std::size_t>(item) * num_slots_ + slot;
    if (place >= times_.size()) {
      const std::size_t size = (static_cast<std::size_t>(item) + 1) * num_slots_;
      times_.resize(size, graph::kNoTime);
      files_.resize(size, 0);
    }
    const bool replaces = times_[place] != graph::kNoTime;
    if (time < times_[place]) return Offer::older;
    times_[place] = time;  // of equal times the later row counts
    std::swap(files_[place], file);
    return replaces ? Offer::replaces : Offer::first;
  }

 private:
  std::size_t num_slots_;
  std::vector<std::int64_t> times_;
  std::vector<std::size_t> files_;  ///< of the rows
};

class TimedItemReader {
 public:
  TimedItemReader(const IngestOptions& options, std::int64_t end_ms, ReadResult& result,
                  RawCatalog& catalog, Progress& progress)
      : options_(options),
        end_ms_(end_ms),
        result_(result),
        catalog_(catalog),
        rejections_(options),
        remarks_(options),
        item_ids_(options, Entity::item),
        parse_time_(options.time_format, options.time_zone),
        times_(options, parse_time_, progress),
        is_long_(!options.item_property.empty()),
        in_force_(is_long_ ? options.attributes.size() : 1) {
    columns_ = {options.item_column.empty() ? options.columns.item : options.item_column,
                options.item_time};
    if (is_long_) {
      columns_.push_back(options.item_property);
      columns_.push_back(options.item_value);
    }
    for (const AttributeColumn& attribute : options.attributes) {
      if (!is_long_) columns_.push_back(attribute.column);
      catalog.attributes.push_back({attribute, {}, {}, true, options.decimal});
    }
    for (const RowFilter& filter : options.item_filters) {
      const auto known = std::find(columns_.begin(), columns_.end(), filter.column);
      filters_.emplace_back(filter, static_cast<std::size_t>(known - columns_.begin()));
      if (known == columns_.end()) columns_.push_back(filter.column);
    }
  }

  void read() {
    const std::vector<fs::path>& files = options_.item_table->files;
    for (const fs::path& path : files) {
      FileAccount& account = result_.item_files.emplace_back();
      account.path = path;
      account.role = InputRole::items;
      if (files.size() > 1 && holds_nothing(path, options_.item_table->text))
        account.lines.emplace();
      else
        read_file(path);
    }
    for (RawAttribute& attribute : catalog_.attributes)
      attribute.values.resize(static_cast<std::size_t>(catalog_.items.size()));
  }

 private:
  void read_file(const fs::path& path) {
    TableReader reader(path, read_options(options_), columns_);
    TextBatch batch;
    while (reader.next(batch)) {
      reject_damaged_rows(path, batch, account().rows, rejections_, remarks_);
      for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
        const std::size_t number = next_row_++;
        ++account().rows.read;
        read_row(path, reader, batch, row, number);
      }
    }
    add_counts(reader, rejections_, account());
    account().rows.remarks = remarks_.take();
    account().rows.rejected = rejections_.take();
  }

  /// Of the file that is being read.
  FileAccount& account() { return result_.item_files.back(); }

  void read_row(const fs::path& path, const TableReader& reader, const TextBatch& batch,
                std::size_t row, std::size_t number) {
    const std::function<std::string()> place = [&] {
      return fmt::format("{}:{}", path.string(), batch.line(row));
    };
    const auto cell = [&](std::size_t column) { return batch.columns[column][row]; };
    const auto decimal_of = [&](std::size_t column) {
      return reader.type(column).kind == CellKind::number ? '.' : options_.decimal;
    };
    if (!passes_filters(filters_, batch, row, decimal_of, place, rejections_)) return;
    if (!is_item(cell(0), columns_[0], options_.missing, place, rejections_)) return;
    const std::string_view raw = item_ids_(cell(0));
    const std::int64_t time = times_[number];
    if (time == graph::kNoTime) {
      rejections_.malformed("bad time", [&] {
        return fmt::format("{}: column '{}' is '{}', expected {}{}", place(), columns_[1], cell(1),
                           parse_time_.expectation(), parse_time_.hint(cell(1)));
      });
      return;
    }
    if (!is_long_) {
      if (!count(raw, 0, time)) return;
      for (std::size_t a = 0; a < catalog_.attributes.size(); ++a)
        set_value(a, cell(2 + a), decimal_of(2 + a), place);
      return;
    }
    const std::string_view property = cell(2);
    bool known = false;
    for (std::size_t a = 0; a < catalog_.attributes.size() && !known; ++a) {
      if (catalog_.attributes[a].column.column != property) continue;
      known = true;
      if (count(raw, a, time)) set_value(a, cell(3), decimal_of(3), place);
    }
    if (!known) rejections_.filtered("a property that no [[data.attributes]] names");
  }

  /// Whether a row counts; says so of it and of the row whose place it takes.
  bool count(std::string_view raw, std::size_t slot, std::int64_t time) {
    if (time > end_ms_) {
      rejections_.filtered(kLater);
      return false;
    }
    item_ = catalog_.items.intern(raw);
    const std::size_t file = result_.item_files.size() - 1;
    std::size_t other = file;  // of the row that is in force until now
    switch (in_force_.offer(item_, slot, time, other)) {
      case InForce::Offer::first:
        break;
      case InForce::Offer::older:
        rejections_.filtered(kOlder);
        return false;
      case InForce::Offer::replaces:
        --result_.item_files[other].rows.kept;
        if (other == file)
          rejections_.filtered(kOlder);
        else
          add_older(result_.item_files[other].rows.rejected);
        break;
    }
    ++account().rows.kept;
    return true;
  }

  /// One row more of a file that was read before is older than another.
  static void add_older(std::vector<RowCounts::Reason>& reasons) {
    for (RowCounts::Reason& known : reasons) {
      if (known.reason != kOlder) continue;
      ++known.rows;
      return;
    }
    reasons.push_back({kOlder, 1, "", false, RowFate::filtered});
  }

  template <typename Place>
  void set_value(std::size_t a, std::string_view cell, char decimal, const Place& place) {
    RawAttribute& attribute = catalog_.attributes[a];
    attribute.decimal = decimal;
    bool missing = is_missing(cell, options_.missing);
    if (!missing && !is_valid_utf8(cell)) {
      missing = true;
      rejections_.malformed(
          bad_cell_reason(attribute.column),
          [&] { return fmt::format("{}: {}", place(), bad_cell_example(attribute.column, cell)); },
          RowFate::cell);
    }
    if (attribute.values.size() <= static_cast<std::size_t>(item_))
      attribute.values.resize(static_cast<std::size_t>(item_) + 1);
    attribute.values[static_cast<std::size_t>(item_)] =
        missing ? std::string() : attribute_value(attribute.column, cell);
  }

  const IngestOptions& options_;
  std::int64_t end_ms_;
  ReadResult& result_;
  RawCatalog& catalog_;
  Rejections rejections_;
  Rejections remarks_;
  IdMap item_ids_;
  TimeParser parse_time_;
  ItemTimes times_;
  bool is_long_;
  InForce in_force_;
  std::vector<std::string> columns_;
  std::vector<FilterRule> filters_;
  std::size_t next_row_ = 0;
  graph::NodeId item_ = graph::kNoNode;
};

}  // namespace

void read_timed_item_table(const IngestOptions& options, std::int64_t end_ms, ReadResult& result,
                           RawCatalog& catalog, Progress& progress) {
  TimedItemReader(options, end_ms, result, catalog, progress).read();
}

std::int64_t end_of_training(const OrderedLog& log, graph::SplitMethod method) {
  const std::vector<std::int64_t>& times = log.rows.time_ms;
  constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max();
  if (times.empty()) return kEver;
  std::int64_t last = std::numeric_limits<std::int64_t>::min();
  std::int64_t held_out = kEver;
  for (std::size_t i = 0; i < times.size(); ++i) {
    last = std::max(last, times[i]);
    const graph::Part part = log.parts[i];
    if (part == graph::Part::validation || part == graph::Part::test)
      held_out = std::min(held_out, times[i]);
  }
  const bool by_time = method == graph::SplitMethod::global_time && held_out != kEver;
  return by_time ? held_out - 1 : last;
}

}  // namespace penchant::pipeline
