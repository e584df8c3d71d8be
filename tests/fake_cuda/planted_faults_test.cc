// SPDX-License-Identifier: Apache-2.0
// Mistakes of a host program, one each, that hardware would answer with a fault, wrong numbers or
// only sometimes with right ones: the stand-in must see every one of them. Here those of streams,
// memory and recordings.
#include <cuda_runtime_api.h>

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/launch.cuh"
#include "tests/fake_cuda/two_streams.h"

namespace penchant::fake_cuda {
namespace {

class PlantedFault : public TwoStreams {};
PENCHANT_INSTANTIATE_ORDERS(PlantedFault);

__global__ void add_one_kernel(const float* from, float* to) { *to = *from + 1.0F; }

void add_one(cudaStream_t stream, const float* from, float* to) {
  kernels::cuda::launch(add_one_kernel, {dim3(1), dim3(1)}, stream, from, to);
}

TEST_P(PlantedFault, NoneIsSeenWhereThereIsNone) {
  float* from = uploaded({1.0F});
  float* to = device(1);
  add_one(stream_.get(), from, to);
  EXPECT_EQ(downloaded(to, 1), std::vector<float>{2.0F});
}

TEST_P(PlantedFault, APointerThatDiesBeforeTheCopy) {
  float* to = device(4);
  std::vector<float> host(4, 1.0F);
  check(cudaMemcpyAsync(to, host.data(), 16, cudaMemcpyHostToDevice, stream_.get()));
  host.assign(4, 2.0F);  // as what comes to lie there next
  EXPECT_THAT([&] { wait(); }, violation("host memory changed before the copy read it"));
}

TEST_P(PlantedFault, APinnedSlotThatIsFilledAgainTooEarly) {
  kernels::cuda::PinnedMemory slot;
  check(cudaMallocHost(slot.receive(), 16));
  auto* values = static_cast<float*>(slot.get());
  values[0] = 1.0F;
  check(cudaMemcpyAsync(device(1), values, 4, cudaMemcpyDefault, stream_.get()));
  values[0] = 2.0F;
  EXPECT_THAT([&] { wait(); }, violation("changed before the copy"));
}

TEST_P(PlantedFault, PinnedMemoryThatIsFreedUnderACopy) {
  void* slot = nullptr;
  check(cudaMallocHost(&slot, 16));
  float* to = device(4);
  check(cudaMemcpyAsync(to, slot, 16, cudaMemcpyDefault, stream_.get()));
  EXPECT_THAT([&] { cudaFreeHost(slot); }, violation("queued work uses"));
  wait();
  check(cudaFreeHost(slot));
}

TEST_P(PlantedFault, AResultThatIsReadBeforeItIsThere) {
  float* from = uploaded({5.0F});
  float host = 0.0F;
  check(cudaMemcpyAsync(&host, from, 4, cudaMemcpyDeviceToHost, stream_.get()));
  EXPECT_TRUE(std::isnan(host)) << "neither what was there nor what will be";
  wait();
  EXPECT_EQ(host, 5.0F);
}

TEST_P(PlantedFault, TheHostTouchesDeviceMemory) {
  world_.guard_host(true);
  float* memory = uploaded({1.0F});
  EXPECT_EQ(downloaded(memory, 1)[0], 1.0F) << "copies reach it";
  EXPECT_DEATH({ *static_cast<volatile float*>(memory) = 2.0F; }, "");
  world_.guard_host(false);
}

TEST_P(PlantedFault, MemoryThatNothingWrote) {
  float* from = device(1);
  float* to = device(1);
  add_one(stream_.get(), from, to);
  EXPECT_TRUE(std::isnan(downloaded(to, 1)[0]));
}

TEST_P(PlantedFault, ACopyBeyondTheEnd) {
  float* memory = device(4);
  check(cudaMemsetAsync(memory, 0, 17, stream_.get()));
  EXPECT_THAT([&] { wait(); }, violation("beyond its end"));
}

TEST_P(PlantedFault, UseBehindTheRelease) {
  float* memory = device(4);
  check(cudaFreeAsync(memory, stream_.get()));
  check(cudaMemsetAsync(memory, 0, 16, stream_.get()));
  EXPECT_THAT([&] { wait(); }, violation("given back"));
  EXPECT_EQ(cudaFreeAsync(memory, stream_.get()), cudaErrorInvalidValue) << "and twice";
}

TEST_P(PlantedFault, ReleaseOnTheLegacyStreamUnderQueuedWork) {
  float* memory = device(4);
  wait();
  check(cudaMemsetAsync(memory, 0, 16, stream_.get()));
  check(cudaFreeAsync(memory, cudaStreamLegacy));
  EXPECT_THAT([&] { wait(); }, violation("given back"));
}

TEST_P(PlantedFault, UseOnAnotherStreamBeforeTheAllocation) {
  if (GetParam() == Order::eager) GTEST_SKIP() << "this order runs the allocation first";
  float* memory = device(4);
  check(cudaMemsetAsync(memory, 0, 16, other_.get()));
  EXPECT_THAT([&] { check(cudaStreamSynchronize(other_.get())); },
              violation("allocation has not run"));
}

// The reader's stream does not wait for the writer's.
TEST_P(PlantedFault, AMissingEventBeforeARead) {
  if (GetParam() == Order::eager) GTEST_SKIP() << "this order runs the writer first";
  float* table = device(1);
  float* result = device(1);
  wait();
  const float one = 1.0F;
  check(cudaMemcpyAsync(table, &one, 4, cudaMemcpyHostToDevice, other_.get()));
  add_one(stream_.get(), table, result);
  EXPECT_TRUE(std::isnan(downloaded(result, 1)[0]));
  check(cudaStreamSynchronize(other_.get()));
}

// The stream that fills a buffer anew does not wait for its reader.
TEST_P(PlantedFault, AMissingEventBeforeAWrite) {
  if (GetParam() == Order::lazy) GTEST_SKIP() << "this order runs the reader first";
  float* buffer = uploaded({1.0F});
  float* result = device(1);
  wait();
  const float next = 7.0F;
  add_one(stream_.get(), buffer, result);
  check(cudaMemcpyAsync(buffer, &next, 4, cudaMemcpyHostToDevice, other_.get()));
  EXPECT_EQ(downloaded(result, 1)[0], 8.0F) << "not 2: the reader came too late";
}

TEST_P(PlantedFault, AnEventOrdersStreamsBothWays) {
  kernels::cuda::Event copied = kernels::cuda::make_event();
  kernels::cuda::Event used = kernels::cuda::make_event();
  float* buffer = device(1);
  float* first = device(1);
  float* second = device(1);
  wait();
  const float values[] = {1.0F, 7.0F};
  for (int k = 0; k < 2; ++k) {
    check(cudaStreamWaitEvent(other_.get(), used.get()));
    check(cudaMemcpyAsync(buffer, &values[k], 4, cudaMemcpyHostToDevice, other_.get()));
    check(cudaEventRecord(copied.get(), other_.get()));
    check(cudaStreamWaitEvent(stream_.get(), copied.get()));
    add_one(stream_.get(), buffer, k == 0 ? first : second);
    check(cudaEventRecord(used.get(), stream_.get()));
  }
  EXPECT_EQ(downloaded(first, 1)[0], 2.0F);
  EXPECT_EQ(downloaded(second, 1)[0], 8.0F);
}

// --- recordings

/// What `call` answers while a stream records, and that it spoils the recording.
template <typename Call>
cudaError_t status_in_capture(cudaStream_t stream, Call call) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  const cudaError_t status = call();
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  return status;
}

TEST_P(PlantedFault, AllocationInACapture) {
  void* memory = nullptr;
  float* before = device(1);
  wait();
  const auto unsafe = cudaErrorStreamCaptureUnsupported;
  EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaMalloc(&memory, 4); }), unsafe);
  EXPECT_EQ(
      status_in_capture(stream_.get(), [&] { return cudaMallocAsync(&memory, 4, stream_.get()); }),
      unsafe);
  EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaMallocHost(&memory, 4); }), unsafe);
  EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaFreeAsync(before, stream_.get()); }),
            unsafe);
}

