// SPDX-License-Identifier: Apache-2.0
// Recurrent layers by cuDNN 9: LSTM, and RNN with tanh or relu, over packed sequences (the order of
// PackedSequences is cuDNN's SEQ_MAJOR_PACKED). cuDNN's gates are i, f, g (its "new memory"), o
// like ours, its bias is the single input bias, and its matrices are the transposes of our blocks
// of H columns: cublasSgeam turns them on their way in, and their gradients on the way out. The rnn
// with sigmoid, which cuDNN does not have, is a product and an activation a step.
#include <string>
#include <vector>

#include "graph/ids.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

namespace {

using graph::checked_cast;

bool by_cudnn(const RecurrentOptions& options) {
  return options.cell == Cell::lstm || options.activation != Activation::sigmoid;
}

std::int64_t num_gates(const RecurrentOptions& options) {
  return options.gate_dim() / options.hidden_dim;
}

/// A view whose rows lie without gaps.
FloatView packed(float* data, std::int64_t rows, std::int64_t cols) {
  return {data, rows, cols, cols, Device::cuda};
}

class CudaRecurrentState final : public RecurrentState {
 public:
  CudaRecurrentState(const RecurrentOptions& wanted, const SharedStream& stream)
      : options(wanted),
        weights(stream),
        d_weights(stream),
        workspace(stream),
        reserve(stream),
        x_rows(stream),
        d_x_rows(stream),
        h_rows(stream),
        d_h_rows(stream) {}

  RecurrentOptions options;
  RnnDescriptor rnn;
  DropoutDescriptor no_dropout;
  RnnDataDescriptor x;
  RnnDataDescriptor h;
  TensorDescriptor initial;  ///< of h_(-1) and c_(-1), which are zero
  TensorDescriptor matrix;   ///< scratch descriptors of weight_place()
  TensorDescriptor bias;
  std::size_t weight_bytes = 0;
  std::size_t workspace_bytes = 0;  ///< of the last forward
  std::size_t reserve_bytes = 0;
  std::int64_t saved_rows = -1;  ///< of a forward that has had no backward yet, else -1
  Scratch weights, d_weights, workspace, reserve;
  Scratch x_rows, d_x_rows, h_rows, d_h_rows;  ///< operands whose rows have gaps; the rnn's d_z
};

CudaRecurrentState& own_state(RecurrentState& state) {
  auto* own = dynamic_cast<CudaRecurrentState*>(&state);
  if (own == nullptr) refuse("recurrent", "the state was made by another backend");
  return *own;
}

void check_sequences(const PackedSequences& sequences, std::int64_t rows) {
  const auto& offsets = sequences.step_offsets;
  if (offsets.empty() ? rows != 0 : offsets.front() != 0 || offsets.back() != rows)
    refuse("recurrent", "the steps do not cover the " + std::to_string(rows) + " rows of x");
  std::int64_t before = offsets.size() > 1 ? offsets[1] : 0;
  for (std::size_t t = 1; t < offsets.size(); ++t) {
    const std::int64_t count = offsets[t] - offsets[t - 1];
    if (count < 0 || count > before)
      refuse("recurrent", "step " + std::to_string(t - 1) + " has " + std::to_string(count) +
                              " rows, the step before " + std::to_string(before));
    before = count;
  }
}

/// Sequence b is as long as the number of steps with more than b rows.
std::vector<std::int32_t> lengths_of(const PackedSequences& sequences) {
  const auto& offsets = sequences.step_offsets;
  std::vector<std::int32_t> lengths(static_cast<std::size_t>(offsets[1]), 0);
  for (std::size_t t = 0; t + 1 < offsets.size(); ++t) {
    for (std::int64_t b = 0; b < offsets[t + 1] - offsets[t]; ++b)
      ++lengths[static_cast<std::size_t>(b)];
  }
  return lengths;
}

struct WeightPlace {
  float* matrix;
  float* bias;  ///< null for the recurrent matrices: there is one bias
};

/// Gate g of the input matrix (first = 0) or of the recurrent one (first = num_gates).
WeightPlace weight_place(cudnnHandle_t dnn, CudaRecurrentState& state, Scratch& space,
                         std::int64_t id) {
  void* matrix = nullptr;
  void* bias = nullptr;
  check(cudnnGetRNNWeightParams(dnn, state.rnn.get(), 0, state.weight_bytes, space.data<char>(),
                                checked_cast<std::int32_t>(id), state.matrix.get(), &matrix,
                                state.bias.get(), &bias));
  return {static_cast<float*>(matrix), static_cast<float*>(bias)};
}

/// Calls visit(matrix of cuDNN, bias of cuDNN or null, gate, recurrent) for every matrix.
template <typename Visit>
void for_each_weight(cudnnHandle_t dnn, CudaRecurrentState& state, Scratch& space, Visit visit) {
  const std::int64_t gates = num_gates(state.options);
  for (std::int64_t id = 0; id < 2 * gates; ++id) {
    const WeightPlace place = weight_place(dnn, state, space, id);
    visit(place, id % gates, id >= gates);
  }
}

/// The [rows x H] block of a gate and its transpose [H x rows] without gaps, turned either way.
void turn_in(cublasHandle_t blas, ConstFloatView block, float* turned) {
  const float one = 1.0F;
  const float zero = 0.0F;
  check(cublasSgeam_64(blas, CUBLAS_OP_T, CUBLAS_OP_N, block.rows, block.cols, &one, block.data,
                       block.stride, &zero, turned, block.rows, turned, block.rows));
}
void add_turned(cublasHandle_t blas, const float* turned, FloatView block) {
  const float one = 1.0F;
  check(cublasSgeam_64(blas, CUBLAS_OP_T, CUBLAS_OP_N, block.cols, block.rows, &one, turned,
                       block.rows, &one, block.data, block.stride, block.data, block.stride));
}

void describe_rows(RnnDataDescriptor& descriptor, const std::vector<std::int32_t>& lengths,
                   std::int64_t width) {
  float fill = 0.0F;
  check(cudnnSetRNNDataDescriptor(
      descriptor.get(), CUDNN_DATA_FLOAT, CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED, lengths.front(),
      checked_cast<int>(lengths.size()), checked_cast<int>(width), lengths.data(), &fill));
}

void check_operands(const RecurrentOptions& options, ConstFloatView x,
                    const RecurrentWeights& weights, ConstFloatView h) {
  const char* op = "recurrent";
  require_shape(op, "x", x, x.rows, options.input_dim);
  require_shape(op, "h", h, x.rows, options.hidden_dim);
  require_shape(op, "input weights", weights.input, options.input_dim, options.gate_dim());
  require_shape(op, "hidden weights", weights.hidden, options.hidden_dim, options.gate_dim());
  require_size(op, "bias", weights.bias, options.gate_dim());
}

/// Rows of step t of a table of all steps, and the first `count` of step t.
FloatView step_rows(FloatView table, const PackedSequences& sequences, std::int64_t t) {
  const std::int64_t first = sequences.step_offsets[static_cast<std::size_t>(t)];
  return table.rows_of(first, sequences.step_offsets[static_cast<std::size_t>(t) + 1] - first);
}
ConstFloatView step_rows(ConstFloatView table, const PackedSequences& sequences, std::int64_t t,
                         std::int64_t count) {
  return table.rows_of(sequences.step_offsets[static_cast<std::size_t>(t)], count);
}

}  // namespace

