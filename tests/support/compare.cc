// SPDX-License-Identifier: Apache-2.0
#include "tests/support/compare.h"

#include <bit>
#include <cmath>
#include <limits>

namespace penchant::support {

namespace {

constexpr int kMaxOffenders = 5;

testing::AssertionResult shape_verdict(const Dense& got, const Dense& want, const Origin& origin) {
  if (got.rows != want.rows || got.cols != want.cols) {
    return testing::AssertionFailure()
           << "backend " << origin.backend << ", seed " << origin.seed << ": shape " << got.rows
           << " x " << got.cols << ", expected " << want.rows << " x " << want.cols;
  }
  if (got.values.empty()) {
    return testing::AssertionFailure()
           << "backend " << origin.backend << ", seed " << origin.seed << ": nothing was compared";
  }
  return testing::AssertionSuccess();
}

/// accept(i, j) decides on one element, describe(stream, i, j) adds to the message of a refused
/// one.
template <typename Accept, typename Describe>
testing::AssertionResult judge(const Dense& got, const Dense& want, const Origin& origin,
                               Accept accept, Describe describe) {
  if (testing::AssertionResult shape = shape_verdict(got, want, origin); !shape) return shape;
  testing::AssertionResult failure = testing::AssertionFailure();
  failure << "backend " << origin.backend << ", seed " << origin.seed;
  std::int64_t offenders = 0;
  for (std::int64_t i = 0; i < want.rows; ++i) {
    for (std::int64_t j = 0; j < want.cols; ++j) {
      if (accept(i, j)) continue;
      if (++offenders > kMaxOffenders) continue;
      failure << "\n  (" << i << ", " << j << "): got " << testing::PrintToString(got(i, j))
              << ", want " << testing::PrintToString(want(i, j));
      describe(failure, i, j);
    }
  }
  if (offenders == 0) return testing::AssertionSuccess();
  return failure << "\n  " << offenders << " of " << want.values.size() << " elements differ";
}

}  // namespace

testing::AssertionResult agrees(const Dense& got, const Dense& want, const Dense& tolerance,
                                const Origin& origin) {
  if (tolerance.rows != want.rows || tolerance.cols != want.cols)
    return testing::AssertionFailure() << "the tolerance has another shape";
  const auto accept = [&](std::int64_t i, std::int64_t j) {
    return std::isfinite(tolerance(i, j)) &&
           (got(i, j) == want(i, j) || std::abs(got(i, j) - want(i, j)) <= tolerance(i, j));
  };
  return judge(got, want, origin, accept,
               [&](testing::AssertionResult& message, std::int64_t i, std::int64_t j) {
                 message << ", differ by " << std::abs(got(i, j) - want(i, j)) << ", tolerance "
                         << tolerance(i, j);
               });
}

testing::AssertionResult agrees(const Dense& got, const Dense& want, double tolerance,
                                const Origin& origin) {
  return agrees(got, want, Dense(want.rows, want.cols, tolerance), origin);
}

testing::AssertionResult agrees(const Dense& got, const Sum& want, double c, const Origin& origin) {
  return agrees(got, want, std::vector<double>(static_cast<std::size_t>(want.value.rows), c),
                origin);
}

testing::AssertionResult agrees(const Dense& got, const Sum& want,
                                const std::vector<double>& c_of_row, const Origin& origin) {
  Dense tolerance = want.magnitude;
  for (std::int64_t i = 0; i < tolerance.rows; ++i) {
    for (std::int64_t j = 0; j < tolerance.cols; ++j) {
      tolerance(i, j) = c_of_row[static_cast<std::size_t>(i)] * kEps * tolerance(i, j) +
                        std::numeric_limits<float>::min();
    }
  }
  return agrees(got, want.value, tolerance, origin);
}

testing::AssertionResult same_bits(const Dense& got, const Dense& want, const Origin& origin) {
  const auto accept = [&](std::int64_t i, std::int64_t j) {
    return std::bit_cast<std::uint64_t>(got(i, j)) == std::bit_cast<std::uint64_t>(want(i, j));
  };
  return judge(got, want, origin, accept,
               [](testing::AssertionResult&, std::int64_t, std::int64_t) {});
}

}  // namespace penchant::support
