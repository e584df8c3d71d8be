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

/// c of docs/numerics.md: eight roundings of each intermediate.
constexpr double kC = 8;

Dense squares(Dense values) {
  for (double& value : values.values) value *= value;
  return support::round_to_float(std::move(values));
}

class Adam : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Adam);

TEST_P(Adam, AgreesWithTheOracle) {
  for (const std::int64_t cols : {1, 7, 8, 9, 17, 64, 1001}) {
    for (const std::int64_t step : {1, 2, 10, 100000}) {
      for (const float l2 : {0.0F, 0.01F}) {
        for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
          SCOPED_TRACE(testing::Message() << cols << " columns, step " << step << ", l2 " << l2);
          AdamOptions options;
          options.learning_rate = 0.02F;
          options.step = step;
          options.l2 = l2;
          const Dense g = support::random_dense(3, cols, 71);
          const Dense w = support::random_dense(3, cols, 72);
          const Dense m = support::random_dense(3, cols, 73);
          const Dense v = squares(support::random_dense(3, cols, 74));
          const Guarded<float> gradient(backend(), g, placement);
          const Guarded<float> parameter(backend(), w, placement);
          const Guarded<float> first(backend(), m, placement);
          const Guarded<float> second(backend(), v, placement);
          backend().adam_step(options, gradient.view(), parameter.view(), first.view(),
                              second.view());
          const auto want = oracle::adam_step(options, g, w, m, v);
          EXPECT_TRUE(agrees(first.dense(), want.first_moment, kC, origin(71)));
          EXPECT_TRUE(agrees(second.dense(), want.second_moment, kC, origin(71)));
          EXPECT_TRUE(agrees(parameter.dense(), want.parameter, kC, origin(71)));
          EXPECT_TRUE(same_bits(gradient.dense(), g, origin(71))) << "the gradient is read only";
          EXPECT_TRUE(parameter.intact() && first.intact() && second.intact());
        }
      }
    }
  }
}

// Bias correction makes the first step learning_rate * sign(gradient), whatever the gradient's
// size.
TEST_P(Adam, FirstStepHasTheLengthOfTheLearningRate) {
  AdamOptions options;
  options.learning_rate = 0.5F;
  options.epsilon = 0.0F;
  const Guarded<float> gradient(backend(), Dense(1, 4, {1e-6, -3.0, 1e6, -1e-12}));
  const Guarded<float> parameter(backend(), Dense(1, 4));
  const Guarded<float> first(backend(), Dense(1, 4));
  const Guarded<float> second(backend(), Dense(1, 4));
  backend().adam_step(options, gradient.view(), parameter.view(), first.view(), second.view());
  EXPECT_TRUE(agrees(parameter.dense(), Dense(1, 4, {-0.5, 0.5, -0.5, 0.5}), 1e-6, origin(0)));
}

TEST_P(Adam, WithoutGradientAndMomentsNothingMoves) {
  const Dense w = support::random_dense(2, 9, 75);
  const Guarded<float> zero(backend(), Dense(2, 9));
  const Guarded<float> parameter(backend(), w);
  const Guarded<float> first(backend(), Dense(2, 9));
  const Guarded<float> second(backend(), Dense(2, 9));
  backend().adam_step({}, zero.view(), parameter.view(), first.view(), second.view());
  EXPECT_TRUE(same_bits(parameter.dense(), w, origin(75)));
}

TEST_P(Adam, ZeroSizesTouchNothing) {
  const Guarded<float> none(backend(), 0, 3);
  backend().adam_step({}, none.view(), none.view(), none.view(), none.view());
  EXPECT_TRUE(none.intact());
}

TEST_P(Adam, RefusesWhatDoesNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  EXPECT_THROW(backend().adam_step({}, turned.view(), x.view(), x.view(), x.view()), InputError);
  EXPECT_THROW(backend().adam_step({}, x.view(), x.view(), turned.view(), x.view()), InputError);
  EXPECT_THROW(backend().adam_step({}, x.view(), x.view(), x.view(), turned.view()), InputError);
  AdamOptions options;
  options.step = 0;
  EXPECT_THROW(backend().adam_step(options, x.view(), x.view(), x.view(), x.view()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
