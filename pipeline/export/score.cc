// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/score.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <ostream>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/tables/csv_cell.h"
#include "pipeline/tables/frames.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/typed_rows.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

namespace {

constexpr std::int64_t kPairsPerBatch = 16384;
constexpr const char* kScore = "score";

/// Rows that were scored.
struct ScoredRows {
  const std::vector<std::vector<std::string_view>>& cells;  ///< of the batch: all columns as text
  std::shared_ptr<arrow::RecordBatch> typed;  ///< the batch as a Parquet file has it; null for text
  std::span<const std::size_t> rows;          ///< of the batch
  std::span<const float> scores;
};
using WriteRows = std::function<void(const ScoredRows&)>;

/// Null is nothing; with `quote_empty`, a text without letters is "".
void write_cell(std::ostream& out, std::string_view text, bool quote_empty = false) {
  append_csv_cell(
      text, [&](std::string_view piece) { out << piece; },
      quote_empty && text.empty() && text.data() != nullptr);
}

void write_csv_rows(std::ostream& out, const ScoredRows& scored, CsvReader reader) {
  for (std::size_t i = 0; i < scored.rows.size(); ++i) {
    for (const auto& column : scored.cells) {
      const std::string_view cell = column[scored.rows[i]];
      if (reader == CsvReader::spreadsheet && is_formula(cell)) {
        append_csv_cell(
            cell, [&](std::string_view piece) { out << piece; }, reader);
      } else {
        write_cell(out, cell, scored.typed != nullptr);
      }
      out << ',';
    }
    out << fmt::format("{}\n", scored.scores[i]);
  }
}

/// The rows as text where they have no types.
std::vector<OutputColumn> columns_of(const std::vector<std::string>& names,
                                     const ScoredRows& scored) {
  std::vector<OutputColumn> columns;
  for (std::size_t c = 0; c < names.size(); ++c) {
    std::vector<std::string_view> texts;
    for (const std::size_t row : scored.rows) texts.push_back(scored.cells[c][row]);
    columns.push_back({names[c], std::move(texts)});
  }
  columns.push_back({kScore, std::vector<float>(scored.scores.begin(), scored.scores.end())});
  return columns;
}

void write_parquet_rows(ParquetWriter& writer, const std::vector<std::string>& names,
                        const ScoredRows& scored) {
  if (scored.typed != nullptr)
    return writer.write(batch_with_scores(scored.typed, scored.rows, kScore, scored.scores));
  writer.write(static_cast<std::int64_t>(scored.rows.size()), columns_of(names, scored));
}

std::size_t place_of(const fs::path& path, const std::vector<std::string>& names,
                     const std::string& wanted) {
  const auto place = std::find(names.begin(), names.end(), wanted);
  if (place != names.end()) return static_cast<std::size_t>(place - names.begin());
  throw InputError(fmt::format("{}: no column '{}'; the columns are: {}", path.string(), wanted,
                               printable_list(names)));
}

/// One pass over the table of pairs.
class TableScorer {
 public:
  TableScorer(const Model& model, const fs::path& path, const ScoreOptions& options,
              Progress& progress)
      : model_(model),
        path_(path),
        options_(options),
        progress_(progress),
        names_(table_columns(path, options.text)),
        typed_(!parquet_column_types(path, std::vector{options.user_column, options.item_column},
                                     options.text)
                    .empty()),
        user_place_(place_of(path, names_, options.user_column)),
        item_place_(place_of(path, names_, options.item_column)) {
    if (std::find(names_.begin(), names_.end(), kScore) != names_.end())
      throw InputError(fmt::format("{}: already has a column '{}'", path.string(), kScore));
    std::vector<std::string> sorted = names_;
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end())
      throw InputError(fmt::format("{}: has two columns '{}'", path.string(), *twice));
    report_.score = model.score_meaning(options.ranking);
  }

  const std::vector<std::string>& names() const { return names_; }

  /// `as_text`: what is written needs the cells of all columns.
  ScoreReport run(bool as_text, const WriteRows& write) {
    // A typed table is read as text where its ids are, and where they lie in it.
    const std::vector<std::string> ids = {options_.user_column, options_.item_column};
    if (typed_) user_place_ = 0, item_place_ = 1;
    TableReadOptions read = options_.text;
    read.all_columns = true;
    TableReader reader(path_, read, typed_ ? ids : names_);
    TextBatch batch;
    bool wrote = false;
    while (reader.next(batch)) {
      if (!batch.malformed.empty()) {
        const MalformedRow& row = batch.malformed.front();
        throw InputError(fmt::format("{}:{}: {}", path_.string(), row.line, explain(row)));
      }
      if (!batch.open_quotes.empty() && !warned_of_quotes_) {
        const OpenQuote& quote = batch.open_quotes.front();
        progress_.warn(fmt::format("{}:{}: {}", path_.string(), quote.line, explain(quote)));
        warned_of_quotes_ = true;
      }
      const std::shared_ptr<arrow::RecordBatch> typed = reader.arrow_batch();
      const TypedCells cells = typed != nullptr && as_text ? cells_of(*typed) : TypedCells{};
      for (std::int64_t first = 0; first < batch.num_rows; first += kPairsPerBatch) {
        const std::int64_t last = std::min(batch.num_rows, first + kPairsPerBatch);
        score_rows(batch, static_cast<std::size_t>(first), static_cast<std::size_t>(last),
                   {typed != nullptr ? cells.columns : batch.columns, typed, {}, {}}, write);
        wrote = true;
        stop_if_asked(progress_);
      }
      progress_.update(report_.rows_read, 0, "pairs");
    }
    if (!wrote) {
      const std::vector<std::vector<std::string_view>> no_cells(names_.size());
      write({no_cells, reader.arrow_batch(), {}, {}});
    }
    if (const std::string note = reader.note(); !note.empty())
      progress_.note(fmt::format("{}: {}", path_.string(), note));
    return report_;
  }

