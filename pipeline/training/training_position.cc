// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/training_position.h"

#include <limits>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/model/model_manifest.h"

namespace penchant::pipeline {

using nlohmann::json;

json position_to_json(const TrainingPosition& position) {
  return {{"phase", position.phase},
          {"attempt", position.attempt},
          {"epoch", position.epoch},
          {"step", position.step},
          {"adam_step", position.adam_step},
          {"loss_sum", position.loss_sum},
          {"loss_rows", position.loss_rows},
          {"best_value", position.best_value},
          {"best_epoch", position.best_epoch},
          {"best_attempt", position.best_attempt},
          {"attempt_value", position.attempt_value},
          {"without_improvement", position.without_improvement},
          {"phase_epochs", position.phase_epochs},
          {"epochs_run", position.epochs_run},
          {"last_loss", position.last_loss},
          {"popularity_weight", position.popularity_weight},
          {"blend", blend_to_json(position.blend)},
          {"repeats", repeats_to_json(position.repeats)},
          {"calibration", calibration_to_json(position.calibration)}};
}

TrainingPosition position_from_json(const json& stored) {
  TrainingPosition position;
  stored.at("phase").get_to(position.phase);
  stored.at("attempt").get_to(position.attempt);
  stored.at("epoch").get_to(position.epoch);
  stored.at("step").get_to(position.step);
  stored.at("adam_step").get_to(position.adam_step);
  stored.at("loss_sum").get_to(position.loss_sum);
  stored.at("loss_rows").get_to(position.loss_rows);
  stored.at("best_value").get_to(position.best_value);
  stored.at("best_epoch").get_to(position.best_epoch);
  stored.at("best_attempt").get_to(position.best_attempt);
  stored.at("attempt_value").get_to(position.attempt_value);
  stored.at("without_improvement").get_to(position.without_improvement);
  stored.at("phase_epochs").get_to(position.phase_epochs);
  stored.at("epochs_run").get_to(position.epochs_run);
  stored.at("last_loss").get_to(position.last_loss);
  stored.at("popularity_weight").get_to(position.popularity_weight);
  position.blend = blend_from_json(stored.at("blend"));
  position.repeats = repeats_from_json(stored.at("repeats"));
  position.calibration = calibration_from_json(stored.at("calibration"));
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
                {"epochs_run", position.epochs_run, 0, (kMaxRetries + 2) * epochs}};
  for (const auto& [name, value, least, most] : bounds) {
    if (value < least || value > most)
      return fmt::format("{} is {}, expected {} to {}", name, value, least, most);
  }
  return "";
}

}  // namespace penchant::pipeline
