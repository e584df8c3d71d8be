// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/files.h"
#include "models/blended_scorer.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/filter_blend.h"
#include "pipeline/choice/repeat_blend.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/load_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/filter_search.h"
#include "pipeline/training/sampler.h"
#include "pipeline/training/trainer.h"
#include "pipeline/training/training_phase.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using models::FilterGraph;
using models::FilterOptions;
using models::GraphFilter;
using nlohmann::json;

namespace {

constexpr const char* kMetrics = "metrics.jsonl";
constexpr const char* kSelection = "selection";  ///< vectors of the training part
/// A scorer's scores for the users of a task, computed once and handed out tile by tile.
class ScoreTable final : public models::Scorer {
 public:
  ScoreTable(Scorer& source, const RankingTask& task, Backend& backend)
      : users_(task.users),
        table_(backend.matrix<float>(task.targets.num_cols,
                                     static_cast<std::int64_t>(task.users.size()))) {
    constexpr std::int64_t kTile = 512;
    for (std::int64_t first = 0; first < table_.cols(); first += kTile) {
      const std::int64_t count = std::min(kTile, table_.cols() - first);
      source.score({users_.data() + first, count, kernels::Device::cpu}, backend,
                   table_.view().cols_of(first, count));
    }
  }
  void score(kernels::IdView users, Backend& backend, kernels::FloatView scores) override {
    if (users.size == 0) return;
    const auto first = std::lower_bound(users_.begin(), users_.end(), users[0]) - users_.begin();
    PENCHANT_ASSERT(first + users.size <= table_.cols() &&
                    std::equal(users.data, users.data + users.size, users_.begin() + first));
    backend.copy(ConstFloatView(table_.view().cols_of(first, users.size)), scores);
  }

 private:
  std::vector<NodeId> users_;
  FloatMatrix table_;
};

class AutoTrainer {
 public:
  AutoTrainer(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
              const Destination& destination, Backend& backend, Progress& progress)
      : dataset_(dataset),
        graphs_(graphs),
        options_(options),
        destination_(destination),
        backend_(backend),
        progress_(progress),
        start_(std::chrono::steady_clock::now()) {
    validates_ = options.validate_every > 0 && !dataset.split.validation.empty();
    tolerance_ = popularity_tolerance(dataset.split);
    options_.model.kind = models::ModelKind::lightgcn;
    const graph::CsrView rows = graphs.user_item.user_items.view();
    PlanSizes sizes;
    sizes.num_users = dataset.num_users();
    sizes.num_items = dataset.num_items();
    sizes.num_entries = rows.num_entries();
    sizes.propagated = 2 * rows.num_entries();
    sizes.embedding_dim = options.model.embedding_dim;
    sizes.num_layers = options.model.num_layers;
    sizes.num_negatives = options.num_negatives;
    sizes.steps_per_epoch = steps_per_epoch(graphs.user_item, options_);
    sizes.repeats = validates_ && options.blend_repeats && dataset.repeats_allowed;
    sizes.num_threads = kPlannedThreads;
    plan_ = plan_auto(sizes, static_cast<double>(options.budget.seconds));
    if (!validates_) plan_.epochs = 0;
    if (!options_.filter.rank) options_.filter.rank = fitting_rank(plan_.rank);
    options_.filter.selection_users = plan_.selection_users;
  }

  TrainReport run(const std::string& config_toml) {
    progress_.begin("train");
    TrainReport report;
    report.validated = validates_;
    if (is_finished_already()) {
      report.chosen = describe_choice();
      progress_.end(
          fmt::format("{} is finished already: nothing to resume", destination_.path.string()));
      return report;
    }
    open_directory(config_toml);
    progress_.update(
        0, 0,
        fmt::format("plan for {} s: a filter of rank {}, {}, choices on {} users",
                    options_.budget.seconds, *options_.filter.rank,
                    plan_.epochs > 0 ? fmt::format("vectors of {} epochs", plan_.epochs)
                                     : std::string("no trained vectors"),
                    plan_.selection_users));
    report.interrupted = !decide();
    if (!report.interrupted) report.interrupted = !make();
    if (state_.contains("value")) report.best_validation = state_.at("value").get<double>();
    report.seconds = elapsed();
    if (report.interrupted) {
      progress_.begin("auto");
      progress_.end("interrupted; --resume goes on from what has been decided");
      return report;
    }
    report.chosen = describe_choice();
    report.epochs_run = mixture().vectors ? 2 * plan_.epochs : 0;
    report.best_epoch = mixture().vectors ? plan_.epochs : 0;
    finish(report);
    progress_.begin("auto");
    progress_.end(report.chosen);
    return report;
  }

