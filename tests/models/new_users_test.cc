// SPDX-License-Identifier: Apache-2.0
#include "models/new_users.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "tests/models/model_data.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

/// Four users and three items; users 1 and 3 have nothing.
///   user 0: items 0 (weight 2), 1     user 2: item 1 (weight 4)
graph::UserItemGraph users_and_items() {
  graph::UserItemGraph graph{4, 3, {4, 3, {0, 2, 2, 3, 3}, {0, 1, 1}, {2, 1, 4}}, {}};
  graph.item_users = graph::transpose(graph.user_items.view());
  return graph;
}

class NewUsers : public support::BackendTest {
 protected:
  Dense filled(const graph::UserItemGraph& graph, const Dense& users, UnitLength unit_length) {
    const Guarded<float> table(backend(), users.rows, users.cols);
    upload(backend(), users, table.view());
    fill_new_users(graph, unit_length, backend(), table.view());
    EXPECT_TRUE(table.intact());
    return table.dense();
  }
};
PENCHANT_INSTANTIATE_BACKENDS(NewUsers);

TEST_P(NewUsers, HaveTheMeanOfTheOthersVectors) {
  const Dense before(4, 2, {1, 2, 90, 91, 5, -8, 92, 93});
  EXPECT_TRUE(agrees(filled(users_and_items(), before, UnitLength::no),
                     Dense(4, 2, {1, 2, 3, -3, 5, -8, 3, -3}), 1e-6, origin(0)));
  const double side = std::sqrt(0.5);
  EXPECT_TRUE(agrees(filled(users_and_items(), before, UnitLength::yes),
                     Dense(4, 2, {1, 2, side, -side, 5, -8, side, -side}), 1e-6, origin(0)));
}

TEST_P(NewUsers, NothingHappensWhereAllOrNoneAreKnown) {
  const Dense before(4, 1, {1, 2, 3, 4});
  graph::UserItemGraph graph = users_and_items();
  graph.user_items = {4, 3, {0, 1, 2, 3, 4}, {0, 0, 1, 2}, {}};
  EXPECT_TRUE(agrees(filled(graph, before, UnitLength::no), before, 0.0, origin(0)));
  graph.user_items = {4, 3, {0, 0, 0, 0, 0}, {}, {}};
  EXPECT_TRUE(agrees(filled(graph, before, UnitLength::no), before, 0.0, origin(0)));
}

TEST_P(NewUsers, ScoresAreThoseOfTheMeanHistory) {
  const graph::UserItemGraph graph = users_and_items();
  const std::vector<float> row_scale = {0.5F, 9.0F, 1.0F, 9.0F};
  std::int64_t asked = 0;
  // Scores of the mean history, which is written by hand: (.5 (2, 1, 0) + (0, 4, 0)) / 2.
  const MeanScores::Respond respond = [&](const graph::Csr& history, kernels::FloatView scores) {
    ++asked;
    EXPECT_EQ(history.num_rows, 1);
    EXPECT_EQ(history.columns, (std::vector<NodeId>{0, 1}));
    EXPECT_FLOAT_EQ(history.values[0], 0.5F);
    EXPECT_FLOAT_EQ(history.values[1], 2.25F);
    upload(backend(), Dense(3, 1, {7, 8, 9}), scores);
  };
  MeanScores mean;
  const Guarded<float> scores(backend(), 3, 3);
  for (int time = 0; time < 2; ++time) {
    upload(backend(), Dense(3, 3, {1, 0, 0, 2, 0, 0, 3, 0, 0}), scores.view());
    const std::vector<NodeId> users = {2, 3, 1};
    mean.add_to_new_users(graph.user_items.view(), row_scale,
                          {users.data(), 3, kernels::Device::cpu}, respond, backend(),
                          scores.view());
    EXPECT_TRUE(agrees(scores.dense(), Dense(3, 3, {1, 7, 7, 2, 8, 8, 3, 9, 9}), 1e-6, origin(0)));
  }
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(scores.intact());
  const std::vector<NodeId> known = {0};
  MeanScores unasked;
  unasked.add_to_new_users(
      graph.user_items.view(), {}, {known.data(), 1, kernels::Device::cpu},
      [](const graph::Csr&, kernels::FloatView) { FAIL() << "no user is new"; }, backend(),
      scores.view().cols_of(0, 1));
}

}  // namespace
}  // namespace penchant::models
