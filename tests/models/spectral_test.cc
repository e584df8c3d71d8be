// SPDX-License-Identifier: Apache-2.0
#include "models/spectral.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/models/model_data.h"
#include "tests/oracle/filter.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"

namespace penchant::models {
namespace {

using support::Dense;

class LeadingSingularVectors : public support::BackendTest {
 protected:
  struct Result {
    Dense squared, vectors;
  };
  Result leading(const graph::Csr& matrix, std::int64_t rank, std::uint64_t seed = 7) {
    const graph::Csr transposed = graph::transpose(matrix.view());
    const auto sparse = backend().sparse(matrix.view());
    const auto sparse_transposed = backend().sparse(transposed.view());
    const SingularVectors found =
        leading_singular_vectors(*sparse, *sparse_transposed, rank, graph::Seed{seed}, backend());
    Result result{Dense(1, static_cast<std::int64_t>(found.squared.size())),
                  download(backend(), found.vectors.view())};
    for (std::size_t j = 0; j < found.squared.size(); ++j)
      result.squared.values[j] = static_cast<double>(found.squared[j]);
    return result;
  }
};
PENCHANT_INSTANTIATE_BACKENDS(LeadingSingularVectors);

/// A normalised random bipartite graph: singular values in [0, 1], the largest is 1.
graph::Csr normalized_graph(std::int64_t rows, std::int64_t cols, std::int64_t mean,
                            std::uint64_t seed) {
  graph::Csr sets = support::random_sets(rows, cols, mean, seed);
  const Dense values = oracle::normalized(oracle::to_dense(sets.view()));
  sets.values.clear();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (const graph::NodeId column : sets.view().row(row))
      sets.values.push_back(static_cast<float>(values(row, column)));
  }
  return sets;
}

Dense gram(const Dense& a) { return oracle::gemm(true, false, 1.0, a, a, 0.0, {}).value; }

Dense identity(std::int64_t n) {
  Dense one(n, n);
  for (std::int64_t i = 0; i < n; ++i) one(i, i) = 1.0;
  return one;
}

TEST_P(LeadingSingularVectors, AgreeWithJacobi) {
  struct Case {
    std::int64_t rows, cols, mean, rank;
  };
  for (const Case& c :
       {Case{9, 6, 3, 1}, Case{30, 40, 6, 5}, Case{60, 25, 5, 12}, Case{150, 90, 8, 20}}) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.cols << ", rank " << c.rank);
    const graph::Csr matrix = normalized_graph(c.rows, c.cols, c.mean, 3);
    const Dense p = gram(oracle::to_dense(matrix.view()));
    const oracle::Eigen want = oracle::symmetric_eigen(p);
    const Result got = leading(matrix, c.rank);
    ASSERT_EQ(got.vectors.cols, c.rank);
    Dense leading_values(1, c.rank);
    for (std::int64_t j = 0; j < c.rank; ++j) leading_values(0, j) = want.values(0, j);
    EXPECT_TRUE(agrees(got.squared, leading_values, 2e-3, origin(3)));
    EXPECT_TRUE(agrees(gram(got.vectors), identity(c.rank), 1e-5, origin(3)));
    // x' P x is the eigenvalue: together with the line above the vectors span the right space.
    const Dense moved = oracle::gemm(false, false, 1.0, p, got.vectors, 0.0, {}).value;
    const Dense form = oracle::gemm(true, false, 1.0, got.vectors, moved, 0.0, {}).value;
    Dense diagonal(c.rank, c.rank);
    for (std::int64_t j = 0; j < c.rank; ++j) diagonal(j, j) = leading_values(0, j);
    EXPECT_TRUE(agrees(form, diagonal, 2e-3, origin(3)));
  }
}

// Three equal blocks of users who share all items: rank 3, whatever is asked for.
TEST_P(LeadingSingularVectors, OfADeficientMatrixAreAsManyAsItsRank) {
  graph::Csr blocks{30, 24, {0}, {}, {}};
  for (graph::NodeId user = 0; user < 30; ++user) {
    for (graph::NodeId item = 0; item < 8; ++item) blocks.columns.push_back(user / 10 * 8 + item);
    blocks.offsets.push_back(static_cast<graph::EdgeOffset>(blocks.columns.size()));
  }
  blocks.values.assign(blocks.columns.size(), 1.0F / std::sqrt(80.0F));
  for (const std::int64_t rank : {3, 4, 20, 500}) {
    const Result got = leading(blocks, rank);
    EXPECT_TRUE(agrees(got.squared, Dense(1, 3, 1.0), 1e-5, origin(7))) << rank;
    EXPECT_TRUE(agrees(gram(got.vectors), identity(3), 1e-5, origin(7))) << rank;
  }
  EXPECT_EQ(leading(blocks, 2).vectors.cols, 2);
}