 private:
  /// The plan must not depend on the machine; two cores are what the budget is given for.
  static constexpr int kPlannedThreads = 2;

  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  bool out_of_time() const { return elapsed() > static_cast<double>(options_.budget.seconds); }
  Mixture mixture() const { return Mixture::from_json(state_.at("mixture")); }
  FilterOptions filter() const { return filter_from_json(state_.at("filter")); }
  RepeatBlend repeats() const { return repeats_from_json(state_.at("repeats")); }

  std::int64_t fitting_rank(std::int64_t rank) const {
    const std::int64_t smaller = std::min(dataset_.num_users(), dataset_.num_items());
    return std::max<std::int64_t>(1, std::min(rank, smaller / 4));
  }

  json course() const {
    const auto chosen = [](const auto& value) { return value ? json(*value) : json("auto"); };
    const FilterChoice& filter = options_.filter;
    return {{"data_hash", dataset_.hash},
            {"training", training_course(dataset_, graphs_, options_)},
            {"filter_kind", filter.kind ? json(enum_name(*filter.kind)) : json("auto")},
            {"filter_power", chosen(filter.power)},
            {"filter_low_pass", chosen(filter.low_pass)},
            {"filter_order", chosen(filter.order)},
            {"filter_flatness", chosen(filter.flatness)},
            {"filter_sharpening", chosen(filter.sharpening)},
            {"filter_sharpening_steps", filter.sharpening_steps},
            {"graph", graph_options_to_json(graphs_.options)},
            {"budget", options_.budget.seconds},
            {"epochs", plan_.epochs},
            {"rank", *options_.filter.rank},
            {"selection_users", plan_.selection_users},
            {"validation_metric", options_.validation_metric},
            {"seed", static_cast<std::uint64_t>(options_.seed)}};
  }

  /// What has been decided, under the same options.
  json read_choice(const fs::path& choice) const {
    json state = parse_json_line(graph::read_file(choice));
    if (!state.is_object() || !state.contains("course") || !state["course"].is_object())
      throw InputError(fmt::format("{}: damaged", choice.string()));
    const json now = course();
    for (const auto& [key, value] : now.items()) {
      const json stored = state["course"].value(key, json());
      if (stored != value) {
        throw InputError(fmt::format("{}: cannot resume: {} was {} and is now {}", choice.string(),
                                     key, stored.dump(), value.dump()));
      }
    }
    return state;
  }

  /// --resume where nothing was interrupted.
  bool is_finished_already() {
    const fs::path& model = destination_.path;
    if (!options_.resume || !resumable_training(model).empty() ||
        !is_finished(model, kModelArtifact) || !fs::exists(model / kChoiceName))
      return false;
    state_ = read_choice(model / kChoiceName);
    return true;
  }

  void open_directory(const std::string& config_toml) {
    writer_.emplace(destination_, kModelArtifact);
    directory_ = writer_->folder();
    const fs::path choice = directory_ / kChoiceName;
    if (options_.resume && fs::exists(choice)) {
      state_ = read_choice(choice);
      return;
    }
    options_.resume = false;
    writer_->clear();
    write_file_atomically(directory_ / "config.toml", config_toml);
    state_ = {{"course", course()}, {"log", ""}, {"cut_short", false}};
    save();
  }

  void save() const {
    write_file_atomically(directory_ / kChoiceName, state_.dump(1) + "\n");
    write_file_atomically(directory_ / kMetrics, state_.at("log").get<std::string>());
  }

  void log(const std::string& line) { state_["log"] = state_["log"].get<std::string>() + line; }

  /// Chooses filter, mixture and what stands beside it; false if interrupted.
  bool decide() {
    if (!state_.contains("filter") && !decide_filter()) return false;
    if (!state_.contains("mixture") && !decide_vectors()) return false;
    if (!state_.contains("repeats")) decide_repeats();
    selection_.reset();
    return true;
  }

  bool decide_vectors() {
    if (plan_.epochs > 0 && out_of_time() && !fs::exists(directory_ / kSelection)) {
      state_["cut_short"] = true;
      progress_.warn("the budget is spent on the filter; no vectors are trained");
    } else if (plan_.epochs > 0) {
      if (!train_vectors(graphs_, kSelection, Validates::yes)) return false;
      decide_mixture();
      save();
      return true;
    }
    state_["mixture"] = Mixture{false, 0.0, 1.0}.to_json();
    save();
    return true;
  }

