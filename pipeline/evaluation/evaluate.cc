// SPDX-License-Identifier: Apache-2.0
#include "pipeline/evaluation/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "graph/sample.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/evaluation/metrics.h"

namespace penchant::pipeline {

using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;

namespace {

constexpr std::int64_t kUsersPerTile = 4096;
/// A scorer's tile holds a score for every item and user of it.
constexpr std::int64_t kUsersPerScoreTile = 512;

/// Items of each user in `parts`, ascending and distinct.
Csr items_by_user(std::initializer_list<const graph::Interactions*> parts, std::int64_t num_users,
                  std::int64_t num_items) {
  std::vector<graph::Entry> entries;
  for (const graph::Interactions* part : parts) {
    for (std::size_t row = 0; row < part->user.size(); ++row)
      entries.push_back({part->user[row], part->item[row], 1.0F});
  }
  Csr csr = graph::csr_from_entries(num_users, num_items, entries, graph::Duplicates::keep_first);
  csr.values.clear();
  return csr;
}

/// Entries of `a` that `b` lacks; rows ascending in both.
Csr without(const Csr& a, const Csr& b) {
  Csr rest;
  rest.num_rows = a.num_rows;
  rest.num_cols = a.num_cols;
  for (std::int64_t row = 0; row < a.num_rows; ++row) {
    const auto from = a.view().row(row);
    const auto drop = b.view().row(row);
    std::set_difference(from.begin(), from.end(), drop.begin(), drop.end(),
                        std::back_inserter(rest.columns));
    rest.offsets.push_back(static_cast<graph::EdgeOffset>(rest.columns.size()));
  }
  return rest;
}

graph::CsrView slice_rows(const Csr& matrix, std::int64_t first, std::int64_t count,
                          std::vector<graph::EdgeOffset>& offsets) {
  if (matrix.num_rows == 0) return {};
  offsets.clear();
  const graph::EdgeOffset base = matrix.offsets[static_cast<std::size_t>(first)];
  for (std::int64_t row = first; row <= first + count; ++row)
    offsets.push_back(matrix.offsets[static_cast<std::size_t>(row)] - base);
  return {count,
          matrix.num_cols,
          offsets,
          std::span(matrix.columns)
              .subspan(static_cast<std::size_t>(base), static_cast<std::size_t>(offsets.back())),
          {}};
}

}  // namespace

EvaluateOptions EvaluateOptions::fitted(std::int64_t num_items, Progress& progress) const {
  EvaluateOptions options = *this;
  std::vector<std::int64_t> too_large;
  std::erase_if(options.cutoffs, [&](std::int64_t cutoff) {
    if (cutoff > num_items) too_large.push_back(cutoff);
    return cutoff > num_items;
  });
  if (too_large.empty()) return options;
  if (cutoffs_given) {
    throw InputError(fmt::format(
        "evaluate: cut-off {} is larger than the catalogue of {} items (evaluate.cutoffs)",
        too_large.front(), num_items));
  }
  if (options.cutoffs.empty()) options.cutoffs = {num_items};
  progress.warn(fmt::format("cut-off{} {} left out: the catalogue has {} items",
                            too_large.size() == 1 ? "" : "s", fmt::join(too_large, ", "),
                            num_items));
  return options;
}

RankingTask make_ranking_task(const Dataset& dataset, HeldOut part, SeenItems seen_items) {
  const graph::Interactions& train = dataset.split.train.interactions;
  const graph::Interactions& held_out =
      part == HeldOut::test ? dataset.split.test : dataset.split.validation;
  const char* name = part == HeldOut::test ? "test" : "validation";
  if (held_out.empty())
    throw InputError(fmt::format("evaluate: the data set has no {} part", name));
  const bool mask = seen_items == SeenItems::mask ||
                    (seen_items == SeenItems::automatic && !dataset.repeats_allowed);
  Csr targets = items_by_user({&held_out}, dataset.num_users(), dataset.num_items());
  Csr seen;
  if (mask) {
    seen = part == HeldOut::test
               ? items_by_user({&train, &dataset.split.validation}, dataset.num_users(),
                               dataset.num_items())
               : items_by_user({&train}, dataset.num_users(), dataset.num_items());
    targets = without(targets, seen);
  }
  RankingTask task;
  for (std::int64_t user = 0; user < dataset.num_users(); ++user) {
    if (targets.view().row_size(user) > 0) task.users.push_back(static_cast<NodeId>(user));
  }
  if (task.users.empty())
    throw InputError(
        fmt::format("evaluate: every row of the {} part repeats a training row; "
                    "evaluate.seen_items = \"keep\" ranks them",
                    name));
  task.targets = graph::select_rows(targets.view(), task.users);
  if (mask) task.excluded = graph::select_rows(seen.view(), task.users);
  return task;
}

namespace {

/// Scores one tile of users after another.
class TileRanker {
 public:
  virtual ~TileRanker() = default;
  virtual std::int64_t tile_size() const = 0;
  virtual void prepare(kernels::IdView users) = 0;
  virtual void topk(const graph::CsrView& excluded, kernels::MatrixView<NodeId> ids,
                    kernels::FloatView scores) = 0;
  virtual void rank_counts(const graph::CsrView& excluded, const graph::CsrView& targets,
                           kernels::VectorView<NodeId> higher,
                           kernels::VectorView<NodeId> equal) = 0;
};

class VectorRanker final : public TileRanker {
 public:
  VectorRanker(ConstFloatView users, ConstFloatView items, std::int64_t num_users, Backend& backend)
      : users_(users),
        items_(items),
        backend_(backend),
        tile_size_(std::min(kUsersPerTile, num_users)),
        queries_(backend.matrix<float>(tile_size_, users.cols)) {}
  std::int64_t tile_size() const override { return tile_size_; }
  void prepare(kernels::IdView users) override {
    tile_ = queries_.view().rows_of(0, users.size);
    backend_.gather_rows(users_, upload_(users, backend_), tile_);
  }
  void topk(const graph::CsrView& excluded, kernels::MatrixView<NodeId> ids,
            kernels::FloatView scores) override {
    backend_.topk(tile_, items_, excluded, ids, scores);
  }
  void rank_counts(const graph::CsrView& excluded, const graph::CsrView& targets,
                   kernels::VectorView<NodeId> higher, kernels::VectorView<NodeId> equal) override {
    backend_.rank_counts(tile_, items_, excluded, targets, higher, equal);
  }

