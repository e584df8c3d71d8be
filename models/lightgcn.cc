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

// Horner's scheme: H_0 = x, H_l = A H_(l-1) + x; the last product is A H_(L-1) + w x, scaled. Each
// layer reads one matrix besides the gathered one, instead of reading and writing a sum of layers.
void LightGcn::propagate(Backend& backend, ConstFloatView x, FloatView total, bool accumulate) {
  const float share = 1.0F / (static_cast<float>(num_layers_) + own_share_);
  const float keep = accumulate ? 1.0F : 0.0F;
  if (num_layers_ == 0) {
    backend.axpby(1.0F, x, keep, total);
    return;
  }
  ConstFloatView current = x;
  for (std::int64_t layer = 1; layer < num_layers_; ++layer) {
    const FloatView next = layer_[layer % 2].view();
    kernels::SpmmOptions options;
    options.addend = x;
    backend.spmm(adjacency_, current, next, options);
    current = next;
  }
  kernels::SpmmOptions last;
  last.alpha = share;
  last.beta = keep;
  if (own_share_ > 0.0F) {
    last.addend = x;
    last.delta = own_share_ * share;
  }
  backend.spmm(adjacency_, current, total, last);
}

ConstFloatView LightGcn::forward(Backend& backend) {
  propagate(backend, embeddings_.value.view(), final_.view(), false);
  return final_.view();
}

void LightGcn::backward(Backend& backend, ConstFloatView d_final) {
  propagate(backend, d_final, embeddings_.gradient.view(), true);
}

}  // namespace penchant::models
