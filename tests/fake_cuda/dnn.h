// SPDX-License-Identifier: Apache-2.0
// What the parts of the stand-in for cuDNN share: dnn.cc, recurrence.cc and convolution.cc.
#pragma once

#include <cudnn.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/fake_cuda/world.h"

struct cudnnContext {
  cudaStream_t stream = nullptr;
};
struct cudnnTensorStruct {
  std::vector<std::int64_t> dims;

  std::int64_t size() const {
    std::int64_t product = 1;
    for (const std::int64_t dim : dims) product *= dim;
    return product;
  }
};
struct cudnnFilterStruct : cudnnTensorStruct {};
struct cudnnDropoutStruct {
  bool set = false;
};

namespace penchant::fake_cuda {

inline cudnnStatus_t enqueue_dnn(cudnnHandle_t handle, Operation operation) {
  World& world = World::get();
  return world.enqueue(world.stream_of(handle->stream), std::move(operation)) == cudaSuccess
             ? CUDNN_STATUS_SUCCESS
             : CUDNN_STATUS_EXECUTION_FAILED;
}

/// What cudnnGetLastErrorString says.
inline std::string& dnn_reason() {
  static std::string reason;
  return reason;
}

inline cudnnStatus_t refuse_dnn(cudnnStatus_t status, std::string reason) {
  dnn_reason() = std::move(reason);
  return status;
}

}  // namespace penchant::fake_cuda
