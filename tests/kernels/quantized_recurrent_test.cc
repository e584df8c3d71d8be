// SPDX-License-Identifier: Apache-2.0
#include "kernels/quantized_recurrent.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "kernels/cpu/quantized_products.h"
#include "tests/oracle/recurrent.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;

using StepLengths = std::vector<std::int64_t>;

struct QuantizedCase {
  Cell cell;
  Activation activation;
  std::int64_t input_dim, hidden_dim;
  StepLengths lengths;  ///< descending
  std::uint64_t seed = 1;
  RecurrentOptions options() const { return {cell, activation, input_dim, hidden_dim}; }
};

std::ostream& operator<<(std::ostream& out, const QuantizedCase& c) {
  return out << (c.cell == Cell::lstm ? "lstm" : "rnn") << ", F " << c.input_dim << ", H "
             << c.hidden_dim << ", B " << c.lengths.size() << ", seed " << c.seed;
}

StepLengths falling(std::int64_t count, std::int64_t longest) {
  StepLengths lengths;
  for (std::int64_t b = 0; b < count; ++b)
    lengths.push_back(1 + (longest - 1) * (count - 1 - b) / std::max<std::int64_t>(count - 1, 1));
  return lengths;
}

// Widths around groups of 4, blocks of 16 and of 64; batches around 6 rows and tiles of 32.
const QuantizedCase kQuantizedCases[] = {
    {Cell::lstm, Activation::tanh, 1, 1, {1}},
    {Cell::lstm, Activation::tanh, 4, 16, {4}},
    {Cell::lstm, Activation::tanh, 3, 7, {3, 3, 3}},
    {Cell::lstm, Activation::tanh, 5, 17, {7, 5, 5, 2, 1, 1}},
    {Cell::lstm, Activation::tanh, 64, 128, falling(31, 12)},
    {Cell::lstm, Activation::tanh, 33, 64, falling(32, 9)},
    {Cell::lstm, Activation::tanh, 9, 40, falling(70, 5)},
    {Cell::rnn, Activation::tanh, 5, 17, {7, 5, 5, 2, 1, 1}},
    {Cell::rnn, Activation::sigmoid, 4, 64, falling(33, 5)},
    {Cell::rnn, Activation::relu, 9, 70, falling(40, 6)},
};

struct Inputs {
  Dense x;
  oracle::RecurrentParameters weights;
  RecurrentRanges ranges;
};

Dense times(Dense values, double factor) {
  for (double& value : values.values) value *= factor;
  return support::round_to_float(std::move(values));
}

Inputs inputs_of(const QuantizedCase& c) {
  const std::int64_t rows = oracle::step_offsets(c.lengths).back();
  const std::int64_t gates = c.options().gate_dim();
  const double factor = 1.0 / std::sqrt(static_cast<double>(c.hidden_dim));
  const auto random = [&](std::int64_t m, std::int64_t n, std::uint64_t offset) {
    return support::random_dense(m, n, c.seed + offset);
  };
  Inputs in{random(rows, c.input_dim, 1),
            {times(random(c.input_dim, gates, 2), factor),
             times(random(c.hidden_dim, gates, 3), factor), times(random(1, gates, 4), factor)},
            {{-1.0F, 0.9F}, {-1.0F, 1.0F}}};
  if (c.activation == Activation::relu) in.ranges.output = {0.0F, 4.0F};
  if (c.activation == Activation::sigmoid) in.ranges.output = {0.0F, 1.0F};
  return in;
}

/// Integers as the head comment of kernels/quantized_recurrent.h has them, in doubles.
Dense rounded_weights(const Dense& weights) {
  Dense result = weights;
  for (std::int64_t j = 0; j < weights.cols; ++j) {
    double most = 0.0;
    for (std::int64_t i = 0; i < weights.rows; ++i) most = std::max(most, std::abs(weights(i, j)));
    for (std::int64_t i = 0; i < weights.rows; ++i)
      result(i, j) = std::round(weights(i, j) / (most / 127.0)) * (most / 127.0);
  }
  return result;
}

double rounded_activation(double value, const ActivationRange& range) {
  const double step =
      (static_cast<double>(range.highest) - static_cast<double>(range.lowest)) / 255.0;
  const double zero = std::round(-static_cast<double>(range.lowest) / step);
  return (std::clamp(std::nearbyint(value / step + zero), 0.0, 255.0) - zero) * step;
}

double activated(Activation activation, double z) {
  if (activation == Activation::tanh) return std::tanh(z);
  if (activation == Activation::relu) return std::max(z, 0.0);
  return 1.0 / (1.0 + std::exp(-z));
}

