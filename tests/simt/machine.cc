// SPDX-License-Identifier: Apache-2.0
#include "tests/simt/machine.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "tests/simt/device_memory.h"
#include "tests/simt/isolation.h"
#include "tests/simt/language.h"
#include "tests/simt/shared_memory.h"

namespace penchant::simt {

namespace {

constexpr std::size_t kLargestBlock = 1024;
constexpr std::size_t kLargestShared = std::size_t{48} << 10;

/// Thrown in paused threads of a block that another thread's violation ended.
struct Abandoned {};

Machine*& running_machine() {
  static thread_local Machine* machine = nullptr;
  return machine;
}

std::string text_of(const std::source_location& where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

bool same(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::string_view(a.file_name()) == b.file_name());
}

Index index_in(const Extent& extent, std::uint64_t place) {
  return {static_cast<unsigned>(place % extent.x),
          static_cast<unsigned>(place / extent.x % extent.y),
          static_cast<unsigned>(place / extent.x / extent.y)};
}

void check_shape(const Extent& grid, const Extent& block, std::size_t shared_bytes) {
  if (grid.count() == 0 || block.count() == 0) throw Violation("launch of an empty grid or block");
  if (block.count() > kLargestBlock || block.z > 64)
    throw Violation("block of " + std::to_string(block.count()) + " threads");
  if (grid.x > 0x7FFFFFFFU || grid.y > 65535 || grid.z > 65535)
    throw Violation("grid of " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                    std::to_string(grid.z) + " blocks");
  if (shared_bytes > kLargestShared)
    throw Violation(std::to_string(shared_bytes) + " bytes of dynamic shared memory");
}

}  // namespace

struct Machine::Thread {
  std::size_t index = 0;  ///< in the block
  State state = State::done;
  std::uint32_t warp_epoch = 0;
  // What it waits for, at_barrier or at_warp_op.
  std::source_location where;
  WarpOp op = WarpOp::sync;
  unsigned mask = 0;
  std::uint64_t value = 0;
  int parameter = 0;
  int width = 0;
  std::uint64_t result = 0;
  std::unique_ptr<Fiber> fiber;

