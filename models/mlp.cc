// SPDX-License-Identifier: Apache-2.0
#include "models/mlp.h"

#include <cmath>

#include <fmt/core.h>

#include "graph/error.h"
#include "models/encoder.h"

namespace penchant::models {

using kernels::Activation;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;
using kernels::Transpose;

Mlp::Mlp(const std::string& name, std::span<const std::int64_t> dims, bool layer_norm,
         std::uint64_t first_site, graph::Seed seed, std::uint64_t substream, Backend& backend)
    : first_site_(first_site) {
  for (const std::int64_t dim : dims) {
    if (dim < 1) throw InputError(fmt::format("{}: every width must be at least 1", name));
  }
  for (std::size_t l = 0; l + 1 < dims.size(); ++l) {
    const std::string prefix = fmt::format("{}.layer{}", name, l);
    DenseLayer& layer = layers_.emplace_back(
        DenseLayer{Parameter(prefix + ".weight", dims[l], dims[l + 1], backend),
                   Parameter(prefix + ".bias", 1, dims[l + 1], backend),
                   {},
                   {}});
    const bool hidden = l + 2 < dims.size();
    // He et al. 2015 before a relu, Glorot and Bengio 2010 elsewhere.
    const auto fan_in = static_cast<float>(dims[l]);
    const auto fan_out = static_cast<float>(dims[l + 1]);
    initialize_normal(layer.weight,
                      hidden ? std::sqrt(2.0F / fan_in) : std::sqrt(2.0F / (fan_in + fan_out)), {},
                      seed, substream + l, backend);
    if (hidden && layer_norm) {
      layer.norm.emplace_back(prefix + ".norm.gain", 1, dims[l + 1], backend);
      layer.norm.emplace_back(prefix + ".norm.bias", 1, dims[l + 1], backend);
      backend.fill(layer.norm[0].value.view(), 1.0F);
    }
  }
}

void Mlp::forward(Backend& backend, ConstFloatView x, const StepDropout& dropout, FloatView y) {
  dropout_ = dropout;
  ConstFloatView in = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    DenseLayer& layer = layers_[l];
    const bool hidden = l + 1 < layers_.size();
    const std::int64_t width = layer.weight.value.cols();
    const FloatView out = hidden ? layer.cache.output.view(backend, x.rows, width) : y;
    const bool fused = hidden && layer.norm.empty();
    backend.linear(in, layer.weight.value.view(), layer.bias.value_vector(),
                   fused ? Activation::relu : Activation::identity, out);
    if (!hidden) return;
    if (!layer.norm.empty()) {
      const FloatView dropped = layer.cache.dropped.view(backend, x.rows, width);
      backend.layer_norm(out, layer.norm[0].value_vector(), layer.norm[1].value_vector(),
                         layer.cache.unit.view(backend, x.rows, width),
                         layer.cache.inverse_deviations.view(backend, x.rows), dropped);
      backend.activation(Activation::relu, dropped, out);
    }
    const FloatView dropped = layer.cache.dropped.view(backend, x.rows, width);
    backend.dropout(dropout.at(first_site_ + l), out, dropped);
    in = dropped;
  }
}

void Mlp::backward(Backend& backend, ConstFloatView x, ConstFloatView d_y, FloatView d_x) {
  ConstFloatView d_out = d_y;
  for (std::size_t l = layers_.size(); l-- > 0;) {
    DenseLayer& layer = layers_[l];
    const ConstFloatView in = l == 0 ? x
                                     : ConstFloatView(layers_[l - 1].cache.dropped.view(
                                           backend, d_y.rows, layers_[l - 1].weight.value.cols()));
    backend.gemm(Transpose::yes, Transpose::no, 1.0F, in, d_out, 1.0F,
                 layer.weight.gradient.view());
    backend.add_column_sums(d_out, layer.bias.gradient_vector());
    const FloatView d_in =
        l == 0 ? d_x : layers_[l - 1].cache.d_output.view(backend, d_y.rows, in.cols);
    backend.gemm(Transpose::no, Transpose::yes, 1.0F, d_out, layer.weight.value.view(), 0.0F, d_in);
    if (l == 0) return;
    DenseLayer& below = layers_[l - 1];
    backend.dropout(dropout_.at(first_site_ + l - 1), d_in, d_in);
    backend.activation_backward(Activation::relu,
                                below.cache.output.view(backend, d_y.rows, in.cols), d_in, d_in);
    if (!below.norm.empty()) {
      backend.layer_norm_backward(below.cache.unit.view(backend, d_y.rows, in.cols),
                                  below.cache.inverse_deviations.view(backend, d_y.rows),
                                  below.norm[0].value_vector(), d_in, d_in,
                                  below.norm[0].gradient_vector(), below.norm[1].gradient_vector());
    }
    d_out = d_in;
  }
}

void Mlp::visit_parameters(const ParameterVisitor& visit) {
  for (DenseLayer& layer : layers_) {
    visit(layer.weight);
    visit(layer.bias);
    for (Parameter& parameter : layer.norm) visit(parameter);
  }
}

}  // namespace penchant::models
