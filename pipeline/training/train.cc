// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/train.h"

#include <fmt/core.h>

#include "pipeline/data/partition_stage.h"
#include "pipeline/training/auto_training.h"
#include "pipeline/training/check_train_options.h"
#include "pipeline/training/checkpoint.h"
#include "pipeline/training/filter_training.h"
#include "pipeline/training/node_order.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

TrainReport train(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                  const std::string& config_toml, const Destination& destination,
                  kernels::Backend& backend, Progress& progress) {
  check_train_options(options);
  if (follows_partition(options) && options.metis_order.empty()) {
    TrainOptions ordered = options;
    ordered.metis_order = make_order(graphs, fitted({}, dataset, progress));
    return train(dataset, graphs, ordered, config_toml, destination, backend, progress);
  }
  if (options.model.kind == models::ModelKind::graph_filter)
    return train_filter(dataset, graphs, options, config_toml, destination, backend, progress);
  if (options.model.kind == models::ModelKind::automatic)
    return train_auto(dataset, graphs, options, config_toml, destination, backend, progress);
  return train_vectors(dataset, graphs, options, config_toml, destination, backend, progress);
}

TrainReport train_or_resume(const Dataset& dataset, const Graphs& graphs, TrainOptions options,
                            const std::string& config_toml, const Destination& destination,
                            kernels::Backend& backend, Progress& progress) {
  options.resume = !resumable_training(destination.path).empty();
  try {
    return train(dataset, graphs, options, config_toml, destination, backend, progress);
  } catch (const CannotResume& error) {
    progress.warn(fmt::format("{}; training starts over", error.what()));
  }
  options.resume = false;
  return train(dataset, graphs, options, config_toml, destination, backend, progress);
}

}  // namespace penchant::pipeline
