// SPDX-License-Identifier: Apache-2.0
// What blocks that run one after another hide, and Schedule::isolated finds. Every kernel that is
// wrong here gives the right sum under both other schedules.
#include "tests/simt/isolation.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/indexing.cuh"
#include "tests/simt/device_memory.h"
#include "tests/simt/simt_backend.h"

namespace penchant::kernels::cuda {
namespace {

using simt::Machine;
using simt::Schedule;
using simt::Violation;
using testing::HasSubstr;

constexpr int kBlocks = 5;
constexpr int kWarpThreads = 32;

/// `size` zeros of device memory that the machine watches.
class Watched {
 public:
  Watched(Machine& machine, std::size_t size) : machine_(machine), values_(size) {
    machine_.memory()->add(values_.data(), size * sizeof(int));
  }
  ~Watched() { machine_.memory()->remove(values_.data()); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  int* data() { return values_.data(); }
  int& operator[](std::size_t k) { return values_[k]; }

 private:
  Machine& machine_;
  std::vector<int> values_;
};

class Isolated : public testing::Test {
 protected:
  /// Launches with 64 watched ints and returns the violation's text, or "" if there was none.
  std::string violation(void (*kernel)(int*), Schedule schedule = Schedule::isolated) {
    Machine machine(schedule);
    Watched values(machine, 64);
    try {
      launch(kernel, {dim3(kBlocks), dim3(kWarpThreads)}, &machine, values.data());
    } catch (const Violation& found) {
      return found.what();
    }
    EXPECT_EQ(machine.launches().block_by_block, schedule == Schedule::isolated ? 1 : 0);
    result_.assign(values.data(), values.data() + 64);
    return "";
  }
  std::vector<int> result_;
};

__global__ void count_without_atomic_kernel(int* total) {
  if (threadIdx.x == 0) total[0] += 1;
}
__global__ void count_atomically_kernel(int* total) {
  if (threadIdx.x == 0) atomicAdd(total, 1);
}

TEST_F(Isolated, CatchesALostUpdate) {
  for (const Schedule schedule : {Schedule::ascending, Schedule::descending}) {
    EXPECT_EQ(violation(count_without_atomic_kernel, schedule), "");
    EXPECT_EQ(result_[0], kBlocks);
  }
  EXPECT_THAT(violation(count_without_atomic_kernel),
              HasSubstr("byte 0 of an allocation of 256 is changed by block 0 and by block 1"));
  EXPECT_EQ(violation(count_atomically_kernel), "");
  EXPECT_EQ(result_[0], kBlocks);
}

__global__ void half_atomic_kernel(int* total) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0)
    total[0] += 1;
  else
    atomicAdd(total, 1);
}

TEST_F(Isolated, CatchesAnAtomicBesideAPlainStore) {
  EXPECT_THAT(violation(half_atomic_kernel), HasSubstr("one of the stores is lost"));
}

/// Block b stores values[b] and takes its neighbour's, `step` blocks away.
template <int step>
__global__ void take_neighbours_kernel(int* values) {
  if (threadIdx.x != 0) return;
  const int b = static_cast<int>(blockIdx.x);
  values[b] = b + 1;
  const int other = b + step;
  if (other >= 0 && other < kBlocks) values[32 + b] = values[other];
}

TEST_F(Isolated, CatchesAReadOfWhatAnotherBlockStores) {
  EXPECT_THAT(violation(take_neighbours_kernel<-1>), HasSubstr("a block reads what another"));
  EXPECT_THAT(violation(take_neighbours_kernel<1>), HasSubstr("a block reads what another"));
  EXPECT_EQ(violation(take_neighbours_kernel<0>), "");
}

/// Threads of one block pass values on through global memory without a barrier.
template <bool barrier>
__global__ void pass_on_kernel(int* values) {
  if (blockIdx.x != 0) return;
  const int lane = static_cast<int>(threadIdx.x);
  values[lane] = lane + 1;
  if (barrier) __syncthreads();
  if (lane > 0) values[32 + lane] = values[lane - 1];
}

TEST_F(Isolated, CatchesARaceInsideABlock) {
  EXPECT_THAT(violation(pass_on_kernel<false>), HasSubstr("threads race"));
  EXPECT_EQ(violation(pass_on_kernel<true>), "");
}

/// The warps of a block count themselves, each in its turn.
template <bool barrier>
__global__ void count_warps_kernel(int* totals) {
  const unsigned warp = threadIdx.x / 32;
  for (unsigned turn = 0; turn < blockDim.x / 32; ++turn) {
    if (warp == turn && threadIdx.x % 32 == 0) totals[blockIdx.x] += 1;
    if (barrier) __syncthreads();
  }
}

TEST_F(Isolated, CatchesAnUpdateThatAnotherWarpLoses) {
  for (const Schedule schedule : {Schedule::ascending, Schedule::isolated}) {
    Machine machine(schedule);
    Watched totals(machine, kBlocks);
    const LaunchShape shape{dim3(kBlocks), dim3(4 * 32)};
    launch(count_warps_kernel<true>, shape, &machine, totals.data());
    EXPECT_EQ(totals[0], 4);
    if (schedule == Schedule::ascending) {
      launch(count_warps_kernel<false>, shape, &machine, totals.data());
      EXPECT_EQ(totals[0], 8);
    } else {
      EXPECT_THROW(launch(count_warps_kernel<false>, shape, &machine, totals.data()), Violation);
    }
  }
}

template <bool read_only>
__global__ void double_own_kernel(int* values) {
  if (threadIdx.x != 0) return;
  int* own = values + blockIdx.x;
  *own = 1 + 2 * (read_only ? __ldg(own) : *own);
}

TEST_F(Isolated, CatchesAReadOnlyLoadOfWhatTheLaunchStores) {
  EXPECT_EQ(violation(double_own_kernel<true>, Schedule::ascending), "");
  EXPECT_THAT(violation(double_own_kernel<true>), HasSubstr("read by __ldg and stored"));
  EXPECT_EQ(violation(double_own_kernel<false>), "");
  EXPECT_EQ(result_[kBlocks - 1], 1);
}

__global__ void shift_kernel(const int* __restrict__ from, int* to) {
  if (threadIdx.x == 0) to[blockIdx.x] = from[blockIdx.x] + 1;
}

TEST_F(Isolated, CatchesARestrictedParameterThatTheLaunchStores) {
  Machine machine(Schedule::isolated);
  Watched values(machine, 64);
  Watched others(machine, 64);
  const LaunchShape shape{dim3(kBlocks), dim3(1)};
  EXPECT_NO_THROW(launch(shift_kernel, shape, &machine, values.data(), others.data()));
  EXPECT_NO_THROW(launch(shift_kernel, shape, &machine, values.data() + 32, values.data()));
  EXPECT_THROW(launch(shift_kernel, shape, &machine, values.data(), values.data()), Violation);
}

TEST_F(Isolated, LargeLaunchesRunInGroups) {
  Machine machine(Schedule::isolated);
  Watched values(machine, std::size_t{1} << 20);  // 4 MiB: 16 groups
  const LaunchShape shape{dim3(100), dim3(1)};
  EXPECT_THROW(launch(count_without_atomic_kernel, shape, &machine, values.data()), Violation);
  launch(count_atomically_kernel, shape, &machine, values.data() + 1);
  EXPECT_EQ(machine.launches().in_groups, 2);
  Watched beyond(machine, std::size_t{8} << 20);
  launch(count_atomically_kernel, shape, &machine, values.data() + 1);
  EXPECT_EQ(machine.launches().plain, 1);
  EXPECT_EQ(values[1], 200);
}

// What a wrong choice in the real code would look like: a scatter-add of sorted ids whose groups
// are cut apart, each part adding to the table without an atomic.
TEST_F(Isolated, CatchesAScatterAddWhoseGroupsAreCut) {
  simt::SimtBackend backend(Schedule::isolated);
  FloatMatrix table = backend.matrix<float>(4, 3);
  FloatMatrix x = backend.matrix<float>(20, 3);
  backend.fill(x.view(), 1.0F);
  std::vector<std::int32_t> positions(20);
  std::vector<graph::NodeId> ids(20, 2);
  const auto add = [&](std::int64_t first, std::int64_t count) {
    scatter_add_rows(1.0F, x.view(), {ids.data() + first, count, Device::cuda},
                     {positions.data() + first, count, Device::cuda}, table.view(),
                     &backend.machine());
  };
  EXPECT_NO_THROW(add(0, 20));
  for (std::size_t k = 0; k < ids.size(); k += 2) ids[k] = 1;  // not sorted: groups of one
  EXPECT_THROW(add(0, 20), Violation);
}

}  // namespace
}  // namespace penchant::kernels::cuda
