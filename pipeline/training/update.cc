// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/update.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/propagation_graph.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/data/sort_log.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/auto_distillation.h"
#include "pipeline/training/auto_members.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/auto_state.h"
#include "pipeline/training/filter_training.h"
#include "pipeline/training/on_host.h"
#include "pipeline/training/private_training.h"
#include "pipeline/training/trainer.h"
#include "pipeline/training/training_position.h"
#include "pipeline/training/warm_start.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Transpose;
using nlohmann::json;

namespace {

/// Of the rate that the model was trained with first, at the peak.
constexpr float kUpdateRate = 0.5F;
/// Of the epochs of vectors that learn a mixture, and of the rate of the items that are known: users
/// follow at the whole one (docs/decisions/0045-updates.md).
constexpr double kListEpochs = 0.5;
constexpr float kKnownItemsRate = 0.005F;
/// Where the vectors' lists then agree with those that they learn by less than kLeastAgreement of what
/// they did in the model that was trained from nothing, known items move as well.
constexpr double kLeastAgreement = 0.9;
constexpr double kFurtherEpochs = 2.0;
constexpr float kFurtherItemsRate = 0.5F;
/// Fewer users with rows of the new validation part do not say how long to train: then it is
/// kBlindEpochs.
constexpr std::size_t kFewestJudges = 50;
constexpr std::int64_t kBlindEpochs = 2;

/// Moves the validation rows that the earlier model has learnt to the training part.
void learn_known_validation(const EarlierData& earlier, Dataset& dataset) {
  graph::Interactions& validation = dataset.split.validation;
  graph::Interactions& train = dataset.split.train.interactions;
  graph::Interactions fresh;
  for (std::size_t row = 0; row < validation.user.size(); ++row) {
    const bool is_new = earlier.latest_time_ms && !validation.time_ms.empty() &&
                        validation.time_ms[row] > *earlier.latest_time_ms;
    graph::Interactions& to = is_new ? fresh : train;
    add_row(validation, row, to);
  }
  validation = std::move(fresh);
  sort_log(train, dataset.num_users());
}

/// The members of a mixture, or the one trained model, from where they were.
class Updating {
 public:
  Updating(const EarlierData& earlier, Dataset& now, const UpdateOptions& options, Backend& backend,
           Progress& progress)
      : dataset_(now), options_(options), backend_(backend), progress_(progress) {
    learn_known_validation(earlier, now);
    const std::vector<NodeId>& users = now.split.validation.user;
    judged_ = std::set<NodeId>(users.begin(), users.end()).size() >= kFewestJudges;
    all_ = make_graphs(train_and_validation(now), now, options.graph);
    rows_ = rows_of_grown(now, all_.item, options.graph.item, earlier.num_users, earlier.num_items);
  }

  const Graphs& graphs() const { return all_; }
  const NodeRows& rows() const { return rows_; }

  /// A model of `before` that learns in steps. `epochs`: chosen before, or none.
  TrainReport train(const fs::path& before, TrainOptions options, const Destination& destination,
                    const std::string& config_toml, std::optional<std::int64_t>& epochs) {
    fit_hubs(before, options);
    const WarmStart warm = warm_start(before, rows_);
    Refit refit = refit_of(before);
    refit.calibration = warm.calibration;
    options.learning_rate *= kUpdateRate * rate_of_attempt(refit.attempt);
    options.retry_lower_rate = false;
    options.resume = false;
    options.node_order = NodeOrder::none;  // a few epochs do not earn a partition
    options.metis_order.clear();
    options.epochs = epochs_within(before, refit);
    const bool choose = judged_ && !epochs;
    if (epochs || !choose) options.epochs = epochs.value_or(std::min(options.epochs, kBlindEpochs));
    if (choose) {
      options.patience = 1;
      options.validate_every = 1;
      options.refit = true;
      TrainReport report = train_vectors(dataset_, learned(), options, config_toml, destination,
                                         backend_, progress_, {}, &warm);
      epochs = std::max<std::int64_t>(1, report.best_epoch);
      return report;
    }
    options.validate_every = 0;
    refit.epochs = options.epochs;
    refit.attempt = 0;
    refit.head_epoch = refit.head_epoch > 0 ? options.epochs : 0;
    return train_vectors(dataset_, all_, options, config_toml, destination, backend_, progress_,
                         refit, &warm);
  }

