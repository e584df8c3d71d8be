// SPDX-License-Identifier: Apache-2.0
// Activations of one number, for every CPU op that ends in one. Included before per-target code, so
// that it is compiled for the baseline once.
#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/backend.h"

namespace penchant::kernels {

inline constexpr float kLeakySlope = 0.2F;

inline float activate(Activation act, float x) {
  switch (act) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return x > 0.0F ? x : 0.0F;
    case Activation::leaky_relu:
      return x > 0.0F ? x : kLeakySlope * x;
    case Activation::sigmoid:
      return 1.0F / (1.0F + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
  }
  return x;
}

/// Calls `loop` with `act` as a constant. Looked at for every number it would keep the compiler
/// from vectorising the loops of those without an exponential.
template <typename Loop>
inline void with_activation(Activation act, Loop loop) {
  using enum Activation;
  switch (act) {
    case identity:
      return loop(std::integral_constant<Activation, identity>{});
    case relu:
      return loop(std::integral_constant<Activation, relu>{});
    case leaky_relu:
      return loop(std::integral_constant<Activation, leaky_relu>{});
    case sigmoid:
      return loop(std::integral_constant<Activation, sigmoid>{});
    case Activation::tanh:
      return loop(std::integral_constant<Activation, Activation::tanh>{});
  }
}

}  // namespace penchant::kernels
