// SPDX-License-Identifier: Apache-2.0
// The two losses with their gradients, and Adam: what a training step does besides propagation.
#include <benchmark/benchmark.h>

#include "bench/bench_data.h"

namespace penchant::bench {
namespace {

constexpr std::int64_t kWidth = 64;

void sampled_softmax(benchmark::State& state) {
  const auto backend = kernels::make_backend({});
  const std::int64_t batch = state.range(0);
  const std::int64_t negatives = state.range(1);
  const kernels::FloatMatrix u = normal_matrix(batch, kWidth, 1, *backend);
  const kernels::FloatMatrix p = normal_matrix(batch, kWidth, 2, *backend);
  const kernels::FloatMatrix n = normal_matrix(negatives, kWidth, 3, *backend);
  kernels::FloatMatrix d_u = backend->matrix<float>(batch, kWidth);
  kernels::FloatMatrix d_p = backend->matrix<float>(batch, kWidth);
  kernels::FloatMatrix d_n = backend->matrix<float>(negatives, kWidth);
  kernels::Vector<float> losses = backend->vector<float>(batch);
  for (auto _ : state) {
    backend->sampled_softmax(u.view(), p.view(), n.view(), {}, losses.view(), d_u.view(),
                             d_p.view(), d_n.view());
  }
  const auto flops = 6.0 * static_cast<double>(batch * negatives * kWidth);
  state.counters["flops"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void bpr(benchmark::State& state) {
  const auto backend = kernels::make_backend({});
  const std::int64_t batch = state.range(0);
  const kernels::FloatMatrix u = normal_matrix(batch, kWidth, 1, *backend);
  const kernels::FloatMatrix p = normal_matrix(batch, kWidth, 2, *backend);
  const kernels::FloatMatrix n = normal_matrix(batch, kWidth, 3, *backend);
  kernels::FloatMatrix d_u = backend->matrix<float>(batch, kWidth);
  kernels::FloatMatrix d_p = backend->matrix<float>(batch, kWidth);
  kernels::FloatMatrix d_n = backend->matrix<float>(batch, kWidth);
  kernels::Vector<float> losses = backend->vector<float>(batch);
  for (auto _ : state) {
    backend->bpr(u.view(), p.view(), n.view(), losses.view(), d_u.view(), d_p.view(), d_n.view());
  }
}

void adam(benchmark::State& state) {
  const auto backend = kernels::make_backend({});
  const std::int64_t rows = state.range(0);
  const kernels::FloatMatrix gradient = normal_matrix(rows, kWidth, 1, *backend);
  kernels::FloatMatrix value = normal_matrix(rows, kWidth, 2, *backend);
  kernels::FloatMatrix first = backend->matrix<float>(rows, kWidth);
  kernels::FloatMatrix second = backend->matrix<float>(rows, kWidth);
  for (auto _ : state)
    backend->adam_step({}, gradient.view(), value.view(), first.view(), second.view());
  const auto bytes = 28.0 * static_cast<double>(rows * kWidth);  // four reads, three writes
  state.counters["bytes_per_s"] =
      benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(sampled_softmax)
    ->Args({8192, 1024})
    ->Args({2048, 1024})
    ->Args({2000, 12101})  // all items of a small shop
    ->Args({2000, 100000})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(bpr)->Arg(2048)->Arg(8192)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(adam)->Arg(70839)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace penchant::bench
