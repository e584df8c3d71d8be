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

TEST_F(AttackOnRows, AnOrdinaryModelTellsMoreThanAPrivateOne) {
  train(recipe(), "ordinary");
  TrainOptions options = recipe_of(models::ModelKind::private_items);
  options.privacy.epsilon = 0.5;
  options.privacy.delta = 1e-4;
  train_private(dataset(), options, "", at("private"), backend(), silent_progress());
  const auto ordinary = attack_rows(Model::open(at("ordinary"), dataset(), backend()));
  const auto secret = attack_rows(Model::open(at("private"), dataset(), backend()));
  ASSERT_TRUE(ordinary && secret);
  EXPECT_GT(ordinary->num_people, 40);
  EXPECT_EQ(ordinary->num_people, secret->num_people);
  EXPECT_GT(ordinary->advantage, secret->advantage);
  EXPECT_FALSE(attack_rows(Model::open(at("ordinary"), dataset(), backend()), 39));
}

}  // namespace
}  // namespace penchant::pipeline