  bool decide_filter() {
    const FilterSearchResult search = search_filter(dataset_, graphs_, options_, backend_,
                                                    progress_, [this] { return out_of_time(); });
    if (search.interrupted) return false;
    graph_ = search.graph;
    if (search.trials.empty()) {
      state_["filter"] = filter_to_json(search.best);
      save();
      return true;
    }
    for (const FilterTrial& trial : search.trials) log(trial_line(trial));
    std::vector<Judgement> judgements;
    for (const FilterTrial& trial : search.trials)
      judgements.push_back(judgement(trial.metrics, options_.validation_metric));
    const FilterTrial& chosen = search.trials[choose(judgements, tolerance_)];
    state_["filter"] = filter_to_json(chosen.filter);
    state_["value"] = chosen.metrics.at(options_.validation_metric);
    if (out_of_time()) state_["cut_short"] = true;
    save();
    return true;
  }

  enum class Validates { no, yes };

  /// Trains vectors on these graphs, in a folder of the model; false if interrupted.
  bool train_vectors(const Graphs& graphs, const char* folder, Validates validates) {
    if (options_.resume && is_finished(directory_ / folder, kModelArtifact)) return true;
    TrainOptions vectors = options_;
    vectors.epochs = plan_.epochs;
    vectors.validate_every = validates == Validates::yes ? plan_.epochs : 0;
    vectors.calibrate_popularity = false;
    vectors.blend_filter = false;
    vectors.blend_repeats = false;  // chosen beside the mixture, once
    vectors.refit = false;
    return !train(dataset_, graphs, vectors, "", directory_ / folder, backend_, progress_)
                .interrupted;
  }

  /// What choices are made with: users of the validation part, and the filter's scores for them.
  struct Selection {
    RankingTask task;
    std::shared_ptr<ScoreTable> filter;
  };
  Selection& selection() {
    if (selection_) return *selection_;
    selection_.emplace();
    selection_->task =
        sample_task(make_ranking_task(dataset_, HeldOut::validation, SeenItems::automatic),
                    plan_.selection_users, options_.seed);
    if (graph_ == nullptr) {
      graph_ = std::make_shared<FilterGraph>(graphs_.user_item.user_items.view(), filter().rank,
                                             options_.seed, backend_);
    }
    GraphFilter scorer(graph_, filter(), backend_);
    selection_->filter = std::make_shared<ScoreTable>(scorer, selection_->task, backend_);
    return *selection_;
  }

  /// Weights of filter and popularity beside the vectors: hill climbing from a quarter of the
  /// filter and a quarter of the popularity that a probability has, then the most popular of what
  /// is nearly as good.
  void decide_mixture() {
    const TrainedModel vectors = load_model(directory_ / kSelection, dataset_, backend_);
    const RankingTask& task = selection().task;
    const std::shared_ptr<ScoreTable>& table = selection().filter;
    const EvaluateOptions evaluation = validation_options(options_.validation_metric);
    std::vector<Mixture> mixtures;
    std::vector<Judgement> tried;
    const auto rank = [&](models::Scorer& mixed, const Mixture& mixture) {
      const EvaluateReport report = evaluate_scorer(mixed, task, dataset_.item_statistics.count,
                                                    evaluation, backend_, silent_progress());
      mixtures.push_back(mixture);
      tried.push_back(judgement(report.metrics, options_.validation_metric));
      json line;
      line["phase"] = "mix";
      line["mixture"] = mixture.to_json();
      line["validation"] = report.metrics;
      log(line.dump() + "\n");
      progress_.update(static_cast<std::int64_t>(tried.size()), 0,
                       fmt::format("{}: {} {:.4f}", describe(mixture), options_.validation_metric,
                                   tried.back().value));
      return tried.back().value;
    };
    rank(*table, {false, 0.0, 1.0});

    MixedScorer alone(vectors.users.view(), vectors.items.view(), graphs_.user_item,
                      {true, 0.0, 0.0}, table, backend_);
    const double filter_size = score_size(*table, task, backend_);
    const double unit = filter_size > 0.0 ? score_size(alone, task, backend_) / filter_size : 0.0;
    const double popularity_unit = static_cast<double>(options_.model.temperature);
    const std::vector<double> shares = {0.0, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0};
    const std::vector<double> popularities = {0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0};
    std::vector<std::vector<double>> known(shares.size(),
                                           std::vector<double>(popularities.size(), -1.0));
    const auto value_at = [&](std::size_t i, std::size_t j) {
      if (known[i][j] >= 0.0) return known[i][j];
      const Mixture mixture{true, popularities[j] * popularity_unit, shares[i] * unit};
      MixedScorer mixed(vectors.users.view(), vectors.items.view(), graphs_.user_item, mixture,
                        table, backend_);
      return known[i][j] = rank(mixed, mixture);
    };
    std::size_t i = 3;
    std::size_t j = 2;
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& [di, dj] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
        const std::size_t next_i = i + static_cast<std::size_t>(di);
        const std::size_t next_j = j + static_cast<std::size_t>(dj);
        if (next_i >= shares.size() || next_j >= popularities.size()) continue;
        if (value_at(next_i, next_j) <= value_at(i, j)) continue;
        i = next_i;
        j = next_j;
        moved = true;
      }
    }
    double best = 0.0;
    for (const Judgement& one : tried) best = std::max(best, one.value);
    while (j + 1 < popularities.size() && value_at(i, j + 1) >= (1.0 - tolerance_) * best) ++j;
    while (i + 1 < shares.size() && value_at(i + 1, j) >= (1.0 - tolerance_) * best) ++i;

