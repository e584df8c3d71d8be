// SPDX-License-Identifier: Apache-2.0
#include "tests/fake_cuda/world.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes)
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes)
#endif

namespace penchant::fake_cuda {

namespace {

constexpr std::size_t kArenaBytes = std::size_t{1} << 40;
constexpr std::size_t kAlignment = 512;
/// What is poisoned of large memory, whose last part is that of a product's workspace.
constexpr std::size_t kPoisonedBytes = std::size_t{1} << 18;
constexpr std::size_t kPage = 4096;

std::uintptr_t address_of(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }
char* pointer(std::uintptr_t address) { return reinterpret_cast<char*>(address); }
std::size_t rounded(std::size_t bytes, std::size_t step) {
  return (bytes + step - 1) / step * step;
}

bool overlap(const void* a, std::size_t a_bytes, const void* b, std::size_t b_bytes) {
  return address_of(a) < address_of(b) + b_bytes && address_of(b) < address_of(a) + a_bytes;
}

std::size_t extent(const Span& s) { return s.rows == 0 ? 0 : (s.rows - 1) * s.pitch + s.bytes; }

}  // namespace

World& World::get() {
  static World* world = new World;  // outlives every owner of memory
  return *world;
}

World::World() : legacy_(std::make_shared<StreamState>()) {
  void* arena = mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (arena == MAP_FAILED) throw std::bad_alloc();
  arena_ = next_ = address_of(arena);
  const auto number = [](const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : static_cast<std::size_t>(std::strtoull(text, nullptr, 10));
  };
  device_bytes = number("PENCHANT_FAKE_CUDA_BYTES", device_bytes);
  const char* wanted = std::getenv("PENCHANT_FAKE_CUDA_ORDER");
  if (wanted != nullptr && std::string(wanted) == "eager") order = Order::eager;
}

void World::fail(const std::string& function, int status, int skipped) {
  failures_.push_back({function, status, skipped});
}

std::int64_t World::calls(const std::string& function) const {
  const auto found = calls_.find(function);
  return found == calls_.end() ? 0 : found->second;
}

int World::answer(const char* function) {
  ++calls_[function];
  for (auto failure = failures_.begin(); failure != failures_.end(); ++failure) {
    if (failure->function != function || failure->skipped-- > 0) continue;
    const int status = failure->status;
    failures_.erase(failure);
    return status;
  }
  return 0;
}

// --- streams

Stream World::make_stream(bool blocking) {
  auto stream = std::make_shared<StreamState>();
  stream->blocking = blocking;
  stream->descending = std::exchange(next_descending_, !next_descending_);
  streams_.push_back(stream);
  return stream;
}

void World::drop_stream(const Stream& stream) {
  run_until(mark(stream));
  streams_.erase(std::find(streams_.begin(), streams_.end(), stream));
}

Stream& World::stream_of(cudaStream_t stream) {
  return stream == nullptr || stream == cudaStreamLegacy ? legacy_ : stream->state;
}

bool World::legacy_forbidden() const {
  return std::any_of(streams_.begin(), streams_.end(), [](const Stream& stream) {
    return stream->blocking && stream->capture != cudaStreamCaptureStatusNone;
  });
}

void World::spoil_recordings() {
  for (const Stream& stream : streams_) {
    if (stream->capture != cudaStreamCaptureStatusNone)
      stream->capture = cudaStreamCaptureStatusInvalidated;
  }
}

bool World::refused_by_recording() {
  const bool records = std::any_of(streams_.begin(), streams_.end(), [](const Stream& stream) {
    return stream->capture != cudaStreamCaptureStatusNone;
  });
  if (records) spoil_recordings();
  return records;
}

cudaError_t World::enqueue(const Stream& stream, Operation operation) {
  if (stream == legacy_ && legacy_forbidden()) {
    spoil_recordings();
    return cudaErrorStreamCaptureImplicit;
  }
  if (stream->capture == cudaStreamCaptureStatusInvalidated)
    return cudaErrorStreamCaptureInvalidated;
  if (stream->capture == cudaStreamCaptureStatusActive) {
    stream->recorded.push_back(std::move(operation));
    return cudaSuccess;
  }
  // The legacy stream's work waits for that of the blocking streams, and they for it.
  const auto wait_for = [&](const Stream& other) {
    if (other->enqueued == other->done) return;
    Operation wait;
    wait.name = "wait for a stream";
    wait.waits = true;
    wait.mark = mark(other);
    stream->queue.push_back(std::move(wait));
    ++stream->enqueued;
  };
  if (stream == legacy_) {
    for (const Stream& other : streams_) {
      if (other->blocking) wait_for(other);
    }
  } else if (stream->blocking) {
    wait_for(legacy_);
  }
  stream->queue.push_back(std::move(operation));
  ++stream->enqueued;
  return cudaSuccess;
}

cudaError_t World::enqueue_kernel(cudaStream_t stream, const std::string& name,
                                  const simt::Extent& grid, const simt::Extent& block,
                                  std::size_t shared_bytes, std::function<void()> kernel) {
  const Stream& on = stream_of(stream);
  simt::Machine& machine = on->descending ? descending_ : ascending_;
  Operation operation;
  operation.name = name;
  operation.run = [&machine, grid, block, shared_bytes, kernel = std::move(kernel)] {
    machine.run(grid, block, shared_bytes, kernel);
  };
  return enqueue(on, std::move(operation));
}

void World::execute(Operation operation) {
  for (const Span& operand : operation.operands) require_live(operation.name, operand);
  if (!operation.run) return;
  if (depth_++ == 0) protect(true);
  try {
    operation.run();
  } catch (...) {
    if (--depth_ == 0) protect(false);
    throw;
  }
  if (--depth_ == 0) protect(false);
}

/// One operation, or one wait of which nothing is left.
void World::advance(StreamState& stream) {
  Operation operation = std::move(stream.queue.front());
  stream.queue.pop_front();
  ++stream.done;
  if (!operation.waits) execute(std::move(operation));
}

void World::run_others(const StreamState& stream) {
  for (auto other = streams_.rbegin(); other != streams_.rend(); ++other) {
    StreamState& first = **other;
    while (&first != &stream && !first.queue.empty()) {
      const Operation& next = first.queue.front();
      if (next.waits && next.mark.stream->done < next.mark.number) break;
      advance(first);
    }
  }
}

void World::run_until(const Mark& target) {
  StreamState& stream = *target.stream;
  if (order == Order::eager && stream.done < target.number) run_others(stream);
  while (stream.done < target.number) {
    const Operation& next = stream.queue.front();
    // The wait stays in front meanwhile: nothing behind it may run.
    if (next.waits && next.mark.stream->done < next.mark.number)
      run_until(Mark(next.mark));
    else
      advance(stream);
  }
}

void World::run_all() {
  const std::vector<Stream> streams = streams_;
  for (const Stream& stream : streams) run_until(mark(stream));
  run_until(mark(legacy_));
}

// --- memory

void World::guard_host(bool wanted) {
  guards_host_ = true;
  protect(!wanted);
  guards_host_ = wanted;
}

void World::protect(bool accessible) {
  if (!guards_host_) return;
  const std::size_t bytes = rounded(next_ - arena_, kPage);
  if (bytes > 0 &&
      mprotect(pointer(arena_), bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
    throw Violation("the stand-in could not protect device memory");
}

World::Place World::place_of(const void* data) const {
  const std::uintptr_t address = address_of(data);
  if (address >= arena_ && address < arena_ + kArenaBytes) return Place::device;
  const auto above = pinned_.upper_bound(address);
  if (above == pinned_.begin()) return Place::paged;
  const auto& [first, bytes] = *std::prev(above);
  return address < first + bytes ? Place::pinned : Place::paged;
}

std::size_t World::free_bytes() const {
  const std::size_t taken = plain_bytes_ + pool_reserved_;
  return device_bytes - std::min(device_bytes, taken);
}

cudaError_t World::allocate(void** data, std::size_t bytes, bool pooled, const Stream* stream) {
  *data = nullptr;
  if (bytes == 0) return cudaErrorInvalidValue;
  const std::size_t kept = pooled ? pool_reserved_ - pool_used_ : 0;
  if (bytes > kept && bytes - kept > free_bytes()) return cudaErrorMemoryAllocation;
  const std::uintptr_t address = next_;
  // A gap that belongs to nobody follows every block.
  next_ += rounded(bytes + 1, kAlignment);
  if (next_ > arena_ + kArenaBytes) throw Violation("the stand-in has no addresses left");
  blocks_[address] = {bytes, pooled, false, false};
  if (pooled) {
    pool_used_ += bytes;
    pool_reserved_ = std::max(pool_reserved_, pool_used_);
  } else {
    plain_bytes_ += bytes;
  }
  *data = pointer(address);
  if (stream == nullptr) {
    Operation now;
    now.run = [this, address] { make_live(address); };
    execute(std::move(now));
    return cudaSuccess;
  }
  Operation later;
  later.name = "cudaMallocAsync";
  later.run = [this, address] { make_live(address); };
  return enqueue(*stream, std::move(later));
}

void World::make_live(std::uintptr_t address) {
  const auto found = blocks_.find(address);
  if (found == blocks_.end())
    throw Violation("device memory was given back before its allocation has run");
  Block& block = found->second;
  block.live = true;
  ASAN_POISON_MEMORY_REGION(pointer(address), rounded(block.bytes + 1, kAlignment));
  ASAN_UNPOISON_MEMORY_REGION(pointer(address), block.bytes);
  std::memset(pointer(address), 0xFF, std::min(block.bytes, kPoisonedBytes));  // NaN
}

cudaError_t World::release(void* data, const Stream* stream) {
  const std::uintptr_t address = address_of(data);
  const auto found = blocks_.find(address);
  if (found == blocks_.end() || found->second.released) return cudaErrorInvalidValue;
  // That work on the legacy stream waits for that of others is said of kernels and copies; of
  // releases it has been seen that they did not (JuliaGPU/CUDA.jl issue 780).
  if (stream == nullptr || *stream == legacy_) {
    if (stream != nullptr && legacy_forbidden()) {
      spoil_recordings();
      return cudaErrorStreamCaptureImplicit;
    }
    found->second.released = true;
    Operation now;
    now.run = [this, address] { end_block(address); };
    execute(std::move(now));
    return cudaSuccess;
  }
  Operation later;
  later.name = "cudaFreeAsync";
  later.operands = {{data, 1}};
  later.run = [this, address] { end_block(address); };
  const cudaError_t status = enqueue(*stream, std::move(later));
  if (status == cudaSuccess) found->second.released = true;
  return status;
}

void World::end_block(std::uintptr_t address) {
  const auto found = blocks_.find(address);
  const Block block = found->second;
  blocks_.erase(found);
  (block.pooled ? pool_used_ : plain_bytes_) -= block.bytes;
  std::memset(pointer(address), 0xFF, std::min(block.bytes, kPoisonedBytes));
  ASAN_POISON_MEMORY_REGION(pointer(address), rounded(block.bytes + 1, kAlignment));
  const std::uintptr_t first = rounded(address, kPage);
  const std::uintptr_t last = (address + block.bytes) / kPage * kPage;
  if (last > first + kPoisonedBytes) madvise(pointer(first), last - first, MADV_DONTNEED);
}

void World::require_live(const std::string& what, const Span& operand) const {
  const std::size_t bytes = extent(operand);
  if (bytes == 0) return;
  const std::uintptr_t address = address_of(operand.data);
  const auto fail = [&](const std::string& problem) {
    throw Violation(what + ": " + std::to_string(bytes) + " bytes " + problem);
  };
  const Place place = place_of(operand.data);
  if (place == Place::paged) fail("in memory that the device does not reach");
  if (place == Place::pinned) {
    const auto& [first, size] = *std::prev(pinned_.upper_bound(address));
    if (address + bytes > first + size) fail("go beyond pinned memory");
    return;
  }
  const auto above = blocks_.upper_bound(address);
  if (above == blocks_.begin()) fail("in device memory that is not allocated");
  const auto& [first, block] = *std::prev(above);
  if (!block.live) fail("in device memory whose allocation has not run yet");
  if (address + bytes > first + block.bytes)
    fail("in device memory that has been given back, or beyond its end");
}

cudaError_t World::pin(void** data, std::size_t bytes) {
  *data = nullptr;
  if (bytes > pinned_bytes - std::min(pinned_bytes, pinned_now_)) return cudaErrorMemoryAllocation;
  void* memory = std::aligned_alloc(kPage, rounded(std::max<std::size_t>(bytes, 1), kPage));
  if (memory == nullptr) return cudaErrorMemoryAllocation;
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(memory) + bytes,
                            rounded(std::max<std::size_t>(bytes, 1), kPage) - bytes);
  pinned_[address_of(memory)] = bytes;
  pinned_now_ += bytes;
  *data = memory;
  return cudaSuccess;
}

cudaError_t World::unpin(void* data) {
  const auto found = pinned_.find(address_of(data));
  if (found == pinned_.end()) return cudaErrorInvalidValue;
  if (pending(data, found->second)) throw Violation("cudaFreeHost of memory that queued work uses");
  ASAN_UNPOISON_MEMORY_REGION(data, rounded(std::max<std::size_t>(found->second, 1), kPage));
  pinned_now_ -= found->second;
  pinned_.erase(found);
  std::free(data);
  return cudaSuccess;
}

bool World::pending(const void* data, std::size_t bytes) const {
  for (const Stream& stream : streams_) {
    for (const Operation& operation : stream->queue) {
      for (const Span& host : operation.host) {
        if (overlap(host.data, extent(host), data, bytes)) return true;
      }
    }
  }
  return false;
}

}  // namespace penchant::fake_cuda
