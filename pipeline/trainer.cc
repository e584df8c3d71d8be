// SPDX-License-Identifier: Apache-2.0
// The training loop. Phase "select" learns from the training part and validates; phase "refit"
// starts over on train + validation for the number of epochs that validation chose. A checkpoint
// holds everything that the next step depends on.
#include "pipeline/train.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <fstream>
#include <numbers>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/blended_scorer.h"
#include "models/checkpoint.h"
#include "models/encoder.h"
#include "pipeline/auto_training.h"
#include "pipeline/evaluate.h"
#include "pipeline/filter_blend.h"
#include "pipeline/filter_training.h"
#include "pipeline/interest_training.h"
#include "pipeline/log_rows.h"
#include "pipeline/manifest.h"
#include "pipeline/model_manifest.h"
#include "pipeline/names.h"
#include "pipeline/training_phase.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::FloatMatrix;
using models::Parameter;
using nlohmann::json;

namespace {

constexpr const char* kKind = "model";
constexpr const char* kCheckpoint = "checkpoint.safetensors";
constexpr const char* kBest = "best.safetensors";
constexpr const char* kWeights = "weights.safetensors";
constexpr const char* kMetrics = "metrics.jsonl";
/// Validation users that a filter beside the vectors is chosen on.
constexpr std::int64_t kBlendUsers = 4096;

/// Everything that changes the course of training; a checkpoint resumes only under equal ones.
json course_to_json(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options) {
  return {{"data_hash", dataset.hash},
          {"graph", graph_options_to_json(graphs.options)},
          {"model", model_to_json(options.model)},
          {"epochs", options.epochs},
          {"batch_size", options.batch_size},
          {"num_negatives", options.num_negatives},
          {"negative_power", options.negative_power},
          {"negative_correction", options.negative_correction},
          {"learning_rate", options.learning_rate},
          {"cosine_decay", options.cosine_decay},
          {"l2", options.l2},
          {"validate_every", options.validate_every},
          {"patience", options.patience},
          {"validation_metric", options.validation_metric},
          {"refit", options.refit},
          {"calibrate_popularity", options.calibrate_popularity},
          {"blend_filter", options.blend_filter},
          {"node_order", enum_name(options.node_order)},
          {"seed", static_cast<std::uint64_t>(options.seed)}};
}

/// Where the loop stands; stored in the checkpoint's metadata.
struct Position {
  std::string phase = "select";
  std::int64_t epoch = 0;  ///< current, from 0
  std::int64_t step = 0;   ///< done in this epoch
  std::int64_t adam_step = 0;
  double loss_sum = 0.0;  ///< of this epoch so far
  std::int64_t loss_rows = 0;
  double best_value = -1.0;
  std::int64_t best_epoch = 0;  ///< counted from 1
  std::int64_t without_improvement = 0;
  std::int64_t phase_epochs = 0;   ///< epochs to run in this phase
  std::int64_t epochs_run = 0;     ///< of all phases
  double last_loss = 0.0;          ///< mean over the last whole epoch
  double popularity_weight = 0.0;  ///< chosen when selection ends
  FilterBlend blend;               ///< likewise
  Calibration calibration;         ///< likewise

