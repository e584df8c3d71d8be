// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/staging.h"

#include <cstring>
#include <deque>

#include "kernels/cuda/copy_plan.h"

namespace penchant::kernels::cuda {

namespace {

constexpr std::size_t kSlots = 16;
/// A slot is filled by one core in about 0.1 ms, ten times what starting a copy costs.
constexpr std::int64_t kSlotBytes = std::int64_t{1} << 20;
/// Places within a slot begin at its multiples.
constexpr std::int64_t kPlaceBytes = 64;

std::size_t extent(std::int64_t bytes) { return static_cast<std::size_t>(bytes); }

/// A single row goes as one piece: a pitch may not exceed 2^31 bytes. Where both sides lie is read
/// from their addresses: tables too large for the device lie in pinned host memory.
void enqueue(void* to, std::int64_t to_stride, const void* from, std::int64_t from_stride,
             const CopyBlock& block, cudaStream_t stream) {
  if (block.rows == 1) {
    check(cudaMemcpyAsync(to, from, extent(block.bytes), cudaMemcpyDefault, stream));
  } else {
    check(cudaMemcpy2DAsync(to, extent(to_stride), from, extent(from_stride), extent(block.bytes),
                            extent(block.rows), cudaMemcpyDefault, stream));
  }
}

}  // namespace

Staging::Staging(cudaStream_t stream) : stream_(stream), slots_(kSlots) {}

Staging::~Staging() {
  // Pinned memory must not be freed under a copy.
  static_cast<void>(cudaStreamSynchronize(stream_));
}

Staging::Place Staging::take(std::int64_t bytes) {
  require_no_recording(stream_);
  const std::int64_t rounded = (bytes + kPlaceBytes - 1) / kPlaceBytes * kPlaceBytes;
  if (slots_[current_].used + rounded > kSlotBytes) {
    current_ = (current_ + 1) % slots_.size();
    if (slots_[current_].memory) check(cudaEventSynchronize(slots_[current_].done.get()));
    slots_[current_].used = 0;
  }
  Slot& slot = slots_[current_];
  if (!slot.memory) {
    slot.done = make_event();
    check(cudaMallocHost(slot.memory.receive(), extent(kSlotBytes)));
  }
  char* place = static_cast<char*>(slot.memory.get()) + slot.used;
  slot.used += rounded;
  return {&slot, place};
}

void Staging::to_device(ByteRows<const char> from, ByteRows<char> to, std::int64_t rows,
                        std::int64_t row_bytes) {
  for_each_copy_block(rows, row_bytes, kSlotBytes, [&](const CopyBlock& block) {
    const auto [slot, packed] = take(block.bytes * block.rows);
    for (std::int64_t row = 0; row < block.rows; ++row) {
      std::memcpy(packed + row * block.bytes,
                  from.data + (block.first_row + row) * from.stride + block.first_byte,
                  extent(block.bytes));
    }
    enqueue(to.data + block.first_row * to.stride + block.first_byte, to.stride, packed,
            block.bytes, block, stream_);
    check(cudaEventRecord(slot->done.get(), stream_));
  });
}

void Staging::to_host(ByteRows<const char> from, ByteRows<char> to, std::int64_t rows,
                      std::int64_t row_bytes) {
  struct Pending {
    Place place;
    CopyBlock block;
  };
  std::deque<Pending> pending;
  const auto unpack_first = [&] {
    const auto [place, block] = pending.front();
    const auto [slot, packed] = place;
    pending.pop_front();
    check(cudaEventSynchronize(slot->done.get()));
    for (std::int64_t row = 0; row < block.rows; ++row) {
      std::memcpy(to.data + (block.first_row + row) * to.stride + block.first_byte,
                  packed + row * block.bytes, extent(block.bytes));
    }
  };
  for_each_copy_block(rows, row_bytes, kSlotBytes, [&](const CopyBlock& block) {
    // The ring must not come round to a place that is still to be unpacked.
    if (pending.size() == kSlots - 1) unpack_first();
    const auto [slot, packed] = take(block.bytes * block.rows);
    enqueue(packed, block.bytes, from.data + block.first_row * from.stride + block.first_byte,
            from.stride, block, stream_);
    check(cudaEventRecord(slot->done.get(), stream_));
    pending.push_back({{slot, packed}, block});
  });
  while (!pending.empty()) unpack_first();
}

}  // namespace penchant::kernels::cuda
