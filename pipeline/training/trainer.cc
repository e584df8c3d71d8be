// SPDX-License-Identifier: Apache-2.0
// The training loop. Phase "select" learns from the training part and validates; phase "refit"
// starts over on train + validation for the number of epochs that validation chose. A checkpoint
// holds everything that the next step depends on.
#include "pipeline/training/trainer.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <numbers>
#include <sstream>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/files.h"
#include "kernels/transfer.h"
#include "models/blended_scorer.h"
#include "models/encoder.h"
#include "models/safetensors.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/filter_blend.h"
#include "pipeline/choice/popularity_trial.h"
#include "pipeline/choice/repeat_blend.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/training/interest_phase.h"
#include "pipeline/training/training_phase.h"
#include "pipeline/training/training_position.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using nlohmann::json;

namespace {

constexpr const char* kMetrics = "metrics.jsonl";
/// Of a checkpoint's metadata. Earlier ones had node rows in the order of the training, which the
/// next partition may change.
constexpr const char* kCheckpointFormat = "penchant checkpoint, node rows in dense order";
/// Validation users that a filter beside the vectors is chosen on.
constexpr std::int64_t kBlendUsers = 4096;
/// Weights of popularity that are tried to an octave around the best power of 2.
constexpr int kFineSteps = 6;
/// Selection is tried so often again, each time at this share of the rate before.
constexpr std::int64_t kMaxRetries = 2;
constexpr float kRetryRate = 0.25F;
/// Steps between two looks at their losses, for which the GPU is waited for.
constexpr std::int64_t kLossSteps = 16;
/// Seconds that the program goes on after a signal for the step under way and for its checkpoint.
constexpr int kStepGrace = 10;
constexpr int kCheckpointGrace = 600;

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
          {"blend_repeats", options.blend_repeats},
          {"retry_lower_rate", options.retry_lower_rate},
          {"node_order", enum_name(options.node_order)},
          {"seed", static_cast<std::uint64_t>(options.seed)}};
}

/// Throws InputError if a training of course `stored` cannot go on under `now`.
void require_same_course(const fs::path& file, const json& stored, const json& now) {
  for (const auto& [key, value] : now.items()) {
    if (!stored.contains(key) || stored[key] != value) {
      throw InputError(fmt::format("{}: cannot resume: {} was {} and is now {}", file.string(), key,
                                   stored.contains(key) ? stored[key].dump() : "not set",
                                   value.dump()));
    }
  }
}