    const std::size_t chosen = choose(tried, tolerance_);
    state_["mixture"] = mixtures[chosen].to_json();
    state_["value"] = tried[chosen].value;
    state_["filter_alone"] = tried.front().value;
    state_["tried"] = tried.size();
  }

  /// What users did before beside the mixture, where own items are ranked.
  void decide_repeats() {
    RepeatBlend repeats;
    if (validates_ && options_.blend_repeats && dataset_.repeats_allowed) {
      const RankingTask& task = selection().task;
      const std::shared_ptr<ScoreTable> table = chosen_scores();
      progress_.update(0, 0, "what users did before");
      const graph::TrainingPart& train = dataset_.split.train;
      const auto beside = [&](const std::vector<models::WeightedScorer>& further) {
        std::vector<models::WeightedScorer> terms = {{table, 1.0F}};
        terms.insert(terms.end(), further.begin(), further.end());
        return std::make_unique<models::ScorerSum>(std::move(terms));
      };
      const Histories histories = make_histories(train, dataset_, train.interactions.size() + 1);
      repeats = choose_repeat_blend(beside, histories, task, dataset_.item_statistics.count,
                                    options_.validation_metric, backend_);
      const std::unique_ptr<models::Scorer> with =
          beside(blended_terms(graphs_.user_item, histories, {}, repeats, backend_));
      const EvaluateReport report = evaluate_scorer(*with, task, dataset_.item_statistics.count,
                                                    validation_options(options_.validation_metric),
                                                    backend_, silent_progress());
      state_["value"] = report.metrics.at(options_.validation_metric);
      json line;
      line["phase"] = "repeats";
      line["repeats"] = repeats_to_json(repeats);
      line["validation"] = report.metrics;
      log(line.dump() + "\n");
    }
    state_["repeats"] = repeats_to_json(repeats);
    save();
  }

  /// The mixture's for the users of the selection; of the filter's, nothing is left.
  std::shared_ptr<ScoreTable> chosen_scores() {
    std::shared_ptr<ScoreTable> table = std::move(selection().filter);
    if (!mixture().vectors) return table;
    const TrainedModel vectors = load_model(directory_ / kSelection, dataset_, backend_);
    MixedScorer mixed(vectors.users.view(), vectors.items.view(), graphs_.user_item, mixture(),
                      std::move(table), backend_);
    return std::make_shared<ScoreTable>(mixed, selection().task, backend_);
  }

  std::string describe(const Mixture& mixture) const {
    if (!mixture.vectors) return "filter alone";
    if (mixture.filter_weight == 0.0)
      return fmt::format("vectors, popularity {:.4g}", mixture.popularity_weight);
    return fmt::format("vectors, popularity {:.4g}, filter {:.4g}", mixture.popularity_weight,
                       mixture.filter_weight);
  }

  std::string describe_choice() const {
    std::string text = describe(mixture());
    if (mixture().filter_weight != 0.0) text += ": " + pipeline::describe(filter());
    if (const RepeatBlend chosen = repeats(); chosen.weight != 0.0F) {
      text += fmt::format(", what users did before {:.4g} (decay {:g}, power {:g})", chosen.weight,
                          chosen.decay, chosen.power);
    }
    if (state_.contains("value")) {
      text += fmt::format("; {} {:.4f} on validation", options_.validation_metric,
                          state_.at("value").get<double>());
    } else {
      text += "; not chosen: there is no validation part";
    }
    if (state_.contains("tried")) {
      text += fmt::format(", the filter alone {:.4f}, {} mixtures tried",
                          state_.at("filter_alone").get<double>(),
                          state_.at("tried").get<std::int64_t>());
    } else if (state_.at("cut_short").get<bool>()) {
      text += "; the budget ended the search";
    } else if (plan_.epochs == 0 && validates_) {
      text += fmt::format("; {} s leave no time to train vectors", options_.budget.seconds);
    }
    return text;
  }

  bool refits() const { return options_.refit && !dataset_.split.validation.empty(); }
  const char* trained_on() const { return refits() ? "train+validation" : "train"; }

  /// Makes what was chosen of train + validation; false if interrupted.
  bool make() {
    std::optional<Graphs> merged;
    if (refits()) merged = make_graphs(train_and_validation(dataset_), dataset_, graphs_.options);
    const Graphs& graphs = merged ? *merged : graphs_;
    if (mixture().vectors) {
      if (merged && !train_vectors(graphs, kAutoVectors, Validates::no)) return false;
      if (!merged && !is_finished(directory_ / kAutoVectors, kModelArtifact))
        fs::rename(directory_ / kSelection, directory_ / kAutoVectors);
      // The trainer was handed the graphs; what they are made of is known here only.
      json manifest = read_manifest(directory_ / kAutoVectors, kModelArtifact);
      manifest["trained_on"] = trained_on();
      write_manifest(directory_ / kAutoVectors, std::move(manifest));
    }
    if (mixture().filter_weight != 0.0) {
      const FilterGraph graph(graphs.user_item.user_items.view(), filter().rank, options_.seed,
                              backend_);
      write_singular_vectors(directory_ / kModelWeights, graph, backend_);
    }
    return true;
  }

  void finish(const TrainReport& report) {
    remove_files_of(directory_ / kSelection, kModelArtifact);
    std::string hashes;
    if (mixture().filter_weight != 0.0) hashes += hash_file(directory_ / kModelWeights);
    if (mixture().vectors) hashes += hash_file(directory_ / kAutoVectors / kModelWeights);
    writer_->finish({{"data_hash", dataset_.hash},
                     {"graph_options", graph_options_to_json(graphs_.options)},
                     {"model",
                      {{"kind", enum_name(models::ModelKind::automatic)},
                       {"embedding_dim", options_.model.embedding_dim},
                       {"filter", state_.at("filter")},
                       {"mixture", state_.at("mixture")},
                       {"repeats", state_.at("repeats")}}},
                     {"chosen", report.chosen},
                     {"plan",
                      {{"budget_seconds", options_.budget.seconds},
                       {"expected_seconds", plan_.seconds},
                       {"epochs", plan_.epochs},
                       {"rank", *options_.filter.rank},
                       {"selection_users", plan_.selection_users},
                       {"cut_short_by_the_clock", state_.at("cut_short")}}},
                     {"trained_on", trained_on()},
                     {"best_validation", report.best_validation},
                     {"validation_metric", options_.validation_metric},
                     {"seed", static_cast<std::uint64_t>(options_.seed)},
                     {"hash", hash_bytes(hashes)},
                     {"resources", resources_since(start_)},
                     {"device", backend_.description()}});
  }

  const Dataset& dataset_;
  const Graphs& graphs_;
  TrainOptions options_;
  Destination destination_;
  std::optional<ArtifactWriter> writer_;
  fs::path directory_;  ///< where the writer has the model grow
  Backend& backend_;
  Progress& progress_;
  std::chrono::steady_clock::time_point start_;
  bool validates_ = false;
  double tolerance_ = 0.0;  ///< pipeline/choice/validation_choice.h
  AutoPlan plan_;
  json state_;
  std::shared_ptr<const FilterGraph> graph_;  ///< of the training part, once the search made it
  std::optional<Selection> selection_;        ///< once it is needed
};

}  // namespace

TrainReport train_auto(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                       const std::string& config_toml, const Destination& destination,
                       Backend& backend, Progress& progress) {
  return AutoTrainer(dataset, graphs, options, destination, backend, progress).run(config_toml);
}

}  // namespace penchant::pipeline
