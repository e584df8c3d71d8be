// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/auto_training.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/choice/judge.h"
#include "pipeline/choice/link_choice.h"
#include "pipeline/choice/mixture_choice.h"
#include "pipeline/choice/repeat_blend.h"
#include "pipeline/choice/score_table.h"
#include "pipeline/choice/validation_choice.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/training/auto_distillation.h"
#include "pipeline/training/auto_members.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/auto_state.h"
#include "pipeline/training/checkpoint.h"
#include "pipeline/training/filter_search.h"
#include "pipeline/training/trainer.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using models::FilterGraph;
using models::GraphFilter;
using nlohmann::json;

namespace {

/// What further networks add to the vectors at least, as a share: a second one gave 5 %, of which
/// vectors that learn the sum keep 4 (docs/decisions/0038-networks-in-the-mixture.md).
constexpr double kFurtherNetworks = 0.02;

std::string describe_plan(const AutoPlan& plan) {
  std::string text;
  if (plan.networks > 0) {
    text = fmt::format("{} of {} epochs",
                       plan.networks == 1 ? "a network of sequences"
                                          : fmt::format("{} networks of sequences", plan.networks),
                       plan.network_epochs);
  }
  if (plan.epochs > 0)
    text += fmt::format("{}vectors of {} epochs", text.empty() ? "" : ", ", plan.epochs);
  if (plan.ridge) text += fmt::format("{}a ridge regression", text.empty() ? "" : ", ");
  return text.empty() ? "no trained vectors" : text;
}

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
    PlanSizes sizes = plan_sizes(dataset, graphs.user_item, options_);
    sizes.repeats = validates_ && options.blend_repeats && dataset.repeats_allowed;
    sizes.network_operations = network_operations(dataset, options);
    sizes.graph_beside_networks = dataset.repeats_allowed;
    plan_ = plan_auto(sizes, static_cast<double>(options.budget.seconds));
    if (!validates_) plan_.epochs = plan_.networks = 0;
    plan_.ridge = plan_.ridge && validates_;
    if (!options.distil) plan_.distilled_users = 0;
    if (!options_.filter.rank) options_.filter.rank = fitting_rank(plan_.rank);
    options_.filter.selection_users = plan_.selection_users;
    members_.emplace(dataset, planned_members(plan_, options_), backend, progress);
  }

  TrainReport run(const std::string& config_toml) {
    progress_.begin("train");
    TrainReport report;
    report.validated = validates_;
    report.validation_metric = options_.validation_metric;
    if (is_finished_already()) {
      report.chosen = describe_choice();
      progress_.end(
          fmt::format("{} is finished already: nothing to resume", destination_.path.string()));
      return report;
    }
    open_directory(config_toml);
    progress_.update(0, 0,
                     fmt::format("plan for {} s: a filter of rank {}, {}, choices on {} users",
                                 options_.budget.seconds, *options_.filter.rank,
                                 describe_plan(plan_), plan_.selection_users));
    report.interrupted = !decide();
    if (!report.interrupted) report.interrupted = !make();
    report.best_validation = state_.value.value_or(0.0);
    report.seconds = elapsed();
    if (report.interrupted) {
      progress_.begin("auto");
      progress_.end("interrupted; --resume goes on from what has been decided");
      return report;
    }
    report.chosen = describe_choice();
    report.epochs_run = members_->epochs_run();
    if (state_.mixture->vectors) report.best_epoch = members_->best_epoch(directory_);
    finish(report);
    progress_.begin("auto");
    progress_.end(report.chosen);
    return report;
  }

 private:
  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  bool out_of_time() const { return elapsed() > static_cast<double>(options_.budget.seconds); }

  std::int64_t fitting_rank(std::int64_t rank) const {
    const std::int64_t smaller = std::min(dataset_.num_users(), dataset_.num_items());
    return std::max<std::int64_t>(1, std::min(rank, smaller / 4));
  }

  json course() const {
    const auto chosen = [](const auto& value) { return value ? json(*value) : json("auto"); };
    const FilterChoice& filter = options_.filter;
    return {{"data_hash", dataset_.hash},
            {"training", training_course(dataset_, graphs_, options_).dump()},
            {"filter_kind", filter.kind ? json(enum_name(*filter.kind)) : json("auto")},
            {"filter_power", chosen(filter.power)},
            {"filter_low_pass", chosen(filter.low_pass)},
            {"filter_order", chosen(filter.order)},
            {"filter_flatness", chosen(filter.flatness)},
            {"filter_sharpening", chosen(filter.sharpening)},
            {"filter_sharpening_steps", filter.sharpening_steps},
            {"filter_ridge", chosen(filter.ridge)},
            {"graph", graph_options_to_json(graphs_.options)},
            {"budget", options_.budget.seconds},
            {"epochs", plan_.epochs},
            {"rank", *options_.filter.rank},
            {"selection_users", plan_.selection_users},
            {"distilled_users", plan_.distilled_users},
            {"distilled_epochs", plan_.distilled_epochs},
            {"networks", plan_.networks},
            {"network_epochs", plan_.network_epochs},
            {"ridge", plan_.ridge},
            {"validation_metric", options_.validation_metric},
            {"seed", static_cast<std::uint64_t>(options_.seed)}};
  }

  /// --resume where nothing was interrupted.
  bool is_finished_already() {
    const fs::path& model = destination_.path;
    if (!options_.resume || !resumable_training(model).empty() ||
        !is_finished(model, kModelArtifact) || !fs::exists(model / kChoiceName))
      return false;
    state_ = read_auto_state(model / kChoiceName, course());
    directory_ = model;
    return state_.is_complete();
  }

  void open_directory(const std::string& config_toml) {
    writer_.emplace(destination_, kModelArtifact);
    directory_ = writer_->folder();
    const fs::path choice = directory_ / kChoiceName;
    if (options_.resume && fs::exists(choice)) {
      state_ = read_auto_state(choice, course());
      return;
    }
    if (options_.resume) refuse_other_training(directory_, kCheckpointName);
    options_.resume = false;
    writer_->clear();
    write_file_atomically(directory_ / "config.toml", config_toml);
    state_.course = course();
    save();
  }

  void save() const { write_auto_state(directory_, state_); }

  /// Chooses filter, mixture and what stands beside it; false if interrupted.
  bool decide() {
    if (!state_.filter && !decide_filter()) return false;
    if (!state_.mixture && !decide_vectors()) return false;
    if (!state_.repeats) decide_repeats();
    if (!state_.distils && !state_.new_items && can_distil() && !decide_new_items()) return false;
    if (!state_.new_items) state_.new_items = usual_teacher();
    if (!state_.distils && !decide_distillation()) return false;
    selection_.reset();
    selected_.reset();
    return true;
  }

  bool decide_vectors() {
    const bool spent = out_of_time() && !AutoMembers::begun(directory_);
    if (members_->size() > 0 && !spent) {
      if (!members_->select(graphs_, directory_, options_.resume)) return false;
      decide_members();
      decide_mixture();
    } else {
      state_.mixture = Mixture{false, 0.0, 1.0};
      if (members_->size() > 0) {
        state_.cut_short = true;
        progress_.warn("the budget is spent on the filter; no vectors are trained");
      }
    }
    save();
    return true;
  }

  bool decide_filter() {
    const FilterSearchResult search = search_filter(dataset_, graphs_, options_, backend_,
                                                    progress_, [this] { return out_of_time(); });
    if (search.interrupted) return false;
    graph_ = search.graph;
    if (search.trials.empty()) {
      state_.filter = search.best;
      save();
      return true;
    }
    std::vector<Judgement> judgements;
    for (const FilterTrial& trial : search.trials) {
      state_.log += trial_line(trial);
      judgements.push_back(judgement(trial.metrics, options_.validation_metric));
    }
    const FilterTrial& chosen = search.trials[choose(judgements, tolerance_)];
    state_.filter = chosen.filter;
    state_.value = chosen.metrics.at(options_.validation_metric);
    state_.cut_short = out_of_time();
    save();
    return true;
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
                    plan_.selection_users, kJudgesSeed);
    if (graph_ == nullptr) {
      graph_ = filter_graph(graphs_);
    }
    GraphFilter scorer(graph_, *state_.filter, backend_);
    selection_->filter = std::make_shared<ScoreTable>(scorer, selection_->task, backend_);
    return *selection_;
  }

  std::shared_ptr<FilterGraph> filter_graph(const Graphs& graphs) {
    return std::make_shared<FilterGraph>(graphs.user_item.user_items.view(), state_.filter->rank,
                                         options_.seed, backend_,
                                         models::scaling_of(state_.filter->kind));
  }

  Judge judge() {
    return {selection().task, dataset_.item_statistics.count, options_.validation_metric, backend_};
  }

  void log(const char* phase, const char* key, json tried,
           const std::map<std::string, double>& metrics) {
    state_.log += json_line({{"phase", phase}, {key, std::move(tried)}, {"validation", metrics}});
  }

  void decide_members() {
    const std::vector<Model> models = members_->selected(directory_);
    std::vector<VectorViews> views;
    for (const Model& model : models)
      views.push_back({model.users(), model.items(), model.layout()});
    state_.members = choose_members(
        views, judge(), tolerance_, backend_,
        [&](std::span<const ChosenMember> members, const std::map<std::string, double>& metrics) {
          json tried = json::array();
          for (const ChosenMember& member : members)
            tried.push_back({{"number", member.number}, {"weight", member.weight}});
          log("members", "members", std::move(tried), metrics);
        });
  }

  MemberVectors vectors_of(std::span<const Model> models,
                           std::span<const ChosenMember> members) const {
    MemberVectors vectors = {joined_models(models, members, backend_),
                             joined_models(models, members.first(1), backend_),
                             members_->has_network(*state_.members)};
    for (const ChosenMember& member : members)
      vectors.widths.push_back(models[member.number].layout().embedding_dim);
    return vectors;
  }

  /// Once the members are chosen.
  const MemberVectors& selected() {
    if (!selected_) {
      const std::vector<Model> models = members_->selected(directory_);
      const std::span<const ChosenMember> members = *state_.members;
      selected_ = vectors_of(models, members);
    }
    return *selected_;
  }

  void decide_mixture() {
    const FinishedVectors& sum = selected().sum;
    const MixtureChoice chosen = choose_mixture(
        {sum.users.view(), sum.items.view(), sum.layout}, graphs_.user_item, selection().filter,
        members_->score_unit(state_.members->front().number), judge(), tolerance_, backend_,
        [&](std::int64_t number, const Mixture& mixture,
            const std::map<std::string, double>& metrics) {
          log("mix", "mixture", mixture.to_json(), metrics);
          progress_.update(
              number, 0,
              fmt::format("{}: {} {:.4f}", describe(mixture), options_.validation_metric,
                          metrics.at(options_.validation_metric)));
        });
    state_.mixture = chosen.mixture;
    state_.value = chosen.value;
    state_.filter_alone = chosen.filter_alone;
    state_.tried = chosen.tried;
  }

  /// What validation says of the vectors of the chosen mixture's first member, or the filter's.
  void judge_vectors() {
    if (!state_.mixture->vectors) {
      selection();  // makes the graph where it is not there
      state_.vectors_value = judge_filter_vectors(GraphFilter(graph_, *state_.filter, backend_),
                                                  graphs_, options_, judge(), backend_);
      return;
    }
    const FinishedVectors& first = selected().first;
    MixedScorer scorer(first.users.view(), first.items.view(), graphs_.user_item,
                       {true, state_.mixture->popularity_weight, 0.0}, nullptr, backend_);
    state_.vectors_value = judge()(scorer).value;
  }

  /// What users did before beside the mixture, where own items are ranked.
  void decide_repeats() {
    if (validates_) judge_vectors();
    state_.repeats = RepeatBlend{};
    std::shared_ptr<ScoreTable> table;
    const auto beside = [&](const std::vector<models::WeightedScorer>& further) {
      if (table == nullptr) table = chosen_scores();
      std::vector<models::WeightedScorer> terms = {{table, 1.0F}};
      terms.insert(terms.end(), further.begin(), further.end());
      return std::make_unique<models::ScorerSum>(std::move(terms));
    };
    if (validates_ && options_.blend_links) decide_links(beside, table);
    if (validates_ && options_.blend_repeats && dataset_.repeats_allowed) {
      progress_.update(0, 0, "what users did before");
      const graph::TrainingPart& train = dataset_.split.train;
      const Histories histories = make_histories(train, dataset_, train.interactions.size() + 1);
      state_.repeats = choose_repeat_blend(beside, histories, judge(), backend_);
      const std::map<std::string, double> metrics = judge().metrics(
          *beside(blended_terms(graphs_.user_item, histories, {}, *state_.repeats, backend_)));
      state_.value = validation_value(metrics, options_.validation_metric);
      log("repeats", "repeats", repeats_to_json(*state_.repeats), metrics);
    }
    save();
  }

  /// What those had whom a user is linked to; `table` then holds the scores with it.
  void decide_links(const MakeScorer& beside, std::shared_ptr<ScoreTable>& table) {
    const std::shared_ptr<models::Scorer> links =
        link_scorer(dataset_, graphs_.options, graphs_.user_item);
    if (links == nullptr) return;
    progress_.update(0, 0, "what friends had");
    state_.links = choose_link_blend(beside, links, judge(), backend_);
    if (state_.links.weight == 0.0F) return;
    const std::unique_ptr<models::Scorer> with = beside({{links, state_.links.weight}});
    const std::map<std::string, double> metrics = judge().metrics(*with);
    state_.value = validation_value(metrics, options_.validation_metric);
    log("links", "links", links_to_json(state_.links), metrics);
    table = std::make_shared<ScoreTable>(*with, selection().task, backend_);
  }

  /// The mixture's for the users of the selection; of the filter's, nothing is left.
  std::shared_ptr<ScoreTable> chosen_scores() {
    std::shared_ptr<ScoreTable> table = std::move(selection().filter);
    if (!state_.mixture->vectors) return table;
    const FinishedVectors& sum = selected().sum;
    MixedScorer mixed(sum.users.view(), sum.items.view(), graphs_.user_item, *state_.mixture,
                      std::move(table), backend_);
    return std::make_shared<ScoreTable>(mixed, selection().task, backend_);
  }

  /// Validation can judge it, it is planned, there are vectors to start from, and the ranking is no
  /// inner product of these already. Columns of new items would have to be learnt too. A machine
  /// slower than the plan's is no reason: what people carry away would be far worse for a few seconds.
  bool can_distil() {
    if (!validates_ || plan_.distilled_users == 0 || options_.model.new_item_columns > 0)
      return false;
    const Mixture& mixture = *state_.mixture;
    if (!mixture.vectors && state_.filter->rank == 0) return false;
    const bool inner_product = mixture.vectors && mixture.filter_weight == 0.0 &&
                               state_.repeats->weight == 0.0F && state_.links.weight == 0.0F;
    return !inner_product || state_.members->size() > 1 || adds_networks();
  }

  /// Further networks join the sum in the end: what vectors learn then is better than what they can
  /// be judged by now.
  bool adds_networks() const {
    return plan_.networks > 1 && refits() && state_.mixture->vectors &&
           members_->has_network(*state_.members);
  }

  /// What validation says of vectors, which are finished for it.
  double judge_taught(Vectors& vectors, bool new_items, const char* phase) {
    finish_distilled_vectors(graphs_.user_item, graphs_.item, new_items, backend_, vectors.users,
                             vectors.items);
    const std::map<std::string, double> metrics =
        judge().metrics(vectors.users.view(), vectors.items.view());
    log(phase, "instead_of", json(state_.vectors_value.value_or(0.0)), metrics);
    return validation_value(metrics, options_.validation_metric);
  }

  /// What the mixture is made of while it is chosen.
  MixtureParts selected_parts() {
    selection();  // makes the graph where it is not there
    return {state_.mixture->vectors ? &selected() : nullptr, graph_, KnownPart::train};
  }

  NewItemTeacher usual_teacher() const {
    return {state_.mixture->vectors ? members_->first_learnt(*state_.members) : 0, 1.0F};
  }

  /// By what new items are taught; false if interrupted.
  bool decide_new_items() {
    const MixtureParts parts = selected_parts();
    Vectors of_filter;
    if (parts.trained == nullptr)
      of_filter = first_vectors(parts, state_, options_.model.embedding_dim, backend_);
    const std::optional<NewItemRehearsal> found =
        rehearse_new_items(new_item_members(parts, of_filter), usual_teacher().member, graphs_,
                           dataset_.split.validation, kJudgesSeed, backend_, progress_);
    if (!found) return false;
    for (const NewItemRehearsal::Trial& trial : found->trials) {
      state_.log += json_line({{"phase", "new_items"},
                               {"teacher", trial.teacher.to_json()},
                               {"hidden_recall@20", trial.recall},
                               {"gain", trial.gain},
                               {"standard_error", trial.standard_error},
                               {"users", found->num_users}});
    }
    state_.new_items = found->chosen;
    save();
    return true;
  }

  /// Whether vectors that learn the ranking are better than those that stand in it; false if
  /// interrupted.
  bool decide_distillation() {
    state_.distils = can_distil();
    if (*state_.distils) {
      const std::vector<graph::NodeId>& judges = selection().task.users;
      const MixtureParts parts = selected_parts();
      const double before = elapsed();
      double factors = 0.0;
      if (parts.trained != nullptr && state_.members->size() > 1) {
        Vectors start = first_vectors(parts, state_, options_.model.embedding_dim, backend_);
        factors = judge_taught(start, false, "factors");
      }
      std::optional<DistilledVectors> distilled =
          distil_mixture(parts, state_, dataset_, graphs_,
                         distilled_users(judges, plan_.distilled_users, dataset_, options_.seed),
                         plan_.distilled_epochs, options_, backend_, progress_);
      if (!distilled) return false;
      const double learnt = judge_taught(distilled->vectors, distilled->new_items, "distil");
      state_.learns = learnt >= factors;
      const double value = std::max(learnt, factors);
      const double least = adds_networks() ? 1.0 - kFurtherNetworks : 1.0;
      state_.distils = value > least * state_.vectors_value.value_or(0.0);
      distillation_seconds_ = elapsed() - before;
      if (*state_.distils) state_.vectors_value = value;
    }
    save();
    return true;
  }

  /// Where networks are among them.
  std::string describe_members() const {
    if (!state_.mixture->vectors) return "";
    const std::vector<MixtureMember> members = members_->finished(*state_.members, directory_);
    const auto networks = std::count_if(
        members.begin(), members.end(),
        [](const MixtureMember& member) { return member.kind == models::ModelKind::interest; });
    if (networks == 0) return "";
    const auto has = [&](models::ModelKind kind) {
      return std::any_of(members.begin(), members.end(),
                         [&](const MixtureMember& member) { return member.kind == kind; });
    };
    return fmt::format("{}{}{}, because what is held out comes later; ",
                       networks == 1 ? "a network of sequences"
                                     : fmt::format("{} networks of sequences", networks),
                       has(models::ModelKind::lightgcn) ? " and vectors of the graph" : "",
                       has(models::ModelKind::graph_filter) ? " and of a ridge regression" : "");
  }

  std::string describe_choice() const {
    std::string text = describe_members() + describe(state_, options_.validation_metric);
    if (plan_.epochs == 0 && validates_ && !state_.cut_short)
      text += fmt::format("; {} s leave no time to train vectors", options_.budget.seconds);
    return text;
  }

  /// Seconds that all users' lists and their learning will take, by those of the trial.
  double final_distillation() const {
    const auto trial = static_cast<double>(std::max<std::int64_t>(1, plan_.distilled_users));
    return distillation_seconds_ * std::max(1.0, static_cast<double>(dataset_.num_users()) / trial);
  }

  bool refits() const { return options_.refit && !dataset_.split.validation.empty(); }
  const char* trained_on() const { return refits() ? "train+validation" : "train"; }

  const Graphs& learned() const { return merged_ ? *merged_ : graphs_; }

  /// Makes what was chosen of train + validation; false if interrupted.
  bool make() {
    if (refits()) merged_ = make_graphs(train_and_validation(dataset_), dataset_, graphs_.options);
    const Graphs& graphs = learned();
    if (state_.mixture->vectors && !make_members()) return false;
    graph_.reset();  // the training part's makes room
    if (state_.mixture->filter_weight != 0.0) {
      graph_ = filter_graph(graphs);
      write_singular_vectors(directory_ / kModelWeights, *graph_, backend_);
    }
    return !*state_.distils || distil_final(graphs);
  }

  bool make_members() {
    const Graphs* const merged = merged_ ? &*merged_ : nullptr;
    if (!members_->finish(*state_.members, merged, directory_, options_.resume)) return false;
    if (!adds_networks()) return true;
    const auto seconds_left = [this] {
      return static_cast<double>(options_.budget.seconds) - elapsed() - final_distillation();
    };
    if (!members_->add_networks(*state_.members, plan_.networks, *merged, directory_,
                                options_.resume, seconds_left))
      return false;
    const auto finished = static_cast<std::int64_t>(
        members_->finished(*state_.members, directory_).size() - state_.members->size());
    if (1 + finished < plan_.networks) state_.cut_short = true;
    return true;
  }

  bool distil_final(const Graphs& graphs) {
    const KnownPart known = merged_ ? KnownPart::train_and_validation : KnownPart::train;
    std::optional<MemberVectors> trained;
    if (state_.mixture->vectors) {
      std::vector<Model> models;
      std::vector<ChosenMember> members;
      for (const MixtureMember& member : members_->finished(*state_.members, directory_)) {
        members.push_back({models.size(), member.weight});
        models.push_back(Model::open(directory_ / member.folder, dataset_, backend_, known));
      }
      trained = vectors_of(models, members);
    }
    const std::optional<DistilledVectors> distilled =
        distil_mixture({trained ? &*trained : nullptr, graph_, known}, state_, dataset_, graphs,
                       distilled_users({}, dataset_.num_users(), dataset_, options_.seed),
                       plan_.distilled_epochs, options_, backend_, progress_);
    if (!distilled) return false;
    const Vectors& vectors = distilled->vectors;
    write_distilled(directory_ / kDistilledWeights, vectors.users.view(), vectors.items.view(),
                    backend_);
    distillation_ = {{"width", vectors.users.cols()},
                     {"learns", state_.learns},
                     {"new_items", distilled->new_items}};
    if (distilled->new_items) distillation_["new_items_by"] = state_.new_items->to_json();
    if (distilled->agreement) distillation_["agreement"] = *distilled->agreement;
    return true;
  }

  void finish(const TrainReport& report) {
    members_->remove_selected(directory_);
    std::string hashes;
    if (state_.mixture->filter_weight != 0.0) hashes += hash_file(directory_ / kModelWeights);
    std::vector<MixtureMember> members;
    if (state_.mixture->vectors) members = members_->finished(*state_.members, directory_);
    for (const MixtureMember& member : members) {
      const fs::path folder = directory_ / member.folder;
      hashes += hash_file(folder / kModelWeights);
      if (fs::exists(folder / kHeadWeights)) hashes += hash_file(folder / kHeadWeights);
    }
    json model = {{"kind", enum_name(models::ModelKind::automatic)},
                  {"embedding_dim", options_.model.embedding_dim},
                  {"filter", filter_to_json(*state_.filter)},
                  {"mixture", state_.mixture->to_json()},
                  {"members", members_to_json(members)},
                  {"repeats", repeats_to_json(*state_.repeats)}};
    if (state_.links.weight != 0.0F) model["links"] = links_to_json(state_.links);
    if (*state_.distils) {
      hashes += hash_file(directory_ / kDistilledWeights);
      model["distillation"] = distillation_;
    }
    finish_model(*writer_,
                 {{"data_hash", dataset_.hash},
                  {"graph_options", graph_options_to_json(graphs_.options)},
                  {"model", std::move(model)},
                  {"chosen", report.chosen},
                  {"plan",
                   {{"budget_seconds", options_.budget.seconds},
                    {"expected_seconds", plan_.seconds},
                    {"epochs", plan_.epochs},
                    {"rank", *options_.filter.rank},
                    {"selection_users", plan_.selection_users},
                    {"distilled_users", plan_.distilled_users},
                    {"distilled_epochs", plan_.distilled_epochs},
                    {"networks", plan_.networks},
                    {"network_epochs", plan_.network_epochs},
                    {"ridge", plan_.ridge},
                    {"cut_short_by_the_clock", state_.cut_short}}},
                  {"trained_on", trained_on()},
                  {"best_validation", report.best_validation},
                  {"validation_metric", options_.validation_metric},
                  {"validation",
                   validation_to_json(options_.validation_metric,
                                      state_.vectors_value.value_or(0.0), report.best_validation)},
                  {"seed", static_cast<std::uint64_t>(options_.seed)},
                  {"hash", hash_bytes(hashes)},
                  {"resources", resources_since(start_)},
                  {"device", backend_.description()}},
                 dataset_, learned(), backend_);
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
  std::optional<AutoMembers> members_;
  double distillation_seconds_ = 0.0;  ///< that the trial took
  AutoState state_;
  /// Of the training part, once the search made it; in the end of what the model is made of.
  std::shared_ptr<const FilterGraph> graph_;
  json distillation_;                      ///< of the manifest: what vectors learnt in the end
  std::optional<Graphs> merged_;           ///< of train + validation, if the model is made of both
  std::optional<Selection> selection_;     ///< once it is needed
  std::optional<MemberVectors> selected_;  ///< likewise
};

}  // namespace

TrainReport train_auto(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                       const std::string& config_toml, const Destination& destination,
                       Backend& backend, Progress& progress) {
  return AutoTrainer(dataset, graphs, options, destination, backend, progress).run(config_toml);
}

}  // namespace penchant::pipeline
