// SPDX-License-Identifier: Apache-2.0
// Suites run once per backend, by name. A backend that this machine does not have is reported
// SKIPPED with the reason, or FAILED when PENCHANT_REQUIRE_GPU=1.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "tests/support/compare.h"

namespace penchant::support {

/// Every name that a suite is instantiated with.
std::vector<std::string> backend_names();
/// Makes the backend; num_threads counts on the CPU only. Throws DeviceError where it is not
/// available.
std::unique_ptr<kernels::Backend> backend_by_name(const std::string& name, int num_threads = 0);

class BackendTest : public testing::TestWithParam<std::string> {
 protected:
  /// num_threads 0: all cores. One is enough, and much faster on a busy machine, where every op is
  /// tiny.
  explicit BackendTest(int num_threads = 0) : num_threads_(num_threads) {}
  void SetUp() override;
  kernels::Backend& backend() { return *backend_; }
  Origin origin(std::uint64_t seed) const { return {GetParam(), seed}; }
  bool on_cpu() const { return GetParam() == "cpu"; }
  /// Runs `produce(backend)` with one thread, with two, and with two again; the results must have
  /// the same bits.
  template <typename Produce>
  void expect_same_bits_at_any_thread_count(Produce produce) {
    std::vector<Dense> results;
    for (const int threads : {1, 2, 2}) {
      backend_ = backend_by_name(GetParam(), threads);
      results.push_back(produce(*backend_));
    }
    EXPECT_TRUE(same_bits(results[1], results[0], origin(0))) << "one and two threads";
    EXPECT_TRUE(same_bits(results[2], results[1], origin(0))) << "two runs";
  }

 private:
  int num_threads_;
  std::unique_ptr<kernels::Backend> backend_;
};

}  // namespace penchant::support

#define PENCHANT_INSTANTIATE_BACKENDS(Suite)                                 \
  INSTANTIATE_TEST_SUITE_P(                                                  \
      Backend, Suite, testing::ValuesIn(penchant::support::backend_names()), \
      [](const testing::TestParamInfo<std::string>& name) { return name.param; })