/// h of all steps by plain loops: weights and activations are rounded, nothing else is.
Dense rounded_layer(const QuantizedCase& c, const Inputs& in) {
  const StepLengths offsets = oracle::step_offsets(c.lengths);
  const Dense w_x = rounded_weights(in.weights.input);
  const Dense w_h = rounded_weights(in.weights.hidden);
  const auto sigmoid = [](double z) { return activated(Activation::sigmoid, z); };
  Dense h(in.x.rows, c.hidden_dim);
  for (std::size_t b = 0; b < c.lengths.size(); ++b) {
    std::vector<double> before(static_cast<std::size_t>(c.hidden_dim)), cell = before;
    for (std::int64_t t = 0; t < c.lengths[b]; ++t) {
      const std::int64_t row = offsets[static_cast<std::size_t>(t)] + static_cast<std::int64_t>(b);
      std::vector<double> z(static_cast<std::size_t>(c.options().gate_dim()));
      for (std::size_t j = 0; j < z.size(); ++j) {
        const auto column = static_cast<std::int64_t>(j);
        z[j] = in.weights.bias(0, column);
        for (std::int64_t k = 0; k < c.input_dim; ++k)
          z[j] += rounded_activation(in.x(row, k), in.ranges.input) * w_x(k, column);
        for (std::int64_t k = 0; k < c.hidden_dim; ++k)
          z[j] += rounded_activation(before[static_cast<std::size_t>(k)], in.ranges.output) *
                  w_h(k, column);
      }
      for (std::int64_t j = 0; j < c.hidden_dim; ++j) {
        const auto at = [&](std::int64_t gate) {
          return z[static_cast<std::size_t>(gate * c.hidden_dim + j)];
        };
        double& state = cell[static_cast<std::size_t>(j)];
        if (c.cell == Cell::lstm) {
          state = sigmoid(at(1)) * state + sigmoid(at(0)) * std::tanh(at(2));
          h(row, j) = sigmoid(at(3)) * std::tanh(state);
        } else {
          h(row, j) = activated(c.activation, at(0));
        }
        before[static_cast<std::size_t>(j)] = h(row, j);
      }
    }
  }
  return h;
}

class QuantizedRecurrentTest : public testing::Test {
 protected:
  QuantizedRecurrentTest() : backend_(make_backend({})) {}
  Dense run(const QuantizedCase& c, const Inputs& in, int threads = 0) {
    const StepLengths offsets = oracle::step_offsets(c.lengths);
    const Guarded<float> x(*backend_, in.x, support::Placement::misaligned);
    const Guarded<float> w_x(*backend_, in.weights.input);
    const Guarded<float> w_h(*backend_, in.weights.hidden);
    const Guarded<float> bias(*backend_, in.weights.bias);
    const Guarded<float> h(*backend_, in.x.rows, c.hidden_dim, support::Placement::misaligned);
    const QuantizedRecurrent layer(c.options(), {w_x.view(), w_h.view(), bias.vector()}, in.ranges);
    layer.forward({offsets}, x.view(), h.view(), threads);
    EXPECT_TRUE(h.intact());
    return h.dense();
  }
  QuantizedRecurrent layer_of(const QuantizedCase& c, const Inputs& in) {
    const Guarded<float> w_x(*backend_, in.weights.input);
    const Guarded<float> w_h(*backend_, in.weights.hidden);
    const Guarded<float> bias(*backend_, in.weights.bias);
    return {c.options(), {w_x.view(), w_h.view(), bias.vector()}, in.ranges};
  }
  std::unique_ptr<Backend> backend_;
};

double furthest(const Dense& a, const Dense& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.cols, b.cols);
  double most = 0.0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double gap = std::abs(a.values[i] - b.values[i]);
    most = std::isfinite(gap) ? std::max(most, gap) : std::numeric_limits<double>::infinity();
  }
  return most;
}

// An activation next to the border of two bytes may fall to either side, which is one step of 2/255
// times a weight; float32 and the gates' polynomials are far below that.
TEST_F(QuantizedRecurrentTest, IsTheLayerWithRoundedWeightsAndActivations) {
  for (const QuantizedCase& c : kQuantizedCases) {
    const Inputs in = inputs_of(c);
    EXPECT_LE(furthest(run(c, in), rounded_layer(c, in)), 2e-2) << c;
    const QuantizedCase first{c.cell, c.activation, c.input_dim, c.hidden_dim, {1}, c.seed};
    Inputs alone = inputs_of(first);
    EXPECT_LE(furthest(run(first, alone), rounded_layer(first, alone)), 2e-5) << first;
  }
}

TEST_F(QuantizedRecurrentTest, IsNearTheLayerOfFloats) {
  for (const QuantizedCase& c : kQuantizedCases) {
    const Inputs in = inputs_of(c);
    const Dense none(in.x.rows, c.hidden_dim);
    const oracle::RecurrentResult exact =
        oracle::recurrent(c.options(), c.lengths, in.x, in.weights, none);
    EXPECT_LE(furthest(run(c, in), exact.h.value), 0.1) << c;
  }
}

TEST_F(QuantizedRecurrentTest, AThreadMoreDoesNotChangeABit) {
  const QuantizedCase c{Cell::lstm, Activation::tanh, 9, 40, falling(170, 5)};
  const Inputs in = inputs_of(c);
  EXPECT_EQ(run(c, in, 1).values, run(c, in, 2).values);
}

