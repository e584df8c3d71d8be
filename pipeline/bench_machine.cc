// SPDX-License-Identifier: Apache-2.0
#include "pipeline/bench_machine.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace penchant::pipeline {

namespace {

/// Seconds of the fastest of `passes` calls.
template <typename Work>
double fastest(int passes, Work work) {
  double best = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < passes; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

void triad(const float* b, const float* c, float* a, std::int64_t size) {
#pragma omp parallel for simd schedule(static)
  for (std::int64_t i = 0; i < size; ++i) a[i] = b[i] + 3.0F * c[i];
}

}  // namespace

MachineRates measure_machine(kernels::Backend& backend, std::int64_t elements,
                             std::int64_t gemm_size) {
  constexpr int kPasses = 7;
  constexpr std::int64_t kCols = 1024;
  MachineRates rates;
  {
    const std::int64_t rows = (elements + kCols - 1) / kCols;
    kernels::FloatMatrix a = backend.matrix<float>(rows, kCols);
    kernels::FloatMatrix b = backend.matrix<float>(rows, kCols);
    kernels::FloatMatrix c = backend.matrix<float>(rows, kCols);
    const double seconds = fastest(kPasses, [&] {
      if (backend.device() == kernels::Device::cpu) {
        triad(b.view().data, c.view().data, a.view().data, rows * kCols);
      } else {
        backend.axpby(0.5F, b.view(), 0.5F, a.view());
        backend.sync();
      }
    });
    rates.triad_bytes = 12.0 * static_cast<double>(rows * kCols) / seconds;
  }
  kernels::FloatMatrix a = backend.matrix<float>(gemm_size, gemm_size);
  kernels::FloatMatrix b = backend.matrix<float>(gemm_size, gemm_size);
  kernels::FloatMatrix c = backend.matrix<float>(gemm_size, gemm_size);
  backend.fill(a.view(), 1.0F);
  backend.fill(b.view(), 1.0F);
  const double seconds = fastest(3, [&] {
    backend.gemm(kernels::Transpose::no, kernels::Transpose::no, 1.0F, a.view(), b.view(), 0.0F,
                 c.view());
    backend.sync();
  });
  const auto size = static_cast<double>(gemm_size);
  rates.gemm_flops = 2.0 * size * size * size / seconds;
  return rates;
}

double attainable_seconds(const MachineRates& rates, double bytes, double flops) {
  return std::max(bytes / rates.triad_bytes, flops / rates.gemm_flops);
}

}  // namespace penchant::pipeline
