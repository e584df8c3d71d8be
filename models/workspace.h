// SPDX-License-Identifier: Apache-2.0
// Buffers of a training step. They grow to the largest batch seen and are then reused, so that
// steady steps allocate nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/backend.h"

namespace penchant::models {

/// A matrix of T, of whatever shape is asked for next; what it held before is lost when it grows.
template <typename T>
class MatrixWorkspace {
 public:
  kernels::MatrixView<T> view(kernels::Backend& backend, std::int64_t rows, std::int64_t cols) {
    if (rows > matrix_.rows() || cols != matrix_.cols())
      matrix_ =
          backend.matrix<T>(std::max(rows, cols == matrix_.cols() ? matrix_.rows() : 0), cols);
    return matrix_.view().rows_of(0, rows);
  }

 private:
  kernels::Matrix<T> matrix_;
};
using Workspace = MatrixWorkspace<float>;

/// Ids or numbers of a batch, copied from host memory to the backend's device.
template <typename T>
class DeviceArray {
 public:
  kernels::VectorView<const T> upload(kernels::Backend& backend, std::span<const T> host) {
    const kernels::VectorView<T> to = view(backend, static_cast<std::int64_t>(host.size()));
    backend.copy(kernels::VectorView<const T>(host.data(), to.size, kernels::Device::cpu), to);
    return to;
  }
  /// Memory of this size without contents.
  kernels::VectorView<T> view(kernels::Backend& backend, std::int64_t size) {
    if (size > vector_.size()) vector_ = backend.vector<T>(size);
    return {vector_.view().data, size, backend.device()};  // an empty view has a device as well
  }

 private:
  kernels::Vector<T> vector_;
};

}  // namespace penchant::models
