// SPDX-License-Identifier: Apache-2.0
// Users 0 - 1, 0 - 2 (twice as close), 3 alone:
//
//   1 ---1--- 0 ---2--- 2        3
#include "graph/user_links.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penchant::graph {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

UserLinks friends() {
  return {"friends", false, {4, 4, {0, 2, 3, 4, 4}, {1, 2, 0, 0}, {1.0F, 2.0F, 1.0F, 2.0F}}};
}
/// 0 follows 1 and 2; 2 follows 0, more.
UserLinks followed() { return {"follows", true, {3, 3, {0, 2, 2, 3}, {1, 2, 0}, {1, 1, 5}}}; }

TEST(UserLinks, AreARelationThatGoesBothWays) {
  const Relation undirected = relation_of(friends(), 0.5F);
  EXPECT_EQ(undirected.rows, NodeKind::user);
  EXPECT_EQ(undirected.columns, NodeKind::user);
  EXPECT_EQ(undirected.weight, 0.5F);
  EXPECT_EQ(undirected.edges.columns, friends().links.columns);
  const Relation directed = relation_of(followed(), 1.0F);
  EXPECT_TRUE(is_symmetric(directed.edges.view()));
  EXPECT_THAT(directed.edges.columns, ElementsAre(1, 2, 0, 0));
  EXPECT_THAT(directed.edges.values, ElementsAre(1.0F, 5.0F, 1.0F, 5.0F));
}

TEST(UserLinks, AreNormalisedWithinTheirKindAndAddedUp) {
  // Sums: 3, 1, 2 and 0.
  const UserLinks one[] = {friends()};
  const float half[] = {0.5F};
  const Csr joined = joined_links(one, half, 4);
  EXPECT_THAT(joined.columns, ElementsAre(1, 2, 0, 0));
  const float near = 0.5F / std::sqrt(3.0F);
  const float nearer = 0.5F * 2.0F / std::sqrt(6.0F);
  EXPECT_THAT(joined.values,
              Pointwise(FloatNear(1e-6F), std::vector<float>{near, nearer, near, nearer}));
  const UserLinks two[] = {friends(), friends()};
  const float parts[] = {0.125F, 0.375F};
  EXPECT_THAT(joined_links(two, parts, 4).values, Pointwise(FloatNear(1e-6F), joined.values));
  const float off[] = {0.0F};
  EXPECT_TRUE(joined_links(one, off, 4).columns.empty());
}

TEST(UserLinks, OfDirectionsCountAsTheyPoint) {
  const UserLinks one[] = {followed()};
  const float whole[] = {1.0F};
  const Csr joined = joined_links(one, whole, 3);
  // Sums of rows 2, 0, 5; of columns 5, 1, 1.
  EXPECT_THAT(joined.columns, ElementsAre(1, 2, 0));
  EXPECT_THAT(joined.values,
              Pointwise(FloatNear(1e-6F),
                        std::vector<float>{1.0F / std::sqrt(2.0F), 1.0F / std::sqrt(2.0F), 1.0F}));
}

TEST(UserLinks, LoseThoseOfUsersWhoAreForgotten) {
  const NodeId ids[] = {0, kNoNode, 1, 2};
  const UserLinks left = renumbered(friends(), ids, 3);
  EXPECT_EQ(left.name, "friends");
  EXPECT_EQ(left.links.num_rows, 3);
  EXPECT_THAT(left.links.offsets, ElementsAre(0, 1, 2, 2));
  EXPECT_THAT(left.links.columns, ElementsAre(1, 0));
  EXPECT_THAT(left.links.values, ElementsAre(2.0F, 2.0F));
}

}  // namespace
}  // namespace penchant::graph
