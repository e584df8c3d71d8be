// SPDX-License-Identifier: Apache-2.0
#include <cmath>
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

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct GemmCase {
  std::int64_t rows, cols, inner;
  float alpha = 1.0F;
  float beta = 0.0F;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const GemmCase& c) {
  return out << c.rows << " x " << c.cols << ", inner " << c.inner << ", alpha " << c.alpha
             << ", beta " << c.beta << ", seed " << c.seed;
}

// Around the tiles of 256 x 512 and the inner chunks of 1024 that kernels/cpu/gemm.cc cuts along.
const GemmCase kCases[] = {
    {1, 1, 1},
    {1, 9, 7},
    {7, 1, 8},
    {8, 8, 8},
    {9, 17, 33, -0.5F, 2.0F},
    {64, 64, 64, 1.0F, 1.0F},
    {65, 63, 127, 2.0F},
    {257, 40, 20},
    {40, 513, 20, 1.0F, -1.0F},
    {300, 600, 11},
    {5, 3, 2047, 1.0F, 0.5F},
    {5, 3, 2048},
    {6, 4, 2049, 0.5F, 0.5F},
    {16, 16, 12289},
    {3, 4, 5, 0.0F, 0.0F},
    {3, 4, 5, 0.0F, 2.0F},
};

class Gemm : public support::BackendTest {
 protected:
  static Dense operand(bool transposed, std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
    return transposed ? support::random_dense(cols, rows, seed)
                      : support::random_dense(rows, cols, seed);
  }
  void expect_agreement(const GemmCase& c, bool flip_a, bool flip_b, Placement placement) {
    const testing::ScopedTrace trace(
        __FILE__, __LINE__,
        testing::PrintToString(c) + (flip_a ? ", a'" : ", a") + (flip_b ? " b'" : " b"));
    const Dense a = operand(flip_a, c.rows, c.inner, c.seed);
    const Dense b = operand(flip_b, c.inner, c.cols, c.seed + 1);
    const Dense c0 = c.beta == 0.0F ? Dense(c.rows, c.cols, kNan)
                                    : support::random_dense(c.rows, c.cols, c.seed + 2);
    const Guarded<float> left(backend(), a, placement);
    const Guarded<float> right(backend(), b, placement);
    const Guarded<float> out(backend(), c0, placement);
    backend().gemm(flip_a ? Transpose::yes : Transpose::no, flip_b ? Transpose::yes : Transpose::no,
                   c.alpha, left.view(), right.view(), c.beta, out.view());
    const support::Sum want = oracle::gemm(flip_a, flip_b, c.alpha, a, b, c.beta, c0);
    EXPECT_TRUE(agrees(out.dense(), want, static_cast<double>(c.inner) + 4, origin(c.seed)));
    EXPECT_TRUE(out.intact());
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Gemm);

TEST_P(Gemm, AgreesWithTheOracle) {
  for (const GemmCase& c : kCases) {
    for (const bool flip_a : {false, true}) {
      for (const bool flip_b : {false, true}) {
        expect_agreement(c, flip_a, flip_b, Placement::aligned);
        expect_agreement(c, flip_a, flip_b, Placement::misaligned);
      }
    }
  }
}

TEST_P(Gemm, ZeroSizesTouchNothing) {
  const Guarded<float> none(backend(), Dense(0, 3));
  const Guarded<float> square(backend(), Dense(3, 3, 1.0));
  backend().gemm(Transpose::no, Transpose::no, 1.0F, none.view(), square.view(), 0.0F, none.view());
  EXPECT_TRUE(none.intact());
  const Guarded<float> thin(backend(), Dense(3, 0));
  backend().gemm(Transpose::no, Transpose::no, 1.0F, square.view(), thin.view(), 0.0F, thin.view());
  EXPECT_TRUE(thin.intact());
}

// A sum of no terms is 0: c = beta * c, and beta = 0 still does not read c.
TEST_P(Gemm, NoInnerDimensionLeavesBetaTimesC) {
  const Guarded<float> a(backend(), Dense(4, 0));
  const Guarded<float> b(backend(), Dense(0, 5));
  const Dense c0 = support::random_dense(4, 5, 7);
  const Guarded<float> scaled(backend(), c0);
  backend().gemm(Transpose::no, Transpose::no, 1.0F, a.view(), b.view(), 0.5F, scaled.view());
  EXPECT_TRUE(agrees(scaled.dense(), oracle::axpby(0.5, c0, 0.0, {}).value, 0.0, origin(7)));
  const Guarded<float> overwritten(backend(), 4, 5);
  backend().gemm(Transpose::no, Transpose::no, 1.0F, a.view(), b.view(), 0.0F, overwritten.view());
  EXPECT_TRUE(agrees(overwritten.dense(), Dense(4, 5), 0.0, origin(7)))
      << "beta = 0 must not read c";
}

TEST_P(Gemm, IdentityGivesTheOtherOperandBack) {
  Dense identity(33, 33);
  for (std::int64_t i = 0; i < 33; ++i) identity(i, i) = 1.0;
  const Dense b = support::random_dense(33, 20, 8);
  const Guarded<float> left(backend(), identity);
  const Guarded<float> right(backend(), b);
  const Guarded<float> out(backend(), 33, 20);
  backend().gemm(Transpose::yes, Transpose::no, 1.0F, left.view(), right.view(), 0.0F, out.view());
  EXPECT_TRUE(agrees(out.dense(), b, 0.0, origin(8)));
}

TEST_P(Gemm, SameBitsAtOneAndTwoThreads) {
  for (const GemmCase& c : {GemmCase{700, 600, 33}, GemmCase{24, 24, 20000}}) {
    const Dense a = support::random_dense(c.rows, c.inner, 9);
    const Dense b = support::random_dense(c.inner, c.cols, 10);
    expect_same_bits_at_any_thread_count([&](Backend& fresh) {
      const Guarded<float> left(fresh, a);
      const Guarded<float> right(fresh, b);
      const Guarded<float> out(fresh, c.rows, c.cols);
      fresh.gemm(Transpose::no, Transpose::no, 1.0F, left.view(), right.view(), 0.0F, out.view());
      return out.dense();
    });
  }
}

TEST_P(Gemm, RefusesShapesThatDoNotFit) {
  const Guarded<float> a(backend(), Dense(4, 3, 1.0));
  const Guarded<float> b(backend(), Dense(3, 5, 1.0));
  const Guarded<float> c(backend(), Dense(4, 5, 1.0));
  const auto run = [&](Transpose flip_a, Transpose flip_b, ConstFloatView left,
                       ConstFloatView right) {
    backend().gemm(flip_a, flip_b, 1.0F, left, right, 0.0F, c.view());
  };
  EXPECT_NO_THROW(run(Transpose::no, Transpose::no, a.view(), b.view()));
  EXPECT_THROW(run(Transpose::yes, Transpose::no, a.view(), b.view()), InputError);
  EXPECT_THROW(run(Transpose::no, Transpose::yes, a.view(), b.view()), InputError);
  EXPECT_THROW(run(Transpose::no, Transpose::no, b.view(), b.view()), InputError);
  EXPECT_THROW(run(Transpose::no, Transpose::no, a.view(), a.view()), InputError);
}

class Linear : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Linear);

