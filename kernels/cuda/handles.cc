// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/handles.h"

#include <new>
#include <string>

#include "graph/error.h"
#include "kernels/cuda/step_recorder.h"

namespace penchant::kernels::cuda {

namespace {

[[noreturn]] void fail(const std::string& library, const std::string& status,
                       const std::source_location& where) {
  throw DeviceError(library + ": " + status + ", called from " + where.function_name() + " (" +
                    where.file_name() + ":" + std::to_string(where.line()) + ")");
}

const char* name_of(cusolverStatus_t status) {
  switch (status) {
    case CUSOLVER_STATUS_NOT_INITIALIZED:
      return "CUSOLVER_STATUS_NOT_INITIALIZED";
    case CUSOLVER_STATUS_ALLOC_FAILED:
      return "CUSOLVER_STATUS_ALLOC_FAILED";
    case CUSOLVER_STATUS_INVALID_VALUE:
      return "CUSOLVER_STATUS_INVALID_VALUE";
    case CUSOLVER_STATUS_ARCH_MISMATCH:
      return "CUSOLVER_STATUS_ARCH_MISMATCH";
    case CUSOLVER_STATUS_EXECUTION_FAILED:
      return "CUSOLVER_STATUS_EXECUTION_FAILED";
    case CUSOLVER_STATUS_INTERNAL_ERROR:
      return "CUSOLVER_STATUS_INTERNAL_ERROR";
    default:
      return "another status";
  }
}

}  // namespace

void check(cudaError_t status, const std::source_location& where) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // reported here, not again by the next launch
  if (status == cudaErrorMemoryAllocation) throw std::bad_alloc();
  fail("CUDA", std::string(cudaGetErrorName(status)) + ", " + cudaGetErrorString(status), where);
}

void check(cublasStatus_t status, const std::source_location& where) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  fail("cuBLAS", cublasGetStatusName(status), where);
}

void check(cusparseStatus_t status, const std::source_location& where) {
  if (status == CUSPARSE_STATUS_SUCCESS) return;
  fail("cuSPARSE",
       std::string(cusparseGetErrorName(status)) + ", " + cusparseGetErrorString(status), where);
}

void check(cusolverStatus_t status, const std::source_location& where) {
  if (status == CUSOLVER_STATUS_SUCCESS) return;
  fail("cuSOLVER", std::string(name_of(status)) + " (" + std::to_string(status) + ")", where);
}

void check(cudnnStatus_t status, const std::source_location& where) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char reason[512] = {};
  cudnnGetLastErrorString(reason, sizeof reason);
  fail("cuDNN", std::string(cudnnGetErrorString(status)) + (reason[0] == '\0' ? "" : ", ") + reason,
       where);
}

Event make_event() {
  Event event;
  check(cudaEventCreateWithFlags(event.receive(), cudaEventDisableTiming));
  return event;
}

void release_unused_memory() {
  int device = 0;
  cudaMemPool_t pool = nullptr;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetDefaultMemPool(&pool, device));
  check(cudaMemPoolTrimTo(pool, 0));
}

SharedStream::SharedStream(int device_index) : state_(std::make_shared<State>()) {
  check(cudaSetDevice(device_index));
  check(cudaStreamCreate(state_->stream.receive()));
}

SharedStream::State::~State() {
  for (void* memory : retired) static_cast<void>(cudaFreeAsync(memory, stream.get()));
}

void SharedStream::give_back(void* memory) const noexcept {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  if (cudaStreamIsCapturing(get(), &status) != cudaSuccess) forget_error();
  if (status == cudaStreamCaptureStatusNone) {
    if (cudaFreeAsync(memory, get()) != cudaSuccess) forget_error();
    return;
  }
  try {
    state_->retired.push_back(memory);
  } catch (const std::bad_alloc&) {  // the device's memory is lost with the host's
  }
}

void SharedStream::give_back_retired() const noexcept {
  for (void* memory : std::exchange(state_->retired, {})) give_back(memory);
}

Scratch::~Scratch() {
  if (memory_ != nullptr) stream_.give_back(memory_);
}

void require_no_recording(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &status));
  if (status != cudaStreamCaptureStatusNone) throw NotRecordable();
}

void* Scratch::reserve_bytes(std::int64_t bytes) {
  if (bytes <= bytes_) return bytes == 0 ? nullptr : memory_;
  require_no_recording(stream_.get());
  if (memory_ != nullptr) check(cudaFreeAsync(std::exchange(memory_, nullptr), stream_.get()));
  bytes_ = 0;
  check(cudaMallocAsync(&memory_, static_cast<std::size_t>(bytes), stream_.get()));
  bytes_ = bytes;
  return memory_;
}

}  // namespace penchant::kernels::cuda
