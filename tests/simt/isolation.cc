// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/isolation.h"

#include <algorithm>
#include <cstring>

#include "tests/simt/machine.h"

namespace penchant::simt {

namespace {

/// Bytes that the groups of one launch may compare together: some ten milliseconds. Two groups are
/// the least that tells anything, so half of it is the most memory that is watched.
constexpr std::uint64_t kBudget = std::uint64_t{64} << 20;
constexpr std::uint64_t kMostGroups = 4096;

/// Calls visit(k) for every byte in which a and b differ, ascending.
template <typename Visit>
void for_each_difference(const std::byte* a, const std::byte* b, std::size_t bytes, Visit visit) {
  constexpr std::size_t kStep = 256;
  for (std::size_t first = 0; first < bytes; first += kStep) {
    const std::size_t count = std::min(kStep, bytes - first);
    if (std::memcmp(a + first, b + first, count) == 0) continue;
    for (std::size_t k = first; k < first + count; ++k) {
      if (a[k] != b[k]) visit(k);
    }
  }
}

}  // namespace

Isolation::Isolation(const DeviceMemory& memory, std::uint64_t blocks) : blocks_(blocks) {
  std::size_t size = 0;
  for (const auto& [data, bytes] : memory.regions()) {
    regions_.push_back({data, bytes, size});
    size += bytes;
  }
  if (size == 0 || size > kBudget / 2) return;
  groups_ = std::min({blocks, kMostGroups, kBudget / size});
  before_.resize(size);
  for (const Region& region : regions_)
    std::memcpy(before_.data() + region.offset, region.data, region.bytes);
  together_ = before_;
  barrier_ = before_;
  warps_.resize(size);
  writers_.resize(size);
  flags_.resize(size);
}

const Isolation::Region* Isolation::find(const void* place, std::size_t bytes) const {
  const auto* first = static_cast<const std::byte*>(place);
  const auto behind =
      std::upper_bound(regions_.begin(), regions_.end(), first,
                       [](const std::byte* at, const Region& region) { return at < region.data; });
  if (behind == regions_.begin()) return nullptr;
  const Region& region = *(behind - 1);
  return first + bytes > region.data + region.bytes ? nullptr : &region;
}

void Isolation::mark(const void* place, std::size_t bytes, std::uint8_t flag) {
  const Region* region = find(place, bytes);
  if (region == nullptr) return;
  std::uint8_t* flags =
      flags_.data() + region->offset + (static_cast<const std::byte*>(place) - region->data);
  for (std::size_t k = 0; k < bytes; ++k) flags[k] = static_cast<std::uint8_t>(flags[k] | flag);
}

void Isolation::end_warp(std::uint64_t warp) {
  if (!by_warps_) return;
  compared_ += before_.size();
  const auto self = static_cast<std::uint16_t>(warp + 1);
  for (const Region& region : regions_) {
    const std::byte* before = barrier_.data() + region.offset;
    for_each_difference(region.data, before, region.bytes, [&](std::size_t k) {
      const std::size_t at = region.offset + k;
      if ((flags_[at] & kAtomic) != 0) return;
      if (warps_[at] != 0 && warps_[at] != self)
        throw Violation("global memory " + place_of(region, k) + " is changed by warp " +
                        std::to_string(warps_[at] - 1) + " and by warp " + std::to_string(warp) +
                        " without a barrier between: one of the stores is lost");
      warps_[at] = self;
      stores_.push_back({region.data + k, at, region.data[k]});
      region.data[k] = before[k];
    });
  }
}

void Isolation::end_interval() {
  for (const Store& store : stores_) {
    *store.place = store.value;
    barrier_[store.at] = store.value;
    warps_[store.at] = 0;
  }
  stores_.clear();
  by_warps_ = compared_ <= kBudget;
}

void Isolation::end_group(std::uint64_t group) {
  const auto self = static_cast<std::uint16_t>(group + 1);
  for (const Region& region : regions_) {
    std::byte* before = before_.data() + region.offset;
    for_each_difference(region.data, before, region.bytes, [&](std::size_t k) {
      const std::size_t at = region.offset + k;
      const bool atomic = (flags_[at] & kAtomic) != 0;
      if (writers_[at] != 0 && writers_[at] != self)
        throw Violation("global memory " + place_of(region, k) + " is changed by " +
                        group_name(writers_[at] - 1U) + " and by " + group_name(group) +
                        ": one of the stores is lost");
      if (atomic) return;
      writers_[at] = self;
      together_[at] = region.data[k];
      region.data[k] = before[k];
      barrier_[at] = before[k];
    });
  }
}

void Isolation::check_read_only(const std::vector<const void*>& pointers) const {
  for (const Region& region : regions_) {
    for (std::size_t k = 0; k < region.bytes; ++k) {
      const std::size_t at = region.offset + k;
      if ((flags_[at] & kReadOnly) != 0 && stored(at))
        throw Violation("global memory " + place_of(region, k) +
                        " is read by __ldg and stored by the same launch");
    }
  }
  for (const void* pointer : pointers) {
    const Region* region = find(pointer, 1);
    if (region == nullptr) continue;
    const auto first =
        static_cast<std::size_t>(static_cast<const std::byte*>(pointer) - region->data);
    for (std::size_t k = first; k < region->bytes; ++k) {
      if (stored(region->offset + k))
        throw Violation("global memory " + place_of(*region, k) +
                        " is stored by a launch that has it as a const __restrict__ parameter");
    }
  }
}

void Isolation::restore() const {
  for (const Region& region : regions_)
    std::memcpy(region.data, before_.data() + region.offset, region.bytes);
}

void Isolation::compare(const char* order) const {
  for (const Region& region : regions_) {
    for_each_difference(
        region.data, together_.data() + region.offset, region.bytes, [&](std::size_t k) {
          const std::size_t at = region.offset + k;
          if ((flags_[at] & kAtomic) != 0) return;
          throw Violation("global memory " + place_of(region, k) + ", stored by " +
                          (writers_[at] == 0 ? "no block" : group_name(writers_[at] - 1U)) +
                          " alone, is another number when blocks run in " + order +
                          " order: a block reads what another stores, or threads race");
        });
  }
}

std::string Isolation::place_of(const Region& region, std::size_t byte) const {
  return "byte " + std::to_string(byte) + " of an allocation of " + std::to_string(region.bytes);
}

std::string Isolation::group_name(std::uint64_t group) const {
  const std::uint64_t first = first_block(group);
  const std::uint64_t last = first_block(group + 1) - 1;
  return first == last ? "block " + std::to_string(first)
                       : "blocks " + std::to_string(first) + " to " + std::to_string(last);
}

}  // namespace penchant::simt
