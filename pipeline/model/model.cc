// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/model.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "models/model_options.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/stored_vectors.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using kernels::ConstFloatView;
using models::ModelKind;
using nlohmann::json;

namespace {

constexpr std::int64_t kAllEvents = std::numeric_limits<std::int64_t>::max();

/// The vectors of all users or all items, wherever they lie.
class VectorTable {
 public:
  void own(kernels::FloatMatrix matrix) {
    owned_ = std::move(matrix);
    file_.reset();
  }
  void map(graph::MappedNpy<float> file) { file_ = std::move(file); }
  /// On the backend's device: mapped, or a copy made by the first call.
  ConstFloatView view(Backend& backend) {
    if (!file_) return std::as_const(owned_).view();
    const ConstFloatView host(file_->values().data(), file_->rows(), file_->cols(), file_->cols(),
                              kernels::Device::cpu);
    if (backend.device() == kernels::Device::cpu) return host;
    owned_ = backend.matrix<float>(host.rows, host.cols);
    backend.copy(host, owned_.view());
    backend.sync();
    file_.reset();
    return std::as_const(owned_).view();
  }

 private:
  std::optional<graph::MappedNpy<float>> file_;
  kernels::FloatMatrix owned_;
};

void require_format(const fs::path& directory, const json& manifest) {
  const int format = manifest.at("format_version").get<int>();
  if (format == kModelFormat) return;
  throw InputError(fmt::format(
      "{0}: is a model of format version {1}, this program reads {2}; `penchant upgrade "
      "X.data {0}` rewrites it",
      directory.string(), format, kModelFormat));
}

std::string name_of(ModelKind kind, const json& model, std::span<const ScoreTerm> terms) {
  if (kind == ModelKind::graph_filter)
    return fmt::format("graph_filter {}", enum_name(filter_from_json(model.at("filter")).kind));
  if (kind != ModelKind::automatic) return enum_name(kind);
  std::string parts;
  for (const ScoreTerm& term : terms) {
    if (term.kind == TermKind::popularity) continue;
    parts += (parts.empty() ? "" : " and ") + std::string(enum_name(term.kind));
  }
  return fmt::format("auto ({})", parts);
}

std::string hash_of(ModelKind kind, const json& manifest) {
  const auto weights = manifest.at("hash").get<std::string>();
  if (kind == ModelKind::graph_filter || kind == ModelKind::automatic)
    return hash_bytes(manifest.at("model").dump() + weights);
  // Whatever changes a score; the weights' file alone does not hold all of it.
  std::string parts = weights;
  for (const char* key : {"model", "graph_options", "popularity_weight", "blend", "repeats",
                          "calibration", "trained_on"})
    parts += manifest.value(key, json()).dump();
  return hash_bytes(parts);
}

}  // namespace

struct Model::Impl {
  const Dataset& dataset;
  Backend& backend;
  fs::path directory = {};
  std::string identity = {};  ///< of the manifest that was read
  json manifest = {};
  KnownPart known = KnownPart::train_and_validation;
  ModelKind kind = ModelKind::lightgcn;
  GraphOptions graph_options = {};
  std::string name = {}, hash = {};
  bool saw_validation = false;
  std::vector<ScoreTerm> terms = {};
  VectorLayout layout = {};
  VectorTable users = {}, items = {};
  bool has_scorer = false, has_interest = false;
  graph::NodeId scored_user = graph::kNoNode;     ///< the only one that the scorer knows; or all
  std::shared_ptr<models::Scorer> scorer = {};    ///< null until it is made
  std::unique_ptr<InterestScorer> interest = {};  ///< null until it is made
  std::optional<Dataset> whole = {};              ///< of a data set read for look-ups
  std::optional<Histories> histories = {};

  void open();
  void read_facts();
  void open_vectors();
  const Dataset& all_of_it();
  models::Scorer* scorer_of(graph::NodeId user);
  void make_scorer(graph::NodeId user);
  FinishedVectors make_interest();

  /// What reads the manifest: exceptions of its JSON say that it is damaged.
  template <typename Read>
  auto reading(Read read) {
    try {
      return read();
    } catch (const json::exception& error) {
      throw InputError(
          fmt::format("{}/manifest.json: damaged: {}", directory.string(), error.what()));
    }
  }
  /// Before files are read that belong to those read before.
  void require_same() const {
    if (manifest_identity(directory) != identity)
      throw InputError(fmt::format("{}: was replaced while it was in use", directory.string()));
  }
};

void Model::Impl::open() {
  identity = manifest_identity(directory);
  manifest = read_manifest(directory, kModelArtifact);
  reading([&] {
    require_format(directory, manifest);
    if (dataset.use == DatasetUse::everything) check_files(directory, kModelArtifact, manifest);
    require_data(directory, manifest, dataset);
    read_facts();
    open_vectors();
  });
}

