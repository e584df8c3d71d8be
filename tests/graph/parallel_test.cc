// SPDX-License-Identifier: Apache-2.0
#include "graph/parallel.h"

#include <atomic>
#include <new>
#include <span>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>
#include <omp.h>

#include "graph/edge_blocks.h"
#include "graph/error.h"

namespace penchant::graph {
namespace {

class ParallelFor : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    before_ = omp_get_max_threads();
    omp_set_num_threads(GetParam());
  }
  void TearDown() override { omp_set_num_threads(before_); }

 private:
  int before_ = 1;
};
INSTANTIATE_TEST_SUITE_P(Threads, ParallelFor, ::testing::Values(1, 2, 7),
                         [](const auto& tested) { return "On" + std::to_string(tested.param); });

TEST_P(ParallelFor, VisitsEachIndexOnce) {
  for (const std::int64_t count : {0, 1, 5, 64, 1000}) {
    for (const std::int64_t piece : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, piece, [&](const Share& share) {
        for (const std::int64_t i : share) ++visits[static_cast<std::size_t>(i)];
      });
      for (const std::atomic<int>& number : visits) ASSERT_EQ(number, 1) << count << " " << piece;
    }
  }
  parallel_for(-1, 1, [](const Share&) { FAIL(); });
}

TEST_P(ParallelFor, HandsOnWhatTheBodyThrows) {
  const auto fail_at = [](std::int64_t where) {
    parallel_for(100, 4, [&](const Share& share) {
      for (const std::int64_t i : share) {
        if (i == where) throw InputError("here");
      }
    });
  };
  EXPECT_THROW(fail_at(0), InputError);
  EXPECT_THROW(fail_at(99), InputError);
  EXPECT_NO_THROW(fail_at(100));
}

TEST_P(ParallelFor, HandsOnWhatTheMemoryOfEveryThreadThrows) {
  EXPECT_THROW(parallel_for(100, 1, [](const Share&) { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST_P(ParallelFor, EndsSoonAfterAFailure) {
  std::atomic<int> visits = 0;
  EXPECT_THROW(parallel_for(1'000'000, 1,
                            [&](const Share& share) {
                              for (const std::int64_t i : share) {
                                if (i == 10) throw std::runtime_error("stop");
                                ++visits;
                              }
                            }),
               std::runtime_error);
  EXPECT_LT(visits, 999'999);
}

TEST_P(ParallelFor, MakesEdgesThatFailAnErrorOfTheCaller) {
  const EdgeBlocks edges = [](std::int64_t first, std::span<Edge> block) {
    if (first > 0) throw std::bad_alloc();
    for (Edge& edge : block) edge = {0, 1};
  };
  EXPECT_THROW(csr_from_edge_blocks(2, 2, 100'000, edges, Direction::as_drawn), std::bad_alloc);
}

}  // namespace
}  // namespace penchant::graph