 private:
  ConstFloatView users_, items_;
  Backend& backend_;
  std::int64_t tile_size_;
  kernels::FloatMatrix queries_;
  kernels::FloatView tile_;
  kernels::Upload<NodeId> upload_;
};

class ScorerRanker final : public TileRanker {
 public:
  ScorerRanker(models::Scorer& scorer, std::int64_t num_items, std::int64_t num_users,
               Backend& backend)
      : scorer_(scorer),
        backend_(backend),
        tile_size_(std::min(kUsersPerScoreTile, num_users)),
        scores_(backend.matrix<float>(num_items, tile_size_)) {}
  std::int64_t tile_size() const override { return tile_size_; }
  void prepare(kernels::IdView users) override {
    tile_ = scores_.view().cols_of(0, users.size);
    scorer_.score(users, backend_, tile_);
  }
  void topk(const graph::CsrView& excluded, kernels::MatrixView<NodeId> ids,
            kernels::FloatView scores) override {
    backend_.topk_scores(tile_, excluded, ids, scores);
  }
  void rank_counts(const graph::CsrView& excluded, const graph::CsrView& targets,
                   kernels::VectorView<NodeId> higher, kernels::VectorView<NodeId> equal) override {
    backend_.rank_counts_scores(tile_, excluded, targets, higher, equal);
  }

