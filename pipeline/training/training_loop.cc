// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/training_loop.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/checkpoint.h"

namespace penchant::pipeline {

using nlohmann::json;
using std::chrono::steady_clock;

namespace {

/// Steps between two looks at their losses, for which the GPU is waited for.
constexpr std::int64_t kLossSteps = 16;
/// Seconds that the program goes on after a signal for the step under way.
constexpr int kStepGrace = 10;
/// An average is past its best so many epochs after it, or as many as came before it.
constexpr std::int64_t kAverageEpochs = 4;

double seconds_since(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

}  // namespace

bool TrainingLoop::run(TrainingPhase& phase) {
  const InterruptGrace grace(kStepGrace);
  rate_start_ = steady_clock::now();
  rate_rows_ = 0;
  while (position_.epoch < position_.phase_epochs) {
    bool interrupted = !run_steps(phase);
    try {
      if (!interrupted && end_epoch(phase)) return true;
    } catch (const Interrupted&) {  // its steps are done, its validation is not: that comes again
      --position_.epochs_run;
      interrupted = true;
    }
    if (interrupted || progress_.stop_requested()) {
      write_checkpoint(phase);
      return false;
    }
  }
  return true;
}

/// Of the epoch; false if interrupted before the last one.
bool TrainingLoop::run_steps(TrainingPhase& phase) {
  const std::int64_t steps = phase.steps_per_epoch();
  while (position_.step < steps) {
    step(phase);
    show(phase);
    if (!std::isfinite(position_.loss_sum)) {
      throw InputError(
          fmt::format("train: the loss became {} in epoch {}; a lower train.learning_rate may help",
                      position_.loss_sum, position_.epoch + 1));
    }
    if (position_.step < steps && progress_.stop_requested()) {
      read_losses(phase);
      return false;
    }
  }
  return true;
}

void TrainingLoop::step(TrainingPhase& phase) {
  const std::int64_t steps = phase.steps_per_epoch();
  const auto start = steady_clock::now();
  const float rate = learning_rate(steps);
  phase.step(position_.epoch, position_.step, ++position_.adam_step, rate);
  if (averages(phase)) phase.average(position_.adam_step);
  pending_rows_ += phase.batch_rows();
  ++position_.step;
  if (position_.step % kLossSteps == 0 || position_.step == steps || position_.loss_rows == 0)
    read_losses(phase);
  step_seconds_ += seconds_since(start);
  epochs_done_ += 1.0 / static_cast<double>(steps);
  rate_rows_ += phase.batch_rows();
}

/// Validates, logs, moves to the next epoch; true if early stopping ends the phase.
bool TrainingLoop::end_epoch(TrainingPhase& phase) {
  position_.last_loss = mean_loss();
  ++position_.epochs_run;
  const std::int64_t epoch = position_.epoch + 1;
  json line = {{"phase", position_.phase},
               {"attempt", position_.attempt},
               {"epoch", epoch},
               {"loss", position_.last_loss},
               {"steps", position_.adam_step}};
  bool stop = false;
  if (position_.phase == "select" && validate_ &&
      (epoch % options_.validate_every == 0 || epoch == position_.phase_epochs)) {
    const std::map<std::string, double> metrics = validate_(phase);
    line["validation"] = metrics;
    const bool better = improves(phase, validation_value(metrics, options_.validation_metric));
    if (averages(phase)) keep_average(phase, line);
    stop = !better && options_.patience > 0 && position_.without_improvement >= options_.patience;
  }
  if (epoch == position_.head_epoch) phase.write_average(folder_ / kHeadWeights);
  append_json_line(folder_ / kMetricsName, line);
  position_.epoch = epoch;
  position_.step = 0;
  position_.loss_sum = 0.0;
  position_.loss_rows = 0;
  if (stop) position_.phase_epochs = epoch;
  if (epoch % options_.checkpoint_every == 0 || epoch == position_.phase_epochs)
    write_checkpoint(phase);
  return stop;
}

/// Keeps the weights that are the best of all attempts; true if they are the best of this one.
bool TrainingLoop::improves(TrainingPhase& phase, double value) {
  if (value > position_.best_value) {
    position_.best_value = value;
    position_.best_epoch = position_.epoch + 1;
    position_.best_attempt = position_.attempt;
    phase.write_weights(folder_ / kBestName);
  }
  const bool better = value > position_.attempt_value;
  if (better) position_.attempt_value = value;
  position_.without_improvement = better ? 0 : position_.without_improvement + 1;
  return better;
}

/// Whether the steps of this epoch go into the average: until what is looked for is found.
bool TrainingLoop::averages(const TrainingPhase& phase) const {
  if (!phase.averages()) return false;
  if (position_.head_epoch > 0) return position_.epoch < position_.head_epoch;
  if (position_.phase != "select" || !validate_) return false;
  const auto attempt = static_cast<std::size_t>(position_.attempt);
  const std::int64_t best = attempt < position_.heads.size() ? position_.heads[attempt].epoch : 0;
  return best == 0 || position_.epoch < best + std::max(best, kAverageEpochs);
}

/// Keeps the averaged weights that give the best probabilities of this attempt.
void TrainingLoop::keep_average(TrainingPhase& phase, json& line) {
  const double auc = phase.average_auc();
  line["average_auc"] = auc;
  HeadEpoch& head = position_.head_of_attempt();
  if (auc <= head.auc) return;
  head = {position_.epoch + 1, auc};
  phase.write_average(folder_ / best_head_name(position_.attempt));
}

void TrainingLoop::write_checkpoint(TrainingPhase& phase) const {
  pipeline::write_checkpoint(folder_, course_, position_, phase);
}

/// Waits for the steps since the last call.
void TrainingLoop::read_losses(TrainingPhase& phase) {
  phase.add_losses(position_.loss_sum);
  position_.loss_rows += std::exchange(pending_rows_, 0);
}

void TrainingLoop::show(const TrainingPhase& phase) const {
  const std::int64_t steps = phase.steps_per_epoch();
  progress_.update(
      position_.epoch * steps + position_.step, position_.phase_epochs * steps,
      fmt::format(
          "{} epoch {}/{}, loss {:.4f}, {:.0f} pairs/s{}", position_.phase, position_.epoch + 1,
          position_.phase_epochs, mean_loss(),
          static_cast<double>(rate_rows_) / std::max(seconds_since(rate_start_), 1e-9),
          position_.best_epoch > 0
              ? fmt::format(", best {} {:.4f}", options_.validation_metric, position_.best_value)
              : ""));
}

/// Of the epoch so far, as far as it has been read.
double TrainingLoop::mean_loss() const {
  return position_.loss_sum / static_cast<double>(std::max<std::int64_t>(1, position_.loss_rows));
}

float TrainingLoop::learning_rate(std::int64_t steps_per_epoch) const {
  const float peak = options_.learning_rate * rate_of_attempt(position_.attempt);
  if (!options_.cosine_decay) return peak;
  const double progress = static_cast<double>(position_.epoch * steps_per_epoch + position_.step) /
                          static_cast<double>(options_.epochs * steps_per_epoch);
  return peak * static_cast<float>(0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
}

}  // namespace penchant::pipeline
