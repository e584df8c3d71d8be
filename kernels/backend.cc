// SPDX-License-Identifier: Apache-2.0
// Chooses the backend.
#include "kernels/backend.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda_loader.h"
#include "kernels/host_threads.h"

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

std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view() : text;
}

/// 0 or 1, or nothing where the variable is not set.
std::optional<bool> switch_of(const char* name) {
  const std::string_view text = variable(name);
  if (text.empty()) return std::nullopt;
  if (text != "0" && text != "1")
    throw InputError(fmt::format("{} is '{}', expected 0 or 1", name, text));
  return text == "1";
}

/// 0 where the variable is not set.
std::int64_t bytes_of(const char* name) {
  const std::string_view text = variable(name);
  if (text.empty()) return 0;
  std::int64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size() || bytes < 0)
    throw InputError(fmt::format("{} is '{}', expected a number of bytes", name, text));
  return bytes;
}

CudaOptions options_from_environment(CudaOptions options) {
  if (const std::string_view name = variable("PENCHANT_SPMM");
      options.spmm == SpmmVariant::own && !name.empty()) {
    constexpr std::pair<std::string_view, SpmmVariant> kNames[] = {
        {"own", SpmmVariant::own},
        {"alg1", SpmmVariant::cusparse_alg1},
        {"alg2", SpmmVariant::cusparse_alg2},
        {"alg3", SpmmVariant::cusparse_alg3}};
    const auto* const known =
        std::find_if(std::begin(kNames), std::end(kNames),
                     [&](const auto& candidate) { return candidate.first == name; });
    if (known == std::end(kNames))
      throw InputError(
          fmt::format("PENCHANT_SPMM is '{}', expected own, alg1, alg2 or alg3", name));
    options.spmm = known->second;
  }
  if (const std::string_view name = variable("PENCHANT_CONVOLUTION");
      options.convolution == ConvolutionVariant::unfolded && !name.empty()) {
    if (name != "unfolded" && name != "cudnn")
      throw InputError(
          fmt::format("PENCHANT_CONVOLUTION is '{}', expected unfolded or cudnn", name));
    if (name == "cudnn") options.convolution = ConvolutionVariant::cudnn;
  }
  if (const auto text = switch_of("PENCHANT_TF32"); text && !options.tf32) options.tf32 = *text;
  options.graphs = switch_of("PENCHANT_CUDA_GRAPHS").value_or(false) && options.graphs;
  if (const auto text = switch_of("PENCHANT_STREAM_TABLES");
      text && options.table_streaming == TableStreaming::automatic)
    options.table_streaming = *text ? TableStreaming::on : TableStreaming::off;
  if (options.sparse_bytes == 0) options.sparse_bytes = bytes_of("PENCHANT_SPARSE_BYTES");
  if (options.table_bytes == 0) options.table_bytes = bytes_of("PENCHANT_TABLE_BYTES");
  return options;
}

}  // namespace

std::unique_ptr<Backend> make_backend(const BackendOptions& options) {
  const DeviceChoice choice = choice_from_environment(options.device);
  const CudaOptions cuda = options_from_environment(options.cuda);
  if (choice == DeviceChoice::cpu) return std::make_unique<CpuBackend>(options.num_threads);
  const LoadedCudaModule loaded = load_cuda_module();
  const std::string status = loaded.status();
  if (status == kCudaAvailable) {
    set_host_threads(options.num_threads);  // graphs, logs and rankings have parts on the host
    return loaded.module->make_backend(cuda);
  }
  if (choice == DeviceChoice::cuda) throw DeviceError("device 'cuda' was asked for: " + status);
  return std::make_unique<CpuBackend>(options.num_threads);
}

std::string cuda_status() { return load_cuda_module().status(); }

std::vector<std::string> cuda_devices() {
  const LoadedCudaModule loaded = load_cuda_module();
  return loaded.module == nullptr ? std::vector<std::string>{} : loaded.module->devices();
}

}  // namespace penchant::kernels
