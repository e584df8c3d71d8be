// SPDX-License-Identifier: Apache-2.0
// The fused interest model: long-term taste from graphs and present intent from a sequence encoder,
// trained end to end. With Z the item vectors [I x D] and, for event t of a user's history,
//   Z    = mean of the layers of LightGCN over the item graph (models/lightgcn.h), once a step
//   x_t  = z_(item t) + event-type vector + time-gap vector
//   x_d  = sequence encoder of x_1 .. x_t                      [H]  (models/sequence_encoder.h)
//   x_g  = sum_(s <= t) decay^(t-s) z_(item s) / sqrt(sum_(s <= t) decay^(t-s))   [D]
//   x_f  = [x_d, x_g],  v = MLP(x_f)                           [D]  the user's vector at that time
//   retrieval head   p(next item i | t) = softmax_i(<v, z_i> / temperature)
//   ranking head     P(interest in i | t) = sigmoid(MLP_r([x_f, z_i, v * z_i])), or without the
//                    sigmoid the expected rating of i (RankingTarget::rating)
// x_g is the user's vector of one LightGCN layer over the user-item graph, made of the events up to
// t only: a user's row of the whole training graph would hold the item that is to be predicted. It
// needs no parameter of its own, so users who were not in training get theirs in the same way.
// Loss: mean over events of the softmax cross entropy (over sampled negatives, or all items where
// these are few) + ranking_weight times the binary cross entropy of one observed and one sampled
// item per event, or the squared error of the observed item's rating.
#pragma once

#include <memory>

#include "models/encoder.h"
#include "models/loss_log.h"
#include "models/mlp.h"
#include "models/sequence_encoder.h"
#include "models/workspace.h"

namespace penchant::models {

/// What a batch of histories looks like to the model; ids and numbers on the backend's device.
struct InterestBatch {
  SequenceBatch sequences;
  kernels::IdView items;                           ///< [S] item of each event
  kernels::IdView events;                          ///< [S] event type, or empty
  kernels::IdView gaps;                            ///< [S] bucket of the time gap, or empty
  kernels::VectorView<const float> history_scale;  ///< [S] 1 / sqrt(sum_(s <= t) decay^(t-s))
  kernels::IdView last_events;                     ///< [B] last event of each sequence
};

/// What the events of a batch are trained to predict.
struct InterestTargets {
  kernels::IdView items;                           ///< [S] the next item
  kernels::IdView negatives;                       ///< [M] shared by the batch
  kernels::VectorView<const float> positive_bias;  ///< [S] log-q correction, or empty
  kernels::VectorView<const float> negative_bias;  ///< [M]
  kernels::VectorView<const float> ratings;  ///< [S] of the next items, for RankingTarget::rating
  kernels::IdView unobserved;                ///< [S] sampled item per event for the ranking head
};

struct InterestSizes {
  std::int64_t num_items = 0;
  std::int64_t num_events = 0;  ///< event types; 0: no event vectors
  std::int64_t num_gaps = 0;    ///< gap buckets; 0: no gap vectors
  float mean_rating = 0.0F;     ///< where predictions of ratings start
};

class InterestModel {
 public:
  /// `item_graph` [(I + hubs) squared] is symmetric and normalised (graph/propagation_graph.h); items come
  /// first. Throws InputError for options that do not fit each other.
  InterestModel(const ModelOptions& options, const InterestSizes& sizes,
                const kernels::SparseMatrix& item_graph, graph::Seed seed,
                kernels::Backend& backend);

