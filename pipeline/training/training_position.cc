// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/training_position.h"

#include <limits>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/model/model_manifest.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

/// The numbers and words of a position, const or not.
template <typename Position, typename Visit>
void visit_plain(Position& position, Visit visit) {
  visit("phase", position.phase);
  visit("attempt", position.attempt);
  visit("epoch", position.epoch);
  visit("step", position.step);
  visit("adam_step", position.adam_step);
  visit("loss_sum", position.loss_sum);
  visit("loss_rows", position.loss_rows);
  visit("best_value", position.best_value);
  visit("best_epoch", position.best_epoch);
  visit("best_attempt", position.best_attempt);
  visit("attempt_value", position.attempt_value);
  visit("without_improvement", position.without_improvement);
  visit("phase_epochs", position.phase_epochs);
  visit("epochs_run", position.epochs_run);
  visit("last_loss", position.last_loss);
  visit("popularity_weight", position.popularity_weight);
}

}  // namespace

json position_to_json(const TrainingPosition& position) {
  json stored = {{"vectors_value", position.vectors_value},
                 {"blend", blend_to_json(position.blend)},
                 {"repeats", repeats_to_json(position.repeats)},
                 {"links", links_to_json(position.links)},
                 {"calibration", calibration_to_json(position.calibration)},
                 {"head_epoch", position.head_epoch},
                 {"heads", json::array()}};
  visit_plain(position, [&](const char* key, const auto& value) { stored[key] = value; });
  for (const HeadEpoch& head : position.heads)
    stored["heads"].push_back({{"epoch", head.epoch}, {"auc", head.auc}});
  return stored;
}

TrainingPosition position_from_json(const json& stored) {
  TrainingPosition position;
  visit_plain(position, [&](const char* key, auto& value) { stored.at(key).get_to(value); });
  position.vectors_value = stored.value("vectors_value", 0.0);  // earlier versions wrote none
  position.blend = blend_from_json(stored.at("blend"));
  position.repeats = repeats_from_json(stored.at("repeats"));
  position.links = stored_links(stored);
  position.calibration = calibration_from_json(stored.at("calibration"));
  position.head_epoch = stored.value("head_epoch", std::int64_t{0});  // here too
  for (const json& head : stored.value("heads", json::array()))
    position.heads.push_back({head.at("epoch").get<std::int64_t>(), head.at("auc").get<double>()});
  return position;
}

std::string position_fault(const TrainingPosition& position, std::int64_t epochs) {
  if (position.phase != "select" && position.phase != "refit")
    return fmt::format("phase is '{}', expected select or refit", position.phase);
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max() / 2;
  const struct {
    const char* name;
    std::int64_t value, least, most;
  } bounds[] = {{"attempt", position.attempt, 0, kMaxRetries},
                {"phase_epochs", position.phase_epochs, 1, epochs},
                {"epoch", position.epoch, 0, position.phase_epochs},
                {"step", position.step, 0, kAny},
                {"adam_step", position.adam_step, 0, kAny},
                {"loss_rows", position.loss_rows, 0, kAny},
                {"best_epoch", position.best_epoch, 0, epochs},
                {"best_attempt", position.best_attempt, 0, position.attempt},
                {"without_improvement", position.without_improvement, 0, epochs},
                {"head_epoch", position.head_epoch, 0, position.phase_epochs},
                {"epochs_run", position.epochs_run, 0, (kMaxRetries + 2) * epochs}};
  for (const auto& [name, value, least, most] : bounds) {
    if (value < least || value > most)
      return fmt::format("{} is {}, expected {} to {}", name, value, least, most);
  }
  for (const HeadEpoch& head : position.heads) {
    if (head.epoch < 0 || head.epoch > epochs)
      return fmt::format("an epoch of heads is {}, expected 0 to {}", head.epoch, epochs);
  }
  return "";
}

}  // namespace penchant::pipeline
