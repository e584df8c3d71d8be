// SPDX-License-Identifier: Apache-2.0
#include "models/link_scorer.h"

#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

class LinkScorers : public support::BackendTest {
 protected:
  // User 0 knows 1 (.5) and 2 (2), user 2 knows 0 (1).
  //   user 0: item 3;   user 1: items 0 (weight 3) and 1;   user 2: item 1
  LinkScorer scorer() const {
    return {{3, 3, {0, 2, 2, 3}, {1, 2, 0}, {0.5F, 2.0F, 1.0F}},
            {3, 4, {0, 1, 3, 4}, {3, 0, 1, 1}, {1.0F, 3.0F, 1.0F, 1.0F}}};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(LinkScorers);

TEST_P(LinkScorers, AddUpWhatFriendsHadByTheRootOfAllTheyHad) {
  LinkScorer links = scorer();
  const std::vector<NodeId> users = {2, 0, 1, 0};
  const Guarded<float> scores(backend(), 4, 4);
  links.score({users.data(), 4, kernels::Device::cpu}, backend(), scores.view());
  EXPECT_TRUE(scores.intact());
  const Dense got = scores.dense();
  // d: 1, 4, 1.
  const double of_0[] = {0.5 * 3 / 2, 0.5 / 2 + 2, 0, 0};
  const double of_2[] = {0, 0, 0, 1};
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(got(i, 0), of_2[i], 1e-6);
    EXPECT_NEAR(got(i, 1), of_0[i], 1e-6);
    EXPECT_EQ(got(i, 2), 0.0);
    EXPECT_EQ(got(i, 3), got(i, 1));
  }
}

TEST_P(LinkScorers, KnowNothingOfPeopleWhoAreNotInTheData) {
  LinkScorer links = scorer();
  const graph::Csr rows{1, 4, {0, 1}, {2}, {1.0F}};
  People people{};
  people.rows = rows.view();
  const Guarded<float> scores(backend(), 4, 1);
  links.score_people(people, backend(), scores.view());
  EXPECT_TRUE(scores.intact());
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(scores.dense()(i, 0), 0.0);
  const Guarded<float> narrow(backend(), 3, 1);
  EXPECT_THROW(links.score_people(people, backend(), narrow.view()), InputError);
}

TEST(LinkScorer, RefusesLinksOfOtherUsers) {
  EXPECT_THROW(LinkScorer({2, 2, {0, 0, 0}, {}, {}}, {3, 4, {0, 0, 0, 0}, {}, {}}), InputError);
}

}  // namespace
}  // namespace penchant::models
