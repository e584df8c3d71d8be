// SPDX-License-Identifier: Apache-2.0
// Construction, memory and copies of the CUDA backend.
#include "kernels/cuda/cuda_backend.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dnn_convolution.h"

namespace penchant::kernels::cuda {

namespace {

std::string describe_device(int device_index) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device_index));
  char text[128];
  std::snprintf(text, sizeof text, ", sm_%d%d, %.1f GiB, %d multiprocessors", properties.major,
                properties.minor, static_cast<double>(properties.totalGlobalMem) / (1 << 30),
                properties.multiProcessorCount);
  return std::string(properties.name) + text;
}

}  // namespace

CudaBackend::CudaBackend(const CudaOptions& options, int device_index)
    : options_(options),
      device_index_(device_index),
      stream_(device_index),
      staging_(stream_.get()),
      blas_workspace_(stream_),
      offsets_(stream_),
      product_(stream_),
      sums_(stream_),
      probabilities_(stream_),
      iota_(stream_),
      sort_(stream_),
      unfolded_(stream_),
      convolution_(stream_),
      ranking_(stream_) {
  description_ = describe_device(device_index_);
  // Memory that is given back stays with the process: a later allocation is a pointer operation.
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, device_index_));
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep));

  // cuDNN's recurrent layers use cuBLAS on streams of their own; without a fixed workspace their
  // bits may differ from run to run (cuBLAS manual, "Results reproducibility").
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  check(cublasCreate(blas_.receive()));
  check(cublasSetStream(blas_.get(), stream_.get()));
  check(cublasSetWorkspace(blas_.get(), blas_workspace_.reserve<char>(kBlasWorkspaceBytes),
                           static_cast<std::size_t>(kBlasWorkspaceBytes)));
  check(cublasSetMathMode(blas_.get(),
                          options_.tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH));
  products_ =
      std::make_unique<ProductPlans>(static_cast<std::size_t>(kBlasWorkspaceBytes), options_.tf32);
  check(cusparseCreate(sparse_.receive()));
  check(cusparseSetStream(sparse_.get(), stream_.get()));
}

CudaBackend::~CudaBackend() { static_cast<void>(cudaStreamSynchronize(stream_.get())); }

void CudaBackend::sync() {
  require_no_recording(stream_.get());
  check(cudaStreamSynchronize(stream_.get()));
}

cudnnHandle_t CudaBackend::dnn() {
  if (!dnn_) {
    release_unused_memory();
    check(cudnnCreate(dnn_.receive()));
    check(cudnnSetStream(dnn_.get(), stream_.get()));
  }
  return dnn_.get();
}

cusolverDnHandle_t CudaBackend::solver() {
  if (!solver_) {
    release_unused_memory();
    check(cusolverDnCreate(solver_.receive()));
    check(cusolverDnSetStream(solver_.get(), stream_.get()));
  }
  return solver_.get();
}

std::string CudaBackend::description() const {
  if (overflow_bytes_ == 0) return description_;
  char text[96];
  std::snprintf(text, sizeof text, "; %.1f GiB found no place on it and lie in host memory: slow",
                static_cast<double>(overflow_bytes_) / (1 << 30));
  return description_ + text;
}

// What does not fit in device memory lies in pinned host memory, which the device reaches under the
// same address. Pinned memory is given back at once, so that all work must have ended.
Memory CudaBackend::allocate(std::int64_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes < 0) throw std::bad_alloc();
  require_no_recording(stream_.get());
  const auto size = static_cast<std::size_t>(bytes);
  void* data = nullptr;
  cudaError_t status = cudaErrorMemoryAllocation;
  const bool wanted = options_.table_bytes == 0 || bytes <= options_.table_bytes;
  if (wanted) {
    status = cudaMallocAsync(&data, size, stream_.get());
    if (status == cudaErrorMemoryAllocation) forget_error();
  }
  const bool pinned = status == cudaErrorMemoryAllocation;
  check(pinned ? cudaMallocHost(&data, size) : status);
  if (pinned && wanted) overflow_bytes_ += bytes;
  Memory memory(data, [pinned, stream = stream_](void* owned) noexcept {
    if (!pinned)
      stream.give_back(owned);
    else if (cudaDeviceSynchronize() != cudaSuccess || cudaFreeHost(owned) != cudaSuccess)
      forget_error();
  });
  check(cudaMemsetAsync(data, 0, size, stream_.get()));
  return memory;
}

template <typename T>
void CudaBackend::copy_matrix(MatrixView<const T> from, MatrixView<T> to) {
  if (from.rows != to.rows || from.cols != to.cols) {
    refuse("copy",
           "to is " + shape(to.rows, to.cols) + ", expected " + shape(from.rows, from.cols));
  }
  constexpr auto kBytes = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t row_bytes = from.cols * kBytes;
  if (from.rows == 0 || row_bytes == 0) return;
  const ByteRows<const char> source{reinterpret_cast<const char*>(from.data), from.stride * kBytes};
  const ByteRows<char> target{reinterpret_cast<char*>(to.data), to.stride * kBytes};
  const bool from_host = from.device == Device::cpu;
  const bool to_host = to.device == Device::cpu;
  if (from_host && to_host) {
    for (std::int64_t row = 0; row < from.rows; ++row) {
      std::memcpy(target.data + row * target.stride, source.data + row * source.stride,
                  static_cast<std::size_t>(row_bytes));
    }
  } else if (from_host) {
    staging_.to_device(source, target, from.rows, row_bytes);
  } else if (to_host) {
    staging_.to_host(source, target, from.rows, row_bytes);
  } else if (from.rows == 1 || (source.stride == row_bytes && target.stride == row_bytes)) {
    check(cudaMemcpyAsync(target.data, source.data, static_cast<std::size_t>(from.rows * row_bytes),
                          cudaMemcpyDefault, stream_.get()));
  } else {  // a strided copy of the driver moves narrow columns row by row
    static_assert(sizeof(T) == sizeof(float), "the kernel moves 32 bits");
    copy_rows({reinterpret_cast<const float*>(from.data), from.rows, from.cols, from.stride,
               Device::cuda},
              {reinterpret_cast<float*>(to.data), to.rows, to.cols, to.stride, Device::cuda});
  }
}

void CudaBackend::copy(ConstFloatView from, FloatView to) { copy_matrix<float>(from, to); }

void CudaBackend::copy(VectorView<const float> from, VectorView<float> to) {
  copy_matrix<float>({from.data, 1, from.size, from.size, from.device},
                     {to.data, 1, to.size, to.size, to.device});
}

void CudaBackend::copy(IdView from, VectorView<graph::NodeId> to) {
  copy_matrix<graph::NodeId>({from.data, 1, from.size, from.size, from.device},
                             {to.data, 1, to.size, to.size, to.device});
}

DeviceSegments CudaBackend::upload(const Segments& segments) {
  const auto count = static_cast<std::int64_t>(segments.offsets.size());
  auto* memory = offsets_.reserve<std::int64_t>(count);
  staging_.upload(segments.offsets.data(), memory, count);
  return {memory, count - 1};
}

}  // namespace penchant::kernels::cuda
