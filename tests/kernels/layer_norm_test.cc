// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/sequence.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

constexpr std::int64_t kLayerWidths[] = {1, 2, 7, 8, 9, 16, 17, 64, 65, 1000};

class LayerNorm : public support::BackendTest {
 protected:
  struct Gradients {
    Dense d_x, d_gain, d_bias;
  };
  Gradients backward(const Dense& unit, const Dense& inverse, const Dense& gain, const Dense& d_y,
                     const Dense& d_gain0, const Dense& d_bias0,
                     Placement placement = Placement::aligned) {
    const Guarded<float> normal(backend(), unit, placement);
    const Guarded<float> inverses(backend(), inverse, placement);
    const Guarded<float> gains(backend(), gain, placement);
    const Guarded<float> gradient(backend(), d_y, placement);
    const Guarded<float> d_x(backend(), unit.rows, unit.cols, placement);
    const Guarded<float> d_gain(backend(), d_gain0, placement);
    const Guarded<float> d_bias(backend(), d_bias0, placement);
    backend().layer_norm_backward(normal.view(), inverses.vector(), gains.vector(), gradient.view(),
                                  d_x.view(), d_gain.vector(), d_bias.vector());
    EXPECT_TRUE(d_x.intact() && d_gain.intact() && d_bias.intact());
    const Guarded<float> spare(backend(), d_gain0, placement);
    backend().layer_norm_backward(normal.view(), inverses.vector(), gains.vector(), gradient.view(),
                                  gradient.view(), spare.vector(), spare.vector());
    if (unit.rows > 0) {
      EXPECT_TRUE(same_bits(gradient.dense(), d_x.dense(), origin(0))) << "in place";
    }
    return {d_x.dense(), d_gain.dense(), d_bias.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(LayerNorm);

/// Rows of very different sizes and offsets, 1e-3 to 1e3.
Dense table(std::int64_t cols) {
  Dense x = support::random_dense(19, cols, 61);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j)
      x(i, j) =
          x(i, j) * std::pow(10.0, static_cast<double>(i) / 3.0 - 3.0) + static_cast<double>(i % 4);
  }
  return support::round_to_float(std::move(x));
}

TEST_P(LayerNorm, AgreesWithTheOracle) {
  for (const std::int64_t cols : kLayerWidths) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(cols);
      const Dense x = table(cols);
      const Dense gain = support::random_dense(1, cols, 62);
      const Dense bias = support::random_dense(1, cols, 63);
      const auto want = oracle::layer_norm(x, gain, bias);
      const Guarded<float> from(backend(), x, placement);
      const Guarded<float> gains(backend(), gain, placement);
      const Guarded<float> biases(backend(), bias, placement);
      const Guarded<float> unit(backend(), x.rows, cols, placement);
      const Guarded<float> inverse(backend(), 1, x.rows, placement);
      const Guarded<float> y(backend(), x.rows, cols, placement);
      backend().layer_norm(from.view(), gains.vector(), biases.vector(), unit.view(),
                           inverse.vector(), y.view());
      EXPECT_TRUE(agrees(unit.dense(), want.unit, 1, origin(61)));
      EXPECT_TRUE(agrees(inverse.dense(), want.inverse_deviations, 1, origin(61)));
      EXPECT_TRUE(agrees(y.dense(), want.y, 1, origin(61)));
      EXPECT_TRUE(unit.intact() && inverse.intact() && y.intact());
    }
  }
}

TEST_P(LayerNorm, BackwardAgreesWithTheOracleAlsoInPlace) {
  for (const std::int64_t cols : kLayerWidths) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(cols);
      const Dense gain = support::random_dense(1, cols, 62);
      const auto forward = oracle::layer_norm(table(cols), gain, gain);
      const Dense unit = support::round_to_float(forward.unit.value);
      const Dense inverse = support::round_to_float(forward.inverse_deviations.value);
      const Dense d_y = support::random_dense(unit.rows, cols, 64);
      const Dense d_gain0 = support::random_dense(1, cols, 65);
      const Dense d_bias0 = support::random_dense(1, cols, 66);
      const auto want = oracle::layer_norm_backward(unit, inverse, gain, d_y, d_gain0, d_bias0);
      const Gradients got = backward(unit, inverse, gain, d_y, d_gain0, d_bias0, placement);
      const double c = static_cast<double>(unit.rows) + 4;
      EXPECT_TRUE(agrees(got.d_x, want.d_x, 1, origin(64)));
      EXPECT_TRUE(agrees(got.d_gain, want.d_gain, c, origin(64)));
      EXPECT_TRUE(agrees(got.d_bias, want.d_bias, c, origin(64)));
    }
  }
}

