// SPDX-License-Identifier: Apache-2.0
// Raw id <-> dense id of one kind of entity (users, items, the values of one attribute).
// Raw ids are the bytes of the user's file; dense ids are 0 .. size-1 in the order of first
// insertion. All bytes lie in one buffer: 8 bytes + the id itself per entry, plus at most 32 bytes
// per entry for numbered ids and a hash table of 21 to 43 bytes per entry for others.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "graph/ids.h"

namespace penchant::graph {

class Dictionary {
 public:
  Dictionary();
  ~Dictionary();
  Dictionary(Dictionary&&) noexcept;
  Dictionary& operator=(Dictionary&&) noexcept;

  /// Dense id of `raw`, inserting it if new. Throws InputError beyond 2^31 - 1 entries.
  NodeId intern(std::string_view raw);
  /// intern() of many at once, with the memory accesses of neighbouring look-ups overlapped. ids
  /// has raws.size() entries.
  void intern_all(std::span<const std::string_view> raws, std::span<NodeId> ids);
  /// Dense id, or kNoNode.
  NodeId find(std::string_view raw) const;
  /// Raw id of a dense id in [0, size). Valid until the next intern().
  std::string_view raw(NodeId id) const;
  std::int64_t size() const;
  void reserve(std::int64_t num_entries);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::graph
