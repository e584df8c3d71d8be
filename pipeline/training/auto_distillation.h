// SPDX-License-Identifier: Apache-2.0
// The mixture that ModelKind::automatic chose, as vectors of its own width.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "kernels/backend.h"
#include "models/graph_filter.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/vector_layout.h"
#include "pipeline/training/auto_state.h"
#include "pipeline/training/distillation.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

/// Of a mixture's members.
struct MemberVectors {
  FinishedVectors sum;                    ///< by their weights
  FinishedVectors first;                  ///< of the first of them
  bool network = false;                   ///< a network of sequences is one
  std::vector<std::int64_t> widths = {};  ///< of each one's columns in the sum, in order

  /// The columns of one of them.
  VectorViews member(std::size_t place) const;
};

/// What the mixture's scores are made of, in memory.
struct MixtureParts {
  const MemberVectors* trained = nullptr;             ///< null: a filter alone
  std::shared_ptr<const models::FilterGraph> filter;  ///< null: without
  KnownPart known = KnownPart::train;                 ///< rows that both were made of
};

/// What a regression for new items can be of: each member's vectors, or `vectors`, those of a filter
/// that is alone.
std::vector<VectorViews> new_item_members(const MixtureParts& parts, const Vectors& vectors);

/// The users of the task, and others drawn at random up to `count`; ascending.
std::vector<graph::NodeId> distilled_users(const std::vector<graph::NodeId>& of_task,
                                           std::int64_t count, const Dataset& dataset,
                                           graph::Seed seed);

/// Vectors that rank as a mixture does, before users, and perhaps items, of whom nothing is known
/// have theirs.
struct DistilledVectors {
  Vectors vectors;
  bool new_items = false;           ///< items of whom nothing is known have theirs
  std::optional<double> agreement;  ///< list_agreement of what learnt
  bool went_further = false;        ///< as EarlierVectors::further says
};

/// Where vectors of `width` start to learn: a single member's own, the leading factors of the sum of
/// several, or a filter's leading singular vectors where it is alone.
Vectors first_vectors(const MixtureParts& parts, const AutoState& state, std::int64_t width,
                      kernels::Backend& backend);

/// What vectors go on from that had learnt an earlier mixture, by the rows of today.
struct EarlierVectors {
  Vectors vectors;
  GoesOn how;
  /// Where the list_agreement that comes out is below this, all of it is done again as `further` says.
  double least_agreement = 0.0;
  GoesOn further;
};

/// Of the mixture in `state`, which is more than its vectors: its first_vectors, which learn its
/// ranking if it says so, for these users, at most so many epochs where they are few. Nothing if
/// interrupted. `graphs`: of what the parts were made of. `earlier`, if there is any, is where they
/// start instead.
std::optional<DistilledVectors> distil_mixture(
    const MixtureParts& parts, const AutoState& state, const Dataset& dataset, const Graphs& graphs,
    std::vector<graph::NodeId> users, std::int64_t most_epochs, const TrainOptions& options,
    kernels::Backend& backend, Progress& progress, const EarlierVectors* earlier = nullptr);

}  // namespace penchant::pipeline
