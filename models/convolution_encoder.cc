// SPDX-License-Identifier: Apache-2.0
#include "models/convolution_encoder.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "models/encoder.h"

namespace penchant::models {

using graph::NodeId;
using kernels::Activation;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;

namespace {

/// Events that the maximum is taken over. Caser's best length on its data sets is 5 (section 4.3).
constexpr std::int64_t kPoolingWindow = 5;

}  // namespace

ConvolutionEncoder::ConvolutionEncoder(const InterestOptions& options, std::int64_t input_dim,
                                       graph::Seed seed, Backend& backend)
    : input_dim_(input_dim), hidden_dim_(options.hidden_dim) {
  const auto num_widths = static_cast<std::int64_t>(options.cnn_widths.size());
  std::int64_t column = 0;
  for (std::int64_t k = 0; k < num_widths; ++k) {
    const std::int64_t width = options.cnn_widths[static_cast<std::size_t>(k)];
    const std::int64_t share = hidden_dim_ * (k + 1) / num_widths - column;
    Filters& filters = filters_.emplace_back(Filters{
        width, column,
        Parameter(fmt::format("sequence.width{}.weight", width), width * input_dim, share, backend),
        Parameter(fmt::format("sequence.width{}.bias", width), 1, share, backend)});
    initialize_uniform(filters.weight, 1.0F / std::sqrt(static_cast<float>(width * input_dim)),
                       seed, kSequenceSubstream + static_cast<std::uint64_t>(k), backend);
    column += share;
  }
}

void ConvolutionEncoder::make_windows(const kernels::Segments& segments) {
  window_offsets_.assign(1, 0);
  window_rows_.clear();
  for (std::size_t b = 0; b + 1 < segments.offsets.size(); ++b) {
    for (std::int64_t row = segments.offsets[b]; row < segments.offsets[b + 1]; ++row) {
      for (std::int64_t seen = std::max(segments.offsets[b], row - kPoolingWindow + 1); seen <= row;
           ++seen) {
        window_rows_.push_back(static_cast<NodeId>(seen));
      }
      window_offsets_.push_back(static_cast<std::int64_t>(window_rows_.size()));
    }
  }
}

void ConvolutionEncoder::forward(Backend& backend, const SequenceBatch& batch, ConstFloatView x,
                                 const StepDropout& /*dropout*/, FloatView y) {
  const FloatView input = input_.view(backend, x.rows, input_dim_);
  backend.copy(x, input);
  const FloatView convolved = convolved_.view(backend, x.rows, hidden_dim_);
  for (Filters& filters : filters_) {
    const FloatView out = convolved.cols_of(filters.column, filters.weight.value.cols());
    backend.convolution_forward(batch.segments, filters.width, input, filters.weight.value.view(),
                                filters.bias.value_vector(), out);
  }
  backend.activation(Activation::relu, convolved, convolved);
  make_windows(batch.segments);
  windows_ = device_window_rows_.upload(backend, std::span<const NodeId>(window_rows_));
  const FloatView windowed = windowed_.view(backend, windows_.size, hidden_dim_);
  backend.gather_rows(convolved, windows_, windowed);
  backend.segment_max({window_offsets_}, windowed, y, largest_.view(backend, x.rows, hidden_dim_));
}

void ConvolutionEncoder::backward(Backend& backend, const SequenceBatch& batch, ConstFloatView d_y,
                                  FloatView d_x) {
  const FloatView d_windowed = d_windowed_.view(backend, windows_.size, hidden_dim_);
  backend.segment_max_backward(largest_.view(backend, d_y.rows, hidden_dim_), d_y, d_windowed);
  const FloatView d_convolved = d_convolved_.view(backend, d_y.rows, hidden_dim_);
  backend.fill(d_convolved, 0.0F);
  backend.scatter_add_rows(1.0F, d_windowed, windows_, d_convolved);
  backend.activation_backward(Activation::relu, convolved_.view(backend, d_y.rows, hidden_dim_),
                              d_convolved, d_convolved);
  backend.fill(d_x, 0.0F);
  const FloatView d_input = d_input_.view(backend, d_y.rows, input_dim_);
  for (Filters& filters : filters_) {
    backend.convolution_backward(
        batch.segments, filters.width, input_.view(backend, d_y.rows, input_dim_),
        filters.weight.value.view(),
        d_convolved.cols_of(filters.column, filters.weight.value.cols()), d_input,
        filters.weight.gradient.view(), filters.bias.gradient_vector());
    backend.axpby(1.0F, d_input, 1.0F, d_x);
  }
}

void ConvolutionEncoder::visit_parameters(const ParameterVisitor& visit) {
  for (Filters& filters : filters_) {
    visit(filters.weight);
    visit(filters.bias);
  }
}

}  // namespace penchant::models
