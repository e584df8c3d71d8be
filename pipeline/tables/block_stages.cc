// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/block_stages.h"

#include <omp.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

/// Block b lies in slot b modulo the number of slots. Ordered stage s has done the blocks below
/// done[s].
class Scheduler {
 public:
  Scheduler(const BlockStages& stages, std::size_t num_slots)
      : stages_(stages),
        slots_(num_slots),
        done_(stages.ordered.size(), 0),
        busy_(stages.ordered.size(), 0) {
    PENCHANT_ASSERT(num_slots > 0);
    for (Slot& slot : slots_) slot.errors.resize(stages.ordered.size() + 1);
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!finished()) {
      if (!step(lock)) changed_.wait(lock);
    }
    changed_.notify_all();
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  struct Slot {
    bool encoded = false;
    std::vector<std::exception_ptr> errors;  ///< of fetch or encode, then of each ordered stage
  };

  bool finished() const { return failure_ || (ended_ && committed_ == fetched_); }
  std::size_t slot_of(std::uint64_t block) const { return block % slots_.size(); }

  /// Does something that can be done now, the oldest block first; false if there is nothing.
  bool step(std::unique_lock<std::mutex>& lock) {
    if (commit(lock)) return true;
    for (std::size_t s = 0; s < stages_.ordered.size(); ++s) {
      if (run_ordered(lock, s)) return true;
    }
    return fetch(lock);
  }

  /// Calls action(slot) without the lock; what it throws becomes the block's error.
  template <typename Action>
  void run(std::unique_lock<std::mutex>& lock, const Action& action, std::exception_ptr& error) {
    lock.unlock();
    std::exception_ptr thrown;
    try {
      action();
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    error = thrown;
  }

  bool commit(std::unique_lock<std::mutex>& lock) {
    if (committing_ || committed_ == fetched_) return false;
    const std::size_t slot = slot_of(committed_);
    if (!slots_[slot].encoded) return false;
    for (const std::uint64_t done : done_) {
      if (done <= committed_) return false;
    }
    committing_ = true;
    std::exception_ptr error;
    for (const std::exception_ptr& of_stage : slots_[slot].errors) {
      if (!error) error = of_stage;
    }
    if (!error)
      run(
          lock, [&] { stages_.commit(slot); }, error);
    committing_ = false;
    slots_[slot].encoded = false;
    ++committed_;
    if (error) failure_ = error;
    changed_.notify_all();
    return true;
  }

  bool run_ordered(std::unique_lock<std::mutex>& lock, std::size_t stage) {
    const std::uint64_t block = done_[stage];
    if (busy_[stage] != 0 || block == fetched_) return false;
    const std::size_t slot = slot_of(block);
    if (!slots_[slot].encoded) return false;
    busy_[stage] = 1;
    if (!slots_[slot].errors[0])
      run(
          lock, [&] { stages_.ordered[stage](slot); }, slots_[slot].errors[stage + 1]);
    busy_[stage] = 0;
    ++done_[stage];
    changed_.notify_all();
    return true;
  }

  bool fetch(std::unique_lock<std::mutex>& lock) {
    if (fetching_ || ended_ || fetched_ - committed_ == slots_.size()) return false;
    fetching_ = true;
    const std::size_t slot = slot_of(fetched_);
    for (std::exception_ptr& error : slots_[slot].errors) error = nullptr;
    bool found = true;
    std::exception_ptr& error = slots_[slot].errors[0];
    run(
        lock, [&] { found = stages_.fetch(slot); }, error);
    fetching_ = false;
    ended_ = !found || error;
    if (found) ++fetched_;
    changed_.notify_all();
    if (!found) return true;
    if (!error)
      run(
          lock, [&] { stages_.encode(slot); }, error);
    slots_[slot].encoded = true;
    changed_.notify_all();
    return true;
  }

  const BlockStages& stages_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> done_;
  std::vector<std::uint8_t> busy_;
  std::uint64_t fetched_ = 0;
  std::uint64_t committed_ = 0;
  bool fetching_ = false;
  bool committing_ = false;
  bool ended_ = false;
  std::exception_ptr failure_;
};

}  // namespace

void run_block_stages(const BlockStages& stages, std::size_t num_slots) {
  Scheduler scheduler(stages, num_slots);
#pragma omp parallel
  scheduler.work();
  scheduler.rethrow();
}

}  // namespace penchant::pipeline
