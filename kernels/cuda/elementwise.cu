// SPDX-License-Identifier: Apache-2.0
// The element-by-element and row-by-row operations of the CUDA backend: checks, then the launchers
// of elementwise.cuh, random.cuh and reduce.cuh.
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/random.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/row_set.cuh"

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels::cuda {

void CudaBackend::copy_rows(ConstFloatView from, FloatView to) {
  cuda::copy(from, to, stream_.get());
}

void CudaBackend::convert(ConstFloatView from, MatrixView<Bf16> to) {
  require_device("convert", "from", from);
  require_shape("convert", "to", to, from.rows, from.cols);
  cuda::convert(from, to, stream_.get());
}

void CudaBackend::convert(MatrixView<const Bf16> from, FloatView to) {
  require_device("convert", "from", from);
  require_shape("convert", "to", to, from.rows, from.cols);
  cuda::convert(from, to, stream_.get());
}

void CudaBackend::fill(FloatView y, float value) {
  require_device("fill", "y", y);
  cuda::fill(y, value, stream_.get());
}

void CudaBackend::fill_rows(RowSet rows, float value, FloatView y) {
  check_fill_rows(Device::cuda, rows, y);
  cuda::fill_rows(rows, value, y, stream_.get());
}

void CudaBackend::mark_rows(std::span<const IdView> lists, std::int64_t num_rows,
                            VectorView<std::uint32_t> rows) {
  check_mark_rows(Device::cuda, lists, num_rows, rows);
  cuda::mark_rows(lists, rows, stream_.get());
}

void CudaBackend::axpby(float alpha, ConstFloatView x, float beta, FloatView y) {
  require_device("axpby", "x", x);
  require_shape("axpby", "y", y, x.rows, x.cols);
  cuda::axpby(alpha, x, beta, y, stream_.get());
}

void CudaBackend::multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta,
                           FloatView z) {
  require_device("multiply", "x", x);
  require_shape("multiply", "y", y, x.rows, x.cols);
  require_shape("multiply", "z", z, x.rows, x.cols);
  cuda::multiply(alpha, x, y, beta, z, stream_.get());
}

void CudaBackend::add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y) {
  require_device("add_bias", "x", x);
  require_size("add_bias", "bias", bias, x.cols);
  require_shape("add_bias", "y", y, x.rows, x.cols);
  cuda::add_bias(x, bias, y, stream_.get());
}

VectorView<float> CudaBackend::column_sums_scratch(std::int64_t rows, std::int64_t cols) {
  const std::int64_t size = column_sums_scratch_size(rows, cols);
  return {sums_.reserve<float>(size), size, Device::cuda};
}

void CudaBackend::add_column_sums(ConstFloatView x, VectorView<float> sums) {
  require_device("add_column_sums", "x", x);
  require_size("add_column_sums", "sums", sums, x.cols);
  cuda::add_column_sums(x, sums, column_sums_scratch(x.rows, x.cols), stream_.get());
}

void CudaBackend::scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y) {
  require_device("scale_rows", "x", x);
  require_size("scale_rows", "scale", scale, x.rows);
  require_shape("scale_rows", "y", y, x.rows, x.cols);
  cuda::scale_rows(x, scale, y, stream_.get());
}

void CudaBackend::add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots) {
  require_device("add_row_dots", "x", x);
  require_shape("add_row_dots", "y", y, x.rows, x.cols);
  require_size("add_row_dots", "dots", dots, x.rows);
  cuda::add_row_dots(x, y, dots, stream_.get());
}

void CudaBackend::activation(Activation act, ConstFloatView x, FloatView y) {
  require_device("activation", "x", x);
  require_shape("activation", "y", y, x.rows, x.cols);
  cuda::activation(act, x, y, stream_.get());
}

void CudaBackend::activation_backward(Activation act, ConstFloatView y, ConstFloatView d_y,
                                      FloatView d_x) {
  require_device("activation_backward", "y", y);
  require_shape("activation_backward", "d_y", d_y, y.rows, y.cols);
  require_shape("activation_backward", "d_x", d_x, y.rows, y.cols);
  cuda::activation_backward(act, y, d_y, d_x, stream_.get());
}

void CudaBackend::normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms) {
  require_device("normalize_rows", "x", x);
  require_shape("normalize_rows", "y", y, x.rows, x.cols);
  require_size("normalize_rows", "inverse_norms", inverse_norms, x.rows);
  cuda::normalize_rows(x, y, inverse_norms, stream_.get());
}

void CudaBackend::normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                                          ConstFloatView d_y, FloatView d_x) {
  require_device("normalize_rows_backward", "y", y);
  require_size("normalize_rows_backward", "inverse_norms", inverse_norms, y.rows);
  require_shape("normalize_rows_backward", "d_y", d_y, y.rows, y.cols);
  require_shape("normalize_rows_backward", "d_x", d_x, y.rows, y.cols);
  cuda::normalize_rows_backward(y, inverse_norms, d_y, d_x, stream_.get());
}

void CudaBackend::dropout(const DropoutOptions& options, ConstFloatView x, FloatView y) {
  check_dropout(Device::cuda, options, x, y);
  cuda::dropout(options, x, y, stream_.get());
}

void CudaBackend::layer_norm(ConstFloatView x, VectorView<const float> gain,
                             VectorView<const float> bias, FloatView unit,
                             VectorView<float> inverse_deviations, FloatView y) {
  check_layer_norm(Device::cuda, x, gain, bias, unit, inverse_deviations, y);
  cuda::layer_norm(x, gain, bias, unit, inverse_deviations, y, stream_.get());
}

void CudaBackend::layer_norm_backward(ConstFloatView unit,
                                      VectorView<const float> inverse_deviations,
                                      VectorView<const float> gain, ConstFloatView d_y,
                                      FloatView d_x, VectorView<float> d_gain,
                                      VectorView<float> d_bias) {
  check_layer_norm_backward(Device::cuda, unit, inverse_deviations, gain, d_y, d_x, d_gain, d_bias);
  cuda::layer_norm_backward(unit, inverse_deviations, gain, d_y, d_x, d_gain, d_bias,
                            column_sums_scratch(unit.rows, unit.cols), stream_.get());
}

void CudaBackend::adam_step(const AdamOptions& options, ConstFloatView gradient,
                            FloatView parameter, FloatView first_moment, FloatView second_moment) {
  check_adam_step(Device::cuda, options, gradient, parameter, first_moment, second_moment);
  cuda::adam_step(options, gradient, parameter, first_moment, second_moment, stream_.get());
}

}  // namespace penchant::kernels::cuda
