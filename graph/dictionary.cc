// SPDX-License-Identifier: Apache-2.0
// Numbers with a common prefix ("u17", "17") that leave few gaps are looked up in an array, by
// number. Other ids: open addressing with linear probing over 16-byte slots, 64 hash bits and the
// length of the raw id beside the dense id. Ids of up to 8 bytes are hashed by a bijection, so a
// probe never touches their bytes; those of longer ids (XXH3) only when all 64 bits agree. See
// docs/decisions/0004-dictionary-table.md.
#include "graph/dictionary.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "graph/error.h"
#include "graph/hash.h"

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

/// For short ids a bijection of the word.
[[gnu::always_inline]] inline std::uint64_t hash_of(std::string_view raw) {
  if (raw.size() > kShort) return XXH3_64bits(raw.data(), raw.size());
  return mix_bits(word_of(raw));
}

static_assert(std::endian::native == std::endian::little, "digits are read as words");

constexpr std::size_t kDigits = 8;  // most digits of a number
constexpr std::uint32_t kNoNumber = std::numeric_limits<std::uint32_t>::max();

/// The last kDigits bytes of an id of at least one, the last one in the highest byte.
[[gnu::always_inline]] inline std::uint64_t tail_of(const char* bytes, std::size_t size) {
  if (size >= 8) return load<std::uint64_t>(bytes + size - 8);
  if (size >= 4) {
    const std::uint32_t first = load<std::uint32_t>(bytes) << 8 * (8 - size) % 32;
    return (size == 4 ? 0 : first) | std::uint64_t{load<std::uint32_t>(bytes + size - 4)} << 32;
  }
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i)
    word = word >> 8 | std::uint64_t{static_cast<unsigned char>(bytes[i])} << 56;
  return word;
}

/// The number that follows a prefix, or kNoNumber: 1 to kDigits digits, the first one not 0 unless
/// it is the only one. Prefix and number determine the id.
[[gnu::always_inline]] inline std::uint32_t number_after(std::string_view prefix,
                                                         std::string_view raw) {
  const std::size_t num_digits = raw.size() - prefix.size();  // wraps where the id is shorter
  if (num_digits - 1 >= kDigits) return kNoNumber;
  if (prefix.size() == 1 ? raw[0] != prefix[0] : !raw.starts_with(prefix)) return kNoNumber;
  // One digit a byte, behind zeros; pairs, then fours, then all are put together in one word.
  const std::size_t unused = 8 * (kDigits - num_digits);
  std::uint64_t word = (tail_of(raw.data(), raw.size()) ^ 0x3030303030303030) >> unused << unused;
  if (((word | (word + 0x0606060606060606)) & 0xF0F0F0F0F0F0F0F0) != 0) return kNoNumber;
  if ((word >> unused & 0xFF) == 0 && num_digits > 1) return kNoNumber;
  word = (word * 10 + (word >> 8)) & 0x00FF00FF00FF00FF;
  word = (word * 100 + (word >> 16)) & 0x0000FFFF0000FFFF;
  return static_cast<std::uint32_t>(word * 10000 + (word >> 32));
}

/// What stands before the digits at the end of an id.
std::string_view prefix_of(std::string_view raw) {
  const std::size_t last = raw.find_last_not_of("0123456789");
  return raw.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

}  // namespace

struct Dictionary::Impl {
  std::vector<char> bytes;
  std::vector<std::int64_t> offsets = {0};
  std::vector<Slot> slots = std::vector<Slot>(16);
  std::size_t num_slots_used = 0;
  std::string prefix;             ///< of the first id
  std::vector<NodeId> by_number;  ///< ids behind the prefix below its size are here, not in slots

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

  std::uint32_t number_of(std::string_view key) const { return number_after(prefix, key); }

  /// Room for numbers up to `number`, if the array stays small beside the entries. Ids that are in
  /// slots so far move.
  void widen(std::uint32_t number) {
    constexpr std::uint64_t kAnyway = 1 << 14;
    constexpr std::uint64_t kNumbersPerEntry = 8;  // 32 bytes an entry, as in slots
    const std::uint64_t wanted = std::bit_ceil(std::uint64_t{number} + 1);
    if (wanted > std::max(kAnyway, kNumbersPerEntry * static_cast<std::uint64_t>(size() + 1)))
      return;
    by_number.resize(wanted, kNoNode);
    if (num_slots_used == 0) return;
    std::vector<Slot> old(slots.size());
    old.swap(slots);
    num_slots_used = 0;
    for (const Slot& entry : old) {
      if (entry.id == kNoNode) continue;
      const std::uint32_t known = number_of(raw(entry.id));
      if (known < by_number.size()) {
        by_number[known] = entry.id;
      } else {
        place(entry);
      }
    }
  }