/// The whole run: phases, validation, files.
class Trainer {
 public:
  Trainer(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
          const Destination& destination, Backend& backend, Progress& progress)
      : dataset_(dataset),
        graphs_(graphs),
        options_(options),
        destination_(destination),
        backend_(backend),
        progress_(progress),
        course_(course_to_json(dataset, graphs, options)) {
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
      while (!interrupted && lower_rate_may_help()) {
        start_attempt();
        interrupted = !run_phase();
      }
      if (!interrupted && validates_) {
        phase_->read_weights(directory_ / kBestName);
        choose_terms();
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

  std::string validation_summary() const {
    if (position_.best_epoch == 0) return "no validation part";
    return fmt::format("best {} {:.4f} on validation after epoch {}", options_.validation_metric,
                       position_.best_value, position_.best_epoch);
  }

  void open_directory(const std::string& config_toml) {
    writer_.emplace(destination_, kModelArtifact);
    directory_ = writer_->folder();
    const fs::path checkpoint = directory_ / kCheckpointName;
    if (options_.resume && fs::exists(checkpoint)) {
      resumed_ = models::read_safetensors(checkpoint);
      if (resumed_->metadata["format"] != kCheckpointFormat) {
        throw InputError(
            fmt::format("{}: cannot resume: it was written by another version of this program",
                        checkpoint.string()));
      }
      try {
        for (const char* key : {"course", "position"})
          check_json_depth(resumed_->metadata.at(key), checkpoint);
        const json stored = json::parse(resumed_->metadata.at("course"));
        require_same_course(checkpoint, stored, course_);
        position_ = position_from_json(json::parse(resumed_->metadata.at("position")));
      } catch (const json::exception& error) {
        throw InputError(fmt::format("{}: damaged: {}", checkpoint.string(), error.what()));
      } catch (const std::out_of_range&) {
        throw InputError(fmt::format("{}: is not a training checkpoint", checkpoint.string()));
      }
      const std::string fault = position_fault(position_, options_.epochs, kMaxRetries);
      if (!fault.empty())
        throw InputError(fmt::format("{}: damaged: {}", checkpoint.string(), fault));
      trim_metrics();
      return;
    }
    writer_->clear();
    write_file_atomically(directory_ / "config.toml", config_toml);
    write_file_atomically(directory_ / kMetrics, "");
    position_.phase_epochs = options_.epochs;
  }

  /// Keeps the lines of metrics.jsonl that lie before the checkpoint: those behind it will be
  /// written again.
  void trim_metrics() {
    const fs::path metrics = directory_ / kMetrics;
    std::istringstream file(fs::exists(metrics) ? graph::read_file(metrics) : "");
    std::string kept;
    std::string line;
    const auto is_before = [&](const json& entry) {
      const std::string phase = entry.value("phase", "");
      if (phase != position_.phase) return phase == "select";
      const std::int64_t attempt = entry.value("attempt", std::int64_t{0});
      return attempt < position_.attempt ||
             (attempt == position_.attempt &&
              entry.value("epoch", std::int64_t{0}) <= position_.epoch);
    };
    while (std::getline(file, line)) {
      const json entry = parse_json_line(line);
      if (!entry.is_object()) continue;  // a line cut off by the kill
      try {
        if (is_before(entry)) kept += line + "\n";
      } catch (const json::exception& error) {
        throw InputError(
            fmt::format("{}: damaged: {}", (directory_ / kMetrics).string(), error.what()));
      }
    }
    write_file_atomically(directory_ / kMetrics, kept);
  }

  /// Loads the checkpoint's tensors into the phase that was just built, once.
  void restore() {
    if (!resumed_) return;
    const fs::path path = directory_ / kCheckpointName;
    if (position_.step > phase_->steps_per_epoch()) {
      throw InputError(fmt::format("{}: damaged: {} steps of an epoch are done, which has {}",
                                   path.string(), position_.step, phase_->steps_per_epoch()));
    }
    phase_->read_state(*resumed_, path);
    resumed_.reset();
  }

  void write_checkpoint() {
    const InterruptGrace grace(kCheckpointGrace);
    phase_->write_state(directory_ / kCheckpointName,
                        {{"format", kCheckpointFormat},
                         {"course", course_.dump()},
                         {"position", position_to_json(position_).dump()}});
  }

  float learning_rate(std::int64_t steps_per_epoch) const {
    const float peak =
        options_.learning_rate * std::pow(kRetryRate, static_cast<float>(position_.attempt));
    if (!options_.cosine_decay) return peak;
    const double progress =
        static_cast<double>(position_.epoch * steps_per_epoch + position_.step) /
        static_cast<double>(options_.epochs * steps_per_epoch);
    return peak * static_cast<float>(0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
  }

  /// Waits for the steps since the last call.
  void read_losses() {
    phase_->add_losses(position_.loss_sum);
    position_.loss_rows += std::exchange(pending_rows_, 0);
  }
  /// Of the epoch so far, as far as it has been read.
  double mean_loss() const {
    return position_.loss_sum / static_cast<double>(std::max<std::int64_t>(1, position_.loss_rows));
  }

  /// Runs the rest of the current phase; false if interrupted (after a checkpoint).
  bool run_phase() {
    const InterruptGrace grace(kStepGrace);
    const std::int64_t steps = phase_->steps_per_epoch();
    auto rate_start = std::chrono::steady_clock::now();
    std::int64_t rate_rows = 0;
    while (position_.epoch < position_.phase_epochs) {
      for (; position_.step < steps;) {
        const float rate = learning_rate(steps);
        const auto step_start = std::chrono::steady_clock::now();
        phase_->step(position_.epoch, position_.step, ++position_.adam_step, rate);
        pending_rows_ += phase_->batch_rows();
        ++position_.step;
        if (position_.step % kLossSteps == 0 || position_.step == steps || position_.loss_rows == 0)
          read_losses();
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
                        position_.epoch + 1, position_.phase_epochs, mean_loss(),
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
          read_losses();
          write_checkpoint();
          return false;
        }
      }
      bool stopped = false;
      try {
        stopped = end_epoch();
      } catch (const Interrupted&) {  // its steps are done, its validation is not: that comes again
        --position_.epochs_run;
        write_checkpoint();
        return false;
      }
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
    position_.last_loss = mean_loss();
    ++position_.epochs_run;
    const std::int64_t epoch = position_.epoch + 1;
    json line = {{"phase", position_.phase},
                 {"attempt", position_.attempt},
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
        position_.best_attempt = position_.attempt;
        phase_->write_weights(directory_ / kBestName);
      }
      if (value > position_.attempt_value) {
        position_.attempt_value = value;
        position_.without_improvement = 0;
      } else {
        ++position_.without_improvement;
        stop = options_.patience > 0 && position_.without_improvement >= options_.patience;
      }
    }
    {
      errno = EIO;  // where the stream fails without a call of the system
      std::ofstream metrics(directory_ / kMetrics, std::ios::app);
      metrics << line.dump() << '\n';
      metrics.flush();
      if (!metrics) {
        throw InputError(fmt::format("{}: cannot write: {}", (directory_ / kMetrics).string(),
                                     std::strerror(errno)));
      }
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

  /// All metrics of these vectors at the cut-off of the validation metric.
  std::map<std::string, double> validation_metrics(ConstFloatView users, ConstFloatView items) {
    MutedProgress muted(progress_);
    const EvaluateReport report =
        evaluate_vectors(users, items, task_, dataset_.item_statistics.count,
                         validation_options(options_.validation_metric), backend_, muted);
    validation_value(report.metrics, options_.validation_metric);
    return report.metrics;
  }

  double validate(json& line) {
    FloatMatrix users;
    FloatMatrix items;
    phase_->embeddings(users, items);
    const std::map<std::string, double> metrics = validation_metrics(users.view(), items.view());
    line["validation"] = metrics;
    return metrics.at(options_.validation_metric);
  }

  /// What stands beside the vectors that selection kept: by validation, one after the other.
  void choose_terms() {
    const bool repeats = options_.blend_repeats && task_.excluded.num_rows == 0;
    if (!options_.calibrate_popularity && !options_.blend_filter && !repeats) return;
    FloatMatrix users;
    FloatMatrix items;
    phase_->embeddings(users, items);
    PopularityTrial vectors(graphs_.user_item, users, items, backend_);
    users = FloatMatrix();
    items = FloatMatrix();
    if (options_.calibrate_popularity) choose_popularity_weight(vectors);
    if (options_.blend_filter) blend_filter(vectors);
    if (repeats) blend_repeats(vectors);
  }

  Judgement judge_vectors(PopularityTrial& vectors, double popularity_weight) {
    vectors.set_weight(popularity_weight);
    return judgement(validation_metrics(vectors.users(), vectors.items()),
                     options_.validation_metric);
  }

  /// The weight of log popularity in the score by validation, 0 included: powers of 2, then a finer
  /// step around the best of them. Unit: what one unit of log probability is in scores.
  void choose_popularity_weight(PopularityTrial& vectors) {
    const double unit = options_.model.loss == models::LossKind::sampled_softmax
                            ? static_cast<double>(options_.model.temperature)
                            : 1.0;
    const double tolerance = popularity_tolerance(dataset_.split);
    std::vector<double> weights;
    std::vector<Judgement> judgements;
    const auto judge = [&](double weight) {
      weights.push_back(weight);
      judgements.push_back(judge_vectors(vectors, weight));
      return judgements.back().value;
    };
    for (const double share : {0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0}) judge(share * unit);
    const std::size_t coarse = choose(judgements, 0.0);
    const double best = judgements[coarse].value;
    const double around = weights[coarse];
    const double step = std::exp2(1.0 / kFineSteps);
    for (int k = 1; around > 0.0 && k < kFineSteps; ++k) judge(around * std::pow(step, -k));
    for (int k = 1; around > 0.0 && k < 3 * kFineSteps; ++k) {
      if (judge(around * std::pow(step, k)) < (1.0 - tolerance) * best) break;
    }
    const std::size_t chosen = choose(judgements, tolerance);
    position_.best_value = judgements[chosen].value;
    position_.popularity_weight = weights[chosen];
  }

  /// Takes the blend that a sample of the validation users likes best, if all of them prefer it to
  /// the vectors with popularity.
  void blend_filter(PopularityTrial& vectors) {
    const double tolerance = popularity_tolerance(dataset_.split);
    const std::vector<std::int64_t>& counts = dataset_.item_statistics.count;
    const FilterBlend blend =
        choose_filter_blend(graphs_.user_item, vectors.plain_users(), vectors.plain_items(),
                            sample_task(task_, kBlendUsers, options_.seed), counts,
                            options_.validation_metric, tolerance, backend_);
    if (blend.weight == 0.0F) return;
    const Judgement judgements[] = {
        judge_vectors(vectors, position_.popularity_weight),
        judge_blend(vectors.plain_users(), vectors.plain_items(), {}, blend, {})};
    if (choose(judgements, tolerance) == 0) return;
    position_.best_value = judgements[1].value;
    position_.blend = blend;
  }

  /// The same for what users did before. A filter knows of popularity itself.
  void blend_repeats(PopularityTrial& vectors) {
    vectors.set_weight(position_.blend.weight == 0.0F ? position_.popularity_weight : 0.0);
    const graph::TrainingPart& train = dataset_.split.train;
    const Histories histories = make_histories(train, dataset_, train.interactions.size() + 1);
    const std::vector<models::WeightedScorer> without =
        blended_terms(graphs_.user_item, {}, position_.blend, {}, backend_);
    const RepeatBlend repeats = choose_repeat_blend(
        [&](const std::vector<models::WeightedScorer>& further) {
          std::vector<models::WeightedScorer> terms = without;
          terms.insert(terms.end(), further.begin(), further.end());
          return std::make_unique<models::BlendedScorer>(vectors.users(), vectors.items(),
                                                         std::move(terms));
        },
        histories, sample_task(task_, kBlendUsers, options_.seed), dataset_.item_statistics.count,
        options_.validation_metric, backend_);
    if (repeats.weight == 0.0F) return;
    const double value =
        judge_blend(vectors.users(), vectors.items(), histories, position_.blend, repeats).value;
    if (value <= position_.best_value) return;
    position_.best_value = value;
    position_.repeats = repeats;
  }

  /// The vectors with these terms beside them.
  Judgement judge_blend(ConstFloatView users, ConstFloatView items, const Histories& histories,
                        const FilterBlend& blend, const RepeatBlend& repeats) {
    MutedProgress muted(progress_);
    models::BlendedScorer scorer(
        users, items, blended_terms(graphs_.user_item, histories, blend, repeats, backend_));
    return judgement(
        evaluate_scorer(scorer, task_, dataset_.item_statistics.count,
                        validation_options(options_.validation_metric), backend_, muted)
            .metrics,
        options_.validation_metric);
  }

  /// Validation that is best in the first epochs says that the rate is too high for this data, if
  /// the attempt before this one was no better.
  bool lower_rate_may_help() const {
    return validates_ && options_.retry_lower_rate && position_.attempt < kMaxRetries &&
           position_.best_attempt == position_.attempt &&
           position_.best_epoch <= last_early_epoch(options_.epochs);
  }

  /// Selection once more from the start, at the next lower rate.
  void start_attempt() {
    start_over(options_.epochs);
    ++position_.attempt;
    position_.attempt_value = -1.0;
    position_.without_improvement = 0;
    phase_.reset();
    phase_ = make_phase(dataset_.split.train, graphs_);
  }

  void start_refit() {
    start_over(position_.best_epoch);
    position_.phase = "refit";
    position_.attempt = position_.best_attempt;
    resumed_.reset();
  }

  void start_over(std::int64_t epochs) {
    position_.phase_epochs = epochs;
    position_.epoch = 0;
    position_.step = 0;
    position_.adam_step = 0;
    position_.loss_sum = 0.0;
    position_.loss_rows = 0;
  }

  void finish(const TrainReport& report, std::chrono::steady_clock::time_point start) {
    phase_->write_weights(directory_ / kModelWeights);
    json manifest = {
        {"course", course_},
        {"data_hash", dataset_.hash},
        {"graph_options", graph_options_to_json(graphs_.options)},
        {"model", model_to_json(options_.model)},
        {"trained_on", position_.phase == "refit" ? "train+validation" : "train"},
        {"popularity_weight", position_.popularity_weight},
        {"blend", blend_to_json(position_.blend)},
        {"repeats", repeats_to_json(position_.repeats)},
        {"calibration", calibration_to_json(position_.calibration)},
        {"learning_rate",
         options_.learning_rate * std::pow(kRetryRate, static_cast<float>(position_.best_attempt))},
        {"best_epoch", report.best_epoch},
        {"best_validation", report.best_validation},
        {"validation_metric", options_.validation_metric},
        {"final_loss", report.final_loss},
        {"hash", hash_file(directory_ / kModelWeights)},
        {"resources", resources_since(start)},
        {"device", backend_.description()}};
    writer_->finish(std::move(manifest));
  }

  const Dataset& dataset_;
  const Graphs& graphs_;
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
  std::unique_ptr<TrainingPhase> phase_;
  std::int64_t pending_rows_ = 0;  ///< of the steps whose losses have not been read
  std::int64_t steps_done_ = 0;
  double step_seconds_ = 0.0;
  double epochs_done_ = 0.0;
};

}  // namespace

std::string training_course(const Dataset& dataset, const Graphs& graphs,
                            const TrainOptions& options) {
  return course_to_json(dataset, graphs, options).dump();
}

namespace {

/// --resume where nothing was interrupted: the finished model, if it is what was asked for.
std::optional<TrainReport> finished_training(const Dataset& dataset, const Graphs& graphs,
                                             const TrainOptions& options, const fs::path& directory,
                                             Progress& progress) {
  if (!options.resume || !resumable_training(directory).empty() ||
      !is_finished(directory, kModelArtifact))
    return std::nullopt;
  const fs::path file = directory / kManifestName;
  const json manifest = read_manifest(directory, kModelArtifact);
  const json course = manifest.value("course", json::object());
  require_same_course(file, course, course_to_json(dataset, graphs, options));
  TrainReport report;
  try {
    manifest.at("best_epoch").get_to(report.best_epoch);
    manifest.at("best_validation").get_to(report.best_validation);
    manifest.at("final_loss").get_to(report.final_loss);
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: damaged: {}", file.string(), error.what()));
  }
  report.validated = report.best_validation > 0.0;
  progress.begin("train");
  progress.end(fmt::format("{} is finished already: nothing to resume", directory.string()));
  return report;
}

}  // namespace

TrainReport train_vectors(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                          const std::string& config_toml, const Destination& destination,
                          Backend& backend, Progress& progress) {
  if (auto finished = finished_training(dataset, graphs, options, destination.path, progress))
    return *finished;
  Trainer trainer(dataset, graphs, options, destination, backend, progress);
  return trainer.run(config_toml);
}

}  // namespace penchant::pipeline
