// SPDX-License-Identifier: Apache-2.0
// Element by element on the device: one kernel that walks a matrix, and a struct for each op that
// says what happens to one pack of elements. The optimiser is such an op too; dropout (random.cuh),
// pointwise losses (loss.cuh) and others stand beside what they belong to. Bandwidth-bound
// throughout.
#pragma once

#include <cmath>

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"

namespace penchant::kernels::cuda {

namespace {

struct MapConfig {
  static constexpr int kBlockThreads = 256;
  /// Blocks that are resident at once on 132 SMs of 2048 threads; more would only queue. Loops do
  /// the rest.
  static constexpr std::int64_t kMaxBlocks = 132 * 8;
};

// map_elements: one pack of an element-wise op's outputs.
// Computes    Op::apply<N>(i, j) for every row i and every N-th column j
// Shapes      rows x cols; arrays as the op's struct lists them. N = 4: every array starts rows on
//             16-byte boundaries and cols is a multiple of 4
// Mapping     blocks of bx x by threads, bx a power of two that about covers a row; thread x takes
//             packs of a row, thread y rows; both loops strided by the grid (at most 1056 blocks
//             along rows)
// Memory      no shared memory; coalesced 16-byte accesses (N = 1: 4-byte); each input element
//             read once, each output element written once: bound by device memory
// Regime      any size
// Numerics    float32; every element by one thread: deterministic
// Edge cases  none: no thread has work outside rows x cols
// Source      own
// Measured    not yet measured
template <int N, typename Op>
__global__ void __launch_bounds__(MapConfig::kBlockThreads)
    map_elements_kernel(Op op, std::int64_t rows, std::int64_t cols) {
  const std::int64_t first_row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  const std::int64_t first_col = (std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x) * N;
  const std::int64_t row_step = std::int64_t{gridDim.x} * blockDim.y;
  const std::int64_t col_step = std::int64_t{gridDim.y} * blockDim.x * N;
  for (std::int64_t i = first_row; i < rows; i += row_step) {
    for (std::int64_t j = first_col; j < cols; j += col_step) op.template apply<N>(i, j);
  }
}

template <int N, typename Op>
void launch_map(const Op& op, std::int64_t rows, std::int64_t cols, Stream stream) {
  const std::int64_t packs = ceil_div(cols, N);
  unsigned across = 1;
  while (across < packs && across < MapConfig::kBlockThreads) across *= 2;
  const unsigned down = MapConfig::kBlockThreads / across;
  const std::int64_t row_blocks = std::min(ceil_div(rows, down), MapConfig::kMaxBlocks);
  const std::int64_t col_blocks =
      std::min(ceil_div(packs, across), ceil_div(MapConfig::kMaxBlocks, row_blocks));
  launch(map_elements_kernel<N, Op>,
         {dim3(grid_x(row_blocks), grid_y(col_blocks)), dim3(across, down)}, stream, op, rows,
         cols);
}

/// For ops that handle single elements only.
template <typename Op>
void map_elements(const Op& op, std::int64_t rows, std::int64_t cols, Stream stream) {
  if (rows == 0 || cols == 0) return;
  launch_map<1>(op, rows, cols, stream);
}

/// In packs of four where every array of the op allows it.
template <typename Op>
void map_elements(const Op& op, std::int64_t rows, std::int64_t cols, bool packs, Stream stream) {
  if (rows == 0 || cols == 0) return;
  if (packs)
    launch_map<4>(op, rows, cols, stream);
  else
    launch_map<1>(op, rows, cols, stream);
}

constexpr float kLeakySlope = 0.2F;

__device__ __forceinline__ float sigmoid(float x) { return 1.0F / (1.0F + expf(-x)); }
/// y_ij = value.
struct Fill {
  float value;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> pack;
    for (int k = 0; k < N; ++k) pack.v[k] = value;
    store_pack<N>(&y.at(i, j), pack);
  }
};

/// y_ij = x_ij.
struct Copy {
  Rows<const float> x;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    store_pack<N>(&y.at(i, j), load_pack<N>(&x.at(i, j)));
  }
};

/// y = alpha x + beta y; beta = 0 does not read y.
struct Axpby {
  float alpha, beta;
  Rows<const float> x;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> value = load_pack<N>(&x.at(i, j));
    for (int k = 0; k < N; ++k) value.v[k] *= alpha;
    if (beta != 0.0F) {
      const Pack<N> before = load_pack<N>(&y.at(i, j));
      for (int k = 0; k < N; ++k) value.v[k] += beta * before.v[k];
    }
    store_pack<N>(&y.at(i, j), value);
  }
};

