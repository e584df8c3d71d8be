// SPDX-License-Identifier: Apache-2.0
// Memory, copies, element-wise and row-wise ops of the emulated backend.
#include "tests/simt/simt_backend.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/cuda/check.h"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/random.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/row_set.cuh"
#include "kernels/operands.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;
using cuda::require_device;
using cuda::require_shape;
using cuda::require_size;
using kernels::Bf16;

kernels::Memory SimtBackend::allocate(std::int64_t bytes) {
  if (bytes == 0) return nullptr;
  ++interruptions_.allocations;
  void* memory = nullptr;
  if (bytes < 0 || posix_memalign(&memory, 64, static_cast<std::size_t>(bytes)) != 0)
    throw std::bad_alloc();
  std::memset(memory, 0, static_cast<std::size_t>(bytes));
  machine_.memory()->add(memory, static_cast<std::size_t>(bytes));
  return {memory, [device = machine_.memory()](void* owned) {
            device->remove(owned);
            std::free(owned);
          }};
}

void SimtBackend::count_copy(std::int64_t size, kernels::Device from, kernels::Device to) {
  if (size == 0) return;
  if (to == kernels::Device::cpu) ++interruptions_.waits;
  if (from == kernels::Device::cpu) ++interruptions_.uploads;
}

/// Host memory is as good as device memory here.
void SimtBackend::copy(ConstFloatView from, FloatView to) {
  if (from.rows != to.rows || from.cols != to.cols)
    cuda::refuse("copy", "to is " + cuda::shape(to.rows, to.cols));
  count_copy(from.rows * from.cols, from.device, to.device);
  cuda::copy(from, to, &machine_);
}

void SimtBackend::copy(VectorView<const float> from, VectorView<float> to) {
  if (from.size != to.size) cuda::refuse("copy", "to has " + std::to_string(to.size));
  count_copy(from.size, from.device, to.device);
  std::copy_n(from.data, from.size, to.data);
}

void SimtBackend::copy(IdView from, VectorView<graph::NodeId> to) {
  if (from.size != to.size) cuda::refuse("copy", "to has " + std::to_string(to.size));
  count_copy(from.size, from.device, to.device);
  std::copy_n(from.data, from.size, to.data);
}

void SimtBackend::convert(ConstFloatView from, MatrixView<Bf16> to) {
  require_device("convert", "from", from);
  require_shape("convert", "to", to, from.rows, from.cols);
  cuda::convert(from, to, &machine_);
}

void SimtBackend::convert(MatrixView<const Bf16> from, FloatView to) {
  require_device("convert", "from", from);
  require_shape("convert", "to", to, from.rows, from.cols);
  cuda::convert(from, to, &machine_);
}

void SimtBackend::fill(FloatView y, float value) {
  require_device("fill", "y", y);
  cuda::fill(y, value, &machine_);
}

void SimtBackend::fill_rows(RowSet rows, float value, FloatView y) {
  kernels::check_fill_rows(kernels::Device::cuda, rows, y);
  cuda::fill_rows(rows, value, y, &machine_);
}

void SimtBackend::mark_rows(std::span<const IdView> lists, std::int64_t num_rows,
                            VectorView<std::uint32_t> rows) {
  kernels::check_mark_rows(kernels::Device::cuda, lists, num_rows, rows);
  cuda::mark_rows(lists, rows, &machine_);
}

void SimtBackend::axpby(float alpha, ConstFloatView x, float beta, FloatView y) {
  require_device("axpby", "x", x);
  require_shape("axpby", "y", y, x.rows, x.cols);
  cuda::axpby(alpha, x, beta, y, &machine_);
}

void SimtBackend::multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta,
                           FloatView z) {
  require_device("multiply", "x", x);
  require_shape("multiply", "y", y, x.rows, x.cols);
  require_shape("multiply", "z", z, x.rows, x.cols);
  cuda::multiply(alpha, x, y, beta, z, &machine_);
}

void SimtBackend::add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y) {
  require_device("add_bias", "x", x);
  require_size("add_bias", "bias", bias, x.cols);
  require_shape("add_bias", "y", y, x.rows, x.cols);
  cuda::add_bias(x, bias, y, &machine_);
}

