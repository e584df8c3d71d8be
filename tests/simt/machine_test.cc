// SPDX-License-Identifier: Apache-2.0
// The emulation itself: that it computes what CUDA defines, and catches what CUDA leaves undefined.
// Each kernel that is wrong here is a mistake planted on purpose, beside its right form.
#include "tests/simt/machine.h"

#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/launch.cuh"

namespace penchant::kernels::cuda {
namespace {

using simt::Machine;
using simt::Schedule;
using simt::Violation;
using testing::HasSubstr;

constexpr int kThreads = 64;

class Emulation : public testing::TestWithParam<Schedule> {
 protected:
  /// Launches and returns the violation's text, or "" if there was none.
  template <typename... Parameters, typename... Arguments>
  std::string violation(void (*kernel)(Parameters...), const LaunchShape& shape,
                        Arguments... arguments) {
    try {
      launch(kernel, shape, &machine_, arguments...);
    } catch (const Violation& found) {
      return found.what();
    }
    return "";
  }
  Machine machine_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Order, Emulation,
                         testing::Values(Schedule::ascending, Schedule::descending),
                         [](const testing::TestParamInfo<Schedule>& schedule) {
                           return schedule.param == Schedule::ascending ? "ascending"
                                                                        : "descending";
                         });

// --- what is defined

__global__ void write_places_kernel(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += static_cast<int>(thread) + 1;
}

TEST_P(Emulation, EveryThreadOfEveryBlockRunsOnce) {
  std::vector<int> out(2 * 3 * 2 * 40);
  launch(write_places_kernel, {dim3(2, 3, 2), dim3(5, 4, 2)}, &machine_, out.data());
  for (std::size_t k = 0; k < out.size(); ++k) EXPECT_EQ(out[k], static_cast<int>(k % 40) + 1) << k;
}

enum class Fault { none, no_barrier, wrong_index };

/// Reverses a block's values through shared memory.
template <Fault fault>
__global__ void reverse_kernel(int* values) {
  PENCHANT_SHARED(int, turned, kThreads);
  const int place = static_cast<int>(threadIdx.x);
  turned[place] = values[place];
  if (fault != Fault::no_barrier) __syncthreads();
  values[place] = turned[kThreads - place - (fault == Fault::wrong_index ? 0 : 1)];
}

TEST_P(Emulation, BarriersOrderSharedMemory) {
  std::vector<int> values(kThreads);
  std::iota(values.begin(), values.end(), 0);
  launch(reverse_kernel<Fault::none>, {dim3(1), dim3(kThreads)}, &machine_, values.data());
  for (int k = 0; k < kThreads; ++k)
    EXPECT_EQ(values[static_cast<std::size_t>(k)], kThreads - 1 - k);
}

__global__ void exchange_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  out[0 * 32 + lane] = __shfl_sync(0xFFFFFFFFU, lane, 31 - lane);
  out[1 * 32 + lane] = __shfl_xor_sync(0xFFFFFFFFU, lane, 5);
  out[2 * 32 + lane] = __shfl_up_sync(0xFFFFFFFFU, lane, 3);
  out[3 * 32 + lane] = __shfl_down_sync(0xFFFFFFFFU, lane, 3);
  out[4 * 32 + lane] = static_cast<int>(__ballot_sync(0xFFFFFFFFU, lane % 2));
  out[5 * 32 + lane] = __any_sync(0xFFFFFFFFU, lane == 7) + 2 * __any_sync(0xFFFFFFFFU, 0);
  out[6 * 32 + lane] = __all_sync(0xFFFFFFFFU, 1) + 2 * __all_sync(0xFFFFFFFFU, lane != 7);
  out[7 * 32 + lane] = __shfl_sync(0xFFFFFFFFU, lane, 2, 8);
}

TEST_P(Emulation, WarpExchangesAreCudas) {
  std::vector<int> out(8 * 32);
  launch(exchange_kernel, {dim3(1), dim3(32)}, &machine_, out.data());
  for (int lane = 0; lane < 32; ++lane) {
    const auto at = [&](int row) { return out[static_cast<std::size_t>(row * 32 + lane)]; };
    EXPECT_EQ(at(0), 31 - lane);
    EXPECT_EQ(at(1), lane ^ 5);
    EXPECT_EQ(at(2), lane < 3 ? lane : lane - 3);
    EXPECT_EQ(at(3), lane > 28 ? lane : lane + 3);
    EXPECT_EQ(static_cast<unsigned>(at(4)), 0xAAAAAAAAU);
    EXPECT_EQ(at(5), 1);
    EXPECT_EQ(at(6), 1);
    EXPECT_EQ(at(7), lane / 8 * 8 + 2);
  }
}

__global__ void half_warps_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  const unsigned mask = lane < 16 ? 0x0000FFFFU : 0xFFFF0000U;
  const int rounds = lane < 16 ? 1 : 3;  // the halves go different ways
  int value = lane;
  for (int round = 0; round < rounds; ++round) value = __shfl_xor_sync(mask, value, 1);
  out[lane] = value;
}

