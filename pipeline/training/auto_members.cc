// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_members.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// Of the planned member of this number: "selection", "selection2" and so on.
std::string selection_folder(std::size_t number) {
  return number == 0 ? "selection" : fmt::format("selection{}", number + 1);
}

bool is_network(const TrainOptions& options) {
  return options.model.kind == models::ModelKind::interest;
}

}  // namespace

double AutoMembers::score_unit(std::size_t number) const {
  return static_cast<double>(planned_.at(number).model.temperature);
}

bool AutoMembers::begun(const fs::path& model) { return fs::exists(model / selection_folder(0)); }

std::int64_t AutoMembers::num_networks() const {
  return std::count_if(planned_.begin(), planned_.end(), is_network);
}

void AutoMembers::keep_networks(std::int64_t count) {
  std::erase_if(planned_,
                [&](const TrainOptions& options) { return is_network(options) && count-- <= 0; });
}

bool AutoMembers::select(const Graphs& graphs, const fs::path& model, bool resume,
                         const std::function<double()>& seconds_left) {
  std::int64_t networks = 0;
  for (std::size_t number = 0; number < planned_.size(); ++number) {
    const fs::path folder = model / selection_folder(number);
    networks += is_network(planned_[number]) ? 1 : 0;
    if (resume && is_finished(folder, kModelArtifact)) continue;
    TrainOptions options = planned_[number];
    options.resume = resume;
    const TrainReport report =
        train_vectors(dataset_, graphs, options, "", folder, backend_, progress_);
    if (!trained(report)) return false;
    if (!is_network(options)) continue;
    // Each further one is trained twice, and those that are here once more.
    const auto trainings = static_cast<std::int64_t>(seconds_left() / report.seconds);
    keep_networks(std::max(networks, networks + (trainings - networks) / 2));
  }
  return true;
}

bool AutoMembers::trained(const TrainReport& report) {
  epochs_run_ += report.epochs_run;
  return !report.interrupted;
}

std::vector<Model> AutoMembers::selected(const fs::path& model) const {
  std::vector<Model> models;
  for (std::size_t number = 0; number < planned_.size(); ++number) {
    models.push_back(
        Model::open(model / selection_folder(number), dataset_, backend_, KnownPart::train));
  }
  return models;
}

void AutoMembers::remove_selected(const fs::path& model) const {
  for (std::size_t number = 0; number < planned_.size(); ++number)
    remove_files_of(model / selection_folder(number), kModelArtifact);
}

bool AutoMembers::finish(std::span<const ChosenMember> chosen, const Graphs* merged,
                         const fs::path& model, bool resume) {
  for (std::size_t place = 0; place < chosen.size(); ++place) {
    const fs::path selected = model / selection_folder(chosen[place].number);
    const fs::path folder = model / member_folder(place);
    if (is_finished(folder, kModelArtifact)) continue;
    if (merged == nullptr) {
      fs::rename(selected, folder);
      continue;
    }
    TrainOptions options = planned_[chosen[place].number];
    options.resume = resume;
    const Refit refit = refit_of(selected);
    options.validate_every = 0;
    if (!trained(train_vectors(dataset_, *merged, options, "", folder, backend_, progress_, refit)))
      return false;
  }
  return true;
}

std::vector<MixtureMember> AutoMembers::finished(std::span<const ChosenMember> chosen) const {
  std::vector<MixtureMember> members;
  for (const ChosenMember& member : chosen) {
    members.push_back(
        {member_folder(members.size()), planned_[member.number].model.kind, member.weight});
  }
  return members;
}

FinishedVectors joined_models(std::span<const Model> models, std::span<const ChosenMember> members,
                              kernels::Backend& backend) {
  std::vector<WeightedVectors> weighted;
  for (const ChosenMember& member : members) {
    const Model& model = models[member.number];
    weighted.push_back({{model.users(), model.items(), model.layout()}, member.weight});
  }
  return joined(weighted, backend);
}

}  // namespace penchant::pipeline
