// SPDX-License-Identifier: Apache-2.0
// The stand-in for cuDNN's recurrent layers: one layer, one direction, one
// input bias, packed sequences that descend in length. Its gates are i, f, g, o; its matrices
// [H x inputs] by rows, first those of the inputs, then the recurrent ones, then the biases. The
// reserve keeps what the backward calls need, and how far they have come: data before weights, each
// once.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "tests/fake_cuda/dnn.h"

using penchant::fake_cuda::enqueue_dnn;
using penchant::fake_cuda::Operation;
using penchant::fake_cuda::refuse_dnn;
using penchant::fake_cuda::span;
using penchant::fake_cuda::Violation;

struct cudnnRNNStruct {
  cudnnRNNMode_t mode = CUDNN_LSTM;
  std::int64_t inputs = 0;
  std::int64_t width = 0;

  std::int64_t gates() const { return mode == CUDNN_LSTM ? 4 : 1; }
  std::int64_t matrix_size(std::int64_t id) const {
    return width * (id < gates() ? inputs : width);
  }
  /// Of matrix `id` within the weights, in elements; behind the last one come the biases.
  std::int64_t matrix_place(std::int64_t id) const {
    return std::min(id, gates()) * width * inputs +
           std::max<std::int64_t>(id - gates(), 0) * width * width;
  }
  std::int64_t bias_place(std::int64_t gate) const {
    return matrix_place(2 * gates()) + gate * width;
  }
  std::int64_t weight_size() const { return bias_place(gates()); }
};
struct cudnnRNNDataStruct {
  std::int64_t width = 0;
  std::vector<std::int64_t> offsets;  ///< of steps, in rows

  std::int64_t rows() const { return offsets.back(); }
  std::int64_t elements() const { return rows() * width; }
};

namespace {

enum Stage : std::uint32_t { kForward = 0xF0F0F001, kData, kWeights };

constexpr std::int64_t kHeader = 16;  // elements
constexpr std::int64_t kWorkspace = 333;

/// [header | gates: rows x gates x width | cells: rows x width], float32.
struct Reserve {
  float* memory;
  const cudnnRNNStruct& rnn;
  std::int64_t rows;

  std::int64_t size() const { return kHeader + rows * rnn.width * (rnn.gates() + 1); }
  float& gate(std::int64_t row, std::int64_t g, std::int64_t j) const {
    return memory[kHeader + (row * rnn.gates() + g) * rnn.width + j];
  }
  float& cell(std::int64_t row, std::int64_t j) const {
    return memory[kHeader + (rows * rnn.gates() + row) * rnn.width + j];
  }
  void set(Stage stage) const { std::memcpy(memory, &stage, sizeof stage); }
  void require(Stage stage, const char* call) const {
    Stage found;
    std::memcpy(&found, memory, sizeof found);
    if (found != stage)
      throw Violation(std::string(call) + ": the reserve does not hold what must come before it");
  }
};

/// One call: its operands as they were at the call.
struct Call {
  cudnnRNNStruct rnn;
  cudnnRNNDataStruct x_rows, h_rows;
  const float* x = nullptr;
  const float* weights = nullptr;
  const float* h_in = nullptr;
  const float* d_h = nullptr;
  float* h_out = nullptr;
  float* d_x = nullptr;
  float* d_weights = nullptr;
  float* reserve_memory = nullptr;

  Reserve reserve() const { return {reserve_memory, rnn, x_rows.rows()}; }
  std::int64_t num_steps() const { return std::ssize(x_rows.offsets) - 1; }
  /// The row of the step before, or -1.
  std::int64_t before(std::int64_t t, std::int64_t b) const {
    return t == 0 ? -1 : x_rows.offsets[static_cast<std::size_t>(t) - 1] + b;
  }
  /// visit(t, b, row)
  template <typename Visit>
  void for_each_row(bool backward, Visit visit) const {
    for (std::int64_t k = 0; k < num_steps(); ++k) {
      const std::int64_t t = backward ? num_steps() - 1 - k : k;
      const std::int64_t first = x_rows.offsets[static_cast<std::size_t>(t)];
      const std::int64_t count = x_rows.offsets[static_cast<std::size_t>(t) + 1] - first;
      for (std::int64_t b = 0; b < count; ++b) visit(t, b, first + b);
    }
  }
  float weight(std::int64_t id, std::int64_t j, std::int64_t k) const {
    return weights[rnn.matrix_place(id) + j * (id < rnn.gates() ? rnn.inputs : rnn.width) + k];
  }

