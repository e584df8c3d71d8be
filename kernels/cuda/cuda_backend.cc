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

StreamHandle make_stream(int device_index) {
  check(cudaSetDevice(device_index));
  StreamHandle stream;
  check(cudaStreamCreate(stream.receive()));
  return stream;
}

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
      stream_(make_stream(device_index)),
      staging_(stream_.get()),
      blas_workspace_(stream_.get()),
      offsets_(stream_.get()),
      product_(stream_.get()),
      sums_(stream_.get()),
      probabilities_(stream_.get()),
      iota_(stream_.get()),
      sort_(stream_.get()),
      unfolded_(stream_.get()),
      convolution_(stream_.get()),
      ranking_(stream_.get()) {
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
    check(cudnnCreate(dnn_.receive()));
    check(cudnnSetStream(dnn_.get(), stream_.get()));
  }
  return dnn_.get();
}

// What does not fit in device memory lies in pinned host memory, which the device reaches under the
// same address. An owner may outlive the stream: memory is given back on the legacy default stream,
// which waits for all work that was enqueued on blocking streams before, and work enqueued there
// later waits for it. Pinned memory is given back at once, so that all work must have ended.
Memory CudaBackend::allocate(std::int64_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes < 0) throw std::bad_alloc();
  require_no_recording(stream_.get());
  const auto size = static_cast<std::size_t>(bytes);
  void* data = nullptr;
  cudaError_t status = cudaErrorMemoryAllocation;
  if (options_.table_bytes == 0 || bytes <= options_.table_bytes) {
    status = cudaMallocAsync(&data, size, stream_.get());
    if (status == cudaErrorMemoryAllocation) static_cast<void>(cudaGetLastError());
  }
  const bool pinned = status == cudaErrorMemoryAllocation;
  check(pinned ? cudaMallocHost(&data, size) : status);
  Memory memory(data, [pinned](void* owned) noexcept {
    if (pinned) {
      static_cast<void>(cudaDeviceSynchronize());
      static_cast<void>(cudaFreeHost(owned));
    } else {
      static_cast<void>(cudaFreeAsync(owned, cudaStreamLegacy));
    }
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
  } else {
    check(cudaMemcpy2DAsync(target.data, static_cast<std::size_t>(target.stride), source.data,
                            static_cast<std::size_t>(source.stride),
                            static_cast<std::size_t>(row_bytes),
                            static_cast<std::size_t>(from.rows), cudaMemcpyDefault, stream_.get()));
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