 private:
  /// Of the training part.
  const Graphs& learned() {
    if (!part_) part_ = make_graphs(dataset_.split.train, dataset_, options_.graph);
    return *part_;
  }

  /// Forgets which hub was which where the earlier model has another number of them.
  void fit_hubs(const fs::path& before, const TrainOptions& options) {
    const bool with_users = options.model.kind != models::ModelKind::interest;
    const models::TensorFile file = models::map_safetensors(before / kModelWeights);
    for (const models::LoadedTensor& tensor : file.tensors) {
      if (tensor.name != "embeddings") continue;
      const std::int64_t hubs = tensor.rows - rows_.num_items - (with_users ? rows_.num_users : 0);
      const bool uses_hubs = hubs != 0;
      if (uses_hubs && hubs != rows_.num_hubs) no_hubs(rows_, hubs);
    }
  }

  /// What fits the budget, by what the earlier model's took.
  std::int64_t epochs_within(const fs::path& before, const Refit& refit) const {
    if (!options_.budget || refit.epochs == 0) return options_.most_epochs;
    double seconds = 0.0;
    const json manifest = read_manifest(before, kModelArtifact);
    take_values(before / kManifestName,
                [&] { manifest.at("resources").at("seconds").get_to(seconds); });
    const double of_epoch = seconds / static_cast<double>(refit.epochs);
    const double fitting = static_cast<double>(options_.budget->seconds) / (2.0 * of_epoch);
    return std::clamp(static_cast<std::int64_t>(std::min(fitting, 1e6)), std::int64_t{1},
                      options_.most_epochs);
  }

  Dataset& dataset_;
  const UpdateOptions& options_;
  Backend& backend_;
  Progress& progress_;
  bool judged_ = false;         ///< by rows that the earlier model has not learnt
  Graphs all_;                  ///< of all rows but the test part's
  std::optional<Graphs> part_;  ///< without those that judge
  NodeRows rows_;
};

/// Vectors that had learnt the mixture, by the rows of today; new rows as their neighbours'.
Vectors earlier_vectors(ConstFloatView users_before, ConstFloatView items_before,
                        const NodeRows& rows, const Graphs& graphs, Backend& backend) {
  const OnHost on_host(backend);
  Backend& host = on_host.backend();
  const graph::PropagationGraph links = graph::build_propagation_graph(
      graphs.user_item, graph::ItemGraph{graphs.user_item.num_items, {}});
  const auto num_users = static_cast<std::int64_t>(rows.users.size());
  const auto num_items = static_cast<std::int64_t>(rows.items.size());
  FloatMatrix all = host.matrix<float>(num_users + num_items, users_before.cols);
  host.copy(rows_taken(users_before, rows.users, host).view(), all.view().rows_of(0, num_users));
  host.copy(rows_taken(items_before, rows.items, host).view(),
            all.view().rows_of(num_users, num_items));
  std::vector<NodeId> known = rows.users;
  known.insert(known.end(), rows.items.begin(), rows.items.end());
  fill_from_neighbours(links.adjacency.view(), known, ZeroRows::are_filled, all.view());
  Vectors vectors;
  vectors.users = backend.matrix<float>(num_users, all.cols());
  vectors.items = backend.matrix<float>(num_items, all.cols());
  backend.copy(ConstFloatView(all.view().rows_of(0, num_users)), vectors.users.view());
  backend.copy(ConstFloatView(all.view().rows_of(num_users, num_items)), vectors.items.view());
  backend.sync();
  return vectors;
}

/// A mixture: its choices stay.
class MixtureUpdate {
 public:
  MixtureUpdate(const fs::path& before, Dataset& now, const UpdateOptions& options,
                Updating& updating, const Destination& destination, Backend& backend,
                Progress& progress)
      : before_(before),
        dataset_(now),
        options_(options),
        updating_(updating),
        backend_(backend),
        progress_(progress),
        start_(std::chrono::steady_clock::now()),
        old_(read_manifest(before, kModelArtifact)),
        writer_(destination, kModelArtifact) {}

