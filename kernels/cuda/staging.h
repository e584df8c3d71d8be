// SPDX-License-Identifier: Apache-2.0
// Copies between pageable host memory and the device through a ring of pinned buffers: the caller's
// memory is free again when a copy to the device returns, and nothing waits for the device unless
// the ring has been gone round. Small copies share a buffer; a buffer is made by its first use.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cuda/handles.h"

namespace penchant::kernels::cuda {

/// Rows of one side of a copy.
template <typename Byte>
struct ByteRows {
  Byte* data;
  std::int64_t stride;  ///< bytes from row to row
};

class Staging {
 public:
  explicit Staging(cudaStream_t stream);
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// Enqueues; `from` has been read when it returns.
  void to_device(ByteRows<const char> from, ByteRows<char> to, std::int64_t rows,
                 std::int64_t row_bytes);
  /// Waits: `to` is written when it returns.
  void to_host(ByteRows<const char> from, ByteRows<char> to, std::int64_t rows,
               std::int64_t row_bytes);
  /// Enqueues a contiguous upload.
  template <typename T>
  void upload(const T* from, T* to, std::int64_t count) {
    const auto bytes = count * static_cast<std::int64_t>(sizeof(T));
    to_device({reinterpret_cast<const char*>(from), bytes}, {reinterpret_cast<char*>(to), bytes}, 1,
              bytes);
  }

 private:
  struct Slot {
    PinnedMemory memory;
    Event done;  ///< behind the last copy that uses the memory
    std::int64_t used = 0;
  };
  /// Free pinned memory, and the slot that it lies in.
  struct Place {
    Slot* slot;
    char* memory;
  };
  Place take(std::int64_t bytes);

  cudaStream_t stream_;
  std::vector<Slot> slots_;
  std::size_t current_ = 0;
};

}  // namespace penchant::kernels::cuda
