// SPDX-License-Identifier: Apache-2.0
// Recurrent layers (Elman's and the LSTM) over packed sequences: sgemm for the products, fused
// kernels for the gates (recurrent_gates.cc), tiles of sequences in parallel. Why not oneDNN's own
// LSTM: docs/decisions/0009-recurrent-on-cpu.md. See the kernels' comments below.
#include <algorithm>

#include <fmt/core.h>

#include "kernels/cpu/check.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/packed_sequences.h"
#include "kernels/cpu/recurrent_gates.h"

namespace penchant::kernels {

namespace {

/// Columns of one task of the weights' gradients.
constexpr std::int64_t kTaskCols = 128;

/// What the forward keeps. `gates` [S x G]: activated gates, turned into d_z by the backward;
/// `cells` [S x H]: c_t; `carry` [B x 2H]: what a step sends to the one before it, d_h then d_c;
/// `bias_sums` [tiles x G]; `turned` [G x (F + H)]: W_x' and W_h', whose products run at twice the
/// rate of those with the transposed views.
class CpuRecurrentState final : public RecurrentState {
 public:
  explicit CpuRecurrentState(const RecurrentOptions& given) : options(given) {}
  RecurrentOptions options;
  FloatMatrix gates, cells, carry, bias_sums, turned;
  std::int64_t saved_rows = -1;  ///< S of a forward that has had no backward yet, else -1
};

CpuRecurrentState& own(const char* op, RecurrentState& state) {
  auto* result = dynamic_cast<CpuRecurrentState*>(&state);
  if (result == nullptr) throw InputError(fmt::format("{}: the state is another backend's", op));
  return *result;
}

void require_operands(const char* op, const RecurrentOptions& options,
                      const PackedSequences& sequences, ConstFloatView x,
                      const RecurrentWeights& weights, ConstFloatView h) {
  require_shape(op, "x", x, x.rows, options.input_dim);
  require_shape(op, "h", h, x.rows, options.hidden_dim);
  require_shape(op, "W_x", weights.input, options.input_dim, options.gate_dim());
  require_shape(op, "W_h", weights.hidden, options.hidden_dim, options.gate_dim());
  require_size(op, "bias", weights.bias, options.gate_dim());
  require_packed(op, sequences, x.rows);
}

void transpose(ConstFloatView from, FloatView to) {
  for (std::int64_t i = 0; i < from.rows; ++i) {
    for (std::int64_t j = 0; j < from.cols; ++j) to(j, i) = from(i, j);
  }
}

}  // namespace

std::unique_ptr<RecurrentState> CpuBackend::recurrent_state(const RecurrentOptions& options) {
  const ThreadScope threads(num_threads_);
  if (options.input_dim < 1 || options.hidden_dim < 1) {
    throw InputError(fmt::format("recurrent_state: {} input and {} hidden features, expected some",
                                 options.input_dim, options.hidden_dim));
  }
  if (options.cell == Cell::rnn) require_rnn_activation("recurrent_state", options.activation);
  return std::make_unique<CpuRecurrentState>(options);
}

// recurrent_forward: h of every step of every sequence.
// Computes    kernels/backend.h, Cell: z = x W_x + h_before W_h + b, gates, c_t, h_t
// Shapes      x [S x F], W_x [F x G], W_h [H x G], b [G], h [S x H], float32 row-major, any stride
// Mapping     sequences do not depend on each other: a thread takes 32 of them, which are adjacent
//             rows of every step, through all steps: two sgemm calls and one pass over the gates
//             (Highway, all lanes along H) a step; no barrier between steps
// Memory      2 S (F + H) G flops; z, h and the weights stay in L2; gates and c are written once
// Regime      G up to about 1024, where W_h still fits L2
// Numerics    float32; exp and tanh are Highway's (4 ulp); deterministic; bound in
//             docs/numerics.md
// Edge cases  S = 0 returns at once; H below a vector: one lane at a time with the same functions
// Source      Elman 1990; Hochreiter and Schmidhuber 1997; Gers et al. 2000; compared with oneDNN's
//             LSTM in docs/decisions/0009-recurrent-on-cpu.md
// Measured    bench/recurrent_bench.cc, docs/decisions/0009-recurrent-on-cpu.md
void CpuBackend::recurrent_forward(RecurrentState& opaque, const PackedSequences& sequences,
                                   ConstFloatView x, const RecurrentWeights& weights, FloatView h) {
  const ThreadScope threads(num_threads_);
  const char* op = "recurrent_forward";
  CpuRecurrentState& state = own(op, opaque);
  const RecurrentOptions& options = state.options;
  require_operands(op, options, sequences, x, weights, h);
  const bool is_lstm = options.cell == Cell::lstm;
  const FloatView gates =
      scratch(state.gates, x.rows, options.gate_dim()).view().rows_of(0, x.rows);
  const FloatView cells =
      is_lstm ? scratch(state.cells, x.rows, options.hidden_dim).view() : FloatView{};
  state.saved_rows = x.rows;

  const auto lstm = lstm_gates();
  const auto rnn = rnn_gates();
  const std::int64_t batch = num_sequences(sequences);
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t first = 0; first < batch; first += kTileSequences) {
    StepRows before{0, 0};
    StepRows rows = step_rows(sequences, 0, first);
    for (std::size_t t = 0; rows.count > 0; ++t) {
      const FloatView z = gates.rows_of(rows.first, rows.count);
      const FloatView out = h.rows_of(rows.first, rows.count);
      gemm_tile(Transpose::no, Transpose::no, 1.0F, x.rows_of(rows.first, rows.count),
                weights.input, 0.0F, z);
      if (t > 0)
        gemm_tile(Transpose::no, Transpose::no, 1.0F, h.rows_of(before.first, rows.count),
                  weights.hidden, 1.0F, z);
      if (is_lstm)
        lstm(weights.bias,
             t > 0 ? ConstFloatView(cells.rows_of(before.first, rows.count)) : ConstFloatView{}, z,
             cells.rows_of(rows.first, rows.count), out);
      else
        rnn(options.activation, weights.bias, z, out);
      before = rows;
      rows = step_rows(sequences, t + 1, first);
    }
  }
}

