// SPDX-License-Identifier: Apache-2.0
// X.model -> a model whose sequence network computes by products of 8 bits: the same weights, the
// ranges of activations that training histories show, and users' vectors made anew. It is a model
// like any other: serve, recommend, score and evaluate take it.
#pragma once

#include <filesystem>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// Writes the model and returns what validation and the clock say of it (docs/small_models.md).
/// Throws InputError: no interest model with an rnn or lstm, one that is int8 already, a destination
/// that is the model itself, a backend that is not the CPU's.
nlohmann::json compress_network(const std::filesystem::path& model_directory,
                                const Dataset& dataset, kernels::Backend& backend,
                                const Destination& destination, Progress& progress);

}  // namespace penchant::pipeline
