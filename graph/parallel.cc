// SPDX-License-Identifier: Apache-2.0
#include "graph/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "graph/error.h"

namespace penchant::graph {

class ParallelLoop {
 public:
  ParallelLoop(std::int64_t count, std::int64_t piece) : count_(count), piece_(piece) {}

  Share::Piece claim() {
    Share::Piece piece{next_.load(std::memory_order_relaxed), 0};
    do {
      if (piece.first >= count_ || failed_.load(std::memory_order_relaxed)) return {};
      piece.last = piece.first + std::min(piece_, count_ - piece.first);
    } while (!next_.compare_exchange_weak(piece.first, piece.last, std::memory_order_relaxed));
    return piece;
  }

  void work(const std::function<void(const Share&)>& work) noexcept {
    try {
      work(Share(*this));
    } catch (...) {
      failed_ = true;
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::int64_t count_;
  std::int64_t piece_;
  std::atomic<std::int64_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::exception_ptr error_;
};

Share::Piece Share::claim() const { return loop_.claim(); }

void parallel_for(std::int64_t count, std::int64_t piece,
                  const std::function<void(const Share&)>& work) {
  PENCHANT_ASSERT(piece >= 1);
  if (count <= 0) return;
  ParallelLoop loop(count, piece);
#pragma omp parallel
  loop.work(work);
  loop.rethrow();
}

}  // namespace penchant::graph
