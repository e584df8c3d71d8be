// SPDX-License-Identifier: Apache-2.0
// Which memory launches may write: what the emulated backend gave out. A launch under
// Schedule::isolated is run from a snapshot of it (isolation.h).
#pragma once

#include <cstddef>
#include <map>

namespace penchant::simt {

class DeviceMemory {
 public:
  /// First byte to size; regions do not overlap.
  using Regions = std::map<std::byte*, std::size_t>;

  void add(void* data, std::size_t bytes) {
    if (bytes > 0) regions_.emplace(static_cast<std::byte*>(data), bytes);
  }
  void remove(void* data) { regions_.erase(static_cast<std::byte*>(data)); }
  const Regions& regions() const { return regions_; }

 private:
  Regions regions_;
};

}  // namespace penchant::simt