  TrainReport run(const std::string& config_toml) {
    bool whole = false;
    writer_.clear();
    write_file_atomically(folder() / "config.toml", config_toml);
    take_values(before_ / kManifestName, [&] {
      state_ = read_auto_state(before_ / kChoiceName);
      if (!state_.is_complete())
        throw InputError(fmt::format("{}: damaged: not everything was chosen",
                                     (before_ / kChoiceName).string()));
      members_ = members_of(old_.at("model"));
      write_auto_state(folder(), state_);
      if (!make_members()) return;
      make_filter_vectors();
      if (is_distilled(old_.at("model")) && !distil()) return;
      whole = true;
      finish();
    });
    report_.interrupted = !whole;
    if (!whole) writer_.clear();  // an update starts over
    report_.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return report_;
  }

 private:
  const fs::path& folder() const { return writer_.folder(); }
  const Graphs& graphs() const { return updating_.graphs(); }

  /// How members are trained, by the plan of the earlier model.
  std::vector<TrainOptions> planned() const {
    AutoPlan plan;
    const json& stored = old_.at("plan");
    stored.at("epochs").get_to(plan.epochs);
    plan.networks = stored.value("networks", std::int64_t{0});
    plan.network_epochs = stored.value("network_epochs", std::int64_t{0});
    plan.ridge = stored.value("ridge", false);
    TrainOptions options = options_.train;
    options.model.kind = models::ModelKind::lightgcn;
    return planned_members(plan, options);
  }

  bool make_members() {
    const std::vector<TrainOptions> plan = planned();
    std::int64_t networks = 0;
    std::optional<std::int64_t> network_epochs;
    for (const MixtureMember& member : members_) {
      const auto found = std::find_if(plan.begin(), plan.end(), [&](const TrainOptions& one) {
        return one.model.kind == member.kind;
      });
      if (found == plan.end())
        throw InputError(fmt::format("damaged: no {} was planned", enum_name(member.kind)));
      TrainOptions options = *found;
      const fs::path to = folder() / member.folder;
      TrainReport report;
      if (member.kind == models::ModelKind::graph_filter) {
        options.validate_every = 0;
        const Predecessor earlier = predecessor(before_ / member.folder, updating_.rows());
        report = make_member_filter(dataset_, graphs(), KnownPart::train_and_validation, options,
                                    to, backend_, progress_, &earlier);
      } else if (member.kind == models::ModelKind::interest) {
        options.seed = seed_of_network(options.seed, networks++);
        report = updating_.train(before_ / member.folder, options, to, "", network_epochs);
      } else {
        std::optional<std::int64_t> epochs;
        report = updating_.train(before_ / member.folder, options, to, "", epochs);
      }
      report_.epochs_run += report.epochs_run;
      if (member.folder == members_.front().folder) report_.best_epoch = report.best_epoch;
      if (report.interrupted) return false;
    }
    return true;
  }

  void make_filter_vectors() {
    if (state_.mixture->filter_weight == 0.0) return;
    filter_ = std::make_shared<models::FilterGraph>(
        graphs().user_item.user_items.view(), state_.filter->rank, options_.train.seed, backend_,
        models::scaling_of(state_.filter->kind));
    const EarlierAxes before = {before_ / kModelWeights, updating_.rows().num_items,
                                updating_.rows().items};
    write_singular_vectors(folder() / kModelWeights, *filter_, backend_, &before);
  }

