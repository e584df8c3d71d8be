// SPDX-License-Identifier: Apache-2.0
// Comparison in accept form: an element passes only if it equals what is wanted or |got - want| <=
// tolerance. NaN, an infinity that is not wanted, another shape, an empty comparison and a
// tolerance that is not finite all fail. compare_test.cc proves it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/dense.h"

namespace penchant::support {

/// Printed with a failure, so that the run can be repeated.
struct Origin {
  std::string backend;
  std::uint64_t seed = 0;
};

/// Unit roundoff of float32.
inline constexpr double kEps = 0x1p-24;

testing::AssertionResult agrees(const Dense& got, const Dense& want, const Dense& tolerance,
                                const Origin& origin);
testing::AssertionResult agrees(const Dense& got, const Dense& want, double tolerance,
                                const Origin& origin);
/// Tolerance c * eps * magnitude, plus the smallest normal float32: what underflows may be lost.
testing::AssertionResult agrees(const Dense& got, const Sum& want, double c, const Origin& origin);
/// The same with one c for each row.
testing::AssertionResult agrees(const Dense& got, const Sum& want,
                                const std::vector<double>& c_of_row, const Origin& origin);
/// Every element has the same bits, shape included; empty fails.
testing::AssertionResult same_bits(const Dense& got, const Dense& want, const Origin& origin);

}  // namespace penchant::support
