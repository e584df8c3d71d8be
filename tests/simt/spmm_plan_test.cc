// SPDX-License-Identifier: Apache-2.0
// The work division of the device's sparse product: every entry once, bins by length.
#include "kernels/cuda/spmm_plan.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace penchant::kernels::cuda {
namespace {

/// Rows of the given lengths; the columns do not matter.
graph::Csr rows_of(const std::vector<std::int64_t>& lengths) {
  graph::Csr csr;
  csr.num_rows = static_cast<std::int64_t>(lengths.size());
  csr.num_cols = 1;
  for (const std::int64_t length : lengths) csr.offsets.push_back(csr.offsets.back() + length);
  csr.columns.resize(static_cast<std::size_t>(csr.offsets.back()));
  return csr;
}

std::vector<std::int64_t> mixed_lengths() {
  std::vector<std::int64_t> lengths = {0, 1, 32, 33, 512, 513, 1024, 1025, 5000, 2};
  for (std::int64_t row = 0; row < 9000; ++row) lengths.push_back(row * 7919 % 61);
  return lengths;
}

TEST(SpmmPlan, CoversEveryEntryOnce) {
  const std::vector<std::int64_t> lengths = mixed_lengths();
  const graph::Csr csr = rows_of(lengths);
  const SpmmPlan plan = make_spmm_plan(csr.view(), 512);
  std::vector<int> times(csr.columns.size(), 0);
  std::vector<int> rows(lengths.size(), 0);
  for (std::size_t k = 0; k < plan.tasks.size(); ++k) {
    const SpmmTask& task = plan.tasks[k];
    for (std::int64_t e = task.begin; e < task.begin + task.length; ++e)
      ++times[static_cast<std::size_t>(e)];
    if (static_cast<std::int64_t>(k) >= plan.num_segments)
      ++rows[static_cast<std::size_t>(task.target)];
  }
  for (const SpmmLongRow& row : plan.long_rows) ++rows[static_cast<std::size_t>(row.row)];
  for (const int count : times) EXPECT_EQ(count, 1);
  for (const int count : rows) EXPECT_EQ(count, 1);
}

TEST(SpmmPlan, BinsByLengthLongestFirst) {
  const graph::Csr csr = rows_of(mixed_lengths());
  const SpmmPlan plan = make_spmm_plan(csr.view(), 512);
  EXPECT_EQ(plan.long_rows.size(), 4U);
  EXPECT_EQ(plan.num_segments, 2 + 2 + 3 + 10);
  for (std::int64_t k = 0; k < plan.num_segments; ++k) {
    EXPECT_EQ(plan.tasks[static_cast<std::size_t>(k)].target, k) << "segments in order";
    EXPECT_LE(plan.tasks[static_cast<std::size_t>(k)].length, 512);
  }
  const std::int64_t first_short = plan.num_segments + plan.num_medium;
  for (std::int64_t k = plan.num_segments; k < static_cast<std::int64_t>(plan.tasks.size()); ++k) {
    const std::int32_t length = plan.tasks[static_cast<std::size_t>(k)].length;
    EXPECT_EQ(length >= SpmmPlan::kMediumRow, k < first_short);
  }
}

TEST(SpmmPlan, SegmentsOfALongRowFollowEachOther) {
  const graph::Csr csr = rows_of({3, 1300});
  const SpmmPlan plan = make_spmm_plan(csr.view(), 512);
  ASSERT_EQ(plan.long_rows.size(), 1U);
  EXPECT_EQ(plan.long_rows[0].row, 1);
  EXPECT_EQ(plan.long_rows[0].first_segment, 0);
  ASSERT_EQ(plan.long_rows[0].num_segments, 3);
  EXPECT_EQ(plan.tasks[0].begin, 3);
  EXPECT_EQ(plan.tasks[1].begin, 515);
  EXPECT_EQ(plan.tasks[2].begin, 1027);
  EXPECT_EQ(plan.tasks[2].length, 276);
}

// A small matrix has short segments, so that its longest row does not outlast the rest.
TEST(SpmmPlan, SegmentsGrowWithTheMatrix) {
  EXPECT_EQ(segment_entries(0), 64);
  EXPECT_EQ(segment_entries(200'000), 64);
  EXPECT_EQ(segment_entries(1'620'256), 192);  // Gowalla
  EXPECT_EQ(segment_entries(100'000'000), 512);
  for (std::int64_t entries = 0; entries < 6'000'000; entries += 4321) {
    EXPECT_EQ(segment_entries(entries) % 32, 0) << entries;
    EXPECT_LE(segment_entries(entries), segment_entries(entries + 4321));
  }
  const graph::Csr csr = rows_of({3, 130, 64});
  const SpmmPlan plan = make_spmm_plan(csr.view());
  ASSERT_EQ(plan.long_rows.size(), 1U);
  EXPECT_EQ(plan.long_rows[0].num_segments, 3);
  EXPECT_EQ(plan.num_medium, 1);
}

// Within a window of rows the lengths fall; equal ones stay in order. A window behind comes later.
TEST(SpmmPlan, ShortRowsAreSortedWithinWindows) {
  const graph::Csr csr = rows_of(mixed_lengths());
  const SpmmPlan plan = make_spmm_plan(csr.view());
  const auto first = static_cast<std::size_t>(plan.num_segments + plan.num_medium);
  ASSERT_LT(first + 1, plan.tasks.size());
  for (std::size_t k = first + 1; k < plan.tasks.size(); ++k) {
    const SpmmTask& a = plan.tasks[k - 1];
    const SpmmTask& b = plan.tasks[k];
    const std::int64_t window_a = a.target / SpmmPlan::kWindowRows;
    const std::int64_t window_b = b.target / SpmmPlan::kWindowRows;
    EXPECT_TRUE(window_a < window_b ||
                (window_a == window_b &&
                 (a.length > b.length || (a.length == b.length && a.target < b.target))))
        << "rows " << a.target << " and " << b.target;
  }
}

TEST(SpmmPlan, NothingAndEmptyRows) {
  EXPECT_TRUE(make_spmm_plan(rows_of({}).view()).tasks.empty());
  const SpmmPlan plan = make_spmm_plan(rows_of({0, 0}).view());
  ASSERT_EQ(plan.tasks.size(), 2U) << "empty rows still store their epilogue";
  EXPECT_EQ(plan.num_segments + plan.num_medium, 0);
}

}  // namespace
}  // namespace penchant::kernels::cuda