  bool distil() {
    std::optional<MemberVectors> trained;
    if (!members_.empty()) {
      std::vector<Model> models;
      std::vector<ChosenMember> chosen;
      bool network = false;
      for (const MixtureMember& member : members_) {
        chosen.push_back({models.size(), member.weight});
        models.push_back(Model::open(folder() / member.folder, dataset_, backend_,
                                     KnownPart::train_and_validation));
        network = network || member.kind == models::ModelKind::interest;
      }
      trained = {joined_models(models, chosen, backend_),
                 joined_models(models, std::span(chosen).first(1), backend_), network};
      for (const Model& model : models) trained->widths.push_back(model.layout().embedding_dim);
    }
    if (!state_.new_items) {  // chosen by an earlier version
      const auto learnt = std::find_if(members_.begin(), members_.end(), [](const auto& member) {
        return member.kind != models::ModelKind::graph_filter;
      });
      state_.new_items.emplace();
      if (learnt != members_.end())
        state_.new_items->member = static_cast<std::size_t>(learnt - members_.begin());
    }
    const std::int64_t width = old_.at("model").at("distillation").at("width").get<std::int64_t>();
    const NodeRows& rows = updating_.rows();
    const DistilledFile old =
        read_distilled(before_ / kDistilledWeights, rows.num_users, rows.num_items, width);
    EarlierVectors earlier = {earlier_vectors(old.users, old.items, rows, graphs(), backend_),
                              {kListEpochs, kKnownItemsRate, {}},
                              0.0,
                              {kFurtherEpochs, kFurtherItemsRate, {}}};
    for (std::size_t item = 0; item < rows.items.size(); ++item) {
      if (rows.items[item] == graph::kNoNode)
        earlier.how.new_items.push_back(static_cast<NodeId>(item));
    }
    earlier.further.new_items = earlier.how.new_items;
    const json& before = old_.at("model").at("distillation");
    // A model of before 2026-11-30 does not say how far its vectors agreed.
    std::optional<double> trained_agreement;
    for (const char* key : {"agreement", "trained_agreement"}) {
      if (before.contains(key)) trained_agreement = number_between(before, key, 0.0, 1.0);
    }
    earlier.least_agreement = kLeastAgreement * trained_agreement.value_or(0.0);
    std::optional<DistilledVectors> distilled = distil_mixture(
        {trained ? &*trained : nullptr, filter_, KnownPart::train_and_validation}, state_, dataset_,
        graphs(), distilled_users({}, dataset_.num_users(), dataset_, options_.train.seed),
        old_.at("plan").value("distilled_epochs", std::int64_t{320}), options_.train, backend_,
        progress_, &earlier);
    if (!distilled) return false;
    const OnHost on_host(backend_);
    Backend& host = on_host.backend();
    kernels::Download<float> download[2];
    FloatMatrix now[2];
    const FloatMatrix* const learnt[] = {&distilled->vectors.users, &distilled->vectors.items};
    for (std::size_t side = 0; side < 2; ++side) {
      const ConstFloatView view = download[side](learnt[side]->view(), backend_);
      now[side] = host.matrix<float>(view.rows, view.cols);
      host.copy(view, now[side].view());
    }
    turn_towards(old.users, rows.users, old.items, rows.items, host, now[0].view(), now[1].view());
    write_distilled(folder() / kDistilledWeights, now[0].view(), now[1].view(), host);
    distillation_ = {
        {"width", width}, {"learns", state_.learns}, {"new_items", distilled->new_items}};
    if (distilled->new_items) distillation_["new_items_by"] = state_.new_items->to_json();
    if (distilled->agreement) {
      distillation_["agreement"] = *distilled->agreement;
      distillation_["trained_agreement"] = trained_agreement.value_or(*distilled->agreement);
      distillation_["known_items_move"] = distilled->went_further;
    }
    return true;
  }

  void finish() {
    std::string hashes;
    for (const char* file : {kModelWeights, kDistilledWeights}) {
      if (fs::exists(folder() / file)) hashes += hash_file(folder() / file);
    }
    for (const MixtureMember& member : members_) {
      for (const char* file : {kModelWeights, kHeadWeights}) {
        const fs::path path = folder() / member.folder / file;
        if (fs::exists(path)) hashes += hash_file(path);
      }
    }
    json manifest = {
        {"data_hash", dataset_.hash},      {"graph_options", graph_options_to_json(options_.graph)},
        {"model", old_.at("model")},       {"trained_on", "train+validation"},
        {"hash", hash_bytes(hashes)},      {"resources", resources_since(start_)},
        {"device", backend_.description()}};
    if (distillation_.is_object()) manifest["model"]["distillation"] = distillation_;
    for (const char* key :
         {"chosen", "plan", "best_validation", "validation_metric", "validation", "seed"}) {
      if (old_.contains(key)) manifest[key] = old_.at(key);
    }
    report_.chosen = old_.value("chosen", "");
    const Predecessor before = predecessor(before_, updating_.rows());
    finish_model(writer_, std::move(manifest), dataset_, graphs(), backend_, &before);
  }

