// SPDX-License-Identifier: Apache-2.0
// Why the GPU is not used: each way in which a module can be missing or wrong has a message of its
// own, and none of them ends the program.
#include "kernels/cuda_loader.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/support/temporary_file.h"

namespace penchant::kernels {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// PENCHANT_CUDA_MODULE for one scope.
class ModuleVariable {
 public:
  explicit ModuleVariable(const std::string& value) {
    if (const char* before = std::getenv(kName)) before_ = before;
    setenv(kName, value.c_str(), 1);
  }
  ~ModuleVariable() { before_.empty() ? unsetenv(kName) : setenv(kName, before_.c_str(), 1); }
  ModuleVariable(const ModuleVariable&) = delete;
  ModuleVariable& operator=(const ModuleVariable&) = delete;

 private:
  static constexpr const char* kName = "PENCHANT_CUDA_MODULE";
  std::string before_;
};

std::string status_with(const std::string& file) {
  const ModuleVariable module(file);
  const std::string status = cuda_status();
  EXPECT_TRUE(cuda_devices().empty()) << "no module, no devices";
  EXPECT_EQ(make_backend({})->device(), Device::cpu) << "automatic goes on without the GPU";
  BackendOptions cuda;
  cuda.device = DeviceChoice::cuda;
  EXPECT_THROW(make_backend(cuda), DeviceError);
  return status;
}

TEST(CudaLoader, NamesAFileThatDoesNotExist) {
  EXPECT_THAT(status_with("/nowhere/libpenchant_cuda.so"),
              AllOf(HasSubstr("/nowhere/libpenchant_cuda.so"), HasSubstr("does not exist")));
}

TEST(CudaLoader, NamesAFileThatIsNoLibrary) {
  const support::TemporaryFile file("text\n");
  const std::string name = file.path().string();
  EXPECT_THAT(status_with(name), AllOf(HasSubstr(name), HasSubstr("could not be loaded")));
}

TEST(CudaLoader, RefusesALibraryOfAnotherKind) {
  EXPECT_THAT(status_with(PENCHANT_FOREIGN_LIBRARY),
              AllOf(HasSubstr(PENCHANT_FOREIGN_LIBRARY), HasSubstr("not a CUDA module")));
}

// A cuDNN or cuBLAS of another version may lack a function.
TEST(CudaLoader, NamesAFunctionThatALibraryLacks) {
  EXPECT_THAT(status_with(PENCHANT_UNRESOLVED_LIBRARY),
              AllOf(HasSubstr("could not be loaded"), HasSubstr("penchant_no_library_has_this")));
}

// Its second function aborts: nothing of a module of another build may be called.
TEST(CudaLoader, RefusesAModuleOfAnotherBuild) {
  EXPECT_THAT(status_with(PENCHANT_OTHER_BUILD),
              AllOf(HasSubstr("of another build"), HasSubstr("interface-of-another-build")));
}

#ifdef PENCHANT_REAL_MODULE
TEST(CudaLoader, TheRealModuleSaysWhatItFinds) {
  const ModuleVariable module(PENCHANT_REAL_MODULE);
  const LoadedCudaModule loaded = load_cuda_module();
  ASSERT_NE(loaded.module, nullptr) << loaded.problem;
  const std::string status = cuda_status();
  EXPECT_EQ(status == kCudaAvailable, !cuda_devices().empty()) << status;
  if (status == kCudaAvailable) {
    EXPECT_EQ(make_backend({})->device(), Device::cuda);
    return;
  }
  // Without a driver the module itself says so, and automatic takes the CPU.
  if (!std::filesystem::exists("/proc/driver/nvidia")) {
    EXPECT_THAT(status, HasSubstr("no NVIDIA driver"));
  }
  EXPECT_EQ(make_backend({})->device(), Device::cpu);
}

// Errors cross the border as this program's types.
TEST(CudaLoader, TheRealModulesErrorsAreDeviceErrors) {
  const ModuleVariable module(PENCHANT_REAL_MODULE);
  const LoadedCudaModule loaded = load_cuda_module();
  ASSERT_NE(loaded.module, nullptr) << loaded.problem;
  if (loaded.status() == kCudaAvailable) GTEST_SKIP() << "this machine has a GPU";
  try {
    loaded.module->make_backend({}, 0);
    FAIL() << "expected a DeviceError";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("CUDA"), HasSubstr("kernels/cuda/")));
  }
}
#endif

}  // namespace
}  // namespace penchant::kernels