std::unique_ptr<RecurrentState> CudaBackend::recurrent_state(const RecurrentOptions& options) {
  if (options.input_dim < 1 || options.hidden_dim < 1)
    refuse("recurrent_state", "dimensions are " + shape(options.input_dim, options.hidden_dim) +
                                  ", expected at least 1 x 1");
  const bool known = options.activation == Activation::tanh ||
                     options.activation == Activation::relu ||
                     options.activation == Activation::sigmoid;
  if (options.cell == Cell::rnn && !known)
    refuse("recurrent_state", "the activation of an rnn is tanh, relu or sigmoid");
  auto state = std::make_unique<CudaRecurrentState>(options, stream_);
  if (!by_cudnn(options)) return state;
  cudnnRNNMode_t mode = CUDNN_LSTM;
  if (options.cell == Cell::rnn)
    mode = options.activation == Activation::relu ? CUDNN_RNN_RELU : CUDNN_RNN_TANH;
  check(cudnnCreateDropoutDescriptor(state->no_dropout.receive()));
  check(cudnnSetDropoutDescriptor(state->no_dropout.get(), dnn(), 0.0F, nullptr, 0, 0));
  check(cudnnCreateRNNDescriptor(state->rnn.receive()));
  check(cudnnSetRNNDescriptor_v8(
      state->rnn.get(), CUDNN_RNN_ALGO_STANDARD, mode, CUDNN_RNN_SINGLE_INP_BIAS,
      CUDNN_UNIDIRECTIONAL, CUDNN_LINEAR_INPUT, CUDNN_DATA_FLOAT, CUDNN_DATA_FLOAT,
      options_.tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH,
      checked_cast<std::int32_t>(options.input_dim), checked_cast<std::int32_t>(options.hidden_dim),
      checked_cast<std::int32_t>(options.hidden_dim), 1, state->no_dropout.get(),
      CUDNN_RNN_PADDED_IO_DISABLED));
  check(cudnnCreateRNNDataDescriptor(state->x.receive()));
  check(cudnnCreateRNNDataDescriptor(state->h.receive()));
  for (TensorDescriptor* tensor : {&state->initial, &state->matrix, &state->bias})
    check(cudnnCreateTensorDescriptor(tensor->receive()));
  check(cudnnGetRNNWeightSpaceSize(dnn(), state->rnn.get(), &state->weight_bytes));
  state->weights.reserve<char>(static_cast<std::int64_t>(state->weight_bytes));
  state->d_weights.reserve<char>(static_cast<std::int64_t>(state->weight_bytes));
  return state;
}

