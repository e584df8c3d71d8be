// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/model.h"

#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/model/model_facts.h"
#include "pipeline/model/model_impl.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using kernels::ConstFloatView;
using models::ModelKind;
using nlohmann::json;

void Model::Impl::open() {
  identity = manifest_identity(directory);
  manifest = read_manifest(directory, kModelArtifact);
  if (const json& format = manifest["format_version"]; format != kModelFormat) {
    throw InputError(
        fmt::format("{}: is a model of format version {}, this program reads {}; {} rewrites it",
                    directory.string(), format.dump(), kModelFormat, upgrade()));
  }
  if (dataset.use == DatasetUse::everything)
    check_files(directory, kModelArtifact, manifest, CheckedFiles::others);
  require_data(directory, manifest, dataset);
  facts = model_facts(directory, manifest);
  has_interest = facts.network.has_value();
  has_scorer = has_term(facts.terms, TermKind::filter) ||
               has_term(facts.terms, TermKind::repeats) || has_term(facts.terms, TermKind::links) ||
               (is_automatic() && has_auto_scorer(manifest.at("model")));
  take_values(directory / kManifestName, [&] {
    layout = VectorLayout::from_json(manifest.at("layout"));
    if (const json stored = manifest.value("validation", json()); !stored.is_null())
      validation = VectorValidation{stored.at("metric").get<std::string>(),
                                    stored.at("vectors").get<double>()};
  });
  reading_vectors([&] { open_vectors(); });
  if (has_interest && known == KnownPart::train) own_users();
}

void Model::Impl::open_vectors() {
  if (facts.kind == ModelKind::private_items) {
    private_items = read_private_items(directory, manifest.at("model"), dataset);
    const graph::UserItemGraph rows = make_known_links(dataset, known, facts.graph_options);
    items.own(private_item_vectors(*private_items, backend));
    users.own(private_user_vectors(*private_items, rows.user_items.view(), backend));
    items_finite = true;
    return;
  }
  const fs::path folder = directory / kVectorsFolder;
  if (dataset.use == DatasetUse::everything)
    check_files(directory, kModelArtifact, manifest, CheckedFiles::vectors);
  items.map(folder / "items.npy", dataset.num_items(), layout.width());
  users.map(folder / "users.npy", dataset.num_users(), layout.width());
  if (dataset.use == DatasetUse::lookup) return;
  items.require_finite(0, dataset.num_items());
  users.require_finite(0, dataset.num_users());
  items_finite = true;
}

/// Before a look-up ranks by vectors: those of all items and, unless it is kNoNode, the user's.
void Model::Impl::require_finite(graph::NodeId user) {
  reading_vectors([&] {
    if (user != graph::kNoNode) users.require_finite(user, 1);
    if (!items_finite) items.require_finite(0, dataset.num_items());
  });
  items_finite = true;
}

/// The data set with everything.
const Dataset& Model::Impl::all_of_it() {
  if (dataset.use == DatasetUse::everything) return dataset;
  if (!whole) {
    whole = read_dataset(dataset.directory);
    if (whole->hash != dataset.hash) {
      throw InputError(
          fmt::format("{}: was replaced while it was in use", dataset.directory.string()));
    }
  }
  return *whole;
}

/// What it ranks by, of this user or, with kNoNode, of all.
models::Scorer* Model::Impl::scorer_of(graph::NodeId user) {
  if (user != graph::kNoNode && (!has_scorer || has_term(facts.terms, TermKind::vectors)))
    require_finite(user == kPeople ? graph::kNoNode : user);
  const bool fits = scorer != nullptr &&
                    (scored_user == graph::kNoNode || scored_user == user || user == kPeople);
  if (has_scorer && !fits) make_scorer(user);
  return scorer.get();
}

void Model::Impl::make_scorer(graph::NodeId user) {
  require_same();
  const bool repeats = has_term(facts.terms, TermKind::repeats);
  const bool of_one = repeats && dataset.use == DatasetUse::lookup && user != graph::kNoNode;
  scored_user = of_one ? user : graph::kNoNode;
  Histories known_events;
  if (of_one && user == kPeople) {
    known_events.offsets.assign(graph::at(dataset.num_users()) + 1, 0);
  } else if (repeats) {
    known_events = of_one ? known_history(dataset, user, known)
                          : known_histories(all_of_it(), known, kAllEvents);
  }
  const graph::UserItemGraph graph = make_links();
  const json& model = manifest.at("model");
  if (facts.kind == ModelKind::graph_filter) {
    scorer = load_filter(directory, model, graph, backend, dataset.use);
  } else if (is_automatic()) {
    const FinishedVectors trained = opened_members(user).joined();
    scorer = auto_scorer(directory, model, dataset, facts.graph_options, graph,
                         {trained.users.view(), trained.items.view(), trained.layout}, known_events,
                         backend);
  } else {
    scorer =
        trained_scorer(manifest, dataset, graph, {users.view(backend), items.view(backend), layout},
                       known_events, backend);
  }
  require_same();
}

