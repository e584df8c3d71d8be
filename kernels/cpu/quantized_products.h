// SPDX-License-Identifier: Apache-2.0
// The two parts of a step of a quantised recurrent layer, for 64 columns and some rows at a time.
// Each function gives the code for this machine.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace penchant::kernels {

/// Columns of a block: 16 of each of an lstm's gates i, f, g, o one gate after another, or 64 of an
/// rnn. Activations are multiplied in groups of 4.
inline constexpr std::int64_t kBlockColumns = 64;
inline constexpr std::int64_t kGateColumns = 16;
inline constexpr std::int64_t kInnerGroup = 4;

struct BlockProduct {
  const std::uint8_t* activations = nullptr;  ///< [rows x inner]
  std::int64_t stride = 0;
  std::int64_t inner = 0;                ///< a multiple of 4
  const std::int8_t* weights = nullptr;  ///< [inner / 4 x 64 x 4], of 64-byte alignment
  const float* scales = nullptr;         ///< [64]
  const std::int32_t* zeros = nullptr;   ///< [64]
};
/// z [rows x 64] = base [64] (or z where it is null) + scales * (activations weights - zeros).
using QuantizedProducts = void (*)(const BlockProduct& product, const float* base,
                                   std::int64_t rows, float* z);
QuantizedProducts quantized_products();
/// The same for any machine.
QuantizedProducts portable_products();
/// Whether that uses AVX-512 VNNI.
bool has_vnni();

/// How activations become bytes: round(value * inverse + zero), cut off at 0 and 255.
struct ByteScale {
  float inverse = 1.0F;
  float zero = 0.0F;
};
using BytesOf = void (*)(const float* values, std::int64_t count, const ByteScale& scale,
                         std::uint8_t* bytes);
BytesOf bytes_of();

/// Gates of a block of an lstm: z [rows x 64] as above; cells [rows x 16], of which `first_step`
/// reads none; h [rows x 16]. Strides of z, cells and h apart.
using BlockGates = void (*)(const float* z, std::int64_t rows, bool first_step, float* cells,
                            std::int64_t cell_stride, float* h, std::int64_t h_stride);
BlockGates lstm_block_gates();
/// h = act(z) of a block of an rnn, [rows x 64].
using BlockActivation = void (*)(Activation activation, const float* z, std::int64_t rows, float* h,
                                 std::int64_t h_stride);
BlockActivation rnn_block_activation();

}  // namespace penchant::kernels
