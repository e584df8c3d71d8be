// SPDX-License-Identifier: Apache-2.0
// The recurrent layers: forward and backward over ragged packs.
#include <cmath>
#include <functional>
#include <ostream>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/recurrent.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

using Lengths = std::vector<std::int64_t>;

struct RecurrentCase {
  Cell cell;
  Activation activation;
  std::int64_t input_dim, hidden_dim;
  Lengths lengths;  ///< descending
  double scale = 0.5;
  std::uint64_t seed = 1;
  RecurrentOptions options() const { return {cell, activation, input_dim, hidden_dim}; }
};

std::ostream& operator<<(std::ostream& out, const RecurrentCase& c) {
  return out << (c.cell == Cell::lstm ? "lstm" : "rnn") << ", activation "
             << static_cast<int>(c.activation) << ", F " << c.input_dim << ", H " << c.hidden_dim
             << ", B " << c.lengths.size() << ", seed " << c.seed;
}

/// `count` lengths from `longest` down to 1.
Lengths descending(std::int64_t count, std::int64_t longest) {
  Lengths lengths;
  for (std::int64_t b = 0; b < count; ++b)
    lengths.push_back(1 + (longest - 1) * (count - 1 - b) / std::max<std::int64_t>(count - 1, 1));
  return lengths;
}

constexpr Activation kTanh = Activation::tanh;

// Widths around the vectors of 4, 8 and 16 lanes; batches around the tiles of 32 sequences; lengths
// that end together, one by one, and all but one at once.
const RecurrentCase kRecurrentCases[] = {
    {Cell::lstm, kTanh, 1, 1, {1}},
    {Cell::lstm, kTanh, 1, 1, {4}},
    {Cell::lstm, kTanh, 3, 7, {3, 3, 3}},
    {Cell::lstm, kTanh, 5, 8, {5, 1}},
    {Cell::lstm, kTanh, 8, 9, {7, 5, 5, 2, 1, 1}},
    {Cell::lstm, kTanh, 7, 15, descending(31, 6)},
    {Cell::lstm, kTanh, 4, 16, descending(32, 9)},
    {Cell::lstm, kTanh, 9, 17, descending(33, 4), 1.0},
    {Cell::lstm, kTanh, 2, 33, descending(66, 3), 0.3},
    {Cell::lstm, kTanh, 6, 5, descending(3, 60), 0.7},
    {Cell::lstm, kTanh, 3, 6, descending(5, 8), 20.0},  // saturated gates
    {Cell::rnn, kTanh, 1, 1, {1}},
    {Cell::rnn, kTanh, 5, 17, {7, 5, 5, 2, 1, 1}, 0.3},
    {Cell::rnn, Activation::sigmoid, 4, 16, descending(33, 5)},
    {Cell::rnn, Activation::relu, 9, 15, descending(40, 6), 0.2},
    {Cell::rnn, Activation::relu, 3, 8, {3, 3, 3}},
};

