// SPDX-License-Identifier: Apache-2.0
// Threads are a backend's, not the process'.
#include "kernels/host_threads.h"

#include <memory>
#include <vector>

#include <cblas.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "graph/error.h"
#include "kernels/backend.h"

namespace penchant::kernels {
namespace {

/// What the process has, with numbers that no backend here asks for.
class HostThreads : public testing::Test {
 protected:
  HostThreads() { omp_set_num_threads(3); }
  ~HostThreads() override {
    EXPECT_EQ(omp_get_max_threads(), 3);
    EXPECT_EQ(openblas_get_num_threads(), openblas_);
    omp_set_num_threads(openmp_);
  }

  static std::unique_ptr<Backend> cpu(int num_threads) {
    BackendOptions options;
    options.device = DeviceChoice::cpu;
    options.num_threads = num_threads;
    return make_backend(options);
  }
  /// x'x of 300 rows, in several tiles.
  static std::vector<float> product(Backend& backend) {
    FloatMatrix x = backend.matrix<float>(300, 300);
    FloatMatrix y = backend.matrix<float>(300, 300);
    for (std::int64_t i = 0; i < 300; ++i) {
      for (std::int64_t j = 0; j < 300; ++j)
        x.view()(i, j) = static_cast<float>((7 * i + 3 * j) % 31) / 31.0F;
    }
    backend.gemm(Transpose::yes, Transpose::no, 1.0F, x.view(), x.view(), 0.0F, y.view());
    backend.activation(Activation::tanh, y.view(), y.view());
    return {y.view().row(299), y.view().row(299) + 300};
  }

  int openmp_ = omp_get_max_threads();
  int openblas_ = openblas_get_num_threads();
};

TEST_F(HostThreads, TwoBackendsHaveTheirOwn) {
  const auto one = cpu(1);
  const auto two = cpu(2);
  EXPECT_EQ(omp_get_max_threads(), 3) << "making a backend sets nothing";
  const std::vector<float> values = product(*one);
  EXPECT_EQ(omp_get_max_threads(), 3);
  EXPECT_EQ(product(*two), values);
  EXPECT_EQ(product(*one), values);
}

TEST_F(HostThreads, AScopePutsBackWhatItFound) {
  {
    const ThreadScope outer(2);
    EXPECT_EQ(omp_get_max_threads(), 2);
    EXPECT_EQ(openblas_get_num_threads(), 1);
    {
      const ThreadScope inner(1);
      EXPECT_EQ(omp_get_max_threads(), 1);
    }
    EXPECT_EQ(omp_get_max_threads(), 2);
  }
}

TEST_F(HostThreads, ArePutBackWhereAnOpRefuses) {
  const auto backend = cpu(2);
  FloatMatrix x = backend->matrix<float>(2, 3);
  EXPECT_THROW(
      backend->gemm(Transpose::no, Transpose::no, 1.0F, x.view(), x.view(), 0.0F, x.view()),
      InputError);
}

}  // namespace
}  // namespace penchant::kernels
