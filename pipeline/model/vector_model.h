// SPDX-License-Identifier: Apache-2.0
// Models that learn in steps, out of X.model: the graphs they were trained on, their weights, and
// what ranks beside their vectors.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "models/scorer.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/histories.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/interest.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

class TrainedInterest;  // pipeline/model/interest_network.h

/// The finished vectors of an encoder or interest model by its weights, over the graphs that it was
/// trained on; `known` is what an interest model makes its users of. Throws InputError for weights that are damaged or not those of the manifest.
FinishedVectors trained_vectors(const std::filesystem::path& model_directory,
                                const nlohmann::json& manifest, const Dataset& dataset,
                                const Graphs& graphs, kernels::Backend& backend,
                                KnownPart known = KnownPart::train_and_validation);
/// The network of an interest model; `known` is what its mean user is made of. The data set must
/// outlive it.
std::unique_ptr<TrainedInterest> load_interest(const std::filesystem::path& model_directory,
                                               const nlohmann::json& manifest,
                                               const Dataset& dataset,
                                               const graph::ItemGraph& item_graph, KnownPart known,
                                               kernels::Backend& backend);
/// What its scores are made of.
std::vector<ScoreTerm> trained_terms(const nlohmann::json& manifest);
/// Vectors, and the filter, the repeats and the links beside them. `vectors` must outlive it.
/// `histories` is what repeats are counted in.
std::unique_ptr<models::Scorer> trained_scorer(
    const nlohmann::json& manifest, const Dataset& dataset, const graph::UserItemGraph& graph,
    const VectorViews& vectors, const Histories& histories, kernels::Backend& backend);

}  // namespace penchant::pipeline
