// SPDX-License-Identifier: Apache-2.0
// What a user chooses of a model. Everything has a default that serves all data sets.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/backend.h"

namespace penchant::models {

/// lightgcn       He et al. 2020: mean of A^l E, l = 0..L
/// gcn            Kipf and Welling 2017: H' = act(A H W + b)
/// node_weighted  h'_i = act(sum_j alpha_j A_ij h_j + b), learned alpha
/// graph_filter   closed form, no parameters to learn: models/graph_filter.h
/// automatic      a filter, trained vectors or both, chosen on the validation part
enum class ModelKind { lightgcn, gcn, node_weighted, graph_filter, automatic };
enum class Initializer { normal, spectral };
enum class LossKind { sampled_softmax, bpr };

struct ModelOptions {
  ModelKind kind = ModelKind::lightgcn;
  std::int64_t embedding_dim = 64;
  std::int64_t num_layers = 3;
  kernels::Activation activation = kernels::Activation::leaky_relu;  ///< gcn and node_weighted
  LossKind loss = LossKind::sampled_softmax;
  float temperature = 0.1F;
  bool normalize = true;  ///< scores are cosines; final embeddings have length 1
  Initializer initializer = Initializer::spectral;
  float initial_scale = 0.1F;  ///< standard deviation of the initial embeddings
  float own_share = 0.0F;      ///< lightgcn: weight of a node's own embedding in the mean of the
                               ///< layers; the paper's is 1
};

}  // namespace penchant::models
