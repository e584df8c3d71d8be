// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/recipes.h"

namespace penchant::pipeline {

TrainOptions recipe_of(models::ModelKind kind) {
  TrainOptions options;
  options.model.kind = kind;
  // Each further number of a vector has as much noise, and less to say.
  if (kind == models::ModelKind::private_items) options.model.embedding_dim = 16;
  if (kind != models::ModelKind::interest) return options;
  options.model.num_layers = 1;
  options.model.own_share = 1.0F;
  options.model.normalize = false;
  options.model.temperature = 1.0F;
  options.model.initializer = models::Initializer::normal;
  options.model.initial_scale = 0.05F;
  options.epochs = 30;
  options.num_negatives = 4096;
  options.learning_rate = 0.006F;
  options.l2 = 0.0F;
  options.validation_metric = "ndcg@10";
  return options;
}

}  // namespace penchant::pipeline
