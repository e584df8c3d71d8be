// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model for graph filters, which have nothing to train in steps: options that are not
// given are chosen on the validation part, then the filter is made of train + validation.
#pragma once

#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// train() for ModelKind::graph_filter. Writes weights.safetensors (the singular vectors),
/// metrics.jsonl (a line for each trial), config.toml and manifest.json.
TrainReport train_filter(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                         const std::string& config_toml, const Destination& destination,
                         kernels::Backend& backend, Progress& progress);

/// The filter that `options` say in full, of the part that the graphs are made of. `before`: the
/// model that it takes the place of (derive_vectors.h), or null.
TrainReport make_filter(const Dataset& dataset, const Graphs& graphs, KnownPart part,
                        const TrainOptions& options, const Destination& destination,
                        kernels::Backend& backend, Progress& progress,
                        const Predecessor* before = nullptr, const std::string& config_toml = "");

}  // namespace penchant::pipeline
