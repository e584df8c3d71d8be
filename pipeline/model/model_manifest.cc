// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/model_manifest.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/bounds.h"

namespace penchant::pipeline {

using nlohmann::json;

double number_between(const json& stored, const char* key, double least, double most) {
  const auto value = stored.at(key).get<double>();
  if (!(value >= least && value <= most)) {
    throw InputError(
        fmt::format("damaged: {} is {}, expected {:g} to {:g}", key, value, least, most));
  }
  return value;
}

json blend_to_json(const FilterBlend& blend) {
  return {{"weight", blend.weight},
          {"signal_power", blend.options.signal_power},
          {"user_power", blend.options.user_power},
          {"item_power", blend.options.item_power}};
}

FilterBlend blend_from_json(const json& stored) {
  const auto number = [&](const char* key, double least, double most) {
    return static_cast<float>(number_between(stored, key, least, most));
  };
  return {{number("signal_power", 0.0, 2.0), number("user_power", 0.0, 2.0),
           number("item_power", 0.0, 2.0)},
          number("weight", 0.0, kMostWeight)};
}

json repeats_to_json(const RepeatBlend& repeats) {
  return {{"weight", repeats.weight}, {"decay", repeats.decay}, {"power", repeats.power}};
}

RepeatBlend repeats_from_json(const json& stored) {
  const auto number = [&](const char* key, double most) {
    return static_cast<float>(number_between(stored, key, 0.0, most));
  };
  return {number("decay", kMostWeight), number("power", 16.0), number("weight", kMostWeight)};
}

json links_to_json(const LinkBlend& links) { return {{"weight", links.weight}}; }

LinkBlend stored_links(const json& stored) {
  if (!stored.contains("links")) return {};
  return {static_cast<float>(number_between(stored.at("links"), "weight", 0.0, kMostWeight))};
}

bool has_head(const json& manifest) { return !manifest.value("head", json()).is_null(); }

json validation_to_json(const std::string& metric, double vectors, double full) {
  if (vectors == 0.0) return {};
  return {{"metric", metric}, {"vectors", vectors}, {"full", full}};
}

namespace {

json interest_to_json(const models::InterestOptions& interest) {
  return {{"sequence", enum_name(interest.sequence)},
          {"hidden_dim", interest.hidden_dim},
          {"sequence_layers", interest.sequence_layers},
          {"cnn_widths", interest.cnn_widths},
          {"max_length", interest.max_length},
          {"graph", interest.graph},
          {"item_graph", interest.item_graph},
          {"history_decay", interest.history_decay},
          {"dropout", interest.dropout},
          {"mlp_dims", interest.mlp_dims},
          {"layer_norm", interest.layer_norm},
          {"ranking_head", interest.ranking_head},
          {"ranking_target", enum_name(interest.ranking_target)},
          {"ranking_weight", interest.ranking_weight}};
}

models::InterestOptions interest_from_json(const json& stored) {
  models::InterestOptions interest;
  interest.sequence =
      parse_enum<models::SequenceKind>(stored.at("sequence").get<std::string>(), "model.sequence");
  stored.at("hidden_dim").get_to(interest.hidden_dim);
  stored.at("sequence_layers").get_to(interest.sequence_layers);
  stored.at("cnn_widths").get_to(interest.cnn_widths);
  stored.at("max_length").get_to(interest.max_length);
  stored.at("graph").get_to(interest.graph);
  stored.at("item_graph").get_to(interest.item_graph);
  stored.at("history_decay").get_to(interest.history_decay);
  stored.at("dropout").get_to(interest.dropout);
  stored.at("mlp_dims").get_to(interest.mlp_dims);
  stored.at("layer_norm").get_to(interest.layer_norm);
  stored.at("ranking_head").get_to(interest.ranking_head);
  interest.ranking_target = parse_enum<models::RankingTarget>(
      stored.at("ranking_target").get<std::string>(), "model.ranking_target");
  stored.at("ranking_weight").get_to(interest.ranking_weight);
  return interest;
}

}  // namespace

void check_model_options(const models::ModelOptions& options, std::string_view place) {
  const models::InterestOptions& interest = options.interest;
  const auto require = [&](bool holds, std::string_view message) {
    if (!holds) throw InputError(fmt::format("{}{}{}", place, place.empty() ? "" : ": ", message));
  };
  const auto number = [&](std::string_view key, float value) {
    check_bounds(key, static_cast<double>(value), place);
  };
  check_bounds("model.embedding_dim", options.embedding_dim, place);
  check_bounds("model.num_layers", options.num_layers, place);
  check_bounds("model.new_item_columns", options.new_item_columns, place);
  number("model.temperature", options.temperature);
  number("model.own_share", options.own_share);
  number("model.initial_scale", options.initial_scale);
  check_bounds("model.hidden_dim", interest.hidden_dim, place);
  check_bounds("model.sequence_layers", interest.sequence_layers, place);
  check_bounds("model.max_length", interest.max_length, place);
  number("model.history_decay", interest.history_decay);
  number("model.dropout", interest.dropout);
  number("model.ranking_weight", interest.ranking_weight);
  require(interest.mlp_dims.size() <= 3, "model.mlp_dims takes at most 3 widths");
  for (const std::int64_t width : interest.mlp_dims) check_bounds("model.mlp_dims", width, place);
  constexpr std::size_t kMostWidths = 64;
  require(interest.cnn_widths.size() <= kMostWidths, "model.cnn_widths takes at most 64 widths");
  for (const std::int64_t width : interest.cnn_widths)
    check_bounds("model.cnn_widths", width, place);
  const bool layered =
      options.kind == models::ModelKind::gcn || options.kind == models::ModelKind::node_weighted;
  require(!layered || options.num_layers > 0,
          "model.num_layers must be at least 1 (0 is allowed for lightgcn: matrix factorisation)");
  if (options.kind != models::ModelKind::interest) return;
  require(interest.sequence != models::SequenceKind::none || interest.graph,
          "model.sequence is none and model.graph is false: nothing is left of the user; set one "
          "of them");
  if (interest.sequence != models::SequenceKind::cnn) return;
  std::vector<std::int64_t> widths = interest.cnn_widths;
  std::sort(widths.begin(), widths.end());
  require(!widths.empty(), "model.cnn_widths must name at least one width");
  require(interest.hidden_dim >= static_cast<std::int64_t>(widths.size()),
          "model.hidden_dim must be at least the number of model.cnn_widths");
  require(std::adjacent_find(widths.begin(), widths.end()) == widths.end(),
          "model.cnn_widths must differ from each other");
}

json model_to_json(const models::ModelOptions& model) {
  return {{"kind", enum_name(model.kind)},        {"embedding_dim", model.embedding_dim},
          {"num_layers", model.num_layers},       {"activation", enum_name(model.activation)},
          {"loss", enum_name(model.loss)},        {"temperature", model.temperature},
          {"normalize", model.normalize},         {"new_item_columns", model.new_item_columns},
          {"own_share", model.own_share},         {"initializer", enum_name(model.initializer)},
          {"initial_scale", model.initial_scale}, {"interest", interest_to_json(model.interest)}};
}

models::ModelOptions model_from_json(const json& stored) {
  models::ModelOptions model;
  model.kind = parse_enum<models::ModelKind>(stored.at("kind").get<std::string>(), "model.kind");
  model.embedding_dim = stored.at("embedding_dim").get<std::int64_t>();
  model.num_layers = stored.at("num_layers").get<std::int64_t>();
  model.activation = parse_enum<kernels::Activation>(stored.at("activation").get<std::string>(),
                                                     "model.activation");
  model.loss = parse_enum<models::LossKind>(stored.at("loss").get<std::string>(), "model.loss");
  model.temperature = stored.at("temperature").get<float>();
  model.normalize = stored.at("normalize").get<bool>();
  model.own_share = stored.at("own_share").get<float>();
  model.initializer = parse_enum<models::Initializer>(stored.at("initializer").get<std::string>(),
                                                      "model.initializer");
  model.initial_scale = stored.at("initial_scale").get<float>();
  // Models of earlier versions have none of these.
  model.new_item_columns = stored.value("new_item_columns", std::int64_t{0});
  if (stored.contains("interest")) model.interest = interest_from_json(stored.at("interest"));
  check_model_options(model, "damaged");
  return model;
}

}  // namespace penchant::pipeline
