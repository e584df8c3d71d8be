// SPDX-License-Identifier: Apache-2.0
// Causal convolution of the CUDA backend: a product of unfolded inputs, or cuDNN
// (docs/decisions/0017-convolution-by-unfolding.md). Checks, then the launchers of convolution.cuh
// around the libraries' calls.
#include "kernels/cuda/convolution.cuh"

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/dnn_convolution.h"
#include "kernels/operands.h"

namespace penchant::kernels::cuda {

namespace {

/// A view whose rows lie without gaps.
FloatView packed(float* data, std::int64_t rows, std::int64_t cols) {
  return {data, rows, cols, cols, Device::cuda};
}

/// Batches differ by a few rows; positions are rounded up, so that few shapes occur.
RowConvolution row_convolution(std::int64_t width, std::int64_t batch, ConstFloatView x,
                               std::int64_t outputs) {
  constexpr std::int64_t kStep = 1024;
  const std::int64_t positions = ceil_div(spread_size(x.rows, batch, width), kStep) * kStep;
  return {x.cols, outputs, width, positions};
}

}  // namespace

RowConvolutions& CudaBackend::row_convolutions() {
  if (row_convolutions_ == nullptr)
    row_convolutions_ = std::make_unique<RowConvolutions>(dnn(), stream_, options_.tf32);
  return *row_convolutions_;
}

void CudaBackend::convolution_forward(const Segments& segments, std::int64_t width,
                                      ConstFloatView x, ConstFloatView weight,
                                      VectorView<const float> bias, FloatView y) {
  const std::int64_t batch =
      check_convolution_forward(Device::cuda, segments, width, x, weight, bias, y);
  if (y.rows == 0 || y.cols == 0) return;
  const DeviceSegments on_device = upload(segments);
  if (options_.convolution == ConvolutionVariant::unfolded || x.cols == 0) {
    convolve_unfolded(*this, unfolded_, on_device, width, x, weight, bias, y, stream_.get());
    return;
  }
  const RowConvolution shape = row_convolution(width, batch, x, weight.cols);
  ConvolutionScratch& memory = convolution_;
  const FloatView inputs = packed(memory.inputs.reserve<float>(shape.inputs * shape.positions),
                                  shape.inputs, shape.positions);
  const FloatView outputs = packed(memory.outputs.reserve<float>(shape.outputs * shape.places()),
                                   shape.outputs, shape.places());
  auto* filter = memory.filter.reserve<float>(weight.rows * weight.cols);
  to_filter(width, weight, filter, stream_.get());
  spread(on_device, width, width - 1, x, inputs, stream_.get());
  row_convolutions().forward(shape, inputs.data, filter, outputs.data);
  collect(on_device, width, 0, outputs, bias, y, stream_.get());
}

void CudaBackend::convolution_backward(const Segments& segments, std::int64_t width,
                                       ConstFloatView x, ConstFloatView weight, ConstFloatView d_y,
                                       FloatView d_x, FloatView d_weight,
                                       VectorView<float> d_bias) {
  const std::int64_t batch = check_convolution_backward(Device::cuda, segments, width, x, weight,
                                                        d_y, d_x, d_weight, d_bias);
  if (x.rows == 0) return;
  const DeviceSegments on_device = upload(segments);
  add_column_sums(d_y, d_bias);
  if (options_.convolution == ConvolutionVariant::unfolded || weight.rows * weight.cols == 0) {
    convolve_unfolded_backward(*this, unfolded_, on_device, width, x, weight, d_y, d_x, d_weight,
                               stream_.get());
    return;
  }
  const RowConvolution shape = row_convolution(width, batch, x, weight.cols);
  ConvolutionScratch& memory = convolution_;
  const std::int64_t input_size = shape.inputs * shape.positions;
  const std::int64_t weight_size = weight.rows * weight.cols;
  const FloatView inputs =
      packed(memory.inputs.reserve<float>(input_size), shape.inputs, shape.positions);
  const FloatView d_inputs =
      packed(memory.d_inputs.reserve<float>(input_size), shape.inputs, shape.positions);
  const FloatView d_outputs = packed(memory.outputs.reserve<float>(shape.outputs * shape.places()),
                                     shape.outputs, shape.places());
  auto* filter = memory.filter.reserve<float>(weight_size);
  auto* d_filter = memory.d_filter.reserve<float>(weight_size);
  to_filter(width, weight, filter, stream_.get());
  spread(on_device, width, width - 1, x, inputs, stream_.get());
  spread(on_device, width, 0, d_y, d_outputs, stream_.get());
  row_convolutions().backward(shape, inputs.data, filter, d_outputs.data, d_inputs.data, d_filter);
  collect(on_device, width, width - 1, d_inputs, {}, d_x, stream_.get());
  add_filter(width, d_filter, d_weight, stream_.get());
}

}  // namespace penchant::kernels::cuda