// recurrent_backward: gradients of a recurrent layer.
// Computes    with d_h_t = dLoss/dh_t + d_z_(t+1) W_h', of the lstm
//             d_c_t = d_h_t o (1 - tanh^2 c_t) + f_(t+1) d_c_(t+1)
//             d_z = (d_c g i (1 - i), d_c c_(t-1) f (1 - f), d_c i (1 - g^2), d_h tanh(c) o (1 - o))
//             of the rnn d_z = d_h act'(h)
//             d_x = d_z W_x', d_W_x += x' d_z, d_W_h += sum_t h_(t-1)' d_z_t, d_b += sum d_z
// Shapes      as forward; d_h [S x H], d_x [S x F]
// Mapping     tiles of 32 sequences go backward through the steps, as forward; then tasks of 128
//             columns of d_W_x and d_W_h, each a chain of sgemm calls over the steps
// Memory      4 S (F + H) G flops; the gates are read and become d_z in place
// Numerics    the weights' gradients are summed by steps in ascending order, the bias's by tiles;
//             deterministic; bound in docs/numerics.md
// Edge cases  S = 0 adds nothing; a state that has no forward to go back through: InputError
// Source      own derivation, checked by central differences (tests/kernels/recurrent_test.cc)
// Measured    bench/recurrent_bench.cc, docs/decisions/0009-recurrent-on-cpu.md
void CpuBackend::recurrent_backward(RecurrentState& opaque, const PackedSequences& sequences,
                                    ConstFloatView x, const RecurrentWeights& weights,
                                    ConstFloatView h, ConstFloatView d_h, FloatView d_x,
                                    const RecurrentGradients& gradients) {
  const ThreadScope threads(num_threads_);
  const char* op = "recurrent_backward";
  CpuRecurrentState& state = own(op, opaque);
  const RecurrentOptions& options = state.options;
  const std::int64_t width = options.hidden_dim;
  const std::int64_t gate_dim = options.gate_dim();
  require_operands(op, options, sequences, x, weights, h);
  require_shape(op, "d_h", d_h, x.rows, width);
  require_shape(op, "d_x", d_x, x.rows, options.input_dim);
  require_shape(op, "d_W_x", gradients.input, options.input_dim, gate_dim);
  require_shape(op, "d_W_h", gradients.hidden, width, gate_dim);
  require_size(op, "d_bias", gradients.bias, gate_dim);
  if (state.saved_rows != x.rows) {
    throw InputError(fmt::format(
        "{}: the state does not hold a forward of {} rows that had no backward yet", op, x.rows));
  }
  state.saved_rows = -1;
  const std::int64_t batch = num_sequences(sequences);
  if (batch == 0) return;

  const bool is_lstm = options.cell == Cell::lstm;
  const std::int64_t tiles = (batch + kTileSequences - 1) / kTileSequences;
  const FloatView gates = state.gates.view().rows_of(0, x.rows);
  const ConstFloatView cells = state.cells.view();
  const FloatView carry = scratch(state.carry, batch, 2 * width).view();
  const FloatView bias_sums = scratch(state.bias_sums, tiles, gate_dim).view();
  const FloatView turned = scratch(state.turned, gate_dim, options.input_dim + width).view();
  const FloatView input_turned = turned.cols_of(0, options.input_dim);
  const FloatView hidden_turned = turned.cols_of(options.input_dim, width);
  transpose(weights.input, input_turned);
  transpose(weights.hidden, hidden_turned);
  const auto lstm = lstm_gates_backward();
  const auto rnn = rnn_gates_backward();
  const auto num_steps = static_cast<std::int64_t>(sequences.step_offsets.size()) - 1;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    const std::int64_t first = tile * kTileSequences;
    float* sums = bias_sums.row(tile);
    std::fill_n(sums, gate_dim, 0.0F);
    const FloatView carry_h =
        carry.rows_of(first, std::min(kTileSequences, batch - first)).cols_of(0, width);
    const FloatView carry_c = carry_h.cols_of(width, width);
    std::int64_t carried = 0;
    for (std::int64_t t = num_steps - 1; t >= 0; --t) {
      const StepRows rows = step_rows(sequences, static_cast<std::size_t>(t), first);
      if (rows.count == 0) continue;
      const FloatView d_z = gates.rows_of(rows.first, rows.count);
      const ConstFloatView gradient = d_h.rows_of(rows.first, rows.count);
      if (is_lstm) {
        const ConstFloatView c_before =
            t == 0 ? ConstFloatView{}
                   : cells.rows_of(sequences.step_offsets[static_cast<std::size_t>(t) - 1] + first,
                                   rows.count);
        lstm(c_before, cells.rows_of(rows.first, rows.count), gradient, carried, carry_h, d_z,
             carry_c, sums);
      } else {
        rnn(options.activation, h.rows_of(rows.first, rows.count), gradient, carried, carry_h, d_z,
            sums);
      }
      if (t > 0)
        gemm_tile(Transpose::no, Transpose::no, 1.0F, d_z, hidden_turned, 0.0F,
                  carry_h.rows_of(0, rows.count));
      gemm_tile(Transpose::no, Transpose::no, 1.0F, d_z, input_turned, 0.0F,
                d_x.rows_of(rows.first, rows.count));
      carried = rows.count;
    }
  }

  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    for (std::int64_t j = 0; j < gate_dim; ++j) gradients.bias[j] += bias_sums(tile, j);
  }
  const std::int64_t col_tasks = (gate_dim + kTaskCols - 1) / kTaskCols;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t task = 0; task < 2 * col_tasks; ++task) {
    const std::int64_t col = task % col_tasks * kTaskCols;
    const std::int64_t cols = std::min(kTaskCols, gate_dim - col);
    const ConstFloatView d_z = gates.cols_of(col, cols);
    if (task >= col_tasks) {
      gemm_tile(Transpose::yes, Transpose::no, 1.0F, x, d_z, 1.0F,
                gradients.input.cols_of(col, cols));
      continue;
    }
    for (std::size_t t = 1; t + 1 < sequences.step_offsets.size(); ++t) {
      const std::int64_t start = sequences.step_offsets[t];
      const std::int64_t count = sequences.step_offsets[t + 1] - start;
      if (count == 0) break;
      gemm_tile(Transpose::yes, Transpose::no, 1.0F,
                h.rows_of(sequences.step_offsets[t - 1], count), d_z.rows_of(start, count), 1.0F,
                gradients.hidden.cols_of(col, cols));
    }
  }
}

}  // namespace penchant::kernels
