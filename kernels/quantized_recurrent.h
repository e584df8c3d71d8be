// SPDX-License-Identifier: Apache-2.0
// A recurrent layer (kernels/backend.h, Cell) whose products are of 8-bit integers, forward only, in
// host memory on the CPU. With u8 activations a of scale s_a and zero point n_a and s8 weights q of
// a scale for each column (Jacob et al., CVPR 2018, equation 4; one accumulator for x and one for h,
// whose ranges differ):
//   x_t W_x + h_(t-1) W_h + b  ~  s_x s_j (sum_k a_k q_kj - n_x sum_k q_kj) + the same of h + b_j
// Sums are exact in 32 bits; gates and cells are float32, and so is what comes out.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"

namespace penchant::kernels {

/// What activations lie between; what lies outside is cut off.
struct ActivationRange {
  float lowest = 0.0F;
  float highest = 0.0F;

  bool operator==(const ActivationRange&) const = default;
};
/// Of a layer's inputs and outputs.
struct RecurrentRanges {
  ActivationRange input, output;

  bool operator==(const RecurrentRanges&) const = default;
};

class QuantizedRecurrent {
 public:
  /// Throws InputError: shapes that do not fit, weights or ranges that are not finite, a range whose
  /// end is below its start, an rnn with an activation other than tanh, relu or sigmoid.
  QuantizedRecurrent(const RecurrentOptions& options, const RecurrentWeights& weights,
                     const RecurrentRanges& ranges);

  /// h [S x H] of every step of every sequence, from x [S x F]; on `num_threads` threads (0: as many as
  /// OpenMP has where it is called), on which the bits do not depend.
  void forward(const PackedSequences& sequences, ConstFloatView x, FloatView h,
               int num_threads = 0) const;

  /// Whether this machine multiplies 8-bit integers faster than floats (AVX-512 VNNI).
  static bool is_fast();
  /// Of the weights as they are multiplied.
  std::int64_t weight_bytes() const;

 private:
  /// u8 = round(value * inverse + zero), in [0, 255].
  struct Scale {
    float step = 1.0F;
    float inverse = 1.0F;
    std::int32_t zero = 0;
  };
  /// 4 rows of 64 columns of the weights.
  struct alignas(64) Group {
    std::array<std::int8_t, 256> bytes = {};
  };
  /// Of one operand's products.
  struct Packed {
    std::int64_t inner = 0;           ///< K, padded to 4
    std::vector<Group> weights;       ///< [blocks x K / 4]
    std::vector<float> scales;        ///< [blocks x 64] s_a s_j
    std::vector<std::int32_t> zeros;  ///< [blocks x 64] n_a sum_k q_kj
  };

  static Scale scale_of(const ActivationRange& range);
  Packed pack(ConstFloatView weight, const Scale& scale) const;
  /// Column of the weights in place `place` of block `block`; -1: none.
  std::int64_t column_of(std::int64_t block, std::int64_t place) const;
  void run_tile(const PackedSequences& sequences, std::int64_t first, ConstFloatView x,
                FloatView h) const;

  RecurrentOptions options_;
  std::int64_t blocks_ = 0;  ///< of the columns: 16 of each gate of an lstm, 64 of an rnn
  Scale input_scale_, output_scale_;
  Packed input_, hidden_;
  std::vector<float> bias_;  ///< [blocks x 64]
};

}  // namespace penchant::kernels