  json to_json() const {
    return {{"phase", phase},
            {"epoch", epoch},
            {"step", step},
            {"adam_step", adam_step},
            {"loss_sum", loss_sum},
            {"loss_rows", loss_rows},
            {"best_value", best_value},
            {"best_epoch", best_epoch},
            {"without_improvement", without_improvement},
            {"phase_epochs", phase_epochs},
            {"epochs_run", epochs_run},
            {"last_loss", last_loss},
            {"popularity_weight", popularity_weight},
            {"blend", blend_to_json(blend)},
            {"calibration", calibration_to_json(calibration)}};
  }
  static Position from_json(const json& stored) {
    return {stored.at("phase").get<std::string>(),
            stored.at("epoch").get<std::int64_t>(),
            stored.at("step").get<std::int64_t>(),
            stored.at("adam_step").get<std::int64_t>(),
            stored.at("loss_sum").get<double>(),
            stored.at("loss_rows").get<std::int64_t>(),
            stored.at("best_value").get<double>(),
            stored.at("best_epoch").get<std::int64_t>(),
            stored.at("without_improvement").get<std::int64_t>(),
            stored.at("phase_epochs").get<std::int64_t>(),
            stored.at("epochs_run").get<std::int64_t>(),
            stored.at("last_loss").get<double>(),
            stored.at("popularity_weight").get<double>(),
            blend_from_json(stored.at("blend")),
            calibration_from_json(stored.at("calibration"))};
  }
};

/// The whole run: phases, validation, files.
class Trainer {
 public:
  Trainer(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
          const fs::path& directory, Backend& backend, Progress& progress)
      : dataset_(dataset),
        graphs_(graphs),
        options_(options),
        directory_(directory),
        backend_(backend),
        progress_(progress),
        course_(course_to_json(dataset, graphs, options)) {
    check_options();
    validates_ = options.validate_every > 0 && !dataset.split.validation.empty();
    if (validates_) task_ = make_ranking_task(dataset, HeldOut::validation, SeenItems::automatic);
  }

  TrainReport run(const std::string& config_toml) {
    const auto start = std::chrono::steady_clock::now();
    progress_.begin("train");
    open_directory(config_toml);
    announce_size();
    TrainReport report;
    bool interrupted = false;
    if (position_.phase == "select") {
      phase_ = make_phase(dataset_.split.train, graphs_);
      restore();
      interrupted = !run_phase();
      if (!interrupted && validates_) {
        phase_->read_weights(directory_ / kBest);
        if (options_.calibrate_popularity) choose_popularity_weight();
        if (options_.blend_filter) blend_filter();
        position_.calibration = phase_->calibrate();
      }
      if (!interrupted && validates_ && options_.refit) {
        start_refit();
      } else if (!interrupted) {
        position_.phase = "done";
      }
    }
    if (!interrupted && position_.phase == "refit") {
      const graph::TrainingPart all = train_and_validation(dataset_);
      const Graphs merged = make_graphs(all, dataset_, graphs_.options);
      phase_.reset();
      phase_ = make_phase(all, merged);
      restore();
      interrupted = !run_phase();
    }
    report.interrupted = interrupted;
    report.epochs_run = position_.epochs_run;
    report.validated = validates_;
    report.best_epoch = validates_ ? position_.best_epoch : position_.epochs_run;
    report.best_validation = std::max(0.0, position_.best_value);
    report.final_loss = position_.last_loss;
    if (!interrupted) finish(report, start);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report.epoch_seconds = epochs_done_ > 0.0 ? step_seconds_ / epochs_done_ : 0.0;
    progress_.end(
        interrupted
            ? fmt::format("interrupted in epoch {}; the checkpoint is written, --resume goes on",
                          position_.epoch + 1)
            : fmt::format("{} epochs, loss {:.4f}, {}", position_.epochs_run, position_.last_loss,
                          validation_summary()));
    return report;
  }

 private:
  std::unique_ptr<TrainingPhase> make_phase(const graph::TrainingPart& part, const Graphs& graphs) {
    if (options_.model.kind == models::ModelKind::interest) {
      return std::make_unique<InterestPhase>(dataset_, part, graphs.user_item, graphs.item,
                                             options_, backend_);
    }
    return std::make_unique<GraphPhase>(graphs.user_item, graphs.item, options_, backend_);
  }

  /// The main terms of docs/formats.md, "Memory".
  void announce_size() {
    std::int64_t links = graphs_.user_item.user_items.view().num_entries();
    std::int64_t nodes = dataset_.num_users() + dataset_.num_items();
    for (const graph::Relation& relation : graphs_.item.relations) {
      links += relation.edges.view().num_entries();
      nodes += relation.num_hubs;
    }
    announce_memory(progress_, 16 * links + 24 * nodes * options_.model.embedding_dim,
                    fmt::format("{} nodes of width {} and {} links", nodes,
                                options_.model.embedding_dim, links));
  }

