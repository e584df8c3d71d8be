// SPDX-License-Identifier: Apache-2.0
// Sequences packed by time step (kernels/backend.h, PackedSequences), tile by tile.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "kernels/backend.h"
#include "kernels/check.h"

namespace penchant::kernels {

/// Sequences of a tile, which one thread carries through all steps. With G = 512 a step's products
/// are 64 KiB, and W_h 256 KiB: both stay in a core's L2.
inline constexpr std::int64_t kTileSequences = 32;

inline std::int64_t num_sequences(const PackedSequences& sequences) {
  return sequences.step_offsets.size() < 2 ? 0 : sequences.step_offsets[1];
}

inline void require_packed(const char* op, const PackedSequences& sequences, std::int64_t rows) {
  const auto& offsets = sequences.step_offsets;
  bool valid = offsets.empty() ? rows == 0 : offsets.front() == 0 && offsets.back() == rows;
  for (std::size_t t = 1; t < offsets.size() && valid; ++t) {
    const std::int64_t size = offsets[t] - offsets[t - 1];
    valid = size >= 0 && (t == 1 || size <= offsets[t - 1] - offsets[t - 2]);
  }
  if (!valid) {
    refuse(op, "step offsets do not start at 0, end at " + std::to_string(rows) +
                   " and take steps that never grow");
  }
}

/// The rows of step t that belong to the tile of sequences from `first`; count 0 if none is as
/// long.
struct StepRows {
  std::int64_t first, count;
};
inline StepRows step_rows(const PackedSequences& sequences, std::size_t t, std::int64_t first) {
  if (t + 1 >= sequences.step_offsets.size()) return {0, 0};
  const std::int64_t start = sequences.step_offsets[t];
  const std::int64_t size = sequences.step_offsets[t + 1] - start;
  return {start + first, std::clamp<std::int64_t>(size - first, 0, kTileSequences)};
}

inline void require_rnn_activation(const char* op, Activation activation) {
  if (activation != Activation::tanh && activation != Activation::relu &&
      activation != Activation::sigmoid)
    refuse(op, "the activation of an rnn is tanh, relu or sigmoid");
}

}  // namespace penchant::kernels
