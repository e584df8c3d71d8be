// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

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

constexpr Activation kAll[] = {Activation::identity, Activation::relu, Activation::leaky_relu,
                               Activation::sigmoid, Activation::tanh};

class ActivationOp : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(ActivationOp);

/// Arguments from -30 to 30 with zeros among them.
Dense arguments(std::int64_t rows, std::int64_t cols) {
  Dense x = support::random_dense(rows, cols, 51);
  for (std::size_t k = 0; k < x.values.size(); ++k)
    x.values[k] *= k % 3 == 0 ? 30.0 : k % 7 == 0 ? 0.0 : 2.0;
  return support::round_to_float(std::move(x));
}

/// Relative 1e-6 of the value.
Dense relative(Dense want) {
  for (double& value : want.values)
    value = 1e-6 * std::abs(value) + std::numeric_limits<float>::min();
  return want;
}

TEST_P(ActivationOp, AgreesWithTheOracleAlsoInPlace) {
  for (const Activation act : kAll) {
    for (const std::int64_t cols : {1, 7, 8, 9, 33, 1000}) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(testing::Message()
                     << "activation " << static_cast<int>(act) << ", " << cols << " columns");
        const Dense x = arguments(5, cols);
        const Dense want = oracle::activation(act, x);
        const Guarded<float> from(backend(), x, placement);
        const Guarded<float> y(backend(), 5, cols, placement);
        backend().activation(act, from.view(), y.view());
        EXPECT_TRUE(agrees(y.dense(), want, relative(want), origin(51)));
        EXPECT_TRUE(y.intact());
        backend().activation(act, from.view(), from.view());
        EXPECT_TRUE(same_bits(from.dense(), y.dense(), origin(51))) << "in place";
      }
    }
  }
}

// The op has only y = act(x): the slope that it can know is that at the rounded y, so the bound
// takes one rounding of y with it.
TEST_P(ActivationOp, BackwardAgreesWithTheOracleAlsoInPlace) {
  for (const Activation act : kAll) {
    for (const std::int64_t cols : {1, 7, 8, 9, 33, 1000}) {
      SCOPED_TRACE(testing::Message()
                   << "activation " << static_cast<int>(act) << ", " << cols << " columns");
      const Dense x = arguments(5, cols);
      const Dense d_y = support::random_dense(5, cols, 52);
      Dense want = d_y;
      Dense tolerance = d_y;
      for (std::size_t k = 0; k < x.values.size(); ++k) {
        want.values[k] *= oracle::slope(act, x.values[k]);
        tolerance.values[k] =
            std::abs(d_y.values[k]) * (8 * support::kEps + 1e-6 * oracle::slope(act, x.values[k]));
      }
      const Guarded<float> y(backend(), support::round_to_float(oracle::activation(act, x)));
      const Guarded<float> gradient(backend(), d_y);
      const Guarded<float> d_x(backend(), 5, cols);
      backend().activation_backward(act, y.view(), gradient.view(), d_x.view());
      EXPECT_TRUE(agrees(d_x.dense(), want, tolerance, origin(52)));
      EXPECT_TRUE(d_x.intact());
      backend().activation_backward(act, y.view(), gradient.view(), gradient.view());
      EXPECT_TRUE(same_bits(gradient.dense(), d_x.dense(), origin(52))) << "in place";
    }
  }
}

TEST_P(ActivationOp, ExtremeArgumentsSaturate) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const Dense x(1, 6, {-kInf, -1000, -100, 100, 1000, kInf});
  const Guarded<float> from(backend(), x);
  const Guarded<float> y(backend(), 1, 6);
  backend().activation(Activation::sigmoid, from.view(), y.view());
  EXPECT_TRUE(agrees(y.dense(), Dense(1, 6, {0, 0, 0, 1, 1, 1}), 1e-37, origin(0)));
  backend().activation(Activation::tanh, from.view(), y.view());
  EXPECT_TRUE(agrees(y.dense(), Dense(1, 6, {-1, -1, -1, 1, 1, 1}), 0.0, origin(0)));
}

// A diverged model must stay visible: no activation turns NaN into a number.
TEST_P(ActivationOp, NanStaysNan) {
  for (const Activation act :
       {Activation::identity, Activation::leaky_relu, Activation::sigmoid, Activation::tanh}) {
    const Guarded<float> x(backend(), 1, 9);
    backend().activation(act, x.view(), x.view());
    for (const double value : x.dense().values)
      EXPECT_TRUE(std::isnan(value)) << "activation " << static_cast<int>(act);
  }
}

TEST_P(ActivationOp, ZeroSizesTouchNothing) {
  const Guarded<float> none(backend(), 0, 4);
  backend().activation(Activation::tanh, none.view(), none.view());
  backend().activation_backward(Activation::tanh, none.view(), none.view(), none.view());
  EXPECT_TRUE(none.intact());
}

TEST_P(ActivationOp, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  EXPECT_THROW(backend().activation(Activation::relu, x.view(), turned.view()), InputError);
  EXPECT_THROW(backend().activation_backward(Activation::relu, x.view(), turned.view(), x.view()),
               InputError);
  EXPECT_THROW(backend().activation_backward(Activation::relu, x.view(), x.view(), turned.view()),
               InputError);
}

}  // namespace
}  // namespace penchant::kernels
