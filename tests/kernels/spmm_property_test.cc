// SPDX-License-Identifier: Apache-2.0
// What holds for every sparse product, whatever the numbers.
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using support::Values;

class SpmmProperty : public support::BackendTest {
 protected:
  Dense product(const graph::Csr& a, const Dense& x) {
    const Guarded<float> table(backend(), x);
    const Guarded<float> y(backend(), a.num_rows, x.cols);
    backend().spmm(*backend().sparse(a.view()), table.view(), y.view(), {});
    return y.dense();
  }
};
PENCHANT_INSTANTIATE_BACKENDS(SpmmProperty);

double dot(const Dense& a, const Dense& b) {
  return std::inner_product(a.values.begin(), a.values.end(), b.values.begin(), 0.0);
}

double largest_row(const graph::Csr& a) {
  std::int64_t size = 0;
  for (std::int64_t i = 0; i < a.num_rows; ++i) size = std::max(size, a.view().row_size(i));
  return static_cast<double>(size);
}

TEST_P(SpmmProperty, IdentityGivesTheTableBack) {
  for (const std::int64_t width : {1, 7, 8, 9, 64, 65}) {
    graph::Csr identity{50, 50, {}, {}, {}};
    for (NodeId i = 0; i <= 50; ++i) identity.offsets.push_back(i);
    for (NodeId i = 0; i < 50; ++i) identity.columns.push_back(i);
    const Dense x = support::random_dense(50, width, 31);
    EXPECT_TRUE(agrees(product(identity, x), x, 0.0, origin(31)));
  }
}

TEST_P(SpmmProperty, ZeroMatrixGivesZero) {
  graph::Csr stored_zeros = support::random_sparse(40, 30, 5, Values::present, 32);
  stored_zeros.values.assign(stored_zeros.values.size(), 0.0F);
  const graph::Csr nothing_stored = support::random_sparse(40, 30, 0, Values::absent, 32);
  const Dense x = support::random_dense(30, 19, 33);
  EXPECT_TRUE(agrees(product(stored_zeros, x), Dense(40, 19), 0.0, origin(32)));
  EXPECT_TRUE(agrees(product(nothing_stored, x), Dense(40, 19), 0.0, origin(32)));
}

// Small whole numbers: every sum is exact, so the fused form must give the bits of the separate
// one.
TEST_P(SpmmProperty, AddendIsAddedBeforeTheLayerSum) {
  for (const std::int64_t width : {1, 7, 8, 9, 64, 65, 130}) {
    graph::Csr a = support::random_sparse(40, 40, 5, Values::present, 41);
    for (std::size_t e = 0; e < a.values.size(); ++e) a.values[e] = static_cast<float>(e % 7) - 3;
    Dense x(40, width);
    Dense z(40, width);
    for (std::size_t k = 0; k < x.values.size(); ++k) {
      x.values[k] = static_cast<double>(k % 11) - 5;
      z.values[k] = static_cast<double>(k % 5) - 2;
    }
    const Guarded<float> table(backend(), x);
    const Guarded<float> addend(backend(), z);
    const Guarded<float> y(backend(), 40, width);
    const Guarded<float> total(backend(), Dense(40, width, 1.0));
    SpmmOptions options;
    options.alpha = 2.0F;
    options.addend = addend.view();
    options.delta = -3.0F;
    options.layer_sum = total.view();
    backend().spmm(*backend().sparse(a.view()), table.view(), y.view(), options);
    const Dense want = oracle::axpby(2.0, product(a, x), -3.0, z).value;
    EXPECT_TRUE(agrees(y.dense(), want, 0.0, origin(41))) << "width " << width;
    const Dense sum = oracle::axpby(1.0, want, 1.0, Dense(40, width, 1.0)).value;
    EXPECT_TRUE(agrees(total.dense(), sum, 0.0, origin(41))) << "width " << width;
    EXPECT_TRUE(y.intact());
  }
}

TEST_P(SpmmProperty, IsLinearInTheTable) {
  const graph::Csr a = support::random_sparse(60, 45, 8, Values::present, 34);
  const Dense x = support::random_dense(45, 33, 35);
  const Dense z = support::random_dense(45, 33, 36);
  const Dense mixed = support::round_to_float(oracle::axpby(2.0, x, -0.5, z).value);
  const Dense separate = oracle::axpby(2.0, product(a, x), -0.5, product(a, z)).value;
  // Both sides round: twice the bound of one product, on |2 x| + |z / 2|, and once more for
  // rounding the mixture.
  Dense spread = x;
  for (std::size_t k = 0; k < spread.values.size(); ++k)
    spread.values[k] = 2 * std::abs(x.values[k]) + 0.5 * std::abs(z.values[k]);
  support::Sum want = oracle::spmm(a.view(), spread);
  want.value = separate;
  EXPECT_TRUE(agrees(product(a, mixed), want, 2 * (largest_row(a) + 4) + 1, origin(34)));
}

