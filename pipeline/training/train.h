// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model, and back into memory. The trainer owns the loop (sampling, step, validation,
// checkpoint); the equations are in models/.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/enum_names.h"
#include "kernels/backend.h"
#include "models/graph_filter.h"
#include "models/model_options.h"
#include "models/scorer.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/interest.h"

namespace penchant::pipeline {

enum class NodeOrder { none, degree, metis };
constexpr auto enum_words(NodeOrder) {
  return std::to_array<EnumWord<NodeOrder>>({{NodeOrder::none, "none"}, {NodeOrder::degree, "degree"},
                    {NodeOrder::metis, "metis"}});
}

/// Options of a graph filter; those without a value are chosen on the validation part.
struct FilterChoice {
  std::optional<models::FilterKind> kind;
  std::optional<float> power;
  std::optional<std::int64_t> rank;
  std::optional<float> low_pass;
  std::optional<std::int64_t> order;
  std::optional<float> flatness;
  std::optional<float> sharpening;
  std::int64_t sharpening_steps = 1;
  std::int64_t selection_users = 2000;  ///< of the validation part, drawn at random; 0: all
};

/// Time that ModelKind::automatic plans for.
struct Budget {
  std::int64_t seconds = 300;
};

struct TrainOptions {
  models::ModelOptions model;
  FilterChoice filter;  ///< of ModelKind::graph_filter, which none of the options below concerns
                        ///< but validate_every, validation_metric, refit and seed
  Budget budget;
  std::int64_t epochs = 20;
  std::int64_t batch_size = 0;  ///< 0: about 64 steps an epoch, a power of two from 512 to 8192;
                                ///< interest: events, about 128 steps, 512 to 4096
  std::int64_t num_negatives =
      1024;  ///< shared by a batch (sampled softmax); BPR draws one per positive
  double negative_power =
      0.75;  ///< negatives are drawn with probability ~ training count ^ power; 0: uniform
  double negative_correction = 1.0;  ///< share of the log-q correction of the scores (sampled
                                     ///< softmax): 1 undoes negative_power
  float learning_rate = 0.02F;       ///< peak
  bool cosine_decay = true;          ///< of the learning rate to 0 over `epochs`
  float l2 = 1e-5F;
  std::int64_t validate_every = 1;  ///< epochs; 0: never
  std::int64_t patience =
      5;  ///< validations without improvement before stopping; 0: never stop early
  bool retry_lower_rate = true;  ///< where validation is best in the first epochs: select again at
                                 ///< a quarter of the rate, twice at most, and take the best
  std::string validation_metric = "ndcg@20";
  bool calibrate_popularity =
      true;                  ///< let validation choose a weight of log popularity in the scores
  bool blend_filter = true;  ///< let validation choose a linear filter and its weight in the scores
                             ///< that evaluate and recommend rank by
  bool blend_repeats = true;  ///< likewise what a user did with an item before, where the data
                              ///< repeats
  bool refit = true;  ///< train once more on train + validation for the number of epochs that
                      ///< validation chose
  std::int64_t checkpoint_every = 1;  ///< epochs
  std::int64_t stop_after_steps =
      0;  ///< testing aid: behave as if interrupted after so many steps; 0: off
  NodeOrder node_order = NodeOrder::none;  ///< metis needs metis_order
  graph::Seed seed{42};
  bool resume = false;
  std::vector<graph::NodeId>
      metis_order;  ///< node order for NodeOrder::metis: X.data/partition/order.npy
};

/// Everything that changes the course of training, as text that is equal if and only if it is.
std::string training_course(const Dataset& dataset, const Graphs& graphs,
                            const TrainOptions& options);

/// What suits a kind of model where the user says nothing.
TrainOptions default_train_options(models::ModelKind kind);

struct TrainReport {
  std::int64_t epochs_run = 0;  ///< of both phases
  std::int64_t best_epoch = 0;  ///< by validation; all epochs without validation
  bool validated = false;
  double best_validation = 0.0;
  double final_loss = 0.0;
  double seconds = 0.0;
  double epoch_seconds = 0.0;  ///< of the training steps of one epoch; 0: no step ran
  std::string chosen;          ///< graph_filter, auto: what was chosen and why, for people
  bool interrupted = false;    ///< stopped by Progress::stop_requested after writing a checkpoint
};

/// Trains and writes X.model (weights.safetensors, metrics.jsonl, config.toml, manifest.json; while
/// it is not finished, checkpoint.safetensors and best.safetensors). `config_toml` is the effective
/// configuration, stored for the record. Throws InputError.
TrainReport train(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                  const std::string& config_toml, const Destination& destination,
                  kernels::Backend& backend, Progress& progress);

/// A trained model ready to score: final embeddings in the data set's dense ids. score(u, i) =
/// <users_u, items_i>.
struct TrainedModel {
  kernels::FloatMatrix users;  ///< [U x (D + R + P)]; the column of popularity, if any, holds ones
  kernels::FloatMatrix items;  ///< the same for all items of the catalogue; column of popularity:
                               ///< weight * log(1 + users of the item)
  std::int64_t new_item_columns = 0;  ///< R, behind the embedding: models/new_items.h
  bool popularity_column = false;     ///< P, the last column: 0 or 1
  std::int64_t embedding_dim() const {
    return items.cols() - new_item_columns - (popularity_column ? 1 : 0);
  }                             ///< D
  bool normalized = false;      ///< rows have length 1
  bool saw_validation = false;  ///< it was trained on train + validation
  std::string model_hash;       ///< of all that a score depends on
  std::string model_name;
  std::unique_ptr<models::Scorer> scorer;    ///< if there is one it gives the scores; the inner
                                             ///< products are what the vectors give alone
  std::unique_ptr<InterestScorer> interest;  ///< of an interest model: users by their histories,
                                             ///< probabilities of pairs
};

/// What is known of users when something is asked of a model: to judge it by the validation part,
/// that part must not be known.
enum class KnownPart { train, train_and_validation };

/// Training rows plus validation rows, sorted: what a refit learns from. The type still keeps test
/// rows out.
graph::TrainingPart train_and_validation(const Dataset& dataset);

/// Rebuilds the graphs that the model was trained on, loads its weights and propagates them. Throws
/// InputError: unfinished or damaged model, or trained on another data set.
/// `known` is what an interest model sees of its users; other models have learned it.
TrainedModel load_model(const std::filesystem::path& model_directory, const Dataset& dataset,
                        kernels::Backend& backend,
                        KnownPart known = KnownPart::train_and_validation);

}  // namespace penchant::pipeline
