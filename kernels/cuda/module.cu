// SPDX-License-Identifier: Apache-2.0
// The module's entry points and the reasons why a GPU may not be usable.
#include <cuda_runtime.h>

#include <cstdio>
#include <string>
#include <vector>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/graph_build.h"
#include "kernels/cuda_interface.h"
#include "kernels/cuda_module.h"

namespace penchant::kernels::cuda {

namespace {

/// Asked whether the device has code of this module.
__global__ void probe_kernel() {}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string architecture(const cudaDeviceProp& properties) {
  return "sm_" + std::to_string(properties.major) + std::to_string(properties.minor);
}

std::string status() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    return "no NVIDIA driver is installed";
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorInsufficientDriver) {
    return "the NVIDIA driver is too old: it supports CUDA " + version_text(driver) +
           ", this module needs " + version_text(CUDART_VERSION);
  }
  if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
    return "the NVIDIA driver lists no GPU";
  if (error != cudaSuccess)
    return std::string("the GPU cannot be used: ") + cudaGetErrorString(error);
  cudaFuncAttributes attributes;
  const cudaError_t code =
      cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(probe_kernel));
  if (code == cudaSuccess) return kCudaAvailable;
  static_cast<void>(cudaGetLastError());
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    cudaDeviceProp properties;
    const bool known = cudaGetDeviceProperties(&properties, 0) == cudaSuccess;
    return "the GPU is " +
           (known ? properties.name + (", " + architecture(properties)) : "of another kind") +
           "; this module has code for " + PENCHANT_CUDA_ARCHITECTURES;
  }
  return std::string("the GPU cannot be used: ") + cudaGetErrorString(code);
}

std::vector<std::string> devices() {
  std::vector<std::string> lines;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return lines;
  }
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties;
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) continue;
    char memory[32];
    std::snprintf(memory, sizeof memory, ", %.1f GiB",
                  static_cast<double>(properties.totalGlobalMem) / (1 << 30));
    lines.push_back(properties.name + (", " + architecture(properties)) + memory);
  }
  return lines;
}

std::unique_ptr<Backend> make(const CudaOptions& options, int device_index) {
  int count = 0;
  check(cudaGetDeviceCount(&count));
  if (device_index < 0 || device_index >= count) {
    throw InputError("device " + std::to_string(device_index) +
                     " was asked for; the driver lists " + std::to_string(count) +
                     (count == 1 ? " GPU" : " GPUs"));
  }
  return std::make_unique<CudaBackend>(options, device_index);
}

constexpr CudaModule kModule = {
    status,
    devices,
    make,
    csr_from_entries_on_device,
    transpose_on_device,
    normalize_symmetric_on_device,
};

}  // namespace

}  // namespace penchant::kernels::cuda

extern "C" __attribute__((visibility("default"))) const char* penchant_cuda_interface() {
  return penchant::kernels::kCudaInterface;
}

extern "C" __attribute__((visibility("default"))) const penchant::kernels::CudaModule*
penchant_cuda_module() {
  return &penchant::kernels::cuda::kModule;
}