  std::size_t warp() const { return index / kWarpSize; }
  std::size_t lane() const { return index % kWarpSize; }
};

Machine::Machine(Schedule schedule)
    : schedule_(schedule), memory_(std::make_shared<DeviceMemory>()) {}
Machine::~Machine() = default;

Machine& Machine::running() {
  Machine* machine = running_machine();
  if (machine == nullptr) throw Violation("device code called outside a kernel");
  return *machine;
}

Machine::Moment Machine::now() const {
  return {static_cast<std::int32_t>(current_->index), block_epoch_, current_->warp_epoch};
}

void Machine::run(const Extent& grid, const Extent& block, std::size_t shared_bytes,
                  const std::function<void()>& kernel, const std::vector<const void*>& read_only) {
  check_shape(grid, block, shared_bytes);
  while (threads_.size() < block.count()) {
    auto thread = std::make_unique<Thread>();
    Thread* self = thread.get();
    self->index = threads_.size();
    self->fiber = std::make_unique<Fiber>([this, self] {
      try {
        if (!abandoned_) (*kernel_)();
      } catch (const Abandoned&) {
      } catch (const Violation& violation) {
        abandoned_ = true;
        violation_ = violation.what();
      }
      self->state = State::done;
    });
    threads_.push_back(std::move(thread));
  }
  num_threads_ = block.count();
  kernel_ = &kernel;
  dynamic_shared_bytes_ = shared_bytes;
  gridDim = grid;
  blockDim = block;
  Machine* const outer = std::exchange(running_machine(), this);
  try {
    if (schedule_ == Schedule::isolated)
      run_isolated(grid.count(), read_only);
    else
      run_blocks(0, grid.count(), schedule_ == Schedule::descending);
  } catch (const Violation& violation) {
    const Index failed = blockIdx;
    violation_ = violation.what();
    abandon();
    isolation_ = nullptr;
    running_machine() = outer;
    throw Violation("block (" + std::to_string(failed.x) + ", " + std::to_string(failed.y) + ", " +
                    std::to_string(failed.z) + "): " + violation_);
  }
  running_machine() = outer;
}

/// Lets every paused thread leave the kernel, so that the fibers can be used again.
void Machine::abandon() {
  abandoned_ = true;
  const std::string first = violation_;
  for (std::size_t i = 0; i < num_threads_; ++i) {
    Thread& thread = *threads_[i];
    if (thread.state == State::done) continue;
    current_ = &thread;
    thread.fiber->resume();
  }
  violation_ = first;
  abandoned_ = false;
  current_ = nullptr;
  regions_.clear();
}

void Machine::run_blocks(std::uint64_t first, std::uint64_t last, bool descending) {
  descending_ = descending;
  for (std::uint64_t k = first; k < last; ++k) {
    blockIdx = index_in(gridDim, descending ? last - 1 - (k - first) : k);
    run_block();
  }
}

void Machine::run_isolated(std::uint64_t blocks, const std::vector<const void*>& read_only) {
  Isolation isolation(*memory_, blocks);
  const std::uint64_t groups = isolation.num_groups();
  if (groups == 0) {
    ++launches_.plain;
    run_blocks(0, blocks, false);
    return;
  }
  ++(groups == blocks ? launches_.block_by_block : launches_.in_groups);
  isolation_ = &isolation;
  for (std::uint64_t group = 0; group < groups; ++group) {
    run_blocks(isolation.first_block(group), isolation.first_block(group + 1), false);
    isolation.end_group(group);
  }
  isolation_ = nullptr;
  isolation.check_read_only(read_only);
  isolation.restore();
  run_blocks(0, blocks, true);
  isolation.compare("descending");
  if (groups == 1) return;  // which ran in ascending order
  isolation.restore();
  run_blocks(0, blocks, false);
  isolation.compare("ascending");
}

void Machine::note_atomic(const void* place, std::size_t bytes) {
  if (isolation_ != nullptr) isolation_->note_atomic(place, bytes);
}

void Machine::note_read_only(const void* place, std::size_t bytes) {
  if (isolation_ != nullptr) isolation_->note_read_only(place, bytes);
}

void Machine::run_block() {
  regions_.clear();
  shared_bytes_ = dynamic_shared_bytes_;
  block_epoch_ = 0;
  for (std::size_t i = 0; i < num_threads_; ++i) {
    threads_[i]->state = State::ready;
    threads_[i]->warp_epoch = 0;
  }
  const std::size_t warps = (num_threads_ + kWarpSize - 1) / kWarpSize;
  waiting_lanes_.assign(warps, 0);
  for (;;) {
    for (std::size_t w = 0; w < warps; ++w) {
      const std::size_t warp = descending_ ? warps - 1 - w : w;
      while (run_warp(warp)) {
      }
      if (isolation_ != nullptr && warps > 1) isolation_->end_warp(warp);
    }
    if (isolation_ != nullptr && warps > 1) isolation_->end_interval();
    if (std::all_of(threads_.begin(), threads_.begin() + static_cast<std::ptrdiff_t>(num_threads_),
                    [](const auto& thread) { return thread->state == State::done; }))
      break;
    release_barrier();
  }
}

/// Runs each ready lane of the warp once; false if none was ready.
bool Machine::run_warp(std::size_t warp) {
  bool ran = false;
  const std::size_t first = warp * kWarpSize;
  const std::size_t count = std::min<std::size_t>(kWarpSize, num_threads_ - first);
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t index = first + (descending_ ? count - 1 - k : k);
    if (threads_[index]->state != State::ready) continue;
    resume(index);
    ran = true;
  }
  return ran;
}

