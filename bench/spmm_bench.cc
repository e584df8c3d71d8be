// SPDX-License-Identifier: Apache-2.0
// One sparse x dense product on the whole graph, beside the machine's own STREAM triad.
// Counters: gathered = E D bytes of the table an iteration, flops = 2 E D.
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/bench_data.h"

namespace penchant::bench {
namespace {

const graph::Csr& matrix() {
  static const graph::Csr loaded = sparse_matrix();
  return loaded;
}

void report(benchmark::State& state, std::int64_t width, std::int64_t element_bytes) {
  const auto terms = static_cast<double>(matrix().view().num_entries() * width);
  state.counters["gathered_bytes_per_s"] = benchmark::Counter(
      terms * static_cast<double>(element_bytes), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["flops"] =
      benchmark::Counter(2.0 * terms, benchmark::Counter::kIsIterationInvariantRate);
}

void spmm_float32(benchmark::State& state) {
  const auto backend = kernels::make_backend({});
  const auto sparse = backend->sparse(matrix().view());
  const std::int64_t width = state.range(0);
  const kernels::FloatMatrix x = normal_matrix(sparse->cols(), width, 1, *backend);
  kernels::FloatMatrix y = backend->matrix<float>(sparse->rows(), width);
  backend->spmm(*sparse, x.view(), y.view(), {});  // y in memory before the first that counts
  for (auto _ : state) backend->spmm(*sparse, x.view(), y.view(), {});
  report(state, width, sizeof(float));
}

void spmm_bf16(benchmark::State& state) {
  const auto backend = kernels::make_backend({});
  const auto sparse = backend->sparse(matrix().view());
  const std::int64_t width = state.range(0);
  const kernels::FloatMatrix x = normal_matrix(sparse->cols(), width, 1, *backend);
  kernels::Matrix<kernels::Bf16> narrow = backend->matrix<kernels::Bf16>(x.rows(), width);
  backend->convert(x.view(), narrow.view());
  kernels::FloatMatrix y = backend->matrix<float>(sparse->rows(), width);
  const kernels::MatrixView<const kernels::Bf16> table = std::as_const(narrow).view();
  backend->spmm(*sparse, table, y.view(), {});  // y in memory before the first that counts
  for (auto _ : state) backend->spmm(*sparse, table, y.view(), {});
  report(state, width, sizeof(kernels::Bf16));
}

/// McCalpin's triad a = b + s c over three arrays of 64 MiB: the machine's memory rate.
void stream_triad(benchmark::State& state) {
  constexpr std::int64_t kSize = 16 << 20;
  std::vector<float> a(kSize), b(kSize, 1.0F), c(kSize, 2.0F);
  for (auto _ : state) {
#pragma omp parallel for simd schedule(static)
    for (std::int64_t i = 0; i < kSize; ++i)
      a[static_cast<std::size_t>(i)] =
          b[static_cast<std::size_t>(i)] + 3.0F * c[static_cast<std::size_t>(i)];
    benchmark::ClobberMemory();
  }
  state.counters["bytes_per_s"] =
      benchmark::Counter(12.0 * kSize, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(spmm_float32)
    ->Arg(32)
    ->Arg(64)
    ->Arg(128)
    ->Arg(256)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(spmm_bf16)->Arg(64)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(stream_triad)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace penchant::bench
