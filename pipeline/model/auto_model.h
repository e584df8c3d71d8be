// SPDX-License-Identifier: Apache-2.0
// A model of kind "auto": a graph filter, trained vectors, or the sum of both and of popularity.
//   score(u, i) = sqrt(d_u) (<users_u, items_i> + a log(1 + users of i)) + w filter(u, i)
//               + v repeats(u, i)
// The root of the user's degree d_u brings both terms to one scale for all users: a filter's scores
// grow with it. Where held-out rows repeat training rows, what users did before has a say
// (pipeline/choice/repeat_blend.h).
#pragma once

#include <filesystem>
#include <memory>

#include <nlohmann/json_fwd.hpp>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/blended_scorer.h"
#include "models/scorer.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/trained_model.h"

namespace penchant::pipeline {

inline constexpr const char* kAutoVectors = "vectors";  ///< folder of the trained vectors

/// What the scores are made of.
struct Mixture {
  bool vectors = false;
  double popularity_weight = 0.0;  ///< a
  double filter_weight = 0.0;      ///< w; 1 without vectors

  nlohmann::json to_json() const;
  /// Throws InputError for what is no mixture, nlohmann::json::exception for what is missing.
  static Mixture from_json(const nlohmann::json& stored);
};

/// The sum of the head comment without the repeats; `filter` may be null. Owns its vectors.
class MixedScorer final : public models::Scorer {
 public:
  MixedScorer(kernels::ConstFloatView users, kernels::ConstFloatView items,
              const graph::UserItemGraph& graph, const Mixture& mixture,
              std::shared_ptr<models::Scorer> filter, kernels::Backend& backend);
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override {
    blended_->score(users, backend, scores);
  }

 private:
  kernels::FloatMatrix users_, items_;
  std::unique_ptr<models::BlendedScorer> blended_;
};

/// load_model() of what train_auto wrote. `manifest` has been read and names this data set. `known`
/// is what repeats are counted in.
TrainedModel load_auto(const std::filesystem::path& model_directory, const nlohmann::json& manifest,
                       const Dataset& dataset, kernels::Backend& backend, KnownPart known);

}  // namespace penchant::pipeline