void Machine::resume(std::size_t index) {
  current_ = threads_[index].get();
  threadIdx = index_in(blockDim, index);
  current_->fiber->resume();
  if (abandoned_) throw Violation(violation_);
}

void Machine::pause(Thread& thread) {
  thread.fiber->pause();
  if (abandoned_) throw Abandoned{};
}

void Machine::block_barrier(const std::source_location& where) {
  Thread& thread = *current_;
  thread.state = State::at_barrier;
  thread.where = where;
  pause(thread);
}

/// Every thread must wait at one barrier.
void Machine::release_barrier() {
  const Thread& first = *threads_[0];
  for (std::size_t i = 0; i < num_threads_; ++i) {
    const Thread& thread = *threads_[i];
    if (thread.state != State::at_barrier || !same(thread.where, first.where)) report_deadlock();
  }
  ++block_epoch_;
  for (std::size_t i = 0; i < num_threads_; ++i) threads_[i]->state = State::ready;
}

std::string Machine::place(const Thread& thread) const {
  const std::string who = "thread " + std::to_string(thread.index);
  switch (thread.state) {
    case State::at_barrier:
      return who + " waits at the barrier of " + text_of(thread.where);
    case State::at_warp_op:
      return who + " waits in " + name_of(thread.op) + " at " + text_of(thread.where);
    case State::done:
      return who + " has left the kernel";
    case State::ready:
      break;
  }
  return who + " runs";
}

void Machine::report_deadlock() const {
  const Thread& first = *threads_[0];
  for (std::size_t i = 1; i < num_threads_; ++i) {
    const Thread& thread = *threads_[i];
    if (thread.state != first.state ||
        (thread.state != State::done && !same(thread.where, first.where)))
      throw Violation("diverged: " + place(first) + ", " + place(thread));
  }
  throw Violation("diverged: " + place(first) + " for lanes that never come");
}

const char* Machine::name_of(WarpOp op) {
  switch (op) {
    case WarpOp::sync:
      return "__syncwarp";
    case WarpOp::shuffle:
      return "__shfl_sync";
    case WarpOp::shuffle_xor:
      return "__shfl_xor_sync";
    case WarpOp::shuffle_up:
      return "__shfl_up_sync";
    case WarpOp::shuffle_down:
      return "__shfl_down_sync";
    case WarpOp::ballot:
      return "__ballot_sync";
    case WarpOp::any:
      return "__any_sync";
    case WarpOp::all:
      return "__all_sync";
  }
  return "";
}

std::uint64_t Machine::warp_exchange(WarpOp op, unsigned mask, std::uint64_t value, int parameter,
                                     int width, const std::source_location& where) {
  Thread& thread = *current_;
  thread.state = State::at_warp_op;
  thread.where = where;
  thread.op = op;
  thread.mask = mask;
  thread.value = value;
  thread.parameter = parameter;
  thread.width = width;
  ++waiting_lanes_[thread.warp()];
  if (warp_complete(thread))
    finish_warp_op(thread);
  else
    pause(thread);
  return thread.result;
}

std::string Machine::call(const Thread& thread) const {
  return std::string(name_of(thread.op)) + " at " + text_of(thread.where);
}

/// True if every lane of the mask is here; Violation if one cannot come.
bool Machine::warp_complete(const Thread& thread) const {
  if ((thread.mask >> thread.lane() & 1U) == 0)
    throw Violation(call(thread) + ": the mask does not name the calling lane " +
                    std::to_string(thread.lane()));
  const std::size_t lanes = num_threads_ - thread.warp() * kWarpSize;
  if (lanes < kWarpSize && (thread.mask >> lanes) != 0)
    throw Violation(call(thread) + ": the mask names lanes beyond the block's last, " +
                    std::to_string(lanes - 1));
  if (waiting_lanes_[thread.warp()] < std::popcount(thread.mask)) return false;
  bool complete = true;
  for (std::size_t lane = 0; lane < kWarpSize; ++lane) {
    if ((thread.mask >> lane & 1U) == 0) continue;
    const Thread& other = *threads_[thread.warp() * kWarpSize + lane];
    if (other.state == State::done || other.state == State::at_barrier)
      throw Violation(call(thread) + ": diverged, " + place(other));
    if (other.state == State::ready) {
      complete = false;
      continue;
    }
    if (other.mask != thread.mask || other.op != thread.op || !same(other.where, thread.where))
      throw Violation(call(thread) + ": diverged, " + place(other) + " with another mask or place");
  }
  return complete;
}