  void forward() const;
  void backward_data() const;
  void backward_weights() const;
};

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

void Call::forward() const {
  const Reserve kept = reserve();
  for_each_row(false, [&](std::int64_t t, std::int64_t b, std::int64_t row) {
    const std::int64_t last = before(t, b);
    for (std::int64_t j = 0; j < rnn.width; ++j) {
      double z[4] = {};
      for (std::int64_t g = 0; g < rnn.gates(); ++g) {
        double sum = weights[rnn.bias_place(g) + j];
        for (std::int64_t k = 0; k < rnn.inputs; ++k)
          sum += static_cast<double>(weight(g, j, k)) * x[row * rnn.inputs + k];
        for (std::int64_t k = 0; last >= 0 && k < rnn.width; ++k)
          sum += static_cast<double>(weight(rnn.gates() + g, j, k)) * h_out[last * rnn.width + k];
        z[g] = sum;
      }
      double h = 0.0;
      if (rnn.mode == CUDNN_LSTM) {
        z[0] = sigmoid(z[0]);
        z[1] = sigmoid(z[1]);
        z[2] = std::tanh(z[2]);
        z[3] = sigmoid(z[3]);
        const double c = (last >= 0 ? z[1] * kept.cell(last, j) : 0.0) + z[0] * z[2];
        kept.cell(row, j) = static_cast<float>(c);
        h = z[3] * std::tanh(c);
      } else {
        z[0] = rnn.mode == CUDNN_RNN_TANH ? std::tanh(z[0]) : (z[0] < 0.0 ? 0.0 : z[0]);
        h = z[0];
      }
      for (std::int64_t g = 0; g < rnn.gates(); ++g)
        kept.gate(row, g, j) = static_cast<float>(z[g]);
      h_out[row * rnn.width + j] = static_cast<float>(h);
    }
  });
  kept.set(kForward);
}

/// Turns the gates of the reserve into the gradients of what they were of.
void Call::backward_data() const {
  const Reserve kept = reserve();
  kept.require(kForward, "cudnnRNNBackwardData_v8");
  const std::int64_t width = rnn.width;
  const auto size = static_cast<std::size_t>(x_rows.rows() * width);
  std::vector<double> dh(size);
  std::vector<double> dc(size, 0.0);
  for (std::size_t k = 0; k < size; ++k) dh[k] = static_cast<double>(d_h[k]);
  for_each_row(true, [&](std::int64_t t, std::int64_t b, std::int64_t row) {
    const std::int64_t last = before(t, b);
    for (std::int64_t j = 0; j < width; ++j) {
      const auto at = static_cast<std::size_t>(row * width + j);
      if (rnn.mode == CUDNN_LSTM) {
        const double i = kept.gate(row, 0, j);
        const double f = kept.gate(row, 1, j);
        const double g = kept.gate(row, 2, j);
        const double o = kept.gate(row, 3, j);
        const double tanh_c = std::tanh(static_cast<double>(kept.cell(row, j)));
        const double d_c = dc[at] + dh[at] * o * (1.0 - tanh_c * tanh_c);
        const double c_before = last >= 0 ? kept.cell(last, j) : 0.0;
        kept.gate(row, 0, j) = static_cast<float>(d_c * g * i * (1.0 - i));
        kept.gate(row, 1, j) = static_cast<float>(d_c * c_before * f * (1.0 - f));
        kept.gate(row, 2, j) = static_cast<float>(d_c * i * (1.0 - g * g));
        kept.gate(row, 3, j) = static_cast<float>(dh[at] * tanh_c * o * (1.0 - o));
        if (last >= 0) dc[static_cast<std::size_t>(last * width + j)] = d_c * f;
      } else {
        const double h = kept.gate(row, 0, j);
        const double slope = rnn.mode == CUDNN_RNN_TANH ? 1.0 - h * h : (h > 0.0 ? 1.0 : 0.0);
        kept.gate(row, 0, j) = static_cast<float>(dh[at] * slope);
      }
    }
    for (std::int64_t g = 0; g < rnn.gates(); ++g) {
      for (std::int64_t j = 0; j < width; ++j) {
        const double d_z = kept.gate(row, g, j);
        for (std::int64_t k = 0; last >= 0 && k < width; ++k)
          dh[static_cast<std::size_t>(last * width + k)] += d_z * weight(rnn.gates() + g, j, k);
      }
    }
    for (std::int64_t k = 0; k < rnn.inputs; ++k) {
      double sum = 0.0;
      for (std::int64_t g = 0; g < rnn.gates(); ++g) {
        for (std::int64_t j = 0; j < width; ++j)
          sum += static_cast<double>(kept.gate(row, g, j)) * weight(g, j, k);
      }
      d_x[row * rnn.inputs + k] = static_cast<float>(sum);
    }
  });
  kept.set(kData);
}

void Call::backward_weights() const {
  const Reserve kept = reserve();
  kept.require(kData, "cudnnRNNBackwardWeights_v8");
  std::vector<double> sums(static_cast<std::size_t>(rnn.weight_size()), 0.0);
  const auto add = [&](std::int64_t place, double value) {
    sums[static_cast<std::size_t>(place)] += value;
  };
  for_each_row(false, [&](std::int64_t t, std::int64_t b, std::int64_t row) {
    const std::int64_t last = before(t, b);
    for (std::int64_t g = 0; g < rnn.gates(); ++g) {
      for (std::int64_t j = 0; j < rnn.width; ++j) {
        const double d_z = kept.gate(row, g, j);
        add(rnn.bias_place(g) + j, d_z);
        for (std::int64_t k = 0; k < rnn.inputs; ++k)
          add(rnn.matrix_place(g) + j * rnn.inputs + k, d_z * x[row * rnn.inputs + k]);
        for (std::int64_t k = 0; last >= 0 && k < rnn.width; ++k)
          add(rnn.matrix_place(rnn.gates() + g) + j * rnn.width + k,
              d_z * h_in[last * rnn.width + k]);
      }
    }
  });
  for (std::size_t k = 0; k < sums.size(); ++k) d_weights[k] += static_cast<float>(sums[k]);
  kept.set(kWeights);
}

/// What every call checks, and the operands that every call has.
cudnnStatus_t enqueue(cudnnHandle_t handle, const char* name, const Call& call,
                      std::size_t weight_bytes, void* workspace, std::size_t workspace_bytes,
                      std::size_t reserve_bytes, const void* initial_state,
                      const std::int32_t* lengths, std::vector<penchant::fake_cuda::Span> operands,
                      void (Call::*run)() const) {
  if (call.x_rows.offsets.empty() || call.x_rows.offsets != call.h_rows.offsets ||
      call.x_rows.width != call.rnn.inputs || call.h_rows.width != call.rnn.width)
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "descriptors of x and y do not fit the layer");
  if (weight_bytes < static_cast<std::size_t>(call.rnn.weight_size()) * sizeof(float) ||
      workspace_bytes < static_cast<std::size_t>(kWorkspace) ||
      reserve_bytes < static_cast<std::size_t>(call.reserve().size()) * sizeof(float))
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "weights, workspace or reserve are too small");
  if (initial_state != nullptr || lengths != nullptr)
    return refuse_dnn(CUDNN_STATUS_NOT_SUPPORTED, "the stand-in takes no initial state or lengths");
  Operation operation;
  operation.name = name;
  operation.operands = std::move(operands);
  operation.operands.push_back({workspace, workspace_bytes});
  operation.operands.push_back({call.reserve_memory, reserve_bytes});
  operation.run = [call, run, workspace, workspace_bytes] {
    std::memset(workspace, 0xFF, workspace_bytes);
    (call.*run)();
  };
  return enqueue_dnn(handle, std::move(operation));
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t* rnn) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *rnn = new cudnnRNNStruct;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t rnn) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete rnn;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t rnn, cudnnRNNAlgo_t algorithm,
                                       cudnnRNNMode_t mode, cudnnRNNBiasMode_t bias,
                                       cudnnDirectionMode_t direction, cudnnRNNInputMode_t input,
                                       cudnnDataType_t type, cudnnDataType_t precision,
                                       cudnnMathType_t /*math*/, std::int32_t inputs,
                                       std::int32_t width, std::int32_t projected,
                                       std::int32_t layers, cudnnDropoutDescriptor_t dropout,
                                       std::uint32_t flags) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (algorithm != CUDNN_RNN_ALGO_STANDARD || mode == CUDNN_GRU ||
      bias != CUDNN_RNN_SINGLE_INP_BIAS || direction != CUDNN_UNIDIRECTIONAL ||
      input != CUDNN_LINEAR_INPUT || type != CUDNN_DATA_FLOAT || precision != CUDNN_DATA_FLOAT ||
      projected != width || layers != 1 || flags != CUDNN_RNN_PADDED_IO_DISABLED ||
      dropout == nullptr || !dropout->set)
    return refuse_dnn(CUDNN_STATUS_NOT_SUPPORTED, "the stand-in has no such layer");
  *rnn = {mode, inputs, width};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t* rows) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *rows = new cudnnRNNDataStruct;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t rows) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete rows;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t rows, cudnnDataType_t type,
                                        cudnnRNNDataLayout_t layout, int longest, int batch,
                                        int width, const int lengths[], void* /*fill*/) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (type != CUDNN_DATA_FLOAT || layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_PACKED || batch < 1)
    return refuse_dnn(CUDNN_STATUS_NOT_SUPPORTED, "the stand-in packs by steps");
  if (lengths[0] != longest || lengths[batch - 1] < 1 ||
      !std::is_sorted(lengths, lengths + batch, [](int a, int b) { return a > b; }))
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "packed sequences descend in length");
  rows->width = width;
  rows->offsets = {0};
  for (int t = 0; t < longest; ++t) {
    const auto count = std::count_if(lengths, lengths + batch, [&](int n) { return n > t; });
    rows->offsets.push_back(rows->offsets.back() + count);
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t /*handle*/, cudnnRNNDescriptor_t rnn,
                                        cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t rows,
                                        std::size_t* workspace_bytes, std::size_t* reserve_bytes) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (mode != CUDNN_FWD_MODE_TRAINING || rows->offsets.empty())
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "rows are not described");
  *workspace_bytes = static_cast<std::size_t>(kWorkspace);
  *reserve_bytes =
      static_cast<std::size_t>(Reserve{nullptr, *rnn, rows->rows()}.size()) * sizeof(float);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t /*handle*/, cudnnRNNDescriptor_t rnn,
                                         std::size_t* bytes) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *bytes = static_cast<std::size_t>(rnn->weight_size()) * sizeof(float);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t /*handle*/, cudnnRNNDescriptor_t rnn,
                                      std::int32_t layer, std::size_t /*bytes*/,
                                      const void* weights, std::int32_t id,
                                      cudnnTensorDescriptor_t matrix, void** matrix_address,
                                      cudnnTensorDescriptor_t bias, void** bias_address) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (layer != 0 || id < 0 || id >= 2 * rnn->gates())
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "no such matrix");
  auto* first = const_cast<float*>(static_cast<const float*>(weights));
  const bool recurrent = id >= rnn->gates();
  matrix->dims = {1, rnn->width, recurrent ? rnn->width : rnn->inputs};
  bias->dims = {1, rnn->width, 1};
  *matrix_address = first + rnn->matrix_place(id);
  *bias_address = recurrent ? nullptr : first + rnn->bias_place(id);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                              cudnnForwardMode_t /*mode*/, const std::int32_t lengths[],
                              cudnnRNNDataDescriptor_t x_rows, const void* x,
                              cudnnRNNDataDescriptor_t h_rows, void* h,
                              cudnnTensorDescriptor_t /*h_first*/, const void* hx, void* hy,
                              cudnnTensorDescriptor_t /*c_first*/, const void* cx, void* cy,
                              std::size_t weight_bytes, const void* weights,
                              std::size_t workspace_bytes, void* workspace,
                              std::size_t reserve_bytes, void* reserve) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  Call call{*rnn, *x_rows, *h_rows};
  call.x = static_cast<const float*>(x);
  call.h_out = static_cast<float*>(h);
  call.weights = static_cast<const float*>(weights);
  call.reserve_memory = static_cast<float*>(reserve);
  const void* initial = hx != nullptr || hy != nullptr || cy != nullptr ? x : cx;
  if (x_rows->offsets.empty() || h_rows->offsets.empty())
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "rows are not described");
  return enqueue(handle, __func__, call, weight_bytes, workspace, workspace_bytes, reserve_bytes,
                 initial, lengths,
                 {span(call.x, x_rows->elements()),
                  span(call.h_out, h_rows->elements()),
                  {weights, weight_bytes}},
                 &Call::forward);
}

