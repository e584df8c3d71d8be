// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/vector_quality.h"

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

TEST(VectorQuality, JudgesFewerUsersOfLargeCatalogues) {
  EXPECT_EQ(most_judged_users(1'000'000), 20'000);
  EXPECT_GT(most_judged_users(40'981), 29'858);  // all of Gowalla's
  EXPECT_EQ(most_judged_users(1'000'000'000), 2'000);
  EXPECT_EQ(most_judged_users(0), 20'000'000'000);
}

}  // namespace
}  // namespace penchant::pipeline
