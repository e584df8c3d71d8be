// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_members.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/training/filter_training.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

/// Of the planned member of this number: "selection", "selection2" and so on.
std::string selection_folder(std::size_t number) {
  return number == 0 ? "selection" : fmt::format("selection{}", number + 1);
}

/// Between the seeds of networks, so that those of two runs do not meet.
constexpr std::uint64_t kSeedStep = 0x9E3779B97F4A7C15;

bool is_network(const TrainOptions& options) {
  return options.model.kind == models::ModelKind::interest;
}

bool is_filter(const TrainOptions& options) {
  return options.model.kind == models::ModelKind::graph_filter;
}

}  // namespace

double AutoMembers::score_unit(std::size_t number) const {
  return static_cast<double>(planned_.at(number).model.temperature);
}

std::size_t AutoMembers::first_learnt(std::span<const ChosenMember> chosen) const {
  const auto found = std::find_if(chosen.begin(), chosen.end(), [&](const ChosenMember& member) {
    return !is_filter(planned_.at(member.number));
  });
  return found == chosen.end() ? 0 : static_cast<std::size_t>(found - chosen.begin());
}

bool AutoMembers::begun(const fs::path& model) { return fs::exists(model / selection_folder(0)); }

bool AutoMembers::select(const Graphs& graphs, const fs::path& model, bool resume) {
  for (std::size_t number = 0; number < planned_.size(); ++number) {
    const fs::path folder = model / selection_folder(number);
    if (resume && is_finished(folder, kModelArtifact)) continue;
    TrainOptions options = planned_[number];
    options.resume = resume;
    if (!trained(make(options, graphs, KnownPart::train, folder, {}))) return false;
  }
  return true;
}

std::int64_t AutoMembers::best_epoch(const fs::path& model) const {
  const fs::path folder = model / member_folder(0);
  return read_manifest(folder, kModelArtifact).contains("best_epoch") ? refit_of(folder).epochs : 0;
}

TrainReport AutoMembers::make(const TrainOptions& options, const Graphs& graphs, KnownPart part,
                              const fs::path& folder, const std::optional<Refit>& refit) {
  if (!is_filter(options))
    return train_vectors(dataset_, graphs, options, "", folder, backend_, progress_, refit);
  return make_member_filter(dataset_, graphs, part, options, folder, backend_, progress_);
}

TrainReport make_member_filter(const Dataset& dataset, const Graphs& graphs, KnownPart part,
                               const TrainOptions& options, const fs::path& folder,
                               kernels::Backend& backend, Progress& progress,
                               const Predecessor* before) {
  progress.update(0, 0, "vectors of a ridge regression");
  const Graphs counted = weighed(graphs, graph::EdgeWeight::log_sum, dataset, part);
  return make_filter(dataset, counted, part, options, folder, backend, progress, before);
}

graph::Seed seed_of_network(graph::Seed first, std::int64_t number) {
  return graph::Seed{static_cast<std::uint64_t>(first) +
                     static_cast<std::uint64_t>(number) * kSeedStep};
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
    options.validate_every = 0;
    std::optional<Refit> refit;
    if (!is_filter(options)) refit = refit_of(selected);
    const TrainReport report =
        make(options, *merged, KnownPart::train_and_validation, folder, refit);
    if (!trained(report)) return false;
    if (is_network(options)) network_seconds_ = report.seconds;
  }
  return true;
}

const ChosenMember* AutoMembers::network_among(std::span<const ChosenMember> chosen) const {
  const auto found = std::find_if(chosen.begin(), chosen.end(), [&](const ChosenMember& member) {
    return is_network(planned_[member.number]);
  });
  return found == chosen.end() ? nullptr : &*found;
}

bool AutoMembers::add_networks(std::span<const ChosenMember> chosen, std::int64_t count,
                               const Graphs& merged, const fs::path& model, bool resume,
                               const std::function<double()>& seconds_left) {
  const ChosenMember* const network = network_among(chosen);
  if (network == nullptr) return true;
  const Refit refit = refit_of(model / selection_folder(network->number));
  for (std::int64_t further = 1; further < count; ++further) {
    const fs::path folder =
        model / member_folder(chosen.size() + static_cast<std::size_t>(further) - 1);
    if (is_finished(folder, kModelArtifact)) continue;
    if (seconds_left() < network_seconds_) break;
    TrainOptions options = planned_[network->number];
    options.validate_every = 0;
    options.resume = resume;
    options.seed = seed_of_network(options.seed, further);
    const TrainReport report =
        train_vectors(dataset_, merged, options, "", folder, backend_, progress_, refit);
    if (!trained(report)) return false;
    network_seconds_ = report.seconds;
  }
  return true;
}

std::vector<MixtureMember> AutoMembers::finished(std::span<const ChosenMember> chosen,
                                                 const fs::path& model) const {
  std::vector<MixtureMember> members;
  for (const ChosenMember& member : chosen) {
    members.push_back(
        {member_folder(members.size()), planned_[member.number].model.kind, member.weight});
  }
  const ChosenMember* const network = network_among(chosen);
  if (network == nullptr) return members;
  while (is_finished(model / member_folder(members.size()), kModelArtifact))
    members.push_back({member_folder(members.size()), models::ModelKind::interest, 0.0});
  const auto networks = static_cast<double>(1 + members.size() - chosen.size());
  for (MixtureMember& member : members) {
    if (member.kind == models::ModelKind::interest) member.weight = network->weight / networks;
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