  /// Item vectors [I x D], as scored: of length 1 with ModelOptions::normalize. Valid until the
  /// next forward_items or train_step.
  kernels::ConstFloatView forward_items(kernels::Backend& backend);
  /// User vectors behind the last event of each sequence of the batch: to [B x D], as scored. Needs
  /// forward_items. No sequence may be empty.
  void user_vectors(kernels::Backend& backend, const InterestBatch& batch, kernels::FloatView to);
  /// Logits (or ratings) of the ranking head for pairs of an event of the batch and an item, [P]
  /// each. Needs user_vectors of this batch. Throws InputError if the model has no ranking head.
  void pair_logits(kernels::Backend& backend, const InterestBatch& batch,
                   kernels::IdView event_rows, kernels::IdView items,
                   kernels::VectorView<float> logits);
  /// The rows' losses go to `losses`; parameter gradients accumulate.
  void add_gradients(kernels::Backend& backend, const InterestBatch& batch,
                     const InterestTargets& targets, const StepDropout& dropout, LossLog& losses);
  /// Gradients along a straight line from nothing to what people did: each event's inputs (its
  /// item's vector, and with it those of its type and its gap in the sequence encoder) count
  /// input_scale_t [S] times. With f_b = <user vector behind the last event of sequence b,
  /// directions_b>, directions [B x D]: values [B] += f_b, products [S] += the inner product of an
  /// event's scaled inputs with the gradient of its sequence's f. Needs forward_items; parameter
  /// gradients are left changed. No sequence may be empty.
  void add_input_products(kernels::Backend& backend, const InterestBatch& batch,
                          kernels::VectorView<const float> input_scale,
                          kernels::ConstFloatView directions, kernels::VectorView<float> values,
                          kernels::VectorView<float> products);
  void visit_parameters(const ParameterVisitor& visit);
  /// Widens ranges of the sequence encoder's activations by those of a batch; as many as it has
  /// layers that can be quantised. Needs forward_items.
  void widen_ranges(kernels::Backend& backend, const InterestBatch& batch,
                    std::vector<kernels::RecurrentRanges>& ranges);
  /// user_vectors and pair_logits by products of 8 bits in the sequence encoder, whose weights are
  /// final. Throws InputError for ranges of another encoder, or none.
  void quantize(kernels::Backend& backend, std::span<const kernels::RecurrentRanges> ranges);

 private:
  /// Rows of item vectors in one role, in the form that they are scored in, and their gradients.
  struct Rows {
    Workspace value, gradient;         ///< [rows x D]
    DeviceArray<float> inverse_norms;  ///< [rows]
  };
  std::int64_t fused_dim() const { return hidden_dim_ + (options_.interest.graph ? dim_ : 0); }
  kernels::FloatView gather_items(kernels::Backend& backend, kernels::IdView ids, Rows& rows);
  void scatter_items(kernels::Backend& backend, kernels::IdView ids, Rows& rows);
  /// Whether a backward follows.
  enum class Pass { forward_and_backward, forward };
  /// x_f of all events: fused_, and v: users_.value. Inputs count input_scale times (empty: once).
  void forward_events(kernels::Backend& backend, const InterestBatch& batch,
                      const StepDropout& dropout, kernels::VectorView<const float> input_scale = {},
                      Pass pass = Pass::forward_and_backward);
  /// From d_fused_ to the gradients of the encoder's parameters and d_items_.
  void backward_events(kernels::Backend& backend, const InterestBatch& batch,
                       const StepDropout& dropout);
  void add_retrieval_gradients(kernels::Backend& backend, const InterestTargets& targets,
                               LossLog& losses);
  void add_ranking_gradients(kernels::Backend& backend, const InterestTargets& targets,
                             const StepDropout& dropout, LossLog& losses);
  /// Losses of the ranking head's outputs [P] (P = S, or 2 S with the unobserved items behind the
  /// observed ones) and their gradients.
  void ranking_losses(kernels::Backend& backend, const InterestTargets& targets,
                      kernels::VectorView<const float> outputs, kernels::VectorView<float> losses,
                      kernels::VectorView<float> d_outputs);
  /// [x_f, z_i, v * z_i] of pairs whose parts are given.
  void fill_features(kernels::Backend& backend, kernels::ConstFloatView fused,
                     kernels::ConstFloatView users, kernels::ConstFloatView items,
                     kernels::FloatView features);

  ModelOptions options_;
  InterestSizes sizes_;
  std::int64_t dim_;         ///< D
  std::int64_t hidden_dim_;  ///< H, 0 without a sequence encoder
  std::unique_ptr<Encoder> items_;
  std::vector<Parameter> event_vectors_, gap_vectors_;  ///< one [types x D] each, or none
  std::unique_ptr<SequenceEncoder> sequence_;
  std::unique_ptr<Mlp> fusion_;
  std::unique_ptr<Mlp> ranking_;

  kernels::ConstFloatView item_vectors_;  ///< Z before normalisation [(I + hubs) x D]
  kernels::FloatMatrix d_items_;  ///< dLoss/dZ [(I + hubs) x D], zero but for the step's items
  kernels::Vector<std::uint32_t> step_items_;  ///< that the last step read
  Rows all_items_, users_, positives_, negatives_, unobserved_;
  Workspace inputs_, dropped_, running_, fused_, dropped_fused_;
  Workspace d_dropped_fused_, d_ranking_fused_, d_inputs_, d_running_;
  Workspace features_, d_features_, logits_, d_logits_, pair_fused_, pair_users_;
  DeviceArray<float> flat_logits_, d_flat_logits_, labels_;
};

}  // namespace penchant::models
