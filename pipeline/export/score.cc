// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/score.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <ostream>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/trained_model.h"
#include "pipeline/tables/tables.h"
#include "pipeline/tables/typed_rows.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

namespace {

constexpr std::int64_t kPairsPerBatch = 16384;
constexpr std::int64_t kUsersPerTile = 512;  ///< a scorer's tile holds a score for every item,
constexpr std::int64_t kTileScores = std::int64_t{64} << 20;  ///< and of all at most so many
constexpr const char* kScore = "score";

/// Rows that were scored.
struct ScoredRows {
  const std::vector<std::vector<std::string_view>>& cells;  ///< of the batch: all columns as text
  std::shared_ptr<arrow::RecordBatch> typed;  ///< the batch as a Parquet file has it; null for text
  std::span<const std::size_t> rows;          ///< of the batch
  std::span<const float> scores;
};
using WriteRows = std::function<void(const ScoredRows&)>;

/// The distinct users, ascending, and the place of each pair's user among them.
std::pair<std::vector<NodeId>, std::vector<NodeId>> number_users(std::span<const NodeId> users) {
  std::vector<NodeId> distinct(users.begin(), users.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<NodeId> places;
  for (const NodeId user : users) {
    places.push_back(static_cast<NodeId>(std::lower_bound(distinct.begin(), distinct.end(), user) -
                                         distinct.begin()));
  }
  return {std::move(distinct), std::move(places)};
}

kernels::IdView view_of(std::span<const NodeId> ids) {
  return {ids.data(), static_cast<std::int64_t>(ids.size()), kernels::Device::cpu};
}

/// RFC 4180: quoted where the text holds a comma, a quote or a line break. Null is nothing; with
/// `quote_empty`, a text without letters is "".
void write_cell(std::ostream& out, std::string_view text, bool quote_empty = false) {
  const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos;
  if (plain && !(quote_empty && text.empty() && text.data() != nullptr)) {
    out << text;
    return;
  }
  out << '"';
  for (const char c : text) {
    if (c == '"') out << '"';
    out << c;
  }
  out << '"';
}

void write_csv_rows(std::ostream& out, const ScoredRows& scored) {
  for (std::size_t i = 0; i < scored.rows.size(); ++i) {
    for (const auto& column : scored.cells) {
      write_cell(out, column[scored.rows[i]], scored.typed != nullptr);
      out << ',';
    }
    out << fmt::format("{}\n", scored.scores[i]);
  }
}

void write_parquet_rows(ParquetWriter& writer, const std::vector<std::string>& names,
                        const ScoredRows& scored) {
  if (scored.typed != nullptr)
    return write_with_scores(writer, scored.typed, scored.rows, kScore, scored.scores);
  std::vector<OutputColumn> columns;
  for (std::size_t c = 0; c < names.size(); ++c) {
    std::vector<std::string_view> texts;
    for (const std::size_t row : scored.rows) texts.push_back(scored.cells[c][row]);
    columns.push_back({names[c], std::move(texts)});
  }
  columns.push_back({kScore, std::vector<float>(scored.scores.begin(), scored.scores.end())});
  writer.write(static_cast<std::int64_t>(scored.rows.size()), columns);
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
  TableScorer(const Dataset& dataset, PairScorer& scorer, const fs::path& path,
              const ScoreOptions& options, Progress& progress)
      : dataset_(dataset),
        scorer_(scorer),
        path_(path),
        options_(options),
        progress_(progress),
        names_(table_columns(path, options.text)),
        typed_(!parquet_column_types(path, std::vector{options.user_column, options.item_column})
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
    report_.score = scorer.meaning();
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
    const NodeId user = dataset_.users.find(raw_user);
    const NodeId item = dataset_.items.find(raw_item);
    if (options_.unknown == UnknownIds::error) {
      for (const bool of_user : {true, false}) {
        if ((of_user ? user : item) != graph::kNoNode) continue;
        throw InputError(fmt::format(
            "{}:{}: {}; --unknown skip leaves such rows out, --unknown zero gives them 0",
            path_.string(), batch.line(row),
            unknown_id(of_user ? dataset_.users : dataset_.items, of_user ? raw_user : raw_item,
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
    const std::vector<float> of_known = scorer_.score(users, items);
    std::vector<float> scores;
    std::size_t next = 0;
    for (const bool both : known) scores.push_back(both ? of_known[next++] : 0.0F);
    scored.rows = rows;
    scored.scores = scores;
    write(scored);
    report_.rows_written += static_cast<std::int64_t>(rows.size());
  }

  const Dataset& dataset_;
  PairScorer& scorer_;
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

PairScorer::PairScorer(const Dataset& dataset, const TrainedModel& model, kernels::Backend& backend)
    : dataset_(dataset), model_(model), backend_(backend) {
  if (model.interest) {
    histories_ = make_histories_with_validation(dataset, std::numeric_limits<std::int64_t>::max());
  }
}

std::string PairScorer::meaning() const {
  switch (model_.interest ? model_.interest->pair_score() : PairScore::none) {
    case PairScore::probability:
      return "probability";
    case PairScore::rating:
      return "rating";
    case PairScore::none:
      break;
  }
  return model_.scorer ? "filter score" : "inner product";
}

std::vector<float> PairScorer::score(std::span<const NodeId> users, std::span<const NodeId> items) {
  PENCHANT_ASSERT(users.size() == items.size());
  if (users.empty()) return {};
  if (model_.interest && model_.interest->pair_score() != PairScore::none)
    return answers(users, items);
  return model_.scorer ? scorer_scores(users, items) : inner_products(users, items);
}

std::vector<float> PairScorer::answers(std::span<const NodeId> users,
                                       std::span<const NodeId> items) {
  const auto [distinct, places] = number_users(users);
  return model_.interest->pair_scores(select_histories(histories_, distinct), places, items,
                                      backend_);
}

std::vector<float> PairScorer::scorer_scores(std::span<const NodeId> users,
                                             std::span<const NodeId> items) {
  const auto [distinct, places] = number_users(users);
  std::vector<std::vector<std::size_t>> pairs_of(distinct.size());
  for (std::size_t p = 0; p < users.size(); ++p)
    pairs_of[static_cast<std::size_t>(places[p])].push_back(p);
  const auto num_users = static_cast<std::int64_t>(distinct.size());
  const std::int64_t num_items = dataset_.num_items();
  const std::int64_t tile_size =
      std::min({kUsersPerTile, num_users, std::max<std::int64_t>(1, kTileScores / num_items)});
  kernels::FloatMatrix tile = backend_.matrix<float>(num_items, tile_size);
  // The host reads the tile where it lies, or a copy of it.
  const bool on_host = tile.view().device == kernels::Device::cpu;
  std::vector<float> copy(on_host ? 0 : static_cast<std::size_t>(num_items * tile_size));
  std::vector<float> scores(users.size());
  for (std::int64_t first = 0; first < num_users; first += tile_size) {
    const std::int64_t count = std::min(tile_size, num_users - first);
    const kernels::FloatView view = tile.view().cols_of(0, count);
    model_.scorer->score(view_of(std::span(distinct).subspan(static_cast<std::size_t>(first),
                                                             static_cast<std::size_t>(count))),
                         backend_, view);
    const kernels::FloatView table =
        on_host ? view
                : kernels::FloatView(copy.data(), num_items, count, count, kernels::Device::cpu);
    if (!on_host) backend_.copy(view, table);
    backend_.sync();
    for (std::int64_t column = 0; column < count; ++column) {
      for (const std::size_t p : pairs_of[static_cast<std::size_t>(first + column)])
        scores[p] = table(items[p], column);
    }
  }
  return scores;
}

std::vector<float> PairScorer::inner_products(std::span<const NodeId> users,
                                              std::span<const NodeId> items) {
  const auto count = static_cast<std::int64_t>(users.size());
  kernels::FloatMatrix left = backend_.matrix<float>(count, model_.users.cols());
  kernels::FloatMatrix right = backend_.matrix<float>(count, model_.items.cols());
  kernels::Upload<NodeId> upload_users, upload_items;
  backend_.gather_rows(model_.users.view(), upload_users(view_of(users), backend_), left.view());
  backend_.gather_rows(model_.items.view(), upload_items(view_of(items), backend_), right.view());
  kernels::Vector<float> dots = backend_.vector<float>(count);  // zeros
  backend_.add_row_dots(left.view(), right.view(), dots.view());
  std::vector<float> scores(users.size());
  backend_.copy(dots.view(),
                kernels::VectorView<float>(scores.data(), count, kernels::Device::cpu));
  backend_.sync();
  return scores;
}

ScoreReport score_table(const Dataset& dataset, const TrainedModel& model, const fs::path& pairs,
                        const fs::path& out, const ScoreOptions& options, kernels::Backend& backend,
                        Progress& progress) {
  const bool csv = out.extension() == ".csv";
  if (!csv && out.extension() != ".parquet") {
    throw InputError(
        fmt::format("--out is '{}', expected a name that ends in .csv or .parquet", out.string()));
  }
  progress.begin("score");
  PairScorer scorer(dataset, model, backend);
  TableScorer table(dataset, scorer, pairs, options, progress);
  ScoreReport report;
  if (csv) {
    write_file_atomically(out, [&](std::ostream& file) {
      for (const std::string& name : table.names()) {
        write_cell(file, name);
        file << ',';
      }
      file << kScore << '\n';
      report = table.run(true, [&](const ScoredRows& rows) { write_csv_rows(file, rows); });
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

}  // namespace penchant::pipeline
