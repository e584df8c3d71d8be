// SPDX-License-Identifier: Apache-2.0
// Ops on sequences of the emulated backend.
#include <vector>

#include "kernels/cuda/check.h"
#include "kernels/cuda/convolution.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/sequence.cuh"
#include "kernels/operands.h"
#include "tests/simt/on_host.h"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;
using cuda::require_device;
using cuda::require_shape;
using cuda::require_size;
using kernels::Segments;
using kernels::Transpose;

namespace {

/// The device's copy of the offsets, which must ascend from 0 to `rows`.
class DeviceOffsets {
 public:
  DeviceOffsets(const char* op, const Segments& segments, std::int64_t rows)
      : offsets_(segments.offsets.begin(), segments.offsets.end()) {
    cuda::require_segments(op, segments, rows);
    if (offsets_.empty()) offsets_.push_back(0);
  }
  std::int64_t count() const { return static_cast<std::int64_t>(offsets_.size()) - 1; }
  cuda::DeviceSegments segments() const { return {offsets_.data(), count()}; }

 private:
  std::vector<std::int64_t> offsets_;
};

}  // namespace

std::unique_ptr<kernels::RecurrentState> SimtBackend::recurrent_state(
    const kernels::RecurrentOptions& options) {
  return host_.recurrent_state(options);
}

void SimtBackend::recurrent_forward(kernels::RecurrentState& state,
                                    const kernels::PackedSequences& sequences, ConstFloatView x,
                                    const kernels::RecurrentWeights& weights, FloatView h) {
  const char* op = "recurrent_forward";
  require_device(op, "x", x);
  require_device(op, "input weight", weights.input);
  require_device(op, "hidden weight", weights.hidden);
  require_device(op, "bias", weights.bias);
  require_device(op, "h", h);
  host_.recurrent_forward(state, sequences, on_host(x),
                          {on_host(weights.input), on_host(weights.hidden), on_host(weights.bias)},
                          on_host(h));
}

void SimtBackend::recurrent_backward(kernels::RecurrentState& state,
                                     const kernels::PackedSequences& sequences, ConstFloatView x,
                                     const kernels::RecurrentWeights& weights, ConstFloatView h,
                                     ConstFloatView d_h, FloatView d_x,
                                     const kernels::RecurrentGradients& gradients) {
  const char* op = "recurrent_backward";
  require_device(op, "x", x);
  require_device(op, "input weight", weights.input);
  require_device(op, "hidden weight", weights.hidden);
  require_device(op, "bias", weights.bias);
  require_device(op, "h", h);
  require_device(op, "d_h", d_h);
  require_device(op, "d_x", d_x);
  require_device(op, "gradient of the input weight", gradients.input);
  require_device(op, "gradient of the hidden weight", gradients.hidden);
  require_device(op, "gradient of the bias", gradients.bias);
  host_.recurrent_backward(
      state, sequences, on_host(x),
      {on_host(weights.input), on_host(weights.hidden), on_host(weights.bias)}, on_host(h),
      on_host(d_h), on_host(d_x),
      {on_host(gradients.input), on_host(gradients.hidden), on_host(gradients.bias)});
}

void SimtBackend::convolution_forward(const Segments& segments, std::int64_t width,
                                      ConstFloatView x, ConstFloatView weight,
                                      VectorView<const float> bias, FloatView y) {
  kernels::check_convolution_forward(kernels::Device::cuda, segments, width, x, weight, bias, y);
  const DeviceOffsets offsets("convolution_forward", segments, x.rows);
  if (y.rows == 0 || y.cols == 0) return;
  Scratch memory = scratch();
  cuda::convolve_unfolded(*this, memory, offsets.segments(), width, x, weight, bias, y, &machine_);
}

void SimtBackend::convolution_backward(const Segments& segments, std::int64_t width,
                                       ConstFloatView x, ConstFloatView weight, ConstFloatView d_y,
                                       FloatView d_x, FloatView d_weight,
                                       VectorView<float> d_bias) {
  kernels::check_convolution_backward(kernels::Device::cuda, segments, width, x, weight, d_y, d_x,
                                      d_weight, d_bias);
  const DeviceOffsets offsets("convolution_backward", segments, x.rows);
  if (x.rows == 0) return;
  Scratch memory = scratch();
  add_column_sums(d_y, d_bias);
  cuda::convolve_unfolded_backward(*this, memory, offsets.segments(), width, x, weight, d_y, d_x,
                                   d_weight, &machine_);
}

void SimtBackend::segment_max(const Segments& segments, ConstFloatView x, FloatView y,
                              MatrixView<graph::NodeId> rows) {
  const char* op = "segment_max";
  const DeviceOffsets offsets(op, segments, x.rows);
  require_shape(op, "x", x, x.rows, y.cols);
  require_shape(op, "y", y, offsets.count(), x.cols);
  require_shape(op, "rows", rows, offsets.count(), x.cols);
  cuda::segment_max(offsets.segments(), x, y, rows, &machine_);
}

void SimtBackend::segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                                       FloatView d_x) {
  require_shape("segment_max_backward", "rows", rows, d_y.rows, d_x.cols);
  require_shape("segment_max_backward", "d_y", d_y, d_y.rows, d_x.cols);
  require_device("segment_max_backward", "d_x", d_x);
  cuda::segment_max_backward(rows, d_y, d_x, &machine_);
}

void SimtBackend::running_sum(kernels::TimeOrder order, const Segments& segments, float decay,
                              ConstFloatView x, FloatView y) {
  require_device("running_sum", "x", x);
  require_shape("running_sum", "y", y, x.rows, x.cols);
  const DeviceOffsets offsets("running_sum", segments, x.rows);
  cuda::running_sum(order, offsets.segments(), decay, x, y, &machine_);
}

}  // namespace penchant::simt
