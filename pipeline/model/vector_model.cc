// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/vector_model.h"

#include <limits>
#include <memory>
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
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/score_terms.h"

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

/// Vectors of a graph encoder with these weights.
void propagate_weights(const Dataset& dataset, const Graphs& graphs,
                       const models::ModelOptions& options, const models::TensorFile& file,
                       const fs::path& weights, Backend& backend, TrainedModel& model) {
  const graph::PropagationGraph propagation =
      graph::build_propagation_graph(graphs.user_item, graphs.item);
  const Csr adjacency = model_adjacency(propagation, options.kind);
  const auto sparse = backend.sparse(adjacency.view());
  const auto encoder = models::make_encoder(options, *sparse, {}, graph::Seed{0}, backend);
  encoder->visit_parameters([&](Parameter& parameter) {
    backend.copy(
        file.find_finite(parameter.name, parameter.value.rows(), parameter.value.cols(), weights)
            .view(),
        parameter.value.view());
  });
  const kernels::ConstFloatView final = encoder->forward(backend);
  model.users = backend.matrix<float>(dataset.num_users(), final.cols);
  model.items = backend.matrix<float>(dataset.num_items(), final.cols);
  backend.copy(final.rows_of(0, dataset.num_users()), model.users.view());
  backend.copy(final.rows_of(dataset.num_users(), dataset.num_items()), model.items.view());
  model.new_item_columns =
      finish_vectors(graphs.user_item, graphs.item, options, backend, model.users, model.items);
}

/// The last `max_length` events that are known of each user.
Histories known_histories(const Dataset& dataset, KnownPart known, std::int64_t max_length) {
  return known == KnownPart::train ? make_histories(dataset.split.train, dataset, max_length)
                                   : make_histories_with_validation(dataset, max_length);
}

/// An interest model with these weights, and the vectors of all users by their histories.
void load_interest(const Dataset& dataset, const Graphs& graphs,
                   const models::ModelOptions& options, const models::TensorFile& file,
                   const fs::path& weights, const json& manifest, KnownPart known, Backend& backend,
                   TrainedModel& model) {
  auto network =
      std::make_unique<InterestNetwork>(dataset, graphs.item, options, graph::Seed{0}, backend);
  network->model().visit_parameters([&](Parameter& parameter) {
    backend.copy(
        file.find_finite(parameter.name, parameter.value.rows(), parameter.value.cols(), weights)
            .view(),
        parameter.value.view());
  });
  auto interest = std::make_unique<TrainedInterest>(
      std::move(network), manifest.at("popularity_weight").get<double>() != 0.0,
      calibration_from_json(manifest.at("calibration")));
  const Histories histories = known_histories(dataset, known, options.interest.max_length);
  interest->embeddings(histories, backend, model.users, model.items);
  model.interest = std::move(interest);
}

}  // namespace

TrainedModel load_vectors(const fs::path& model_directory, const json& manifest,
                          const Dataset& dataset, Backend& backend, KnownPart known) {
  const fs::path manifest_file = model_directory / kManifestName;
  TrainedModel model;
  models::ModelOptions options = model_from_json(manifest.at("model"), manifest_file);
  options.initializer =
      models::Initializer::normal;  // the weights are read; the start need not be good
  const bool merged = manifest.at("trained_on").get<std::string>() == "train+validation";
  const Graphs graphs = make_graphs(merged ? train_and_validation(dataset) : dataset.split.train,
                                    dataset, graph_options_from_json(manifest.at("graph_options")));
  const fs::path weights = model_directory / kModelWeights;
  const models::TensorFile file = models::read_safetensors(weights);
  check_extents(options, file, weights);
  const double popularity_weight = number_between(manifest, "popularity_weight", 0.0, kMostWeight);
  if (options.kind == models::ModelKind::interest) {
    load_interest(dataset, graphs, options, file, weights, manifest, known, backend, model);
  } else {
    propagate_weights(dataset, graphs, options, file, weights, backend, model);
  }
  append_popularity(graphs.user_item, popularity_weight, backend, model.users, model.items);
  model.popularity_column = popularity_weight != 0.0;
  const FilterBlend blend = blend_from_json(manifest.at("blend"));
  RepeatBlend repeats;
  if (manifest.contains("repeats")) repeats = repeats_from_json(manifest.at("repeats"));
  Histories histories;
  if (repeats.weight != 0.0F)
    histories = known_histories(dataset, known, std::numeric_limits<std::int64_t>::max());
  std::vector<models::WeightedScorer> terms =
      blended_terms(graphs.user_item, histories, blend, repeats, backend);
  if (!terms.empty()) {
    // A filter knows of popularity itself.
    const std::int64_t popularity_columns = model.popularity_column ? 1 : 0;
    const std::int64_t width = model.items.cols() - (blend.weight != 0.0F ? popularity_columns : 0);
    model.scorer = std::make_unique<models::BlendedScorer>(model.users.view().cols_of(0, width),
                                                           model.items.view().cols_of(0, width),
                                                           std::move(terms));
  }
  model.normalized = options.normalize && !model.popularity_column && model.new_item_columns == 0;
  model.saw_validation = merged;
  // Whatever changes a score; the weights' file alone does not hold all of it.
  std::string parts = manifest.at("hash").get<std::string>();
  for (const char* key : {"model", "graph_options", "popularity_weight", "blend", "repeats",
                          "calibration", "trained_on"})
    parts += manifest.value(key, json()).dump();
  model.model_hash = hash_bytes(parts);
  model.model_name = enum_name(options.kind);
  return model;
}

}  // namespace penchant::pipeline
