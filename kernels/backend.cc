// SPDX-License-Identifier: Apache-2.0
// Chooses the backend. The one place that will know whether the CUDA module was built.
#include "kernels/backend.h"

#include <cstdlib>
#include <string>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/cpu/cpu_backend.h"

namespace penchant::kernels {

std::string cuda_status() { return "this build has no CUDA module"; }

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
  if (choice_from_environment(options.device) == DeviceChoice::cuda) {
    throw DeviceError("device 'cuda' was asked for: " + cuda_status());
  }
  return std::make_unique<CpuBackend>(options.num_threads);
}

}  // namespace penchant::kernels
