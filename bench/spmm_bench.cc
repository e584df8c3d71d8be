// SPDX-License-Identifier: Apache-2.0
// One sparse x dense product on the whole graph, beside the machine's own STREAM triad.
// Counters: gathered = E D bytes of the table an iteration, flops = 2 E D.
#include <algorithm>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/bench_data.h"
#include "tests/support/spmm_case.h"

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

/// A case of the test (tests/kernels/spmm_test.cc) on the whole graph: its shape is the graph's.
void time_case(benchmark::State& state, const support::SpmmCase& c) {
  const auto backend = kernels::make_backend({});
  const auto sparse = backend->sparse(matrix().view());
  const kernels::FloatMatrix x = normal_matrix(sparse->cols(), c.width, 1, *backend);
  const kernels::FloatMatrix addend = normal_matrix(sparse->rows(), c.width, 2, *backend);
  const kernels::FloatMatrix row = normal_matrix(1, std::max(sparse->rows(), c.width), 3, *backend);
  kernels::FloatMatrix total = backend->matrix<float>(sparse->rows(), c.width);
  kernels::FloatMatrix y = backend->matrix<float>(sparse->rows(), c.width);
  kernels::SpmmOptions options;
  options.alpha = c.alpha;
  options.beta = c.beta;
  options.gamma = c.gamma;
  options.activation = c.activation;
  if (c.has_row_scale) options.row_scale = {row.view().data, sparse->rows(), row.device()};
  if (c.has_layer_sum) options.layer_sum = total.view();
  if (c.has_addend) options.addend = addend.view();
  if (c.has_bias) options.bias = {row.view().data, c.width, row.device()};
  backend->spmm(*sparse, x.view(), y.view(), options);  // y in memory before the first that counts
  for (auto _ : state) backend->spmm(*sparse, x.view(), y.view(), options);
  report(state, c.width, sizeof(float));
}

void spmm_float32(benchmark::State& state) { time_case(state, {.width = state.range(0)}); }

/// A layer of a graph network: self, bias and activation in one pass.
void spmm_layer(benchmark::State& state) {
  time_case(state, {.width = state.range(0),
                    .has_addend = true,
                    .has_bias = true,
                    .activation = kernels::Activation::leaky_relu});
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
BENCHMARK(spmm_layer)->Arg(64)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(spmm_bf16)->Arg(64)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(stream_triad)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace penchant::bench
