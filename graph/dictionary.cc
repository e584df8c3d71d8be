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

constexpr std::size_t kBatch = 32;  // look-ups in flight: hides one cache miss behind the others

template <typename Word>
Word load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// a[0, size) == b[0, size): ids are short, and a call of memcmp costs more than comparing them.
bool equal_bytes(const char* a, const char* b, std::size_t size) {
  if (size > 16) return std::memcmp(a, b, size) == 0;
  if (size >= 8) {
    return load<std::uint64_t>(a) == load<std::uint64_t>(b) &&
           load<std::uint64_t>(a + size - 8) == load<std::uint64_t>(b + size - 8);
  }
  if (size >= 4) {
    return load<std::uint32_t>(a) == load<std::uint32_t>(b) &&
           load<std::uint32_t>(a + size - 4) == load<std::uint32_t>(b + size - 4);
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

bool equal_ids(std::string_view a, std::string_view b) {
  return a.size() == b.size() && equal_bytes(a.data(), b.data(), a.size());
}

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
           (slots[slot].tag != tag_of(hash) || !equal_ids(raw(slots[slot].id), key))) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  void rehash(std::size_t capacity) {
    slots = {};  // not two tables at once
    slots.resize(capacity);
    const std::size_t mask = slots.size() - 1;
    std::array<std::uint64_t, kBatch> hashes{};
    for (std::int64_t first = 0; first < size(); first += kBatch) {
      const std::int64_t last = std::min(size(), first + static_cast<std::int64_t>(kBatch));
      for (std::int64_t id = first; id < last; ++id) {
        const std::uint64_t hash = hash_of(raw(static_cast<NodeId>(id)));
        hashes[static_cast<std::size_t>(id - first)] = hash;
        __builtin_prefetch(&slots[hash & mask], 1);
      }
      for (std::int64_t id = first; id < last; ++id) {
        const std::uint64_t hash = hashes[static_cast<std::size_t>(id - first)];
        std::size_t slot = hash & mask;
        while (slots[slot].id != kNoNode) slot = (slot + 1) & mask;
        slots[slot] = {tag_of(hash), static_cast<NodeId>(id)};
      }
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
  Impl& impl = *impl_;
  // Of the look-ups in flight: places in `raws` and hashes. A raw id that repeats the one before it
  // (a user's session) needs no look-up.
  std::array<std::size_t, kBatch> places{};
  std::array<std::uint64_t, kBatch> hashes{};
  for (std::size_t next = 0; next < raws.size();) {
    const std::size_t mask = impl.slots.size() - 1;
    const std::size_t first = next;
    std::size_t count = 0;
    for (; next < raws.size() && count < kBatch; ++next) {
      if (next > 0 && equal_ids(raws[next], raws[next - 1])) continue;
      places[count] = next;
      hashes[count] = hash_of(raws[next]);
      __builtin_prefetch(&impl.slots[hashes[count] & mask]);
      ++count;
    }
    // What a first probe that succeeds will touch: where the bytes lie, then the bytes.
    std::array<NodeId, kBatch> likely{};
    for (std::size_t i = 0; i < count; ++i) {
      const Slot& slot = impl.slots[hashes[i] & mask];
      likely[i] = slot.tag == tag_of(hashes[i]) ? slot.id : kNoNode;
      if (likely[i] != kNoNode)
        __builtin_prefetch(&impl.offsets[static_cast<std::size_t>(likely[i])]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (likely[i] != kNoNode)
        __builtin_prefetch(impl.bytes.data() + impl.offsets[static_cast<std::size_t>(likely[i])]);
    }
    for (std::size_t i = 0; i < count; ++i)
      ids[places[i]] = impl.intern(raws[places[i]], hashes[i]);
    std::size_t found = 0;
    for (std::size_t place = first; place < next; ++place) {
      if (found < count && places[found] == place) {
        ++found;
      } else {
        ids[place] = ids[place - 1];
      }
    }
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
