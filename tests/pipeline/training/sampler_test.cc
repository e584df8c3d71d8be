// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/sampler.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train_options.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using Edge = std::pair<NodeId, NodeId>;

constexpr std::int64_t kUsers = 90;
constexpr std::int64_t kItems = 13;

/// Item i < 12 is bought by the users that i + 1 divides; nobody buys item 12.
graph::UserItemGraph divisor_graph() {
  graph::TrainingPart train;
  for (NodeId user = 0; user < kUsers; ++user) {
    for (NodeId item = 0; item < kItems - 1; ++item) {
      if (user % (item + 1) != 0) continue;
      train.interactions.user.push_back(user);
      train.interactions.item.push_back(item);
      train.interactions.weight.push_back(1.0F);
    }
  }
  return graph::build_user_item_graph(train, kUsers, kItems);
}

std::set<Edge> edges_of(const graph::UserItemGraph& graph) {
  std::set<Edge> edges;
  for (NodeId user = 0; user < kUsers; ++user) {
    for (const NodeId item : graph.user_items.view().row(user)) edges.emplace(user, item);
  }
  return edges;
}

TrainOptions options_with(models::LossKind loss) {
  TrainOptions options = recipe_of(models::ModelKind::lightgcn);
  options.model.loss = loss;
  options.batch_size = 32;
  options.num_negatives = 50;
  return options;
}

struct SampledBatch {
  std::vector<NodeId> users, positives, negatives;
  std::vector<float> positive_bias, negative_bias;
};

/// Draws on the CPU; what every backend draws alike: tests/kernels/sampling_test.cc.
class HostSampler {
 public:
  HostSampler(const graph::UserItemGraph& graph, const TrainOptions& options, int threads = 1)
      : backend_(kernels::make_backend({kernels::DeviceChoice::cpu, threads})),
        sampler_(graph, options, {}, *backend_),
        steps_(steps_per_epoch(graph, options)) {}
  std::int64_t num_positives() const { return sampler_.num_positives(); }
  SampledBatch sample(std::int64_t epoch, std::int64_t step) {
    const kernels::PairDraw draw = sampler_.batch(epoch, step);
    sampler_.draw(draw);
    const auto host = [](auto view) { return std::vector(view.data, view.data + view.size); };
    return {host(draw.users), host(draw.positives), host(draw.negatives), host(draw.positive_bias),
            host(draw.negative_bias)};
  }
  std::vector<SampledBatch> epoch(std::int64_t number) {
    std::vector<SampledBatch> batches;
    for (std::int64_t step = 0; step < steps_; ++step) batches.push_back(sample(number, step));
    return batches;
  }

 private:
  std::unique_ptr<kernels::Backend> backend_;
  Sampler sampler_;
  std::int64_t steps_;
};

/// `times[i]` of `total` draws must follow `expected[i]` within five standard errors of a binomial.
void expect_frequencies(const std::vector<double>& expected, const std::map<NodeId, double>& times,
                        double total) {
  for (std::size_t item = 0; item < expected.size(); ++item) {
    const auto found = times.find(static_cast<NodeId>(item));
    const double seen = found == times.end() ? 0.0 : found->second;
    const double p = expected[item];
    EXPECT_NEAR(seen / total, p, 5.0 * std::sqrt(p * (1.0 - p) / total)) << "item " << item;
  }
}

TEST(Sampler, EveryEdgeOnceAnEpochInANewOrder) {
  const graph::UserItemGraph graph = divisor_graph();
  for (const auto loss : {models::LossKind::sampled_softmax, models::LossKind::bpr}) {
    HostSampler sampler(graph, options_with(loss));
    std::vector<std::vector<Edge>> orders;
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      std::vector<Edge> drawn;
      for (const SampledBatch& batch : sampler.epoch(epoch)) {
        ASSERT_EQ(batch.users.size(), batch.positives.size());
        for (std::size_t b = 0; b < batch.users.size(); ++b)
          drawn.emplace_back(batch.users[b], batch.positives[b]);
      }
      orders.push_back(drawn);
      EXPECT_EQ(static_cast<std::int64_t>(drawn.size()), sampler.num_positives());
      EXPECT_EQ(std::set<Edge>(drawn.begin(), drawn.end()), edges_of(graph)) << "epoch " << epoch;
    }
    EXPECT_NE(orders[0], orders[1]);
    EXPECT_NE(orders[1], orders[2]);
    EXPECT_FALSE(std::is_sorted(orders[0].begin(), orders[0].end()));
  }
}