  void check_options() const {
    const auto require = [](bool holds, const char* message) {
      if (!holds) throw InputError(message);
    };
    require(options_.epochs >= 1, "train.epochs must be at least 1");
    require(options_.batch_size >= 0, "train.batch_size must not be negative");
    require(options_.num_negatives >= 1, "train.num_negatives must be at least 1");
    require(options_.negative_correction >= 0.0 && options_.negative_correction <= 1.0,
            "train.negative_correction must lie between 0 and 1");
    require(options_.learning_rate > 0.0F, "train.learning_rate must be above 0");
    require(options_.l2 >= 0.0F, "train.l2 must not be negative");
    require(options_.model.temperature > 0.0F, "model.temperature must be above 0");
    require(options_.checkpoint_every >= 1, "train.checkpoint_every must be at least 1");
  }

  std::string validation_summary() const {
    if (position_.best_epoch == 0) return "no validation part";
    return fmt::format("best {} {:.4f} on validation after epoch {}", options_.validation_metric,
                       position_.best_value, position_.best_epoch);
  }

  void open_directory(const std::string& config_toml) {
    const fs::path checkpoint = directory_ / kCheckpoint;
    if (options_.resume && fs::exists(checkpoint)) {
      resumed_ = models::read_safetensors(checkpoint);
      try {
        const json stored = json::parse(resumed_->metadata.at("course"));
        for (const auto& [key, value] : course_.items()) {
          if (!stored.contains(key) || stored[key] != value) {
            throw InputError(
                fmt::format("{}: cannot resume: {} was {} and is now {}", checkpoint.string(), key,
                            stored.contains(key) ? stored[key].dump() : "not set", value.dump()));
          }
        }
        position_ = Position::from_json(json::parse(resumed_->metadata.at("position")));
      } catch (const json::exception& error) {
        throw InputError(fmt::format("{}: damaged: {}", checkpoint.string(), error.what()));
      } catch (const std::out_of_range&) {
        throw InputError(fmt::format("{}: is not a training checkpoint", checkpoint.string()));
      }
      begin_artifact(directory_, kKind);
      trim_metrics();
      return;
    }
    begin_artifact(directory_, kKind);
    for (const char* old : {kCheckpoint, kBest, kWeights, kMetrics}) fs::remove(directory_ / old);
    write_file_atomically(directory_ / "config.toml", config_toml);
    write_file_atomically(directory_ / kMetrics, "");
    position_.phase_epochs = options_.epochs;
  }

  /// Keeps the lines of metrics.jsonl that lie before the checkpoint: those behind it will be
  /// written again.
  void trim_metrics() {
    std::ifstream file(directory_ / kMetrics);
    std::string kept;
    std::string line;
    while (std::getline(file, line)) {
      const json entry = json::parse(line, nullptr, false);
      if (!entry.is_object()) continue;  // a line cut off by the kill
      const std::string phase = entry.value("phase", "");
      const bool before = phase != position_.phase
                              ? phase == "select"
                              : entry.value("epoch", std::int64_t{0}) <= position_.epoch;
      if (before) kept += line + "\n";
    }
    write_file_atomically(directory_ / kMetrics, kept);
  }

  /// Loads the checkpoint's tensors into the phase that was just built, once.
  void restore() {
    if (!resumed_) return;
    const fs::path path = directory_ / kCheckpoint;
    phase_->visit_parameters([&](Parameter& parameter) {
      const auto load = [&](const char* suffix, FloatMatrix& matrix) {
        backend_.copy(
            resumed_->find(parameter.name + suffix, matrix.rows(), matrix.cols(), path).view(),
            matrix.view());
      };
      load("", parameter.value);
      load(".first_moment", parameter.first_moment);
      load(".second_moment", parameter.second_moment);
    });
    resumed_.reset();
  }

