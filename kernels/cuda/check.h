// SPDX-License-Identifier: Apache-2.0
// kernels/check.h for operands in the GPU's memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/check.h"

namespace penchant::kernels::cuda {

using kernels::refuse;
using kernels::require_rows;
using kernels::require_segments;
using kernels::shape;

template <typename View>
void require_device(std::string_view op, std::string_view name, const View& view) {
  kernels::require_device(Device::cuda, op, name, view);
}

template <typename T>
void require_shape(std::string_view op, std::string_view name, const MatrixView<T>& matrix,
                   std::int64_t rows, std::int64_t cols) {
  kernels::require_shape(Device::cuda, op, name, matrix, rows, cols);
}

template <typename T>
void require_size(std::string_view op, std::string_view name, const VectorView<T>& vector,
                  std::int64_t size) {
  kernels::require_size(Device::cuda, op, name, vector, size);
}

}  // namespace penchant::kernels::cuda
