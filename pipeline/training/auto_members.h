// SPDX-License-Identifier: Apache-2.0
// The trained models whose vectors stand in the mixture of ModelKind::automatic: on the training
// part, for choices, and once more on train + validation.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipeline/choice/member_choice.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/model.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

class AutoMembers {
 public:
  /// `planned`: how each is trained on the training part. What is given must outlive it.
  AutoMembers(const Dataset& dataset, std::vector<TrainOptions> planned, kernels::Backend& backend,
              Progress& progress)
      : dataset_(dataset), planned_(std::move(planned)), backend_(backend), progress_(progress) {}
  std::size_t size() const { return planned_.size(); }
  bool has_network(std::span<const ChosenMember> chosen) const {
    return network_among(chosen) != nullptr;
  }
  /// Place of the first of these that is no closed form; 0 where all are.
  std::size_t first_learnt(std::span<const ChosenMember> chosen) const;
  /// What a unit of log probability is in the scores of this one.
  double score_unit(std::size_t number) const;

  /// Trains all of them on the training part, which `graphs` are of, in folders of `model`; those
  /// that are there already with `resume` stay. False if interrupted.
  bool select(const Graphs& graphs, const std::filesystem::path& model, bool resume);
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
  /// The same network with other seeds, up to `count` with the one that is there, in further folders:
  /// as many as `seconds_left` allows by what a training took. False if interrupted.
  bool add_networks(std::span<const ChosenMember> chosen, std::int64_t count, const Graphs& merged,
                    const std::filesystem::path& model, bool resume,
                    const std::function<double()>& seconds_left);
  /// Of the first member of a finished `model`; 0: a closed form.
  std::int64_t best_epoch(const std::filesystem::path& model) const;
  /// Of all trainings that these calls ran.
  std::int64_t epochs_run() const { return epochs_run_; }
  /// The members that a finished `model` has: the chosen ones, and further networks, which share the
  /// weight of the chosen one.
  std::vector<MixtureMember> finished(std::span<const ChosenMember> chosen,
                                      const std::filesystem::path& model) const;

 private:
  /// Counts it; false if it was interrupted.
  bool trained(const TrainReport& report);
  /// Made of the part that these graphs are made of; a filter of repeats as weights.
  TrainReport make(const TrainOptions& options, const Graphs& graphs, KnownPart part,
                   const std::filesystem::path& folder, const std::optional<Refit>& refit);
  /// The network among these; null: there is none.
  const ChosenMember* network_among(std::span<const ChosenMember> chosen) const;

  const Dataset& dataset_;
  std::vector<TrainOptions> planned_;
  kernels::Backend& backend_;
  Progress& progress_;
  std::int64_t epochs_run_ = 0;
  double network_seconds_ = 0.0;  ///< that the last training of a network took; 0: none ran
};

/// The seed of the network of this number, from 0: those of two runs do not meet.
graph::Seed seed_of_network(graph::Seed first, std::int64_t number);
/// A filter of repeats as weights, made of `graphs`, which are of `part`: how often a user had an item
/// says more than whether.
TrainReport make_member_filter(const Dataset& dataset, const Graphs& graphs, KnownPart part,
                               const TrainOptions& options, const std::filesystem::path& folder,
                               kernels::Backend& backend, Progress& progress,
                               const Predecessor* before = nullptr);

/// The weighted sum of models that are open.
FinishedVectors joined_models(std::span<const Model> models, std::span<const ChosenMember> members,
                              kernels::Backend& backend);

}  // namespace penchant::pipeline