  void write_checkpoint() {
    std::vector<models::NamedTensor> tensors;
    std::deque<kernels::Download<float>> downloads;
    phase_->visit_parameters([&](Parameter& parameter) {
      const auto add = [&](const std::string& name, const FloatMatrix& matrix) {
        tensors.push_back({name, downloads.emplace_back()(matrix.view(), backend_)});
      };
      add(parameter.name, parameter.value);
      add(parameter.name + ".first_moment", parameter.first_moment);
      add(parameter.name + ".second_moment", parameter.second_moment);
    });
    const std::map<std::string, std::string> metadata = {{"format", "penchant checkpoint"},
                                                         {"course", course_.dump()},
                                                         {"position", position_.to_json().dump()}};
    write_file_atomically(directory_ / kCheckpoint, [&](std::ostream& out) {
      models::write_safetensors(out, tensors, metadata);
    });
  }

  float learning_rate(std::int64_t steps_per_epoch) const {
    if (!options_.cosine_decay) return options_.learning_rate;
    const double progress =
        static_cast<double>(position_.epoch * steps_per_epoch + position_.step) /
        static_cast<double>(options_.epochs * steps_per_epoch);
    return options_.learning_rate *
           static_cast<float>(0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
  }

  /// Runs the rest of the current phase; false if interrupted (after a checkpoint).
  bool run_phase() {
    const std::int64_t steps = phase_->steps_per_epoch();
    auto rate_start = std::chrono::steady_clock::now();
    std::int64_t rate_rows = 0;
    while (position_.epoch < position_.phase_epochs) {
      for (; position_.step < steps;) {
        const float rate = learning_rate(steps);
        const auto step_start = std::chrono::steady_clock::now();
        position_.loss_sum +=
            phase_->step(position_.epoch, position_.step, ++position_.adam_step, rate);
        position_.loss_rows += phase_->batch_rows();
        ++position_.step;
        ++steps_done_;
        step_seconds_ +=
            std::chrono::duration<double>(std::chrono::steady_clock::now() - step_start).count();
        epochs_done_ += 1.0 / static_cast<double>(steps);
        rate_rows += phase_->batch_rows();
        const double seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - rate_start).count();
        progress_.update(
            position_.epoch * steps + position_.step, position_.phase_epochs * steps,
            fmt::format("{} epoch {}/{}, loss {:.4f}, {:.0f} pairs/s{}", position_.phase,
                        position_.epoch + 1, position_.phase_epochs,
                        position_.loss_sum / static_cast<double>(position_.loss_rows),
                        static_cast<double>(rate_rows) / std::max(seconds, 1e-9),
                        position_.best_epoch > 0
                            ? fmt::format(", best {} {:.4f}", options_.validation_metric,
                                          position_.best_value)
                            : ""));
        if (!std::isfinite(position_.loss_sum)) {
          throw InputError(fmt::format(
              "train: the loss became {} in epoch {}; a lower train.learning_rate may help",
              position_.loss_sum, position_.epoch + 1));
        }
        const bool stop_here =
            options_.stop_after_steps > 0 && steps_done_ >= options_.stop_after_steps;
        if ((progress_.stop_requested() || stop_here) && position_.step < steps) {
          write_checkpoint();
          return false;
        }
      }
      const bool stopped = end_epoch();
      if (stopped) break;
      if (progress_.stop_requested()) {
        write_checkpoint();
        return false;
      }
      if (options_.stop_after_steps > 0 && steps_done_ >= options_.stop_after_steps) {
        write_checkpoint();
        return false;
      }
    }
    return true;
  }