 private:
  models::Scorer& scorer_;
  Backend& backend_;
  std::int64_t tile_size_;
  kernels::FloatMatrix scores_;
  kernels::FloatView tile_;
};

EvaluateReport evaluate_tiles(TileRanker& ranker, const RankingTask& task,
                              std::span<const std::int64_t> item_counts,
                              const EvaluateOptions& options, Backend& backend,
                              Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  std::int64_t largest = 0;
  for (const std::int64_t cutoff : options.cutoffs) largest = std::max(largest, cutoff);
  MetricSums sums(options.cutoffs, item_counts);
  const auto num_users = static_cast<std::int64_t>(task.users.size());
  const std::int64_t tile_size = ranker.tile_size();
  kernels::Matrix<NodeId> ids = backend.matrix<NodeId>(tile_size, largest);
  kernels::FloatMatrix scores = backend.matrix<float>(tile_size, largest);
  std::vector<graph::EdgeOffset> excluded_offsets;
  std::vector<graph::EdgeOffset> target_offsets;
  kernels::Vector<NodeId> counts;  // of the targets: higher, then equal
  kernels::Download<NodeId> download_ids;
  kernels::Download<NodeId> download_counts;
  std::vector<double> above;
  for (std::int64_t first = 0; first < num_users; first += tile_size) {
    const std::int64_t count = std::min(tile_size, num_users - first);
    ranker.prepare({task.users.data() + first, count, kernels::Device::cpu});
    const graph::CsrView excluded = slice_rows(task.excluded, first, count, excluded_offsets);
    const graph::CsrView targets = slice_rows(task.targets, first, count, target_offsets);
    ranker.topk(excluded, ids.view().rows_of(0, count), scores.view().rows_of(0, count));
    const kernels::MatrixView<const NodeId> best =
        download_ids(kernels::MatrixView<const NodeId>(ids.view().rows_of(0, count)), backend);
    for (std::int64_t row = 0; row < count; ++row)
      sums.add(std::span(best.row(row), static_cast<std::size_t>(largest)), targets.row(row));
    if (options.rank_metrics) {
      const std::int64_t entries = targets.num_entries();
      if (counts.size() < 2 * entries) counts = backend.vector<NodeId>(2 * entries);
      ranker.rank_counts(excluded, targets, counts.view().sub(0, entries),
                         counts.view().sub(entries, entries));
      const kernels::IdView higher =
          download_counts(kernels::IdView(counts.view()).sub(0, 2 * entries), backend);
      const kernels::IdView equal = higher.sub(entries, entries);
      for (std::int64_t row = 0; row < count; ++row) {
        above.clear();
        for (auto e = targets.offsets[static_cast<std::size_t>(row)];
             e < targets.offsets[static_cast<std::size_t>(row) + 1]; ++e) {
          above.push_back(static_cast<double>(higher[e]) + 0.5 * static_cast<double>(equal[e]));
        }
        const std::int64_t masked = excluded.num_rows == 0 ? 0 : excluded.row_size(row);
        sums.add_ranks(above, targets.num_cols - masked - targets.row_size(row));
      }
    }
    progress.update(first + count, num_users, "users");
    stop_if_asked(progress);
  }
  EvaluateReport report;
  report.metrics = sums.averages();
  report.num_users = num_users;
  report.seen_items_masked = task.excluded.num_rows > 0;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace

EvaluateReport evaluate_vectors(ConstFloatView users, ConstFloatView items, const RankingTask& task,
                                std::span<const std::int64_t> item_counts,
                                const EvaluateOptions& options, Backend& backend,
                                Progress& progress) {
  VectorRanker ranker(users, items, static_cast<std::int64_t>(task.users.size()), backend);
  return evaluate_tiles(ranker, task, item_counts, options, backend, progress);
}

EvaluateReport evaluate_scorer(models::Scorer& scorer, const RankingTask& task,
                               std::span<const std::int64_t> item_counts,
                               const EvaluateOptions& options, Backend& backend,
                               Progress& progress) {
  ScorerRanker ranker(scorer, task.targets.num_cols, static_cast<std::int64_t>(task.users.size()),
                      backend);
  return evaluate_tiles(ranker, task, item_counts, options, backend, progress);
}

RankingTask sample_task(const RankingTask& task, std::int64_t count, graph::Seed seed) {
  const auto num_users = static_cast<std::int64_t>(task.users.size());
  if (count == 0) count = num_users;
  const auto rows =
      graph::draw_sample<NodeId>(seed, graph::Stream::validation, 0, num_users, count);
  RankingTask sample;
  for (const NodeId row : rows) sample.users.push_back(task.users[static_cast<std::size_t>(row)]);
  sample.targets = graph::select_rows(task.targets.view(), rows);
  if (task.excluded.num_rows > 0) sample.excluded = graph::select_rows(task.excluded.view(), rows);
  return sample;
}

EvaluateOptions validation_options(const std::string& metric) {
  EvaluateOptions options;
  options.part = HeldOut::validation;
  const auto at = metric.find('@');
  options.rank_metrics = at == std::string::npos;
  options.cutoffs = {
      options.rank_metrics ? 20 : std::max<std::int64_t>(1, std::atoll(metric.c_str() + at + 1))};
  return options;
}

double validation_value(const std::map<std::string, double>& metrics, const std::string& metric) {
  const auto found = metrics.find(metric);
  if (found == metrics.end()) {
    throw InputError(fmt::format(
        "train.validation_metric is '{}', expected a name such as ndcg@20, recall@10 or auc",
        metric));
  }
  return found->second;
}

RankingTask chosen_task(const Dataset& dataset, const EvaluateOptions& options) {
  RankingTask task = make_ranking_task(dataset, options.part, options.seen_items);
  return options.max_users > 0 ? sample_task(task, options.max_users, graph::Seed{42}) : task;
}

namespace {

/// How many of `users` have no row that is known when `part` is held out.
std::int64_t count_new_users(const Dataset& dataset, std::span<const NodeId> users, HeldOut part) {
  std::vector<std::uint8_t> is_known(static_cast<std::size_t>(dataset.num_users()), 0);
  for (const NodeId user : dataset.split.train.interactions.user)
    is_known[static_cast<std::size_t>(user)] = 1;
  if (part == HeldOut::test) {
    for (const NodeId user : dataset.split.validation.user)
      is_known[static_cast<std::size_t>(user)] = 1;
  }
  return std::count_if(users.begin(), users.end(),
                       [&](NodeId user) { return is_known[static_cast<std::size_t>(user)] == 0; });
}

/// By the vectors and, where it is asked for, by the full score.
EvaluateReport evaluate_task(const Model& model, const RankingTask& task,
                             const EvaluateOptions& options, Progress& progress) {
  const std::vector<std::int64_t>& counts = model.dataset().item_statistics.count;
  const bool full = options.ranking == Ranking::full;
  if (!full) require_vectors(model, "evaluate --ranking vectors");
  EvaluateReport report;
  if (model.layout().width() > 0) {
    report = evaluate_vectors(model.users(), model.items(), task, counts, options, model.backend(),
                              progress);
  }
  if (!full) return report;
  if (!model.has_scorer()) {
    progress.note("the model adds nothing to its vectors: full = vectors");
    report.full = report.metrics;
    return report;
  }
  EvaluateReport both =
      evaluate_scorer(*model.scorer(), task, counts, options, model.backend(), progress);
  both.full = std::exchange(both.metrics, std::move(report.metrics));
  both.seconds += report.seconds;
  return both;
}

}  // namespace

EvaluateReport evaluate(const Model& model, const EvaluateOptions& options, Progress& progress) {
  progress.begin("evaluate");
  const Dataset& dataset = model.dataset();
  Backend& backend = model.backend();
  const bool trained_on_part = options.part == HeldOut::validation && model.saw_validation();
  if (trained_on_part) {
    progress.warn(
        "the model was trained on the validation part as well (train.refit): these metrics are too "
        "good; best_validation in its manifest.json was measured before that");
  }
  const RankingTask task = chosen_task(dataset, options);
  EvaluateReport report = evaluate_task(model, task, options, progress);
  report.trained_on_part = trained_on_part;
  report.num_new_users = count_new_users(dataset, task.users, options.part);
  const PairScore answer = model.has_interest() ? model.interest()->pair_score() : PairScore::none;
  if (answer == PairScore::probability) {
    PairReport pairs = evaluate_pairs(*model.interest(), dataset, options.part, backend);
    if (pairs.num_pairs > 0) report.pairs = std::move(pairs);
  }
  if (answer == PairScore::rating) {
    RatingReport ratings = evaluate_ratings(*model.interest(), dataset, options.part, backend);
    if (ratings.num_ratings > 0) report.ratings = std::move(ratings);
  }
  std::string summary =
      fmt::format("{} users ranked over {} items", report.num_users, dataset.num_items());
  if (report.num_new_users > 0)
    summary += fmt::format("; nothing is known of {} of them", report.num_new_users);
  progress.end(summary);
  return report;
}

EvaluateReport evaluate_popularity(const Dataset& dataset, const EvaluateOptions& options,
                                   Backend& backend, Progress& progress) {
  progress.begin("popularity baseline");
  kernels::FloatMatrix users = backend.matrix<float>(dataset.num_users(), 1);
  kernels::FloatMatrix items = backend.matrix<float>(dataset.num_items(), 1);
  backend.fill(users.view(), 1.0F);
  std::vector<float> counts(dataset.item_statistics.count.begin(),
                            dataset.item_statistics.count.end());
  backend.copy(ConstFloatView(counts.data(), dataset.num_items(), 1, 1, kernels::Device::cpu),
               items.view());
  const RankingTask task = chosen_task(dataset, options);
  EvaluateReport report = evaluate_vectors(
      users.view(), items.view(), task, dataset.item_statistics.count, options, backend, progress);
  progress.end(fmt::format("{} users", report.num_users));
  return report;
}

}  // namespace penchant::pipeline
