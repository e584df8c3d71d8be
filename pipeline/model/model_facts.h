// SPDX-License-Identifier: Apache-2.0
// What the manifest of X.model says of the model.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "models/model_options.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

struct ModelFacts {
  models::ModelKind kind = models::ModelKind::lightgcn;
  GraphOptions graph_options = {};
  bool saw_validation = false;  ///< it was trained on train + validation
  std::vector<ScoreTerm> terms = {};
  std::optional<std::string> network = {};  ///< folder of its interest model, "" if it is one
  std::string name = {};
  std::string hash = {};  ///< of all that a score depends on
};

/// Takes every value that whoever loads the model takes later. Throws InputError that names the
/// file.
ModelFacts model_facts(const std::filesystem::path& model_directory,
                       const nlohmann::json& manifest);

}  // namespace penchant::pipeline
