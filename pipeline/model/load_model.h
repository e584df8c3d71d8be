// SPDX-License-Identifier: Apache-2.0
// X.model back into memory.
#pragma once

#include <filesystem>

#include "kernels/backend.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/trained_model.h"

namespace penchant::pipeline {

/// Rebuilds the graphs that the model was trained on, loads its weights and propagates them. Throws
/// InputError: unfinished or damaged model, or trained on another data set.
/// `known` is what an interest model sees of its users; other models have learned it.
TrainedModel load_model(const std::filesystem::path& model_directory, const Dataset& dataset,
                        kernels::Backend& backend,
                        KnownPart known = KnownPart::train_and_validation);

}  // namespace penchant::pipeline