TEST_P(Emulation, MasksDivideAWarp) {
  std::vector<int> out(32);
  launch(half_warps_kernel, {dim3(1), dim3(32)}, &machine_, out.data());
  for (int lane = 0; lane < 32; ++lane) EXPECT_EQ(out[static_cast<std::size_t>(lane)], lane ^ 1);
}

__global__ void count_kernel(int* total, const int* factor) {
  PENCHANT_SHARED(int, count, 1);
  PENCHANT_DYNAMIC_SHARED(int, votes);
  if (threadIdx.x == 0) count[0] = 0;
  votes[threadIdx.x] = __ldg(factor);
  __syncthreads();
  atomicAdd(&count[0], static_cast<int>(votes[kThreads - 1 - static_cast<int>(threadIdx.x)]));
  __syncthreads();
  if (threadIdx.x == 0) atomicAdd(total, static_cast<int>(count[0]));
}

TEST_P(Emulation, AtomicsAndDynamicSharedMemory) {
  int total = 0;
  const int factor = 3;
  launch(count_kernel, {dim3(5), dim3(kThreads), kThreads * sizeof(int)}, &machine_, &total,
         &factor);
  EXPECT_EQ(total, 5 * kThreads * 3);
}

__global__ void warp_only_kernel(int* out, bool sync) {
  PENCHANT_SHARED(int, values, 32);
  const int lane = static_cast<int>(threadIdx.x);
  values[lane] = lane;
  if (sync) __syncwarp();
  out[lane] = values[31 - lane];
}

TEST_P(Emulation, SyncwarpOrdersAWarpAndShufflesDoNot) {
  std::vector<int> out(32);
  EXPECT_EQ(violation(warp_only_kernel, {dim3(1), dim3(32)}, out.data(), true), "");
  EXPECT_EQ(out[0], 31);
  EXPECT_NE(violation(warp_only_kernel, {dim3(1), dim3(32)}, out.data(), false), "");
}

// --- what is not

TEST_P(Emulation, CatchesAMissingBarrier) {
  std::vector<int> values(kThreads);
  const std::string found =
      violation(reverse_kernel<Fault::no_barrier>, {dim3(1), dim3(kThreads)}, values.data());
  // Whichever thread comes first reads what nothing wrote; the last ones race.
  EXPECT_THAT(found, HasSubstr("shared memory turned["));
  EXPECT_THAT(found, HasSubstr("nothing wrote"));
}

TEST_P(Emulation, CatchesAnIndexBeyondSharedMemory) {
  std::vector<int> values(kThreads);
  const std::string found =
      violation(reverse_kernel<Fault::wrong_index>, {dim3(1), dim3(kThreads)}, values.data());
  EXPECT_THAT(found, HasSubstr("turned[64], thread 0: index out of bounds (64 elements)"));
}

enum class Access { writes, reads_first, atomics, atomic_and_read };

template <Access access>
__global__ void meet_kernel(int* out) {
  PENCHANT_SHARED(int, one, 1);
  if (threadIdx.x == 0) one[0] = 1;
  __syncthreads();
  if (access == Access::writes) one[0] = static_cast<int>(threadIdx.x);
  if (access == Access::reads_first) {
    out[threadIdx.x] = one[0];
    if (threadIdx.x == 40) one[0] = 2;
  }
  if (access == Access::atomics || access == Access::atomic_and_read) atomicAdd(&one[0], 1);
  if (access == Access::atomic_and_read && threadIdx.x == 40) out[0] = one[0];
}

TEST_P(Emulation, CatchesRacesOnSharedMemory) {
  std::vector<int> out(kThreads);
  const LaunchShape shape{dim3(2), dim3(kThreads)};
  EXPECT_THAT(violation(meet_kernel<Access::writes>, shape, out.data()), HasSubstr("race"));
  EXPECT_THAT(violation(meet_kernel<Access::reads_first>, shape, out.data()), HasSubstr("race"));
  EXPECT_THAT(violation(meet_kernel<Access::atomic_and_read>, shape, out.data()),
              HasSubstr("race"));
  EXPECT_EQ(violation(meet_kernel<Access::atomics>, shape, out.data()), "");
}