void SimtBackend::add_column_sums(ConstFloatView x, VectorView<float> sums) {
  require_device("add_column_sums", "x", x);
  require_size("add_column_sums", "sums", sums, x.cols);
  Scratch memory = scratch();
  const VectorView<float> partial = memory.floats(cuda::column_sums_scratch_size(x.rows, x.cols));
  cuda::add_column_sums(x, sums, partial, &machine_);
}

void SimtBackend::scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y) {
  require_device("scale_rows", "x", x);
  require_size("scale_rows", "scale", scale, x.rows);
  require_shape("scale_rows", "y", y, x.rows, x.cols);
  cuda::scale_rows(x, scale, y, &machine_);
}

void SimtBackend::add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots) {
  require_device("add_row_dots", "x", x);
  require_shape("add_row_dots", "y", y, x.rows, x.cols);
  require_size("add_row_dots", "dots", dots, x.rows);
  cuda::add_row_dots(x, y, dots, &machine_);
}

void SimtBackend::activation(kernels::Activation act, ConstFloatView x, FloatView y) {
  require_device("activation", "x", x);
  require_shape("activation", "y", y, x.rows, x.cols);
  cuda::activation(act, x, y, &machine_);
}

void SimtBackend::activation_backward(kernels::Activation act, ConstFloatView y, ConstFloatView d_y,
                                      FloatView d_x) {
  require_device("activation_backward", "y", y);
  require_shape("activation_backward", "d_y", d_y, y.rows, y.cols);
  require_shape("activation_backward", "d_x", d_x, y.rows, y.cols);
  cuda::activation_backward(act, y, d_y, d_x, &machine_);
}

void SimtBackend::normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms) {
  require_device("normalize_rows", "x", x);
  require_shape("normalize_rows", "y", y, x.rows, x.cols);
  require_size("normalize_rows", "inverse_norms", inverse_norms, x.rows);
  cuda::normalize_rows(x, y, inverse_norms, &machine_);
}

void SimtBackend::normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                                          ConstFloatView d_y, FloatView d_x) {
  require_device("normalize_rows_backward", "y", y);
  require_size("normalize_rows_backward", "inverse_norms", inverse_norms, y.rows);
  require_shape("normalize_rows_backward", "d_y", d_y, y.rows, y.cols);
  require_shape("normalize_rows_backward", "d_x", d_x, y.rows, y.cols);
  cuda::normalize_rows_backward(y, inverse_norms, d_y, d_x, &machine_);
}

void SimtBackend::dropout(const kernels::DropoutOptions& options, ConstFloatView x, FloatView y) {
  kernels::check_dropout(kernels::Device::cuda, options, x, y);
  cuda::dropout(options, x, y, &machine_);
}

void SimtBackend::layer_norm(ConstFloatView x, VectorView<const float> gain,
                             VectorView<const float> bias, FloatView unit,
                             VectorView<float> inverse_deviations, FloatView y) {
  kernels::check_layer_norm(kernels::Device::cuda, x, gain, bias, unit, inverse_deviations, y);
  cuda::layer_norm(x, gain, bias, unit, inverse_deviations, y, &machine_);
}

void SimtBackend::layer_norm_backward(ConstFloatView unit,
                                      VectorView<const float> inverse_deviations,
                                      VectorView<const float> gain, ConstFloatView d_y,
                                      FloatView d_x, VectorView<float> d_gain,
                                      VectorView<float> d_bias) {
  kernels::check_layer_norm_backward(kernels::Device::cuda, unit, inverse_deviations, gain, d_y,
                                     d_x, d_gain, d_bias);
  Scratch memory = scratch();
  const VectorView<float> partial =
      memory.floats(cuda::column_sums_scratch_size(unit.rows, unit.cols));
  cuda::layer_norm_backward(unit, inverse_deviations, gain, d_y, d_x, d_gain, d_bias, partial,
                            &machine_);
}

void SimtBackend::adam_step(const kernels::AdamOptions& options, ConstFloatView gradient,
                            FloatView parameter, FloatView first_moment, FloatView second_moment) {
  kernels::check_adam_step(kernels::Device::cuda, options, gradient, parameter, first_moment,
                           second_moment);
  cuda::adam_step(options, gradient, parameter, first_moment, second_moment, &machine_);
}

}  // namespace penchant::simt
