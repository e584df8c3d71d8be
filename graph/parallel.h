// SPDX-License-Identifier: Apache-2.0
// A loop on OpenMP's threads whose body may throw: an exception that leaves an OpenMP region ends
// the process, so every region that allocates or calls something else that may throw goes through
// here. Loops over numbers that cannot fail keep their pragma.
#pragma once

#include <cstdint>
#include <functional>

namespace penchant::graph {

class ParallelLoop;

/// The indices of a loop that one thread gets, piece after piece as they are claimed. It ends early
/// once another thread has failed.
class Share {
 public:
  explicit Share(ParallelLoop& loop) : loop_(loop) {}

  /// Indices [first, last); empty behind the last piece.
  struct Piece {
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  struct End {};
  class Iterator {
   public:
    explicit Iterator(const Share& share) : share_(share), piece_(share.claim()) {}
    std::int64_t operator*() const { return piece_.first; }
    Iterator& operator++() {
      if (++piece_.first == piece_.last) piece_ = share_.claim();
      return *this;
    }
    bool operator!=(End) const { return piece_.first < piece_.last; }

   private:
    const Share& share_;
    Piece piece_;
  };
  Iterator begin() const { return Iterator(*this); }
  End end() const { return {}; }

 private:
  Piece claim() const;

  ParallelLoop& loop_;
};

/// Divides [0, count) among OpenMP's threads, `piece` (at least 1) indices at a time: whoever is
/// free takes the next. Each thread calls work(share) once; what it declares before it walks
/// through its share is its own memory. Rethrows the first exception after all threads have ended.
void parallel_for(std::int64_t count, std::int64_t piece,
                  const std::function<void(const Share&)>& work);

}  // namespace penchant::graph
