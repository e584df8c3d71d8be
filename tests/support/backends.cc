// SPDX-License-Identifier: Apache-2.0
#include "tests/support/backends.h"

#include <cstdlib>
#include <string_view>

#include "graph/error.h"
#include "tests/simt/simt_backend.h"
#include "tests/support/sanitizer.h"

namespace penchant::support {

std::vector<std::string> backend_names() { return {"cpu", "cuda", "simt"}; }

std::unique_ptr<kernels::Backend> backend_by_name(const std::string& name, int num_threads) {
  if (name == "simt") {
    // What isolated finds it finds without the sanitizers, under which its passes would take minutes.
    simt::Schedule schedule = simt::Schedule::descending;
    if (num_threads == 0 && !address_sanitizer()) schedule = simt::Schedule::isolated;
    if (num_threads == 1) schedule = simt::Schedule::ascending;
    return std::make_unique<simt::SimtBackend>(schedule);
  }
  kernels::BackendOptions options;
  options.device = name == "cpu" ? kernels::DeviceChoice::cpu : kernels::DeviceChoice::cuda;
  options.num_threads = num_threads;
  return kernels::make_backend(options);
}

void BackendTest::SetUp() {
  try {
    backend_ = backend_by_name(GetParam(), num_threads_);
  } catch (const DeviceError& error) {
    const char* required = std::getenv("PENCHANT_REQUIRE_GPU");
    if (required != nullptr && std::string_view(required) == "1") FAIL() << error.what();
    GTEST_SKIP() << error.what();
  }
}

}  // namespace penchant::support
