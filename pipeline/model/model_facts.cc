// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/model_facts.h"

#include <span>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/calibration.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/network_ranges.h"
#include "pipeline/model/private_model.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

using models::ModelKind;
using nlohmann::json;

namespace {

void check_filter(const json& model) {
  filter_from_json(model.at("filter"));
  filter_width(model);
}

std::string name_of(ModelKind kind, const json& model, std::span<const ScoreTerm> terms) {
  if (kind == ModelKind::graph_filter)
    return fmt::format("graph_filter {}", enum_name(filter_from_json(model.at("filter")).kind));
  if (kind != ModelKind::automatic) return enum_name(kind);
  std::string parts;
  for (const ScoreTerm& term : terms) {
    if (term.kind == TermKind::popularity) continue;
    parts += (parts.empty() ? "" : " and ") + std::string(enum_name(term.kind));
  }
  return fmt::format("auto ({})", parts);
}

std::string hash_of(ModelKind kind, const json& manifest) {
  const auto weights = manifest.at("hash").get<std::string>();
  if (kind == ModelKind::graph_filter || kind == ModelKind::automatic ||
      kind == ModelKind::private_items)
    return hash_bytes(manifest.at("model").dump() + weights);
  // Whatever changes a score; the weights' file alone does not hold all of it.
  std::string parts = weights;
  for (const char* key : {"model", "graph_options", "popularity_weight", "blend", "repeats",
                          "calibration", "trained_on"})
    parts += manifest.value(key, json()).dump();
  if (stored_links(manifest).weight != 0.0F) parts += manifest.at("links").dump();
  if (is_int8(manifest)) parts += manifest.at(kInt8Key).dump();
  if (has_head(manifest)) parts += manifest.at("head").at("hash").get<std::string>();
  return hash_bytes(parts);
}

}  // namespace

ModelFacts model_facts(const std::filesystem::path& model_directory, const json& manifest) {
  ModelFacts facts;
  take_values(model_directory / kManifestName, [&] {
    const json& model = manifest.at("model");
    facts.kind = parse_enum<ModelKind>(model.at("kind").get<std::string>(), "model.kind");
    facts.graph_options = graph_options_from_json(manifest.at("graph_options"));
    facts.saw_validation = manifest.at("trained_on").get<std::string>() == "train+validation";
    switch (facts.kind) {
      case ModelKind::graph_filter:
        check_filter(model);
        facts.terms = {{TermKind::filter, 1.0}};
        break;
      case ModelKind::private_items:
        check_private_model(model);
        facts.terms = {{TermKind::vectors, 1.0}};
        break;
      case ModelKind::automatic:
        facts.terms = auto_terms(model);
        if (const auto members = members_of(model); const auto* network = network_of(members))
          facts.network = network->folder;
        if (has_term(facts.terms, TermKind::filter)) check_filter(model);
        break;
      default:
        if (model_from_json(model).kind == ModelKind::interest) {
          calibration_from_json(manifest.at("calibration"));
          if (is_int8(manifest)) ranges_from_json(manifest.at(kInt8Key));
          facts.network = "";
        }
        facts.terms = trained_terms(manifest);
        break;
    }
    facts.name = name_of(facts.kind, model, facts.terms);
    facts.hash = hash_of(facts.kind, manifest);
  });
  return facts;
}

}  // namespace penchant::pipeline
