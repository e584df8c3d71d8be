// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_plan.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/choice/repeat_blend.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/training/checkpoint.h"
#include "pipeline/training/distillation.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/sampler.h"

namespace penchant::pipeline {

namespace {

/// Operations a second and thread: about two thirds of what both products reach on two Sapphire
/// Rapids cores with Gowalla's sizes.
constexpr double kSparseRate = 12e9;
constexpr double kDenseRate = 50e9;
/// The plan must not depend on the machine; two cores are what the budget is given for.
constexpr int kPlannedThreads = 2;
constexpr double kFilterTrials = 12.0;
/// Sparse products of a filter of order 4 (models/graph_filter.cc).
constexpr double kFilterProducts = 8.0;
/// Sparse products, and passes of [I x W] x [W x W], of the subspace iteration
/// (models/spectral.cc).
constexpr double kSubspaceProducts = 40.0;
constexpr double kSubspacePasses = 12.0;
/// Mixtures of vectors and filter that are ranked.
constexpr double kMixtures = 16.0;
/// Operations that the time for a score of a table, another beside it and their ranking is worth.
constexpr double kRankedScore = 300.0;
/// A step of distillation in products of its size: it exponentiates, sorts and updates besides.
constexpr double kDistillationCost = 2.0;
/// Operations of a sparse product that a number of all items' vectors costs a step of it: cleared,
/// and moved by Adam with both moments.
constexpr double kAdamCost = 30.0;
/// From the largest to the smallest.
constexpr AutoPlan kPlans[] = {{12, 512, 4000, 8192}, {8, 512, 3000, 8192}, {8, 256, 2000, 8192},
                               {6, 256, 1500, 4096},  {4, 256, 1000, 4096}, {3, 128, 1000, 4096},
                               {2, 64, 500, 1024},    {3, 128, 1000},       {0, 512, 2000},
                               {0, 256, 1000},        {0, 128, 500},        {0, 64, 200}};
/// The same of a softmax over thousands of items, whose tiles stay in the cache: three epochs of
/// Beauty (153,776 events, 12,101 items) take 9.3 s on two cores.
constexpr double kSoftmaxRate = 130e9;
/// Epochs of the sequence model below which it isn't taken, and what validation, terms and a refit
/// for the best of them cost beside them.
constexpr std::int64_t kFewestSequenceEpochs = 10;
constexpr double kSequenceShare = 2.0;
/// A table of scores of all items for the selection users is held: 256 MiB at most.
constexpr std::int64_t kLargestTable = std::int64_t{256} << 18;  // floats
constexpr std::int64_t kFewestUsers = 200;

double cost(const PlanSizes& sizes, const AutoPlan& plan) {
  const auto real = [](std::int64_t count) { return static_cast<double>(count); };
  const double users = real(std::min(plan.selection_users, sizes.num_users));
  const double rank = real(std::min({plan.rank, sizes.num_users, sizes.num_items}));
  const double width = real(sizes.embedding_dim);
  // Singular vectors, once of the training part and once of train + validation.
  double sparse = 2.0 * kSubspaceProducts * 2.0 * real(sizes.num_entries) * rank;
  double dense = 2.0 * kSubspacePasses * 2.0 * real(sizes.num_items) * rank * rank;
  sparse += kFilterTrials * kFilterProducts * 2.0 * real(sizes.num_entries) * users;
  dense += kFilterTrials * 2.0 * real(sizes.num_items) * rank * users;
  if (plan.epochs > 0) {
    const double epochs = 2.0 * real(plan.epochs);  // selection and refit
    sparse += epochs * real(sizes.steps_per_epoch) * 2.0 * real(sizes.num_layers) * 2.0 *
              real(sizes.propagated) * width;
    dense += epochs * 3.0 * 2.0 * real(sizes.num_entries) * real(sizes.num_negatives) * width;
    dense += kMixtures * 2.0 * real(sizes.num_items) * width * users;
  }
  if (plan.distilled_users > 0) {
    const DistillationOptions options;
    // Once for those that it is judged with and others, once for all.
    const double taught = real(std::min(plan.distilled_users, sizes.num_users) + sizes.num_users);
    sparse += kFilterProducts * 2.0 * real(sizes.num_entries) * taught;
    dense += 2.0 * real(sizes.num_items) * (rank + width) * taught;
    const double steps =
        real(distillation_steps(options, std::min(plan.distilled_users, sizes.num_users)) +
             distillation_steps(options, sizes.num_users));
    sparse += kAdamCost * steps * real(sizes.num_items) * width;
    dense += kDistillationCost * 3.0 * 2.0 * real(distillation_epochs(options, sizes.num_users)) *
             real(options.num_negatives + options.list_size) * width * taught;
  }
  if (sizes.repeats) dense += kRepeatTrials * kRankedScore * real(sizes.num_items) * users;
  return (sparse / kSparseRate + dense / kDenseRate) / static_cast<double>(sizes.num_threads);
}

}  // namespace

Budget parse_budget(std::string_view text, std::string_view key) {
  Budget budget;
  std::string_view unit = text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), budget.seconds);
  unit.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const std::int64_t scale = unit.empty() || unit == "s" ? 1
                             : unit == "m"               ? 60
                             : unit == "h"               ? 3600
                                                         : 0;
  constexpr std::int64_t kLongest = 1'000'000'000;
  if (error != std::errc() || scale == 0 || budget.seconds < 1 || budget.seconds > kLongest) {
    throw InputError(
        fmt::format("{} is '{}', expected a time above 0 such as 90s, 5m or 1h", key, text));
  }
  budget.seconds *= scale;
  check_option(key, "train.budget", budget.seconds);
  return budget;
}

