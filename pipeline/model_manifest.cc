// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model_manifest.h"

#include <nlohmann/json.hpp>

#include "pipeline/manifest.h"
#include "pipeline/names.h"

namespace penchant::pipeline {

using nlohmann::json;

void begin_model(const std::filesystem::path& directory) {
  begin_artifact(directory, kModelArtifact);
  std::filesystem::remove(directory / kEvaluation);
}

json blend_to_json(const FilterBlend& blend) {
  return {{"weight", blend.weight},
          {"signal_power", blend.options.signal_power},
          {"user_power", blend.options.user_power},
          {"item_power", blend.options.item_power}};
}

FilterBlend blend_from_json(const json& stored) {
  return {{stored.at("signal_power").get<float>(), stored.at("user_power").get<float>(),
           stored.at("item_power").get<float>()},
          stored.at("weight").get<float>()};
}

json repeats_to_json(const RepeatBlend& repeats) {
  return {{"weight", repeats.weight}, {"decay", repeats.decay}, {"power", repeats.power}};
}

RepeatBlend repeats_from_json(const json& stored) {
  return {stored.at("decay").get<float>(), stored.at("power").get<float>(),
          stored.at("weight").get<float>()};
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
  return model;
}

}  // namespace penchant::pipeline