  fs::path before_;
  Dataset& dataset_;
  const UpdateOptions& options_;
  Updating& updating_;
  Backend& backend_;
  Progress& progress_;
  std::chrono::steady_clock::time_point start_;
  json old_;  ///< manifest of the earlier model
  ArtifactWriter writer_;
  AutoState state_;
  std::vector<MixtureMember> members_;
  std::shared_ptr<const models::FilterGraph> filter_;
  json distillation_;
  TrainReport report_;
};

}  // namespace

void turn_towards(ConstFloatView users_before, std::span<const NodeId> users,
                  ConstFloatView items_before, std::span<const NodeId> items, Backend& host,
                  FloatView users_now, FloatView items_now) {
  const std::int64_t dim = users_now.cols;
  FloatMatrix product = host.matrix<float>(dim, dim);  // now' before
  for (const auto& [before, rows, now, beta] : {std::tuple(users_before, users, users_now, 0.0F),
                                                std::tuple(items_before, items, items_now, 1.0F)}) {
    const FloatMatrix taken = rows_taken(before, rows, host);  // zeros where there was none
    host.gemm(Transpose::yes, Transpose::no, 1.0F, now, taken.view(), beta, product.view());
  }
  // The polar factor of M: M (M'M)^-1/2 = M V S^-1 V'.
  FloatMatrix gram = host.matrix<float>(dim, dim);
  FloatMatrix axes = host.matrix<float>(dim, dim);
  kernels::Vector<float> squared = host.vector<float>(dim);
  host.gemm(Transpose::yes, Transpose::no, 1.0F, product.view(), product.view(), 0.0F, gram.view());
  host.symmetric_eigen(gram.view(), squared.view(), axes.view());
  const std::vector<float> values = kernels::to_host(squared.view(), host);
  if (!(values.back() > 1e-10F * values.front())) return;  // no turn is better than others
  FloatMatrix scaled = host.matrix<float>(dim, dim);
  for (std::int64_t i = 0; i < dim; ++i) {
    for (std::int64_t j = 0; j < dim; ++j)
      scaled.view().row(i)[j] = axes.view()(i, j) / std::sqrt(values[at(j)]);
  }
  FloatMatrix inverse_root = host.matrix<float>(dim, dim);
  FloatMatrix turn = host.matrix<float>(dim, dim);
  host.gemm(Transpose::no, Transpose::yes, 1.0F, scaled.view(), axes.view(), 0.0F,
            inverse_root.view());
  host.gemm(Transpose::no, Transpose::no, 1.0F, product.view(), inverse_root.view(), 0.0F,
            turn.view());
  for (const FloatView now : {users_now, items_now}) {
    FloatMatrix turned = host.matrix<float>(now.rows, dim);
    host.gemm(Transpose::no, Transpose::no, 1.0F, now, turn.view(), 0.0F, turned.view());
    host.copy(turned.view(), now);
  }
}

TrainReport update_model(const fs::path& before, const EarlierData& earlier, Dataset& now,
                         const UpdateOptions& options, const std::string& config_toml,
                         const Destination& destination, Backend& backend, Progress& progress) {
  progress.begin("update");
  Updating updating(earlier, now, options, backend, progress);
  switch (options.train.model.kind) {
    case models::ModelKind::automatic:
      return MixtureUpdate(before, now, options, updating, destination, backend, progress)
          .run(config_toml);
    case models::ModelKind::private_items:
      refuse_private_update();
    case models::ModelKind::graph_filter: {
      // There is nothing to go on from but what was chosen.
      TrainOptions fixed = options.train;
      const json manifest = read_manifest(before, kModelArtifact);
      take_values(before / kManifestName, [&] {
        const models::FilterOptions chosen = filter_from_json(manifest.at("model").at("filter"));
        fixed.filter = {chosen.kind,  chosen.power,    chosen.rank,       chosen.low_pass,
                        chosen.order, chosen.flatness, chosen.sharpening, chosen.sharpening_steps,
                        chosen.ridge};
      });
      const Predecessor earlier_model = predecessor(before, updating.rows());
      return make_filter(now, updating.graphs(), KnownPart::train_and_validation, fixed,
                         destination, backend, progress, &earlier_model, config_toml);
    }
    default: {
      std::optional<std::int64_t> epochs;
      return updating.train(before, options.train, destination, config_toml, epochs);
    }
  }
}

}  // namespace penchant::pipeline
