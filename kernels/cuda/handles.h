// SPDX-License-Identifier: Apache-2.0
// Statuses and handles of the CUDA runtime and its libraries: check() throws DeviceError that names
// call site and status, Unique<> owns a handle from the call that makes it on.
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <cusolverDn.h>
#include <cusparse.h>

#include <cstdint>
#include <memory>
#include <source_location>
#include <utility>
#include <vector>

namespace penchant::kernels::cuda {

void check(cudaError_t status, const std::source_location& where = std::source_location::current());
void check(cublasStatus_t status,
           const std::source_location& where = std::source_location::current());
void check(cusparseStatus_t status,
           const std::source_location& where = std::source_location::current());
void check(cusolverStatus_t status,
           const std::source_location& where = std::source_location::current());
void check(cudnnStatus_t status,
           const std::source_location& where = std::source_location::current());

/// Takes back the error that a CUDA call whose status is ignored has left, so that the next launch
/// is not blamed for it.
inline void forget_error() { static_cast<void>(cudaGetLastError()); }

/// Owns a handle; kDestroy's status is ignored, as a destructor has nobody to tell.
template <typename Handle, auto kDestroy>
class Unique {
 public:
  Unique() = default;
  ~Unique() { reset(); }
  Unique(Unique&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
  Unique& operator=(Unique&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Unique(const Unique&) = delete;
  Unique& operator=(const Unique&) = delete;

  Handle get() const { return handle_; }
  explicit operator bool() const { return handle_ != Handle{}; }
  /// Where a create function puts the handle; a handle held before is destroyed.
  Handle* receive() {
    reset();
    return &handle_;
  }

 private:
  void reset() {
    if (handle_ == Handle{}) return;
    using Status = decltype(kDestroy(handle_));
    if (kDestroy(std::exchange(handle_, Handle{})) != Status{}) forget_error();
  }

  Handle handle_{};
};

using StreamHandle = Unique<cudaStream_t, cudaStreamDestroy>;
using Event = Unique<cudaEvent_t, cudaEventDestroy>;
using PinnedMemory = Unique<void*, cudaFreeHost>;
using BlasHandle = Unique<cublasHandle_t, cublasDestroy>;
using ProductHandle = Unique<cublasLtHandle_t, cublasLtDestroy>;
using ProductDescriptor = Unique<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using ProductPreference = Unique<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;
using SparseHandle = Unique<cusparseHandle_t, cusparseDestroy>;
using SparseDescriptor = Unique<cusparseSpMatDescr_t, cusparseDestroySpMat>;
using DenseDescriptor = Unique<cusparseDnMatDescr_t, cusparseDestroyDnMat>;
using SolverHandle = Unique<cusolverDnHandle_t, cusolverDnDestroy>;
using SolverParameters = Unique<cusolverDnParams_t, cusolverDnDestroyParams>;
using DnnHandle = Unique<cudnnHandle_t, cudnnDestroy>;
using RnnDescriptor = Unique<cudnnRNNDescriptor_t, cudnnDestroyRNNDescriptor>;
using RnnDataDescriptor = Unique<cudnnRNNDataDescriptor_t, cudnnDestroyRNNDataDescriptor>;
using TensorDescriptor = Unique<cudnnTensorDescriptor_t, cudnnDestroyTensorDescriptor>;
using FilterDescriptor = Unique<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Unique<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;
using DropoutDescriptor = Unique<cudnnDropoutDescriptor_t, cudnnDestroyDropoutDescriptor>;

/// An event without timing, for order between streams and for waiting on the host.
Event make_event();

/// Throws NotRecordable (step_recorder.h) while the stream records a graph: before what a graph
/// must not hold.
void require_no_recording(cudaStream_t stream);

/// What the device's pool keeps without use goes back to the driver: libraries that allocate by
/// themselves do not reach it.
void release_unused_memory();

/// A stream, and how memory that is ordered on it is given back: behind the work that still uses
/// it. Copies share it, so that owners of memory may outlive the backend.
class SharedStream {
 public:
  explicit SharedStream(int device_index);
  cudaStream_t get() const { return state_->stream.get(); }
  /// While the stream records a graph, which must not hold that, memory is kept until
  /// give_back_retired().
  void give_back(void* memory) const noexcept;
  /// Behind a recording.
  void give_back_retired() const noexcept;

 private:
  struct State {
    StreamHandle stream;
    std::vector<void*> retired;
    ~State();
  };
  std::shared_ptr<State> state_;
};

/// Device memory that grows and is reused. Ordered on one stream: what it held before is given back
/// behind the work that still uses it, so that growing does not wait.
class Scratch {
 public:
  explicit Scratch(SharedStream stream) : stream_(std::move(stream)) {}
  ~Scratch();
  Scratch(Scratch&& other) noexcept
      : stream_(other.stream_),
        memory_(std::exchange(other.memory_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Scratch& operator=(Scratch&&) = delete;

  /// At least `count` elements with undefined values, 256-byte aligned; null for none.
  template <typename T>
  T* reserve(std::int64_t count) {
    return static_cast<T*>(reserve_bytes(count * static_cast<std::int64_t>(sizeof(T))));
  }
  /// What the last reserve gave.
  template <typename T>
  T* data() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* reserve_bytes(std::int64_t bytes);

  SharedStream stream_;
  void* memory_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace penchant::kernels::cuda