  /// Validates, logs, moves to the next epoch; true if early stopping ends the phase.
  bool end_epoch() {
    position_.last_loss = position_.loss_sum / static_cast<double>(position_.loss_rows);
    ++position_.epochs_run;
    const std::int64_t epoch = position_.epoch + 1;
    json line = {{"phase", position_.phase},
                 {"epoch", epoch},
                 {"loss", position_.last_loss},
                 {"steps", position_.adam_step}};
    bool stop = false;
    const bool due = position_.phase == "select" && validates_ &&
                     (epoch % options_.validate_every == 0 || epoch == position_.phase_epochs);
    if (due) {
      const double value = validate(line);
      if (value > position_.best_value) {
        position_.best_value = value;
        position_.best_epoch = epoch;
        position_.without_improvement = 0;
        phase_->write_weights(directory_ / kBest);
      } else {
        ++position_.without_improvement;
        stop = options_.patience > 0 && position_.without_improvement >= options_.patience;
      }
    }
    {
      std::ofstream metrics(directory_ / kMetrics, std::ios::app);
      metrics << line.dump() << '\n';
      metrics.flush();
      if (!metrics)
        throw InputError(fmt::format("{}: cannot write", (directory_ / kMetrics).string()));
    }
    position_.epoch = epoch;
    position_.step = 0;
    position_.loss_sum = 0.0;
    position_.loss_rows = 0;
    if (stop) position_.phase_epochs = epoch;
    if (epoch % options_.checkpoint_every == 0 || epoch == position_.phase_epochs)
      write_checkpoint();
    return stop;
  }

  /// All metrics at the cut-off of the validation metric, for the phase's model with this weight of
  /// popularity.
  std::map<std::string, double> validation_metrics(double popularity_weight) {
    FloatMatrix users;
    FloatMatrix items;
    phase_->embeddings(users, items);
    append_popularity(graphs_.user_item, popularity_weight, backend_, users, items);
    const EvaluateReport report = evaluate_vectors(
        users.view(), items.view(), task_, dataset_.item_statistics.count,
        validation_options(options_.validation_metric), backend_, silent_progress());
    validation_value(report, options_.validation_metric);
    return report.metrics;
  }

  double validate(json& line) {
    const std::map<std::string, double> metrics = validation_metrics(0.0);
    line["validation"] = metrics;
    return metrics.at(options_.validation_metric);
  }

  /// The weight of log popularity in the score that validation likes best, 0 included. Unit: what
  /// one unit of log probability is in scores.
  void choose_popularity_weight() {
    const double unit = options_.model.loss == models::LossKind::sampled_softmax
                            ? static_cast<double>(options_.model.temperature)
                            : 1.0;
    for (const double share : {0.125, 0.25, 0.5, 1.0, 2.0, 4.0}) {
      const double value = validation_metrics(share * unit).at(options_.validation_metric);
      if (value <= position_.best_value) continue;
      position_.best_value = value;
      position_.popularity_weight = share * unit;
    }
  }

  /// Takes the blend that a sample of the validation users likes best, if all of them like it
  /// better than the vectors with popularity.
  void blend_filter() {
    FloatMatrix users;
    FloatMatrix items;
    phase_->embeddings(users, items);
    const std::vector<std::int64_t>& counts = dataset_.item_statistics.count;
    const FilterBlend blend = choose_filter_blend(graphs_.user_item, users.view(), items.view(),
                                                  sample_task(task_, kBlendUsers, options_.seed),
                                                  counts, options_.validation_metric, backend_);
    if (blend.weight == 0.0F) return;
    models::BlendedScorer scorer(
        users.view(), items.view(),
        std::make_shared<models::LinearFilter>(graphs_.user_item, blend.options, backend_),
        blend.weight);
    const double value = validation_value(
        evaluate_scorer(scorer, task_, counts, validation_options(options_.validation_metric),
                        backend_, silent_progress()),
        options_.validation_metric);
    if (value <= position_.best_value) return;
    position_.best_value = value;
    position_.blend = blend;
  }

  void start_refit() {
    position_.phase = "refit";
    position_.phase_epochs = position_.best_epoch;
    position_.epoch = 0;
    position_.step = 0;
    position_.adam_step = 0;
    position_.loss_sum = 0.0;
    position_.loss_rows = 0;
    resumed_.reset();
  }

