// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/loss.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

class Bpr : public support::BackendTest {
 protected:
  struct Result {
    Dense losses, d_users, d_positives, d_negatives;
  };
  Result bpr(const Dense& users, const Dense& positives, const Dense& negatives,
             Placement placement = Placement::aligned) {
    const Guarded<float> u(backend(), users, placement);
    const Guarded<float> p(backend(), positives, placement);
    const Guarded<float> n(backend(), negatives, placement);
    const Guarded<float> losses(backend(), 1, users.rows, placement);
    const Guarded<float> d_u(backend(), users.rows, users.cols, placement);
    const Guarded<float> d_p(backend(), users.rows, users.cols, placement);
    const Guarded<float> d_n(backend(), users.rows, users.cols, placement);
    backend().bpr(u.view(), p.view(), n.view(), losses.vector(), d_u.view(), d_p.view(),
                  d_n.view());
    EXPECT_TRUE(losses.intact() && d_u.intact() && d_p.intact() && d_n.intact());
    return {losses.dense(), d_u.dense(), d_p.dense(), d_n.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Bpr);

Dense scaled(Dense values, double factor) {
  for (double& value : values.values) value *= factor;
  return support::round_to_float(std::move(values));
}

TEST_P(Bpr, AgreesWithTheOracle) {
  for (const std::int64_t batch : {1, 2, 63, 500}) {
    for (const std::int64_t width : {1, 7, 8, 9, 33, 64}) {
      for (const double scale : {0.01, 1.0, 20.0}) {  // from scores near 0 to saturated ones
        SCOPED_TRACE(testing::Message() << "B " << batch << ", D " << width << ", scale " << scale);
        const Dense users = scaled(support::random_dense(batch, width, 81), scale);
        const Dense positives = support::random_dense(batch, width, 82);
        const Dense negatives = support::random_dense(batch, width, 83);
        const auto want = oracle::bpr(users, positives, negatives);
        const double c = static_cast<double>(width) + 16;
        for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
          const Result got = bpr(users, positives, negatives, placement);
          EXPECT_TRUE(agrees(got.losses, want.losses, c, origin(81))) << "losses";
          EXPECT_TRUE(agrees(got.d_users, want.d_users, c, origin(81))) << "d_users";
          EXPECT_TRUE(agrees(got.d_positives, want.d_positives, c, origin(81))) << "d_positives";
          EXPECT_TRUE(agrees(got.d_negatives, want.d_negatives, c, origin(81))) << "d_negatives";
        }
      }
    }
  }
}

// u = 2, p = 3, n = 1: x = 4, loss = log(1 + e^-4) = 0.01814993, g = -1 / (1 + e^4) = -0.01798621;
// d_u = 2 g, d_p = 2 g, d_n = -2 g.
TEST_P(Bpr, OneTripleByHand) {
  const Result got = bpr(Dense(1, 1, 2.0), Dense(1, 1, 3.0), Dense(1, 1, 1.0));
  EXPECT_NEAR(got.losses(0, 0), 0.01814993, 1e-8);
  EXPECT_NEAR(got.d_users(0, 0), -0.03597242, 1e-8);
  EXPECT_NEAR(got.d_positives(0, 0), -0.03597242, 1e-8);
  EXPECT_NEAR(got.d_negatives(0, 0), 0.03597242, 1e-8);
}

TEST_P(Bpr, ExtremeScoresNeitherOverflowNorVanish) {
  const Result got = bpr(Dense(2, 1, {1000, -1000}), Dense(2, 1, 1.0), Dense(2, 1, -1.0));
  EXPECT_TRUE(agrees(got.losses, Dense(1, 2, {0, 2000}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_users, Dense(2, 1, {0, -1}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_positives, Dense(2, 1, {0, 500}), 0.0, origin(0)));
}

TEST_P(Bpr, EqualItemsCostLogTwo) {
  const Dense item = support::random_dense(5, 12, 84);
  const Result got = bpr(support::random_dense(5, 12, 85), item, item);
  EXPECT_TRUE(agrees(got.losses, Dense(1, 5, std::log(2.0)), 1e-7, origin(84)));
  EXPECT_TRUE(agrees(got.d_users, Dense(5, 12), 0.0, origin(84)));
}

TEST_P(Bpr, ZeroSizesTouchNothing) { bpr(Dense(0, 8), Dense(0, 8), Dense(0, 8)); }

TEST_P(Bpr, SameBitsAtOneAndTwoThreads) {
  const Dense users = support::random_dense(900, 33, 86);
  expect_same_bits_at_any_thread_count([&](Backend&) {
    return bpr(users, support::random_dense(900, 33, 87), support::random_dense(900, 33, 88))
        .d_users;
  });
}

TEST_P(Bpr, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> odd(backend(), Dense(5, 3, 1.0));
  const Guarded<float> losses(backend(), 1, 4);
  const Guarded<float> few(backend(), 1, 3);
  const FloatView v = x.view();
  const FloatView w = odd.view();
  EXPECT_NO_THROW(backend().bpr(v, v, v, losses.vector(), v, v, v));
  EXPECT_THROW(backend().bpr(v, w, v, losses.vector(), v, v, v), InputError);
  EXPECT_THROW(backend().bpr(v, v, w, losses.vector(), v, v, v), InputError);
  EXPECT_THROW(backend().bpr(v, v, v, few.vector(), v, v, v), InputError);
  EXPECT_THROW(backend().bpr(v, v, v, losses.vector(), w, v, v), InputError);
  EXPECT_THROW(backend().bpr(v, v, v, losses.vector(), v, w, v), InputError);
  EXPECT_THROW(backend().bpr(v, v, v, losses.vector(), v, v, w), InputError);
}

}  // namespace
}  // namespace penchant::kernels
