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
/// Rapids cores with Gowalla's sizes, where a plan of 280 s takes some 240 s (docs/benchmarks.md).
constexpr double kSparseRate = 13e9;
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
/// Operations of a sparse product that a number of a moved item's vector costs a step of it: cleared,
/// and moved by Adam with both moments.
constexpr double kAdamCost = 30.0;
/// The same where rows of a large table are gathered and scattered for it: of the grocer's whole log a
/// step takes some 9 ms on two cores.
constexpr double kGatheredAdamCost = 240.0;
/// From the largest to the smallest: what people carry away comes first, so that vectors learn the
/// filter's ranking before vectors of the graph are trained that nothing improves.
constexpr AutoPlan kPlans[] = {{12, 512, 4000, 8192, 320},
                               {8, 512, 3000, 8192, 320},
                               {8, 256, 2000, 8192, 320},
                               {6, 256, 1500, 4096, 320},
                               {4, 256, 1000, 4096, 160},
                               {3, 128, 1000, 4096, 160},
                               {2, 64, 500, 1024, 160},
                               {2, 64, 500, 1024, 40},
                               {0, 256, 1000, 4096, 160},
                               {0, 128, 500, 1024, 160},
                               {0, 64, 500, 512, 160},
                               {0, 128, 500, 1024, 60},
                               {0, 64, 500, 512, 30},
                               {3, 128, 1000},
                               {0, 512, 2000},
                               {0, 256, 1000},
                               {0, 128, 500},
                               {0, 64, 200}};
/// Fewer are for many users, or where nothing else fits.
constexpr std::int64_t kFewEpochs = 160;
/// The same of a network of sequences, whose softmax over thousands of items is most of it: an epoch
/// of Beauty (153,776 events) takes 3.4 s on two cores of a slow machine, half of that on others.
constexpr double kNetworkRate = 80e9;
/// One network is trained for selection, all of them in the end; how many fit this share of the
/// budget, more networks first, of so many epochs (docs/decisions/0038-networks-in-the-mixture.md).
constexpr double kNetworkShare = 0.8;
constexpr double kNetworkShareBesideGraph = 0.5;
constexpr AutoPlan network_plan(std::int64_t networks, std::int64_t epochs) {
  return {.networks = networks, .network_epochs = epochs};
}
constexpr AutoPlan kNetworkPlans[] = {network_plan(4, 20), network_plan(3, 20),
                                      network_plan(2, 20), network_plan(2, 16),
                                      network_plan(1, 16), network_plan(1, 10)};
/// A table of scores of all items for the selection users is held: 256 MiB at most.
constexpr std::int64_t kLargestTable = std::int64_t{256} << 18;  // floats
constexpr std::int64_t kFewestUsers = 200;

/// Epochs of all networks.
double network_trainings(const AutoPlan& plan) {
  return plan.networks > 0 ? static_cast<double>((1 + plan.networks) * plan.network_epochs) : 0.0;
}

double cost(const PlanSizes& sizes, const AutoPlan& plan) {
  const auto real = [](std::int64_t count) { return static_cast<double>(count); };
  const double users = real(std::min(plan.selection_users, sizes.num_users));
  const double rank = real(std::min({plan.rank, sizes.num_users, sizes.num_items}));
  const double width = real(sizes.embedding_dim);
  // Singular vectors, once of the training part and once of train + validation.
  double sparse = 2.0 * kSubspaceProducts * 2.0 * real(sizes.num_entries) * rank;
  double dense = 2.0 * kSubspacePasses * 2.0 * real(sizes.num_items) * rank * rank;
  if (plan.ridge) sparse += 2.0 * kSubspaceProducts * 2.0 * real(sizes.num_entries) * width;
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
    DistillationOptions options;
    options.most_epochs = plan.distilled_epochs;
    // Once for those that it is judged with and others, once for all.
    const double taught = real(std::min(plan.distilled_users, sizes.num_users) + sizes.num_users);
    sparse += kFilterProducts * 2.0 * real(sizes.num_entries) * taught;
    dense += 2.0 * real(sizes.num_items) * (rank + width) * taught;
    for (const std::int64_t learners :
         {std::min(plan.distilled_users, sizes.num_users), sizes.num_users}) {
      const std::int64_t moved = moved_items(options, learners, sizes.num_items);
      sparse += (moved < sizes.num_items ? kGatheredAdamCost : kAdamCost) *
                real(distillation_steps(options, learners)) * real(moved) * width;
    }
    dense += kDistillationCost * 3.0 * 2.0 * real(distillation_epochs(options, sizes.num_users)) *
             real(options.num_negatives + options.list_size) * width * taught;
  }
  const double networks = network_trainings(plan) * sizes.network_operations / kNetworkRate;
  if (sizes.repeats) dense += kRepeatTrials * kRankedScore * real(sizes.num_items) * users;
  return (sparse / kSparseRate + dense / kDenseRate + networks) /
         static_cast<double>(sizes.num_threads);
}