 private:
  /// Dense ids of one row; kNoNode in either if it is not known and that is no error.
  std::pair<NodeId, NodeId> find_ids(const TextBatch& batch, std::size_t row) const {
    const std::string_view raw_user = batch.columns[user_place_][row];
    const std::string_view raw_item = batch.columns[item_place_][row];
    const Dataset& dataset = model_.dataset();
    const NodeId user = dataset.users.find(raw_user);
    const NodeId item = dataset.items.find(raw_item);
    if (options_.unknown == UnknownIds::error) {
      for (const bool of_user : {true, false}) {
        if ((of_user ? user : item) != graph::kNoNode) continue;
        throw InputError(fmt::format(
            "{}:{}: {}; --unknown skip leaves such rows out, --unknown zero gives them 0",
            path_.string(), batch.line(row),
            unknown_id(of_user ? dataset.users : dataset.items, of_user ? raw_user : raw_item,
                       of_user ? "user" : "item")));
      }
    }
    return {user, item};
  }

  /// `scored` lacks its rows and scores.
  void score_rows(const TextBatch& batch, std::size_t first, std::size_t last, ScoredRows scored,
                  const WriteRows& write) {
    std::vector<std::size_t> rows;
    std::vector<NodeId> users;
    std::vector<NodeId> items;
    std::vector<bool> known;
    for (std::size_t row = first; row < last; ++row) {
      ++report_.rows_read;
      const auto [user, item] = find_ids(batch, row);
      const bool both = user != graph::kNoNode && item != graph::kNoNode;
      report_.rows_unknown += both ? 0 : 1;
      if (!both && options_.unknown == UnknownIds::skip) continue;
      rows.push_back(row);
      known.push_back(both);
      if (both) {
        users.push_back(user);
        items.push_back(item);
      }
    }
    const std::vector<float> of_known = model_.score(users, items, options_.ranking);
    std::vector<float> scores;
    std::size_t next = 0;
    for (const bool both : known) scores.push_back(both ? of_known[next++] : 0.0F);
    scored.rows = rows;
    scored.scores = scores;
    write(scored);
    report_.rows_written += static_cast<std::int64_t>(rows.size());
  }

  const Model& model_;
  fs::path path_;
  const ScoreOptions& options_;
  Progress& progress_;
  std::vector<std::string> names_;
  bool typed_;  ///< a Parquet file
  std::size_t user_place_, item_place_;
  bool warned_of_quotes_ = false;
  ScoreReport report_;
};

}  // namespace

ScoreReport score_table(const Model& model, const fs::path& pairs, const fs::path& out,
                        const ScoreOptions& options, Progress& progress) {
  const bool csv = out.extension() == ".csv";
  if (!csv && out.extension() != ".parquet") {
    throw InputError(
        fmt::format("--out is '{}', expected a name that ends in .csv or .parquet", out.string()));
  }
  progress.begin("score");
  TableScorer table(model, pairs, options, progress);
  ScoreReport report;
  if (csv) {
    write_file_atomically(out, [&](std::ostream& file) {
      for (const std::string& name : table.names()) {
        write_cell(file, name);
        file << ',';
      }
      file << kScore << '\n';
      report = table.run(
          true, [&](const ScoredRows& rows) { write_csv_rows(file, rows, csv_reader_of(out)); });
    });
  } else {
    ParquetWriter writer(out);
    report = table.run(
        false, [&](const ScoredRows& rows) { write_parquet_rows(writer, table.names(), rows); });
    writer.close();
  }
  progress.end(fmt::format("{} of {} pairs scored", report.rows_written, report.rows_read));
  return report;
}

ScoredPairs score_pairs(const Model& model, const fs::path& pairs, const ScoreOptions& options,
                        Progress& progress) {
  progress.begin("score");
  TableScorer table(model, pairs, options, progress);
  ScoredPairs scored{{}, std::make_shared<Frame>()};
  scored.report = table.run(false, [&](const ScoredRows& rows) {
    const auto size = static_cast<std::int64_t>(rows.rows.size());
    if (rows.typed != nullptr) {
      scored.rows->batches.push_back(batch_with_scores(rows.typed, rows.rows, kScore, rows.scores));
    } else {
      Frame block = make_frame(size, columns_of(table.names(), rows));
      std::move(block.batches.begin(), block.batches.end(),
                std::back_inserter(scored.rows->batches));
    }
    scored.rows->num_rows += size;
  });
  progress.end(
      fmt::format("{} of {} pairs scored", scored.report.rows_written, scored.report.rows_read));
  return scored;
}

}  // namespace penchant::pipeline
