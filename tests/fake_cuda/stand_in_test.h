// SPDX-License-Identifier: Apache-2.0
// What the tests of the CUDA backend on the stand-in share.
#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/csr.h"
#include "graph/error.h"
#include "kernels/cuda/cuda_backend.h"
#include "tests/fake_cuda/world.h"

namespace penchant::fake_cuda {

using kernels::Activation, kernels::Backend, kernels::ConstFloatView, kernels::CudaOptions;
using kernels::Device, kernels::FloatMatrix, kernels::FloatView, kernels::Transpose;
using kernels::Vector, kernels::VectorView, kernels::cuda::CudaBackend;
using testing::HasSubstr;

class StandIn : public testing::Test {
 protected:
  ~StandIn() override {
    EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "an error was left behind";
    const std::size_t pinned_bytes = world_.pinned_bytes;
    world_.device_bytes = pinned_bytes;
  }

  static FloatMatrix matrix(Backend& backend, std::int64_t rows, std::int64_t cols, float value) {
    FloatMatrix made = backend.matrix<float>(rows, cols);
    backend.fill(made.view(), value);
    return made;
  }
  static std::vector<float> download(Backend& backend, ConstFloatView view) {
    std::vector<float> values(static_cast<std::size_t>(view.rows * view.cols));
    backend.copy(view, FloatView(values.data(), view.rows, view.cols, view.cols, Device::cpu));
    return values;
  }
  /// Calls of a function while `work` runs.
  template <typename Work>
  std::int64_t calls(const std::string& function, Work work) {
    const std::int64_t before = world_.calls(function);
    work();
    return world_.calls(function) - before;
  }
  static auto device_error(const std::string& text) {
    return testing::ThrowsMessage<DeviceError>(HasSubstr(text));
  }

  World& world_ = World::get();
};

inline const CudaOptions kOptions;

/// Edges 0 -> 1 -> 2 -> 0, each of 2.
inline graph::Csr triangle() { return {3, 3, {0, 1, 2, 3}, {1, 2, 0}, {2.0F, 2.0F, 2.0F}}; }

}  // namespace penchant::fake_cuda