TEST(Sampler, TheLastBatchIsTheRest) {
  const graph::UserItemGraph graph = divisor_graph();
  TrainOptions options = options_with(models::LossKind::sampled_softmax);
  const auto edges = static_cast<std::int64_t>(edges_of(graph).size());
  options.batch_size = edges - 5;
  HostSampler sampler(graph, options);
  ASSERT_EQ(steps_per_epoch(graph, options), 2);
  const auto batches = sampler.epoch(0);
  EXPECT_EQ(batches[1].users.size(), 5U);
  EXPECT_EQ(batches[1].negatives.size(), 50U);
  for (const std::int64_t more : {100 * edges, std::numeric_limits<std::int64_t>::max()}) {
    options.batch_size = more;
    EXPECT_EQ(steps_per_epoch(graph, options), 1);
  }
}

class NegativeFrequencies : public ::testing::TestWithParam<double> {};

TEST_P(NegativeFrequencies, FollowCountsToAPower) {
  const graph::UserItemGraph graph = divisor_graph();
  TrainOptions options = options_with(models::LossKind::sampled_softmax);
  options.negative_power = GetParam();
  options.num_negatives = 4000;
  HostSampler sampler(graph, options);
  std::map<NodeId, double> times;
  double total = 0;
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    for (const SampledBatch& batch : sampler.epoch(epoch)) {
      for (const NodeId item : batch.negatives) ++times[item];
      total += static_cast<double>(batch.negatives.size());
    }
  }
  std::vector<double> expected(kItems, 0.0);
  double sum = 0;
  for (NodeId item = 0; item < kItems - 1; ++item) {
    const double count = std::ceil(static_cast<double>(kUsers) / (item + 1));
    expected[static_cast<std::size_t>(item)] = std::pow(count, GetParam());
    sum += expected[static_cast<std::size_t>(item)];
  }
  for (double& p : expected) p /= sum;
  expect_frequencies(expected, times, total);
  EXPECT_FALSE(times.contains(kItems - 1)) << "an item nobody bought is not a negative";
}

INSTANTIATE_TEST_SUITE_P(Powers, NegativeFrequencies, ::testing::Values(0.0, 0.5, 0.75, 1.0),
                         [](const auto& tested) {
                           return "Power" + std::to_string(static_cast<int>(100 * tested.param));
                         });

TEST(Sampler, BprAvoidsItemsThatTheUserHas) {
  const graph::UserItemGraph graph = divisor_graph();
  const std::set<Edge> edges = edges_of(graph);
  HostSampler sampler(graph, options_with(models::LossKind::bpr));
  double own = 0;
  double total = 0;
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    for (const SampledBatch& batch : sampler.epoch(epoch)) {
      ASSERT_EQ(batch.negatives.size(), batch.users.size());
      for (std::size_t b = 0; b < batch.users.size(); ++b) {
        if (batch.users[b] == 0) continue;  // has everything
        own += edges.contains({batch.users[b], batch.negatives[b]}) ? 1 : 0;
        ++total;
      }
    }
  }
  EXPECT_LT(own / total, 0.03) << "eight tries at a chance of about one half";
}

