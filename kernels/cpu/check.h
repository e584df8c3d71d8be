// SPDX-License-Identifier: Apache-2.0
// kernels/check.h for operands in host memory.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/check.h"

namespace penchant::kernels {

template <typename View>
void require_host(std::string_view op, std::string_view name, const View& view) {
  require_device(Device::cpu, op, name, view);
}

template <typename T>
void require_shape(std::string_view op, std::string_view name, const MatrixView<T>& matrix,
                   std::int64_t rows, std::int64_t cols) {
  require_shape(Device::cpu, op, name, matrix, rows, cols);
}

template <typename T>
void require_size(std::string_view op, std::string_view name, const VectorView<T>& vector,
                  std::int64_t size) {
  require_size(Device::cpu, op, name, vector, size);
}

}  // namespace penchant::kernels
