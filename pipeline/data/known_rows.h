// SPDX-License-Identifier: Apache-2.0
// What is known before a held-out part.
#pragma once

#include "graph/split.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// What is known of users when something is asked of a model: to judge it by the validation part,
/// that part must not be known.
enum class KnownPart { train, train_and_validation };

/// Training rows plus validation rows, sorted: what a refit learns from. The type still keeps test
/// rows out.
graph::TrainingPart train_and_validation(const Dataset& dataset);

}  // namespace penchant::pipeline
