// SPDX-License-Identifier: Apache-2.0
// axpby, multiply, add_bias, add_column_sums, scale_rows and add_row_dots.
#include <limits>
#include <ostream>

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

struct Shape {
  std::int64_t rows, cols;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  return out << shape.rows << " x " << shape.cols << ", seed " << shape.seed;
}

// Lengths around the vector widths; rows around the blocks of 1024 that column sums are added in.
const Shape kShapes[] = {{1, 1},  {1, 7},   {3, 8},    {5, 9},    {4, 15},   {4, 16},
                         {4, 17}, {2, 999}, {1023, 3}, {1024, 5}, {1025, 4}, {3000, 33}};

class Elementwise : public support::BackendTest {
 protected:
  /// Calls check(shape, placement) for all of them.
  template <typename Check>
  void for_each_shape(Check check) {
    for (const Shape& shape : kShapes) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(shape);
        check(shape, placement);
      }
    }
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Elementwise);

TEST_P(Elementwise, AxpbyAgreesWithTheOracle) {
  for_each_shape([&](const Shape& s, Placement placement) {
    for (const float beta : {0.0F, 1.0F, -0.3F}) {
      const Dense x = support::random_dense(s.rows, s.cols, s.seed);
      const Dense y0 = beta == 0.0F
                           ? Dense(s.rows, s.cols, std::numeric_limits<double>::quiet_NaN())
                           : support::random_dense(s.rows, s.cols, s.seed + 1);
      const Guarded<float> from(backend(), x, placement);
      const Guarded<float> y(backend(), y0, placement);
      backend().axpby(0.7F, from.view(), beta, y.view());
      EXPECT_TRUE(agrees(y.dense(), oracle::axpby(static_cast<double>(0.7F), x, beta, y0), 4,
                         origin(s.seed)));
      EXPECT_TRUE(y.intact());
    }
  });
}

TEST_P(Elementwise, AxpbyMayWorkInPlace) {
  const Dense x = support::random_dense(6, 19, 3);
  const Guarded<float> y(backend(), x);
  backend().axpby(2.0F, y.view(), -0.5F, y.view());
  EXPECT_TRUE(agrees(y.dense(), oracle::axpby(2.0, x, -0.5, x), 4, origin(3)));
}

TEST_P(Elementwise, MultiplyAgreesWithTheOracle) {
  for_each_shape([&](const Shape& s, Placement placement) {
    for (const float beta : {0.0F, 1.0F, -0.3F}) {
      const Dense x = support::random_dense(s.rows, s.cols, s.seed);
      const Dense y = support::random_dense(s.rows, s.cols, s.seed + 1);
      const Dense z0 = beta == 0.0F
                           ? Dense(s.rows, s.cols, std::numeric_limits<double>::quiet_NaN())
                           : support::random_dense(s.rows, s.cols, s.seed + 2);
      const Guarded<float> left(backend(), x, placement);
      const Guarded<float> right(backend(), y, placement);
      const Guarded<float> z(backend(), z0, placement);
      backend().multiply(0.7F, left.view(), right.view(), beta, z.view());
      EXPECT_TRUE(
          agrees(z.dense(),
                 oracle::multiply(static_cast<double>(0.7F), x, y, static_cast<double>(beta), z0),
                 4, origin(s.seed)));
      EXPECT_TRUE(z.intact());
    }
  });
}

TEST_P(Elementwise, AddBiasAgreesWithTheOracleAlsoInPlace) {
  for_each_shape([&](const Shape& s, Placement placement) {
    const Dense x = support::random_dense(s.rows, s.cols, s.seed);
    const Dense bias = support::random_dense(1, s.cols, s.seed + 1);
    const Guarded<float> from(backend(), x, placement);
    const Guarded<float> added(backend(), bias, placement);
    const Guarded<float> y(backend(), s.rows, s.cols, placement);
    backend().add_bias(from.view(), added.vector(), y.view());
    EXPECT_TRUE(agrees(y.dense(), oracle::add_bias(x, bias), 2, origin(s.seed)));
    EXPECT_TRUE(y.intact());
    backend().add_bias(from.view(), added.vector(), from.view());
    EXPECT_TRUE(same_bits(from.dense(), y.dense(), origin(s.seed))) << "in place";
    EXPECT_TRUE(from.intact());
  });
}

TEST_P(Elementwise, AddColumnSumsAccumulates) {
  for_each_shape([&](const Shape& s, Placement placement) {
    const Dense x = support::random_dense(s.rows, s.cols, s.seed);
    const Dense sums0 = support::random_dense(1, s.cols, s.seed + 1);
    const Guarded<float> from(backend(), x, placement);
    const Guarded<float> sums(backend(), sums0, placement);
    backend().add_column_sums(from.view(), sums.vector());
    EXPECT_TRUE(agrees(sums.dense(), oracle::add_column_sums(x, sums0),
                       static_cast<double>(s.rows) + 4, origin(s.seed)));
    EXPECT_TRUE(sums.intact());
  });
}

