// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/recurrent.h"

#include <cmath>

#include "tests/oracle/tracked.h"

namespace penchant::oracle {

namespace {

using Row = std::vector<Tracked>;

Tracked sigmoid(const Tracked& z) {
  const double y = 1.0 / (1.0 + std::exp(-z.value));
  return function(y, y * (1.0 - y), z);
}

Tracked tangent(const Tracked& z) {
  const double y = std::tanh(z.value);
  return function(y, 1.0 - y * y, z);
}

Tracked activate(kernels::Activation act, const Tracked& z) {
  if (act == kernels::Activation::sigmoid) return sigmoid(z);
  if (act == kernels::Activation::tanh) return tangent(z);
  return z.value > 0.0 ? z : Tracked(0.0);
}

/// act'(z) from y = act(z).
Tracked slope(kernels::Activation act, const Tracked& y) {
  if (act == kernels::Activation::sigmoid) return y * (Tracked(1.0) - y);
  if (act == kernels::Activation::tanh) return Tracked(1.0) - y * y;
  return y.value > 0.0 ? 1.0 : 0.0;
}

/// What one step of one sequence leaves for the backward.
struct Step {
  std::int64_t row;
  Row gates;  ///< the lstm's i, f, g, o after their functions; empty for the rnn
  Row c, h;
};

class Layer {
 public:
  Layer(const kernels::RecurrentOptions& options, const RecurrentParameters& parameters,
        const Dense& x)
      : options_(options), p_(parameters), x_(x) {}

  Row products(std::int64_t row, const Row& h_before) const {
    Row z;
    for (std::int64_t column = 0; column < p_.bias.cols; ++column) {
      TrackedSum sum;
      sum.add(p_.bias(0, column));
      for (std::int64_t k = 0; k < x_.cols; ++k) sum.add(x_(row, k) * p_.input(k, column));
      for (std::int64_t k = 0; k < options_.hidden_dim; ++k)
        sum.add(h_before[index(k)] * Tracked(p_.hidden(k, column)));
      z.push_back(sum.total());
    }
    return z;
  }

  Step forward(std::int64_t row, const Row& h_before, const Row& c_before) const {
    const std::int64_t width = options_.hidden_dim;
    const Row z = products(row, h_before);
    Step step{row, {}, {}, {}};
    if (options_.cell == kernels::Cell::rnn) {
      for (const Tracked& sum : z) step.h.push_back(activate(options_.activation, sum));
      return step;
    }
    for (std::int64_t column = 0; column < 4 * width; ++column) {
      const Tracked& sum = z[index(column)];
      step.gates.push_back(column / width == 2 ? tangent(sum) : sigmoid(sum));
    }
    for (std::int64_t k = 0; k < width; ++k) {
      step.c.push_back(step.gates[index(width + k)] * c_before[index(k)] +
                       step.gates[index(k)] * step.gates[index(2 * width + k)]);
      step.h.push_back(step.gates[index(3 * width + k)] * tangent(step.c.back()));
    }
    return step;
  }

  /// dLoss/dz of a step from dLoss/dh; d_c comes in from the step behind and leaves for the one
  /// before.
  Row backward(const Step& step, const Row& c_before, const Row& d_h, Row& d_c) const {
    const std::int64_t width = options_.hidden_dim;
    Row d_z(index(options_.gate_dim()));
    for (std::int64_t k = 0; k < width; ++k) {
      if (options_.cell == kernels::Cell::rnn) {
        d_z[index(k)] = d_h[index(k)] * slope(options_.activation, step.h[index(k)]);
        continue;
      }
      const Tracked& i = step.gates[index(k)];
      const Tracked& f = step.gates[index(width + k)];
      const Tracked& g = step.gates[index(2 * width + k)];
      const Tracked& o = step.gates[index(3 * width + k)];
      const Tracked squashed = tangent(step.c[index(k)]);
      const Tracked one(1.0);
      const Tracked total = d_c[index(k)] + d_h[index(k)] * o * (one - squashed * squashed);
      d_z[index(k)] = total * g * i * (one - i);
      d_z[index(width + k)] = total * c_before[index(k)] * f * (one - f);
      d_z[index(2 * width + k)] = total * i * (one - g * g);
      d_z[index(3 * width + k)] = d_h[index(k)] * squashed * o * (one - o);
      d_c[index(k)] = total * f;
    }
    return d_z;
  }

