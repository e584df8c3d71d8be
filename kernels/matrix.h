// SPDX-License-Identifier: Apache-2.0
// Dense storage of the engine. Owners (Vector, Matrix) know their device and are move-only; views
// are trivially copyable and never outlive a call. Matrices are row-major: element (i, j) is data[i
// * stride + j]. Owners made by a backend start each row on a 64-byte boundary, so stride >= cols.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "graph/error.h"
#include "graph/ids.h"

namespace penchant::kernels {

enum class Device : std::uint8_t { cpu, cuda };

/// bfloat16 storage (the upper half of a float32); arithmetic is always in float32.
struct Bf16 {
  std::uint16_t bits;
};

/// View of `size` contiguous elements.
template <typename T>
struct VectorView {
  T* data = nullptr;
  std::int64_t size = 0;
  Device device = Device::cpu;

  VectorView() = default;
  VectorView(T* first, std::int64_t count, Device where)
      : data(first), size(count), device(where) {}
  /// A view of mutable elements converts to a view of const ones.
  template <typename U>
  requires(std::is_same_v<const U, T> && !std::is_same_v<U, T>)
      VectorView(const VectorView<U>& other)  // NOLINT(google-explicit-constructor)
      : data(other.data), size(other.size), device(other.device) {}

  T& operator[](std::int64_t i) const { return data[i]; }
  VectorView sub(std::int64_t first, std::int64_t count) const {
    return {data + first, count, device};
  }
};

/// View of rows x cols elements, `stride` elements apart from row to row.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t stride = 0;
  Device device = Device::cpu;

  MatrixView() = default;
  MatrixView(T* first, std::int64_t num_rows, std::int64_t num_cols, std::int64_t row_stride,
             Device where)
      : data(first), rows(num_rows), cols(num_cols), stride(row_stride), device(where) {}
  template <typename U>
  requires(std::is_same_v<const U, T> && !std::is_same_v<U, T>)
      MatrixView(const MatrixView<U>& other)  // NOLINT(google-explicit-constructor)
      : data(other.data),
        rows(other.rows),
        cols(other.cols),
        stride(other.stride),
        device(other.device) {}

  T* row(std::int64_t i) const { return data + i * stride; }
  T& operator()(std::int64_t i, std::int64_t j) const { return data[i * stride + j]; }
  MatrixView rows_of(std::int64_t first, std::int64_t count) const {
    return {data + first * stride, count, cols, stride, device};
  }
  MatrixView cols_of(std::int64_t first, std::int64_t count) const {
    return {data + first, rows, count, stride, device};
  }
};

/// Memory and how it is given back: by the backend that made it, or by whoever lends it (NumPy,
/// Arrow, DLPack), with what that needs in the deleter. A copy keeps the elements alive beyond
/// their Vector or Matrix, so that these can be lent as well.
using Memory = std::shared_ptr<void>;

/// Owner of `size` elements on one device; made by Backend::vector.
template <typename T>
class Vector {
 public:
  Vector() = default;
  Vector(Memory memory, std::int64_t size, Device device)
      : memory_(std::move(memory)), size_(size), device_(device) {}
  Vector(Vector&&) noexcept = default;
  Vector& operator=(Vector&&) noexcept = default;

  VectorView<T> view() { return {static_cast<T*>(memory_.get()), size_, device_}; }
  VectorView<const T> view() const {
    return {static_cast<const T*>(memory_.get()), size_, device_};
  }
  std::int64_t size() const { return size_; }
  Device device() const { return device_; }
  const Memory& memory() const { return memory_; }

 private:
  Memory memory_;
  std::int64_t size_ = 0;
  Device device_ = Device::cpu;
};

/// Owner of rows x cols elements on one device; made by Backend::matrix.
template <typename T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(Memory memory, std::int64_t rows, std::int64_t cols, std::int64_t stride, Device device)
      : memory_(std::move(memory)), rows_(rows), cols_(cols), stride_(stride), device_(device) {}
  Matrix(Matrix&&) noexcept = default;
  Matrix& operator=(Matrix&&) noexcept = default;

  MatrixView<T> view() { return {static_cast<T*>(memory_.get()), rows_, cols_, stride_, device_}; }
  MatrixView<const T> view() const {
    return {static_cast<const T*>(memory_.get()), rows_, cols_, stride_, device_};
  }
  std::int64_t rows() const { return rows_; }
  std::int64_t cols() const { return cols_; }
  Device device() const { return device_; }
  const Memory& memory() const { return memory_; }

 private:
  Memory memory_;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::int64_t stride_ = 0;
  Device device_ = Device::cpu;
};

using FloatMatrix = Matrix<float>;
using FloatView = MatrixView<float>;
using ConstFloatView = MatrixView<const float>;
using IdView = VectorView<const graph::NodeId>;

}  // namespace penchant::kernels
