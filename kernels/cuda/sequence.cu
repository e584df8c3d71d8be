// SPDX-License-Identifier: Apache-2.0
// Sequence operations of the CUDA backend apart from recurrent layers: causal convolution as a
// product of unfolded inputs (docs/decisions/0017-convolution-by-unfolding.md), maxima and running
// sums of segments. Checks, then the launchers of sequence.cuh.
#include "kernels/cuda/sequence.cuh"

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

namespace {

std::int64_t count(const Segments& segments) {
  return static_cast<std::int64_t>(segments.offsets.size()) - 1;
}

void check_segments(const char* op, const Segments& segments, std::int64_t rows) {
  const auto& offsets = segments.offsets;
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != rows)
    refuse(op, "the segments do not cover the " + std::to_string(rows) + " rows of x");
  for (std::size_t b = 1; b < offsets.size(); ++b) {
    if (offsets[b] < offsets[b - 1])
      refuse(op, "segment " + std::to_string(b - 1) + " ends before it starts");
  }
}

void check_convolution(const char* op, const Segments& segments, std::int64_t width,
                       ConstFloatView x, ConstFloatView weight) {
  require_device(op, "x", x);
  check_segments(op, segments, x.rows);
  if (width < 1) refuse(op, "width is " + std::to_string(width) + ", expected at least 1");
  require_shape(op, "weight", weight, width * x.cols, weight.cols);
}

DeviceSegments device_segments(VectorView<const std::int64_t> offsets) {
  return {offsets.data, offsets.size - 1};
}

}  // namespace

void CudaBackend::convolution_forward(const Segments& segments, std::int64_t width,
                                      ConstFloatView x, ConstFloatView weight,
                                      VectorView<const float> bias, FloatView y) {
  const char* op = "convolution_forward";
  check_convolution(op, segments, width, x, weight);
  require_size(op, "bias", bias, weight.cols);
  require_shape(op, "y", y, x.rows, weight.cols);
  if (y.rows == 0 || y.cols == 0) return;
  const std::int64_t cols = width * x.cols;
  const FloatView unfolded(unfolded_.reserve<float>(x.rows * cols), x.rows, cols, cols,
                           Device::cuda);
  unfold(device_segments(upload(segments)), width, x, unfolded, stream_.get());
  linear(unfolded, weight, bias, Activation::identity, y);
}

void CudaBackend::convolution_backward(const Segments& segments, std::int64_t width,
                                       ConstFloatView x, ConstFloatView weight, ConstFloatView d_y,
                                       FloatView d_x, FloatView d_weight,
                                       VectorView<float> d_bias) {
  const char* op = "convolution_backward";
  check_convolution(op, segments, width, x, weight);
  require_shape(op, "d_y", d_y, x.rows, weight.cols);
  require_shape(op, "d_x", d_x, x.rows, x.cols);
  require_shape(op, "d_weight", d_weight, weight.rows, weight.cols);
  require_size(op, "d_bias", d_bias, weight.cols);
  if (x.rows == 0) return;
  const std::int64_t cols = width * x.cols;
  const FloatView unfolded(unfolded_.reserve<float>(x.rows * cols), x.rows, cols, cols,
                           Device::cuda);
  const DeviceSegments on_device = device_segments(upload(segments));
  unfold(on_device, width, x, unfolded, stream_.get());
  gemm(Transpose::yes, Transpose::no, 1.0F, unfolded, d_y, 1.0F, d_weight);
  add_column_sums(d_y, d_bias);
  gemm(Transpose::no, Transpose::yes, 1.0F, d_y, weight, 0.0F, unfolded);
  fold(on_device, width, unfolded, d_x, stream_.get());
}

void CudaBackend::segment_max(const Segments& segments, ConstFloatView x, FloatView y,
                              MatrixView<graph::NodeId> rows) {
  require_device("segment_max", "x", x);
  check_segments("segment_max", segments, x.rows);
  require_shape("segment_max", "y", y, count(segments), x.cols);
  require_shape("segment_max", "rows", rows, count(segments), x.cols);
  if (y.rows == 0 || y.cols == 0) return;
  cuda::segment_max(device_segments(upload(segments)), x, y, rows, stream_.get());
}

void CudaBackend::segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                                       FloatView d_x) {
  require_device("segment_max_backward", "d_y", d_y);
  require_shape("segment_max_backward", "rows", rows, d_y.rows, d_y.cols);
  require_shape("segment_max_backward", "d_x", d_x, d_x.rows, d_y.cols);
  cuda::segment_max_backward(rows, d_y, d_x, stream_.get());
}

void CudaBackend::running_sum(TimeOrder order, const Segments& segments, float decay,
                              ConstFloatView x, FloatView y) {
  require_device("running_sum", "x", x);
  check_segments("running_sum", segments, x.rows);
  require_shape("running_sum", "y", y, x.rows, x.cols);
  if (y.rows == 0 || y.cols == 0) return;
  cuda::running_sum(order, device_segments(upload(segments)), decay, x, y, stream_.get());
}

}  // namespace penchant::kernels::cuda