TEST(LayerNormOracle, BackwardAgreesWithCentralDifferences) {
  Dense x = support::random_dense(3, 5, 1);
  Dense gain = support::random_dense(1, 5, 2);
  Dense bias = support::random_dense(1, 5, 3);
  const Dense d_y = support::random_dense(3, 5, 4);
  const auto forward = oracle::layer_norm(x, gain, bias);
  const auto want = oracle::layer_norm_backward(
      forward.unit.value, forward.inverse_deviations.value, gain, d_y, Dense(1, 5), Dense(1, 5));
  const auto loss = [&] {
    const Dense y = oracle::layer_norm(x, gain, bias).y.value;
    double sum = 0.0;
    for (std::size_t k = 0; k < y.values.size(); ++k) sum += y.values[k] * d_y.values[k];
    return sum;
  };
  const std::pair<Dense*, const Dense*> pairs[] = {
      {&x, &want.d_x.value}, {&gain, &want.d_gain.value}, {&bias, &want.d_bias.value}};
  for (const auto& [values, gradient] : pairs) {
    for (std::size_t k = 0; k < values->values.size(); ++k) {
      const double kept = values->values[k];
      values->values[k] = kept + 1e-5;
      const double above = loss();
      values->values[k] = kept - 1e-5;
      EXPECT_NEAR(gradient->values[k], (above - loss()) / 2e-5, 1e-6);
      values->values[k] = kept;
    }
  }
}

TEST_P(LayerNorm, AConstantRowBecomesTheBias) {
  const Guarded<float> x(backend(), Dense(2, 9, 7.0));
  const Guarded<float> gain(backend(), Dense(1, 9, 2.0));
  const Guarded<float> bias(backend(), Dense(1, 9, 0.25));
  const Guarded<float> unit(backend(), 2, 9);
  const Guarded<float> inverse(backend(), 1, 2);
  const Guarded<float> y(backend(), 2, 9);
  backend().layer_norm(x.view(), gain.vector(), bias.vector(), unit.view(), inverse.vector(),
                       y.view());
  EXPECT_TRUE(agrees(unit.dense(), Dense(2, 9), 0.0, origin(0)));
  EXPECT_TRUE(agrees(y.dense(), Dense(2, 9, 0.25), 0.0, origin(0)));
  EXPECT_TRUE(agrees(inverse.dense(), Dense(1, 2, 1.0 / std::sqrt(1e-5)), 1e-3, origin(0)));
}

TEST_P(LayerNorm, SameBitsAtOneAndTwoThreads) {
  const Dense unit = support::random_dense(2000, 33, 7);
  const Dense inverse = support::random_dense(1, 2000, 8);
  const Dense gain = support::random_dense(1, 33, 9);
  expect_same_bits_at_any_thread_count(
      [&](Backend&) { return backward(unit, inverse, gain, unit, gain, gain).d_gain; });
  expect_same_bits_at_any_thread_count(
      [&](Backend&) { return backward(unit, inverse, gain, unit, gain, gain).d_x; });
}

TEST_P(LayerNorm, ZeroSizesTouchNothing) {
  const Gradients got = backward(Dense(0, 5), Dense(1, 0), Dense(1, 5, 1.0), Dense(0, 5),
                                 Dense(1, 5, 2.0), Dense(1, 5, 3.0));
  EXPECT_TRUE(agrees(got.d_gain, Dense(1, 5, 2.0), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_bias, Dense(1, 5, 3.0), 0.0, origin(0)));
}

TEST_P(LayerNorm, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  const Guarded<float> cols(backend(), Dense(1, 3, 1.0));
  const Guarded<float> rows(backend(), Dense(1, 4, 1.0));
  const FloatView m = x.view();
  const FloatView t = turned.view();
  const VectorView<float> c = cols.vector();
  const VectorView<float> r = rows.vector();
  Backend& b = backend();
  EXPECT_NO_THROW(b.layer_norm(m, c, c, m, r, m));
  EXPECT_THROW(b.layer_norm(m, r, c, m, r, m), InputError);
  EXPECT_THROW(b.layer_norm(m, c, r, m, r, m), InputError);
  EXPECT_THROW(b.layer_norm(m, c, c, t, r, m), InputError);
  EXPECT_THROW(b.layer_norm(m, c, c, m, c, m), InputError);
  EXPECT_THROW(b.layer_norm(m, c, c, m, r, t), InputError);
  EXPECT_NO_THROW(b.layer_norm_backward(m, r, c, m, m, c, c));
  EXPECT_THROW(b.layer_norm_backward(m, c, c, m, m, c, c), InputError);
  EXPECT_THROW(b.layer_norm_backward(m, r, r, m, m, c, c), InputError);
  EXPECT_THROW(b.layer_norm_backward(m, r, c, t, m, c, c), InputError);
  EXPECT_THROW(b.layer_norm_backward(m, r, c, m, t, c, c), InputError);
  EXPECT_THROW(b.layer_norm_backward(m, r, c, m, m, r, c), InputError);
  EXPECT_THROW(b.layer_norm_backward(m, r, c, m, m, c, r), InputError);
}

}  // namespace
}  // namespace penchant::kernels