  /// Puts an entry that is not there yet into slots.
  void place(const Slot& entry) {
    const std::size_t mask = slots.size() - 1;
    std::size_t slot = entry.hash & mask;
    while (slots[slot].id != kNoNode) slot = (slot + 1) & mask;
    slots[slot] = entry;
    ++num_slots_used;
  }

  void rehash(std::size_t capacity) {
    std::vector<Slot> old(capacity);
    old.swap(slots);
    num_slots_used = 0;
    for (const Slot& entry : old) {
      if (entry.id != kNoNode) place(entry);
    }
  }

  NodeId append(std::string_view key) {
    if (size() == std::numeric_limits<NodeId>::max()) {
      throw InputError("more than 2147483647 distinct ids: node ids are 32-bit");
    }
    if (key.size() > std::numeric_limits<std::uint32_t>::max())
      throw InputError("an id is longer than 4 GiB");
    bytes.insert(bytes.end(), key.begin(), key.end());
    offsets.push_back(static_cast<std::int64_t>(bytes.size()));
    return static_cast<NodeId>(size() - 1);
  }

  /// A key whose number, if it has one, is beyond by_number.
  NodeId intern_hashed(std::string_view key, std::uint64_t hash) {
    const std::size_t slot = locate(key, hash);
    if (slots[slot].id != kNoNode) return slots[slot].id;
    const NodeId id = append(key);
    slots[slot] = {hash, static_cast<std::uint32_t>(key.size()), id};
    if (++num_slots_used * 4 > slots.size() * 3) rehash(slots.size() * 2);
    return id;
  }

  NodeId intern_numbered(std::string_view key, std::uint32_t number) {
    NodeId& id = by_number[number];
    if (id == kNoNode) id = append(key);
    return id;
  }

  NodeId intern(std::string_view key) {
    if (size() == 0) prefix = prefix_of(key);
    const std::uint32_t number = number_of(key);
    if (number != kNoNumber && number >= by_number.size()) widen(number);
    return number < by_number.size() ? intern_numbered(key, number)
                                     : intern_hashed(key, hash_of(key));
  }
};

Dictionary::Dictionary() : impl_(std::make_unique<Impl>()) {}
Dictionary::~Dictionary() = default;
Dictionary::Dictionary(Dictionary&& other) noexcept = default;
Dictionary& Dictionary::operator=(Dictionary&& other) noexcept = default;

NodeId Dictionary::intern(std::string_view raw) { return impl_->intern(raw); }

void Dictionary::intern_all(std::span<const std::string_view> raws, std::span<NodeId> ids) {
  PENCHANT_ASSERT(raws.size() == ids.size());
  Impl& impl = *impl_;
  std::array<std::uint32_t, kBatch> numbers{};
  // Of the hashed look-ups in flight: places in the batch and hashes. A raw id that repeats the one
  // before it (a user's session) needs no look-up.
  std::array<std::size_t, kBatch> places{};
  std::array<std::uint64_t, kBatch> hashes{};
  for (std::size_t first = 0; first < raws.size(); first += kBatch) {
    const std::size_t size = std::min(kBatch, raws.size() - first);
    if (impl.size() == 0) impl.prefix = prefix_of(raws[0]);
    std::uint32_t highest = 0;  // number
    for (std::size_t i = 0; i < size; ++i) {
      numbers[i] = impl.number_of(raws[first + i]);
      if (numbers[i] < impl.by_number.size()) {
        __builtin_prefetch(&impl.by_number[numbers[i]]);
      } else if (numbers[i] != kNoNumber) {
        highest = std::max(highest, numbers[i]);
      }
    }
    if (highest >= impl.by_number.size()) impl.widen(highest);
    const std::size_t mask = impl.slots.size() - 1;
    std::size_t count = 0;
    std::uint64_t previous = 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (numbers[i] < impl.by_number.size()) continue;
      const std::string_view raw = raws[first + i];
      const std::uint64_t hash = hash_of(raw);
      const bool repeats = i > 0 && numbers[i - 1] >= impl.by_number.size() && hash == previous &&
                           raw.size() == raws[first + i - 1].size() &&
                           (raw.size() <= kShort || raw == raws[first + i - 1]);
      previous = hash;
      if (repeats) continue;
      places[count] = i;
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
    std::size_t found = 0;
    for (std::size_t i = 0; i < size; ++i) {
      NodeId& id = ids[first + i];
      if (numbers[i] < impl.by_number.size()) {
        id = impl.intern_numbered(raws[first + i], numbers[i]);
      } else if (found < count && places[found] == i) {
        id = impl.intern_hashed(raws[first + i], hashes[found++]);
      } else {
        id = ids[first + i - 1];
      }
    }
  }
}

NodeId Dictionary::find(std::string_view raw) const {
  const std::uint32_t number = impl_->number_of(raw);
  if (number < impl_->by_number.size()) return impl_->by_number[number];
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
