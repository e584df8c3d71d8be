// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/auto_model.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <ostream>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using models::Scorer;
using nlohmann::json;

namespace {

constexpr const char* kFirstMember = "trained";

}  // namespace

json Mixture::to_json() const {
  return {{"vectors", vectors},
          {"popularity_weight", popularity_weight},
          {"filter_weight", filter_weight}};
}

Mixture Mixture::from_json(const json& stored) {
  const Mixture mixture = {stored.at("vectors").get<bool>(),
                           number_between(stored, "popularity_weight", 0.0, kMostWeight),
                           number_between(stored, "filter_weight", 0.0, kMostWeight)};
  if (!mixture.vectors && mixture.filter_weight == 0.0)
    throw InputError("damaged: the mixture has neither vectors nor a filter");
  return mixture;
}

std::string member_folder(std::size_t number) {
  return number == 0 ? kFirstMember : fmt::format("{}{}", kFirstMember, number + 1);
}

json members_to_json(std::span<const MixtureMember> members) {
  json list = json::array();
  for (const MixtureMember& member : members) {
    list.push_back(
        {{"folder", member.folder}, {"kind", enum_name(member.kind)}, {"weight", member.weight}});
  }
  return list;
}

std::vector<MixtureMember> members_of(const json& model) {
  if (!Mixture::from_json(model.at("mixture")).vectors) return {};
  // Earlier versions had this one alone.
  if (!model.contains("members")) return {{kFirstMember, models::ModelKind::lightgcn, 1.0}};
  std::vector<MixtureMember> members;
  for (const json& stored : model.at("members")) {
    MixtureMember member;
    stored.at("folder").get_to(member.folder);
    member.kind = parse_enum<models::ModelKind>(stored.at("kind").get<std::string>(), "kind");
    member.weight = number_between(stored, "weight", 0.0, kMostWeight);
    if (member.folder != member_folder(members.size()))
      throw InputError(fmt::format("damaged: the mixture has no folder {}", member.folder));
    members.push_back(std::move(member));
  }
  if (members.empty()) throw InputError("damaged: the mixture has no trained model");
  return members;
}

const MixtureMember* network_of(std::span<const MixtureMember> members) {
  const auto found = std::find_if(members.begin(), members.end(), [](const MixtureMember& member) {
    return member.kind == models::ModelKind::interest;
  });
  return found == members.end() ? nullptr : &*found;
}

FinishedVectors joined(std::span<const WeightedVectors> members, Backend& backend) {
  PENCHANT_ASSERT(!members.empty());
  FinishedVectors all;
  if (members.size() == 1) {
    all.layout = members.front().vectors.without_popularity().layout;
  } else {
    for (const WeightedVectors& member : members) {
      PENCHANT_ASSERT(member.vectors.layout.new_item_columns == 0);
      all.layout.embedding_dim += member.vectors.layout.embedding_dim;
    }
  }
  all.users = backend.matrix<float>(members.front().vectors.users.rows, all.layout.width());
  all.items = backend.matrix<float>(members.front().vectors.items.rows, all.layout.width());
  std::int64_t column = 0;
  for (const WeightedVectors& member : members) {
    const VectorViews vectors = member.vectors.without_popularity();
    const std::int64_t width = vectors.layout.width();
    backend.axpby(static_cast<float>(member.weight), vectors.users, 0.0F,
                  all.users.view().cols_of(column, width));
    backend.copy(vectors.items, all.items.view().cols_of(column, width));
    column += width;
  }
  return all;
}

namespace {

/// deg_u^1/2; of users without a row, whose scores are the mean of all, the mean of the others'.
std::vector<float> roots_of_degrees(const graph::CsrView& user_items) {
  std::vector<float> roots;
  double sum = 0.0;
  std::int64_t num_known = 0;
  for (std::int64_t user = 0; user < user_items.num_rows; ++user) {
    const std::int64_t degree = user_items.row_size(user);
    roots.push_back(static_cast<float>(std::sqrt(static_cast<double>(degree))));
    sum += std::sqrt(static_cast<double>(degree));
    num_known += degree > 0 ? 1 : 0;
  }
  const double mean = num_known > 0 ? sum / static_cast<double>(num_known) : 1.0;
  std::replace(roots.begin(), roots.end(), 0.0F, static_cast<float>(mean));
  return roots;
}

}  // namespace

