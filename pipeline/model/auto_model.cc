// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/auto_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "models/graph_filter.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/histories.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using models::FilterGraph;
using models::GraphFilter;
using models::Scorer;
using nlohmann::json;

json Mixture::to_json() const {
  return {{"vectors", vectors},
          {"popularity_weight", popularity_weight},
          {"filter_weight", filter_weight}};
}

Mixture Mixture::from_json(const json& stored) {
  const Mixture mixture = {stored.at("vectors").get<bool>(),
                           number_between(stored, "popularity_weight", 0.0, kMostWeight),
                           number_between(stored, "filter_weight", 0.0, kMostWeight)};
  if (!mixture.vectors && mixture.filter_weight == 0.0)
    throw InputError("damaged: the mixture has neither vectors nor a filter");
  return mixture;
}

namespace {

/// deg_u^1/2; of users without a row, whose scores are the mean of all, the mean of the others'.
std::vector<float> roots_of_degrees(const graph::CsrView& user_items) {
  std::vector<float> roots;
  double sum = 0.0;
  std::int64_t num_known = 0;
  for (std::int64_t user = 0; user < user_items.num_rows; ++user) {
    const std::int64_t degree = user_items.row_size(user);
    roots.push_back(static_cast<float>(std::sqrt(static_cast<double>(degree))));
    sum += std::sqrt(static_cast<double>(degree));
    num_known += degree > 0 ? 1 : 0;
  }
  const double mean = num_known > 0 ? sum / static_cast<double>(num_known) : 1.0;
  std::replace(roots.begin(), roots.end(), 0.0F, static_cast<float>(mean));
  return roots;
}

}  // namespace

MixedScorer::MixedScorer(ConstFloatView users, ConstFloatView items,
                         const graph::UserItemGraph& graph, const Mixture& mixture,
                         std::shared_ptr<Scorer> filter, Backend& backend)
    : users_(backend.matrix<float>(users.rows, users.cols)),
      items_(backend.matrix<float>(items.rows, items.cols)) {
  backend.copy(users, users_.view());
  backend.copy(items, items_.view());
  append_popularity(graph, mixture.popularity_weight, backend, users_, items_);
  const std::vector<float> roots = roots_of_degrees(graph.user_items.view());
  kernels::Vector<float> scale = backend.vector<float>(users.rows);
  backend.copy(kernels::VectorView<const float>(roots.data(), users.rows, kernels::Device::cpu),
               scale.view());
  FloatMatrix scaled = backend.matrix<float>(users_.rows(), users_.cols());
  backend.scale_rows(users_.view(), scale.view(), scaled.view());
  users_ = std::move(scaled);
  std::vector<models::WeightedScorer> others;
  if (filter != nullptr)
    others.push_back({std::move(filter), static_cast<float>(mixture.filter_weight)});
  blended_ = std::make_unique<models::BlendedScorer>(users_.view(), items_.view(), others);
}

TrainedModel load_auto(const fs::path& model_directory, const json& manifest,
                       const Dataset& dataset, Backend& backend, KnownPart known) {
  const json& stored = manifest.at("model");
  const Mixture mixture = Mixture::from_json(stored.at("mixture"));
  const bool merged = manifest.at("trained_on").get<std::string>() == "train+validation";
  const Graphs graphs = make_graphs(merged ? train_and_validation(dataset) : dataset.split.train,
                                    dataset, graph_options_from_json(manifest.at("graph_options")));
  // Models of earlier versions have none.
  const RepeatBlend repeats =
      stored.contains("repeats") ? repeats_from_json(stored.at("repeats")) : RepeatBlend{};
  TrainedModel model;
  std::unique_ptr<GraphFilter> filter;
  if (mixture.filter_weight != 0.0) {
    filter = std::make_unique<GraphFilter>(
        std::make_shared<FilterGraph>(
            graphs.user_item.user_items.view(),
            read_singular_vectors(model_directory / kModelWeights, dataset.num_items(), backend),
            backend),
        filter_from_json(stored.at("filter")), backend);
  }
  if (!mixture.vectors) {
    PENCHANT_ASSERT(filter != nullptr);
    filter->vectors(filter_width(stored), backend, model.users, model.items);
    finish_filter_vectors(graphs.user_item, graphs.item, backend, model.users, model.items);
    model.scorer = std::move(filter);
    model.model_name = "auto (filter)";
  } else {
    const fs::path folder = model_directory / kAutoVectors;
    const json vectors_manifest = read_manifest(folder, kModelArtifact);
    check_files(folder, kModelArtifact, vectors_manifest);
    TrainedModel vectors =
        load_vectors(folder, vectors_manifest, dataset, backend, KnownPart::train_and_validation);
    if (filter != nullptr || repeats.weight != 0.0F) {
      model.scorer =
          std::make_unique<MixedScorer>(vectors.users.view(), vectors.items.view(),
                                        graphs.user_item, mixture, std::move(filter), backend);
    }
    model.users = std::move(vectors.users);
    model.items = std::move(vectors.items);
    append_popularity(graphs.user_item, mixture.popularity_weight, backend, model.users,
                      model.items);
    model.new_item_columns = vectors.new_item_columns;
    model.popularity_column = mixture.popularity_weight != 0.0;
    model.normalized = vectors.normalized && !model.popularity_column;
    model.model_name =
        mixture.filter_weight != 0.0 ? "auto (vectors and filter)" : "auto (vectors)";
  }
  if (repeats.weight != 0.0F) {
    constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
    const Histories histories = known == KnownPart::train
                                    ? make_histories(dataset.split.train, dataset, kAll)
                                    : make_histories_with_validation(dataset, kAll);
    std::vector<models::WeightedScorer> terms =
        blended_terms(graphs.user_item, histories, {}, repeats, backend);
    terms.insert(terms.begin(), {std::move(model.scorer), 1.0F});
    model.scorer = std::make_unique<models::ScorerSum>(std::move(terms));
    model.model_name.insert(model.model_name.size() - 1, " and repeats");
  }
  model.saw_validation = merged;
  model.model_hash = hash_bytes(stored.dump() + manifest.at("hash").get<std::string>());
  return model;
}

}  // namespace penchant::pipeline
