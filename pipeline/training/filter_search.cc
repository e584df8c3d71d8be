// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/filter_search.h"

#include <algorithm>
#include <span>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/choice/judge.h"
#include "pipeline/model/filter_model.h"

namespace penchant::pipeline {

using kernels::Backend;
using models::FilterGraph;
using models::FilterKind;
using models::FilterOptions;
using models::GraphFilter;
using nlohmann::json;

namespace {

/// Where the search of a kind begins: good on Gowalla's validation part (docs/benchmarks.md).
FilterOptions start_of(FilterKind kind) {
  FilterOptions filter;
  filter.kind = kind;
  filter.power = 0.3F;
  filter.order = 4;
  filter.flatness = 2.0F;
  filter.sharpening = 2.0F;
  return filter;
}

class FilterSearch {
 public:
  FilterSearch(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
               Backend& backend, Progress& progress, const std::function<bool()>& out_of_time)
      : options_(options),
        choice_(options.filter),
        backend_(backend),
        progress_(progress),
        out_of_time_(out_of_time),
        item_counts_(dataset.item_statistics.count),
        smaller_side_(std::min(dataset.num_users(), dataset.num_items())) {
    if (choice_.rank) {
      ranks_ = {*choice_.rank};
    } else {
      for (const std::int64_t rank : {16, 32, 64, 128, 256, 512}) {
        if (rank == 16 || rank <= smaller_side_ / 4) ranks_.push_back(rank);
      }
    }
    result_.best = fixed(start_of(choice_.kind.value_or(FilterKind::gfcf)));
    if (options.validate_every == 0 || dataset.split.validation.empty()) return;
    task_ = sample_task(make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic),
                        choice_.selection_users, kJudgesSeed);
    search(graphs);
    if (result_.interrupted) return;
    result_.vectors_value = judge_filter_vectors(
        GraphFilter(result_.graph, result_.best, backend_), graphs, options_,
        Judge(task_, item_counts_, options_.validation_metric, backend_), backend_);
  }

  FilterSearchResult result() && { return std::move(result_); }

 private:
  /// The user's values in place of `filter`'s.
  FilterOptions fixed(FilterOptions filter) const {
    filter.kind = choice_.kind.value_or(filter.kind);
    filter.power = choice_.power.value_or(filter.power);
    filter.rank = ranks_.back();
    if (filter.kind == FilterKind::linear || filter.kind == FilterKind::ridge)
      filter.rank = choice_.rank.value_or(options_.model.embedding_dim);
    filter.low_pass = choice_.low_pass.value_or(filter.low_pass);
    filter.order = choice_.order.value_or(filter.order);
    filter.flatness = choice_.flatness.value_or(filter.flatness);
    filter.sharpening = choice_.sharpening.value_or(filter.sharpening);
    filter.sharpening_steps = choice_.sharpening_steps;
    filter.ridge = choice_.ridge.value_or(filter.ridge);
    return filter;
  }

  void search(const Graphs& graphs) {
    result_.graph = std::make_shared<FilterGraph>(graphs.user_item.user_items.view(), ranks_.back(),
                                                  options_.seed, backend_,
                                                  models::scaling_of(result_.best.kind));
    if (choice_.kind) {
      attempt(result_.best);
    } else {
      for (const FilterKind kind : {FilterKind::gfcf, FilterKind::chebycf, FilterKind::bspm})
        attempt(fixed(start_of(kind)));
    }
    if (result_.best.kind == FilterKind::ridge) {
      if (!choice_.ridge)
        climb(&FilterOptions::ridge, {0.0F, 1.0F, 10.0F, 30.0F, 100.0F, 300.0F, 1000.0F});
      return;
    }
    if (!choice_.power) climb(&FilterOptions::power, {0.0F, 0.1F, 0.2F, 0.3F, 0.4F, 0.5F});
    if (result_.best.kind == FilterKind::chebycf) {
      if (!choice_.order) climb(&FilterOptions::order, {2, 4, 8});
      if (!choice_.flatness) climb(&FilterOptions::flatness, {1.0F, 1.5F, 2.0F, 3.0F, 5.0F});
    }
    if (result_.best.kind == FilterKind::bspm && !choice_.sharpening)
      climb(&FilterOptions::sharpening, {0.5F, 1.0F, 1.5F, 2.0F, 2.5F});
    if (result_.best.kind == FilterKind::linear) return;
    if (!choice_.low_pass) climb(&FilterOptions::low_pass, {0.0F, 0.1F, 0.2F, 0.3F, 0.5F});
    if (!choice_.rank) climb(&FilterOptions::rank, ranks_);
  }

