// SPDX-License-Identifier: Apache-2.0
// Stacked recurrent layers over packed sequences, dropout between the layers. Initial weights are
// uniform in +-1/sqrt(H) (as in PyTorch), the forget gate's bias starts at 1 (Jozefowicz et al.
// 2015).
#include "models/recurrent_encoder.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/encoder.h"

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;

RecurrentLayer::RecurrentLayer(const std::string& name, const kernels::RecurrentOptions& shape,
                               Backend& backend)
    : options(shape),
      input(name + ".input", shape.input_dim, shape.gate_dim(), backend),
      hidden(name + ".hidden", shape.hidden_dim, shape.gate_dim(), backend),
      bias(name + ".bias", 1, shape.gate_dim(), backend),
      state(backend.recurrent_state(shape)) {}

RecurrentEncoder::RecurrentEncoder(const InterestOptions& options, std::int64_t input_dim,
                                   graph::Seed seed, Backend& backend)
    : hidden_dim_(options.hidden_dim) {
  kernels::RecurrentOptions shape;
  shape.cell = options.sequence == SequenceKind::lstm ? kernels::Cell::lstm : kernels::Cell::rnn;
  shape.hidden_dim = hidden_dim_;
  for (std::int64_t l = 0; l < options.sequence_layers; ++l) {
    shape.input_dim = l == 0 ? input_dim : hidden_dim_;
    RecurrentLayer& layer =
        layers_.emplace_back(fmt::format("sequence.layer{}", l), shape, backend);
    const float bound = 1.0F / std::sqrt(static_cast<float>(hidden_dim_));
    const auto substream = static_cast<std::uint64_t>(l) * 2;
    initialize_uniform(layer.input, bound, seed, kSequenceSubstream + substream, backend);
    initialize_uniform(layer.hidden, bound, seed, kSequenceSubstream + substream + 1, backend);
    if (shape.cell == kernels::Cell::lstm)
      backend.fill(layer.bias.value.view().cols_of(hidden_dim_, hidden_dim_), 1.0F);
  }
  inputs_.resize(layers_.size());
  outputs_.resize(layers_.size());
}

void RecurrentEncoder::forward(Backend& backend, const SequenceBatch& batch, ConstFloatView x,
                               const StepDropout& dropout, FloatView y) {
  dropout_ = dropout;
  const std::int64_t rows = x.rows;
  last_rows_ = rows;
  FloatView in = inputs_[0].view(backend, rows, x.cols);
  backend.gather_rows(x, batch.packed_rows, in);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    if (l > 0) {
      const FloatView dropped = inputs_[l].view(backend, rows, hidden_dim_);
      backend.dropout(dropout.at(kLayerSite + l), outputs_[l - 1].view(backend, rows, hidden_dim_),
                      dropped);
      in = dropped;
    }
    RecurrentLayer& layer = layers_[l];
    backend.recurrent_forward(*layer.state, batch.packed, in, layer.weights(),
                              outputs_[l].view(backend, rows, hidden_dim_));
  }
  backend.gather_rows(outputs_.back().view(backend, rows, hidden_dim_), batch.event_rows, y);
}

void RecurrentEncoder::backward(Backend& backend, const SequenceBatch& batch, ConstFloatView d_y,
                                FloatView d_x) {
  const std::int64_t rows = d_y.rows;
  const FloatView d_output = d_output_.view(backend, rows, hidden_dim_);
  backend.gather_rows(d_y, batch.packed_rows, d_output);
  for (std::size_t l = layers_.size(); l-- > 0;) {
    RecurrentLayer& layer = layers_[l];
    const std::int64_t width = layer.options.input_dim;
    Workspace& target = l == 0 ? d_input_ : d_hidden_input_;
    const FloatView d_in = target.view(backend, rows, width);
    backend.recurrent_backward(*layer.state, batch.packed, inputs_[l].view(backend, rows, width),
                               layer.weights(), outputs_[l].view(backend, rows, hidden_dim_),
                               d_output, d_in, layer.gradients());
    if (l > 0) backend.dropout(dropout_.at(kLayerSite + l), d_in, d_output);
  }
  backend.gather_rows(d_input_.view(backend, rows, d_x.cols), batch.event_rows, d_x);
}

void RecurrentEncoder::infer(Backend& backend, const SequenceBatch& batch, ConstFloatView x,
                             FloatView y) {
  if (quantized_.empty()) return forward(backend, batch, x, {}, y);
  const std::int64_t rows = x.rows;
  FloatView in = inputs_[0].view(backend, rows, x.cols);
  backend.gather_rows(x, batch.packed_rows, in);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const FloatView out = outputs_[l].view(backend, rows, hidden_dim_);
    quantized_[l].forward(batch.packed, in, out);
    in = out;
  }
  backend.gather_rows(in, batch.event_rows, y);
}

void RecurrentEncoder::widen_ranges(Backend& backend,
                                    std::vector<kernels::RecurrentRanges>& ranges) {
  ranges.resize(layers_.size());
  kernels::Download<float> download;
  const auto widen = [&](ConstFloatView activations, kernels::ActivationRange& range) {
    const ConstFloatView values = download(activations, backend);
    for (std::int64_t i = 0; i < values.rows; ++i) {
      const auto [low, high] = std::minmax_element(values.row(i), values.row(i) + values.cols);
      range.lowest = std::min(range.lowest, *low);
      range.highest = std::max(range.highest, *high);
    }
  };
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    widen(inputs_[l].view(backend, last_rows_, layers_[l].options.input_dim), ranges[l].input);
    widen(outputs_[l].view(backend, last_rows_, hidden_dim_), ranges[l].output);
  }
}

void RecurrentEncoder::quantize(Backend& backend,
                                std::span<const kernels::RecurrentRanges> ranges) {
  if (backend.device() != kernels::Device::cpu)
    throw InputError("a network of 8-bit products computes on the CPU: choose --device cpu");
  if (ranges.size() != layers_.size()) {
    throw InputError(fmt::format("ranges of activations are those of {} layers, expected {}",
                                 ranges.size(), layers_.size()));
  }
  quantized_.clear();
  for (std::size_t l = 0; l < layers_.size(); ++l)
    quantized_.emplace_back(layers_[l].options, layers_[l].weights(), ranges[l]);
}

void RecurrentEncoder::visit_parameters(const ParameterVisitor& visit) {
  for (RecurrentLayer& layer : layers_) {
    visit(layer.input);
    visit(layer.hidden);
    visit(layer.bias);
  }
}

}  // namespace penchant::models
