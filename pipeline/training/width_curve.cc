// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/width_curve.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/blended_scorer.h"
#include "models/graph_filter.h"
#include "models/spectral.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluation_report.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/training/distillation.h"
#include "pipeline/training/row_length.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using nlohmann::json;

namespace {

constexpr std::int64_t kLargestWidth = 4096;
constexpr int kColumn = 14;  ///< of the table
/// Substreams of Stream::distillation; lower ones are the users', the epochs' and the steps'
/// (distillation.cc), higher ones the new items' (new_item_learning.cc).
constexpr std::uint64_t kRandomColumns = std::uint64_t{1} << 33;
/// Length of the columns behind the model's own, where those have length 1
/// (docs/decisions/0035-distillation.md).
constexpr double kFurtherLength = 0.1;

/// Copies `from` [N x F] into the first columns of `to`, times what gives its rows that length on
/// average.
void set_columns(ConstFloatView from, double length, Backend& backend, FloatView to) {
  kernels::Download<float> download;
  const double own = mean_row_length(download(from, backend));
  const FloatView target = to.cols_of(0, from.cols);
  backend.copy(from, target);
  backend.axpby(own > 0.0 ? static_cast<float>(length / own) : 0.0F, target, 0.0F, target);
}

class WidthLearner {
 public:
  WidthLearner(const Model& model, const EvaluateOptions& options, graph::Seed seed,
               Progress& progress)
      : model_(model),
        backend_(model.backend()),
        options_(options),
        progress_(progress),
        task_(chosen_task(model.dataset(), options)),
        graphs_(make_graphs(model.saw_validation() ? train_and_validation(model.dataset())
                                                   : model.dataset().split.train,
                            model.dataset(), model.graph_options())) {
    distillation_.seed = seed;
  }

  WidthPoint learn(std::int64_t width) {
    const auto start = std::chrono::steady_clock::now();
    Vectors vectors = first_vectors(width);
    if (!taught_) read_teacher();
    if (!learn_lists(*taught_, graphs_.user_item, distillation_, backend_, progress_, vectors))
      throw Interrupted();
    finish_distilled_vectors(graphs_.user_item, graphs_.item, taught_->new_items.has_value(),
                             backend_, vectors.users, vectors.items);
    WidthPoint point;
    point.width = width;
    point.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    point.metrics =
        evaluate_vectors(vectors.users.view(), vectors.items.view(), task_,
                         model_.dataset().item_statistics.count, options_, backend_, progress_)
            .metrics;
    return point;
  }

 private:
  void read_teacher() {
    std::vector<NodeId> users(static_cast<std::size_t>(model_.dataset().num_users()));
    std::iota(users.begin(), users.end(), NodeId{0});
    models::BlendedScorer products(model_.users(), model_.items(), {});
    models::Scorer& teacher = model_.has_scorer() ? *model_.scorer() : products;
    taught_ = read_lists(teacher, graphs_.user_item,
                         !leaves_out_seen(model_.dataset(), options_.seen_items), std::move(users),
                         distillation_, backend_, progress_);
    if (!taught_) throw Interrupted();
    if (model_.layout().width() == 0) return;
    taught_->new_items = read_new_item_lists({model_.users(), model_.items(), model_.layout()}, {},
                                             graphs_.user_item, graphs_.item, taught_->users,
                                             distillation_, backend_, progress_);
    if (progress_.stop_requested()) throw Interrupted();
  }

  /// The model's own vectors, turned so that leading columns carry most of their inner products,
  /// or those of a filter where it has none; small random numbers behind them.
  Vectors first_vectors(std::int64_t width) {
    Vectors start = model_.layout().width() > 0 ? turned(width) : smooth(width);
    const std::int64_t found = start.users.cols();
    if (found == width) return start;
    std::uint64_t stream = kRandomColumns;
    for (FloatMatrix* matrix : {&start.users, &start.items}) {
      const graph::Random random(distillation_.seed, graph::Stream::distillation, stream++);
      const std::int64_t missing = width - found;
      std::vector<float> numbers(static_cast<std::size_t>(matrix->rows() * missing));
      for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = static_cast<float>(random.normal(i));
      FloatMatrix wide = backend_.matrix<float>(matrix->rows(), width);
      set_columns(matrix->view(), 1.0, backend_, wide.view());
      set_columns({numbers.data(), matrix->rows(), missing, missing, kernels::Device::cpu},
                  kFurtherLength, backend_, wide.view().cols_of(found, missing));
      *matrix = std::move(wide);
    }
    return start;
  }
  Vectors turned(std::int64_t width) const {
    models::Factors own = models::leading_factors(model_.users(), model_.items(), width, backend_);
    return {std::move(own.left), std::move(own.right)};
  }
  Vectors smooth(std::int64_t width) const {
    models::FilterOptions options;
    options.kind = models::FilterKind::linear;
    options.rank = width;
    const auto graph = std::make_shared<models::FilterGraph>(graphs_.user_item.user_items.view(),
                                                             width, distillation_.seed, backend_);
    Vectors vectors;
    models::GraphFilter(graph, options, backend_)
        .vectors(width, backend_, vectors.users, vectors.items);
    return vectors;
  }