/// z = alpha x y + beta z; beta = 0 does not read z.
struct Multiply {
  float alpha, beta;
  Rows<const float> x, y;
  Rows<float> z;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> value = load_pack<N>(&x.at(i, j));
    const Pack<N> factor = load_pack<N>(&y.at(i, j));
    for (int k = 0; k < N; ++k) value.v[k] *= alpha * factor.v[k];
    if (beta != 0.0F) {
      const Pack<N> before = load_pack<N>(&z.at(i, j));
      for (int k = 0; k < N; ++k) value.v[k] += beta * before.v[k];
    }
    store_pack<N>(&z.at(i, j), value);
  }
};

/// y_ij = scale_i x_ij.
struct ScaleRows {
  Rows<const float> x;
  const float* scale;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> value = load_pack<N>(&x.at(i, j));
    for (int k = 0; k < N; ++k) value.v[k] *= scale[i];
    store_pack<N>(&y.at(i, j), value);
  }
};

/// y = act(x).
struct Activate {
  Activation act;
  Rows<const float> x;
  Rows<float> y;

  __device__ static float value(Activation act, float x) {
    switch (act) {
      case Activation::identity:
        return x;
      case Activation::relu:
        return x > 0.0F ? x : 0.0F;
      case Activation::leaky_relu:
        return x > 0.0F ? x : kLeakySlope * x;
      case Activation::sigmoid:
        return sigmoid(x);
      case Activation::tanh:
        return tanhf(x);
    }
    return x;
  }
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> pack = load_pack<N>(&x.at(i, j));
    for (int k = 0; k < N; ++k) pack.v[k] = value(act, pack.v[k]);
    store_pack<N>(&y.at(i, j), pack);
  }
};

/// y_ij = act(x_ij + bias_j).
struct BiasActivate {
  Activation act;
  Rows<const float> x;
  const float* bias;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> pack = load_pack<N>(&x.at(i, j));
    for (int k = 0; k < N; ++k) pack.v[k] = Activate::value(act, pack.v[k] + bias[j + k]);
    store_pack<N>(&y.at(i, j), pack);
  }
};

/// d_x = d_y act'(x), act' from y = act(x).
struct ActivateBackward {
  Activation act;
  Rows<const float> y, d_y;
  Rows<float> d_x;

  __device__ static float slope(Activation act, float y) {
    switch (act) {
      case Activation::identity:
        return 1.0F;
      case Activation::relu:
        return y > 0.0F ? 1.0F : 0.0F;
      case Activation::leaky_relu:
        return y > 0.0F ? 1.0F : kLeakySlope;
      case Activation::sigmoid:
        return y * (1.0F - y);
      case Activation::tanh:
        return 1.0F - y * y;
    }
    return 1.0F;
  }
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> gradient = load_pack<N>(&d_y.at(i, j));
    const Pack<N> out = load_pack<N>(&y.at(i, j));
    for (int k = 0; k < N; ++k) gradient.v[k] *= slope(act, out.v[k]);
    store_pack<N>(&d_x.at(i, j), gradient);
  }
};

/// float32 -> bf16, round to nearest even.
struct ToBf16 {
  Rows<const float> x;
  Rows<Bf16> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    const Pack<N> pack = load_pack<N>(&x.at(i, j));
    if constexpr (N == 4) {
      *reinterpret_cast<uint2*>(&y.at(i, j)) =
          make_uint2(bf16_of(pack.v[0]) | (unsigned{bf16_of(pack.v[1])} << 16),
                     bf16_of(pack.v[2]) | (unsigned{bf16_of(pack.v[3])} << 16));
    } else {
      y.at(i, j).bits = bf16_of(pack.v[0]);
    }
  }
};

/// bf16 -> float32, exact.
struct FromBf16 {
  Rows<const Bf16> x;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    Pack<N> pack;
    if constexpr (N == 4) {
      const uint2 words = *reinterpret_cast<const uint2*>(&x.at(i, j));
      pack.v[0] = float_of(words.x & 0xFFFFU);
      pack.v[1] = float_of(words.x >> 16);
      pack.v[2] = float_of(words.y & 0xFFFFU);
      pack.v[3] = float_of(words.y >> 16);
    } else {
      pack.v[0] = float_of(x.at(i, j).bits);
    }
    store_pack<N>(&y.at(i, j), pack);
  }
};

