// SPDX-License-Identifier: Apache-2.0
// The stand-in for cuSOLVER's symmetric eigenproblem in double: Jacobi's rotations on the triangle
// that is named (the other one is not read), values ascending, vectors in the columns.
#include <cusolverDn.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/fake_cuda/world.h"

using penchant::fake_cuda::Operation;
using penchant::fake_cuda::span;
using penchant::fake_cuda::World;

struct cusolverDnContext {
  cudaStream_t stream = nullptr;
};
struct cusolverDnParams {};

namespace {

constexpr std::size_t kHostBytes = 64;

std::size_t device_workspace(std::int64_t n) { return static_cast<std::size_t>(n * n) * 8 + 256; }

/// a: symmetric, its lower triangle counts; becomes diagonal. v: the rotations.
void diagonalise(std::vector<double>& a, std::vector<double>& v, std::size_t n) {
  for (int sweep = 0; sweep < 60; ++sweep) {
    double off = 0.0;
    double all = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        all += a[i * n + j] * a[i * n + j];
        if (i != j) off += a[i * n + j] * a[i * n + j];
      }
    }
    if (off <= 1e-30 * all) return;
    for (std::size_t p = 0; p + 1 < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        const double apq = a[p * n + q];
        if (apq == 0.0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
        const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1.0 / std::hypot(t, 1.0);
        const double s = t * c;
        for (std::size_t k = 0; k < n; ++k) {
          const double kp = a[k * n + p];
          const double kq = a[k * n + q];
          a[k * n + p] = c * kp - s * kq;
          a[k * n + q] = s * kp + c * kq;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double pk = a[p * n + k];
          const double qk = a[q * n + k];
          a[p * n + k] = c * pk - s * qk;
          a[q * n + k] = s * pk + c * qk;
          const double vp = v[k * n + p];
          const double vq = v[k * n + q];
          v[k * n + p] = c * vp - s * vq;
          v[k * n + q] = s * vp + c * vq;
        }
      }
    }
  }
}

}  // namespace

extern "C" {

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  *handle = new cusolverDnContext;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  delete handle;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  handle->stream = stream;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* parameters) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  *parameters = new cusolverDnParams;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t parameters) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  delete parameters;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXsyevd_bufferSize(
    cusolverDnHandle_t /*handle*/, cusolverDnParams_t /*parameters*/, cusolverEigMode_t /*mode*/,
    cublasFillMode_t /*triangle*/, std::int64_t n, cudaDataType /*type*/, const void* /*a*/,
    std::int64_t /*stride*/, cudaDataType /*value_type*/, const void* /*values*/,
    cudaDataType /*compute*/, std::size_t* device_bytes, std::size_t* host_bytes) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  *device_bytes = device_workspace(n);
  *host_bytes = kHostBytes;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t handle, cusolverDnParams_t /*parameters*/,
                                  cusolverEigMode_t mode, cublasFillMode_t triangle, std::int64_t n,
                                  cudaDataType type, void* a, std::int64_t stride,
                                  cudaDataType value_type, void* values, cudaDataType compute,
                                  void* device_buffer, std::size_t device_bytes, void* host_buffer,
                                  std::size_t host_bytes, int* info) {
  PENCHANT_FAKE_ANSWER(cusolverStatus_t);
  if (mode != CUSOLVER_EIG_MODE_VECTOR || type != CUDA_R_64F || value_type != CUDA_R_64F ||
      compute != CUDA_R_64F || stride < n || device_bytes < device_workspace(n) ||
      host_bytes < kHostBytes)
    return CUSOLVER_STATUS_INVALID_VALUE;
  World& world = World::get();
  auto* matrix = static_cast<double*>(a);
  auto* eigenvalues = static_cast<double*>(values);
  Operation operation;
  operation.name = __func__;
  operation.operands = {
      span(matrix, n * stride), span(eigenvalues, n), span(info, 1), {device_buffer, device_bytes}};
  operation.host = {{host_buffer, host_bytes}};
  operation.run = [=] {
    const auto size = static_cast<std::size_t>(n);
    std::fill_n(static_cast<char*>(host_buffer), host_bytes, '\x5A');
    std::vector<double> full(size * size);
    std::vector<double> vectors(size * size, 0.0);
    for (std::int64_t j = 0; j < n; ++j) {
      vectors[static_cast<std::size_t>(j * n + j)] = 1.0;
      for (std::int64_t i = 0; i < n; ++i) {
        const bool upper = triangle == CUBLAS_FILL_MODE_UPPER;
        const std::int64_t row = upper ? std::min(i, j) : std::max(i, j);
        const std::int64_t col = upper ? std::max(i, j) : std::min(i, j);
        full[static_cast<std::size_t>(i * n + j)] = matrix[row + col * stride];
      }
    }
    diagonalise(full, vectors, size);
    std::vector<std::size_t> order(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
      return full[x * size + x] < full[y * size + y];
    });
    for (std::int64_t j = 0; j < n; ++j) {
      const std::size_t from = order[static_cast<std::size_t>(j)];
      eigenvalues[j] = full[from * size + from];
      for (std::int64_t i = 0; i < n; ++i)
        matrix[i + j * stride] = vectors[static_cast<std::size_t>(i) * size + from];
    }
    *info = 0;
  };
  return world.enqueue(world.stream_of(handle->stream), std::move(operation)) == cudaSuccess
             ? CUSOLVER_STATUS_SUCCESS
             : CUSOLVER_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
