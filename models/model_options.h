// SPDX-License-Identifier: Apache-2.0
// What a user chooses of a model. Everything has a default that serves all data sets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/enum_names.h"
#include "kernels/backend.h"

namespace penchant::models {

/// lightgcn       He et al. 2020: mean of A^l E, l = 0..L
/// gcn            Kipf and Welling 2017: H' = act(A H W + b)
/// node_weighted  h'_i = act(sum_j alpha_j A_ij h_j + b), learned alpha
/// graph_filter   closed form, no parameters to learn: models/graph_filter.h
/// interest       graph embeddings and a sequence encoder, fused: models/interest_model.h
/// private_items  item vectors and popularity that are (epsilon, delta)-private: pipeline/privacy/
/// automatic      a filter, trained vectors or both, chosen on the validation part
enum class ModelKind { lightgcn, gcn, node_weighted, graph_filter, interest, private_items, automatic };
constexpr auto enum_words(ModelKind) {
  return std::to_array<EnumWord<ModelKind>>({{ModelKind::lightgcn, "lightgcn"}, {ModelKind::gcn, "gcn"},
                    {ModelKind::node_weighted, "node_weighted"},
                    {ModelKind::graph_filter, "graph_filter"}, {ModelKind::interest, "interest"},
                    {ModelKind::private_items, "private"}, {ModelKind::automatic, "auto"}});
}
enum class Initializer { normal, spectral };
constexpr auto enum_words(Initializer) {
  return std::to_array<EnumWord<Initializer>>({{Initializer::normal, "normal"},
                    {Initializer::spectral, "spectral"}});
}
enum class LossKind { sampled_softmax, bpr };
constexpr auto enum_words(LossKind) {
  return std::to_array<EnumWord<LossKind>>({{LossKind::sampled_softmax, "sampled_softmax"},
                    {LossKind::bpr, "bpr"}});
}

enum class SequenceKind { none, rnn, lstm, cnn };
constexpr auto enum_words(SequenceKind) {
  return std::to_array<EnumWord<SequenceKind>>({{SequenceKind::none, "none"}, {SequenceKind::rnn, "rnn"},
                    {SequenceKind::lstm, "lstm"}, {SequenceKind::cnn, "cnn"}});
}
/// What the ranking head learns: whether an item is the next one, or the weight of its event (a
/// rating).
enum class RankingTarget { interest, rating };
constexpr auto enum_words(RankingTarget) {
  return std::to_array<EnumWord<RankingTarget>>({{RankingTarget::interest, "interest"},
                    {RankingTarget::rating, "rating"}});
}

/// Options of ModelKind::interest.
struct InterestOptions {
  SequenceKind sequence = SequenceKind::lstm;
  std::int64_t hidden_dim = 128;     ///< H of the sequence encoder
  std::int64_t sequence_layers = 1;  ///< rnn, lstm
  std::vector<std::int64_t> cnn_widths = {1, 2, 3, 4};
  std::int64_t max_length = 50;  ///< latest events of a user that are looked at
  bool graph = true;             ///< fuse the user's graph embedding with the sequence's
  bool item_graph = true;        ///< propagate item vectors over the item graph
  float history_decay =
      0.8F;  ///< of an event's weight in the user's graph embedding, per later event
  float dropout = 0.4F;
  std::vector<std::int64_t> mlp_dims = {128};  ///< hidden widths between fusion and user vector
  bool layer_norm = false;                     ///< in the hidden layers
  bool ranking_head = true;                    ///< P(interest | user, item) beside the vectors
  RankingTarget ranking_target = RankingTarget::interest;
  float ranking_weight = 0.1F;  ///< of its loss beside the retrieval loss
};

struct ModelOptions {
  ModelKind kind = ModelKind::lightgcn;
  std::int64_t embedding_dim = 64;
  std::int64_t num_layers = 3;
  kernels::Activation activation = kernels::Activation::leaky_relu;  ///< gcn and node_weighted
  LossKind loss = LossKind::sampled_softmax;
  float temperature = 0.1F;
  bool normalize = true;              ///< scores are cosines; final embeddings have length 1
  std::int64_t new_item_columns = 0;  ///< further columns for new items: models/new_items.h
  Initializer initializer = Initializer::spectral;
  float initial_scale = 0.1F;  ///< standard deviation of the initial embeddings
  float own_share = 0.0F;      ///< lightgcn: weight of a node's own embedding in the mean of the
                               ///< layers; the paper's is 1
  InterestOptions interest;
};

}  // namespace penchant::models
