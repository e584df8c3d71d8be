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
  fail("cuDNN", cudnnGetErrorString(status), where);
}

Event make_event() {
  Event event;
  check(cudaEventCreateWithFlags(event.receive(), cudaEventDisableTiming));
  return event;
}

Scratch::~Scratch() {
  if (memory_ != nullptr) static_cast<void>(cudaFreeAsync(memory_, stream_));
}

void require_no_recording(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &status));
  if (status != cudaStreamCaptureStatusNone) throw NotRecordable();
}

void* Scratch::reserve_bytes(std::int64_t bytes) {
  if (bytes <= bytes_) return bytes == 0 ? nullptr : memory_;
  require_no_recording(stream_);
  if (memory_ != nullptr) check(cudaFreeAsync(std::exchange(memory_, nullptr), stream_));
  bytes_ = 0;
  check(cudaMallocAsync(&memory_, static_cast<std::size_t>(bytes), stream_));
  bytes_ = bytes;
  return memory_;
}

}  // namespace penchant::kernels::cuda
