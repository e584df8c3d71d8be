// SPDX-License-Identifier: Apache-2.0
// Chooses the backend.
#include "kernels/backend.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda_loader.h"

namespace penchant::kernels {

namespace {

DeviceChoice choice_from_environment(DeviceChoice choice) {
  const char* name = std::getenv("PENCHANT_DEVICE");
  if (choice != DeviceChoice::automatic || name == nullptr || *name == '\0') return choice;
  const std::string_view device(name);
  if (device == "cpu") return DeviceChoice::cpu;
  if (device == "cuda") return DeviceChoice::cuda;
  if (device == "auto") return DeviceChoice::automatic;
  throw InputError(fmt::format("PENCHANT_DEVICE is '{}', expected cpu, cuda or auto", device));
}

}  // namespace

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  const DeviceChoice choice = choice_from_environment(options.device);
  const CudaOptions cuda = options.cuda ? *options.cuda : cuda_options_from_environment();
  if (choice == DeviceChoice::cpu) return std::make_unique<CpuBackend>(options.num_threads);
  const LoadedCudaModule loaded = load_cuda_module();
  const std::string status = loaded.status();
  if (status == kCudaAvailable) return loaded.module->make_backend(cuda, options.device_index);
  if (choice == DeviceChoice::cuda) throw DeviceError("device 'cuda' was asked for: " + status);
  return std::make_unique<CpuBackend>(options.num_threads);
}

std::string cuda_status() { return load_cuda_module().status(); }

std::vector<std::string> cuda_devices() {
  const LoadedCudaModule loaded = load_cuda_module();
  return loaded.module == nullptr ? std::vector<std::string>{} : loaded.module->devices();
}

}  // namespace penchant::kernels