class Recurrent : public support::BackendTest {
 protected:
  struct Inputs {
    Dense x;
    oracle::RecurrentParameters weights;
    Dense d_h;
    oracle::RecurrentParameters gradients;  ///< before the backward adds to them
  };
  struct Result {
    Dense h, d_x, d_input, d_hidden, d_bias;
  };
  static Dense scaled(Dense values, double factor) {
    for (double& value : values.values) value *= factor;
    return support::round_to_float(std::move(values));
  }
  static Inputs inputs_of(const RecurrentCase& c) {
    const std::int64_t rows = oracle::step_offsets(c.lengths).back();
    const std::int64_t gates = c.options().gate_dim();
    const auto random = [&](std::int64_t m, std::int64_t n, std::uint64_t offset) {
      return support::random_dense(m, n, c.seed + offset);
    };
    return {random(rows, c.input_dim, 1),
            {scaled(random(c.input_dim, gates, 2), c.scale),
             scaled(random(c.hidden_dim, gates, 3), c.scale), scaled(random(1, gates, 4), c.scale)},
            random(rows, c.hidden_dim, 5),
            {random(c.input_dim, gates, 6), random(c.hidden_dim, gates, 7), random(1, gates, 8)}};
  }
  /// Forward and backward with a state; poisoned and guarded.
  Result run(const RecurrentCase& c, const Inputs& in, RecurrentState& state,
             Placement placement = Placement::aligned) {
    const Lengths offsets = oracle::step_offsets(c.lengths);
    const PackedSequences sequences{offsets};
    const Guarded<float> x(backend(), in.x, placement);
    const Guarded<float> w_x(backend(), in.weights.input, placement);
    const Guarded<float> w_h(backend(), in.weights.hidden, placement);
    const Guarded<float> bias(backend(), in.weights.bias, placement);
    const Guarded<float> h(backend(), in.x.rows, c.hidden_dim, placement);
    const RecurrentWeights weights{w_x.view(), w_h.view(), bias.vector()};
    backend().recurrent_forward(state, sequences, x.view(), weights, h.view());
    const Guarded<float> d_h(backend(), in.d_h, placement);
    const Guarded<float> d_x(backend(), in.x.rows, c.input_dim, placement);
    const Guarded<float> d_input(backend(), in.gradients.input, placement);
    const Guarded<float> d_hidden(backend(), in.gradients.hidden, placement);
    const Guarded<float> d_bias(backend(), in.gradients.bias, placement);
    backend().recurrent_backward(state, sequences, x.view(), weights, h.view(), d_h.view(),
                                 d_x.view(), {d_input.view(), d_hidden.view(), d_bias.vector()});
    EXPECT_TRUE(h.intact() && d_x.intact());
    EXPECT_TRUE(d_input.intact() && d_hidden.intact() && d_bias.intact());
    return {h.dense(), d_x.dense(), d_input.dense(), d_hidden.dense(), d_bias.dense()};
  }
  Result run(const RecurrentCase& c, const Inputs& in, Placement placement = Placement::aligned) {
    const auto state = backend().recurrent_state(c.options());
    return run(c, in, *state, placement);
  }
  /// `sum` and what the gradient held before.
  static support::Sum accumulated(support::Sum sum, const Dense& before) {
    for (std::size_t k = 0; k < before.values.size(); ++k) {
      sum.value.values[k] += before.values[k];
      sum.magnitude.values[k] += std::abs(before.values[k]) + std::abs(sum.value.values[k]);
    }
    return sum;
  }
  static oracle::RecurrentResult expected(const RecurrentCase& c, const Inputs& in) {
    oracle::RecurrentResult want =
        oracle::recurrent(c.options(), c.lengths, in.x, in.weights, in.d_h);
    want.d_input = accumulated(std::move(want.d_input), in.gradients.input);
    want.d_hidden = accumulated(std::move(want.d_hidden), in.gradients.hidden);
    want.d_bias = accumulated(std::move(want.d_bias), in.gradients.bias);
    return want;
  }
  void expect_agreement(const Result& got, const oracle::RecurrentResult& want,
                        std::uint64_t seed) {
    EXPECT_TRUE(agrees(got.h, want.h, 1, origin(seed))) << "h";
    EXPECT_TRUE(agrees(got.d_x, want.d_x, 1, origin(seed))) << "d_x";
    EXPECT_TRUE(agrees(got.d_input, want.d_input, 1, origin(seed))) << "d_W_x";
    EXPECT_TRUE(agrees(got.d_hidden, want.d_hidden, 1, origin(seed))) << "d_W_h";
    EXPECT_TRUE(agrees(got.d_bias, want.d_bias, 1, origin(seed))) << "d_b";
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Recurrent);

TEST_P(Recurrent, AgreesWithTheOracle) {
  for (const RecurrentCase& c : kRecurrentCases) {
    SCOPED_TRACE(c);
    const Inputs in = inputs_of(c);
    const auto want = expected(c, in);
    expect_agreement(run(c, in, Placement::aligned), want, c.seed);
    expect_agreement(run(c, in, Placement::misaligned), want, c.seed);
  }
}

// The oracle's backward against central differences of its forward, for every input and parameter.
TEST(RecurrentOracle, BackwardAgreesWithCentralDifferences) {
  const RecurrentCase cases[] = {{Cell::lstm, kTanh, 3, 4, {5, 3, 3, 1}, 0.8},
                                 {Cell::rnn, kTanh, 3, 4, {5, 3, 3, 1}, 0.8},
                                 {Cell::rnn, Activation::sigmoid, 2, 3, {4, 1}, 0.8},
                                 {Cell::rnn, Activation::relu, 2, 3, {4, 1}, 0.8}};
  for (const RecurrentCase& c : cases) {
    SCOPED_TRACE(c);
    const std::int64_t rows = oracle::step_offsets(c.lengths).back();
    const std::int64_t gates = c.options().gate_dim();
    Dense x = support::random_dense(rows, c.input_dim, 1);
    oracle::RecurrentParameters p{support::random_dense(c.input_dim, gates, 2),
                                  support::random_dense(c.hidden_dim, gates, 3),
                                  support::random_dense(1, gates, 4)};
    const Dense d_h = support::random_dense(rows, c.hidden_dim, 5);
    const auto loss = [&] {
      const Dense h = oracle::recurrent(c.options(), c.lengths, x, p, d_h).h.value;
      double sum = 0.0;
      for (std::size_t k = 0; k < h.values.size(); ++k) sum += h.values[k] * d_h.values[k];
      return sum;
    };
    const auto want = oracle::recurrent(c.options(), c.lengths, x, p, d_h);
    const std::pair<Dense*, const Dense*> pairs[] = {{&x, &want.d_x.value},
                                                     {&p.input, &want.d_input.value},
                                                     {&p.hidden, &want.d_hidden.value},
                                                     {&p.bias, &want.d_bias.value}};
    for (const auto& [values, gradient] : pairs) {
      Dense differences(values->rows, values->cols);
      for (std::size_t k = 0; k < values->values.size(); ++k) {
        const double kept = values->values[k];
        const double step = 1e-5 * std::max(1.0, std::abs(kept));
        values->values[k] = kept + step;
        const double above = loss();
        values->values[k] = kept - step;
        differences.values[k] = (above - loss()) / (2.0 * step);
        values->values[k] = kept;
      }
      EXPECT_TRUE(agrees(*gradient, differences, 1e-6, {"oracle", c.seed}));
    }
  }
}

// x = 1, 0.5, -1; W_x = 0.5, W_h = 0.8, b = 0.1:
//   h_1 = tanh(0.5 * 1 + 0.1)                 = tanh(0.6)      = 0.537050
//   h_2 = tanh(0.5 * 0.5 + 0.8 h_1 + 0.1)     = tanh(0.779640) = 0.652500
//   h_3 = tanh(0.5 * -1 + 0.8 h_2 + 0.1)      = tanh(0.122000) = 0.121398
// dLoss/dh = (0, 0, 1): d_z_3 = 1 - h_3^2 = 0.985262, d_z_2 = 0.8 d_z_3 (1 - h_2^2) = 0.452625,
//   d_z_1 = 0.8 d_z_2 (1 - h_1^2) = 0.257662; d_b = 1.695550, d_W_x = d_z_1 + 0.5 d_z_2 - d_z_3 =
//   -0.501288, d_W_h = h_1 d_z_2 + h_2 d_z_3 = 0.885966, d_x = 0.5 d_z
TEST_P(Recurrent, ThreeStepsByHand) {
  const RecurrentCase c{Cell::rnn, kTanh, 1, 1, {3}};
  const Inputs in{Dense(3, 1, {1.0, 0.5, -1.0}),
                  {Dense(1, 1, 0.5), Dense(1, 1, 0.8), Dense(1, 1, 0.1)},
                  Dense(3, 1, {0.0, 0.0, 1.0}),
                  {Dense(1, 1), Dense(1, 1), Dense(1, 1)}};
  const Result got = run(c, in);
  const double tolerance = 2e-6;
  EXPECT_TRUE(agrees(got.h, Dense(3, 1, {0.537050, 0.652500, 0.121398}), tolerance, origin(0)));
  EXPECT_TRUE(agrees(got.d_bias, Dense(1, 1, 1.695550), tolerance, origin(0)));
  EXPECT_TRUE(agrees(got.d_input, Dense(1, 1, -0.501288), tolerance, origin(0)));
  EXPECT_TRUE(agrees(got.d_hidden, Dense(1, 1, 0.885966), tolerance, origin(0)));
  EXPECT_TRUE(agrees(got.d_x, Dense(3, 1, {0.128831, 0.226312, 0.492631}), tolerance, origin(0)));
}

// A sequence's results do not depend on who else is in the batch.
TEST_P(Recurrent, SequencesDoNotInfluenceEachOther) {
  const RecurrentCase alone{Cell::lstm, kTanh, 5, 9, {6}};
  const RecurrentCase together{Cell::lstm, kTanh, 5, 9, {6, 6}};
  Inputs one = inputs_of(alone);
  Inputs two = inputs_of(together);
  two.weights = one.weights;
  for (std::int64_t t = 0; t < 6; ++t) {
    for (std::int64_t k = 0; k < 5; ++k) two.x(2 * t, k) = one.x(t, k);
    for (std::int64_t k = 0; k < 9; ++k) two.d_h(2 * t, k) = one.d_h(t, k);
  }
  const Result got_one = run(alone, one);
  const Result got_two = run(together, two);
  for (std::int64_t t = 0; t < 6; ++t) {
    for (std::int64_t k = 0; k < 9; ++k)
      EXPECT_NEAR(got_two.h(2 * t, k), got_one.h(t, k), 1e-6) << "step " << t;
    for (std::int64_t k = 0; k < 5; ++k)
      EXPECT_NEAR(got_two.d_x(2 * t, k), got_one.d_x(t, k), 1e-6) << "step " << t;
  }
}

// The state is kept between batches: a smaller one after a larger one must not see its numbers.
TEST_P(Recurrent, BatchesDoNotInfluenceEachOther) {
  for (const Cell cell : {Cell::lstm, Cell::rnn}) {
    const RecurrentCase small{cell, kTanh, 5, 9, {3, 1}};
    const RecurrentCase large{cell, kTanh, 5, 9, descending(50, 9)};
    const auto state = backend().recurrent_state(small.options());
    const Result before = run(small, inputs_of(small), *state);
    run(large, inputs_of(large), *state);
    const Result after = run(small, inputs_of(small), *state);
    EXPECT_TRUE(same_bits(after.h, before.h, origin(1)));
    EXPECT_TRUE(same_bits(after.d_x, before.d_x, origin(1)));
    EXPECT_TRUE(same_bits(after.d_hidden, before.d_hidden, origin(1)));
  }
}

TEST_P(Recurrent, SameBitsAtOneAndTwoThreads) {
  for (const Cell cell : {Cell::lstm, Cell::rnn}) {
    const RecurrentCase c{cell, kTanh, 20, 35, descending(150, 12), 0.3};
    const Inputs in = inputs_of(c);
    const std::function<Dense(const Result&)> parts[] = {
        [](const Result& r) { return r.h; }, [](const Result& r) { return r.d_x; },
        [](const Result& r) { return r.d_input; }, [](const Result& r) { return r.d_hidden; },
        [](const Result& r) { return r.d_bias; }};
    for (const auto& part : parts)
      expect_same_bits_at_any_thread_count([&](Backend&) { return part(run(c, in)); });
  }
}

TEST_P(Recurrent, NothingToDoIsDone) {
  const RecurrentCase c{Cell::lstm, kTanh, 3, 4, {}};
  const Inputs in = inputs_of(c);
  const Result got = run(c, in);
  EXPECT_EQ(got.h.rows, 0);
  EXPECT_TRUE(same_bits(got.d_input, in.gradients.input, origin(1))) << "nothing was added";
  EXPECT_TRUE(same_bits(got.d_bias, in.gradients.bias, origin(1))) << "nothing was added";
}

// NaN in one sequence must not be hidden by saturated functions.
TEST_P(Recurrent, NaNIsPassedOn) {
  for (const Cell cell : {Cell::lstm, Cell::rnn}) {
    const RecurrentCase c{cell, kTanh, 2, 20, {2, 2}};
    Inputs in = inputs_of(c);
    in.x(0, 0) = std::nan("");
    const Result got = run(c, in);
    EXPECT_TRUE(std::isnan(got.h(0, 3)) && std::isnan(got.h(2, 19)));
    EXPECT_TRUE(std::isfinite(got.h(1, 3)) && std::isfinite(got.h(3, 19)));
  }
}

TEST_P(Recurrent, RefusesWhatDoesNotFit) {
  const RecurrentOptions options{Cell::lstm, kTanh, 3, 2};
  for (const RecurrentOptions& bad :
       {RecurrentOptions{Cell::lstm, kTanh, 0, 2}, RecurrentOptions{Cell::lstm, kTanh, 2, 0},
        RecurrentOptions{Cell::lstm, kTanh, -1, 2},
        RecurrentOptions{Cell::rnn, Activation::identity, 2, 2},
        RecurrentOptions{Cell::rnn, Activation::leaky_relu, 2, 2}})
    EXPECT_THROW(backend().recurrent_state(bad), InputError);
  const auto state = backend().recurrent_state(options);
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> w_x(backend(), Dense(3, 8, 0.1));
  const Guarded<float> w_h(backend(), Dense(2, 8, 0.1));
  const Guarded<float> bias(backend(), Dense(1, 8, 0.1));
  const Guarded<float> h(backend(), Dense(4, 2, 1.0));
  const Guarded<float> short_bias(backend(), Dense(1, 7, 0.1));
  const RecurrentWeights weights{w_x.view(), w_h.view(), bias.vector()};
  const auto forward = [&](const Lengths& offsets, ConstFloatView from, const RecurrentWeights& w,
                           FloatView to) {
    backend().recurrent_forward(*state, {offsets}, from, w, to);
  };
  const Lengths good = {0, 2, 3, 4};
  for (const Lengths& offsets :
       {Lengths{1, 2, 4}, Lengths{0, 2, 3}, Lengths{0, 1, 4}, Lengths{0, 3, 2, 4}, Lengths{}})
    EXPECT_THROW(forward(offsets, x.view(), weights, h.view()), InputError);
  EXPECT_THROW(forward(good, h.view(), weights, h.view()), InputError) << "x";
  EXPECT_THROW(forward(good, x.view(), weights, x.view()), InputError) << "h";
  EXPECT_THROW(forward(good, x.view(), {w_h.view(), w_h.view(), bias.vector()}, h.view()),
               InputError);
  EXPECT_THROW(forward(good, x.view(), {w_x.view(), w_x.view(), bias.vector()}, h.view()),
               InputError);
  EXPECT_THROW(forward(good, x.view(), {w_x.view(), w_h.view(), short_bias.vector()}, h.view()),
               InputError);

  const auto backward = [&](FloatView d_h, FloatView d_x, const RecurrentGradients& gradients) {
    backend().recurrent_backward(*state, {good}, x.view(), weights, h.view(), d_h, d_x, gradients);
  };
  const RecurrentGradients gradients{w_x.view(), w_h.view(), bias.vector()};
  EXPECT_THROW(backward(h.view(), x.view(), gradients), InputError) << "no forward before it";
  forward(good, x.view(), weights, h.view());
  EXPECT_THROW(backward(x.view(), x.view(), gradients), InputError) << "d_h";
  EXPECT_THROW(backward(h.view(), h.view(), gradients), InputError) << "d_x";
  EXPECT_THROW(backward(h.view(), x.view(), {w_h.view(), w_h.view(), bias.vector()}), InputError);
  EXPECT_THROW(backward(h.view(), x.view(), {w_x.view(), w_x.view(), bias.vector()}), InputError);
  EXPECT_THROW(backward(h.view(), x.view(), {w_x.view(), w_h.view(), short_bias.vector()}),
               InputError);
  EXPECT_NO_THROW(backward(h.view(), x.view(), gradients));
  EXPECT_THROW(backward(h.view(), x.view(), gradients), InputError) << "a second one";
}

}  // namespace
}  // namespace penchant::kernels
