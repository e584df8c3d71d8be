// SPDX-License-Identifier: Apache-2.0
// The SIMT emulation: runs a CUDA kernel on the CPU, block after block, each thread of a block a
// fiber that pauses at barriers and warp exchanges. What real hardware would leave undefined, or
// answer differently from run to run, is a Violation here:
//   - threads of a block at different barriers, or some that have left the kernel
//   - lanes named in the mask of a warp exchange that are elsewhere, have left, or do not exist;
//     a lane that is not in its own mask; a source lane outside the mask or the width
//   - shared memory: an index out of bounds, a read of what nothing wrote, two threads at one
//     element without a barrier between them, one of them writing (shared_memory.h)
//   - a launch beyond the limits of every GPU
// Global memory is ordinary memory: AddressSanitizer watches it, the same launch under both
// schedules must give the same bits, and the third schedule runs blocks apart (isolation.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/simt/fiber.h"

namespace penchant::simt {

inline constexpr unsigned kWarpSize = 32;

/// What a kernel did that no GPU defines.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// CUDA's dim3.
struct Extent {
  unsigned x, y, z;
  constexpr Extent(unsigned nx = 1, unsigned ny = 1, unsigned nz = 1)  // NOLINT: as CUDA's
      : x(nx), y(ny), z(nz) {}
  std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

/// Order in which blocks, warps and lanes run between barriers. isolated: each block from a snapshot
/// of memory(), then all ascending, then all descending, which must agree.
enum class Schedule { ascending, descending, isolated };

enum class WarpOp { sync, shuffle, shuffle_xor, shuffle_up, shuffle_down, ballot, any, all };

class DeviceMemory;
class Isolation;
class SharedRegion;

class Machine {
 public:
  explicit Machine(Schedule schedule);
  ~Machine();

  /// Runs the kernel for every thread of the grid; what stands behind `read_only` in the same
  /// allocation it must not store. Throws Violation.
  void run(const Extent& grid, const Extent& block, std::size_t shared_bytes,
           const std::function<void()>& kernel, const std::vector<const void*>& read_only = {});
  /// What Schedule::isolated snapshots; who allocates adds to it. Other memory it does not watch.
  const std::shared_ptr<DeviceMemory>& memory() const { return memory_; }

  /// Launches under Schedule::isolated, by how they were run.
  struct Launches {
    std::int64_t block_by_block = 0;
    std::int64_t in_groups = 0;  ///< of blocks, as all of them would compare too much memory
    std::int64_t plain = 0;      ///< too much memory even for that, or none
  };
  const Launches& launches() const { return launches_; }

  // --- called from inside a kernel
  /// The machine that runs the calling thread; Violation outside a kernel.
  static Machine& running();
  void block_barrier(const std::source_location& where);
  /// The exchange of a warp: every lane of `mask` gives `value` and `parameter` (source lane,
  /// distance or predicate) and gets its result.
  std::uint64_t warp_exchange(WarpOp op, unsigned mask, std::uint64_t value, int parameter,
                              int width, const std::source_location& where);
  /// The block's array declared at `key` (the address of something that each declaration has once);
  /// made by the first thread that comes by. Key null: the launch's dynamic shared memory.
  SharedRegion& shared_region(const void* key, const char* name, std::size_t element_bytes,
                              std::size_t count);

  /// An access that Schedule::isolated must know of.
  void note_atomic(const void* place, std::size_t bytes);
  void note_read_only(const void* place, std::size_t bytes);

  /// Position of the running thread in the order of barriers, for the race detector.
  struct Moment {
    std::int32_t thread;        ///< within the block
    std::uint32_t block_epoch;  ///< barriers of the block so far
    std::uint32_t warp_epoch;   ///< warp barriers of this lane so far
  };
  Moment now() const;

 private:
  enum class State { ready, at_barrier, at_warp_op, done };
  struct Thread;

  void run_blocks(std::uint64_t first, std::uint64_t last, bool descending);
  void run_isolated(std::uint64_t blocks, const std::vector<const void*>& read_only);
  void run_block();
  bool run_warp(std::size_t warp);
  void resume(std::size_t index);
  void pause(Thread& thread);
  void release_barrier();
  bool warp_complete(const Thread& thread) const;
  void finish_warp_op(const Thread& last);
  std::size_t source_lane(const Thread& thread) const;
  [[noreturn]] void report_deadlock() const;
  void abandon();
  std::string place(const Thread& thread) const;
  std::string call(const Thread& thread) const;
  static const char* name_of(WarpOp op);

  const Schedule schedule_;
  bool descending_ = false;  ///< the running pass
  std::shared_ptr<DeviceMemory> memory_;
  Isolation* isolation_ = nullptr;  ///< of the running launch
  Launches launches_;
  std::vector<std::unique_ptr<Thread>> threads_;  ///< as many as the largest block so far
  std::size_t num_threads_ = 0;                   ///< of the running block
  Thread* current_ = nullptr;
  std::vector<int> waiting_lanes_;  ///< of each warp, in a warp exchange
  const std::function<void()>* kernel_ = nullptr;
  std::vector<std::pair<const void*, std::unique_ptr<SharedRegion>>> regions_;
  std::size_t dynamic_shared_bytes_ = 0;
  std::size_t shared_bytes_ = 0;  ///< static and dynamic, of the running block
  std::uint32_t block_epoch_ = 0;
  bool abandoned_ = false;  ///< a thread violated: the others leave at their next resume
  std::string violation_;
};

}  // namespace penchant::simt