  void finish(const TrainReport& report, std::chrono::steady_clock::time_point start) {
    phase_->write_weights(directory_ / kWeights);
    json manifest = {{"course", course_},
                     {"data_hash", dataset_.hash},
                     {"graph_options", graph_options_to_json(graphs_.options)},
                     {"model", model_to_json(options_.model)},
                     {"trained_on", position_.phase == "refit" ? "train+validation" : "train"},
                     {"popularity_weight", position_.popularity_weight},
                     {"blend", blend_to_json(position_.blend)},
                     {"calibration", calibration_to_json(position_.calibration)},
                     {"best_epoch", report.best_epoch},
                     {"best_validation", report.best_validation},
                     {"validation_metric", options_.validation_metric},
                     {"final_loss", report.final_loss},
                     {"hash", hash_file(directory_ / kWeights)},
                     {"resources", resources_since(start)},
                     {"device", backend_.description()}};
    finish_artifact(directory_, kKind, std::move(manifest));
  }

  const Dataset& dataset_;
  const Graphs& graphs_;
  const TrainOptions& options_;
  fs::path directory_;
  Backend& backend_;
  Progress& progress_;
  json course_;
  bool validates_ = false;
  RankingTask task_;
  Position position_;
  std::optional<models::TensorFile> resumed_;
  std::unique_ptr<TrainingPhase> phase_;
  std::int64_t steps_done_ = 0;
  double step_seconds_ = 0.0;
  double epochs_done_ = 0.0;
};

}  // namespace

graph::TrainingPart train_and_validation(const Dataset& dataset) {
  graph::TrainingPart merged = dataset.split.train;
  graph::Interactions& rows = merged.interactions;
  const graph::Interactions& more = dataset.split.validation;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(rows.user, more.user);
  append(rows.item, more.item);
  append(rows.weight, more.weight);
  append(rows.time_ms, more.time_ms);
  append(rows.event, more.event);
  append(rows.session, more.session);
  sort_log(rows, dataset.num_users());
  return merged;
}

std::string training_course(const Dataset& dataset, const Graphs& graphs,
                            const TrainOptions& options) {
  return course_to_json(dataset, graphs, options).dump();
}

TrainOptions default_train_options(models::ModelKind kind) {
  TrainOptions options;
  options.model.kind = kind;
  if (kind != models::ModelKind::interest) return options;
  options.model.num_layers = 1;
  options.model.own_share = 1.0F;
  options.model.normalize = false;
  options.model.temperature = 1.0F;
  options.model.initializer = models::Initializer::normal;
  options.model.initial_scale = 0.05F;
  options.epochs = 30;
  options.num_negatives = 16384;
  options.learning_rate = 0.006F;
  options.l2 = 0.0F;
  options.validation_metric = "ndcg@10";
  return options;
}

TrainReport train(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                  const std::string& config_toml, const fs::path& model_directory, Backend& backend,
                  Progress& progress) {
  if (options.model.kind == models::ModelKind::graph_filter)
    return train_filter(dataset, graphs, options, config_toml, model_directory, backend, progress);
  if (options.model.kind == models::ModelKind::automatic)
    return train_auto(dataset, graphs, options, config_toml, model_directory, backend, progress);
  Trainer trainer(dataset, graphs, options, model_directory, backend, progress);
  return trainer.run(config_toml);
}

