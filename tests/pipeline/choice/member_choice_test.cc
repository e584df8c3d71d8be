// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/member_choice.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "pipeline/choice/judge.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {
namespace {

/// Three users, each of whom should see the item of the same number first; user vectors are the
/// identity, so that a model's item vectors are its scores.
class MemberChoice : public ::testing::Test {
 protected:
  struct Scores {
    std::vector<float> users = {1, 0, 0, 0, 1, 0, 0, 0, 1};  // [3 x 3]
    std::vector<float> items;                                // [4 x 3]
    VectorViews views() const {
      return {{users.data(), 3, 3, 3, kernels::Device::cpu},
              {items.data(), 4, 3, 3, kernels::Device::cpu},
              {3, 0, false, false}};
    }
  };
  std::vector<ChosenMember> chosen(const std::vector<Scores>& scores) {
    const RankingTask task = {{0, 1, 2}, {3, 4, {0, 1, 2, 3}, {0, 1, 2}, {}}, {}};
    const std::vector<std::int64_t> counts(4, 1);
    const std::string metric = "ndcg@1";
    const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
    std::vector<VectorViews> views;
    for (const Scores& one : scores) views.push_back(one.views());
    return choose_members(
        views, Judge(task, counts, metric, *backend), 0.0, *backend,
        [&](std::span<const ChosenMember>, const std::map<std::string, double>& metrics) {
          heard_.push_back(metrics.at(metric));
        });
  }
  // A column is a user: the first model is sure of users 0 and 1, the second of 2, the third of
  // nobody.
  const Scores two_users_ = {.items = {3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 1.5F}};
  const Scores one_user_ = {.items = {0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0}};
  const Scores nobody_ = {.items = {0, 1, 1, 1, 0, 0, 0, 0, 0, 2, 2, 3}};
  std::vector<double> heard_;
};

TEST_F(MemberChoice, ASumThatIsBetterThanTheBestAlone) {
  const std::vector<ChosenMember> members = chosen({one_user_, nobody_, two_users_});
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].number, 2U) << "the best alone";
  EXPECT_EQ(members[0].weight, 1.0);
  EXPECT_EQ(members[1].number, 0U);
  EXPECT_GT(members[1].weight, 0.0);
  EXPECT_DOUBLE_EQ(heard_[2], 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(*std::max_element(heard_.begin(), heard_.end()), 1.0);
}

TEST_F(MemberChoice, TheBestAloneWhereNothingIsBetter) {
  const std::vector<ChosenMember> members = chosen({nobody_, two_users_});
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(members[0].number, 1U);
}

TEST_F(MemberChoice, OfOneModelThatOneWithoutATrial) {
  EXPECT_EQ(chosen({nobody_}).size(), 1U);
  EXPECT_TRUE(heard_.empty());
}

}  // namespace
}  // namespace penchant::pipeline