MixedScorer::MixedScorer(ConstFloatView users, ConstFloatView items,
                         const graph::UserItemGraph& graph, const Mixture& mixture,
                         std::shared_ptr<Scorer> filter, Backend& backend)
    : popularity_weight_(mixture.popularity_weight),
      users_(backend.matrix<float>(users.rows, users.cols)),
      items_(backend.matrix<float>(items.rows, items.cols)) {
  backend.copy(users, users_.view());
  backend.copy(items, items_.view());
  append_popularity(graph, mixture.popularity_weight, backend, users_, items_);
  const std::vector<float> roots = roots_of_degrees(graph.user_items.view());
  kernels::Vector<float> scale = backend.vector<float>(users.rows);
  backend.copy(kernels::VectorView<const float>(roots.data(), users.rows, kernels::Device::cpu),
               scale.view());
  FloatMatrix scaled = backend.matrix<float>(users_.rows(), users_.cols());
  backend.scale_rows(users_.view(), scale.view(), scaled.view());
  users_ = std::move(scaled);
  std::vector<models::WeightedScorer> others;
  if (filter != nullptr)
    others.push_back({std::move(filter), static_cast<float>(mixture.filter_weight)});
  blended_ = std::make_unique<models::BlendedScorer>(users_.view(), items_.view(), others);
}

void MixedScorer::score_people(const models::People& people, Backend& backend,
                               kernels::FloatView scores) {
  const std::int64_t own = users_.cols() - (popularity_weight_ != 0.0 ? 1 : 0);
  if (people.vectors.cols < own) {
    throw InputError(fmt::format("scores of people: vectors have {} numbers, expected {}",
                                 people.vectors.cols, own));
  }
  FloatMatrix vectors = backend.matrix<float>(people.rows.num_rows, users_.cols());
  backend.fill(vectors.view(), 1.0F);
  backend.copy(people.vectors.cols_of(0, own), vectors.view().cols_of(0, own));
  kernels::Vector<float> scale = kernels::to_device(roots_of_degrees(people.rows), backend);
  FloatMatrix scaled = backend.matrix<float>(vectors.rows(), vectors.cols());
  backend.scale_rows(vectors.view(), scale.view(), scaled.view());
  models::People with_vectors = people;
  with_vectors.vectors = scaled.view();
  blended_->score_people(with_vectors, backend, scores);
}

namespace {

constexpr const char* kUserVectors = "users";
constexpr const char* kItemVectors = "items";

/// Models of earlier versions have none.
RepeatBlend stored_repeats(const json& model) {
  return model.contains("repeats") ? repeats_from_json(model.at("repeats")) : RepeatBlend{};
}

}  // namespace

/// Models of earlier versions are not.
bool is_distilled(const json& model) { return model.contains("distillation"); }

std::unique_ptr<Scorer> mixed_scorer(const VectorViews& trained, const Mixture& mixture,
                                     std::shared_ptr<Scorer> filter, const RepeatBlend& repeats,
                                     std::vector<models::WeightedScorer> further,
                                     const graph::UserItemGraph& graph, const Histories& histories,
                                     Backend& backend) {
  std::vector<models::WeightedScorer> terms = blended_terms(graph, histories, {}, repeats, backend);
  std::move(further.begin(), further.end(), std::back_inserter(terms));
  if (mixture.vectors) {
    const VectorViews vectors = trained.without_popularity();
    filter = std::make_shared<MixedScorer>(vectors.users, vectors.items, graph, mixture,
                                           std::move(filter), backend);
  }
  terms.insert(terms.begin(), {std::move(filter), 1.0F});
  return std::make_unique<models::ScorerSum>(std::move(terms));
}

void write_distilled(const fs::path& file, ConstFloatView users, ConstFloatView items,
                     Backend& backend) {
  kernels::Download<float> download_users;
  kernels::Download<float> download_items;
  const std::vector<models::NamedTensor> tensors = {{kUserVectors, download_users(users, backend)},
                                                    {kItemVectors, download_items(items, backend)}};
  write_file_atomically(file, [&](std::ostream& out) {
    models::write_safetensors(out, tensors, {{"format", "penchant weights"}});
  });
}

