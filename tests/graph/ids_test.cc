// SPDX-License-Identifier: Apache-2.0
#include "graph/ids.h"

#include <cstdint>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

namespace penchant::graph {
namespace {

TEST(CheckedCast, KeepsValuesThatFitAndRefusesTheRest) {
  constexpr std::int64_t kLargest = std::numeric_limits<NodeId>::max();
  constexpr std::int64_t kSmallest = std::numeric_limits<NodeId>::min();
  EXPECT_EQ(checked_cast<NodeId>(kLargest), 2147483647);
  EXPECT_EQ(checked_cast<NodeId>(kSmallest), -2147483647 - 1);
  EXPECT_THROW(checked_cast<NodeId>(kLargest + 1), std::out_of_range);
  EXPECT_THROW(checked_cast<NodeId>(kSmallest - 1), std::out_of_range);
  EXPECT_THROW(checked_cast<std::uint64_t>(-1), std::out_of_range);
  EXPECT_THROW(checked_cast<std::int64_t>(~std::uint64_t{0}), std::out_of_range);
}

}  // namespace
}  // namespace penchant::graph
