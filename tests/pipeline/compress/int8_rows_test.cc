// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/int8_rows.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

kernels::ConstFloatView view_of(const std::vector<float>& values, std::int64_t cols) {
  return {values.data(), static_cast<std::int64_t>(values.size()) / cols, cols, cols,
          kernels::Device::cpu};
}

TEST(Int8Rows, AScaleForEachColumnByHand) {
  // The largest of column 0 is 2.54 (scale 0.02), of column 1 1.27 (scale 0.01), of column 2 none.
  const std::vector<float> values = {2.54F, -1.27F, 0.0F, -1.0F, 0.5F, 0.0F};
  const Int8Rows rows = int8_by_column(view_of(values, 3));
  EXPECT_EQ(rows.values, (std::vector<std::int8_t>{127, -127, 0, -50, 50, 0}));
  ASSERT_EQ(rows.scales.size(), 3U);
  EXPECT_FLOAT_EQ(rows.scales[0], 0.02F);
  EXPECT_FLOAT_EQ(rows.scales[1], 0.01F);
  EXPECT_EQ(rows.scales[2], 0.0F);
}

TEST(Int8Rows, AScaleForEachRowGivesTheNumbersBack) {
  const std::vector<float> values = {2.54F, -0.02F, 1.0F, 0.0F, 0.0F, 0.0F};
  const Int8Rows rows = int8_by_row(view_of(values, 3));
  EXPECT_EQ(rows.values, (std::vector<std::int8_t>{127, -1, 50, 0, 0, 0}));
  std::vector<float> back(6, NAN);
  floats_by_row(rows, {back.data(), 2, 3, 3, kernels::Device::cpu});
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_NEAR(back[i], values[i], 1e-6) << i;
}

// A scale whose inverse is not finite would make NaN of zeros.
TEST(Int8Rows, NumbersBelowAllScalesBecomeZero) {
  const std::vector<float> values = {1e-42F, -1e-42F};
  EXPECT_EQ(int8_by_column(view_of(values, 1)).values, (std::vector<std::int8_t>{0, 0}));
  EXPECT_EQ(int8_by_row(view_of(values, 1)).scales, (std::vector<float>{0.0F, 0.0F}));
}

TEST(Int8Rows, NoRowsAreNone) {
  const std::vector<float> none;
  EXPECT_TRUE(int8_by_column(view_of(none, 4)).values.empty());
  EXPECT_TRUE(int8_by_row(view_of(none, 4)).scales.empty());
}

}  // namespace
}  // namespace penchant::pipeline
