// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/vector_model.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/propagation_graph.h"
#include "models/blended_scorer.h"
#include "models/encoder.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/network_ranges.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using kernels::Backend;
using models::Parameter;
using nlohmann::json;

namespace {

/// Compares the extents that the manifest names with the tensors before anything is built of them.
void check_extents(const models::ModelOptions& options, const models::TensorFile& file,
                   const fs::path& weights) {
  std::int64_t width = 0;
  double numbers = 0.0;
  for (const models::LoadedTensor& tensor : file.tensors) {
    if (tensor.name == "embeddings") width = tensor.cols;
    numbers += static_cast<double>(tensor.data.size());
  }
  const auto refuse = [&](const char* key, std::int64_t value) {
    throw InputError(
        fmt::format("{}: its tensors are not those of a model with model.{} = {}, as its "
                    "manifest.json says",
                    weights.string(), key, value));
  };
  if (width != options.embedding_dim) refuse("embedding_dim", options.embedding_dim);
  if (options.kind != models::ModelKind::interest) return;
  const models::InterestOptions& interest = options.interest;
  // A layer has a matrix of its own width by that of the layer before it.
  double before = static_cast<double>(options.embedding_dim);
  for (const std::int64_t dim : interest.mlp_dims) {
    if (before * static_cast<double>(dim) > numbers) refuse("mlp_dims", dim);
    before = static_cast<double>(dim);
  }
  const double hidden = static_cast<double>(interest.hidden_dim);
  const bool recurrent = interest.sequence == models::SequenceKind::rnn ||
                         interest.sequence == models::SequenceKind::lstm;
  const double beside = recurrent ? hidden : static_cast<double>(options.embedding_dim);
  if (interest.sequence != models::SequenceKind::none && hidden * beside > numbers)
    refuse("hidden_dim", interest.hidden_dim);
}

/// Options and weights of a model, checked against each other.
struct Weights {
  models::ModelOptions options;
  fs::path path;
  models::TensorFile file;

  Weights(const fs::path& model_directory, const json& manifest, const char* name = kModelWeights)
      : options(model_from_json(manifest.at("model"))),
        path(model_directory / name),
        file(models::read_safetensors(path)) {
    options.initializer = models::Initializer::normal;  // read over: the start need not be good
    check_extents(options, file, path);
  }
  /// Into the parameters of a model.
  template <typename Model>
  void copy_to(Model& model, Backend& backend) const {
    model.visit_parameters([&](Parameter& parameter) {
      backend.copy(
          file.find_finite(parameter.name, parameter.value.rows(), parameter.value.cols(), path)
              .view(),
          parameter.value.view());
    });
  }
};

/// Of a graph encoder with these weights.
FinishedVectors propagated_vectors(const Weights& weights, const Graphs& graphs, Backend& backend) {
  const Csr adjacency = model_adjacency(propagation_graph(graphs), weights.options.kind);
  const auto sparse = backend.sparse(adjacency.view());
  const auto encoder = models::make_encoder(weights.options, *sparse, {}, graph::Seed{0}, backend);
  weights.copy_to(*encoder, backend);
  const kernels::ConstFloatView final = encoder->forward(backend);
  const std::int64_t num_users = graphs.user_item.num_users;
  const std::int64_t num_items = graphs.user_item.num_items;
  FinishedVectors vectors{backend.matrix<float>(num_users, final.cols),
                          backend.matrix<float>(num_items, final.cols),
                          {}};
  backend.copy(final.rows_of(0, num_users), vectors.users.view());
  backend.copy(final.rows_of(num_users, num_items), vectors.items.view());
  vectors.layout.new_item_columns = finish_vectors(graphs.user_item, graphs.item, weights.options,
                                                   backend, vectors.users, vectors.items);
  return vectors;
}

double popularity_of(const json& manifest) {
  return number_between(manifest, "popularity_weight", 0.0, kMostWeight);
}

RepeatBlend repeats_of(const json& manifest) {
  return manifest.contains("repeats") ? repeats_from_json(manifest.at("repeats")) : RepeatBlend{};
}

/// Layout, and the column of popularity, of vectors that lack it.
void complete(const Weights& weights, const json& manifest, const graph::UserItemGraph& graph,
              Backend& backend, FinishedVectors& vectors) {
  VectorLayout& layout = vectors.layout;
  layout.embedding_dim = vectors.items.cols() - layout.new_item_columns;
  const double popularity_weight = popularity_of(manifest);
  append_popularity(graph, popularity_weight, backend, vectors.users, vectors.items);
  layout.popularity_column = popularity_weight != 0.0;
  layout.normalized = weights.options.normalize && layout.width() == layout.embedding_dim;
}

std::unique_ptr<InterestNetwork> make_network(const Weights& weights, const Dataset& dataset,
                                              const graph::ItemGraph& item_graph,
                                              std::span<const kernels::RecurrentRanges> ranges,
                                              Backend& backend) {
  auto network = std::make_unique<InterestNetwork>(dataset, item_graph, weights.options,
                                                   graph::Seed{0}, backend);
  weights.copy_to(network->model(), backend);
  if (!ranges.empty()) network->model().quantize(backend, ranges);
  return network;
}

NetworkRanges stored_ranges(const json& manifest) {
  return is_int8(manifest) ? ranges_from_json(manifest.at(kInt8Key)) : NetworkRanges{};
}

/// An interest model with these weights; probabilities come from `head`, or else from the same. The
/// data set must outlive it.
std::unique_ptr<TrainedInterest> make_interest(const Weights& weights,
                                               std::unique_ptr<InterestNetwork> head,
                                               const json& manifest, const Dataset& dataset,
                                               const graph::ItemGraph& item_graph, KnownPart known,
                                               Backend& backend) {
  const std::int64_t length = weights.options.interest.max_length;
  return std::make_unique<TrainedInterest>(
      make_network(weights, dataset, item_graph, stored_ranges(manifest).network, backend),
      std::move(head), popularity_of(manifest) != 0.0,
      calibration_from_json(manifest.at("calibration")),
      [&dataset, known, length] { return known_histories(dataset, known, length); });
}

}  // namespace