TEST_P(LeadingSingularVectors, OfNothingAreNone) {
  EXPECT_EQ(leading(normalized_graph(9, 6, 3, 1), 0).vectors.cols, 0);
  const Result none = leading(graph::Csr{3, 4, {0, 0, 0, 0}, {}, {}}, 2);
  EXPECT_EQ(none.vectors.cols, 0);
  EXPECT_EQ(none.vectors.rows, 4);
}

TEST_P(LeadingSingularVectors, SameBitsAtOneAndTwoThreads) {
  const graph::Csr matrix = normalized_graph(150, 90, 8, 5);
  expect_same_bits_at_any_thread_count(
      [&](kernels::Backend&) { return leading(matrix, 20).vectors; });
}

class LeadingFactors : public support::BackendTest {
 protected:
  struct Result {
    Dense left, right;
  };
  Result leading(const Dense& x, const Dense& y, std::int64_t width) {
    kernels::FloatMatrix on_device_x = backend().matrix<float>(x.rows, x.cols);
    kernels::FloatMatrix on_device_y = backend().matrix<float>(y.rows, y.cols);
    upload(backend(), x, on_device_x.view());
    upload(backend(), y, on_device_y.view());
    const Factors found = leading_factors(on_device_x.view(), on_device_y.view(), width, backend());
    return {download(backend(), found.left.view()), download(backend(), found.right.view())};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(LeadingFactors);

Dense product(const Dense& x, const Dense& y) {
  return oracle::gemm(false, true, 1.0, x, y, 0.0, {}).value;
}

// The best approximation of a rank is the projection on the leading eigenvectors of P' P.
TEST_P(LeadingFactors, AreTheBestOfTheirRank) {
  const Dense x = support::random_dense(40, 6, 3);
  const Dense y = support::random_dense(31, 6, 4);
  const Dense whole = product(x, y);
  const oracle::Eigen eigen = oracle::symmetric_eigen(gram(whole));
  for (const std::int64_t width : {1, 3, 6, 9}) {
    SCOPED_TRACE(width);
    const std::int64_t kept = std::min<std::int64_t>(width, 6);
    Dense axes(31, kept);
    for (std::int64_t i = 0; i < 31; ++i) {
      for (std::int64_t j = 0; j < kept; ++j) axes(i, j) = eigen.vectors(i, j);
    }
    const Dense projected = oracle::gemm(false, false, 1.0, whole, axes, 0.0, {}).value;
    const Result got = leading(x, y, width);
    ASSERT_EQ(got.left.cols, kept);
    ASSERT_EQ(got.right.cols, kept);
    EXPECT_TRUE(agrees(product(got.left, got.right), product(projected, axes),
                       1e-4 * support::largest(whole), origin(3)));
    Dense roots(kept, kept);  // the singular values on either side
    for (std::int64_t j = 0; j < kept; ++j) roots(j, j) = std::sqrt(eigen.values(0, j));
    EXPECT_TRUE(agrees(gram(got.left), roots, 1e-4 * roots(0, 0), origin(3)));
    EXPECT_TRUE(agrees(gram(got.right), roots, 1e-4 * roots(0, 0), origin(3)));
  }
}

TEST_P(LeadingFactors, AreAsManyAsTheRank) {
  Dense x = support::random_dense(40, 5, 3);
  const Dense y = support::random_dense(31, 5, 4);
  for (std::int64_t i = 0; i < x.rows; ++i) x(i, 4) = x(i, 0) - 2.0 * x(i, 3);
  const Result got = leading(x, y, 5);
  EXPECT_EQ(got.left.cols, 4);
  EXPECT_TRUE(agrees(product(got.left, got.right), product(x, y),
                     1e-4 * support::largest(product(x, y)), origin(3)));
  EXPECT_EQ(leading(Dense(40, 5), y, 5).left.cols, 0);
  EXPECT_EQ(leading(Dense(40, 0), Dense(31, 0), 5).left.cols, 0);
}

}  // namespace
}  // namespace penchant::models
