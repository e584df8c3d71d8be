// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

class SymmetricEigen : public support::BackendTest {
 protected:
  struct Result {
    Dense values, vectors;
  };
  Result eigen(const Dense& a, Placement placement = Placement::aligned) {
    const Guarded<float> matrix(backend(), a, placement);
    const Guarded<float> values(backend(), 1, a.rows, placement);
    const Guarded<float> vectors(backend(), a.rows, a.rows, placement);
    backend().symmetric_eigen(matrix.view(), values.vector(), vectors.view());
    EXPECT_TRUE(values.intact());
    EXPECT_TRUE(vectors.intact());
    return {values.dense(), vectors.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(SymmetricEigen);

/// x x' of random numbers [n x rank]: rank-deficient below n.
Dense gram(std::int64_t n, std::int64_t rank, std::uint64_t seed) {
  const Dense x = support::random_dense(n, rank, seed);
  return oracle::gemm(false, true, 1.0, x, x, 0.0, {}).value;
}

// a v = lambda v, orthonormal v, values falling: together these determine the decomposition.
TEST_P(SymmetricEigen, DecomposesTheMatrix) {
  for (const std::int64_t n : {1, 2, 3, 15, 16, 17, 64, 130}) {
    for (const std::int64_t rank : {n, n / 2}) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(testing::Message() << n << " of rank " << rank);
        const Dense a = gram(n, rank, static_cast<std::uint64_t>(n));
        const auto [values, vectors] = eigen(a, placement);
        double norm = 0.0;
        for (std::int64_t i = 0; i < n; ++i) norm += a(i, i);
        const double tolerance = 8.0 * support::kEps * static_cast<double>(n);
        Dense scaled = vectors;
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < n; ++j) scaled(i, j) *= values(0, j);
        }
        const Dense product = oracle::gemm(false, false, 1.0, a, vectors, 0.0, {}).value;
        EXPECT_TRUE(agrees(product, scaled, tolerance * std::max(norm, 1.0), origin(1)));
        Dense identity(n, n);
        for (std::int64_t i = 0; i < n; ++i) identity(i, i) = 1.0;
        EXPECT_TRUE(agrees(oracle::gemm(true, false, 1.0, vectors, vectors, 0.0, {}).value,
                           identity, tolerance, origin(1)));
        for (std::int64_t j = 1; j < n; ++j) EXPECT_GE(values(0, j - 1), values(0, j));
      }
    }
  }
}

// [[2, 1], [1, 2]] has 3 with (1, 1) and 1 with (1, -1); what stands above the diagonal is not
// read.
TEST_P(SymmetricEigen, ByHandFromTheLowerTriangle) {
  const double half = std::sqrt(0.5);
  const auto [values, vectors] = eigen(Dense(2, 2, {2, 99, 1, 2}));
  EXPECT_TRUE(agrees(values, Dense(1, 2, {3, 1}), 4 * support::kEps, origin(0)));
  EXPECT_NEAR(vectors(0, 0) * vectors(1, 0), half * half, 4 * support::kEps);
  EXPECT_NEAR(vectors(0, 1) * vectors(1, 1), -half * half, 4 * support::kEps);
}

TEST_P(SymmetricEigen, NothingOfNothing) { eigen(Dense(0, 0)); }

TEST_P(SymmetricEigen, SameBitsAtOneAndTwoThreads) {
  const Dense a = gram(250, 250, 5);
  expect_same_bits_at_any_thread_count([&](Backend&) { return eigen(a).vectors; });
}

TEST_P(SymmetricEigen, RefusesWhatIsNotSquareOrNotFinite) {
  const Guarded<float> a(backend(), Dense(3, 3, 1.0));
  const Guarded<float> wide(backend(), Dense(3, 4, 1.0));
  const Guarded<float> values(backend(), 1, 3);
  const Guarded<float> vectors(backend(), 3, 3);
  EXPECT_NO_THROW(backend().symmetric_eigen(a.view(), values.vector(), vectors.view()));
  EXPECT_THROW(backend().symmetric_eigen(wide.view(), values.vector(), vectors.view()), InputError);
  EXPECT_THROW(backend().symmetric_eigen(a.view(), values.vector(), wide.view()), InputError);
  EXPECT_THROW(eigen(Dense(2, 2, {1, 0, std::numeric_limits<double>::quiet_NaN(), 1})), InputError);
}

}  // namespace
}  // namespace penchant::kernels