  const Model& model_;
  Backend& backend_;
  const EvaluateOptions& options_;
  Progress& progress_;
  RankingTask task_;
  Graphs graphs_;
  DistillationOptions distillation_;
  std::optional<TaughtLists> taught_;
};

}  // namespace

void check_widths(std::span<const std::int64_t> widths, std::string_view origin) {
  for (std::size_t k = 0; k < widths.size(); ++k) {
    if (widths[k] < 1 || widths[k] > kLargestWidth) {
      throw InputError(
          fmt::format("{} has {}, expected widths of 1 to {}", origin, widths[k], kLargestWidth));
    }
    if (std::find(widths.begin(), widths.begin() + static_cast<std::ptrdiff_t>(k), widths[k]) !=
        widths.begin() + static_cast<std::ptrdiff_t>(k)) {
      throw InputError(fmt::format("{} has {} twice, expected each width once", origin, widths[k]));
    }
  }
}

std::vector<WidthPoint> width_curve(const Model& model, std::vector<std::int64_t> widths,
                                    const EvaluateOptions& options,
                                    const EvaluateReport& evaluation, graph::Seed seed,
                                    Progress& progress) {
  check_widths(widths, "widths");
  const std::int64_t own = model.layout().width();
  if (own > 0 && std::find(widths.begin(), widths.end(), own) == widths.end())
    widths.push_back(own);
  std::sort(widths.begin(), widths.end());
  const auto is_learnt = [&](std::int64_t width) {
    return width != own && (width < own || model.has_scorer());
  };
  std::int64_t widest = 0;
  for (const std::int64_t width : widths) widest = is_learnt(width) ? width : widest;
  const Dataset& dataset = model.dataset();
  if (widest > 0) {
    announce_memory(progress,
                    800 * dataset.num_users() + 2048 * dataset.num_items() +
                        20 * (dataset.num_users() + dataset.num_items()) * widest,
                    fmt::format("vectors of {} numbers that learn to rank", widest));
  }
  std::optional<WidthLearner> learner;
  if (widest > 0) learner.emplace(model, options, seed, progress);
  std::vector<WidthPoint> points;
  bool further = false;
  for (const std::int64_t width : widths) {
    if (is_learnt(width)) {
      progress.begin(fmt::format("width {}", width));
      points.push_back(learner->learn(width));
      progress.end(fmt::format("learnt in {:.1f} s", points.back().seconds));
      continue;
    }
    further = further || width > own;
    points.push_back(
        {width, width == own ? WidthSource::stored : WidthSource::as_stored, evaluation.metrics});
  }
  if (further) {
    progress.note(fmt::format(
        "the model's scores are inner products of {} numbers: wider vectors rank no better", own));
  }
  return points;
}

json width_curve_to_json(std::span<const WidthPoint> points) {
  json list = json::array();
  for (const WidthPoint& point : points) {
    json stored = {{"width", point.width},
                   {"bytes_per_item", point.bytes_per_item()},
                   {"source", enum_name(point.source)},
                   {"metrics", point.metrics}};
    if (point.source == WidthSource::learnt) stored["seconds"] = point.seconds;
    list.push_back(std::move(stored));
  }
  return list;
}

std::string width_curve_table(std::span<const WidthPoint> points, const EvaluateReport& evaluation,
                              const std::string& part) {
  std::vector<MetricColumn> columns;
  std::string bytes = fmt::format("{:<18}", "bytes an item");
  for (const WidthPoint& point : points) {
    std::string name = std::to_string(point.width);
    if (point.source == WidthSource::stored) name += " stored";
    if (point.source == WidthSource::as_stored) name += " = stored";
    columns.push_back({name, kColumn, point.metrics});
    bytes += fmt::format("{:>{}}", point.bytes_per_item(), kColumn);
  }
  if (!evaluation.full.empty()) columns.push_back({"full", kColumn, evaluation.full});
  return metric_header(part + " by width", columns) + bytes + "\n" + metric_lines(columns);
}

}  // namespace penchant::pipeline
