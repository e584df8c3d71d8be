// SPDX-License-Identifier: Apache-2.0
// Phase "select" learns from the training part and validates; phase "refit" starts over on train +
// validation for the number of epochs that validation chose. The steps of both: training_loop.h;
// what an interrupted run goes on from: checkpoint.h.
#include "pipeline/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/judge.h"
#include "pipeline/choice/term_choice.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/checkpoint.h"
#include "pipeline/training/interest_phase.h"
#include "pipeline/training/training_loop.h"
#include "pipeline/training/training_phase.h"
#include "pipeline/training/training_position.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

json course_of(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
               const std::optional<Refit>& refit, const WarmStart* warm) {
  json course = training_course(dataset, graphs, options);
  if (warm != nullptr) course["update_of"] = warm->hash;
  if (refit) {
    course["refit_of"] = {{"epochs", refit->epochs},
                          {"attempt", refit->attempt},
                          {"head_epoch", refit->head_epoch},
                          {"calibration", calibration_to_json(refit->calibration)}};
  }
  return course;
}

/// The whole run: its phases and files.
class Trainer {
 public:
  Trainer(const Dataset& dataset, const Graphs& graphs, const std::optional<Refit>& refit,
          const WarmStart* warm, const TrainOptions& options, const Destination& destination,
          Backend& backend, Progress& progress)
      : dataset_(dataset),
        graphs_(graphs),
        refit_(refit),
        warm_(warm),
        options_(options),
        destination_(destination),
        backend_(backend),
        progress_(progress),
        course_(course_of(dataset, graphs, options, refit, warm)) {
    validates_ = options.validate_every > 0 && !dataset.split.validation.empty();
    if (validates_) task_ = make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic);
  }

  TrainReport run(const std::string& config_toml) {
    const auto start = std::chrono::steady_clock::now();
    progress_.begin("train");
    open_directory(config_toml);
    announce_size();
    TrainingLoop loop(options_, course_, directory_, validation(), position_, progress_);
    TrainReport report;
    report.interrupted = (position_.phase == "select" && !select(loop)) ||
                         (position_.phase == "refit" && !refit(loop));
    report.epochs_run = position_.epochs_run;
    report.validated = validates_;
    report.validation_metric = options_.validation_metric;
    report.best_epoch = validates_ ? position_.best_epoch : position_.epochs_run;
    report.best_validation = std::max(0.0, position_.best_value);
    report.final_loss = position_.last_loss;
    if (!report.interrupted) finish(report, start);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report.epoch_seconds = loop.epoch_seconds();
    progress_.end(
        report.interrupted
            ? fmt::format("interrupted in epoch {}; the checkpoint is written, --resume goes on",
                          position_.epoch + 1)
            : fmt::format("{} epochs, loss {:.4f}, {}", position_.epochs_run, position_.last_loss,
                          validation_summary()));
    return report;
  }

 private:
  /// False if interrupted; else position_.phase is what comes next.
  bool select(TrainingLoop& loop) {
    if (refit_)
      start_phase(train_and_validation(dataset_), graphs_);
    else
      start_phase(dataset_.split.train, graphs_);
    if (!loop.run(*phase_)) return false;
    while (lower_rate_may_help()) {
      position_.start_over(options_.epochs);
      ++position_.attempt;
      position_.attempt_value = -1.0;
      position_.without_improvement = 0;
      start_phase(dataset_.split.train, graphs_);
      if (!loop.run(*phase_)) return false;
    }
    if (validates_) {
      phase_->read_weights(directory_ / kBestName);
      choose_terms();
      choose_head();
    }
    if (!validates_ || !options_.refit) {
      phase_->write_weights(directory_ / kModelWeights);
      position_.phase = "done";
      return true;
    }
    position_.start_over(position_.best_epoch);
    position_.phase = "refit";
    position_.head_epoch = std::min(chosen_head().epoch, position_.best_epoch);
    position_.attempt = position_.best_attempt;
    return true;
  }

  /// False if interrupted.
  bool refit(TrainingLoop& loop) {
    const graph::TrainingPart all = train_and_validation(dataset_);
    merged_ = make_graphs(all, dataset_, graphs_.options);
    start_phase(all, *merged_);
    const bool whole = loop.run(*phase_);
    if (whole) phase_->write_weights(directory_ / kModelWeights);
    return whole;
  }

  /// Makes the phase, in the state of the checkpoint if there is one: the first phase of a resumed
  /// run is what it was written in.
  void start_phase(const graph::TrainingPart& part, const Graphs& graphs) {
    phase_.reset();  // what it holds makes room
    if (options_.model.kind == models::ModelKind::interest) {
      phase_ = std::make_unique<InterestPhase>(dataset_, part, graphs.user_item, graphs.item,
                                               options_, backend_);
    } else {
      phase_ = std::make_unique<GraphPhase>(graphs, options_, backend_);
    }
    if (!resumed_) {
      if (warm_ != nullptr) phase_->start_from(warm_->model / kModelWeights, warm_->rows);
      return;
    }
    const fs::path path = directory_ / kCheckpointName;
    if (position_.step > phase_->steps_per_epoch()) {
      throw InputError(fmt::format("{}: damaged: {} steps of an epoch are done, which has {}",
                                   path.string(), position_.step, phase_->steps_per_epoch()));
    }
    phase_->read_state(*resumed_, path);
    resumed_.reset();
  }

  /// The main terms of docs/formats.md, "Memory".
  void announce_size() {
    std::int64_t links = graphs_.user_item.user_items.view().num_entries();
    std::int64_t nodes = dataset_.num_users() + dataset_.num_items();
    for (const graph::Relation& relation : graphs_.item.relations) {
      links += relation.edges.view().num_entries();
      nodes += relation.num_hubs;
    }
    for (const graph::Relation& relation : graphs_.links)
      links += relation.edges.view().num_entries();
    announce_memory(progress_, 16 * links + 24 * nodes * options_.model.embedding_dim,
                    fmt::format("{} nodes of width {} and {} links", nodes,
                                options_.model.embedding_dim, links));
  }

  std::string validation_summary() const {
    if (position_.best_epoch == 0) return "no validation part";
    return fmt::format("best {} {:.4f} on validation after epoch {}", options_.validation_metric,
                       position_.best_value, position_.best_epoch);
  }

  void open_directory(const std::string& config_toml) {
    writer_.emplace(destination_, kModelArtifact);
    directory_ = writer_->folder();
    if (options_.resume && fs::exists(directory_ / kCheckpointName)) {
      Checkpoint checkpoint = read_checkpoint(directory_, course_, options_);
      position_ = checkpoint.position;
      resumed_ = std::move(checkpoint.tensors);
      trim_metrics(directory_, position_);
      return;
    }
    if (options_.resume) refuse_other_training(directory_, kChoiceName);
    writer_->clear();
    write_file_atomically(directory_ / "config.toml", config_toml);
    write_file_atomically(directory_ / kMetricsName, "");
    position_.phase_epochs = options_.epochs;
    if (!refit_) return;
    position_.phase_epochs = refit_->epochs;
    position_.attempt = refit_->attempt;
    position_.best_attempt = refit_->attempt;
    position_.head_epoch = std::min(refit_->head_epoch, refit_->epochs);
    position_.calibration = refit_->calibration;
    if (warm_ != nullptr) keep_terms();
  }

  TrainingLoop::Validate validation() {
    if (!validates_) return {};
    return [this](TrainingPhase& phase) {
      FloatMatrix users;
      FloatMatrix items;
      phase.embeddings(users, items);
      MutedProgress muted(progress_);
      return Judge(task_, dataset_.item_statistics.count, options_.validation_metric, backend_,
                   muted)
          .metrics(users.view(), items.view());
    };
  }

  /// What stands beside the vectors that selection kept.
  void choose_terms() {
    position_.vectors_value = position_.best_value;
    if (warm_ != nullptr) {
      keep_terms();
      return;
    }
    TermOptions terms;
    terms.popularity = options_.calibrate_popularity;
    terms.filter = options_.blend_filter;
    terms.repeats = options_.blend_repeats && task_.excluded.num_rows == 0;
    terms.links = options_.blend_links && !dataset_.links.empty();
    if (!terms.popularity && !terms.filter && !terms.repeats && !terms.links) return;
    terms.metric = options_.validation_metric;
    if (options_.model.loss == models::LossKind::sampled_softmax)
      terms.popularity_unit = static_cast<double>(options_.model.temperature);
    FloatMatrix users;
    FloatMatrix items;
    phase_->embeddings(users, items);
    const ChosenTerms chosen =
        pipeline::choose_terms(dataset_, graphs_, std::move(users), std::move(items),
                               position_.best_value, task_, terms, backend_, progress_);
    position_.best_value = chosen.value;
    position_.vectors_value = chosen.vectors;
    position_.popularity_weight = chosen.popularity_weight;
    position_.blend = chosen.filter;
    position_.repeats = chosen.repeats;
    position_.links = chosen.links;
  }

  /// An update's few new rows are no reason to choose anew.
  void keep_terms() {
    position_.popularity_weight = warm_->popularity_weight;
    position_.blend = warm_->blend;
    position_.repeats = warm_->repeats;
    position_.links = warm_->links;
  }

  HeadEpoch chosen_head() const {
    const auto attempt = static_cast<std::size_t>(position_.best_attempt);
    return attempt < position_.heads.size() ? position_.heads[attempt] : HeadEpoch{};
  }

  /// The network that probabilities come from: the averaged weights that validation liked best, if
  /// there are any, else that of the vectors.
  void choose_head() {
    const bool has_head = chosen_head().epoch > 0;
    if (has_head) {
      phase_->read_weights(directory_ / best_head_name(position_.best_attempt));
      if (!options_.refit) phase_->write_weights(directory_ / kHeadWeights);
    }
    position_.calibration = warm_ != nullptr ? warm_->calibration : phase_->calibrate();
    if (has_head) phase_->read_weights(directory_ / kBestName);
  }

  /// Validation that is best in the first epochs says that the rate is too high for this data, if
  /// the attempt before this one was no better.
  bool lower_rate_may_help() const {
    return validates_ && options_.retry_lower_rate && position_.attempt < kMaxRetries &&
           position_.best_attempt == position_.attempt &&
           position_.best_epoch <= last_early_epoch(options_.epochs);
  }

  void finish(const TrainReport& report, std::chrono::steady_clock::time_point start) {
    const bool saw_validation = position_.phase == "refit" || refit_.has_value();
    phase_.reset();  // what it holds makes room
    json manifest = {
        {"course", course_},
        {"data_hash", dataset_.hash},
        {"graph_options", graph_options_to_json(graphs_.options)},
        {"model", model_to_json(options_.model)},
        {"trained_on", saw_validation ? "train+validation" : "train"},
        {"popularity_weight", position_.popularity_weight},
        {"blend", blend_to_json(position_.blend)},
        {"repeats", repeats_to_json(position_.repeats)},
        {"links", links_to_json(position_.links)},
        {"calibration", calibration_to_json(position_.calibration)},
        {"head", head_to_json()},
        {"learning_rate", options_.learning_rate * rate_of_attempt(position_.best_attempt)},
        {"best_attempt", position_.best_attempt},
        {"best_epoch", report.best_epoch},
        {"best_validation", report.best_validation},
        {"validation_metric", options_.validation_metric},
        {"validation", validation_to_json(options_.validation_metric, position_.vectors_value,
                                          report.best_validation)},
        {"final_loss", report.final_loss},
        {"hash", hash_file(directory_ / kModelWeights)},
        {"resources", resources_since(start)},
        {"device", backend_.description()}};
    std::optional<Predecessor> before;
    if (warm_ != nullptr) before = predecessor(warm_->model, warm_->rows);
    finish_model(*writer_, std::move(manifest), dataset_, merged_ ? *merged_ : graphs_, backend_,
                 before ? &*before : nullptr);
  }

  json head_to_json() const {
    if (!fs::exists(directory_ / kHeadWeights)) return {};
    json head = {{"hash", hash_file(directory_ / kHeadWeights)}};
    const HeadEpoch chosen = chosen_head();
    head["epoch"] = position_.head_epoch > 0 ? position_.head_epoch : chosen.epoch;
    if (chosen.epoch > 0) head["validation_auc"] = chosen.auc;
    return head;
  }

  const Dataset& dataset_;
  const Graphs& graphs_;
  std::optional<Refit> refit_;
  const WarmStart* warm_;  ///< null: from random numbers
  const TrainOptions& options_;
  Destination destination_;
  std::optional<ArtifactWriter> writer_;
  fs::path directory_;  ///< where the writer has the model grow
  Backend& backend_;
  Progress& progress_;
  json course_;
  bool validates_ = false;
  RankingTask task_;
  TrainingPosition position_;
  std::optional<models::TensorFile> resumed_;
  std::optional<Graphs> merged_;  ///< of the refit
  std::unique_ptr<TrainingPhase> phase_;
};