/// The lane that a shuffle reads; Violation if it is not one of the exchange.
std::size_t Machine::source_lane(const Thread& thread) const {
  const auto lane = static_cast<int>(thread.lane());
  const int width = thread.width;
  if (width <= 0 || width > static_cast<int>(kWarpSize) ||
      !std::has_single_bit(static_cast<unsigned>(width)))
    throw Violation(call(thread) + ": width " + std::to_string(width));
  const int first = lane / width * width;
  int source = lane;
  if (thread.op == WarpOp::shuffle) source = first + thread.parameter;
  if (thread.op == WarpOp::shuffle_xor) source = lane ^ thread.parameter;
  // Beyond the end of the width, up and down give the lane its own value: defined, and of use.
  if (thread.op == WarpOp::shuffle_up && lane - thread.parameter >= first)
    source = lane - thread.parameter;
  if (thread.op == WarpOp::shuffle_down && lane + thread.parameter < first + width)
    source = lane + thread.parameter;
  if (thread.parameter < 0 || source < first || source >= first + width)
    throw Violation(call(thread) + ": source lane " + std::to_string(thread.parameter) +
                    " out of range of width " + std::to_string(width));
  if ((thread.mask >> source & 1U) == 0)
    throw Violation(call(thread) + ": source lane " + std::to_string(source) +
                    " is not in the mask");
  return static_cast<std::size_t>(source);
}

void Machine::finish_warp_op(const Thread& last) {
  const std::size_t first = last.warp() * kWarpSize;
  unsigned votes = 0;
  std::uint32_t epoch = 0;
  for (std::size_t lane = 0; lane < kWarpSize; ++lane) {
    if ((last.mask >> lane & 1U) == 0) continue;
    const Thread& thread = *threads_[first + lane];
    if (thread.parameter != 0) votes |= 1U << lane;
    epoch = std::max(epoch, thread.warp_epoch);
  }
  for (std::size_t lane = 0; lane < kWarpSize; ++lane) {
    if ((last.mask >> lane & 1U) == 0) continue;
    Thread& thread = *threads_[first + lane];
    switch (thread.op) {
      case WarpOp::sync:
        thread.warp_epoch = epoch + 1;
        break;
      case WarpOp::ballot:
        thread.result = votes;
        break;
      case WarpOp::any:
        thread.result = votes != 0 ? 1 : 0;
        break;
      case WarpOp::all:
        thread.result = votes == last.mask ? 1 : 0;
        break;
      default:
        thread.result = threads_[first + source_lane(thread)]->value;
    }
    thread.state = State::ready;
  }
  waiting_lanes_[last.warp()] -= std::popcount(last.mask);
}

SharedRegion& Machine::shared_region(const void* key, const char* name, std::size_t element_bytes,
                                     std::size_t count) {
  for (const auto& [known, region] : regions_) {
    if (known == key) return *region;
  }
  if (key == nullptr) count = dynamic_shared_bytes_ / element_bytes;
  if (key != nullptr) shared_bytes_ += element_bytes * count;
  if (shared_bytes_ > kLargestShared)
    throw Violation(std::to_string(shared_bytes_) + " bytes of shared memory");
  regions_.emplace_back(key, std::make_unique<SharedRegion>(name, element_bytes, count));
  return *regions_.back().second;
}

}  // namespace penchant::simt
