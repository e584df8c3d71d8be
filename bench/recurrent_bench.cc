// SPDX-License-Identifier: Apache-2.0
// A recurrent layer, forward and backward, over the sequences of a batch whose lengths fall from T
// to 1 as those of a shop's customers do: a few long histories, many short ones. And its forward of
// histories of one length, as a server asks for them, in float32 and with products of 8 bits.
#include <algorithm>
#include <cmath>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/bench_data.h"
#include "kernels/quantized_recurrent.h"

namespace penchant::bench {
namespace {

/// Steps of B sequences, longest T: the b-th has about T / (1 + 8 b / B).
std::vector<std::int64_t> step_offsets(std::int64_t batch, std::int64_t longest) {
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t t = 0; t < longest; ++t) {
    std::int64_t active = 0;
    for (std::int64_t b = 0; b < batch; ++b)
      active += longest * batch / (batch + 8 * b) > t ? 1 : 0;
    offsets.push_back(offsets.back() + active);
  }
  return offsets;
}

void recurrent(benchmark::State& state, kernels::Cell cell) {
  const auto backend = kernels::make_backend({});
  const std::vector<std::int64_t> offsets = step_offsets(state.range(0), state.range(1));
  const std::int64_t rows = offsets.back();
  const kernels::RecurrentOptions options{cell, kernels::Activation::tanh, state.range(2),
                                          state.range(3)};
  const auto layer = backend->recurrent_state(options);
  const kernels::FloatMatrix x = normal_matrix(rows, options.input_dim, 1, *backend);
  kernels::FloatMatrix w_x = normal_matrix(options.input_dim, options.gate_dim(), 2, *backend);
  kernels::FloatMatrix w_h = normal_matrix(options.hidden_dim, options.gate_dim(), 3, *backend);
  backend->axpby(0.1F, w_x.view(), 0.0F, w_x.view());
  backend->axpby(0.1F, w_h.view(), 0.0F, w_h.view());
  kernels::Vector<float> bias = backend->vector<float>(options.gate_dim());
  const kernels::FloatMatrix d_h = normal_matrix(rows, options.hidden_dim, 4, *backend);
  kernels::FloatMatrix h = backend->matrix<float>(rows, options.hidden_dim);
  kernels::FloatMatrix d_x = backend->matrix<float>(rows, options.input_dim);
  kernels::FloatMatrix d_w_x = backend->matrix<float>(options.input_dim, options.gate_dim());
  kernels::FloatMatrix d_w_h = backend->matrix<float>(options.hidden_dim, options.gate_dim());
  kernels::Vector<float> d_bias = backend->vector<float>(options.gate_dim());
  const kernels::RecurrentWeights weights{w_x.view(), w_h.view(), bias.view()};
  for (auto _ : state) {
    backend->recurrent_forward(*layer, {offsets}, x.view(), weights, h.view());
    backend->recurrent_backward(*layer, {offsets}, x.view(), weights, h.view(), d_h.view(),
                                d_x.view(), {d_w_x.view(), d_w_h.view(), d_bias.view()});
  }
  if (!std::isfinite(d_w_h.view()(0, 0))) state.SkipWithError("a gradient is not finite");
  const auto flops = 6.0 * static_cast<double>(rows * (options.input_dim + options.hidden_dim) *
                                               options.gate_dim());
  state.counters["flops"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["rows"] = static_cast<double>(rows);
}

enum class Products { float32, int8 };

void recurrent_forward(benchmark::State& state, Products products) {
  const auto backend = kernels::make_backend({});
  const std::int64_t batch = state.range(0);
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t t = 0; t < state.range(1); ++t) offsets.push_back(offsets.back() + batch);
  const kernels::RecurrentOptions options{kernels::Cell::lstm, kernels::Activation::tanh,
                                          state.range(2), state.range(3)};
  const auto layer = backend->recurrent_state(options);
  const kernels::FloatMatrix x = normal_matrix(offsets.back(), options.input_dim, 1, *backend);
  kernels::FloatMatrix w_x = normal_matrix(options.input_dim, options.gate_dim(), 2, *backend);
  kernels::FloatMatrix w_h = normal_matrix(options.hidden_dim, options.gate_dim(), 3, *backend);
  backend->axpby(0.1F, w_x.view(), 0.0F, w_x.view());
  backend->axpby(0.1F, w_h.view(), 0.0F, w_h.view());
  const kernels::Vector<float> bias = backend->vector<float>(options.gate_dim());
  kernels::FloatMatrix h = backend->matrix<float>(offsets.back(), options.hidden_dim);
  const kernels::RecurrentWeights weights{w_x.view(), w_h.view(), bias.view()};
  const kernels::QuantizedRecurrent quantized(options, weights, {{-4.0F, 4.0F}, {-1.0F, 1.0F}});
  for (auto _ : state) {
    if (products == Products::int8)
      quantized.forward({offsets}, x.view(), h.view());
    else
      backend->recurrent_forward(*layer, {offsets}, x.view(), weights, h.view());
  }
  if (!std::isfinite(h.view()(0, 0))) state.SkipWithError("an output is not finite");
  const auto flops =
      2.0 * static_cast<double>(offsets.back() * (options.input_dim + options.hidden_dim) *
                                options.gate_dim());
  state.counters["flops"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

// B, T, F, H.
BENCHMARK_CAPTURE(recurrent, lstm, kernels::Cell::lstm)
    ->Args({256, 50, 64, 128})
    ->Args({1024, 50, 64, 128})
    ->Args({256, 50, 64, 64})
    ->Args({64, 200, 64, 128})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(recurrent, rnn, kernels::Cell::rnn)
    ->Args({256, 50, 64, 128})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(recurrent_forward, float32, Products::float32)
    ->Args({1, 50, 64, 128})
    ->Args({64, 50, 64, 128})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(recurrent_forward, int8, Products::int8)
    ->Args({1, 50, 64, 128})
    ->Args({64, 50, 64, 128})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace penchant::bench
