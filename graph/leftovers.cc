// SPDX-License-Identifier: Apache-2.0
#include "graph/leftovers.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <string>

namespace penchant::graph {

namespace {

constexpr int kSlots = 64;
constexpr std::size_t kLongestName = 4096;

enum class Slot : int { free, taken, named };
std::array<std::atomic<Slot>, kSlots> slots{};
std::array<std::array<char, kLongestName>, kSlots> names;

static_assert(std::atomic<Slot>::is_always_lock_free);

}  // namespace

RemovedOnInterrupt::RemovedOnInterrupt(const std::filesystem::path& file) : slot_(-1) {
  const std::string& name = file.native();
  if (name.size() >= kLongestName) return;
  for (int slot = 0; slot < kSlots; ++slot) {
    const auto i = static_cast<std::size_t>(slot);
    Slot expected = Slot::free;
    if (!slots[i].compare_exchange_strong(expected, Slot::taken)) continue;
    std::memcpy(names[i].data(), name.c_str(), name.size() + 1);
    slots[i] = Slot::named;
    slot_ = slot;
    return;
  }
}

RemovedOnInterrupt::~RemovedOnInterrupt() {
  if (slot_ >= 0) slots[static_cast<std::size_t>(slot_)] = Slot::free;
}

void remove_registered_files() {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i] == Slot::named) unlink(names[i].data());
  }
}

}  // namespace penchant::graph