/// Kingma and Ba 2015, algorithm 1, bias corrections folded into `rate` and `inverse_root`.
struct AdamUpdate {
  float rate, inverse_root, beta1, beta2, epsilon, l2;
  Rows<const float> gradient;
  Rows<float> parameter, first_moment, second_moment;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    const Pack<N> from = load_pack<N>(&gradient.at(i, j));
    Pack<N> weight = load_pack<N>(&parameter.at(i, j));
    Pack<N> first = load_pack<N>(&first_moment.at(i, j));
    Pack<N> second = load_pack<N>(&second_moment.at(i, j));
    for (int k = 0; k < N; ++k) {
      const float g = from.v[k] + l2 * weight.v[k];
      first.v[k] = beta1 * first.v[k] + (1.0F - beta1) * g;
      second.v[k] = beta2 * second.v[k] + (1.0F - beta2) * g * g;
      weight.v[k] -= rate * first.v[k] / (sqrtf(second.v[k]) * inverse_root + epsilon);
    }
    store_pack<N>(&parameter.at(i, j), weight);
    store_pack<N>(&first_moment.at(i, j), first);
    store_pack<N>(&second_moment.at(i, j), second);
  }
};

}  // namespace

inline void fill(FloatView y, float value, Stream stream) {
  map_elements(Fill{value, Rows(y)}, y.rows, y.cols, packs_fit(y, 4), stream);
}

/// Between strides, bit by bit.
inline void copy(ConstFloatView from, FloatView to, Stream stream) {
  map_elements(Copy{Rows(from), Rows(to)}, to.rows, to.cols, packs_fit(from, 4) && packs_fit(to, 4),
               stream);
}

inline void convert(ConstFloatView from, MatrixView<Bf16> to, Stream stream) {
  map_elements(ToBf16{Rows(from), Rows(to)}, to.rows, to.cols,
               packs_fit(from, 4) && packs_fit(to, 4), stream);
}

inline void convert(MatrixView<const Bf16> from, FloatView to, Stream stream) {
  map_elements(FromBf16{Rows(from), Rows(to)}, to.rows, to.cols,
               packs_fit(from, 4) && packs_fit(to, 4), stream);
}

inline void axpby(float alpha, ConstFloatView x, float beta, FloatView y, Stream stream) {
  map_elements(Axpby{alpha, beta, Rows(x), Rows(y)}, y.rows, y.cols,
               packs_fit(x, 4) && packs_fit(y, 4), stream);
}

inline void multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta, FloatView z,
                     Stream stream) {
  map_elements(Multiply{alpha, beta, Rows(x), Rows(y), Rows(z)}, z.rows, z.cols,
               packs_fit(x, 4) && packs_fit(y, 4) && packs_fit(z, 4), stream);
}

/// y may be x.
inline void bias_activation(ConstFloatView x, VectorView<const float> bias, Activation act,
                            FloatView y, Stream stream) {
  map_elements(BiasActivate{act, Rows(x), bias.data, Rows(y)}, y.rows, y.cols,
               packs_fit(x, 4) && packs_fit(y, 4), stream);
}

inline void add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y, Stream stream) {
  bias_activation(x, bias, Activation::identity, y, stream);
}

inline void scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y,
                       Stream stream) {
  map_elements(ScaleRows{Rows(x), scale.data, Rows(y)}, y.rows, y.cols,
               packs_fit(x, 4) && packs_fit(y, 4), stream);
}

inline void activation(Activation act, ConstFloatView x, FloatView y, Stream stream) {
  map_elements(Activate{act, Rows(x), Rows(y)}, y.rows, y.cols, packs_fit(x, 4) && packs_fit(y, 4),
               stream);
}

inline void activation_backward(Activation act, ConstFloatView y, ConstFloatView d_y, FloatView d_x,
                                Stream stream) {
  map_elements(ActivateBackward{act, Rows(y), Rows(d_y), Rows(d_x)}, y.rows, y.cols,
               packs_fit(y, 4) && packs_fit(d_y, 4) && packs_fit(d_x, 4), stream);
}

inline void adam_step(const AdamOptions& options, ConstFloatView gradient, FloatView parameter,
                      FloatView first_moment, FloatView second_moment, Stream stream) {
  const auto step = static_cast<double>(options.step);
  const double correction1 = 1.0 - std::pow(static_cast<double>(options.beta1), step);
  const double correction2 = 1.0 - std::pow(static_cast<double>(options.beta2), step);
  const AdamUpdate update{
      static_cast<float>(static_cast<double>(options.learning_rate) / correction1),
      static_cast<float>(1.0 / std::sqrt(correction2)),
      options.beta1,
      options.beta2,
      options.epsilon,
      options.l2,
      Rows(gradient),
      Rows(parameter),
      Rows(first_moment),
      Rows(second_moment)};
  const bool packs = packs_fit(gradient, 4) && packs_fit(parameter, 4) &&
                     packs_fit(first_moment, 4) && packs_fit(second_moment, 4);
  map_elements(update, parameter.rows, parameter.cols, packs, stream);
}

}  // namespace penchant::kernels::cuda
