// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/train.h"

#include <fmt/core.h>

#include "pipeline/choice/link_choice.h"
#include "pipeline/data/partition_stage.h"
#include "pipeline/training/auto_training.h"
#include "pipeline/training/check_train_options.h"
#include "pipeline/training/checkpoint.h"
#include "pipeline/training/filter_training.h"
#include "pipeline/training/node_order.h"
#include "pipeline/training/private_training.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

namespace {

/// The same graphs with what validation says links between users are worth.
Graphs with_chosen_links(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                         kernels::Backend& backend, Progress& progress) {
  progress.begin("links");
  Graphs with = graphs;
  if (options.validate_every == 0 || dataset.split.validation.empty()) {
    progress.warn(
        "links between users do not count: there is no validation part to choose their weight by "
        "(graph.relation_weight sets it)");
    for (const graph::UserLinks& kind : dataset.links) with.options.link_weights[kind.name] = 0.0F;
    return with;
  }
  with.options.link_weights =
      choose_link_weights(dataset, graphs, options.validation_metric, backend);
  with.links = make_link_relations(dataset, with.options);
  std::string chosen;
  for (const auto& [name, weight] : with.options.link_weights) {
    chosen += fmt::format("{}{}", chosen.empty() ? "" : ", ", name);
    chosen += weight == 0.0F ? " says nothing of what users like and is left out"
                             : fmt::format(" has weight {:g} in propagation", weight);
  }
  progress.end(chosen);
  return with;
}

}  // namespace

TrainReport train(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                  const std::string& config_toml, const Destination& destination,
                  kernels::Backend& backend, Progress& progress) {
  check_train_options(options);
  refuse_private(options, "this way of training");
  const bool unchosen = !graphs.options.link_weight && graphs.options.link_weights.empty();
  if (!dataset.links.empty() && unchosen && options.model.kind != models::ModelKind::graph_filter) {
    return train(dataset, with_chosen_links(dataset, graphs, options, backend, progress), options,
                 config_toml, destination, backend, progress);
  }
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
