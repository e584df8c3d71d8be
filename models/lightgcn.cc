// SPDX-License-Identifier: Apache-2.0
#include "models/lightgcn.h"

namespace penchant::models {

using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatView;

LightGcn::LightGcn(std::int64_t num_layers, float own_share, std::int64_t embedding_dim,
                   const kernels::SparseMatrix& adjacency, Backend& backend)
    : num_layers_(num_layers),
      own_share_(num_layers == 0 ? 1.0F : own_share),
      adjacency_(adjacency),
      embeddings_("embeddings", adjacency.rows(), embedding_dim, backend),
      final_(backend.matrix<float>(adjacency.rows(), embedding_dim)),
      layer_{backend.matrix<float>(adjacency.rows(), embedding_dim),
             backend.matrix<float>(adjacency.rows(), embedding_dim)} {}

void LightGcn::propagate(Backend& backend, ConstFloatView x, FloatView total, bool accumulate) {
  const float share = 1.0F / (static_cast<float>(num_layers_) + own_share_);
  if (own_share_ > 0.0F || !accumulate)
    backend.axpby(own_share_ * share, x, accumulate ? 1.0F : 0.0F, total);
  ConstFloatView current = x;
  for (std::int64_t layer = 0; layer < num_layers_; ++layer) {
    const FloatView next = layer_[layer % 2].view();
    kernels::SpmmOptions options;
    options.layer_sum = total;
    options.gamma = share;
    backend.spmm(adjacency_, current, next, options);
    current = next;
  }
}

ConstFloatView LightGcn::forward(Backend& backend) {
  propagate(backend, embeddings_.value.view(), final_.view(), false);
  return final_.view();
}

void LightGcn::backward(Backend& backend, ConstFloatView d_final) {
  propagate(backend, d_final, embeddings_.gradient.view(), true);
}

}  // namespace penchant::models
