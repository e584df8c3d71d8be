// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/train.h"

#include "pipeline/training/auto_training.h"
#include "pipeline/training/check_train_options.h"
#include "pipeline/training/filter_training.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

TrainReport train(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                  const std::string& config_toml, const Destination& destination,
                  kernels::Backend& backend, Progress& progress) {
  check_train_options(dataset, graphs, options);
  if (options.model.kind == models::ModelKind::graph_filter)
    return train_filter(dataset, graphs, options, config_toml, destination, backend, progress);
  if (options.model.kind == models::ModelKind::automatic)
    return train_auto(dataset, graphs, options, config_toml, destination, backend, progress);
  return train_vectors(dataset, graphs, options, config_toml, destination, backend, progress);
}

}  // namespace penchant::pipeline