DistilledFile read_distilled(const fs::path& file, std::int64_t num_users, std::int64_t num_items,
                             std::int64_t width) {
  DistilledFile stored{models::read_safetensors(file), {}, {}};
  stored.users = stored.file.find_finite(kUserVectors, num_users, width, file).view();
  stored.items = stored.file.find_finite(kItemVectors, num_items, width, file).view();
  return stored;
}

FinishedVectors auto_vectors(const fs::path& model_directory, const json& manifest,
                             const Dataset& dataset, const Graphs& graphs, Backend& backend,
                             KnownPart known) {
  const json& model = manifest.at("model");
  const Mixture mixture = Mixture::from_json(model.at("mixture"));
  if (is_distilled(model)) {
    FinishedVectors vectors;
    vectors.layout.embedding_dim = model.at("distillation").at("width").get<std::int64_t>();
    const DistilledFile stored =
        read_distilled(model_directory / kDistilledWeights, dataset.num_users(),
                       dataset.num_items(), vectors.layout.embedding_dim);
    for (const auto& [from, to] :
         {std::pair(stored.users, &vectors.users), std::pair(stored.items, &vectors.items)}) {
      *to = backend.matrix<float>(from.rows, from.cols);
      backend.copy(from, to->view());
    }
    // Models of earlier versions had not learnt them.
    const bool new_items = model.at("distillation").value("new_items", false);
    finish_distilled_vectors(graphs.user_item, graphs.item, new_items, backend, vectors.users,
                             vectors.items);
    return vectors;
  }
  if (!mixture.vectors) {
    return filter_vectors(*load_filter(model_directory, model, graphs.user_item, backend), model,
                          graphs, backend);
  }
  const fs::path folder = model_directory / members_of(model).front().folder;
  const json trained = read_manifest(folder, kModelArtifact);
  // A member's graphs may be weighed in another way.
  const bool saw_validation = trained.at("trained_on") == "train+validation";
  const graph::EdgeWeight weight =
      graph_options_from_json(trained.at("graph_options")).user_item.weight;
  FinishedVectors vectors =
      weight == graphs.options.user_item.weight
          ? derive_vectors(folder, trained, dataset, graphs, backend, known)
          : derive_vectors(
                folder, trained, dataset,
                weighed(graphs, weight, dataset,
                        saw_validation ? KnownPart::train_and_validation : KnownPart::train),
                backend, known);
  append_popularity(graphs.user_item, mixture.popularity_weight, backend, vectors.users,
                    vectors.items);
  vectors.layout.popularity_column = mixture.popularity_weight != 0.0;
  vectors.layout.normalized = vectors.layout.normalized && !vectors.layout.popularity_column;
  return vectors;
}

std::vector<ScoreTerm> auto_terms(const json& model) {
  const Mixture mixture = Mixture::from_json(model.at("mixture"));
  std::vector<ScoreTerm> terms;
  const auto add = [&](TermKind kind, double weight) {
    if (weight != 0.0) terms.push_back({kind, weight});
  };
  add(TermKind::vectors, mixture.vectors ? 1.0 : 0.0);
  add(TermKind::popularity, mixture.vectors ? mixture.popularity_weight : 0.0);
  add(TermKind::filter, mixture.filter_weight);
  add(TermKind::repeats, static_cast<double>(stored_repeats(model).weight));
  add(TermKind::links, static_cast<double>(stored_links(model).weight));
  return terms;
}

bool has_auto_scorer(const json& model) {
  return is_distilled(model) || Mixture::from_json(model.at("mixture")).filter_weight != 0.0 ||
         stored_repeats(model).weight != 0.0F || stored_links(model).weight != 0.0F ||
         members_of(model).size() > 1;
}

std::unique_ptr<Scorer> auto_scorer(const fs::path& model_directory, const json& model,
                                    const Dataset& dataset, const GraphOptions& options,
                                    const graph::UserItemGraph& graph, const VectorViews& trained,
                                    const Histories& histories, Backend& backend) {
  const Mixture mixture = Mixture::from_json(model.at("mixture"));
  std::shared_ptr<Scorer> filter;
  if (mixture.filter_weight != 0.0)
    filter = load_filter(model_directory, model, graph, backend, dataset.use);
  return mixed_scorer(trained, mixture, std::move(filter), stored_repeats(model),
                      link_terms(stored_links(model), dataset, options, graph), graph, histories,
                      backend);
}

}  // namespace penchant::pipeline
