// SPDX-License-Identifier: Apache-2.0
// Temporary files that a program removes when it is ended from a signal handler.
#pragma once

#include <filesystem>

namespace penchant::graph {

/// Holds a place in a fixed table, because a handler can neither lock nor allocate; a file beyond
/// its end, or with a name of 4 KiB, is left behind.
class RemovedOnInterrupt {
 public:
  explicit RemovedOnInterrupt(const std::filesystem::path& file);
  ~RemovedOnInterrupt();
  RemovedOnInterrupt(const RemovedOnInterrupt&) = delete;
  RemovedOnInterrupt& operator=(const RemovedOnInterrupt&) = delete;

 private:
  int slot_;
};

/// Removes all of them; async-signal-safe.
void remove_registered_files();

}  // namespace penchant::graph
