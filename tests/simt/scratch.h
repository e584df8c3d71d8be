// SPDX-License-Identifier: Apache-2.0
// kernels/cuda/handles.h's Scratch in the emulation: every reserve gives memory of exactly the size
// asked for, all bits set (NaN, or -1), so that AddressSanitizer sees its ends and a read before a
// write shows; launches under Schedule::isolated watch it. What the reserve before gave is gone.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "kernels/matrix.h"
#include "tests/simt/device_memory.h"

namespace penchant::simt {

class Scratch {
 public:
  explicit Scratch(std::shared_ptr<DeviceMemory> device) : device_(std::move(device)) {}
  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  kernels::VectorView<float> floats(std::int64_t count) {
    return {reserve<float>(count), count, kernels::Device::cuda};
  }
  template <typename T>
  T* reserve(std::int64_t count) {
    release();
    if (count == 0) return nullptr;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    void* data = nullptr;
    if (posix_memalign(&data, kAlignment, bytes) != 0) throw std::bad_alloc();
    memory_.reset(data);
    std::memset(data, 0xFF, bytes);
    device_->add(data, bytes);
    return static_cast<T*>(data);
  }

 private:
  static constexpr std::size_t kAlignment = 256;  ///< a device allocation's

  struct Free {
    void operator()(void* data) const { std::free(data); }
  };

  void release() {
    if (memory_ != nullptr) device_->remove(memory_.get());
    memory_.reset();
  }

  std::shared_ptr<DeviceMemory> device_;
  std::unique_ptr<void, Free> memory_;
};

}  // namespace penchant::simt
