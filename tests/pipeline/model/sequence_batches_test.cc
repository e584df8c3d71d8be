// SPDX-License-Identifier: Apache-2.0
// Packing, targets and negatives of history batches, on histories written by hand.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/model/history_batch.h"
#include "pipeline/training/history_sampler.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename T>
std::vector<T> listed(kernels::VectorView<const T> view) {
  return {view.data, view.data + view.size};
}

/// User 0: 0 1 2 3; user 1: nothing; user 2: 4; user 3: 5 4 0; seven items.
Histories small_histories() {
  Histories histories;
  histories.offsets = {0, 4, 4, 5, 8};
  histories.items = {0, 1, 2, 3, 4, 5, 4, 0};
  histories.events = {0, 1, 0, 1, 1, 0, 0, 1};
  histories.gap_buckets = {0, 3, 4, 5, 0, 0, 7, 8};
  return histories;
}

graph::UserItemGraph graph_of(const Histories& histories, std::int64_t num_items) {
  graph::TrainingPart part;
  for (std::int64_t user = 0; user < histories.size(); ++user) {
    for (const NodeId item : histories.row(user)) {
      part.interactions.user.push_back(static_cast<NodeId>(user));
      part.interactions.item.push_back(item);
      part.interactions.weight.push_back(1.0F);
    }
  }
  return graph::build_user_item_graph(part, histories.size(), num_items);
}

class SequenceBatches : public ::testing::Test {
 protected:
  SequenceBatches() : backend_(kernels::make_backend({kernels::DeviceChoice::cpu, 1})) {
    options_.batch_size = 100;
    options_.num_negatives = 50;
    options_.seed = graph::Seed{3};
  }
  std::unique_ptr<kernels::Backend> backend_;
  TrainOptions options_;
};

TEST_F(SequenceBatches, AreLongestFirstAndPackedByStep) {
  const Histories histories = small_histories();
  const std::vector<Span> spans = {{2, 0, 1}, {0, 1, 3}, {3, 0, 3}};
  HistoryBatch batch;
  batch.assign(histories, spans, 0.5F);
  const models::InterestBatch view = batch.upload(*backend_);
  EXPECT_THAT(batch.order(), ElementsAre(1, 2, 0)) << "equal lengths keep their order";
  EXPECT_THAT(listed(view.items), ElementsAre(1, 2, 3, 5, 4, 0, 4));
  EXPECT_THAT(listed(view.events), ElementsAre(1, 0, 1, 0, 0, 1, 1));
  EXPECT_THAT(listed(view.gaps), ElementsAre(3, 4, 5, 0, 7, 8, 0));
  EXPECT_THAT(
      std::vector(view.sequences.segments.offsets.begin(), view.sequences.segments.offsets.end()),
      ElementsAre(0, 3, 6, 7));
  EXPECT_THAT(std::vector(view.sequences.packed.step_offsets.begin(),
                          view.sequences.packed.step_offsets.end()),
              ElementsAre(0, 3, 5, 7));
  EXPECT_THAT(listed(view.sequences.packed_rows), ElementsAre(0, 3, 6, 1, 4, 2, 5));
  EXPECT_THAT(listed(view.sequences.event_rows), ElementsAre(0, 3, 5, 1, 4, 6, 2));
  EXPECT_THAT(listed(view.last_events), ElementsAre(2, 5, 6));
  const auto one = [](double weight) { return static_cast<float>(1.0 / std::sqrt(weight)); };
  EXPECT_THAT(listed(view.history_scale),
              ElementsAre(one(1), one(1.5), one(1.75), one(1), one(1.5), one(1.75), one(1)));
}

TEST_F(SequenceBatches, WithoutEventTypesAndTimesHaveNone) {
  Histories histories = small_histories();
  histories.events.clear();
  histories.gap_buckets.clear();
  const std::vector<Span> spans = {{0, 0, 4}};
  HistoryBatch batch;
  batch.assign(histories, spans, 1.0F);
  EXPECT_EQ(batch.upload(*backend_).events.size, 0);
  EXPECT_EQ(batch.upload(*backend_).gaps.size, 0);
}

TEST_F(SequenceBatches, EveryEventButTheFirstIsATargetOnce) {
  const Histories histories = small_histories();
  const graph::UserItemGraph graph = graph_of(histories, 7);
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t batch_size : {std::int64_t{1}, std::int64_t{2}, kMax}) {
    options_.batch_size = batch_size;
    HistorySampler sampler(histories, graph, options_);
    std::multiset<std::pair<NodeId, NodeId>> pairs;
    HistoryBatch batch;
    for (std::int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
      const models::InterestTargets targets = sampler.sample(0, step, batch, *backend_);
      const models::InterestBatch inputs = batch.upload(*backend_);
      ASSERT_EQ(inputs.items.size, targets.items.size);
      for (std::int64_t k = 0; k < inputs.items.size; ++k)
        pairs.emplace(inputs.items[k], targets.items[k]);
    }
    EXPECT_THAT(pairs, ElementsAre(std::pair(0, 1), std::pair(1, 2), std::pair(2, 3),
                                   std::pair(4, 0), std::pair(5, 4)));
  }
}