PlanSizes plan_sizes(const Dataset& dataset, const graph::UserItemGraph& graph,
                     const TrainOptions& options) {
  PlanSizes sizes;
  sizes.num_users = dataset.num_users();
  sizes.num_items = dataset.num_items();
  sizes.num_entries = graph.user_items.view().num_entries();
  sizes.propagated = 2 * sizes.num_entries;
  sizes.embedding_dim = options.model.embedding_dim;
  sizes.num_layers = options.model.num_layers;
  sizes.num_negatives = options.num_negatives;
  sizes.steps_per_epoch = steps_per_epoch(graph, options);
  sizes.num_threads = kPlannedThreads;
  return sizes;
}

namespace {

/// What every kind of model has a use for.
void copy_common(const TrainOptions& from, TrainOptions& to) {
  to.model.embedding_dim = from.model.embedding_dim;
  to.validation_metric = from.validation_metric;
  to.validate_every = from.validate_every;
  to.checkpoint_every = from.checkpoint_every;
  to.blend_repeats = from.blend_repeats;
  to.refit = from.refit;
  to.seed = from.seed;
  to.resume = from.resume;
}

/// Whether what is asked for differs from the recipe of ModelKind::automatic in nothing but what
/// every kind has.
bool says_nothing_of_the_mixture(TrainOptions options) {
  const FilterChoice& filter = options.filter;
  const TrainOptions usual;
  copy_common(usual, options);
  return !filter.kind && !filter.power && !filter.rank && !filter.low_pass && !filter.order &&
         !filter.flatness && !filter.sharpening &&
         filter.sharpening_steps == usual.filter.sharpening_steps &&
         options.distil == usual.distil && options_course(options) == options_course(usual);
}

}  // namespace

std::optional<TrainOptions> plan_sequences(const Dataset& dataset, const TrainOptions& options) {
  const graph::SplitInteractions& split = dataset.split;
  if (!says_nothing_of_the_mixture(options) || options.validate_every == 0 ||
      split.validation.empty() || dataset.repeats_allowed || popularity_tolerance(split) > 0.0)
    return std::nullopt;
  TrainOptions sequences = recipe_of(models::ModelKind::interest);
  const models::InterestOptions& network = sequences.model.interest;
  const auto real = [](std::int64_t count) { return static_cast<double>(count); };
  const double width = real(options.model.embedding_dim);
  const double hidden = real(network.hidden_dim);
  const double products = width * real(std::min(sequences.num_negatives, dataset.num_items())) +
                          4.0 * hidden * (width + hidden);
  const double seconds = kSequenceShare * 3.0 * 2.0 * real(split.train.interactions.size()) *
                         products / kSoftmaxRate / real(kPlannedThreads);
  const double fitting = real(options.budget.seconds) / std::max(seconds, 1e-9);
  if (fitting < real(kFewestSequenceEpochs)) return std::nullopt;
  sequences.epochs = static_cast<std::int64_t>(std::min(real(sequences.epochs), fitting));
  copy_common(options, sequences);
  sequences.chosen = fmt::format(
      "what is held out comes later and is new to its user: a sequence model (model.kind "
      "interest), {} epochs at most in {} s",
      sequences.epochs, options.budget.seconds);
  return sequences;
}

AutoPlan plan_auto(const PlanSizes& sizes, double budget_seconds) {
  AutoPlan plan;
  for (const AutoPlan& step : kPlans) {
    plan = step;
    const std::int64_t fitting = kLargestTable / std::max<std::int64_t>(1, sizes.num_items);
    plan.selection_users = std::min(plan.selection_users, std::max(kFewestUsers, fitting));
    plan.seconds = cost(sizes, plan);
    if (plan.seconds <= budget_seconds) break;
  }
  return plan;
}

}  // namespace penchant::pipeline