__global__ void read_unwritten_kernel(int* out) {
  PENCHANT_SHARED(int, values, kThreads);
  if (threadIdx.x % 2 == 0) values[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

TEST_P(Emulation, CatchesAReadOfWhatNothingWrote) {
  std::vector<int> out(kThreads);
  EXPECT_THAT(violation(read_unwritten_kernel, {dim3(1), dim3(kThreads)}, out.data()),
              HasSubstr("read of an element that nothing wrote"));
}

__global__ void half_barrier_kernel() {
  if (threadIdx.x < 32) __syncthreads();
}
__global__ void two_barriers_kernel() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}

TEST_P(Emulation, CatchesDivergenceAtABarrier) {
  EXPECT_THAT(violation(half_barrier_kernel, {dim3(1), dim3(kThreads)}),
              HasSubstr("diverged: thread 0 waits at the barrier of"));
  EXPECT_THAT(violation(two_barriers_kernel, {dim3(1), dim3(kThreads)}), HasSubstr("diverged"));
}

enum class Exchange {
  lane_left,
  lane_at_barrier,
  other_mask,
  no_own_lane,
  beyond_block,
  beyond_width,
  xor_out,
  source_not_in_mask,
  odd_width
};

template <Exchange exchange>
__global__ void wrong_exchange_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const unsigned full = 0xFFFFFFFFU;
  if (exchange == Exchange::lane_left && lane == 9) return;
  if (exchange == Exchange::lane_at_barrier && lane == 9) __syncthreads();
  unsigned mask = full;
  if (exchange == Exchange::other_mask && lane == 9) mask = 0x300U;  // lane 8 says all lanes
  if (exchange == Exchange::no_own_lane) mask = 0xFFFFFFFEU;
  if (exchange == Exchange::source_not_in_mask) mask = lane < 16 ? 0xFFFFU : 0xFFFF0000U;
  int source = exchange == Exchange::other_mask ? 9 : 3;
  int width = 32;
  if (exchange == Exchange::beyond_width) source = lane == 5 ? 32 : 0;
  if (exchange == Exchange::odd_width) width = 12;
  out[lane] = exchange == Exchange::xor_out ? __shfl_xor_sync(mask, lane, 32)
                                            : __shfl_sync(mask, lane, source, width);
}

TEST_P(Emulation, CatchesWrongWarpExchanges) {
  std::vector<int> out(32);
  const LaunchShape warp{dim3(1), dim3(32)};
  const LaunchShape part{dim3(1), dim3(20)};
  const auto caught = [&](void (*kernel)(int*), const LaunchShape& shape, const char* text) {
    EXPECT_THAT(violation(kernel, shape, out.data()), HasSubstr(text));
  };
  caught(wrong_exchange_kernel<Exchange::lane_left>, warp, "thread 9 has left the kernel");
  caught(wrong_exchange_kernel<Exchange::lane_at_barrier>, warp, "thread 9 waits at the barrier");
  caught(wrong_exchange_kernel<Exchange::other_mask>, warp, "diverged");
  caught(wrong_exchange_kernel<Exchange::no_own_lane>, warp, "does not name the calling lane 0");
  caught(wrong_exchange_kernel<Exchange::beyond_block>, part,
         "names lanes beyond the block's last, 19");
  caught(wrong_exchange_kernel<Exchange::beyond_width>, warp, "source lane 32 out of range");
  caught(wrong_exchange_kernel<Exchange::xor_out>, warp, "out of range");
  caught(wrong_exchange_kernel<Exchange::source_not_in_mask>, warp,
         "source lane 3 is not in the mask");
  caught(wrong_exchange_kernel<Exchange::odd_width>, warp, "width 12");
}

#if defined(__SANITIZE_ADDRESS__)
__global__ void read_beyond_kernel(const int* values, int* out) {
  out[threadIdx.x] = values[threadIdx.x + 1];
}

TEST_P(Emulation, AddressSanitizerSeesGlobalMemory) {
  const auto read = [&] {
    const std::vector<int> values(kThreads);
    std::vector<int> out(kThreads);
    launch(read_beyond_kernel, {dim3(1), dim3(kThreads)}, &machine_, values.data(), out.data());
  };
  EXPECT_DEATH(read(), "heap-buffer-overflow");
}
#endif

TEST_P(Emulation, RefusesLaunchesThatNoGpuTakes) {
  const auto refused = [&](const LaunchShape& shape) {
    return violation(half_barrier_kernel, shape) != "";
  };
  EXPECT_TRUE(refused({dim3(1), dim3(1025)}));
  EXPECT_TRUE(refused({dim3(1), dim3(1, 1, 65)}));
  EXPECT_TRUE(refused({dim3(1, 65536), dim3(1)}));
  EXPECT_TRUE(refused({dim3(0), dim3(1)}));
  EXPECT_TRUE(refused({dim3(1), dim3(1), 49153}));
}

TEST_P(Emulation, GoesOnAfterAViolation) {
  std::vector<int> values(kThreads);
  std::iota(values.begin(), values.end(), 0);
  EXPECT_NE(violation(half_barrier_kernel, {dim3(1), dim3(kThreads)}), "");
  EXPECT_EQ(violation(reverse_kernel<Fault::none>, {dim3(1), dim3(kThreads)}, values.data()), "");
  EXPECT_EQ(values.front(), kThreads - 1);
}

TEST(EmulationOutside, DeviceCodeNeedsAKernel) { EXPECT_THROW(__syncthreads(), Violation); }

}  // namespace
}  // namespace penchant::kernels::cuda
