// SPDX-License-Identifier: Apache-2.0
// Recurrent layers, convolutions and the interest model's training step.
#include <algorithm>

#include "bench/gpu_bench.h"
#include "graph/random.h"
#include "kernels/transfer.h"
#include "models/interest_model.h"

namespace penchant::bench {

using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

/// Sequence b of B has LONGEST B / (B + 8 b) steps, as in bench/peers/gpu.py.
std::int64_t length_of(std::int64_t b, std::int64_t batch, std::int64_t longest) {
  return longest * batch / (batch + 8 * b);
}

/// Packed by step.
std::vector<std::int64_t> step_offsets(std::int64_t batch, std::int64_t longest) {
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t t = 0; t < longest; ++t) {
    std::int64_t rows = 0;
    for (std::int64_t b = 0; b < batch; ++b) rows += length_of(b, batch, longest) > t ? 1 : 0;
    offsets.push_back(offsets.back() + rows);
  }
  return offsets;
}

std::vector<NodeId> random_ids(std::int64_t count, std::int64_t bound, std::uint64_t seed) {
  const graph::Random random(graph::Seed{seed}, graph::Stream::generator);
  std::vector<NodeId> ids;
  for (std::int64_t k = 0; k < count; ++k)
    ids.push_back(static_cast<NodeId>(
        random.below(static_cast<std::uint64_t>(k), static_cast<std::uint64_t>(bound))));
  return ids;
}

}  // namespace

void lstm(std::int64_t batch, std::int64_t longest) {
  const auto backend = gpu();
  kernels::RecurrentOptions options;
  options.input_dim = 64;
  options.hidden_dim = 128;
  const std::vector<std::int64_t> offsets = step_offsets(batch, longest);
  const std::int64_t rows = offsets.back();
  const FloatMatrix x = random_matrix(rows, options.input_dim, 1, *backend);
  const FloatMatrix input = random_matrix(options.input_dim, options.gate_dim(), 2, *backend);
  const FloatMatrix hidden = random_matrix(options.hidden_dim, options.gate_dim(), 3, *backend);
  const FloatMatrix d_h = random_matrix(rows, options.hidden_dim, 4, *backend);
  const kernels::Vector<float> bias = backend->vector<float>(options.gate_dim());
  FloatMatrix h = backend->matrix<float>(rows, options.hidden_dim);
  FloatMatrix d_x = backend->matrix<float>(rows, options.input_dim);
  FloatMatrix d_input = backend->matrix<float>(options.input_dim, options.gate_dim());
  FloatMatrix d_hidden = backend->matrix<float>(options.hidden_dim, options.gate_dim());
  kernels::Vector<float> d_bias = backend->vector<float>(options.gate_dim());
  const auto state = backend->recurrent_state(options);
  const kernels::RecurrentWeights weights{input.view(), hidden.view(), bias.view()};
  const kernels::RecurrentGradients gradients{d_input.view(), d_hidden.view(), d_bias.view()};
  emit({{"part", "lstm"}, {"rows", rows}, {"time", time_ms(*backend, [&] {
                                             backend->recurrent_forward(*state, {offsets}, x.view(),
                                                                        weights, h.view());
                                             backend->recurrent_backward(
                                                 *state, {offsets}, x.view(), weights, h.view(),
                                                 d_h.view(), d_x.view(), gradients);
                                           })}});
}