  static std::size_t index(std::int64_t k) { return static_cast<std::size_t>(k); }

 private:
  const kernels::RecurrentOptions& options_;
  const RecurrentParameters& p_;
  const Dense& x_;
};

using Sums = std::vector<TrackedSum>;

void store_all(const Sums& sums, Sum& result) {
  for (std::int64_t i = 0; i < result.value.rows; ++i) {
    for (std::int64_t j = 0; j < result.value.cols; ++j)
      store(result, i, j, sums[Layer::index(i * result.value.cols + j)].total());
  }
}

}  // namespace

std::vector<std::int64_t> step_offsets(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t t = 0; !lengths.empty() && t < lengths.front(); ++t) {
    std::int64_t active = 0;
    for (const std::int64_t length : lengths) active += length > t ? 1 : 0;
    offsets.push_back(offsets.back() + active);
  }
  return offsets;
}

RecurrentResult recurrent(const kernels::RecurrentOptions& options,
                          const std::vector<std::int64_t>& lengths, const Dense& x,
                          const RecurrentParameters& parameters, const Dense& d_h) {
  const std::int64_t width = options.hidden_dim;
  const std::int64_t gate_dim = options.gate_dim();
  const std::vector<std::int64_t> offsets = step_offsets(lengths);
  const Layer layer(options, parameters, x);
  RecurrentResult result{Sum(x.rows, width), Sum(x.rows, x.cols), Sum(x.cols, gate_dim),
                         Sum(width, gate_dim), Sum(1, gate_dim)};
  Sums d_input(Layer::index(x.cols * gate_dim));
  Sums d_hidden(Layer::index(width * gate_dim));
  Sums d_bias(Layer::index(gate_dim));
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    const Row zero(Layer::index(width));
    std::vector<Step> steps;
    for (std::int64_t t = 0; t < lengths[b]; ++t) {
      const std::int64_t row = offsets[Layer::index(t)] + static_cast<std::int64_t>(b);
      steps.push_back(
          layer.forward(row, t == 0 ? zero : steps.back().h, t == 0 ? zero : steps.back().c));
      for (std::int64_t k = 0; k < width; ++k)
        store(result.h, row, k, steps.back().h[Layer::index(k)]);
    }
    Row from_behind = zero;
    Row d_c = zero;
    for (std::int64_t t = lengths[b] - 1; t >= 0; --t) {
      const Step& step = steps[Layer::index(t)];
      const Row& h_before = t == 0 ? zero : steps[Layer::index(t - 1)].h;
      const Row& c_before = t == 0 ? zero : steps[Layer::index(t - 1)].c;
      Row total;
      for (std::int64_t k = 0; k < width; ++k)
        total.push_back(from_behind[Layer::index(k)] + Tracked(d_h(step.row, k)));
      const Row d_z = layer.backward(step, c_before, total, d_c);
      for (std::int64_t k = 0; k < x.cols; ++k) {
        TrackedSum sum;
        for (std::int64_t column = 0; column < gate_dim; ++column) {
          sum.add(d_z[Layer::index(column)] * Tracked(parameters.input(k, column)));
          d_input[Layer::index(k * gate_dim + column)].add(d_z[Layer::index(column)] *
                                                           Tracked(x(step.row, k)));
        }
        store(result.d_x, step.row, k, sum.total());
      }
      for (std::int64_t k = 0; k < width; ++k) {
        TrackedSum sum;
        for (std::int64_t column = 0; column < gate_dim; ++column) {
          sum.add(d_z[Layer::index(column)] * Tracked(parameters.hidden(k, column)));
          d_hidden[Layer::index(k * gate_dim + column)].add(d_z[Layer::index(column)] *
                                                            h_before[Layer::index(k)]);
        }
        from_behind[Layer::index(k)] = sum.total();
      }
      for (std::int64_t column = 0; column < gate_dim; ++column)
        d_bias[Layer::index(column)].add(d_z[Layer::index(column)]);
    }
  }
  store_all(d_input, result.d_input);
  store_all(d_hidden, result.d_hidden);
  store_all(d_bias, result.d_bias);
  return result;
}

}  // namespace penchant::oracle
