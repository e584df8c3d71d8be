// SPDX-License-Identifier: Apache-2.0
// The stand-in for a GPU: what the stand-ins of NVIDIA's libraries (runtime.cc, products.cc, ...)
// share. Work is queued and runs at a synchronisation, in an order that CUDA allows and that is the
// least convenient:
//   Order::lazy   only what the synchronisation needs; the rest stays queued, and reads its
//                 operands when something needs it
//   Order::eager  every other stream runs first, as far as its waits let it
// Copies from host memory read it then. Device memory is a range of addresses that the host cannot
// touch (guard_host); a block exists from when its allocation has run in its stream until its release has, holds
// NaN at first, and no address is given twice. AddressSanitizer sees its exact extent.
// What a GPU would answer with a fault, with wrong numbers or only sometimes with right ones is a
// Violation; what CUDA refuses has CUDA's status. There is one world a process, as there is one
// driver. Not thread-safe: the backends under test have one thread each, one after another.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/simt/machine.h"

namespace penchant::fake_cuda {

class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Order { lazy, eager };

/// `rows` runs of `bytes`, `pitch` bytes apart.
struct Span {
  const void* data = nullptr;
  std::size_t bytes = 0;
  std::size_t rows = 1;
  std::size_t pitch = 0;
};

/// count elements.
template <typename T>
Span span(const T* data, std::int64_t count) {
  return {data, static_cast<std::size_t>(count) * sizeof(T)};
}

struct StreamState;

/// A point in a stream: behind its first `number` operations.
struct Mark {
  std::shared_ptr<StreamState> stream;
  std::uint64_t number = 0;
};

struct Operation {
  std::string name;
  std::function<void()> run;   ///< may be called again: by a graph
  std::vector<Span> operands;  ///< must lie in live memory when it runs
  std::vector<Span> host;      ///< host memory, paged or pinned, that it uses
  bool waits = false;
  Mark mark;  ///< that it waits for
};

struct StreamState {
  bool blocking = true;
  bool descending = false;  ///< order of the threads of its kernels
  std::deque<Operation> queue;
  std::uint64_t enqueued = 0;
  std::uint64_t done = 0;
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  std::vector<Operation> recorded;
};
using Stream = std::shared_ptr<StreamState>;

class World {
 public:
  static World& get();

  // --- for tests
  Order order = Order::lazy;
  /// The host cannot touch device memory while nothing runs. Two calls of the kernel a
  /// synchronisation: slow in a sandbox, hence off by default.
  void guard_host(bool wanted);
  std::size_t device_bytes = std::size_t{8} << 30;  ///< of the device
  std::size_t pinned_bytes = std::size_t{8} << 30;  ///< that the host can pin
  /// What the functions of module.cu find.
  int driver_version = CUDART_VERSION;
  cudaError_t device_status = cudaSuccess;
  int device_count = 1;
  cudaError_t code_status = cudaSuccess;
  /// The call after `skipped` more of this function answers with `status`.
  void fail(const std::string& function, int status, int skipped = 0);
  std::int64_t calls(const std::string& function) const;
  /// Everything queued, in every stream.
  void run_all();

  // --- for the stand-ins
  /// Counts the call; a status other than 0 is its answer.
  int answer(const char* function);
  Stream make_stream(bool blocking);
  void drop_stream(const Stream& stream);
  /// Null and cudaStreamLegacy are the legacy default stream.
  Stream& stream_of(cudaStream_t stream);
  bool is_legacy(const Stream& stream) const { return stream == legacy_; }
  /// At once into the stream's queue, or into what it records. cudaErrorStreamCaptureImplicit where
  /// the legacy stream may not be used, which spoils the recordings.
  cudaError_t enqueue(const Stream& stream, Operation operation);
  cudaError_t enqueue_kernel(cudaStream_t stream, const std::string& name, const simt::Extent& grid,
                             const simt::Extent& block, std::size_t shared_bytes,
                             std::function<void()> kernel);
  Mark mark(const Stream& stream) const { return {stream, stream->enqueued}; }
  void run_until(const Mark& mark);
  /// What may not be done while this thread records: spoils the recording and says so.
  bool refused_by_recording();
  void spoil_recordings();
  bool legacy_forbidden() const;

  // --- memory
  enum class Place { device, pinned, paged };
  Place place_of(const void* data) const;
  cudaError_t allocate(void** data, std::size_t bytes, bool pooled, const Stream* stream);
  cudaError_t release(void* data, const Stream* stream);
  cudaError_t pin(void** data, std::size_t bytes);
  cudaError_t unpin(void* data);
  std::size_t free_bytes() const;
  void trim_pool() { pool_reserved_ = pool_used_; }
  std::size_t pool_reserved() const { return pool_reserved_; }
  std::size_t pool_used() const { return pool_used_; }
  /// Violation unless all of it lies in one block that exists now, or in pinned memory.
  void require_live(const std::string& what, const Span& operand) const;
  /// True if something queued uses this host memory.
  bool pending(const void* data, std::size_t bytes) const;

 private:
  World();
  struct Block {
    std::size_t bytes = 0;
    bool pooled = false;
    bool live = false;
    bool released = false;
  };
  void execute(Operation operation);
  void advance(StreamState& stream);
  void run_others(const StreamState& stream);
  void make_live(std::uintptr_t address);
  void end_block(std::uintptr_t address);
  void protect(bool accessible);

  std::map<std::string, std::int64_t> calls_;
  struct Failure {
    std::string function;
    int status;
    int skipped;
  };
  std::vector<Failure> failures_;
  std::vector<Stream> streams_;
  Stream legacy_;
  bool next_descending_ = false;
  int depth_ = 0;  ///< of operations that run
  bool guards_host_ = false;
  simt::Machine ascending_{simt::Schedule::ascending};
  simt::Machine descending_{simt::Schedule::descending};

  std::uintptr_t arena_ = 0;
  std::uintptr_t next_ = 0;  ///< first address that was never given
  std::map<std::uintptr_t, Block> blocks_;
  std::map<std::uintptr_t, std::size_t> pinned_;
  std::size_t pinned_now_ = 0;
  std::size_t plain_bytes_ = 0;
  std::size_t pool_used_ = 0;
  std::size_t pool_reserved_ = 0;
};

}  // namespace penchant::fake_cuda

/// CUDA's handles.
struct CUstream_st {
  penchant::fake_cuda::Stream state;
};

/// Counts a call, and answers as a test asked.
#define PENCHANT_FAKE_ANSWER(Status)                                                      \
  if (const int answer = penchant::fake_cuda::World::get().answer(__func__); answer != 0) \
  return static_cast<Status>(answer)
