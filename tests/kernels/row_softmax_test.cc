// SPDX-License-Identifier: Apache-2.0
#include "kernels/row_softmax.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/data.h"
#include "tests/support/dense.h"

namespace penchant::kernels {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

TEST(RowSoftmax, ExponentialsOverTheLargestOfARow) {
  constexpr std::int64_t kRows = 5;
  for (const std::int64_t cols : {1, 15, 16, 17, 1000}) {
    const support::Dense scores = support::random_dense(kRows, cols, 3);
    std::vector<float> values;
    for (std::int64_t b = 0; b < kRows; ++b) {
      for (std::int64_t i = 0; i < cols; ++i)
        values.push_back(static_cast<float>(40.0 * scores(b, i)));
    }
    graph::Csr excluded{kRows, cols, {0}, {}, {}};
    for (std::int64_t b = 0; b < kRows; ++b) {
      // Nothing, the first, every other one, all.
      for (std::int64_t i = 0; i < cols; ++i) {
        if ((b == 1 && i == 0) || (b == 2 && i % 2 == 1) || b == 3)
          excluded.columns.push_back(static_cast<graph::NodeId>(i));
      }
      excluded.offsets.push_back(static_cast<graph::EdgeOffset>(excluded.columns.size()));
    }
    std::vector<float> made = values, maxima(kRows), sums(kRows);
    exponentiate_rows({made.data(), kRows, cols, cols, Device::cpu}, excluded.view(), maxima, sums);
    for (std::int64_t b = 0; b < kRows; ++b) {
      const auto is_left_out = [&](std::int64_t i) {
        return (b == 1 && i == 0) || (b == 2 && i % 2 == 1) || b == 3;
      };
      float largest = kNothing;
      for (std::int64_t i = 0; i < cols; ++i) {
        if (!is_left_out(i))
          largest = std::max(largest, values[static_cast<std::size_t>(b * cols + i)]);
      }
      EXPECT_EQ(maxima[static_cast<std::size_t>(b)], largest);
      double sum = 0.0;
      for (std::int64_t i = 0; i < cols; ++i) {
        const auto place = static_cast<std::size_t>(b * cols + i);
        const double expected =
            is_left_out(i)
                ? 0.0
                : std::exp(static_cast<double>(values[place]) - static_cast<double>(largest));
        // The difference of two floats, then the exponential.
        const double distance = static_cast<double>(largest) - static_cast<double>(values[place]);
        EXPECT_NEAR(made[place], expected,
                    is_left_out(i) ? 0.0 : 1.2e-7 * (distance + 4.0) * expected);
        sum += expected;
      }
      EXPECT_NEAR(sums[static_cast<std::size_t>(b)], sum, 1e-5 * sum);
    }
  }
}

}  // namespace
}  // namespace penchant::kernels
