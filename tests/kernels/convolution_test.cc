// SPDX-License-Identifier: Apache-2.0
// Causal convolution over time.
#include <ostream>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/sequence.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using oracle::Offsets;
using support::Dense;
using support::Guarded;
using support::Placement;

struct ConvolutionCase {
  std::vector<std::int64_t> lengths;
  std::int64_t width, inputs, outputs;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const ConvolutionCase& c) {
  return out << c.lengths.size() << " sequences, width " << c.width << ", F " << c.inputs << ", H "
             << c.outputs << ", seed " << c.seed;
}

// Sequences shorter than the width, empty ones, and a sequence across the tiles of 256 rows.
const ConvolutionCase kCases[] = {
    {{1}, 1, 1, 1},
    {{4}, 3, 2, 1},
    {{0, 2, 0, 5, 1, 0}, 4, 7, 8},
    {{9, 3, 12}, 2, 8, 9},
    {{1, 1, 1, 1}, 5, 3, 16},
    {{250, 0, 11, 300}, 3, 9, 17},
    {{256, 1, 255}, 4, 16, 7},
    {{30, 7}, 3, 33, 130},
};

class Convolution : public support::BackendTest {
 protected:
  struct Inputs {
    Dense x, weight, bias, d_y, d_weight0, d_bias0;
  };
  struct Result {
    Dense y, d_x, d_weight, d_bias;
  };
  static Inputs inputs_of(const ConvolutionCase& c) {
    const std::int64_t rows = oracle::offsets_of(c.lengths).back();
    const auto random = [&](std::int64_t m, std::int64_t n, std::uint64_t offset) {
      return support::random_dense(m, n, c.seed + offset);
    };
    return {random(rows, c.inputs, 1),
            random(c.width * c.inputs, c.outputs, 2),
            random(1, c.outputs, 3),
            random(rows, c.outputs, 4),
            random(c.width * c.inputs, c.outputs, 5),
            random(1, c.outputs, 6)};
  }
  Result run(const ConvolutionCase& c, const Inputs& in, Placement placement = Placement::aligned) {
    const Offsets offsets = oracle::offsets_of(c.lengths);
    const Guarded<float> x(backend(), in.x, placement);
    const Guarded<float> weight(backend(), in.weight, placement);
    const Guarded<float> bias(backend(), in.bias, placement);
    const Guarded<float> y(backend(), in.x.rows, c.outputs, placement);
    backend().convolution_forward({offsets}, c.width, x.view(), weight.view(), bias.vector(),
                                  y.view());
    const Guarded<float> d_y(backend(), in.d_y, placement);
    const Guarded<float> d_x(backend(), in.x.rows, c.inputs, placement);
    const Guarded<float> d_weight(backend(), in.d_weight0, placement);
    const Guarded<float> d_bias(backend(), in.d_bias0, placement);
    backend().convolution_backward({offsets}, c.width, x.view(), weight.view(), d_y.view(),
                                   d_x.view(), d_weight.view(), d_bias.vector());
    EXPECT_TRUE(y.intact() && d_x.intact() && d_weight.intact() && d_bias.intact());
    return {y.dense(), d_x.dense(), d_weight.dense(), d_bias.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Convolution);

TEST_P(Convolution, AgreesWithTheOracle) {
  for (const ConvolutionCase& c : kCases) {
    SCOPED_TRACE(c);
    const Inputs in = inputs_of(c);
    const Offsets offsets = oracle::offsets_of(c.lengths);
    const auto y = oracle::convolution(offsets, c.width, in.x, in.weight, in.bias);
    const auto want = oracle::convolution_backward(offsets, c.width, in.x, in.weight, in.d_y,
                                                   in.d_weight0, in.d_bias0);
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      const Result got = run(c, in, placement);
      const auto rows = static_cast<double>(in.x.rows);
      EXPECT_TRUE(agrees(got.y, y, static_cast<double>(c.width * c.inputs) + 4, origin(c.seed)));
      EXPECT_TRUE(
          agrees(got.d_x, want.d_x, static_cast<double>(c.width * c.outputs) + 4, origin(c.seed)))
          << "d_x";
      EXPECT_TRUE(agrees(got.d_weight, want.d_weight, rows + 4, origin(c.seed))) << "d_weight";
      EXPECT_TRUE(agrees(got.d_bias, want.d_bias, rows + 4, origin(c.seed))) << "d_bias";
    }
  }
}

TEST(ConvolutionOracle, BackwardAgreesWithCentralDifferences) {
  const Offsets offsets = oracle::offsets_of({3, 0, 1, 4});
  Dense x = support::random_dense(8, 2, 1);
  Dense weight = support::random_dense(3 * 2, 3, 2);
  Dense bias = support::random_dense(1, 3, 3);
  const Dense d_y = support::random_dense(8, 3, 4);
  const auto want =
      oracle::convolution_backward(offsets, 3, x, weight, d_y, Dense(6, 3), Dense(1, 3));
  const auto loss = [&] {
    const Dense y = oracle::convolution(offsets, 3, x, weight, bias).value;
    double sum = 0.0;
    for (std::size_t k = 0; k < y.values.size(); ++k) sum += y.values[k] * d_y.values[k];
    return sum;
  };
  const std::pair<Dense*, const Dense*> pairs[] = {
      {&x, &want.d_x.value}, {&weight, &want.d_weight.value}, {&bias, &want.d_bias.value}};
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

// x = 1, 2, 4 | 3; W_0 = 10, W_1 = 100; b = 0.5: y = 10.5, 120.5, 240.5 | 30.5.
TEST_P(Convolution, SmallExampleByHand) {
  const ConvolutionCase c{{3, 1}, 2, 1, 1};
  const Result got = run(c, {Dense(4, 1, {1, 2, 4, 3}), Dense(2, 1, {10, 100}), Dense(1, 1, 0.5),
                             Dense(4, 1, {1, 0, 1, 1}), Dense(2, 1), Dense(1, 1)});
  EXPECT_TRUE(agrees(got.y, Dense(4, 1, {10.5, 120.5, 240.5, 30.5}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_x, Dense(4, 1, {10, 100, 10, 10}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_weight, Dense(2, 1, {8, 2}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_bias, Dense(1, 1, 3.0), 0.0, origin(0)));
}

TEST_P(Convolution, NothingToDoIsDone) {
  const ConvolutionCase c{{0, 0}, 3, 2, 4};
  const Inputs in = inputs_of(c);
  const Result got = run(c, in);
  EXPECT_TRUE(same_bits(got.d_weight, in.d_weight0, origin(1)));
  EXPECT_TRUE(same_bits(got.d_bias, in.d_bias0, origin(1)));
}

TEST_P(Convolution, SameBitsAtOneAndTwoThreads) {
  const ConvolutionCase c{{700, 3, 40, 900}, 3, 20, 70};
  const Inputs in = inputs_of(c);
  expect_same_bits_at_any_thread_count([&](Backend&) { return run(c, in).y; });
  expect_same_bits_at_any_thread_count([&](Backend&) { return run(c, in).d_x; });
  expect_same_bits_at_any_thread_count([&](Backend&) { return run(c, in).d_weight; });
}

TEST_P(Convolution, RefusesWhatDoesNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> weight(backend(), Dense(6, 5, 1.0));
  const Guarded<float> bias(backend(), Dense(1, 5, 1.0));
  const Guarded<float> short_bias(backend(), Dense(1, 4, 1.0));
  const Guarded<float> y(backend(), Dense(4, 5, 1.0));
  const Guarded<float> taller(backend(), Dense(5, 5, 1.0));
  Backend& b = backend();
  const Offsets good = {0, 1, 4};
  const auto forward = [&](const Offsets& offsets, std::int64_t width, FloatView to,
                           VectorView<float> added) {
    b.convolution_forward({offsets}, width, x.view(), weight.view(), added, to);
  };
  EXPECT_NO_THROW(forward(good, 2, y.view(), bias.vector()));
  EXPECT_THROW(forward(good, 0, y.view(), bias.vector()), InputError);
  EXPECT_THROW(forward(good, 3, y.view(), bias.vector()), InputError);
  EXPECT_THROW(forward({0, 3}, 2, y.view(), bias.vector()), InputError);
  EXPECT_THROW(forward(good, 2, taller.view(), bias.vector()), InputError);
  EXPECT_THROW(forward(good, 2, y.view(), short_bias.vector()), InputError);
  const auto backward = [&](FloatView d_y, FloatView d_x, FloatView d_weight,
                            VectorView<float> d_bias) {
    b.convolution_backward({good}, 2, x.view(), weight.view(), d_y, d_x, d_weight, d_bias);
  };
  EXPECT_NO_THROW(backward(y.view(), x.view(), weight.view(), bias.vector()));
  EXPECT_THROW(backward(taller.view(), x.view(), weight.view(), bias.vector()), InputError);
  EXPECT_THROW(backward(y.view(), y.view(), weight.view(), bias.vector()), InputError);
  EXPECT_THROW(backward(y.view(), x.view(), y.view(), bias.vector()), InputError);
  EXPECT_THROW(backward(y.view(), x.view(), weight.view(), short_bias.vector()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
