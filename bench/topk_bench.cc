// SPDX-License-Identifier: Apache-2.0
// The twenty best of all items for a tile of users: product, mask and selection in one op.
#include <benchmark/benchmark.h>

#include "bench/bench_data.h"

namespace penchant::bench {
namespace {

void topk(benchmark::State& state) {
  const auto backend = kernels::make_backend({});
  const std::int64_t num_queries = 4096;
  const std::int64_t num_items = state.range(0);
  const std::int64_t k = state.range(1);
  const kernels::FloatMatrix queries = normal_matrix(num_queries, 64, 1, *backend);
  const kernels::FloatMatrix items = normal_matrix(num_items, 64, 2, *backend);
  kernels::Matrix<graph::NodeId> ids = backend->matrix<graph::NodeId>(num_queries, k);
  kernels::FloatMatrix scores = backend->matrix<float>(num_queries, k);
  for (auto _ : state) backend->topk(queries.view(), items.view(), {}, ids.view(), scores.view());
  state.counters["queries_per_s"] = benchmark::Counter(
      static_cast<double>(num_queries), benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(topk)
    ->Args({40981, 20})
    ->Args({40981, 100})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace penchant::bench