TEST(Sampler, CorrectionIsTheScaledLogProbability) {
  const graph::UserItemGraph graph = divisor_graph();
  for (const double share : {0.25, 1.0}) {
    TrainOptions options = options_with(models::LossKind::sampled_softmax);
    options.negative_power = 0.5;
    options.negative_correction = share;
    HostSampler sampler(graph, options);
    double sum = 0;
    std::vector<double> weight(kItems, 0.0);
    for (NodeId item = 0; item < kItems - 1; ++item) {
      weight[static_cast<std::size_t>(item)] =
          std::sqrt(std::ceil(static_cast<double>(kUsers) / (item + 1)));
      sum += weight[static_cast<std::size_t>(item)];
    }
    for (const SampledBatch& batch : sampler.epoch(0)) {
      ASSERT_EQ(batch.positive_bias.size(), batch.positives.size());
      ASSERT_EQ(batch.negative_bias.size(), batch.negatives.size());
      for (std::size_t b = 0; b < batch.positives.size(); ++b) {
        EXPECT_NEAR(batch.positive_bias[b],
                    -share * std::log(weight[static_cast<std::size_t>(batch.positives[b])] / sum),
                    1e-5);
      }
      for (std::size_t m = 0; m < batch.negatives.size(); ++m) {
        EXPECT_NEAR(batch.negative_bias[m],
                    -share * std::log(weight[static_cast<std::size_t>(batch.negatives[m])] / sum),
                    1e-5);
      }
    }
  }
}

TEST(Sampler, NoCorrectionMeansNoBias) {
  const graph::UserItemGraph graph = divisor_graph();
  TrainOptions options = options_with(models::LossKind::sampled_softmax);
  options.negative_correction = 0.0;
  const SampledBatch batch = HostSampler(graph, options).sample(0, 0);
  EXPECT_TRUE(batch.positive_bias.empty());
  EXPECT_TRUE(batch.negative_bias.empty());
}

TEST(Sampler, SameSeedSameDrawsAtAnyThreadCount) {
  const graph::UserItemGraph graph = divisor_graph();
  for (const auto loss : {models::LossKind::sampled_softmax, models::LossKind::bpr}) {
    TrainOptions options = options_with(loss);
    std::vector<std::vector<SampledBatch>> runs;
    for (const int count : {1, 2}) {
      runs.push_back(HostSampler(graph, options, count).epoch(7));
    }
    for (std::size_t step = 0; step < runs[0].size(); ++step) {
      EXPECT_EQ(runs[0][step].users, runs[1][step].users);
      EXPECT_EQ(runs[0][step].positives, runs[1][step].positives);
      EXPECT_EQ(runs[0][step].negatives, runs[1][step].negatives);
    }
    // A resumed run asks for one step without those before it.
    const SampledBatch alone = HostSampler(graph, options).sample(7, 3);
    EXPECT_EQ(alone.positives, runs[0][3].positives);
    EXPECT_EQ(alone.negatives, runs[0][3].negatives);
    options.seed = graph::Seed{43};
    EXPECT_NE(HostSampler(graph, options).epoch(7)[0].negatives, runs[0][0].negatives);
  }
}

/// Negatives that an alias table gives, as every backend draws them.
std::map<NodeId, double> draws_of(const std::vector<double>& weights, std::int64_t count) {
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const AliasTable table(weights);
  const graph::Csr none{0, static_cast<std::int64_t>(weights.size()), {0}, {}, {}};
  const auto source =
      backend->pair_source({none.view(), table.thresholds, table.aliases, {}, {}, graph::Seed{1}});
  std::vector<NodeId> drawn(static_cast<std::size_t>(count));
  kernels::PairDraw draw;
  draw.kind = kernels::Negatives::shared;
  draw.negatives = {drawn.data(), count, kernels::Device::cpu};
  backend->draw_pairs(*source, draw);
  std::map<NodeId, double> times;
  for (const NodeId item : drawn) ++times[item];
  return times;
}

TEST(AliasTable, DrawsFollowTheWeights) {
  const std::vector<double> weights = {0.0, 5.0, 1e-3, 0.0, 2.0, 2.0, 40.0, 0.5};
  double sum = 0;
  for (const double weight : weights) sum += weight;
  std::vector<double> expected;
  for (const double weight : weights) expected.push_back(weight / sum);
  constexpr std::int64_t kDraws = 400000;
  const std::map<NodeId, double> times = draws_of(weights, kDraws);
  expect_frequencies(expected, times, kDraws);
  EXPECT_FALSE(times.contains(0) || times.contains(3)) << "weight 0 is never drawn";
}

TEST(AliasTable, OneWeight) { EXPECT_EQ(draws_of({3.0}, 5).at(0), 5.0); }

}  // namespace
}  // namespace penchant::pipeline