bool convolution(std::int64_t batch, std::int64_t longest) {
  constexpr std::int64_t kWidth = 3, kInputs = 64, kOutputs = 128;
  std::vector<std::int64_t> offsets = {0};
  for (std::int64_t b = 0; b < batch; ++b)
    offsets.push_back(offsets.back() + length_of(b, batch, longest));
  const std::int64_t rows = offsets.back();
  json result = {{"part", "convolution"}, {"rows", rows}, {"width", kWidth}};
  std::unique_ptr<Backend> backends[2];
  FloatMatrix outputs[2];
  const char* const names[] = {"unfolded", "cudnn"};
  for (int variant = 0; variant < 2; ++variant) {
    kernels::CudaOptions cuda;
    if (variant == 1) cuda.convolution = kernels::ConvolutionVariant::cudnn;
    backends[variant] = gpu(cuda);
    Backend& backend = *backends[variant];
    const FloatMatrix x = random_matrix(rows, kInputs, 1, backend);
    const FloatMatrix weight = random_matrix(kWidth * kInputs, kOutputs, 2, backend);
    const FloatMatrix d_y = random_matrix(rows, kOutputs, 3, backend);
    const kernels::Vector<float> bias = backend.vector<float>(kOutputs);
    FloatMatrix& y = outputs[variant] = backend.matrix<float>(rows, kOutputs);
    FloatMatrix d_x = backend.matrix<float>(rows, kInputs);
    FloatMatrix d_weight = backend.matrix<float>(kWidth * kInputs, kOutputs);
    kernels::Vector<float> d_bias = backend.vector<float>(kOutputs);
    result[names[variant]] = time_ms(backend, [&] {
      backend.convolution_forward({offsets}, kWidth, x.view(), weight.view(), bias.view(),
                                  y.view());
      backend.convolution_backward({offsets}, kWidth, x.view(), weight.view(), d_y.view(),
                                   d_x.view(), d_weight.view(), d_bias.view());
    });
  }
  const double apart =
      disagreement(outputs[0].view(), *backends[0], outputs[1].view(), *backends[1]);
  result["disagreement"] = apart;
  emit(std::move(result));
  return apart < 1e-4;
}

// The model of bench/peers/gpu.py: an LSTM of 128 over 64-wide item vectors, a hidden layer of 128,
// softmax over all items, dropout, Adam.
void interest(std::int64_t batch, std::int64_t longest) {
  constexpr std::int64_t kItems = 12101;  // of Amazon Beauty
  const auto backend = gpu();
  models::ModelOptions options;
  options.kind = models::ModelKind::interest;
  options.initializer = models::Initializer::normal;
  options.interest.graph = false;
  options.interest.item_graph = false;
  options.interest.ranking_head = false;
  options.interest.dropout = 0.3F;
  const graph::Csr no_graph{kItems, kItems, std::vector<graph::EdgeOffset>(kItems + 1, 0), {}, {}};
  const auto sparse = backend->sparse(no_graph.view());
  models::InterestModel model(options, {kItems, 0, 0, 0.0F}, *sparse, graph::Seed{1}, *backend);

  const std::vector<std::int64_t> packed = step_offsets(batch, longest);
  const std::int64_t rows = packed.back();
  std::vector<std::int64_t> segments = {0};
  std::vector<NodeId> packed_rows(static_cast<std::size_t>(rows));
  std::vector<NodeId> event_rows;
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t length = length_of(b, batch, longest);
    for (std::int64_t t = 0; t < length; ++t) {
      const auto row = static_cast<NodeId>(packed[static_cast<std::size_t>(t)] + b);
      packed_rows[static_cast<std::size_t>(row)] = static_cast<NodeId>(segments.back() + t);
      event_rows.push_back(row);
    }
    segments.push_back(segments.back() + length);
  }
  std::vector<NodeId> all_items;
  for (NodeId item = 0; item < kItems; ++item) all_items.push_back(item);
  const std::vector<NodeId> items = random_ids(rows, kItems, 1);
  const std::vector<NodeId> next = random_ids(rows, kItems, 2);
  kernels::Upload<NodeId> uploads[5];
  models::InterestBatch events;
  events.sequences = {
      {segments}, {packed}, uploads[0](packed_rows, *backend), uploads[1](event_rows, *backend)};
  events.items = uploads[2](items, *backend);
  models::InterestTargets targets;
  targets.items = uploads[3](next, *backend);
  targets.negatives = uploads[4](all_items, *backend);

  models::LossLog losses;
  double loss = 0.0;
  kernels::AdamOptions adam;
  const auto step = [&] {
    model.visit_parameters([&](models::Parameter& p) { backend->fill(p.gradient.view(), 0.0F); });
    const models::StepDropout dropout{options.interest.dropout, graph::Seed{1},
                                      static_cast<std::uint64_t>(adam.step)};
    model.add_gradients(*backend, events, targets, dropout, losses);
    model.visit_parameters([&](models::Parameter& p) {
      backend->adam_step(adam, p.gradient.view(), p.value.view(), p.first_moment.view(),
                         p.second_moment.view());
    });
    if (adam.step++ % 16 == 0) losses.add_to(loss, *backend);
  };
  emit(
      {{"part", "interest"}, {"rows", rows}, {"items", kItems}, {"time", time_ms(*backend, step)}});
}

}  // namespace penchant::bench
