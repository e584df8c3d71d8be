// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/shared_memory.h"

#include <algorithm>

namespace penchant::simt {

namespace {

std::int32_t warp_of(std::int32_t thread) { return thread / static_cast<int>(kWarpSize); }

}  // namespace

SharedRegion::SharedRegion(const char* name, std::size_t element_bytes, std::size_t count)
    : name_(name),
      element_bytes_(element_bytes),
      elements_(count),
      bytes_(new std::byte[element_bytes * count]) {
  std::memset(bytes_.get(), 0xFF, element_bytes * count);
}

/// True if a barrier stands between an access `before` and one `now`, or one thread made both.
bool SharedRegion::ordered(const Machine::Moment& before, const Machine::Moment& now) {
  if (before.thread == kNobody || before.thread == now.thread) return true;
  if (before.block_epoch < now.block_epoch) return true;
  return warp_of(before.thread) == warp_of(now.thread) && before.warp_epoch < now.warp_epoch;
}

bool SharedRegion::reads_ordered(const Element& element, const Machine::Moment& now) {
  const Machine::Moment& read = element.read;
  if (read.thread >= kNobody) return ordered(read, now);
  if (read.block_epoch < now.block_epoch) return true;
  return read.thread == kOneWarp && element.reader_warp == warp_of(now.thread) &&
         read.warp_epoch < now.warp_epoch;
}

void SharedRegion::note_read(Element& element, const Machine::Moment& now) {
  Machine::Moment& read = element.read;
  const bool first = read.thread == kNobody || read.block_epoch < now.block_epoch;
  if (first || read.thread == now.thread) {
    read = now;
    element.reader_warp = warp_of(now.thread);
    return;
  }
  const bool same_warp = read.thread != kSeveral && element.reader_warp == warp_of(now.thread);
  read.thread = same_warp ? kOneWarp : kSeveral;
  read.warp_epoch = std::max(read.warp_epoch, now.warp_epoch);
}

void* SharedRegion::touch(std::int64_t index, Access access) {
  const Machine::Moment now = Machine::running().now();
  if (index < 0 || index >= static_cast<std::int64_t>(count()))
    violate("index out of bounds (" + std::to_string(count()) + " elements)", index, now);
  const auto place = static_cast<std::size_t>(index);
  Element& element = elements_[place];
  if (access != Access::write && !element.written)
    violate("read of an element that nothing wrote", index, now);
  const bool both_atomic = access == Access::atomic && element.atomic;
  if (!both_atomic && !ordered(element.write, now))
    violate("race with the write of thread " + std::to_string(element.write.thread), index, now);
  if (access != Access::read && !reads_ordered(element, now))
    violate("write races with a read", index, now);
  if (access == Access::read) {
    note_read(element, now);
  } else {
    element.written = true;
    element.atomic = access == Access::atomic;
    element.write = now;
  }
  return bytes_.get() + place * element_bytes_;
}

void SharedRegion::violate(const std::string& what, std::int64_t index,
                           const Machine::Moment& now) const {
  throw Violation("shared memory " + name_ + "[" + std::to_string(index) + "], thread " +
                  std::to_string(now.thread) + ": " + what);
}

}  // namespace penchant::simt