TEST_P(Elementwise, ScaleRowsAgreesWithTheOracleAlsoInPlace) {
  for_each_shape([&](const Shape& s, Placement placement) {
    const Dense x = support::random_dense(s.rows, s.cols, s.seed);
    const Dense scale = support::random_dense(1, s.rows, s.seed + 1);
    const Guarded<float> from(backend(), x, placement);
    const Guarded<float> factors(backend(), scale, placement);
    const Guarded<float> y(backend(), s.rows, s.cols, placement);
    backend().scale_rows(from.view(), factors.vector(), y.view());
    EXPECT_TRUE(agrees(y.dense(), oracle::scale_rows(x, scale), 1, origin(s.seed)));
    EXPECT_TRUE(y.intact());
    backend().scale_rows(from.view(), factors.vector(), from.view());
    EXPECT_TRUE(same_bits(from.dense(), y.dense(), origin(s.seed))) << "in place";
  });
}

TEST_P(Elementwise, AddRowDotsAccumulates) {
  for_each_shape([&](const Shape& s, Placement placement) {
    const Dense x = support::random_dense(s.rows, s.cols, s.seed);
    const Dense y = support::random_dense(s.rows, s.cols, s.seed + 1);
    const Dense dots0 = support::random_dense(1, s.rows, s.seed + 2);
    const Guarded<float> left(backend(), x, placement);
    const Guarded<float> right(backend(), y, placement);
    const Guarded<float> dots(backend(), dots0, placement);
    backend().add_row_dots(left.view(), right.view(), dots.vector());
    EXPECT_TRUE(agrees(dots.dense(), oracle::add_row_dots(x, y, dots0),
                       static_cast<double>(s.cols) + 4, origin(s.seed)));
    EXPECT_TRUE(dots.intact());
  });
}

TEST_P(Elementwise, ZeroSizesTouchNothing) {
  struct Extent {
    std::int64_t rows, cols;
  };
  for (const auto& [rows, cols] : {Extent{0, 0}, Extent{0, 5}, Extent{5, 0}}) {
    const Guarded<float> x(backend(), Dense(rows, cols, 1.0));
    const Guarded<float> y(backend(), rows, cols);
    const Guarded<float> per_row(backend(), Dense(1, rows, 2.0));
    const Guarded<float> per_col(backend(), Dense(1, cols, 2.0));
    backend().axpby(1.0F, x.view(), 1.0F, y.view());
    backend().multiply(1.0F, x.view(), x.view(), 1.0F, y.view());
    backend().add_bias(x.view(), per_col.vector(), y.view());
    backend().scale_rows(x.view(), per_row.vector(), y.view());
    backend().add_column_sums(x.view(), per_col.vector());
    backend().add_row_dots(x.view(), x.view(), per_row.vector());
    EXPECT_TRUE(y.intact());
    EXPECT_TRUE(per_row.intact());
    EXPECT_TRUE(per_col.intact());
    for (const Guarded<float>* sums : {&per_row, &per_col}) {
      for (const double value : sums->dense().values)
        EXPECT_EQ(value, 2.0) << "a sum of nothing was added";
    }
  }
}

TEST_P(Elementwise, SameBitsAtOneAndTwoThreads) {
  const Dense x = support::random_dense(5000, 37, 5);
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const Guarded<float> from(fresh, x);
    const Guarded<float> sums(fresh, Dense(1, 37));
    fresh.add_column_sums(from.view(), sums.vector());
    return sums.dense();
  });
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const Guarded<float> from(fresh, x);
    const Guarded<float> dots(fresh, Dense(1, 5000));
    fresh.add_row_dots(from.view(), from.view(), dots.vector());
    return dots.dense();
  });
}

TEST_P(Elementwise, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  const Guarded<float> three(backend(), Dense(1, 3, 1.0));
  const Guarded<float> four(backend(), Dense(1, 4, 1.0));
  EXPECT_THROW(backend().axpby(1.0F, x.view(), 0.0F, turned.view()), InputError);
  EXPECT_THROW(backend().multiply(1.0F, x.view(), turned.view(), 0.0F, x.view()), InputError);
  EXPECT_THROW(backend().multiply(1.0F, x.view(), x.view(), 0.0F, turned.view()), InputError);
  EXPECT_THROW(backend().add_bias(x.view(), four.vector(), x.view()), InputError);
  EXPECT_THROW(backend().add_bias(x.view(), three.vector(), turned.view()), InputError);
  EXPECT_THROW(backend().add_column_sums(x.view(), four.vector()), InputError);
  EXPECT_THROW(backend().scale_rows(x.view(), three.vector(), x.view()), InputError);
  EXPECT_THROW(backend().scale_rows(x.view(), four.vector(), turned.view()), InputError);
  EXPECT_THROW(backend().add_row_dots(x.view(), turned.view(), four.vector()), InputError);
  EXPECT_THROW(backend().add_row_dots(x.view(), x.view(), three.vector()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