TEST_F(SequenceBatches, LongHistoriesAreCutIntoPiecesThatLoseNothing) {
  Histories histories;
  histories.items.resize(10'000);
  for (std::size_t k = 0; k < histories.items.size(); ++k)
    histories.items[k] = static_cast<NodeId>(k % 7);
  histories.offsets = {0, 10'000};
  const graph::UserItemGraph graph = graph_of(histories, 7);
  options_.model.interest.max_length = 300;
  HistorySampler sampler(histories, graph, options_);
  std::int64_t targets = 0;
  std::int64_t longest = 0;
  HistoryBatch batch;
  for (std::int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    targets += sampler.sample(0, step, batch, *backend_).items.size;
    longest = std::max(longest, batch.offsets()[1]);
  }
  EXPECT_EQ(targets, 9'999);
  EXPECT_EQ(longest, 300);
}

TEST_F(SequenceBatches, FewItemsAreAllNegativesAndUnsoldOnesAreNone) {
  const Histories histories = small_histories();
  const graph::UserItemGraph graph = graph_of(histories, 7);
  HistorySampler sampler(histories, graph, options_);
  HistoryBatch batch;
  const models::InterestTargets targets = sampler.sample(0, 0, batch, *backend_);
  EXPECT_THAT(listed(targets.negatives), ElementsAre(0, 1, 2, 3, 4, 5)) << "item 6 is never bought";
  EXPECT_EQ(targets.negative_bias.size, 0);
  EXPECT_EQ(targets.positive_bias.size, 0);
}

TEST_F(SequenceBatches, SampledNegativesFollowTheirWeightsAndCarryTheCorrection) {
  const Histories histories = small_histories();
  const graph::UserItemGraph graph = graph_of(histories, 7);
  options_.num_negatives = 5;
  HistorySampler sampler(histories, graph, options_);
  const std::vector<float> want = log_q_correction(graph, options_);
  std::map<NodeId, int> drawn;
  HistoryBatch batch;
  for (std::int64_t epoch = 0; epoch < 2000; ++epoch) {
    const models::InterestTargets targets = sampler.sample(epoch, 0, batch, *backend_);
    ASSERT_EQ(targets.negatives.size, 5);
    for (std::int64_t m = 0; m < 5; ++m) {
      ++drawn[targets.negatives[m]];
      EXPECT_EQ(targets.negative_bias[m], want[static_cast<std::size_t>(targets.negatives[m])]);
    }
    EXPECT_EQ(targets.positive_bias[0], want[static_cast<std::size_t>(targets.items[0])]);
  }
  EXPECT_EQ(drawn.count(6), 0U);
  // Items 0 and 4 have two users, the others one: weights 2^.75 and 1 of 2 * 2^.75 + 4.
  const double total = 2 * std::pow(2.0, 0.75) + 4;
  for (const auto& [item, count] : drawn) {
    const double share = (item == 0 || item == 4 ? std::pow(2.0, 0.75) : 1.0) / total;
    EXPECT_NEAR(count / 10'000.0, share, 0.02) << "item " << item;
  }
}

TEST_F(SequenceBatches, UnobservedItemsAreNotTheUsersOwn) {
  const Histories histories = small_histories();
  const graph::UserItemGraph graph = graph_of(histories, 7);
  HistorySampler sampler(histories, graph, options_);
  std::map<NodeId, std::set<NodeId>> drawn;  // first item of the inputs -> items
  HistoryBatch batch;
  for (std::int64_t epoch = 0; epoch < 300; ++epoch) {
    const models::InterestTargets targets = sampler.sample(epoch, 0, batch, *backend_);
    const models::InterestBatch inputs = batch.upload(*backend_);
    for (std::size_t b = 0; b + 1 < batch.offsets().size(); ++b) {
      for (std::int64_t k = batch.offsets()[b]; k < batch.offsets()[b + 1]; ++k)
        drawn[inputs.items[batch.offsets()[b]]].insert(targets.unobserved[k]);
    }
  }
  // With four of seven items the user's own, eight tries fail once in 90 draws: none is sure.
  EXPECT_THAT(drawn.at(5), ::testing::IsSupersetOf({1, 2, 3, 6}));
  EXPECT_THAT(drawn.at(0), ::testing::IsSupersetOf({4, 5, 6}));
}

TEST_F(SequenceBatches, AreTheSameForTheSameSeedEpochAndStep) {
  const Histories histories = small_histories();
  const graph::UserItemGraph graph = graph_of(histories, 7);
  options_.batch_size = 2;
  options_.num_negatives = 4;
  HistorySampler first(histories, graph, options_);
  HistorySampler second(histories, graph, options_);
  HistoryBatch a, b;
  first.sample(0, 0, a, *backend_);  // another history of calls
  const models::InterestTargets x = first.sample(2, 1, a, *backend_);
  const models::InterestTargets y = second.sample(2, 1, b, *backend_);
  EXPECT_EQ(listed(x.items), listed(y.items));
  EXPECT_EQ(listed(x.negatives), listed(y.negatives));
  EXPECT_EQ(listed(x.unobserved), listed(y.unobserved));
  const std::vector<NodeId> kept = listed(y.negatives);
  EXPECT_NE(listed(second.sample(3, 1, b, *backend_).negatives), kept);
}

TEST_F(SequenceBatches, WithoutTwoEventsOfAnyUserThereIsNothingToLearn) {
  Histories histories;
  histories.offsets = {0, 1, 2};
  histories.items = {0, 1};
  const graph::UserItemGraph graph = graph_of(histories, 2);
  EXPECT_THROW(HistorySampler(histories, graph, options_), InputError);
}

}  // namespace
}  // namespace penchant::pipeline
