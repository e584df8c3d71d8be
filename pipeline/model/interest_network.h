// SPDX-License-Identifier: Apache-2.0
// Use of the fused interest model (models/interest_model.h): its item graph, and the scorer of a
// finished model.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "graph/item_graph.h"
#include "models/interest_model.h"
#include "pipeline/data/dataset.h"
#include "pipeline/model/calibration.h"
#include "pipeline/model/history_batch.h"
#include "pipeline/model/interest.h"
#include "pipeline/model/network_ranges.h"

namespace penchant::pipeline {

/// What each event of one history adds to a user's inner product with a vector, by integrated
/// gradients (Sundararajan, Taly and Yan, ICML 2017, equation 3): from a baseline of zeros in the
/// place of every event's inputs, in midpoints of steps along the straight line.
struct EventGradients {
  std::vector<double> events;  ///< [events of the history]; 0 of those before the last max_length
  double at_zero = 0.0;        ///< the product at the baseline: what the network says of nobody
  double at_history = 0.0;     ///< the product itself; what `events` and at_zero leave of it is
                               ///< the error of the integration
  std::int64_t steps = 0;
};

/// The model with the graph that it propagates over.
class InterestNetwork {
 public:
  InterestNetwork(const Dataset& dataset, const graph::ItemGraph& item_graph,
                  const models::ModelOptions& options, graph::Seed seed, kernels::Backend& backend);
  models::InterestModel& model() { return *model_; }
  graph::CsrView adjacency() const { return adjacency_.view(); }  ///< of items and hubs
  /// What the model takes of the histories of its data set: event types and time gaps only where
  /// they differ.
  Histories histories(Histories all) const;
  /// Vectors [B x D] of users by their histories, the last max_length events of each; empty
  /// histories get `empty` (a row of D, or zeros if it has no columns). Needs forward_items.
  kernels::FloatMatrix user_vectors(const Histories& histories, kernels::ConstFloatView empty,
                                    kernels::Backend& backend);
  /// Outputs of the ranking head for pairs of a history and an item, `empty` where the history is.
  /// Needs forward_items.
  std::vector<float> pair_outputs(const Histories& histories,
                                  std::span<const graph::NodeId> history_rows,
                                  std::span<const graph::NodeId> items, float empty,
                                  kernels::Backend& backend);
  /// Of a history [1 row, not empty] and a direction [D]: with ever more steps until the error is
  /// below `tolerance` of the larger of the products at both ends. Needs forward_items.
  EventGradients integrated_gradients(const Histories& history, std::span<const float> direction,
                                      double tolerance, kernels::Backend& backend);
  /// Between what the activations of each recurrent layer lie over these histories. Needs
  /// forward_items.
  std::vector<kernels::RecurrentRanges> activation_ranges(const Histories& histories,
                                                          kernels::Backend& backend);
  /// Vectors of all items and of users by their histories; those without history get the mean of
  /// the others, which is returned [1 x D].
  kernels::FloatMatrix embeddings(const Histories& histories, kernels::Backend& backend,
                                  kernels::FloatMatrix& users, kernels::FloatMatrix& items);

 private:
  friend class TrainedInterest;
  models::ModelOptions options_;
  models::InterestSizes sizes_;
  graph::Csr adjacency_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  std::unique_ptr<models::InterestModel> model_;
};

/// A trained interest model. Users without history get the mean user's vector.
class TrainedInterest final : public InterestScorer {
 public:
  /// `head` gives the probabilities, or `network` if it is null. `popularity_column`: the item
  /// vectors that user_vectors are for have a column of popularity behind them (append_popularity),
  /// for which users have a 1. `known` gives the histories of the data set's users.
  TrainedInterest(std::unique_ptr<InterestNetwork> network, std::unique_ptr<InterestNetwork> head,
                  bool popularity_column, Calibration calibration, std::function<Histories()> known)
      : network_(std::move(network)),
        head_(std::move(head)),
        popularity_column_(popularity_column),
        calibration_(std::move(calibration)),
        known_(std::move(known)) {}
  kernels::FloatMatrix user_vectors(const Histories& histories, kernels::Backend& backend) override;
  PairScore pair_score() const override;
  /// Without a history: a logit of 0, or the mean rating.
  std::vector<float> pair_scores(const Histories& histories,
                                 std::span<const graph::NodeId> history_rows,
                                 std::span<const graph::NodeId> items,
                                 kernels::Backend& backend) override;
  /// InterestNetwork::integrated_gradients of what the network takes of a history.
  EventGradients integrated_gradients(const Histories& history, std::span<const float> direction,
                                      double tolerance, kernels::Backend& backend) {
    return network_->integrated_gradients(network_->histories(history), direction, tolerance,
                                          backend);
  }
  /// Vectors of the data set's users and items, without a column of popularity. This or
  /// forward_items is to be called before the others.
  void embeddings(kernels::Backend& backend, kernels::FloatMatrix& users,
                  kernels::FloatMatrix& items);
  void forward_items(kernels::Backend& backend);
  /// InterestNetwork::activation_ranges of the network, and of the head where it is another one.
  NetworkRanges activation_ranges(const Histories& histories, kernels::Backend& backend);

 private:
  std::unique_ptr<InterestNetwork> network_, head_;
  bool popularity_column_;
  Calibration calibration_;
  std::function<Histories()> known_;
  kernels::FloatMatrix mean_user_;  ///< [1 x D], once it is known
};

}  // namespace penchant::pipeline