namespace {

/// Vectors of a graph encoder with these weights.
void propagate_weights(const Dataset& dataset, const Graphs& graphs,
                       const models::ModelOptions& options, const models::TensorFile& file,
                       const fs::path& weights, Backend& backend, TrainedModel& model) {
  const graph::PropagationGraph propagation =
      graph::build_propagation_graph(graphs.user_item, graphs.item);
  const Csr adjacency = model_adjacency(propagation, options.kind);
  const auto sparse = backend.sparse(adjacency.view());
  const auto encoder = models::make_encoder(options, *sparse, {}, graph::Seed{0}, backend);
  encoder->visit_parameters([&](Parameter& parameter) {
    backend.copy(
        file.find(parameter.name, parameter.value.rows(), parameter.value.cols(), weights).view(),
        parameter.value.view());
  });
  const kernels::ConstFloatView final = encoder->forward(backend);
  model.users = backend.matrix<float>(dataset.num_users(), final.cols);
  model.items = backend.matrix<float>(dataset.num_items(), final.cols);
  backend.copy(final.rows_of(0, dataset.num_users()), model.users.view());
  backend.copy(final.rows_of(dataset.num_users(), dataset.num_items()), model.items.view());
  if (!options.normalize) return;
  for (FloatMatrix* matrix : {&model.users, &model.items}) {
    kernels::Vector<float> norms = backend.vector<float>(matrix->rows());
    backend.normalize_rows(matrix->view(), matrix->view(), norms.view());
  }
}

/// An interest model with these weights, and the vectors of all users by their histories.
void load_interest(const Dataset& dataset, const Graphs& graphs,
                   const models::ModelOptions& options, const models::TensorFile& file,
                   const fs::path& weights, const json& manifest, KnownPart known, Backend& backend,
                   TrainedModel& model) {
  auto network =
      std::make_unique<InterestNetwork>(dataset, graphs.item, options, graph::Seed{0}, backend);
  network->model().visit_parameters([&](Parameter& parameter) {
    backend.copy(
        file.find(parameter.name, parameter.value.rows(), parameter.value.cols(), weights).view(),
        parameter.value.view());
  });
  auto interest = std::make_unique<TrainedInterest>(
      std::move(network), manifest.at("popularity_weight").get<double>() != 0.0,
      calibration_from_json(manifest.at("calibration")));
  const Histories histories =
      known == KnownPart::train
          ? make_histories(dataset.split.train, dataset, options.interest.max_length)
          : make_histories_with_validation(dataset, options.interest.max_length);
  interest->embeddings(histories, backend, model.users, model.items);
  model.interest = std::move(interest);
}

}  // namespace

TrainedModel load_model(const fs::path& model_directory, const Dataset& dataset, Backend& backend,
                        KnownPart known) {
  const json manifest = read_manifest(model_directory, kKind);
  TrainedModel model;
  try {
    const auto data_hash = manifest.at("data_hash").get<std::string>();
    if (data_hash != dataset.hash) {
      throw InputError(fmt::format("{}: was trained on another data set (hash {}, this one is {})",
                                   model_directory.string(), data_hash, dataset.hash));
    }
    if (manifest.at("model").at("kind") == enum_name(models::ModelKind::graph_filter))
      return load_filter(model_directory, manifest, dataset, backend);
    if (manifest.at("model").at("kind") == enum_name(models::ModelKind::automatic))
      return load_auto(model_directory, manifest, dataset, backend);
    models::ModelOptions options = model_from_json(manifest.at("model"));
    options.initializer =
        models::Initializer::normal;  // the weights are read; the start need not be good
    const bool merged = manifest.at("trained_on").get<std::string>() == "train+validation";
    const Graphs graphs =
        make_graphs(merged ? train_and_validation(dataset) : dataset.split.train, dataset,
                    graph_options_from_json(manifest.at("graph_options")));
    const fs::path weights = model_directory / kWeights;
    const models::TensorFile file = models::read_safetensors(weights);
    const auto popularity_weight = manifest.at("popularity_weight").get<double>();
    if (options.kind == models::ModelKind::interest) {
      load_interest(dataset, graphs, options, file, weights, manifest, known, backend, model);
    } else {
      propagate_weights(dataset, graphs, options, file, weights, backend, model);
    }
    append_popularity(graphs.user_item, popularity_weight, backend, model.users, model.items);
    model.popularity_column = popularity_weight != 0.0;
    const FilterBlend blend = blend_from_json(manifest.at("blend"));
    if (blend.weight != 0.0F) {  // the filter knows of popularity itself
      model.scorer = std::make_unique<models::BlendedScorer>(
          model.users.view().cols_of(0, model.embedding_dim()),
          model.items.view().cols_of(0, model.embedding_dim()),
          std::make_shared<models::LinearFilter>(graphs.user_item, blend.options, backend),
          blend.weight);
    }
    model.normalized = options.normalize && !model.popularity_column;
    model.model_hash = manifest.at("hash").get<std::string>();
    model.model_name = enum_name(options.kind);
  } catch (const json::exception& error) {
    throw InputError(
        fmt::format("{}/manifest.json: damaged: {}", model_directory.string(), error.what()));
  }
  return model;
}

}  // namespace penchant::pipeline