/// Networks read the whole data set for people; then all of them read it once.
const MemberModels& Model::Impl::opened_members(graph::NodeId user) {
  if (members == nullptr) {
    std::vector<MixtureMember> own = members_of(manifest.at("model"));
    const bool whole_read = user == kPeople && network_of(own) != nullptr;
    members = std::make_unique<MemberModels>(directory, std::move(own),
                                             whole_read ? all_of_it() : dataset, backend, known);
  }
  return *members;
}

/// Users and items of what the model was made of.
graph::UserItemGraph Model::Impl::make_links() const {
  return make_known_links(dataset,
                          facts.saw_validation ? KnownPart::train_and_validation : KnownPart::train,
                          facts.graph_options);
}

/// What the model was made of.
Graphs Model::Impl::make_graphs_of(const Dataset& data) const {
  return make_graphs(facts.saw_validation ? train_and_validation(data) : data.split.train, data,
                     facts.graph_options);
}

/// Its network, if it has one.
InterestScorer* Model::Impl::made_interest() {
  if (!has_interest || interest != nullptr) return interest.get();
  require_same();
  const Dataset& data = all_of_it();
  const fs::path folder = directory / *facts.network;
  const json own = facts.network->empty() ? manifest : read_manifest(folder, kModelArtifact);
  interest = load_interest(folder, own, data, make_graphs_of(data).item, known, backend);
  require_same();
  return interest.get();
}

/// Vectors of users that a network makes, by what is known of them.
void Model::Impl::own_users() {
  if (is_taught()) return;
  const Dataset& data = all_of_it();
  const Graphs graphs = make_graphs_of(data);
  users.own(derive_vectors(directory, manifest, data, graphs, backend, known).users);
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Model::Model(const Dataset& dataset, Parts parts, Backend& backend)
    : impl_(std::make_unique<Impl>(Impl{dataset, backend})) {
  impl_->facts.name = std::move(parts.name);
  impl_->facts.hash = std::move(parts.hash);
  impl_->layout = parts.vectors.layout;
  impl_->users.own(std::move(parts.vectors.users));
  impl_->items.own(std::move(parts.vectors.items));
  impl_->has_scorer = parts.scorer != nullptr;
  impl_->scorer = std::move(parts.scorer);
  impl_->has_interest = parts.interest != nullptr;
  impl_->interest = std::move(parts.interest);
}

Model Model::open(const fs::path& directory, const Dataset& dataset, Backend& backend,
                  KnownPart known) {
  return read_whole(directory, [&] {
    auto impl = std::make_unique<Impl>(Impl{dataset, backend});
    impl->directory = directory;
    impl->known = known;
    impl->open();
    return Model(std::move(impl));
  });
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const Dataset& Model::dataset() const { return impl_->dataset; }
Backend& Model::backend() const { return impl_->backend; }
const fs::path& Model::directory() const { return impl_->directory; }
const std::string& Model::name() const { return impl_->facts.name; }
bool Model::is_private() const { return impl_->facts.kind == ModelKind::private_items; }
const std::string& Model::hash() const { return impl_->facts.hash; }
bool Model::saw_validation() const { return impl_->facts.saw_validation; }
const GraphOptions& Model::graph_options() const { return impl_->facts.graph_options; }
const VectorLayout& Model::layout() const { return impl_->layout; }
ConstFloatView Model::users() const { return impl_->users.view(impl_->backend); }
ConstFloatView Model::items() const {
  impl_->require_finite(graph::kNoNode);
  return impl_->items.view(impl_->backend);
}
const std::optional<VectorValidation>& Model::validation() const { return impl_->validation; }
std::span<const ScoreTerm> Model::terms() const { return impl_->facts.terms; }
bool Model::has_scorer() const { return impl_->has_scorer; }
bool Model::has_interest() const { return impl_->has_interest; }

models::Scorer* Model::scorer() const { return impl_->scorer_of(graph::kNoNode); }
models::Scorer* Model::scorer_of(graph::NodeId user) const { return impl_->scorer_of(user); }

InterestScorer* Model::interest() const { return impl_->made_interest(); }

void Model::require_finite_vector(graph::NodeId user) const { impl_->require_finite(user); }

void Model::require_finite_users() const {
  impl_->reading_vectors([&] { impl_->users.require_finite(0, impl_->dataset.num_users()); });
}

const Histories& Model::histories() const {
  if (!impl_->histories)
    impl_->histories = make_histories_with_validation(impl_->all_of_it(), kAllEvents);
  return *impl_->histories;
}

}  // namespace penchant::pipeline