/// The networks of a plan.
AutoPlan plan_networks(const PlanSizes& sizes, double budget_seconds) {
  if (sizes.network_operations == 0.0) return {};
  const double share = sizes.graph_beside_networks ? kNetworkShareBesideGraph : kNetworkShare;
  for (const AutoPlan& plan : kNetworkPlans) {
    const double seconds = network_trainings(plan) * sizes.network_operations / kNetworkRate /
                           static_cast<double>(sizes.num_threads);
    if (seconds <= share * budget_seconds) return plan;
  }
  return {};
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
  to.blend_links = from.blend_links;
  to.refit = from.refit;
  to.seed = from.seed;
  to.resume = from.resume;
}

/// Whether a user has two events in the training part: a next one can be learnt.
bool has_sequences(const graph::SplitInteractions& split) {
  const std::vector<graph::NodeId>& users = split.train.interactions.user;
  return std::adjacent_find(users.begin(), users.end()) != users.end();
}

/// Whether what is asked for differs from the recipe of ModelKind::automatic in nothing but what
/// every kind has.
bool says_nothing_of_the_mixture(TrainOptions options) {
  const FilterChoice& filter = options.filter;
  const TrainOptions usual;
  copy_common(usual, options);
  return !filter.kind && !filter.power && !filter.rank && !filter.low_pass && !filter.order &&
         !filter.flatness && !filter.sharpening && !filter.ridge &&
         filter.sharpening_steps == usual.filter.sharpening_steps &&
         options.distil == usual.distil && options_course(options) == options_course(usual);
}

}  // namespace

double network_operations(const Dataset& dataset, const TrainOptions& options) {
  const graph::SplitInteractions& split = dataset.split;
  if (!says_nothing_of_the_mixture(options) || options.validate_every == 0 ||
      split.validation.empty() || popularity_tolerance(split) > 0.0 || !has_sequences(split))
    return 0.0;
  const TrainOptions recipe = recipe_of(models::ModelKind::interest);
  const auto real = [](std::int64_t count) { return static_cast<double>(count); };
  const double width = real(options.model.embedding_dim);
  const double hidden = real(recipe.model.interest.hidden_dim);
  const double products = width * real(std::min(recipe.num_negatives, dataset.num_items())) +
                          4.0 * hidden * (width + hidden);
  return 3.0 * 2.0 * static_cast<double>(split.train.interactions.size()) * products;
}

std::vector<TrainOptions> planned_members(const AutoPlan& plan, const TrainOptions& options) {
  // What stands beside the vectors is chosen once, for all of them.
  const auto alone = [](TrainOptions member) {
    member.calibrate_popularity = false;
    member.blend_filter = false;
    member.blend_repeats = false;
    member.blend_links = false;
    member.refit = false;
    return member;
  };
  std::vector<TrainOptions> members;
  if (plan.networks > 0) {
    TrainOptions network = recipe_of(models::ModelKind::interest);
    copy_common(options, network);
    network.epochs = plan.network_epochs;
    members.push_back(alone(std::move(network)));
  }
  if (plan.epochs > 0) {
    TrainOptions graph = alone(options);
    graph.model.kind = models::ModelKind::lightgcn;
    graph.epochs = plan.epochs;
    graph.validate_every = plan.epochs;
    graph.retry_lower_rate = false;  // the plan counts one training
    members.push_back(std::move(graph));
  }
  if (plan.ridge) {
    TrainOptions ridge = alone(options);
    ridge.model.kind = models::ModelKind::graph_filter;
    ridge.filter = {};
    ridge.filter.kind = models::FilterKind::ridge;
    ridge.filter.ridge = models::FilterOptions().ridge;
    members.push_back(std::move(ridge));
  }
  return members;
}

AutoPlan plan_auto(const PlanSizes& sizes, double budget_seconds) {
  const AutoPlan networks = plan_networks(sizes, budget_seconds);
  AutoPlan plan;
  for (const AutoPlan& step : kPlans) {
    // The trial alone is shorter where all users are enough to learn from in few epochs.
    const bool short_trial = step.epochs > 0 && step.distilled_epochs < kFewEpochs;
    if (short_trial && sizes.num_users < kUsualUsers) continue;
    plan = step;
    plan.networks = networks.networks;
    plan.network_epochs = networks.network_epochs;
    plan.ridge =
        sizes.repeats && sizes.embedding_dim * 4 <= std::min(sizes.num_users, sizes.num_items);
    // What repeats nothing is told by the order of events far better than by the graph.
    if (plan.networks > 0 && !sizes.graph_beside_networks) plan.epochs = 0;
    const std::int64_t fitting = kLargestTable / std::max<std::int64_t>(1, sizes.num_items);
    plan.selection_users = std::min(plan.selection_users, std::max(kFewestUsers, fitting));
    plan.seconds = cost(sizes, plan);
    if (plan.seconds <= budget_seconds) break;
  }
  return plan;
}

}  // namespace penchant::pipeline
