// SPDX-License-Identifier: Apache-2.0
#include "tests/support/guarded.h"

#include <bit>
#include <limits>
#include <type_traits>

namespace penchant::support {

namespace {

constexpr std::int64_t kBand = 64;  // elements; a multiple of every alignment asked for

/// A NaN that no arithmetic produces, or an id that no graph has.
template <typename T>
T guard() {
  if constexpr (std::is_same_v<T, float>)
    return std::bit_cast<float>(0x7FD15EA5U);
  else
    return static_cast<T>(0x5EADBEE5);
}

template <typename T>
double poison() {
  return std::is_same_v<T, float> ? std::numeric_limits<double>::quiet_NaN() : -7.0;
}

template <typename T>
kernels::VectorView<T> host(std::vector<T>& values) {
  return {values.data(), static_cast<std::int64_t>(values.size()), kernels::Device::cpu};
}

}  // namespace

template <typename T>
Guarded<T>::Guarded(kernels::Backend& backend, std::int64_t rows, std::int64_t cols,
                    Placement placement)
    : Guarded(backend, Dense(rows, cols, poison<T>()), placement) {}

template <typename T>
Guarded<T>::Guarded(kernels::Backend& backend, const Dense& values, Placement placement)
    : backend_(backend),
      rows_(values.rows),
      cols_(values.cols),
      first_(placement == Placement::aligned ? kBand : kBand + 1),
      stride_(placement == Placement::aligned ? (cols_ + 31) / 16 * 16
                                              : cols_ + (cols_ % 2 == 0 ? 3 : 4)),
      memory_(backend.vector<T>(first_ + rows_ * stride_ + kBand)) {
  std::vector<T> all(static_cast<std::size_t>(memory_.size()), guard<T>());
  for (std::int64_t i = 0; i < rows_; ++i) {
    for (std::int64_t j = 0; j < cols_; ++j) {
      all[static_cast<std::size_t>(first_ + i * stride_ + j)] = static_cast<T>(values(i, j));
    }
  }
  backend.copy(kernels::VectorView<const T>(host(all)), memory_.view());
}

template <typename T>
kernels::MatrixView<T> Guarded<T>::view() const {
  return {memory_.view().data + first_, rows_, cols_, stride_, memory_.device()};
}

template <typename T>
kernels::VectorView<T> Guarded<T>::vector() const {
  return {memory_.view().data + first_, cols_, memory_.device()};
}

template <typename T>
std::vector<T> Guarded<T>::download() const {
  std::vector<T> all(static_cast<std::size_t>(memory_.size()));
  backend_.copy(kernels::VectorView<const T>(memory_.view()), host(all));
  return all;
}

template <typename T>
Dense Guarded<T>::dense() const {
  const std::vector<T> all = download();
  Dense result(rows_, cols_);
  for (std::int64_t i = 0; i < rows_; ++i) {
    for (std::int64_t j = 0; j < cols_; ++j)
      result(i, j) = static_cast<double>(all[static_cast<std::size_t>(first_ + i * stride_ + j)]);
  }
  return result;
}

template <typename T>
bool Guarded<T>::intact() const {
  const std::vector<T> all = download();
  const std::int64_t end = first_ + rows_ * stride_;
  for (std::int64_t place = 0; place < static_cast<std::int64_t>(all.size()); ++place) {
    const bool inside = place >= first_ && place < end && (place - first_) % stride_ < cols_;
    const T value = all[static_cast<std::size_t>(place)];
    if (!inside && std::bit_cast<std::uint32_t>(value) != std::bit_cast<std::uint32_t>(guard<T>()))
      return false;
  }
  return true;
}

template class Guarded<float>;
template class Guarded<graph::NodeId>;

}  // namespace penchant::support