FinishedVectors trained_vectors(const fs::path& model_directory, const json& manifest,
                                const Dataset& dataset, const Graphs& graphs, Backend& backend,
                                KnownPart known) {
  const Weights weights(model_directory, manifest);
  FinishedVectors vectors;
  if (weights.options.kind == models::ModelKind::interest) {
    make_interest(weights, nullptr, manifest, dataset, graphs.item, known, backend)
        ->embeddings(backend, vectors.users, vectors.items);
  } else {
    vectors = propagated_vectors(weights, graphs, backend);
  }
  complete(weights, manifest, graphs.user_item, backend, vectors);
  return vectors;
}

std::unique_ptr<TrainedInterest> load_interest(const fs::path& model_directory,
                                               const json& manifest, const Dataset& dataset,
                                               const graph::ItemGraph& item_graph, KnownPart known,
                                               Backend& backend) {
  std::unique_ptr<InterestNetwork> head;
  if (has_head(manifest)) {
    head = make_network(Weights(model_directory, manifest, kHeadWeights), dataset, item_graph,
                        stored_ranges(manifest).head, backend);
  }
  auto interest = make_interest(Weights(model_directory, manifest), std::move(head), manifest,
                                dataset, item_graph, known, backend);
  interest->forward_items(backend);
  return interest;
}

std::vector<ScoreTerm> trained_terms(const json& manifest) {
  const auto filter = static_cast<double>(blend_from_json(manifest.at("blend")).weight);
  const auto repeats = static_cast<double>(repeats_of(manifest).weight);
  std::vector<ScoreTerm> terms = {{TermKind::vectors, 1.0}};
  // A filter knows of popularity itself.
  if (const double popularity = popularity_of(manifest); popularity != 0.0 && filter == 0.0)
    terms.push_back({TermKind::popularity, popularity});
  if (filter != 0.0) terms.push_back({TermKind::filter, filter});
  if (repeats != 0.0) terms.push_back({TermKind::repeats, repeats});
  if (const auto links = static_cast<double>(stored_links(manifest).weight); links != 0.0)
    terms.push_back({TermKind::links, links});
  return terms;
}

std::unique_ptr<models::Scorer> trained_scorer(const json& manifest, const Dataset& dataset,
                                               const graph::UserItemGraph& graph,
                                               const VectorViews& vectors,
                                               const Histories& histories, Backend& backend) {
  const FilterBlend blend = blend_from_json(manifest.at("blend"));
  const VectorViews scored = blend.weight != 0.0F ? vectors.without_popularity() : vectors;
  std::vector<models::WeightedScorer> terms =
      blended_terms(graph, histories, blend, repeats_of(manifest), backend);
  for (models::WeightedScorer& term :
       link_terms(stored_links(manifest), dataset,
                  graph_options_from_json(manifest.at("graph_options")), graph))
    terms.push_back(std::move(term));
  return std::make_unique<models::BlendedScorer>(scored.users, scored.items, std::move(terms));
}

}  // namespace penchant::pipeline
