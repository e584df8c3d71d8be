// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing over 8-byte slots: 32 bits of the XXH3 hash beside the dense
// id, so that a probe touches the bytes of an id only when 32 hash bits agree. See
// docs/decisions/0004-dictionary-table.md.
#include "graph/dictionary.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "graph/error.h"

namespace penchant::graph {

namespace {

struct Slot {
  std::uint32_t tag = 0;
  NodeId id = kNoNode;
};

std::uint64_t hash_of(std::string_view raw) { return XXH3_64bits(raw.data(), raw.size()); }
std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

constexpr std::size_t kBatch = 16;  // look-ups in flight: hides one cache miss behind the others

}  // namespace

struct Dictionary::Impl {
  std::vector<char> bytes;
  std::vector<std::int64_t> offsets = {0};
  std::vector<Slot> slots = std::vector<Slot>(16);

  std::int64_t size() const { return static_cast<std::int64_t>(offsets.size()) - 1; }

  std::string_view raw(NodeId id) const {
    const auto i = static_cast<std::size_t>(id);
    return {bytes.data() + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])};
  }

  /// The slot that holds `raw`, or the empty slot where it belongs.
  std::size_t locate(std::string_view key, std::uint64_t hash) const {
    const std::size_t mask = slots.size() - 1;
    std::size_t slot = hash & mask;
    while (slots[slot].id != kNoNode &&
           (slots[slot].tag != tag_of(hash) || raw(slots[slot].id) != key)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  void rehash(std::size_t capacity) {
    std::vector<Slot> old(capacity);
    old.swap(slots);
    const std::size_t mask = slots.size() - 1;
    for (NodeId id = 0; id < size(); ++id) {
      const std::uint64_t hash = hash_of(raw(id));
      std::size_t slot = hash & mask;
      while (slots[slot].id != kNoNode) slot = (slot + 1) & mask;
      slots[slot] = {tag_of(hash), id};
    }
  }

  NodeId intern(std::string_view key, std::uint64_t hash) {
    const std::size_t slot = locate(key, hash);
    if (slots[slot].id != kNoNode) return slots[slot].id;
    if (size() == std::numeric_limits<NodeId>::max()) {
      throw InputError("more than 2147483647 distinct ids: node ids are 32-bit");
    }
    const auto id = static_cast<NodeId>(size());
    bytes.insert(bytes.end(), key.begin(), key.end());
    offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    slots[slot] = {tag_of(hash), id};
    if (static_cast<std::size_t>(size()) * 2 > slots.size()) rehash(slots.size() * 2);
    return id;
  }
};

Dictionary::Dictionary() : impl_(std::make_unique<Impl>()) {}
Dictionary::~Dictionary() = default;
Dictionary::Dictionary(Dictionary&& other) noexcept = default;
Dictionary& Dictionary::operator=(Dictionary&& other) noexcept = default;

NodeId Dictionary::intern(std::string_view raw) { return impl_->intern(raw, hash_of(raw)); }

void Dictionary::intern_all(std::span<const std::string_view> raws, std::span<NodeId> ids) {
  PENCHANT_ASSERT(raws.size() == ids.size());
  std::array<std::uint64_t, kBatch> hashes{};
  for (std::size_t first = 0; first < raws.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, raws.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = hash_of(raws[first + i]);
      __builtin_prefetch(&impl_->slots[hashes[i] & (impl_->slots.size() - 1)]);
    }
    for (std::size_t i = 0; i < count; ++i)
      ids[first + i] = impl_->intern(raws[first + i], hashes[i]);
  }
}

NodeId Dictionary::find(std::string_view raw) const {
  return impl_->slots[impl_->locate(raw, hash_of(raw))].id;
}

std::string_view Dictionary::raw(NodeId id) const {
  PENCHANT_ASSERT(id >= 0 && id < impl_->size());
  return impl_->raw(id);
}

std::int64_t Dictionary::size() const { return impl_->size(); }

void Dictionary::reserve(std::int64_t num_entries) {
  std::size_t capacity = impl_->slots.size();
  while (capacity < static_cast<std::size_t>(num_entries) * 2) capacity *= 2;
  if (capacity > impl_->slots.size()) impl_->rehash(capacity);
  impl_->offsets.reserve(static_cast<std::size_t>(num_entries) + 1);
}

}  // namespace penchant::graph