/// --resume where nothing was interrupted: the finished model, if it is what was asked for.
std::optional<TrainReport> finished_training(const Dataset& dataset, const Graphs& graphs,
                                             const TrainOptions& options,
                                             const std::optional<Refit>& refit,
                                             const WarmStart* warm, const fs::path& directory,
                                             Progress& progress) {
  if (!options.resume || !resumable_training(directory).empty() ||
      !is_finished(directory, kModelArtifact))
    return std::nullopt;
  const fs::path file = directory / kManifestName;
  const json manifest = read_manifest(directory, kModelArtifact);
  require_same_course(file, manifest.value("course", json::object()),
                      course_of(dataset, graphs, options, refit, warm));
  TrainReport report;
  take_values(file, [&] {
    manifest.at("best_epoch").get_to(report.best_epoch);
    manifest.at("best_validation").get_to(report.best_validation);
    manifest.at("final_loss").get_to(report.final_loss);
  });
  report.validated = report.best_validation > 0.0;
  report.validation_metric = options.validation_metric;
  progress.begin("train");
  progress.end(fmt::format("{} is finished already: nothing to resume", directory.string()));
  return report;
}

}  // namespace

Refit refit_of(const fs::path& model_directory) {
  const json manifest = read_manifest(model_directory, kModelArtifact);
  Refit refit;
  take_values(model_directory / kManifestName, [&] {
    manifest.at("best_epoch").get_to(refit.epochs);
    manifest.at("best_attempt").get_to(refit.attempt);
    refit.calibration = calibration_from_json(manifest.at("calibration"));
    if (const json head = manifest.value("head", json()); !head.is_null())
      head.at("epoch").get_to(refit.head_epoch);
  });
  return refit;
}

TrainReport train_vectors(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          Backend& backend, Progress& progress, const std::optional<Refit>& refit,
                          const WarmStart* warm) {
  if (auto finished =
          finished_training(dataset, graphs, options, refit, warm, destination.path, progress))
    return *finished;
  return Trainer(dataset, graphs, refit, warm, options, destination, backend, progress)
      .run(config_toml);
}

}  // namespace penchant::pipeline
