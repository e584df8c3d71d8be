// SPDX-License-Identifier: Apache-2.0
// Finds why a finished model scores as it does (docs/explain.md).
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "pipeline/data/dataset.h"
#include "pipeline/data/histories.h"
#include "pipeline/explain/explanation.h"
#include "pipeline/model/model.h"
#include "pipeline/model/ranking.h"

namespace penchant::pipeline {

/// How much of a data set explaining the scores of this model reads: networks take event types and
/// gaps of times, and with them everything. Throws InputError as Model::open.
DatasetUse use_of_explaining(const std::filesystem::path& model_directory);

/// Of one pair after another: what the first needs of graphs, filters and weights is kept for the
/// next. The model must outlive it. Not for several threads at once.
class Explainer {
 public:
  /// Throws InputError for a model in memory.
  explicit Explainer(const Model& model);
  ~Explainer();

  /// A user without events has the part mean_user alone. Throws InputError: unknown raw ids (with
  /// the nearest), a model without vectors to rank by.
  Explanation of_user(std::string_view raw_user, std::string_view raw_item, Ranking ranking);
  /// Of somebody by what they had, oldest first. Throws InputError as Model::recommend_for_history.
  Explanation of_history(std::span<const std::string_view> raw_items, std::string_view raw_item,
                         Ranking ranking);
  /// The same of events with what is known of them, oldest first; at least one.
  Explanation of_events(std::span<const PersonEvent> events, KnownOfEvents known,
                        graph::NodeId item, Ranking ranking);
  /// Of the cosine of two items' vectors. Throws InputError: unknown raw ids, the same item twice,
  /// no vectors.
  SimilarExplanation of_similar(std::string_view raw_item, std::string_view raw_other);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace penchant::pipeline