cudnnStatus_t cudnnRNNBackwardData_v8(
    cudnnHandle_t handle, cudnnRNNDescriptor_t rnn, const std::int32_t lengths[],
    cudnnRNNDataDescriptor_t h_rows, const void* h, const void* d_h,
    cudnnRNNDataDescriptor_t x_rows, void* d_x, cudnnTensorDescriptor_t /*h_first*/, const void* hx,
    const void* /*dhy*/, void* /*dhx*/, cudnnTensorDescriptor_t /*c_first*/, const void* /*cx*/,
    const void* /*dcy*/, void* /*dcx*/, std::size_t weight_bytes, const void* weights,
    std::size_t workspace_bytes, void* workspace, std::size_t reserve_bytes, void* reserve) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (x_rows->offsets.empty() || h_rows->offsets.empty())
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "rows are not described");
  Call call{*rnn, *x_rows, *h_rows};
  call.h_in = static_cast<const float*>(h);
  call.d_h = static_cast<const float*>(d_h);
  call.d_x = static_cast<float*>(d_x);
  call.weights = static_cast<const float*>(weights);
  call.reserve_memory = static_cast<float*>(reserve);
  return enqueue(handle, __func__, call, weight_bytes, workspace, workspace_bytes, reserve_bytes,
                 hx, lengths,
                 {span(call.h_in, h_rows->elements()),
                  span(call.d_h, h_rows->elements()),
                  span(call.d_x, x_rows->elements()),
                  {weights, weight_bytes}},
                 &Call::backward_data);
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t rnn,
                                         cudnnWgradMode_t mode, const std::int32_t lengths[],
                                         cudnnRNNDataDescriptor_t x_rows, const void* x,
                                         cudnnTensorDescriptor_t /*h_first*/, const void* hx,
                                         cudnnRNNDataDescriptor_t h_rows, const void* h,
                                         std::size_t weight_bytes, void* d_weights,
                                         std::size_t workspace_bytes, void* workspace,
                                         std::size_t reserve_bytes, void* reserve) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (mode != CUDNN_WGRAD_MODE_ADD || x_rows->offsets.empty() || h_rows->offsets.empty())
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "weights' gradients are added, rows described");
  Call call{*rnn, *x_rows, *h_rows};
  call.x = static_cast<const float*>(x);
  call.h_in = static_cast<const float*>(h);
  call.d_weights = static_cast<float*>(d_weights);
  call.reserve_memory = static_cast<float*>(reserve);
  return enqueue(handle, __func__, call, weight_bytes, workspace, workspace_bytes, reserve_bytes,
                 hx, lengths,
                 {span(call.x, x_rows->elements()),
                  span(call.h_in, h_rows->elements()),
                  {d_weights, weight_bytes}},
                 &Call::backward_weights);
}

}  // extern "C"