void CudaBackend::recurrent_forward(RecurrentState& any_state, const PackedSequences& sequences,
                                    ConstFloatView x, const RecurrentWeights& weights,
                                    FloatView h) {
  CudaRecurrentState& state = own_state(any_state);
  check_operands(state.options, x, weights, h);
  check_sequences(sequences, x.rows);
  state.saved_rows = x.rows;
  if (x.rows == 0) return;
  if (!by_cudnn(state.options)) {
    linear(x, weights.input, weights.bias, Activation::identity, h);
    for (std::int64_t t = 0; t + 1 < std::ssize(sequences.step_offsets); ++t) {
      const FloatView now = step_rows(h, sequences, t);
      if (t > 0) {
        gemm(Transpose::no, Transpose::no, 1.0F, step_rows(h, sequences, t - 1, now.rows),
             weights.hidden, 1.0F, now);
      }
      activation(state.options.activation, now, now);
    }
    return;
  }

  const std::int64_t width = state.options.hidden_dim;
  for_each_weight(dnn(), state, state.weights,
                  [&](WeightPlace place, std::int64_t gate, bool recurrent) {
                    const ConstFloatView from = recurrent ? weights.hidden : weights.input;
                    turn_in(blas_.get(), from.cols_of(gate * width, width), place.matrix);
                    if (place.bias != nullptr)
                      copy(weights.bias.sub(gate * width, width),
                           VectorView<float>(place.bias, width, Device::cuda));
                  });
  const std::vector<std::int32_t> lengths = lengths_of(sequences);
  const auto batch = static_cast<std::int64_t>(lengths.size());
  describe_rows(state.x, lengths, state.options.input_dim);
  describe_rows(state.h, lengths, width);
  const int dims[3] = {1, checked_cast<int>(batch), checked_cast<int>(width)};
  const int strides[3] = {dims[1] * dims[2], dims[2], 1};
  check(cudnnSetTensorNdDescriptor(state.initial.get(), CUDNN_DATA_FLOAT, 3, dims, strides));
  check(cudnnGetRNNTempSpaceSizes(dnn(), state.rnn.get(), CUDNN_FWD_MODE_TRAINING, state.x.get(),
                                  &state.workspace_bytes, &state.reserve_bytes));
  state.workspace.reserve<char>(static_cast<std::int64_t>(state.workspace_bytes));
  state.reserve.reserve<char>(static_cast<std::int64_t>(state.reserve_bytes));

  ConstFloatView in = x;
  if (x.stride != x.cols) {
    const FloatView rows = packed(state.x_rows.reserve<float>(x.rows * x.cols), x.rows, x.cols);
    copy(x, rows);
    in = rows;
  }
  FloatView out = h;
  if (h.stride != h.cols)
    out = packed(state.h_rows.reserve<float>(h.rows * h.cols), h.rows, h.cols);
  // Since 8.9.1 cuDNN reads lengths from its descriptors; their array in device memory is unused.
  check(cudnnRNNForward(
      dnn(), state.rnn.get(), CUDNN_FWD_MODE_TRAINING, nullptr, state.x.get(), in.data,
      state.h.get(), out.data, state.initial.get(), nullptr, nullptr, state.initial.get(), nullptr,
      nullptr, state.weight_bytes, state.weights.data<char>(), state.workspace_bytes,
      state.workspace.data<char>(), state.reserve_bytes, state.reserve.data<char>()));
  if (out.data != h.data) copy(ConstFloatView(out), h);
}

