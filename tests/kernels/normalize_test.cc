// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/elementwise.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

constexpr std::int64_t kRowWidths[] = {1, 7, 8, 9, 16, 17, 64, 65, 1000};

class Normalize : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Normalize);

/// Rows of very different lengths, 1e-9 to 1e9.
Dense far_apart(std::int64_t cols) {
  Dense x = support::random_dense(19, cols, 61);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) x(i, j) *= std::pow(10.0, static_cast<double>(i) - 9.0);
  }
  return support::round_to_float(std::move(x));
}

TEST_P(Normalize, AgreesWithTheOracleAlsoInPlace) {
  for (const std::int64_t cols : kRowWidths) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(cols);
      const Dense x = far_apart(cols);
      const auto want = oracle::normalize_rows(x);
      const Guarded<float> from(backend(), x, placement);
      const Guarded<float> y(backend(), x.rows, cols, placement);
      const Guarded<float> inverse(backend(), 1, x.rows, placement);
      backend().normalize_rows(from.view(), y.view(), inverse.vector());
      EXPECT_TRUE(agrees(y.dense(), want.y, static_cast<double>(cols) + 4, origin(61)));
      EXPECT_TRUE(
          agrees(inverse.dense(), want.inverse_norms, static_cast<double>(cols) + 4, origin(61)));
      EXPECT_TRUE(y.intact());
      EXPECT_TRUE(inverse.intact());
      backend().normalize_rows(from.view(), from.view(), inverse.vector());
      EXPECT_TRUE(same_bits(from.dense(), y.dense(), origin(61))) << "in place";
    }
  }
}

TEST_P(Normalize, AZeroRowStaysZero) {
  const Guarded<float> x(backend(), Dense(2, 9));
  const Guarded<float> y(backend(), 2, 9);
  const Guarded<float> inverse(backend(), 1, 2);
  backend().normalize_rows(x.view(), y.view(), inverse.vector());
  EXPECT_TRUE(agrees(y.dense(), Dense(2, 9), 0.0, origin(0)));
  EXPECT_TRUE(agrees(inverse.dense(), Dense(1, 2, 1e12), 1e6, origin(0)));
}

TEST_P(Normalize, BackwardAgreesWithTheOracleAlsoInPlace) {
  for (const std::int64_t cols : kRowWidths) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(cols);
      const Dense x = far_apart(cols);
      const Dense d_y = support::random_dense(x.rows, cols, 62);
      const auto forward = oracle::normalize_rows(x);
      const Guarded<float> y(backend(), support::round_to_float(forward.y.value), placement);
      const Guarded<float> inverse(backend(), support::round_to_float(forward.inverse_norms.value),
                                   placement);
      const Guarded<float> gradient(backend(), d_y, placement);
      const Guarded<float> d_x(backend(), x.rows, cols, placement);
      backend().normalize_rows_backward(y.view(), inverse.vector(), gradient.view(), d_x.view());
      EXPECT_TRUE(agrees(d_x.dense(), oracle::normalize_rows_backward(x, d_y),
                         static_cast<double>(cols) + 8, origin(62)));
      EXPECT_TRUE(d_x.intact());
      backend().normalize_rows_backward(y.view(), inverse.vector(), gradient.view(),
                                        gradient.view());
      EXPECT_TRUE(same_bits(gradient.dense(), d_x.dense(), origin(62))) << "in place";
    }
  }
}

TEST_P(Normalize, ZeroSizesTouchNothing) {
  const Guarded<float> none(backend(), 0, 4);
  const Guarded<float> no_norms(backend(), 1, 0);
  backend().normalize_rows(none.view(), none.view(), no_norms.vector());
  backend().normalize_rows_backward(none.view(), no_norms.vector(), none.view(), none.view());
  EXPECT_TRUE(none.intact());
  EXPECT_TRUE(no_norms.intact());
}

TEST_P(Normalize, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  const Guarded<float> three(backend(), Dense(1, 3, 1.0));
  const Guarded<float> four(backend(), Dense(1, 4, 1.0));
  EXPECT_THROW(backend().normalize_rows(x.view(), turned.view(), four.vector()), InputError);
  EXPECT_THROW(backend().normalize_rows(x.view(), x.view(), three.vector()), InputError);
  EXPECT_THROW(backend().normalize_rows_backward(x.view(), three.vector(), x.view(), x.view()),
               InputError);
  EXPECT_THROW(backend().normalize_rows_backward(x.view(), four.vector(), turned.view(), x.view()),
               InputError);
  EXPECT_THROW(backend().normalize_rows_backward(x.view(), four.vector(), x.view(), turned.view()),
               InputError);
}

}  // namespace
}  // namespace penchant::kernels