TEST_F(QuantizedRecurrentTest, OneSequenceIsTheSameAmongMany) {
  const QuantizedCase many{Cell::lstm, Activation::tanh, 5, 20, StepLengths(40, 1)};
  const Inputs in = inputs_of(many);
  const Dense together = run(many, in);
  for (const std::int64_t row : {0, 5, 33}) {
    const QuantizedCase one{Cell::lstm, Activation::tanh, 5, 20, {1}};
    Inputs own = in;
    own.x = Dense(1, 5);
    for (std::int64_t k = 0; k < 5; ++k) own.x(0, k) = in.x(row, k);
    const Dense alone = run(one, own);
    for (std::int64_t j = 0; j < 20; ++j) EXPECT_EQ(alone(0, j), together(row, j));
  }
}

TEST_F(QuantizedRecurrentTest, BothProductsGiveTheSameBits) {
  constexpr std::int64_t kRows = 13, kInner = 40;
  std::vector<std::uint8_t> activations(kRows * kInner);
  struct alignas(64) Line {
    std::int8_t bytes[64];
  };
  std::vector<Line> weights(kInner);
  for (std::size_t i = 0; i < activations.size(); ++i)
    activations[i] = static_cast<std::uint8_t>(i * 37 % 256);
  for (std::size_t i = 0; i < weights.size() * 64; ++i)
    weights[i / 64].bytes[i % 64] = static_cast<std::int8_t>(static_cast<int>(i * 91 % 255) - 127);
  std::vector<float> scales(kBlockColumns), base(kBlockColumns);
  std::vector<std::int32_t> zeros(kBlockColumns);
  for (std::size_t j = 0; j < scales.size(); ++j) {
    scales[j] = 0.25F;
    base[j] = static_cast<float>(j);
    zeros[j] = static_cast<std::int32_t>(j) * 100;
  }
  const BlockProduct product{activations.data(), kInner,        kInner,
                             weights[0].bytes,   scales.data(), zeros.data()};
  std::vector<float> fast(kRows * kBlockColumns), plain = fast;
  quantized_products()(product, base.data(), kRows, fast.data());
  portable_products()(product, base.data(), kRows, plain.data());
  EXPECT_EQ(fast, plain);
  quantized_products()(product, nullptr, kRows, fast.data());
  portable_products()(product, nullptr, kRows, plain.data());
  EXPECT_EQ(fast, plain);
  std::int32_t first = 0;  // of row 0 and column 0, by hand
  for (std::int64_t k = 0; k < kInner; ++k) {
    const auto place = static_cast<std::size_t>(k / 4 * 256 + k % 4);
    first += activations[static_cast<std::size_t>(k)] * weights[place / 64].bytes[place % 64];
  }
  EXPECT_EQ(plain[0], 2.0F * 0.25F * static_cast<float>(first));
}

TEST_F(QuantizedRecurrentTest, NoSequencesAreNothing) {
  const QuantizedCase c{Cell::lstm, Activation::tanh, 3, 5, {1}};
  const QuantizedRecurrent layer = layer_of(c, inputs_of(c));
  layer.forward({}, ConstFloatView(nullptr, 0, 3, 3, Device::cpu),
                FloatView(nullptr, 0, 5, 5, Device::cpu));
  EXPECT_GT(layer.weight_bytes(), 0);
}

TEST_F(QuantizedRecurrentTest, WeightsOfZeroGiveTheBias) {
  QuantizedCase c{Cell::rnn, Activation::tanh, 3, 5, {2}};
  Inputs in = inputs_of(c);
  std::fill(in.weights.input.values.begin(), in.weights.input.values.end(), 0.0);
  std::fill(in.weights.hidden.values.begin(), in.weights.hidden.values.end(), 0.0);
  in.ranges = {};  // nothing was seen but zeros
  const Dense h = run(c, in);
  for (std::int64_t j = 0; j < 5; ++j) EXPECT_NEAR(h(1, j), std::tanh(in.weights.bias(0, j)), 2e-5);
}

TEST_F(QuantizedRecurrentTest, RefusesWhatIsNotFinite) {
  const QuantizedCase c{Cell::lstm, Activation::tanh, 3, 5, {1}};
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Inputs in = inputs_of(c);
    in.weights.hidden(2, 3) = bad;
    EXPECT_THROW(layer_of(c, in), InputError);
    in = inputs_of(c);
    in.ranges.input.highest = static_cast<float>(bad);
    EXPECT_THROW(layer_of(c, in), InputError);
  }
  Inputs in = inputs_of(c);
  in.ranges.output = {1.0F, -1.0F};
  EXPECT_THROW(layer_of(c, in), InputError);
  in = inputs_of(c);
  in.weights.input = Dense(4, 20);
  EXPECT_THROW(layer_of(c, in), InputError);
  QuantizedCase rnn = {Cell::rnn, Activation::leaky_relu, 3, 5, {1}};
  EXPECT_THROW(layer_of(rnn, inputs_of(rnn)), InputError);
}

}  // namespace
}  // namespace penchant::kernels