void CudaBackend::recurrent_backward(RecurrentState& any_state, const PackedSequences& sequences,
                                     ConstFloatView x, const RecurrentWeights& weights,
                                     ConstFloatView h, ConstFloatView d_h, FloatView d_x,
                                     const RecurrentGradients& gradients) {
  CudaRecurrentState& state = own_state(any_state);
  const RecurrentOptions& options = state.options;
  check_operands(options, x, weights, h);
  check_sequences(sequences, x.rows);
  require_shape("recurrent", "d_h", d_h, x.rows, options.hidden_dim);
  require_shape("recurrent", "d_x", d_x, x.rows, options.input_dim);
  require_shape("recurrent", "d_input", gradients.input, options.input_dim, options.gate_dim());
  require_shape("recurrent", "d_hidden", gradients.hidden, options.hidden_dim, options.gate_dim());
  require_size("recurrent", "d_bias", gradients.bias, options.gate_dim());
  if (state.saved_rows != x.rows)
    refuse("recurrent_backward", "the state does not hold a forward of " + std::to_string(x.rows) +
                                     " rows that had no backward yet");
  state.saved_rows = -1;
  if (x.rows == 0) return;
  if (!by_cudnn(options)) {
    const FloatView d_z = packed(state.d_h_rows.reserve<float>(h.rows * h.cols), h.rows, h.cols);
    copy(d_h, d_z);
    for (std::int64_t t = std::ssize(sequences.step_offsets) - 2; t >= 0; --t) {
      const FloatView now = step_rows(d_z, sequences, t);
      activation_backward(options.activation, step_rows(h, sequences, t, now.rows), now, now);
      if (t == 0) break;
      const std::int64_t first = sequences.step_offsets[static_cast<std::size_t>(t) - 1];
      gemm(Transpose::no, Transpose::yes, 1.0F, now, weights.hidden, 1.0F,
           d_z.rows_of(first, now.rows));
      gemm(Transpose::yes, Transpose::no, 1.0F, step_rows(h, sequences, t - 1, now.rows), now, 1.0F,
           gradients.hidden);
    }
    gemm(Transpose::no, Transpose::yes, 1.0F, d_z, weights.input, 0.0F, d_x);
    gemm(Transpose::yes, Transpose::no, 1.0F, x, d_z, 1.0F, gradients.input);
    add_column_sums(d_z, gradients.bias);
    return;
  }

  const auto without_gaps = [this](ConstFloatView view, Scratch& memory) -> ConstFloatView {
    if (view.stride == view.cols) return view;
    const FloatView rows =
        packed(memory.reserve<float>(view.rows * view.cols), view.rows, view.cols);
    copy(view, rows);
    return rows;
  };
  const ConstFloatView in = without_gaps(x, state.x_rows);
  const ConstFloatView out = without_gaps(h, state.h_rows);
  const ConstFloatView d_out = without_gaps(d_h, state.d_h_rows);
  FloatView d_in = d_x;
  if (d_x.stride != d_x.cols)
    d_in = packed(state.d_x_rows.reserve<float>(d_x.rows * d_x.cols), d_x.rows, d_x.cols);
  check(cudnnRNNBackwardData_v8(
      dnn(), state.rnn.get(), nullptr, state.h.get(), out.data, d_out.data, state.x.get(),
      d_in.data, state.initial.get(), nullptr, nullptr, nullptr, state.initial.get(), nullptr,
      nullptr, nullptr, state.weight_bytes, state.weights.data<char>(), state.workspace_bytes,
      state.workspace.data<char>(), state.reserve_bytes, state.reserve.data<char>()));
  // cuDNN adds to what is there.
  check(cudaMemsetAsync(state.d_weights.data<char>(), 0, state.weight_bytes, stream_.get()));
  check(cudnnRNNBackwardWeights_v8(
      dnn(), state.rnn.get(), CUDNN_WGRAD_MODE_ADD, nullptr, state.x.get(), in.data,
      state.initial.get(), nullptr, state.h.get(), out.data, state.weight_bytes,
      state.d_weights.data<char>(), state.workspace_bytes, state.workspace.data<char>(),
      state.reserve_bytes, state.reserve.data<char>()));
  if (d_in.data != d_x.data) copy(ConstFloatView(d_in), d_x);
  const std::int64_t width = options.hidden_dim;
  for_each_weight(dnn(), state, state.d_weights,
                  [&](WeightPlace place, std::int64_t gate, bool recurrent) {
                    const FloatView to = recurrent ? gradients.hidden : gradients.input;
                    add_turned(blas_.get(), place.matrix, to.cols_of(gate * width, width));
                    if (place.bias != nullptr) {
                      const VectorView<float> bias = gradients.bias.sub(gate * width, width);
                      axpby(1.0F, packed(place.bias, 1, width), 1.0F, packed(bias.data, 1, width));
                    }
                  });
}

}  // namespace penchant::kernels::cuda
