// SPDX-License-Identifier: Apache-2.0
// Host values where a backend can read them, and its results where the host can. On the CPU both
// are the same memory and nothing is copied.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"

namespace penchant::kernels {

/// T is float or graph::NodeId. Device memory grows with the first calls and is reused.
template <typename T>
class Upload {
 public:
  /// The values on the backend's device, until the next call and as long as `host` lives.
  VectorView<const T> operator()(VectorView<const T> host, Backend& backend) {
    if (host.device == backend.device()) return host;
    if (memory_.size() < host.size) memory_ = backend.vector<T>(host.size);
    const VectorView<T> to = memory_.view().sub(0, host.size);
    backend.copy(host, to);
    return to;
  }
  VectorView<const T> operator()(const std::vector<T>& host, Backend& backend) {
    return (*this)({host.data(), static_cast<std::int64_t>(host.size()), Device::cpu}, backend);
  }

 private:
  Vector<T> memory_;
};

template <typename T>
class Download {
 public:
  /// The values in host memory, until the next call and as long as `device` lives. Waits.
  MatrixView<const T> operator()(MatrixView<const T> device, Backend& backend) {
    if (device.device == Device::cpu) return device;
    const std::int64_t size =
        device.rows == 0 || device.cols == 0 ? 0 : (device.rows - 1) * device.stride + device.cols;
    memory_.resize(static_cast<std::size_t>(size));
    // As one piece, the padding between rows included.
    backend.copy(VectorView<const T>(device.data, size, device.device),
                 VectorView<T>(memory_.data(), size, Device::cpu));
    return {memory_.data(), device.rows, device.cols, device.stride, Device::cpu};
  }
  VectorView<const T> operator()(VectorView<const T> device, Backend& backend) {
    const MatrixView<const T> host = (*this)(
        MatrixView<const T>(device.data, 1, device.size, device.size, device.device), backend);
    return {host.data, device.size, Device::cpu};
  }

 private:
  std::vector<T> memory_;
};

/// A copy of the values on the backend's device.
inline Vector<float> to_device(const std::vector<float>& host, Backend& backend) {
  const auto size = static_cast<std::int64_t>(host.size());
  Vector<float> copy = backend.vector<float>(size);
  backend.copy(VectorView<const float>(host.data(), size, Device::cpu), copy.view());
  return copy;
}

/// A copy of the values in host memory. Waits.
inline std::vector<float> to_host(VectorView<const float> values, Backend& backend) {
  std::vector<float> copy(static_cast<std::size_t>(values.size));
  backend.copy(values, VectorView<float>(copy.data(), values.size, Device::cpu));
  return copy;
}

}  // namespace penchant::kernels
