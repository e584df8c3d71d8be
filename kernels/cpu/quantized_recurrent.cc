// SPDX-License-Identifier: Apache-2.0
// Recurrent layers of 8-bit products over packed sequences: tiles of sequences in parallel, as in
// recurrent.cc. See the comment below and kernels/quantized_recurrent.h.
#include "kernels/quantized_recurrent.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <omp.h>

#include "kernels/cpu/check.h"
#include "kernels/cpu/packed_sequences.h"
#include "kernels/cpu/quantized_products.h"
#include "kernels/host_threads.h"

namespace penchant::kernels {

namespace {

constexpr const char* kOp = "quantized_recurrent";
constexpr std::int64_t kWeightMost = 127;
constexpr float kByteMost = 255.0F;

std::int64_t padded_to(std::int64_t count, std::int64_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

void require_finite_weights(const char* name, ConstFloatView weight) {
  for (std::int64_t i = 0; i < weight.rows; ++i) {
    for (std::int64_t j = 0; j < weight.cols; ++j) {
      if (!std::isfinite(weight(i, j)))
        refuse(kOp, std::string(name) + " has a number that is not finite");
    }
  }
}

void require_range(const char* name, const ActivationRange& range) {
  const float width = range.highest - range.lowest;
  if (!std::isfinite(width) || width < 0.0F) {
    refuse(kOp, std::string(name) + " lie between " + std::to_string(range.lowest) + " and " +
                    std::to_string(range.highest) + ", expected finite numbers, the lower first");
  }
}

/// What a tile works in, of `rows` sequences at most.
struct TileScratch {
  TileScratch(std::int64_t rows, std::int64_t input_inner, std::int64_t hidden_inner,
              std::int64_t cell_columns)
      : x_bytes(graph::at(rows * input_inner)),
        h_bytes(graph::at(rows * hidden_inner)),
        z(graph::at(rows * kBlockColumns)),
        edge(graph::at(rows * kBlockColumns)),
        cells(graph::at(rows * cell_columns)) {}
  std::vector<std::uint8_t> x_bytes, h_bytes;
  std::vector<float> z;      ///< [rows x 64] of one block
  std::vector<float> edge;   ///< [rows x 64] h of a block that is wider than what is left of H
  std::vector<float> cells;  ///< [rows x columns, padded]
};

}  // namespace

QuantizedRecurrent::Scale QuantizedRecurrent::scale_of(const ActivationRange& range) {
  // Zero is in the range: it is what padding and the first h are.
  const float lowest = std::min(range.lowest, 0.0F);
  const float highest = std::max(range.highest, 0.0F);
  Scale scale;
  if (highest <= lowest) return scale;
  scale.step = (highest - lowest) / kByteMost;
  scale.inverse = kByteMost / (highest - lowest);
  if (!std::isfinite(scale.inverse)) return {};  // as good as nothing but zeros
  scale.zero = static_cast<std::int32_t>(std::lround(-lowest * scale.inverse));
  return scale;
}

std::int64_t QuantizedRecurrent::column_of(std::int64_t block, std::int64_t place) const {
  const std::int64_t width = options_.hidden_dim;
  if (options_.cell == Cell::rnn) {
    const std::int64_t column = block * kBlockColumns + place;
    return column < width ? column : -1;
  }
  const std::int64_t column = block * kGateColumns + place % kGateColumns;
  return column < width ? place / kGateColumns * width + column : -1;
}

QuantizedRecurrent::Packed QuantizedRecurrent::pack(ConstFloatView weight,
                                                    const Scale& scale) const {
  Packed packed;
  packed.inner = padded_to(weight.rows, kInnerGroup);
  const std::int64_t groups = packed.inner / kInnerGroup;
  packed.weights.resize(graph::at(blocks_ * groups));
  packed.scales.resize(graph::at(blocks_ * kBlockColumns));
  packed.zeros.resize(graph::at(blocks_ * kBlockColumns));
  for (std::int64_t block = 0; block < blocks_; ++block) {
    for (std::int64_t place = 0; place < kBlockColumns; ++place) {
      const std::int64_t column = column_of(block, place);
      if (column < 0) continue;
      float most = 0.0F;
      for (std::int64_t k = 0; k < weight.rows; ++k)
        most = std::max(most, std::abs(weight(k, column)));
      const float step = most / static_cast<float>(kWeightMost);
      const float inverse = static_cast<float>(kWeightMost) / most;
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < weight.rows && std::isfinite(inverse); ++k) {
        const auto whole = static_cast<std::int8_t>(std::lround(weight(k, column) * inverse));
        packed.weights[graph::at(block * groups + k / kInnerGroup)]
            .bytes[graph::at(place * kInnerGroup + k % kInnerGroup)] = whole;
        sum += whole;
      }
      packed.scales[graph::at(block * kBlockColumns + place)] = scale.step * step;
      packed.zeros[graph::at(block * kBlockColumns + place)] = scale.zero * sum;
    }
  }
  return packed;
}

QuantizedRecurrent::QuantizedRecurrent(const RecurrentOptions& options,
                                       const RecurrentWeights& weights,
                                       const RecurrentRanges& ranges)
    : options_(options) {
  if (options.cell == Cell::rnn) require_rnn_activation(kOp, options.activation);
  require_shape(kOp, "W_x", weights.input, options.input_dim, options.gate_dim());
  require_shape(kOp, "W_h", weights.hidden, options.hidden_dim, options.gate_dim());
  require_size(kOp, "bias", weights.bias, options.gate_dim());
  require_finite_weights("W_x", weights.input);
  require_finite_weights("W_h", weights.hidden);
  require_finite_weights(
      "bias", {weights.bias.data, 1, weights.bias.size, weights.bias.size, weights.bias.device});
  require_range("inputs", ranges.input);
  require_range("outputs", ranges.output);
  const std::int64_t columns = options.cell == Cell::lstm ? kGateColumns : kBlockColumns;
  blocks_ = padded_to(options.hidden_dim, columns) / columns;
  input_scale_ = scale_of(ranges.input);
  output_scale_ = scale_of(ranges.output);
  input_ = pack(weights.input, input_scale_);
  hidden_ = pack(weights.hidden, output_scale_);
  bias_.resize(graph::at(blocks_ * kBlockColumns));
  for (std::int64_t block = 0; block < blocks_; ++block) {
    for (std::int64_t place = 0; place < kBlockColumns; ++place) {
      if (const std::int64_t column = column_of(block, place); column >= 0)
        bias_[graph::at(block * kBlockColumns + place)] = weights.bias[column];
    }
  }
}

bool QuantizedRecurrent::is_fast() { return has_vnni(); }

std::int64_t QuantizedRecurrent::weight_bytes() const {
  const auto bytes_in = [](const auto& values) {
    return static_cast<std::int64_t>(values.size() * sizeof(values[0]));
  };
  std::int64_t sum = bytes_in(bias_);
  for (const Packed* packed : {&input_, &hidden_})
    sum += bytes_in(packed->weights) + bytes_in(packed->scales) + bytes_in(packed->zeros);
  return sum;
}

// quantized_recurrent: h of every step of every sequence.
// Computes    kernels/quantized_recurrent.h
// Shapes      x [S x F], h [S x H], float32 row-major, any stride
// Mapping     as recurrent_forward: a thread takes 32 sequences through all steps; of a step 64
//             columns at a time, whose z [32 x 64] stays in L1 between products and gates
// Memory      2 S (F + H) G operations; F + H bytes of weights a column, which stay in L2
// Regime      any; where the machine has no VNNI the portable products are slower than floats
// Numerics    sums exact; gates within 1e-5; deterministic
// Edge cases  S = 0 returns at once; H below a block: its other columns are zeros and not written
// Source      own; scheme of Jacob et al., CVPR 2018
// Measured    bench/recurrent_bench.cc, docs/decisions/0047-small-models.md
void QuantizedRecurrent::forward(const PackedSequences& sequences, ConstFloatView x, FloatView h,
                                 int num_threads) const {
  require_shape(kOp, "x", x, x.rows, options_.input_dim);
  require_shape(kOp, "h", h, x.rows, options_.hidden_dim);
  require_packed(kOp, sequences, x.rows);
  const std::int64_t batch = num_sequences(sequences);
  if (batch <= kTileSequences) {
    if (batch > 0) run_tile(sequences, 0, x, h);
    return;
  }
  const ThreadScope threads(num_threads > 0 ? num_threads : omp_get_max_threads());
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t first = 0; first < batch; first += kTileSequences)
    run_tile(sequences, first, x, h);
}

