// SPDX-License-Identifier: Apache-2.0
// How a model is trained. TrainOptions{} is what the command line does where nothing is said; what
// suits other kinds of model than auto and lightgcn: recipes.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/enum_names.h"
#include "graph/ids.h"
#include "graph/random.h"
#include "models/graph_filter.h"
#include "models/model_options.h"
#include "pipeline/privacy/release_options.h"

namespace penchant::pipeline {

enum class NodeOrder { none, degree, metis };
constexpr auto enum_words(NodeOrder) {
  return std::to_array<EnumWord<NodeOrder>>(
      {{NodeOrder::none, "none"}, {NodeOrder::degree, "degree"}, {NodeOrder::metis, "metis"}});
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
  std::optional<float> ridge;
  std::int64_t selection_users = 2000;  ///< of the validation part, drawn at random; 0: all
};

/// Time that ModelKind::automatic plans for.
struct Budget {
  std::int64_t seconds = 300;
};

/// Of the kind that is trained where nobody names one.
inline models::ModelOptions usual_model() {
  models::ModelOptions model;
  model.kind = models::ModelKind::automatic;
  return model;
}

struct TrainOptions {
  models::ModelOptions model = usual_model();
  FilterChoice filter;  ///< of ModelKind::graph_filter, which none of the options below concerns
                        ///< but validate_every, validation_metric, refit and seed
  Budget budget;
  ReleaseOptions privacy;       ///< of ModelKind::private_items, of which beside these only
                                ///< model.embedding_dim and seed count
  std::int64_t epochs = 20;     ///< not of ModelKind::automatic, which plans them
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
  bool blend_links = true;    ///< likewise what those had whom a user is linked to, where there are
                              ///< links between users
  bool distil =
      true;  ///< of ModelKind::automatic: vectors learn the ranking of all that was chosen,
             ///< where validation likes it
  bool refit = true;  ///< train once more on train + validation for the number of epochs that
                      ///< validation chose
  std::int64_t checkpoint_every = 1;        ///< epochs
  NodeOrder node_order = NodeOrder::metis;  ///< products are a sixth faster in the order of a
                                            ///< partition (docs/benchmarks.md)
  graph::Seed seed{42};
  bool resume = false;
  std::vector<graph::NodeId> metis_order;  ///< of NodeOrder::metis; empty: train() makes one
};

}  // namespace penchant::pipeline
