// SPDX-License-Identifier: Apache-2.0
// The trained models whose vectors stand in the mixture of ModelKind::automatic: on the training
// part, for choices, and once more on train + validation.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/choice/member_choice.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/model.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

class AutoMembers {
 public:
  /// `planned`: how each is trained on the training part. What is given must outlive it.
  AutoMembers(const Dataset& dataset, std::vector<TrainOptions> planned, kernels::Backend& backend,
              Progress& progress)
      : dataset_(dataset), planned_(std::move(planned)), backend_(backend), progress_(progress) {}
  std::size_t size() const { return planned_.size(); }
  /// What a unit of log probability is in the scores of this one.
  double score_unit(std::size_t number) const;

  std::int64_t num_networks() const;
  /// Leaves out the networks behind the first `count`.
  void keep_networks(std::int64_t count);

  /// Trains all of them on the training part, which `graphs` are of, in folders of `model`; those
  /// that are there already with `resume` stay. Leaves out further networks where these and their
  /// trainings on train + validation would take longer than `seconds_left` by what the last one
  /// took. False if interrupted.
  bool select(const Graphs& graphs, const std::filesystem::path& model, bool resume,
              const std::function<double()>& seconds_left);
  /// Whether select has begun.
  static bool begun(const std::filesystem::path& model);
  /// What was trained so, opened.
  std::vector<Model> selected(const std::filesystem::path& model) const;
  /// Removes it.
  void remove_selected(const std::filesystem::path& model) const;

  /// Trains the chosen ones as selection found best, on train + validation and their graphs; false
  /// if interrupted. Without `merged` those of the selection are taken.
  bool finish(std::span<const ChosenMember> chosen, const Graphs* merged,
              const std::filesystem::path& model, bool resume);
  /// Of all trainings that these calls ran.
  std::int64_t epochs_run() const { return epochs_run_; }
  /// The chosen ones of a finished model.
  std::vector<MixtureMember> finished(std::span<const ChosenMember> chosen) const;

 private:
  /// Counts it; false if it was interrupted.
  bool trained(const TrainReport& report);

  const Dataset& dataset_;
  std::vector<TrainOptions> planned_;
  kernels::Backend& backend_;
  Progress& progress_;
  std::int64_t epochs_run_ = 0;
};

/// The weighted sum of models that are open.
FinishedVectors joined_models(std::span<const Model> models, std::span<const ChosenMember> members,
                              kernels::Backend& backend);

}  // namespace penchant::pipeline
