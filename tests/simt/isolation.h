// SPDX-License-Identifier: Apache-2.0
// What Schedule::isolated finds in one launch. Blocks run in groups (one block each where that is
// affordable), every group from the memory as it was before the launch, so that no group sees
// another's stores, as it might not on a GPU:
//   - two groups change one byte: an update is lost
//   - the bytes of all groups together are not those of the blocks run one after another, forwards
//     or backwards: a block reads what another stores, or the order of threads decides
//   - two warps of a block change one byte and no barrier stands between
//   - __ldg, or a parameter that is const and __restrict__, reads what the launch stores: the
//     read-only cache may hold the old value
// Between two barriers each warp of a block runs from the memory as it was at the first of them, as
// long as that is affordable.
// Bytes that atomicAdd changes are carried from group to group and only compared with plain stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/simt/device_memory.h"

namespace penchant::simt {

class Isolation {
 public:
  /// Takes the snapshot.
  Isolation(const DeviceMemory& memory, std::uint64_t blocks);

  /// Groups of consecutive blocks; 0: more memory than is affordable.
  std::uint64_t num_groups() const { return groups_; }
  std::uint64_t first_block(std::uint64_t group) const { return group * blocks_ / groups_; }

  void note_atomic(const void* place, std::size_t bytes) { mark(place, bytes, kAtomic); }
  void note_read_only(const void* place, std::size_t bytes) { mark(place, bytes, kReadOnly); }
  /// Behind the last thing that a warp does before a barrier or its end, and behind the last warp.
  /// Throws Violation.
  void end_warp(std::uint64_t warp);
  void end_interval();
  /// Behind the group: keeps what it stored, and gives the next one the snapshot. Throws Violation.
  void end_group(std::uint64_t group);
  /// Behind the last group: neither what __ldg read nor what stands behind these pointers in their
  /// allocations may have been stored. Throws Violation.
  void check_read_only(const std::vector<const void*>& pointers) const;
  /// The snapshot once more, atomics included.
  void restore() const;
  /// Behind a run of all blocks: throws Violation if memory differs from what the groups stored.
  void compare(const char* order) const;

 private:
  static constexpr std::uint8_t kAtomic = 1;
  static constexpr std::uint8_t kReadOnly = 2;

  struct Region {
    std::byte* data;
    std::size_t bytes;
    std::size_t offset;  ///< of its first byte in the arrays below
  };

  /// The region that holds the bytes, or null.
  const Region* find(const void* place, std::size_t bytes) const;
  bool stored(std::size_t at) const { return writers_[at] != 0 || (flags_[at] & kAtomic) != 0; }
  void mark(const void* place, std::size_t bytes, std::uint8_t flag);
  std::string place_of(const Region& region, std::size_t byte) const;
  std::string group_name(std::uint64_t group) const;

  std::uint64_t blocks_;
  std::uint64_t groups_ = 0;
  std::vector<Region> regions_;  ///< ascending
  std::vector<std::byte> before_;
  std::vector<std::byte> together_;     ///< what all groups stored
  std::vector<std::uint16_t> writers_;  ///< group + 1; 0: nobody
  std::vector<std::uint8_t> flags_;

  /// Of the running block since its last barrier.
  struct Store {
    std::byte* place;
    std::size_t at;
    std::byte value;
  };
  std::vector<std::byte> barrier_;    ///< memory then
  std::vector<std::uint16_t> warps_;  ///< who changed a byte since: warp + 1
  std::vector<Store> stores_;
  std::uint64_t compared_ = 0;  ///< bytes, by warps
  bool by_warps_ = true;
};

}  // namespace penchant::simt
