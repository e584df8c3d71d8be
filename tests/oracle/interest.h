// SPDX-License-Identifier: Apache-2.0
// Oracle of the fused interest model: its loss in double, one sequence and one event at a time,
// from the equations in models/interest_model.h, models/sequence_encoder.h and models/mlp.h.
// Gradients are central differences of it. See linear.h.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/ids.h"
#include "models/model_options.h"
#include "tests/oracle/model.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

/// Sequences longest first, one after another; all per-event lists are in that order.
struct InterestBatch {
  std::vector<std::int64_t> lengths;
  std::vector<graph::NodeId> items, events, gaps;  ///< [S]; the last two may be empty
  std::vector<graph::NodeId> targets, unobserved;  ///< [S]
  std::vector<graph::NodeId> negatives;            ///< [M]
  Dense positive_bias, negative_bias;              ///< one row, or empty
  graph::Seed dropout_seed{0};
  std::uint64_t dropout_step = 0;
};

/// User vectors of all events [S x D] as scored, without dropout.
Dense interest_users(const models::ModelOptions& options, const Dense& item_graph,
                     const Parameters& parameters, const InterestBatch& batch);
/// Logits of the ranking head for each event and the item `items[event]`, without dropout.
Dense interest_logits(const models::ModelOptions& options, const Dense& item_graph,
                      const Parameters& parameters, const InterestBatch& batch,
                      const std::vector<graph::NodeId>& items);
/// Mean over events of the retrieval loss + ranking_weight times the mean ranking loss, with the
/// options' dropout.
double interest_loss(const models::ModelOptions& options, const Dense& item_graph,
                     const Parameters& parameters, const InterestBatch& batch);

}  // namespace penchant::oracle
