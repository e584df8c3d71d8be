// SPDX-License-Identifier: Apache-2.0
#include "models/gcn.h"

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;
using kernels::Transpose;

GcnLayer::Cache GcnLayer::make_cache(std::int64_t num_nodes, Backend& backend) const {
  const std::int64_t width = bias.value.cols();
  return {backend.matrix<float>(num_nodes, width), backend.matrix<float>(num_nodes, width),
          backend.matrix<float>(num_nodes, width), backend.matrix<float>(num_nodes, width)};
}

// Rows of P that are not wanted keep what an earlier step left: the backward multiplies them by
// gradients of zero.
void GcnLayer::forward(Backend& backend, const kernels::SparseMatrix& adjacency, ConstFloatView in,
                       Cache& cache, kernels::RowSet wanted) const {
  const FloatView output = cache.output.view();
  kernels::SpmmOptions options;
  options.wanted = wanted;
  backend.spmm(adjacency, in, cache.propagated.view(), options);
  backend.linear(cache.propagated.view(), weight.value.view(), bias.value_vector(), activation,
                 output);
}

void GcnLayer::backward(Backend& backend, const kernels::SparseMatrix& adjacency,
                        ConstFloatView /*in*/, ConstFloatView d_out, Cache& cache, FloatView d_in,
                        kernels::RowSet nonzero) {
  const FloatView d_linear = cache.d_linear.view();
  backend.activation_backward(activation, cache.output.view(), d_out, d_linear);
  backend.gemm(Transpose::yes, Transpose::no, 1.0F, cache.propagated.view(), d_linear, 1.0F,
               weight.gradient.view());
  backend.add_column_sums(d_linear, bias.gradient_vector());
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, d_linear, weight.value.view(), 0.0F,
               cache.d_propagated.view());
  kernels::SpmmOptions options;
  options.nonzero = nonzero;
  backend.spmm(adjacency, cache.d_propagated.view(), d_in, options);
}

NodeWeightedLayer::Cache NodeWeightedLayer::make_cache(std::int64_t num_nodes,
                                                       Backend& backend) const {
  const std::int64_t width = bias.value.cols();
  return {backend.matrix<float>(num_nodes, width), backend.matrix<float>(num_nodes, width),
          backend.matrix<float>(num_nodes, width)};
}

void NodeWeightedLayer::forward(Backend& backend, const kernels::SparseMatrix& adjacency,
                                ConstFloatView in, Cache& cache, kernels::RowSet wanted) const {
  const FloatView output = cache.output.view();
  backend.scale_rows(in, alpha.value_vector(), cache.scaled.view());
  kernels::SpmmOptions options;
  options.bias = bias.value_vector();
  options.activation = activation;
  options.wanted = wanted;
  backend.spmm(adjacency, cache.scaled.view(), output, options);
}

void NodeWeightedLayer::backward(Backend& backend, const kernels::SparseMatrix& adjacency,
                                 ConstFloatView in, ConstFloatView d_out, Cache& cache,
                                 FloatView d_in, kernels::RowSet nonzero) {
  const FloatView d_linear = cache.d_linear.view();
  const FloatView d_scaled = cache.scaled.view();
  backend.activation_backward(activation, cache.output.view(), d_out, d_linear);
  backend.add_column_sums(d_linear, bias.gradient_vector());
  kernels::SpmmOptions options;
  options.nonzero = nonzero;
  backend.spmm(adjacency, d_linear, d_scaled, options);
  backend.add_row_dots(d_scaled, in, alpha.gradient_vector());
  backend.scale_rows(d_scaled, alpha.value_vector(), d_in);
}

template <typename Layer>
LayerStack<Layer>::LayerStack(std::vector<Layer> layers, std::int64_t embedding_dim,
                              const kernels::SparseMatrix& adjacency, Backend& backend)
    : adjacency_(adjacency),
      embeddings_("embeddings", adjacency.rows(), embedding_dim, backend),
      layers_(std::move(layers)),
      d_hidden_{backend.matrix<float>(adjacency.rows(), embedding_dim),
                backend.matrix<float>(adjacency.rows(), embedding_dim)} {
  for (const Layer& layer : layers_) caches_.push_back(layer.make_cache(adjacency.rows(), backend));
}

template <typename Layer>
ConstFloatView LayerStack<Layer>::forward(Backend& backend, kernels::RowSet wanted) {
  ConstFloatView hidden = embeddings_.value.view();
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const bool is_last = l + 1 == layers_.size();
    layers_[l].forward(backend, adjacency_, hidden, caches_[l],
                       is_last ? wanted : kernels::RowSet());
    hidden = caches_[l].output.view();
  }
  return hidden;
}

template <typename Layer>
void LayerStack<Layer>::backward(Backend& backend, ConstFloatView d_final, kernels::RowSet nonzero,
                                 Gradients gradients) {
  const FloatView gradient = embeddings_.gradient.view();
  if (gradients == Gradients::overwrite) {
    for (Layer& layer : layers_) {
      layer.visit_parameters(
          [&](Parameter& parameter) { backend.fill(parameter.gradient.view(), 0.0F); });
    }
  }
  ConstFloatView d_out = d_final;
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const ConstFloatView in = l == 0 ? embeddings_.value.view() : caches_[l - 1].output.view();
    const bool ends = l == 0 && gradients == Gradients::overwrite;
    const FloatView d_in = ends ? gradient : d_hidden_[l % 2].view();
    const bool is_last = l + 1 == layers_.size();
    layers_[l].backward(backend, adjacency_, in, d_out, caches_[l], d_in,
                        is_last ? nonzero : kernels::RowSet());
    d_out = d_in;
  }
  if (gradients == Gradients::add) backend.axpby(1.0F, d_out, 1.0F, gradient);
}

template <typename Layer>
void LayerStack<Layer>::visit_parameters(const ParameterVisitor& visit) {
  visit(embeddings_);
  for (Layer& layer : layers_) layer.visit_parameters(visit);
}

template class LayerStack<GcnLayer>;
template class LayerStack<NodeWeightedLayer>;

}  // namespace penchant::models