void QuantizedRecurrent::run_tile(const PackedSequences& sequences, std::int64_t first,
                                  ConstFloatView x, FloatView h) const {
  const bool is_lstm = options_.cell == Cell::lstm;
  const std::int64_t columns = is_lstm ? kGateColumns : kBlockColumns;
  const auto multiply = quantized_products();
  const auto lstm = lstm_block_gates();
  const auto rnn = rnn_block_activation();
  const auto to_bytes = bytes_of();
  const auto byte_scale = [](const Scale& scale) {
    return ByteScale{scale.inverse, static_cast<float>(scale.zero)};
  };
  StepRows rows = step_rows(sequences, 0, first);
  TileScratch scratch(rows.count, input_.inner, hidden_.inner, is_lstm ? blocks_ * columns : 0);
  for (std::size_t t = 0; rows.count > 0; ++t) {
    for (std::int64_t r = 0; r < rows.count; ++r)
      to_bytes(x.row(rows.first + r), options_.input_dim, byte_scale(input_scale_),
               scratch.x_bytes.data() + r * input_.inner);
    for (std::int64_t block = 0; block < blocks_; ++block) {
      const auto product = [&](const Packed& packed, const std::vector<std::uint8_t>& bytes) {
        const std::int64_t place = block * kBlockColumns;
        return BlockProduct{
            bytes.data(),
            packed.inner,
            packed.inner,
            packed.weights[graph::at(block * (packed.inner / kInnerGroup))].bytes.data(),
            packed.scales.data() + place,
            packed.zeros.data() + place};
      };
      multiply(product(input_, scratch.x_bytes), bias_.data() + block * kBlockColumns, rows.count,
               scratch.z.data());
      if (t > 0) multiply(product(hidden_, scratch.h_bytes), nullptr, rows.count, scratch.z.data());
      const std::int64_t column = block * columns;
      const std::int64_t width = std::min(columns, options_.hidden_dim - column);
      const bool whole = width == columns;
      float* out = whole ? h.row(rows.first) + column : scratch.edge.data();
      const std::int64_t stride = whole ? h.stride : kBlockColumns;
      if (is_lstm)
        lstm(scratch.z.data(), rows.count, t == 0, scratch.cells.data() + column, blocks_ * columns,
             out, stride);
      else
        rnn(options_.activation, scratch.z.data(), rows.count, out, stride);
      for (std::int64_t r = 0; r < rows.count && !whole; ++r)
        std::copy_n(out + r * stride, width, h.row(rows.first + r) + column);
    }
    for (std::int64_t r = 0; r < rows.count; ++r)
      to_bytes(h.row(rows.first + r), options_.hidden_dim, byte_scale(output_scale_),
               scratch.h_bytes.data() + r * hidden_.inner);
    rows = step_rows(sequences, t + 1, first);
  }
}

}  // namespace penchant::kernels
