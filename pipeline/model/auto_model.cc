// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/auto_model.h"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/stored_vectors.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
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

namespace {

constexpr const char* kUserVectors = "users";
constexpr const char* kItemVectors = "items";

/// Models of earlier versions are not.
bool is_distilled(const json& model) { return model.contains("distillation"); }
/// Models of earlier versions have none.
RepeatBlend stored_repeats(const json& model) {
  return model.contains("repeats") ? repeats_from_json(model.at("repeats")) : RepeatBlend{};
}

}  // namespace

std::unique_ptr<Scorer> mixed_scorer(const VectorViews& trained, const Mixture& mixture,
                                     std::shared_ptr<Scorer> filter, const RepeatBlend& repeats,
                                     const graph::UserItemGraph& graph, const Histories& histories,
                                     Backend& backend) {
  if (mixture.vectors && filter == nullptr && repeats.weight == 0.0F) return nullptr;
  std::vector<models::WeightedScorer> terms = blended_terms(graph, histories, {}, repeats, backend);
  if (mixture.vectors) {
    const VectorViews vectors = trained.without_popularity();
    filter = std::make_shared<MixedScorer>(vectors.users, vectors.items, graph, mixture,
                                           std::move(filter), backend);
  }
  terms.insert(terms.begin(), {std::move(filter), 1.0F});
  return std::make_unique<models::ScorerSum>(std::move(terms));
}

void write_distilled(const fs::path& file, ConstFloatView users, ConstFloatView items,
                     Backend& backend) {
  kernels::Download<float> download_users;
  kernels::Download<float> download_items;
  const std::vector<models::NamedTensor> tensors = {{kUserVectors, download_users(users, backend)},
                                                    {kItemVectors, download_items(items, backend)}};
  write_file_atomically(file, [&](std::ostream& out) {
    models::write_safetensors(out, tensors, {{"format", "penchant weights"}});
  });
}

FinishedVectors auto_vectors(const fs::path& model_directory, const json& manifest,
                             const Dataset& dataset, const Graphs& graphs, Backend& backend) {
  const json& model = manifest.at("model");
  const Mixture mixture = Mixture::from_json(model.at("mixture"));
  if (is_distilled(model)) {
    const fs::path file = model_directory / kDistilledWeights;
    const models::TensorFile weights = models::read_safetensors(file);
    FinishedVectors vectors;
    vectors.layout.embedding_dim = model.at("distillation").at("width").get<std::int64_t>();
    const auto read = [&](const char* name, std::int64_t rows, FloatMatrix& to) {
      to = backend.matrix<float>(rows, vectors.layout.embedding_dim);
      backend.copy(weights.find_finite(name, rows, vectors.layout.embedding_dim, file).view(),
                   to.view());
    };
    read(kUserVectors, dataset.num_users(), vectors.users);
    read(kItemVectors, dataset.num_items(), vectors.items);
    finish_filter_vectors(graphs.user_item, graphs.item, backend, vectors.users, vectors.items);
    return vectors;
  }
  if (!mixture.vectors) {
    return filter_vectors(*load_filter(model_directory, model, graphs.user_item, backend), model,
                          graphs, backend);
  }
  const fs::path folder = model_directory / kAutoVectors;
  const json trained = read_manifest(folder, kModelArtifact);
  FinishedVectors vectors = trained_vectors(folder, trained, dataset, graphs, backend);
  append_popularity(graphs.user_item, mixture.popularity_weight, backend, vectors.users,
                    vectors.items);
  vectors.layout.popularity_column = mixture.popularity_weight != 0.0;
  vectors.layout.normalized = vectors.layout.normalized && !vectors.layout.popularity_column;
  return vectors;
}

std::vector<ScoreTerm> auto_terms(const json& model) {
  const Mixture mixture = Mixture::from_json(model.at("mixture"));
  std::vector<ScoreTerm> terms;
  const auto add = [&](TermKind kind, double weight) {
    if (weight != 0.0) terms.push_back({kind, weight});
  };
  add(TermKind::vectors, mixture.vectors ? 1.0 : 0.0);
  add(TermKind::popularity, mixture.vectors ? mixture.popularity_weight : 0.0);
  add(TermKind::filter, mixture.filter_weight);
  add(TermKind::repeats, static_cast<double>(stored_repeats(model).weight));
  return terms;
}

std::unique_ptr<Scorer> auto_scorer(const fs::path& model_directory, const json& model,
                                    const graph::UserItemGraph& graph, const VectorViews& vectors,
                                    const Histories& histories, Backend& backend, DatasetUse use) {
  const Mixture mixture = Mixture::from_json(model.at("mixture"));
  std::shared_ptr<Scorer> filter;
  if (mixture.filter_weight != 0.0)
    filter = load_filter(model_directory, model, graph, backend, use);
  if (!mixture.vectors || !is_distilled(model)) {
    return mixed_scorer(vectors, mixture, std::move(filter), stored_repeats(model), graph,
                        histories, backend);
  }
  // What is distilled was made of the trained vectors.
  const fs::path folder = model_directory / kAutoVectors;
  const auto layout = VectorLayout::from_json(read_manifest(folder, kModelArtifact).at("layout"));
  const auto users =
      map_vectors(folder / kVectorsFolder / "users.npy", vectors.users.rows, layout.width());
  const auto items =
      map_vectors(folder / kVectorsFolder / "items.npy", vectors.items.rows, layout.width());
  const auto view = [&](const graph::MappedNpy<float>& file, const char* name) {
    const ConstFloatView rows(file.values().data(), file.rows(), file.cols(), file.cols(),
                              kernels::Device::cpu);
    require_finite(rows, folder / kVectorsFolder / name, 0);
    return rows;
  };
  return mixed_scorer({view(users, "users.npy"), view(items, "items.npy"), layout}, mixture,
                      std::move(filter), stored_repeats(model), graph, histories, backend);
}

}  // namespace penchant::pipeline
