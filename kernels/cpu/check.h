// SPDX-License-Identifier: Apache-2.0
// Shape and device checks shared by the CPU operations. A violation is the caller's mistake:
// InputError naming op and shapes.
#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/matrix.h"

namespace penchant::kernels {

template <typename View>
void require_host(std::string_view op, std::string_view name, const View& view) {
  if (view.device != Device::cpu)
    throw InputError(fmt::format("{}: {} does not lie in host memory", op, name));
}

template <typename T>
void require_shape(std::string_view op, std::string_view name, const MatrixView<T>& matrix,
                   std::int64_t rows, std::int64_t cols) {
  require_host(op, name, matrix);
  if (matrix.rows != rows || matrix.cols != cols) {
    throw InputError(fmt::format("{}: {} is {} x {}, expected {} x {}", op, name, matrix.rows,
                                 matrix.cols, rows, cols));
  }
}

template <typename T>
void require_size(std::string_view op, std::string_view name, const VectorView<T>& vector,
                  std::int64_t size) {
  require_host(op, name, vector);
  if (vector.size != size)
    throw InputError(
        fmt::format("{}: {} has {} elements, expected {}", op, name, vector.size, size));
}

}  // namespace penchant::kernels
