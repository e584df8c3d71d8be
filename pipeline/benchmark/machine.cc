// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/machine.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace penchant::pipeline {

namespace {

constexpr std::int64_t kTriadCols = 1024;
constexpr std::int64_t kTriadBytes = 12;  // an element of all three arrays

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

MachineSizes sizes_within(std::int64_t bytes) {
  MachineSizes sizes;
  constexpr std::int64_t kLeast = std::int64_t{1} << 20;
  constexpr std::int64_t kStep = std::int64_t{1}
                                 << 19;  // a huge page, to which a backend rounds up
  const std::int64_t fits = bytes / kTriadBytes / kStep * kStep;
  sizes.triad_elements = std::clamp(fits, kLeast, sizes.triad_elements);
  return sizes;
}

std::int64_t triad_bytes(const MachineSizes& sizes) { return kTriadBytes * sizes.triad_elements; }

std::int64_t gemm_bytes(const MachineSizes& sizes) {
  return 12 * sizes.gemm_size * sizes.gemm_size;
}

MachineRates measure_machine(kernels::Backend& backend, const MachineSizes& sizes) {
  constexpr int kPasses = 7;
  MachineRates rates;
  rates.sizes = sizes;
  {
    const std::int64_t rows = (sizes.triad_elements + kTriadCols - 1) / kTriadCols;
    kernels::FloatMatrix a = backend.matrix<float>(rows, kTriadCols);
    kernels::FloatMatrix b = backend.matrix<float>(rows, kTriadCols);
    kernels::FloatMatrix c = backend.matrix<float>(rows, kTriadCols);
    const std::int64_t elements = rows * kTriadCols;
    const double seconds = fastest(kPasses, [&] {
      if (backend.device() == kernels::Device::cpu) {
        triad(b.view().data, c.view().data, a.view().data, elements);
      } else {
        backend.axpby(0.5F, b.view(), 0.5F, a.view());
        backend.sync();
      }
    });
    rates.triad_bytes = static_cast<double>(kTriadBytes * elements) / seconds;
  }
  kernels::FloatMatrix a = backend.matrix<float>(sizes.gemm_size, sizes.gemm_size);
  kernels::FloatMatrix b = backend.matrix<float>(sizes.gemm_size, sizes.gemm_size);
  kernels::FloatMatrix c = backend.matrix<float>(sizes.gemm_size, sizes.gemm_size);
  backend.fill(a.view(), 1.0F);
  backend.fill(b.view(), 1.0F);
  const double seconds = fastest(3, [&] {
    backend.gemm(kernels::Transpose::no, kernels::Transpose::no, 1.0F, a.view(), b.view(), 0.0F,
                 c.view());
    backend.sync();
  });
  const auto size = static_cast<double>(sizes.gemm_size);
  rates.gemm_flops = 2.0 * size * size * size / seconds;
  return rates;
}

double attainable_seconds(const MachineRates& rates, double bytes, double flops) {
  return std::max(bytes / rates.triad_bytes, flops / rates.gemm_flops);
}

}  // namespace penchant::pipeline
