// SPDX-License-Identifier: Apache-2.0
// Where the training loop stands; a checkpoint's metadata holds it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/model/calibration.h"
#include "pipeline/model/score_terms.h"

namespace penchant::pipeline {

/// The epoch, counted from 1, whose averaged weights give the best probabilities; 0: none so far.
struct HeadEpoch {
  std::int64_t epoch = 0;
  double auc = 0.0;  ///< on the validation part
};

struct TrainingPosition {
  std::string phase = "select";
  std::int64_t attempt = 0;  ///< of the phase: each has a lower learning rate than the one before
  std::int64_t epoch = 0;    ///< current, from 0
  std::int64_t step = 0;     ///< done in this epoch
  std::int64_t adam_step = 0;
  double loss_sum = 0.0;  ///< of this epoch so far
  std::int64_t loss_rows = 0;
  double best_value = -1.0;       ///< of all attempts
  std::int64_t best_epoch = 0;    ///< counted from 1
  std::int64_t best_attempt = 0;  ///< that the best epoch is of
  double attempt_value = -1.0;    ///< the best of this attempt
  std::int64_t without_improvement = 0;
  std::int64_t phase_epochs = 0;   ///< epochs to run in this phase
  std::int64_t epochs_run = 0;     ///< of all phases
  double last_loss = 0.0;          ///< mean over the last whole epoch
  double vectors_value = 0.0;      ///< best_value of the vectors alone; 0: not known
  double popularity_weight = 0.0;  ///< chosen when selection ends
  FilterBlend blend;               ///< likewise
  RepeatBlend repeats;             ///< likewise
  LinkBlend links;                 ///< likewise
  Calibration calibration;         ///< likewise
  std::vector<HeadEpoch> heads;    ///< of each attempt
  std::int64_t head_epoch = 0;     ///< of a refit: after it the average is kept; 0: never

  HeadEpoch& head_of_attempt() {
    heads.resize(std::max(heads.size(), static_cast<std::size_t>(attempt) + 1));
    return heads[static_cast<std::size_t>(attempt)];
  }

  /// From the first step again, for so many epochs.
  void start_over(std::int64_t epochs) {
    phase_epochs = epochs;
    epoch = step = adam_step = loss_rows = 0;
    loss_sum = 0.0;
  }
};

/// File of the averaged weights that are the best of an attempt, while it is not finished.
inline std::string best_head_name(std::int64_t attempt) {
  return "best_head" + std::to_string(attempt) + ".safetensors";
}

/// Selection is tried so often again, each time at this share of the rate before.
inline constexpr std::int64_t kMaxRetries = 2;
inline constexpr float kRetryRate = 0.25F;
/// The share of train.learning_rate that an attempt has at its peak.
inline float rate_of_attempt(std::int64_t attempt) {
  return std::pow(kRetryRate, static_cast<float>(attempt));
}

/// Of a selection of so many epochs: a best epoch up to this one says that the rate is too high.
constexpr std::int64_t last_early_epoch(std::int64_t epochs) {
  return std::max<std::int64_t>(2, epochs / 10);
}

nlohmann::json position_to_json(const TrainingPosition& position);
/// Throws nlohmann::json::exception where something is missing.
TrainingPosition position_from_json(const nlohmann::json& stored);
/// Why a training of so many epochs cannot be in this position; empty if it can.
std::string position_fault(const TrainingPosition& position, std::int64_t epochs);

}  // namespace penchant::pipeline
