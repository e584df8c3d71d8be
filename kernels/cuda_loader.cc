// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda_loader.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <dlfcn.h>
#include <link.h>

#include <fmt/core.h>

#include "kernels/cuda_interface.h"

namespace penchant::kernels {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "libpenchant_cuda.so";
constexpr const char* kDriver = "libcuda.so.1";
constexpr const char* kVariable = "PENCHANT_CUDA_MODULE";

/// The file that holds this code: the program that runs, or a library in another's process, such as
/// the Python package's extension module.
struct Holder {
  fs::path file;
  bool is_program = true;
};

Holder holder() {
  std::error_code ignored;
  Dl_info address;
  void* entry = nullptr;
  if (dladdr1(reinterpret_cast<void*>(&holder), &address, &entry, RTLD_DL_LINKMAP) != 0) {
    const fs::path library = static_cast<const link_map*>(entry)->l_name;  // none of the program
    if (!library.empty()) return {fs::absolute(library, ignored), false};
  }
  return {fs::read_symlink("/proc/self/exe", ignored), true};
}

/// Where the module may lie: in the folder of what holds this code, and beside a program also in an
/// installation's lib beside bin, or at the top of the build tree that a test was built in. Not in
/// any other folder above it: who unpacks the program in a place such as /tmp must not load what
/// others put there.
std::vector<fs::path> candidates(const Holder& beside) {
  if (beside.file.empty()) return {};
  std::error_code ignored;
  const fs::path folder = beside.file.parent_path();
  const fs::path above = folder.parent_path();
  std::vector<fs::path> files = {folder / kFile};
  if (!beside.is_program) return files;
  if (folder.filename() == "bin") files.push_back(above / PENCHANT_PRIVATE_LIBDIR / kFile);
  if (folder.filename() == "tests" && fs::exists(above / "CMakeCache.txt") &&
      (fs::status(above, ignored).permissions() & fs::perms::others_write) == fs::perms::none)
    files.push_back(above / kFile);
  return files;
}

std::string last_error() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error" : text;
}

template <typename Function>
Function symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

LoadedCudaModule load(const fs::path& file) {
  const auto refuse = [](std::string problem) { return LoadedCudaModule{nullptr, problem}; };
  // Now: a library that lacks a symbol would else end the process at its first call.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return refuse(fmt::format("the CUDA module could not be loaded: {}", last_error()));
  const auto interface = symbol<const char* (*)()>(library, kCudaInterfaceSymbol);
  const auto module = symbol<const CudaModule* (*)()>(library, kCudaModuleSymbol);
  if (interface == nullptr || module == nullptr)
    return refuse(fmt::format("{} is not a CUDA module of Penchant: it has no {}", file.string(),
                              interface == nullptr ? kCudaInterfaceSymbol : kCudaModuleSymbol));
  if (std::string_view(interface()) != kCudaInterface) {
    return refuse(
        fmt::format("{} is of another build: its interface is {}, expected {}; build or "
                    "install both together",
                    file.string(), interface(), kCudaInterface));
  }
  return {module(), {}};
}

}  // namespace

LoadedCudaModule load_cuda_module() {
  const char* named = std::getenv(kVariable);
  if (named != nullptr && *named != '\0') {
    if (!fs::exists(named))
      return {nullptr, fmt::format("{} names {}, which does not exist", kVariable, named)};
    return load(named);
  }
  const Holder beside = holder();
  const std::vector<fs::path> files = candidates(beside);
  for (const fs::path& file : files) {
    if (!fs::exists(file)) continue;
    void* driver = dlopen(kDriver, RTLD_LAZY | RTLD_LOCAL);
    if (driver == nullptr)
      return {nullptr, fmt::format("no NVIDIA driver: {} was not found", kDriver)};
    dlclose(driver);
    return load(file);
  }
  return {nullptr,
          fmt::format("this build has no CUDA module: there is no {} beside {} ({})", kFile,
                      beside.is_program ? "the program" : beside.file.filename().string(),
                      files.empty() ? "?" : files.front().parent_path().string())};
}

}  // namespace penchant::kernels
