// SPDX-License-Identifier: Apache-2.0
// kernels/cuda/handles.h's Scratch in the emulation: every reserve gives memory of exactly the size
// asked for, all bits set (NaN, or -1), so that AddressSanitizer sees its ends and a read before a
// write shows. What the reserve before gave is gone.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace penchant::simt {

class Scratch {
 public:
  template <typename T>
  T* reserve(std::int64_t count) {
    memory_.reset();
    if (count == 0) return nullptr;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    void* data = nullptr;
    if (posix_memalign(&data, kAlignment, bytes) != 0) throw std::bad_alloc();
    memory_.reset(data);
    std::memset(data, 0xFF, bytes);
    return static_cast<T*>(data);
  }

 private:
  static constexpr std::size_t kAlignment = 256;  ///< a device allocation's

  struct Free {
    void operator()(void* data) const { std::free(data); }
  };
  std::unique_ptr<void, Free> memory_;
};

}  // namespace penchant::simt
