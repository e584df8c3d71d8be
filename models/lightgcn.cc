// SPDX-License-Identifier: Apache-2.0
#include "models/lightgcn.h"

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;

LayerMean::LayerMean(std::int64_t num_layers, float own_share, std::int64_t embedding_dim,
                     const kernels::SparseMatrix& adjacency, Backend& backend)
    : num_layers_(num_layers),
      own_share_(num_layers == 0 ? 1.0F : own_share),
      adjacency_(adjacency) {
  if (num_layers > 1) layer_[1] = backend.matrix<float>(adjacency.rows(), embedding_dim);
  if (num_layers > 2) layer_[0] = backend.matrix<float>(adjacency.rows(), embedding_dim);
}

// Horner's scheme: H_0 = x, H_l = A H_(l-1) + x; the last product is A H_(L-1) + w x, scaled. Each
// layer reads one matrix besides the gathered one, instead of reading and writing a sum of layers.
// Of the last product only the wanted rows are made, and the first gathers only rows that are not
// zero; in between, neighbours of neighbours are nearly all nodes.
void LayerMean::apply(Backend& backend, ConstFloatView x, FloatView total, Output output,
                      const LayerRows& rows) {
  const float share = 1.0F / (static_cast<float>(num_layers_) + own_share_);
  const float keep = output == Output::add ? 1.0F : 0.0F;
  if (num_layers_ == 0) {
    backend.axpby(1.0F, x, keep, total);
    return;
  }
  ConstFloatView current = x;
  for (std::int64_t layer = 1; layer < num_layers_; ++layer) {
    const FloatView next = layer_[layer % 2].view();
    kernels::SpmmOptions options;
    options.addend = x;
    options.nonzero_addend = rows.nonzero;
    if (layer == 1) options.nonzero = rows.nonzero;
    backend.spmm(adjacency_, current, next, options);
    current = next;
  }
  kernels::SpmmOptions last;
  last.alpha = share;
  last.beta = keep;
  last.wanted = rows.wanted;
  if (num_layers_ == 1) last.nonzero = rows.nonzero;
  if (own_share_ > 0.0F) {
    last.addend = x;
    last.nonzero_addend = rows.nonzero;
    last.delta = own_share_ * share;
  }
  backend.spmm(adjacency_, current, total, last);
}

LightGcn::LightGcn(std::int64_t num_layers, float own_share, std::int64_t embedding_dim,
                   const kernels::SparseMatrix& adjacency, Backend& backend)
    : mean_(num_layers, own_share, embedding_dim, adjacency, backend),
      embeddings_("embeddings", adjacency.rows(), embedding_dim, backend),
      final_(backend.matrix<float>(adjacency.rows(), embedding_dim)) {}

ConstFloatView LightGcn::forward(Backend& backend, kernels::RowSet wanted) {
  mean_.apply(backend, embeddings_.value.view(), final_.view(), LayerMean::Output::overwrite,
              {.wanted = wanted});
  return final_.view();
}

void LightGcn::backward(Backend& backend, ConstFloatView d_final, kernels::RowSet nonzero,
                        Gradients gradients) {
  mean_.apply(backend, d_final, embeddings_.gradient.view(),
              gradients == Gradients::add ? LayerMean::Output::add : LayerMean::Output::overwrite,
              {.nonzero = nonzero});
}

}  // namespace penchant::models