void Model::Impl::read_facts() {
  const json& model = manifest.at("model");
  kind = parse_enum<ModelKind>(model.at("kind").get<std::string>(), "model.kind");
  graph_options = graph_options_from_json(manifest.at("graph_options"));
  saw_validation = manifest.at("trained_on").get<std::string>() == "train+validation";
  switch (kind) {
    case ModelKind::graph_filter:
      terms = {{TermKind::filter, 1.0}};
      break;
    case ModelKind::automatic:
      terms = auto_terms(model);
      break;
    default:
      model_from_json(model, directory / kManifestName);
      terms = trained_terms(manifest);
      break;
  }
  has_interest = kind == ModelKind::interest;
  has_scorer = std::any_of(terms.begin(), terms.end(), [](const ScoreTerm& term) {
    return term.kind == TermKind::filter || term.kind == TermKind::repeats;
  });
  name = name_of(kind, model, terms);
  hash = hash_of(kind, manifest);
}

void Model::Impl::open_vectors() {
  layout = VectorLayout::from_json(manifest.at("layout"), directory / kManifestName);
  const auto map = [&](VectorTable& table, const char* file, std::int64_t rows) {
    try {
      table.map(map_vectors(directory / kVectorsFolder / file, rows, layout.width()));
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}; `penchant upgrade X.data {}` writes the vectors again",
                                   error.what(), directory.string()));
    }
  };
  map(items, "items.npy", dataset.num_items());
  map(users, "users.npy", dataset.num_users());
  if (has_interest && known == KnownPart::train) users.own(make_interest().users);
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
  const bool fits = scorer != nullptr && (scored_user == graph::kNoNode || scored_user == user);
  if (has_scorer && !fits) make_scorer(user);
  return scorer.get();
}

void Model::Impl::make_scorer(graph::NodeId user) {
  require_same();
  const bool repeats = std::any_of(terms.begin(), terms.end(), [](const ScoreTerm& term) {
    return term.kind == TermKind::repeats;
  });
  const bool of_one = repeats && dataset.use == DatasetUse::lookup && user != graph::kNoNode;
  scored_user = of_one ? user : graph::kNoNode;
  Histories known_events;
  if (repeats) {
    known_events = of_one ? known_history(dataset, user, known)
                          : known_histories(all_of_it(), known, kAllEvents);
  }
  const graph::UserItemGraph graph = make_known_links(
      dataset, saw_validation ? KnownPart::train_and_validation : KnownPart::train, graph_options);
  const VectorViews vectors = {users.view(backend), items.view(backend), layout};
  scorer = reading([&]() -> std::unique_ptr<models::Scorer> {
    const json& model = manifest.at("model");
    if (kind == ModelKind::graph_filter)
      return load_filter(directory, model, graph, backend, dataset.use);
    if (kind == ModelKind::automatic)
      return auto_scorer(directory, model, graph, vectors, known_events, backend, dataset.use);
    return trained_scorer(manifest, graph, vectors, known_events, backend);
  });
  require_same();
}

/// Returns the vectors that came with it.
FinishedVectors Model::Impl::make_interest() {
  require_same();
  const Dataset& data = all_of_it();
  const Graphs graphs = make_graphs(saw_validation ? train_and_validation(data) : data.split.train,
                                    data, graph_options);
  FinishedVectors vectors;
  interest = reading(
      [&] { return load_interest(directory, manifest, data, graphs, known, backend, vectors); });
  require_same();
  return vectors;
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Model::Model(const Dataset& dataset, Parts parts, Backend& backend)
    : impl_(std::make_unique<Impl>(Impl{dataset, backend})) {
  impl_->name = std::move(parts.name);
  impl_->hash = std::move(parts.hash);
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
const std::string& Model::name() const { return impl_->name; }
const std::string& Model::hash() const { return impl_->hash; }
bool Model::saw_validation() const { return impl_->saw_validation; }
const VectorLayout& Model::layout() const { return impl_->layout; }
ConstFloatView Model::users() const { return impl_->users.view(impl_->backend); }
ConstFloatView Model::items() const { return impl_->items.view(impl_->backend); }
std::span<const ScoreTerm> Model::terms() const { return impl_->terms; }
bool Model::has_scorer() const { return impl_->has_scorer; }
bool Model::has_interest() const { return impl_->has_interest; }

models::Scorer* Model::scorer() const { return impl_->scorer_of(graph::kNoNode); }
models::Scorer* Model::scorer_of(graph::NodeId user) const { return impl_->scorer_of(user); }

InterestScorer* Model::interest() const {
  if (impl_->has_interest && impl_->interest == nullptr) impl_->make_interest();
  return impl_->interest.get();
}

const Histories& Model::histories() const {
  if (!impl_->histories)
    impl_->histories = make_histories_with_validation(impl_->all_of_it(), kAllEvents);
  return *impl_->histories;
}

}  // namespace penchant::pipeline
