// SPDX-License-Identifier: Apache-2.0
// Symmetric eigenproblems by cuSOLVER's divide and conquer in double, as on the CPU: the Gram
// matrices that it is used for square the condition number of their tables. No training step needs
// it, so it may wait and allocate; the matrix goes through the host, where its elements are checked
// and widened.
#include <cmath>
#include <vector>

#include "graph/ids.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

void CudaBackend::symmetric_eigen(ConstFloatView a, VectorView<float> values, FloatView vectors) {
  const std::int64_t n = values.size;
  require_device("symmetric_eigen", "values", values);
  require_shape("symmetric_eigen", "a", a, n, n);
  require_shape("symmetric_eigen", "vectors", vectors, n, n);
  if (n == 0) return;
  const auto extent = static_cast<std::size_t>(n);
  std::vector<float> narrow(extent * extent);
  const FloatView on_host(narrow.data(), n, n, n, Device::cpu);
  copy(a, on_host);
  std::vector<double> matrix(narrow.size());
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) {
      if (!std::isfinite(on_host(i, j))) {
        refuse("symmetric_eigen", "element (" + std::to_string(i) + ", " + std::to_string(j) +
                                      ") is " + std::to_string(on_host(i, j)) + ", not finite");
      }
      matrix[static_cast<std::size_t>(i * n + j)] = static_cast<double>(on_host(i, j));
    }
  }

  SolverParameters parameters;
  check(cusolverDnCreateParams(parameters.receive()));
  // The row-major lower triangle is cuSOLVER's upper one.
  constexpr cublasFillMode_t kTriangle = CUBLAS_FILL_MODE_UPPER;
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  check(cusolverDnXsyevd_bufferSize(solver(), parameters.get(), CUSOLVER_EIG_MODE_VECTOR, kTriangle,
                                    n, CUDA_R_64F, nullptr, n, CUDA_R_64F, nullptr, CUDA_R_64F,
                                    &device_bytes, &host_bytes));
  Scratch memory(stream_);
  Scratch workspace(stream_);
  auto* device_matrix = memory.reserve<double>(n * n + n + 1);
  double* device_values = device_matrix + n * n;
  auto* info = reinterpret_cast<int*>(device_values + n);
  std::vector<char> host_workspace(host_bytes);
  staging_.upload(matrix.data(), device_matrix, n * n);
  check(cusolverDnXsyevd(solver(), parameters.get(), CUSOLVER_EIG_MODE_VECTOR, kTriangle, n,
                         CUDA_R_64F, device_matrix, n, CUDA_R_64F, device_values, CUDA_R_64F,
                         workspace.reserve<char>(static_cast<std::int64_t>(device_bytes)),
                         device_bytes, host_workspace.data(), host_bytes, info));
  std::vector<double> ascending(extent);
  int status = 0;
  const auto download = [&](const void* from, void* to, std::size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_.get()));
  };
  download(device_matrix, matrix.data(), matrix.size() * sizeof(double));
  download(device_values, ascending.data(), extent * sizeof(double));
  download(info, &status, sizeof status);
  sync();
  if (status != 0)
    throw DeviceError("symmetric_eigen: cusolverDnXsyevd returned " + std::to_string(status));

  std::vector<float> descending(extent);
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t from = n - 1 - j;
    descending[static_cast<std::size_t>(j)] =
        static_cast<float>(ascending[static_cast<std::size_t>(from)]);
    for (std::int64_t i = 0; i < n; ++i)
      on_host(i, j) = static_cast<float>(matrix[static_cast<std::size_t>(from * n + i)]);
  }
  copy(VectorView<const float>(descending.data(), n, Device::cpu), values);
  copy(ConstFloatView(on_host), vectors);
}

}  // namespace penchant::kernels::cuda
