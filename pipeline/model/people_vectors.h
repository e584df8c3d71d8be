// SPDX-License-Identifier: Apache-2.0
// Vectors of people by what they had, as wide as those of a model's users: the embedding
// (models/fold_in.h), the columns of new items, and 1 for popularity.
#pragma once

#include <cstdint>
#include <memory>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/fold_in.h"
#include "models/new_items.h"
#include "pipeline/data/histories.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

class PeopleVectors {
 public:
  /// `vectors` are the model's and must outlive this; `temperature` is that of its loss; `profiles`
  /// is null if they have no columns of new items. Throws InputError if these are of another width.
  PeopleVectors(const VectorViews& vectors, float temperature,
                std::unique_ptr<models::ItemProfiles> profiles, kernels::Backend& backend);
  /// [B x (D + R + P)] by the shares [B x I] of items, without the `excluded` (models/fold_in.h).
  kernels::FloatMatrix of(const graph::CsrView& shares, const graph::CsrView& excluded,
                          kernels::Backend& backend) const;

 private:
  VectorLayout layout_;
  models::FoldIn embedding_;
  std::unique_ptr<models::ItemProfiles> profiles_;
};

/// The rows that people's events make in a graph of this weight: [B x I]. The events' weights are 1.
graph::Csr rows_of_events(const Histories& people, std::int64_t num_items,
                          const graph::UserItemGraphOptions& options);

}  // namespace penchant::pipeline
