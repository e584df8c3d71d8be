// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/update.h"

#include <filesystem>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/versions.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/private_training.h"
#include "pipeline/training/update.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

bool has_rows(const AppendFlags& flags) {
  return !flags.log.empty() || !flags.events.empty() || !flags.item_table.empty() ||
         !flags.vectors.empty();
}

/// The data set as it becomes, and what its manifest is to say of where it came from.
struct GrownData {
  Dataset dataset;
  json provenance;
};

class Update {
 public:
  Update(const UpdateFlags& flags, const Config& config,
         const std::shared_ptr<const Frames>& frames, Progress& progress)
      : flags_(flags),
        config_(config),
        frames_(frames),
        progress_(progress),
        data_(flags.rows.data),
        model_(model_folder(flags.model)),
        old_model_(read_manifest(model_, kModelArtifact)) {}

  Updated run() {
    if (flags_.keep < 0)
      throw InputError(fmt::format("--keep is {}, expected 0 or more versions", flags_.keep));
    if (!flags_.rows.out.empty())
      throw InputError("update: the data set is replaced, expected no other place for it");
    if (old_model_.contains("privacy")) refuse_private_update();
    if (!flags_.budget.empty()) budget_ = parse_budget(flags_.budget, "--budget");
    GrownData grown = has_rows(flags_.rows) ? take_rows() : read_grown();
    updated_.data_version = version_of(grown.provenance);
    updated_.model_version = version_of(old_model_);
    std::string trained_on;
    take_values(model_ / kManifestName, [&] { old_model_.at("data_hash").get_to(trained_on); });
    if (grown.dataset.hash != trained_on) {
      train(grown, trained_on);
    } else {
      put_data_in_place();
      progress_.note(fmt::format("{} is of these rows already", model_.string()));
    }
    if (!updated_.training.interrupted) {
      remove_old_versions(data_, kDataArtifact, updated_.data_version, flags_.keep);
      remove_old_versions(model_, kModelArtifact, updated_.model_version, flags_.keep);
    }
    return std::move(updated_);
  }

 private:
  GrownData read_grown() {
    return read_whole(data_, [&] {
      return GrownData{read_dataset(data_), read_manifest(data_, kDataArtifact).at("provenance")};
    });
  }

  /// Reads the new rows into a data set that is complete and not yet in place.
  GrownData take_rows() {
    const json before = read_manifest(data_, kDataArtifact).at("provenance");
    Destination destination(data_);
    destination.keep_as = version_folder(data_, version_of(before));
    data_writer_.emplace(destination, kDataArtifact);
    progress_.begin("append");
    LaterRows later = read_later_rows(append_options(flags_.rows, frames_), data_, progress_);
    if (!later.nothing) {
      data_writer_->hold();
      write_later_rows(later, *data_writer_);
      is_new_ = true;
    }
    tell_later_rows(later, data_, progress_);
    updated_.rows = std::move(later.report);
    return {std::move(later.dataset), is_new_ ? json::parse(later.provenance_json) : before};
  }

  void put_data_in_place() {
    if (is_new_) data_writer_->put_in_place();
    is_new_ = false;
  }

  void train(GrownData& grown, const std::string& trained_on) {
    const std::optional<EarlierData> earlier = earlier_version(grown.provenance, trained_on);
    if (!earlier) {
      throw InputError(fmt::format(
          "{}: was trained on a data set (hash {}) that {} has not grown from; train it anew",
          model_.string(), trained_on, data_.string()));
    }
    const Config trained = read_config(model_ / "config.toml");
    UpdateOptions options;
    options.train = trained.train;
    options.graph = trained.graph;
    // Chosen by training, which a configuration does not know.
    const json before = read_manifest(model_, kModelArtifact);
    take_values(model_ / kManifestName, [&] {
      options.graph.link_weights = graph_options_from_json(before.at("graph_options")).link_weights;
    });
    options.budget = budget_;
    const auto backend = kernels::make_backend(config_.backend);
    updated_.device = backend->description();
    Destination destination(model_);
    destination.keep_as = version_folder(model_, updated_.model_version);
    // The data set first: the model of before goes on by the version that it is kept as.
    destination.before_in_place = [this] { put_data_in_place(); };
    updated_.training = update_model(model_, *earlier, grown.dataset, options,
                                     effective_toml(trained), destination, *backend, progress_);
    if (updated_.training.interrupted) {
      progress_.end("interrupted: data set and model are as they were");
      return;
    }
    updated_.trained = true;
    const json manifest = read_manifest(model_, kModelArtifact);
    updated_.model_version = version_of(manifest);
    if (manifest.contains("update") && manifest["update"].contains("moved"))
      updated_.moved_json = manifest["update"]["moved"].dump();
    const json distillation = manifest.at("model").value("distillation", json::object());
    if (distillation.contains("known_items_move"))
      updated_.known_items_move = distillation["known_items_move"].get<bool>();
    progress_.end(fmt::format("version {} of {}", updated_.model_version, model_.string()));
  }

  const UpdateFlags& flags_;
  const Config& config_;
  std::shared_ptr<const Frames> frames_;
  Progress& progress_;
  fs::path data_, model_;
  json old_model_;
  std::optional<Budget> budget_;
  std::optional<ArtifactWriter> data_writer_;
  bool is_new_ = false;  ///< the writer holds a data set that is complete
  Updated updated_;
};

}  // namespace

Updated update_by(const UpdateFlags& flags, const Config& config,
                  const std::shared_ptr<const Frames>& frames, Progress& progress) {
  return Update(flags, config, frames, progress).run();
}

json updated_json(const Updated& updated, const UpdateFlags& flags) {
  json output = {{"data", flags.rows.data},
                 {"data_version", updated.data_version},
                 {"model", flags.model},
                 {"model_version", updated.model_version},
                 {"trained", updated.trained},
                 {"epochs_run", updated.training.epochs_run},
                 {"best_epoch", updated.training.best_epoch},
                 {"seconds", updated.training.seconds},
                 {"interrupted", updated.training.interrupted},
                 {"moved", json::parse(updated.moved_json)}};
  if (updated.known_items_move) output["known_items_move"] = *updated.known_items_move;
  if (updated.rows) output["rows"] = append_json(*updated.rows, flags.rows);
  return output;
}

}  // namespace penchant::pipeline