  /// Tries the neighbours of the best value of one option, upwards, then downwards, as long as that
  /// helps.
  template <typename T>
  void climb(T FilterOptions::*option, const std::vector<T>& values) {
    for (const int step : {1, -1}) {
      const auto start = std::find(values.begin(), values.end(), result_.best.*option);
      auto place = start - values.begin() + step;
      bool better = true;
      for (; better && place >= 0 && place < static_cast<std::ptrdiff_t>(values.size());
           place += step) {
        FilterOptions next = result_.best;
        next.*option = values[static_cast<std::size_t>(place)];
        better = attempt(next);
      }
    }
  }

  /// Evaluates these options; true if they are the best so far, which they become.
  bool attempt(const FilterOptions& filter) {
    result_.interrupted = result_.interrupted || progress_.stop_requested();
    const json described = filter_to_json(filter);
    const bool known = std::any_of(
        result_.trials.begin(), result_.trials.end(),
        [&](const FilterTrial& trial) { return filter_to_json(trial.filter) == described; });
    if (result_.interrupted || known || (!result_.trials.empty() && out_of_time_())) return false;
    GraphFilter scorer(result_.graph, filter, backend_);
    result_.trials.push_back(
        {filter, Judge(task_, item_counts_, options_.validation_metric, backend_).metrics(scorer)});
    const double value =
        validation_value(result_.trials.back().metrics, options_.validation_metric);
    progress_.update(
        static_cast<std::int64_t>(result_.trials.size()), 0,
        fmt::format("{}: {} {:.4f}", describe(filter), options_.validation_metric, value));
    if (value <= best_value_) return false;
    result_.best = filter;
    best_value_ = value;
    return true;
  }

  const TrainOptions& options_;
  const FilterChoice& choice_;
  Backend& backend_;
  Progress& progress_;
  const std::function<bool()>& out_of_time_;
  std::span<const std::int64_t> item_counts_;
  std::int64_t smaller_side_;
  std::vector<std::int64_t> ranks_;
  RankingTask task_;
  double best_value_ = -1.0;
  FilterSearchResult result_;
};

}  // namespace

FilterSearchResult search_filter(const Dataset& dataset, const Graphs& graphs,
                                 const TrainOptions& options, Backend& backend, Progress& progress,
                                 const std::function<bool()>& out_of_time) {
  return FilterSearch(dataset, graphs, options, backend, progress, out_of_time).result();
}

double judge_filter_vectors(const GraphFilter& filter, const Graphs& graphs,
                            const TrainOptions& options, const Judge& judge, Backend& backend) {
  const FinishedVectors vectors =
      filter_vectors(filter, {{"embedding_dim", options.model.embedding_dim}}, graphs, backend);
  return vectors.layout.width() == 0 ? 0.0
                                     : judge(vectors.users.view(), vectors.items.view()).value;
}

std::string trial_line(const FilterTrial& trial) {
  return json_line({{"phase", "select"},
                    {"filter", filter_to_json(trial.filter)},
                    {"validation", trial.metrics}});
}

void check_filter_choice(const TrainOptions& options) {
  FilterOptions filter;
  const FilterChoice& choice = options.filter;
  filter.kind = choice.kind.value_or(filter.kind);
  filter.power = choice.power.value_or(filter.power);
  filter.rank = choice.rank.value_or(filter.rank);
  filter.low_pass = choice.low_pass.value_or(filter.low_pass);
  filter.order = choice.order.value_or(filter.order);
  filter.flatness = choice.flatness.value_or(filter.flatness);
  filter.sharpening = choice.sharpening.value_or(filter.sharpening);
  filter.sharpening_steps = choice.sharpening_steps;
  filter.ridge = choice.ridge.value_or(filter.ridge);
  models::check_filter_options(filter);
  if (choice.selection_users < 0) throw InputError("filter.selection_users must not be negative");
}

}  // namespace penchant::pipeline
