// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/row_attack.h"

#include <vector>

#include <gtest/gtest.h>

#include "graph/random.h"
#include "pipeline/training/private_training.h"
#include "pipeline/training/recipes.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

TEST(RowAttack, TheThresholdIsJudgedOnPeopleThatDidNotChooseIt) {
  const graph::Random random(graph::Seed{1}, graph::Stream::generator);
  std::vector<double> inside, outside, apart;
  for (std::uint64_t k = 0; k < 2000; ++k) {
    inside.push_back(random.normal(2 * k));
    outside.push_back(random.normal(2 * k + 1));
    apart.push_back(outside.back() + 1.0);
  }
  EXPECT_NEAR(advantage_of(inside, outside), 0.0, 0.06);
  // Two normals a standard deviation apart: 2 Phi(1/2) - 1 = .383; the same the other way round.
  EXPECT_NEAR(advantage_of(apart, inside), 0.383, 0.06);
  EXPECT_NEAR(advantage_of(inside, apart), 0.383, 0.06);
  // Of four pairs the first and third choose "below 5", which the others contradict.
  EXPECT_EQ(advantage_of(std::vector<double>{1, 9, 1, 9}, std::vector<double>{9, 1, 9, 1}), -1.0);
}

class AttackOnRows : public penchant::testing::SmallShopTest {};

TEST_F(AttackOnRows, ModelsThatLearnRowsByHeartAreFound) {
  TrainOptions options = recipe_of(models::ModelKind::private_items);
  options.model.embedding_dim = 128;
  options.privacy.delta = 1e-4;
  options.privacy.epsilon = 1e6;  // next to no noise
  options.privacy.total_epsilon = 1e9;
  options.privacy.item_power = 1.0;
  options.privacy.rounds = 6;
  train_private(dataset(), options, "", at("m"), backend(), silent_progress());
  const Model model = Model::open(at("m"), dataset(), backend());
  const auto attack = attack_rows(model);
  ASSERT_TRUE(attack);
  EXPECT_GT(attack->num_people, 40);
  EXPECT_GT(attack->advantage, 0.2);
  EXPECT_EQ(attack_rows(model)->advantage, attack->advantage);
  EXPECT_FALSE(attack_rows(model, 39));
}

}  // namespace
}  // namespace penchant::pipeline
