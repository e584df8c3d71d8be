// SPDX-License-Identifier: Apache-2.0
// Shape and device checks of every backend's ops, before anything is done or enqueued. A violation
// is the caller's mistake: InputError naming op and shapes. No fmt here: the CUDA module is also
// built where only the CUDA toolkit is installed. A backend's own check.h says its device once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "graph/csr.h"
#include "graph/error.h"
#include "kernels/backend.h"
#include "kernels/matrix.h"

namespace penchant::kernels {

[[noreturn]] inline void refuse(std::string_view op, const std::string& what) {
  throw InputError(std::string(op) + ": " + what);
}

inline std::string shape(std::int64_t rows, std::int64_t cols) {
  return std::to_string(rows) + " x " + std::to_string(cols);
}

template <typename View>
void require_device(Device device, std::string_view op, std::string_view name, const View& view) {
  if (view.device == device) return;
  refuse(op, std::string(name) + " does not lie in " +
                 (device == Device::cpu ? "host memory" : "the GPU's memory"));
}

template <typename T>
void require_shape(Device device, std::string_view op, std::string_view name,
                   const MatrixView<T>& matrix, std::int64_t rows, std::int64_t cols) {
  require_device(device, op, name, matrix);
  if (matrix.rows != rows || matrix.cols != cols) {
    refuse(op, std::string(name) + " is " + shape(matrix.rows, matrix.cols) + ", expected " +
                   shape(rows, cols));
  }
}

template <typename T>
void require_size(Device device, std::string_view op, std::string_view name,
                  const VectorView<T>& vector, std::int64_t size) {
  require_device(device, op, name, vector);
  if (vector.size != size) {
    refuse(op, std::string(name) + " has " + std::to_string(vector.size) + " elements, expected " +
                   std::to_string(size));
  }
}

/// Of a CSR operand in host memory.
inline void require_rows(std::string_view op, std::string_view name, const graph::CsrView& rows,
                         std::int64_t num_rows, std::int64_t num_cols) {
  if (rows.num_rows != num_rows || rows.num_cols != num_cols) {
    refuse(op, std::string(name) + " is " + shape(rows.num_rows, rows.num_cols) + ", expected " +
                   shape(num_rows, num_cols));
  }
}

/// Number of sequences. Their offsets start at 0, ascend and end at `rows`.
inline std::int64_t require_segments(std::string_view op, const Segments& segments,
                                     std::int64_t rows) {
  const auto& offsets = segments.offsets;
  bool valid = offsets.empty() ? rows == 0 : offsets.front() == 0 && offsets.back() == rows;
  for (std::size_t b = 1; b < offsets.size() && valid; ++b) valid = offsets[b] >= offsets[b - 1];
  if (!valid)
    refuse(op, "offsets of the sequences do not ascend from 0 to the " + std::to_string(rows) +
                   " rows");
  return offsets.empty() ? 0 : static_cast<std::int64_t>(offsets.size()) - 1;
}

}  // namespace penchant::kernels