TEST_P(PlantedFault, WaitingInACapture) {
  const kernels::cuda::Event event = kernels::cuda::make_event();
  const auto unsafe = cudaErrorStreamCaptureUnsupported;
  EXPECT_EQ(static_cast<int>(unsafe), 900);
  EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaStreamSynchronize(stream_.get()); }),
            unsafe);
  EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaEventSynchronize(event.get()); }),
            unsafe);
  EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaDeviceSynchronize(); }), unsafe);
  EXPECT_EQ(
      status_in_capture(stream_.get(), [&] { return cudaEventRecord(event.get(), stream_.get()); }),
      unsafe);
}

TEST_P(PlantedFault, TheLegacyStreamInACapture) {
  float* memory = device(1);
  wait();
  const auto implicit = cudaErrorStreamCaptureImplicit;
  EXPECT_EQ(static_cast<int>(implicit), 906);
  for (const cudaStream_t legacy : {cudaStream_t{nullptr}, cudaStreamLegacy}) {
    EXPECT_EQ(
        status_in_capture(stream_.get(), [&] { return cudaMemsetAsync(memory, 0, 4, legacy); }),
        implicit);
    EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaFreeAsync(memory, legacy); }),
              implicit);
    EXPECT_EQ(status_in_capture(stream_.get(), [&] { return cudaStreamSynchronize(legacy); }),
              implicit);
  }
  check(cudaStreamBeginCapture(other_.get(), cudaStreamCaptureModeThreadLocal));
  check(cudaMemsetAsync(memory, 0, 4, cudaStreamLegacy));  // this one is not a blocking stream
  kernels::cuda::Unique<cudaGraph_t, cudaGraphDestroy> graph;
  check(cudaStreamEndCapture(other_.get(), graph.receive()));
}

TEST_P(PlantedFault, HostMemoryThatAGraphWillRead) {
  float* to = device(1);
  wait();
  kernels::cuda::Unique<cudaGraph_t, cudaGraphDestroy> graph;
  kernels::cuda::Unique<cudaGraphExec_t, cudaGraphExecDestroy> executable;
  float host = 1.0F;
  check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal));
  check(cudaMemcpyAsync(to, &host, 4, cudaMemcpyDefault, stream_.get()));
  check(cudaStreamEndCapture(stream_.get(), graph.receive()));
  check(cudaGraphInstantiate(executable.receive(), graph.get(), 0));
  check(cudaGraphLaunch(executable.get(), stream_.get()));
  wait();
  host = 2.0F;
  check(cudaGraphLaunch(executable.get(), stream_.get()));
  EXPECT_THAT([&] { wait(); }, violation("changed before the copy"));
}

}  // namespace
}  // namespace penchant::fake_cuda
