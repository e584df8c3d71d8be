// SPDX-License-Identifier: Apache-2.0
// Open addressing with linear probing over 16-byte slots: 64 hash bits and the length of the raw id
// beside the dense id. Ids of up to 8 bytes are hashed by a bijection, so a probe never touches
// their bytes; those of longer ids (XXH3) only when all 64 bits agree. See
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
  std::uint64_t hash = 0;
  std::uint32_t length = 0;
  NodeId id = kNoNode;
};

constexpr std::size_t kShort = 8;   // longest id that its hash and length determine
constexpr std::size_t kBatch = 32;  // look-ups in flight: hides one cache miss behind the others

template <typename Word>
Word load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

/// Bytes of a short id; together with the length they determine it.
[[gnu::always_inline]] inline std::uint64_t word_of(std::string_view raw) {
  const char* const bytes = raw.data();
  const std::size_t size = raw.size();
  if (size == 8) return load<std::uint64_t>(bytes);
  if (size >= 4) {
    return load<std::uint32_t>(bytes) | std::uint64_t{load<std::uint32_t>(bytes + size - 4)} << 32;
  }
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) word = word << 8 | static_cast<unsigned char>(bytes[i]);
  return word;
}

/// For short ids a bijection of the word (the finaliser of MurmurHash3, Appleby 2011).
[[gnu::always_inline]] inline std::uint64_t hash_of(std::string_view raw) {
  if (raw.size() > kShort) return XXH3_64bits(raw.data(), raw.size());
  std::uint64_t hash = word_of(raw);
  hash = (hash ^ hash >> 33) * 0xFF51AFD7ED558CCD;
  hash = (hash ^ hash >> 33) * 0xC4CEB9FE1A85EC53;
  return hash ^ hash >> 33;
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

  bool holds(const Slot& slot, std::string_view key, std::uint64_t hash) const {
    return slot.hash == hash && slot.length == key.size() &&
           (key.size() <= kShort || raw(slot.id) == key);
  }

  /// The slot that holds `key`, or the empty slot where it belongs.
  std::size_t locate(std::string_view key, std::uint64_t hash) const {
    const std::size_t mask = slots.size() - 1;
    std::size_t slot = hash & mask;
    while (slots[slot].id != kNoNode && !holds(slots[slot], key, hash)) slot = (slot + 1) & mask;
    return slot;
  }

  void rehash(std::size_t capacity) {
    std::vector<Slot> old(capacity);
    old.swap(slots);
    const std::size_t mask = slots.size() - 1;
    for (const Slot& entry : old) {
      if (entry.id == kNoNode) continue;
      std::size_t slot = entry.hash & mask;
      while (slots[slot].id != kNoNode) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
  }

  NodeId intern(std::string_view key, std::uint64_t hash) {
    const std::size_t slot = locate(key, hash);
    if (slots[slot].id != kNoNode) return slots[slot].id;
    if (size() == std::numeric_limits<NodeId>::max()) {
      throw InputError("more than 2147483647 distinct ids: node ids are 32-bit");
    }
    if (key.size() > std::numeric_limits<std::uint32_t>::max())
      throw InputError("an id is longer than 4 GiB");
    const auto id = static_cast<NodeId>(size());
    bytes.insert(bytes.end(), key.begin(), key.end());
    offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    slots[slot] = {hash, static_cast<std::uint32_t>(key.size()), id};
    if (static_cast<std::size_t>(size()) * 4 > slots.size() * 3) rehash(slots.size() * 2);
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
  std::uint64_t previous = 0;
  for (std::size_t next = 0; next < raws.size();) {
    const std::size_t mask = impl.slots.size() - 1;
    const std::size_t first = next;
    std::size_t count = 0;
    for (; next < raws.size() && count < kBatch; ++next) {
      const std::uint64_t hash = hash_of(raws[next]);
      const bool repeats = next > 0 && hash == previous &&
                           raws[next].size() == raws[next - 1].size() &&
                           (raws[next].size() <= kShort || raws[next] == raws[next - 1]);
      previous = hash;
      if (repeats) continue;
      places[count] = next;
      hashes[count] = hash;
      __builtin_prefetch(&impl.slots[hash & mask]);
      ++count;
    }
    // What a first probe that finds a long id will touch: where its bytes lie, then the bytes.
    std::array<NodeId, kBatch> likely{};
    for (std::size_t i = 0; i < count; ++i) {
      const Slot& slot = impl.slots[hashes[i] & mask];
      likely[i] = slot.length > kShort && slot.hash == hashes[i] ? slot.id : kNoNode;
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
  while (capacity * 3 < static_cast<std::size_t>(num_entries) * 4) capacity *= 2;
  if (capacity > impl_->slots.size()) impl_->rehash(capacity);
  impl_->offsets.reserve(static_cast<std::size_t>(num_entries) + 1);
}

}  // namespace penchant::graph
