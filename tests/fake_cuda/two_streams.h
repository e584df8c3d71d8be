// SPDX-License-Identifier: Apache-2.0
// Two streams of the stand-in and device memory, for tests that plant a fault in either of its
// orders.
#pragma once

#include <cuda_runtime_api.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/handles.h"
#include "tests/fake_cuda/world.h"

namespace penchant::fake_cuda {

using kernels::cuda::check;

/// Two streams and device memory, in either order of the stand-in.
class TwoStreams : public testing::TestWithParam<Order> {
 protected:
  TwoStreams() {
    world_.order = GetParam();
    check(cudaStreamCreate(stream_.receive()));
    check(cudaStreamCreateWithFlags(other_.receive(), cudaStreamNonBlocking));
  }
  ~TwoStreams() override {
    // What a fault has left in the queues.
    for (const cudaStream_t stream : {stream_.get(), other_.get()}) {
      stream->state->queue.clear();
      stream->state->done = stream->state->enqueued;
    }
    static_cast<void>(cudaGetLastError());
    world_.order = Order::lazy;
  }

  float* device(std::int64_t count) {
    void* memory = nullptr;
    check(cudaMallocAsync(&memory, static_cast<std::size_t>(count) * sizeof(float), stream_.get()));
    return static_cast<float*>(memory);
  }
  float* uploaded(const std::vector<float>& values) {
    float* memory = device(std::ssize(values));
    check(cudaMemcpyAsync(memory, values.data(), values.size() * sizeof(float), cudaMemcpyDefault,
                          stream_.get()));
    wait();
    return memory;
  }
  std::vector<float> downloaded(const float* memory, std::size_t count) {
    std::vector<float> values(count);
    check(cudaMemcpyAsync(values.data(), memory, count * sizeof(float), cudaMemcpyDefault,
                          stream_.get()));
    wait();
    return values;
  }
  void wait() { check(cudaStreamSynchronize(stream_.get())); }
  static auto violation(const char* text) {
    return testing::ThrowsMessage<Violation>(testing::HasSubstr(text));
  }

  World& world_ = World::get();
  kernels::cuda::StreamHandle stream_;
  kernels::cuda::StreamHandle other_;
};

}  // namespace penchant::fake_cuda

#define PENCHANT_INSTANTIATE_ORDERS(Suite)                                                  \
  INSTANTIATE_TEST_SUITE_P(                                                                 \
      Orders, Suite,                                                                        \
      testing::Values(penchant::fake_cuda::Order::lazy, penchant::fake_cuda::Order::eager), \
      [](const auto& order) {                                                               \
        return order.param == penchant::fake_cuda::Order::lazy ? "lazy" : "eager";          \
      })