// <A x, y> = <x, A' y>, with A' from graph::transpose.
TEST_P(SpmmProperty, TransposeIsTheAdjoint) {
  const graph::Csr a = support::random_symmetric(70, 6, 37);
  graph::Csr rectangular = a;
  rectangular.num_rows = 40;
  rectangular.offsets.resize(41);
  rectangular.columns.resize(static_cast<std::size_t>(rectangular.offsets.back()));
  rectangular.values.resize(rectangular.columns.size());
  const Dense x = support::random_dense(70, 21, 38);
  const Dense y = support::random_dense(40, 21, 39);
  const double left = dot(product(rectangular, x), y);
  const double right = dot(x, product(graph::transpose(rectangular.view()), y));
  const support::Sum magnitude = oracle::spmm(rectangular.view(), x);
  double terms = 0.0;
  for (std::size_t k = 0; k < y.values.size(); ++k)
    terms += magnitude.magnitude.values[k] * std::abs(y.values[k]);
  EXPECT_LE(std::abs(left - right), 2 * (largest_row(a) + 4) * support::kEps * terms);
  EXPECT_GT(std::abs(left), 100 * support::kEps * terms) << "the sum must not vanish by itself";
}

TEST_P(SpmmProperty, RelabellingNodesCommutes) {
  constexpr std::int64_t kNodes = 80;
  const graph::Csr a = support::random_symmetric(kNodes, 7, 40);
  const Dense x = support::random_dense(kNodes, 17, 41);
  const auto moved = [](std::int64_t node) {
    return (node * 27 + 5) % kNodes;
  };  // 27 and 80 share no factor
  std::vector<graph::Entry> entries;
  Dense moved_x(kNodes, 17);
  for (std::int64_t i = 0; i < kNodes; ++i) {
    for (std::int64_t k = 0; k < a.view().row_size(i); ++k) {
      const auto place = static_cast<std::size_t>(k);
      entries.push_back({static_cast<NodeId>(moved(i)),
                         static_cast<NodeId>(moved(a.view().row(i)[place])),
                         a.view().row_values(i)[place]});
    }
    for (std::int64_t j = 0; j < 17; ++j) moved_x(moved(i), j) = x(i, j);
  }
  const Dense moved_y = product(graph::csr_from_entries(kNodes, kNodes, entries), moved_x);
  Dense got(kNodes, 17);
  for (std::int64_t i = 0; i < kNodes; ++i) {
    for (std::int64_t j = 0; j < 17; ++j) got(i, j) = moved_y(moved(i), j);
  }
  support::Sum want = oracle::spmm(a.view(), x);
  want.value = product(a, x);
  EXPECT_TRUE(agrees(got, want, 2 * (largest_row(a) + 4), origin(40)));
}

TEST_P(SpmmProperty, RepeatedColumnsAddUp) {
  const graph::Csr repeated{1, 2, {0, 4}, {0, 0, 1, 1}, {0.5F, 0.25F, 2.0F, -1.0F}};
  const graph::Csr merged{1, 2, {0, 2}, {0, 1}, {0.75F, 1.0F}};
  const Dense x = support::random_integers(2, 20, 42);
  EXPECT_TRUE(agrees(product(repeated, x), product(merged, x), 0.0, origin(42)));
}

// A row's bits depend on its own entries only, not on the rows around it: what batches of rows rely
// on.
TEST_P(SpmmProperty, ARowAloneHasTheSameBits) {
  const graph::Csr a = support::random_sparse(200, 60, 12, Values::present, 43);
  const Dense x = support::random_dense(60, 45, 44);
  const Dense all = product(a, x);
  for (const std::int64_t row : {0, 99, 199}) {
    const auto columns = a.view().row(row);
    const auto values = a.view().row_values(row);
    const graph::Csr alone{1,
                           60,
                           {0, a.view().row_size(row)},
                           {columns.begin(), columns.end()},
                           {values.begin(), values.end()}};
    Dense want(1, 45);
    for (std::int64_t j = 0; j < 45; ++j) want(0, j) = all(row, j);
    EXPECT_TRUE(same_bits(product(alone, x), want, origin(43)));
  }
}

}  // namespace
}  // namespace penchant::kernels