constexpr Activation kActivations[] = {Activation::identity, Activation::relu,
                                       Activation::leaky_relu, Activation::sigmoid,
                                       Activation::tanh};

TEST_P(Linear, AgreesWithTheOracle) {
  for (const GemmCase& c : kCases) {
    if (c.inner > 3000) continue;
    for (const Activation act : kActivations) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(testing::Message() << c << ", activation " << static_cast<int>(act));
        const Dense x = support::random_dense(c.rows, c.inner, c.seed);
        const Dense weight = support::random_dense(c.inner, c.cols, c.seed + 1);
        const Dense bias = support::random_dense(1, c.cols, c.seed + 2);
        const Guarded<float> from(backend(), x, placement);
        const Guarded<float> by(backend(), weight, placement);
        const Guarded<float> added(backend(), bias, placement);
        const Guarded<float> y(backend(), c.rows, c.cols, placement);
        backend().linear(from.view(), by.view(), added.vector(), act, y.view());
        EXPECT_TRUE(agrees(y.dense(), oracle::linear(x, weight, bias, act),
                           static_cast<double>(c.inner) + 8, origin(c.seed)));
        EXPECT_TRUE(y.intact());
      }
    }
  }
}

//  x = [1 2]   weight = [1 0 -1]   bias = [10 20 -30]   x weight = [1 2 -1+0] of [1 0 -1; 0 1 0]
//                       [0 1  0]
TEST_P(Linear, SmallExampleByHand) {
  const Guarded<float> x(backend(), Dense(1, 2, {1, 2}));
  const Guarded<float> weight(backend(), Dense(2, 3, {1, 0, -1, 0, 1, 0}));
  const Guarded<float> bias(backend(), Dense(1, 3, {10, 20, -30}));
  const Guarded<float> y(backend(), 1, 3);
  backend().linear(x.view(), weight.view(), bias.vector(), Activation::identity, y.view());
  EXPECT_TRUE(agrees(y.dense(), Dense(1, 3, {11, 22, -31}), 0.0, origin(0)));
  backend().linear(x.view(), weight.view(), bias.vector(), Activation::relu, y.view());
  EXPECT_TRUE(agrees(y.dense(), Dense(1, 3, {11, 22, 0}), 0.0, origin(0)));
}

TEST_P(Linear, NoInputsLeaveTheActivatedBias) {
  const Guarded<float> x(backend(), Dense(2, 0));
  const Guarded<float> weight(backend(), Dense(0, 2));
  const Guarded<float> bias(backend(), Dense(1, 2, {3, -4}));
  const Guarded<float> y(backend(), 2, 2);
  backend().linear(x.view(), weight.view(), bias.vector(), Activation::relu, y.view());
  EXPECT_TRUE(agrees(y.dense(), Dense(2, 2, {3, 0, 3, 0}), 0.0, origin(0)));
  const Guarded<float> none(backend(), Dense(0, 2));
  backend().linear(none.view(), Guarded<float>(backend(), Dense(2, 2, 1.0)).view(), bias.vector(),
                   Activation::relu, none.view());
  EXPECT_TRUE(none.intact());
}

TEST_P(Linear, RefusesShapesThatDoNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> weight(backend(), Dense(3, 5, 1.0));
  const Guarded<float> bias(backend(), Dense(1, 5, 1.0));
  const Guarded<float> four(backend(), Dense(1, 4, 1.0));
  const Guarded<float> y(backend(), Dense(4, 5, 1.0));
  const auto run = [&](ConstFloatView in, ConstFloatView by, VectorView<const float> added,
                       FloatView to) { backend().linear(in, by, added, Activation::relu, to); };
  EXPECT_NO_THROW(run(x.view(), weight.view(), bias.vector(), y.view()));
  EXPECT_THROW(run(weight.view(), weight.view(), bias.vector(), y.view()), InputError);
  EXPECT_THROW(run(x.view(), x.view(), bias.vector(), y.view()), InputError);
  EXPECT_THROW(run(x.view(), weight.view(), four.vector(), y.view()), InputError);
  EXPECT_THROW(run(x.view(), weight.view(), bias.vector(), x.view()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
