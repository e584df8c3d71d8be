// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/sequence.h"

#include <algorithm>
#include <cmath>

#include "tests/oracle/tracked.h"

namespace penchant::oracle {

namespace {

void add(Sum& sum, std::int64_t i, std::int64_t j, double term) {
  sum.value(i, j) += term;
  sum.magnitude(i, j) += std::abs(term);
}

Sum from(const Dense& start) {
  Sum sum(start.rows, start.cols);
  for (std::int64_t i = 0; i < start.rows; ++i) {
    for (std::int64_t j = 0; j < start.cols; ++j) add(sum, i, j, start(i, j));
  }
  return sum;
}

/// Calls visit(t, t - k) for every step and every earlier step that it sees.
template <typename Visit>
void for_each_tap(const Offsets& offsets, std::int64_t width, Visit visit) {
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    for (std::int64_t t = offsets[b]; t < offsets[b + 1]; ++t) {
      for (std::int64_t k = 0; k < width && t - k >= offsets[b]; ++k) visit(t, k);
    }
  }
}

}  // namespace

Offsets offsets_of(const std::vector<std::int64_t>& lengths) {
  Offsets offsets = {0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return offsets;
}

Sum convolution(const Offsets& offsets, std::int64_t width, const Dense& x, const Dense& weight,
                const Dense& bias) {
  Sum y(x.rows, weight.cols);
  for (std::int64_t t = 0; t < x.rows; ++t) {
    for (std::int64_t j = 0; j < weight.cols; ++j) add(y, t, j, bias(0, j));
  }
  for_each_tap(offsets, width, [&](std::int64_t t, std::int64_t k) {
    for (std::int64_t f = 0; f < x.cols; ++f) {
      for (std::int64_t j = 0; j < weight.cols; ++j)
        add(y, t, j, x(t - k, f) * weight(k * x.cols + f, j));
    }
  });
  return y;
}

ConvolutionGradients convolution_backward(const Offsets& offsets, std::int64_t width,
                                          const Dense& x, const Dense& weight, const Dense& d_y,
                                          const Dense& d_weight0, const Dense& d_bias0) {
  ConvolutionGradients result{Sum(x.rows, x.cols), from(d_weight0), from(d_bias0)};
  for_each_tap(offsets, width, [&](std::int64_t t, std::int64_t k) {
    for (std::int64_t f = 0; f < x.cols; ++f) {
      for (std::int64_t j = 0; j < weight.cols; ++j) {
        add(result.d_x, t - k, f, d_y(t, j) * weight(k * x.cols + f, j));
        add(result.d_weight, k * x.cols + f, j, d_y(t, j) * x(t - k, f));
      }
    }
  });
  for (std::int64_t t = 0; t < x.rows; ++t) {
    for (std::int64_t j = 0; j < weight.cols; ++j) add(result.d_bias, 0, j, d_y(t, j));
  }
  return result;
}

MaxResult segment_max(const Offsets& offsets, const Dense& x) {
  const auto batch = static_cast<std::int64_t>(offsets.size()) - 1;
  MaxResult result{Dense(batch, x.cols), Dense(batch, x.cols, -1.0)};
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      for (std::int64_t t = offsets[static_cast<std::size_t>(b)];
           t < offsets[static_cast<std::size_t>(b) + 1]; ++t) {
        if (result.rows(b, j) < 0.0 || x(t, j) > result.y(b, j)) {
          result.y(b, j) = x(t, j);
          result.rows(b, j) = static_cast<double>(t);
        }
      }
    }
  }
  return result;
}

Sum running_sum(bool from_the_end, const Offsets& offsets, double decay, const Dense& x) {
  Sum y(x.rows, x.cols);
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    for (std::int64_t t = offsets[b]; t < offsets[b + 1]; ++t) {
      for (std::int64_t s = offsets[b]; s < offsets[b + 1]; ++s) {
        if (from_the_end ? s < t : s > t) continue;
        const double weight = std::pow(decay, static_cast<double>(std::abs(t - s)));
        for (std::int64_t j = 0; j < x.cols; ++j) add(y, t, j, weight * x(s, j));
      }
    }
  }
  return y;
}

LayerNormResult layer_norm(const Dense& x, const Dense& gain, const Dense& bias) {
  LayerNormResult result{Sum(x.rows, x.cols), Sum(1, x.rows), Sum(x.rows, x.cols)};
  const Tracked count(static_cast<double>(x.cols));
  for (std::int64_t i = 0; i < x.rows; ++i) {
    TrackedSum sum;
    for (std::int64_t j = 0; j < x.cols; ++j) sum.add(x(i, j));
    const Tracked mean = sum.total() / count;
    TrackedSum squares;
    for (std::int64_t j = 0; j < x.cols; ++j)
      squares.add((Tracked(x(i, j)) - mean) * (Tracked(x(i, j)) - mean));
    const Tracked variance = squares.total() / count + Tracked(1e-5);
    const double root = std::sqrt(variance.value);
    const Tracked inverse = function(1.0 / root, 0.5 / (root * variance.value), variance);
    store(result.inverse_deviations, 0, i, inverse);
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const Tracked unit = (Tracked(x(i, j)) - mean) * inverse;
      store(result.unit, i, j, unit);
      store(result.y, i, j, Tracked(gain(0, j)) * unit + Tracked(bias(0, j)));
    }
  }
  return result;
}

LayerNormGradients layer_norm_backward(const Dense& unit, const Dense& inverse_deviations,
                                       const Dense& gain, const Dense& d_y, const Dense& d_gain0,
                                       const Dense& d_bias0) {
  LayerNormGradients result{Sum(unit.rows, unit.cols), from(d_gain0), from(d_bias0)};
  const Tracked count(static_cast<double>(unit.cols));
  for (std::int64_t i = 0; i < unit.rows; ++i) {
    TrackedSum level, slope;
    for (std::int64_t j = 0; j < unit.cols; ++j) {
      const Tracked g = Tracked(gain(0, j)) * Tracked(d_y(i, j));
      level.add(g);
      slope.add(g * Tracked(unit(i, j)));
      add(result.d_gain, 0, j, d_y(i, j) * unit(i, j));
      add(result.d_bias, 0, j, d_y(i, j));
    }
    const Tracked mean_level = level.total() / count;
    const Tracked mean_slope = slope.total() / count;
    for (std::int64_t j = 0; j < unit.cols; ++j) {
      const Tracked g = Tracked(gain(0, j)) * Tracked(d_y(i, j));
      // The two differences may be formed in either order: the larger intermediate counts.
      Tracked difference = g - mean_level - mean_slope * Tracked(unit(i, j));
      difference.error += std::abs(g.value) + std::abs(mean_level.value);
      store(result.d_x, i, j, Tracked(inverse_deviations(0, i)) * difference);
    }
  }
  return result;
}

}  // namespace penchant::oracle
