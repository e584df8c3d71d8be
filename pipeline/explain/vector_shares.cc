// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/vector_shares.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/graph_filter.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/explain/left_out.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/model/people_vectors.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using models::ModelKind;
using nlohmann::json;

namespace {

/// Of the integration, in the larger of the products at its ends.
constexpr double kGradientTolerance = 1e-3;

}  // namespace

Histories Person::history(std::span<const std::size_t> without) const {
  if (without.empty()) return history_of_events(events, known);
  std::vector<PersonEvent> kept;
  for (std::size_t event = 0; event < events.size(); ++event) {
    const bool is_left_out =
        std::find(without.begin(), without.end(), item_of[event]) != without.end();
    if (!is_left_out) kept.push_back(events[event]);
  }
  return history_of_events(kept, known);
}

std::vector<float> row_of_table(kernels::ConstFloatView table, NodeId id,
                                kernels::Backend& backend) {
  kernels::Download<float> download;
  const kernels::ConstFloatView row = download(table.rows_of(id, 1), backend);
  return {row.row(0), row.row(0) + row.cols};
}

double inner_product(std::span<const float> x, std::span<const float> y) {
  double sum = 0.0;
  for (std::size_t j = 0; j < x.size(); ++j)
    sum += static_cast<double>(x[j]) * static_cast<double>(y[j]);
  return sum;
}

std::vector<PathShare> paths_of(const EncoderHops& hops, const Hop& hop, double share,
                                NodeId beside) {
  std::map<std::pair<std::string, std::string>, double> sums;
  for (const Hop::Message& message : hop.neighbours) {
    const EncoderHops::Node node = hops.what_is(message.node);
    switch (node.kind) {
      case graph::NodeKind::user:
        sums[{"users", ""}] += share * message.share;
        break;
      case graph::NodeKind::item:
        sums[{node.id == beside ? "co-occurrence of both" : "co-occurrence", ""}] +=
            share * message.share;
        break;
      case graph::NodeKind::hub:
        sums[{node.relation, node.value}] += share * message.share;
        break;
    }
  }
  if (const double own = hop.own + hop.constant; own != 0.0) sums[{"own", ""}] += share * own;
  std::vector<PathShare> paths;
  for (const auto& [name, sum] : sums) paths.push_back({name.first, name.second, sum});
  return paths;
}

std::vector<std::vector<double>> filter_shares(models::Scorer& filter, const graph::CsrView& row,
                                               std::span<const NodeId> items,
                                               std::span<const double> item_degrees, double power,
                                               kernels::Backend& backend) {
  const auto count = static_cast<std::int64_t>(items.size());
  std::vector<graph::EdgeOffset> offsets;
  for (std::int64_t k = 0; k <= count; ++k) offsets.push_back(k);
  kernels::FloatMatrix response = backend.matrix<float>(row.num_cols, count);
  filter.score_people({{count, row.num_cols, offsets, items, {}}, {}, {}, {}}, backend,
                      response.view());
  kernels::Download<float> download;
  const kernels::ConstFloatView host = download(kernels::ConstFloatView(response.view()), backend);
  backend.sync();
  std::vector<std::vector<double>> shares;
  for (std::int64_t k = 0; k < count; ++k) {
    const double own = item_degrees[static_cast<std::size_t>(items[at(k)])];
    std::vector<double>& of_item = shares.emplace_back(row.columns.size(), 0.0);
    for (std::size_t e = 0; e < of_item.size(); ++e) {
      const double degree = item_degrees[static_cast<std::size_t>(row.columns[e])];
      if (own == 0.0 || degree == 0.0) continue;
      of_item[e] = static_cast<double>(row.value(static_cast<graph::EdgeOffset>(e))) *
                   std::pow(own / degree, power) * static_cast<double>(host(row.columns[e], k));
    }
  }
  return shares;
}

VectorShares::VectorShares(const Model& model)
    : model_(model),
      manifest_(read_manifest(model.directory(), kModelArtifact)),
      facts_(model_facts(model.directory(), manifest_)) {
  if (facts_.kind != ModelKind::automatic) return;
  const json& stored = manifest_.at("model");
  if (is_distilled(stored) || !has_term(facts_.terms, TermKind::vectors)) return;
  member_ = Model::open(model.directory() / members_of(stored).front().folder, model.dataset(),
                        model.backend());
  of_member_ = std::make_unique<VectorShares>(*member_);
}

VectorShares::~VectorShares() = default;

bool VectorShares::is_encoder() const {
  return facts_.kind == ModelKind::lightgcn || facts_.kind == ModelKind::gcn ||
         facts_.kind == ModelKind::node_weighted || (of_member_ && of_member_->is_encoder());
}

const EncoderHops& VectorShares::hops() {
  if (of_member_) return of_member_->hops();
  if (!hops_) {
    hops_.emplace(model_.directory(), manifest_, model_.dataset(), facts_.graph_options,
                  facts_.saw_validation ? KnownPart::train_and_validation : KnownPart::train,
                  model_.backend());
  }
  return *hops_;
}

TermShares VectorShares::of(const Person& person, NodeId item, Paths paths) {
  if (of_member_) return of_member_->of(person, item, paths);
  kernels::Backend& backend = model_.backend();
  const VectorLayout& layout = model_.layout();
  TermShares shares;
  shares.items.assign(person.items.size(), 0.0);
  const std::vector<float> vector = row_of_table(model_.items(), item, backend);
  const std::span<const float> embedding(vector.data(), at(layout.embedding_dim));
  std::vector<float> user;
  if (person.user != graph::kNoNode) {
    user = row_of_table(model_.users(), person.user, backend);
  } else {
    const kernels::FloatMatrix folded = model_.history_vectors_one_by_one(person.history());
    user = row_of_table(folded.view(), 0, backend);
  }
  const auto columns = [&](const std::vector<float>& row) {
    return std::span(row).subspan(at(layout.embedding_dim), at(layout.new_item_columns));
  };
  shares.part(PartKind::new_items) = inner_product(columns(user), columns(vector));
  user.resize(embedding.size());
  const bool is_filter =
      facts_.kind == ModelKind::graph_filter ||
      (facts_.kind == ModelKind::automatic && !is_distilled(manifest_.at("model")));
  if (facts_.kind == ModelKind::interest) {
    add_gradients(person, embedding, shares);
  } else if (is_filter) {
    add_filter_vectors(person, embedding, shares);
  } else if (is_encoder() && person.user != graph::kNoNode) {
    add_hops(person, item, user, embedding, paths, shares);
  } else {
    add_left_out(person, embedding, shares);
    double sum = 0.0;
    for (const double share : shares.items) sum += share;
    shares.part(PartKind::beyond_history) = inner_product(user, embedding) - sum;
  }
  return shares;
}

/// A user's vector is e_u / |e_u| where the model normalises, and |e_u| = <e_u, e_u / |e_u|>.
void VectorShares::add_hops(const Person& person, NodeId item, std::span<const float> user,
                            std::span<const float> vector, Paths paths, TermShares& shares) {
  const EncoderHops& of = hops();
  if (!of.has_links(person.user)) {
    shares.part(PartKind::mean_user) += inner_product(user, vector);
    return;
  }
  const EncoderHops::Projection on_item = of.project(vector);
  if (projected_ != person.user) on_user_ = of.project(user);
  projected_ = person.user;
  const EncoderHops::Projection& on_user = on_user_;
  const auto share_of = [&](std::int64_t node, const EncoderHops::Projection& on_itself) {
    return of.normalizes() ? 1.0 / std::max(of.hop(node, on_itself).total(), 1e-12) : 1.0;
  };
  const double share = share_of(of.user_node(person.user), on_user);
  const Hop hop = of.hop(of.user_node(person.user), on_item);
  std::map<NodeId, std::size_t> places;
  for (std::size_t place = 0; place < person.items.size(); ++place)
    places[person.items[place].item] = place;
  shares.part(PartKind::own_vector) += share * (hop.own + hop.constant);
  for (const Hop::Message& message : hop.neighbours) {
    const EncoderHops::Node node = of.what_is(message.node);
    const auto place = node.kind == graph::NodeKind::item ? places.find(node.id) : places.end();
    if (node.kind == graph::NodeKind::user) {
      shares.part(PartKind::friends) += share * message.share;
    } else if (place == places.end()) {
      shares.part(PartKind::own_vector) += share * message.share;
    } else {
      shares.items[place->second] += share * message.share;
    }
  }
  if (paths == Paths::no) return;
  if (!of.has_users(item)) {
    shares.paths = {{"attributes, by regression", "", inner_product(user, vector)}};
    return;
  }
  shares.paths =
      paths_of(of, of.hop(of.item_node(item), on_user), share_of(of.item_node(item), on_item));
}

void VectorShares::add_gradients(const Person& person, std::span<const float> vector,
                                 TermShares& shares) {
  auto* const network = dynamic_cast<TrainedInterest*>(model_.interest());
  PENCHANT_ASSERT(network != nullptr);
  shares.method = ShareMethod::integrated_gradients;
  const EventGradients gradients =
      network->integrated_gradients(person.history(), vector, kGradientTolerance, model_.backend());
  shares.part(PartKind::no_history) += gradients.at_zero;
  for (std::size_t event = 0; event < gradients.events.size(); ++event)
    shares.items[person.item_of[event]] += gradients.events[event];
}

/// A filter's vectors are linear in the row, whose columns are scored one at a time.
void VectorShares::add_filter_vectors(const Person& person, std::span<const float> vector,
                                      TermShares& shares) {
  const Dataset& dataset = model_.dataset();
  kernels::Backend& backend = model_.backend();
  if (filter_ == nullptr) {
    const graph::UserItemGraph links = make_known_links(
        dataset, facts_.saw_validation ? KnownPart::train_and_validation : KnownPart::train,
        facts_.graph_options);
    filter_ = load_filter(model_.directory(), manifest_.at("model"), links, backend, dataset.use);
    user_items_ = links.user_items;
  }
  graph::Csr row;
  if (person.user != graph::kNoNode) {
    const NodeId users[] = {person.user};
    row = graph::select_rows(user_items_.view(), users);
  } else {
    row = rows_of_events(person.history(), dataset.num_items(), facts_.graph_options.user_item);
  }
  if (row.columns.empty()) {
    shares.part(PartKind::mean_user) +=
        inner_product(row_of_table(model_.users(), person.user, backend), vector);
    return;
  }
  graph::Csr single = {
      static_cast<std::int64_t>(row.columns.size()), row.num_cols, {0}, row.columns, row.values};
  for (std::size_t k = 0; k < row.columns.size(); ++k)
    single.offsets.push_back(static_cast<graph::EdgeOffset>(k) + 1);
  const kernels::FloatMatrix vectors =
      filter_->vectors_of(single.view(), static_cast<std::int64_t>(vector.size()), backend);
  kernels::Download<float> download;
  const kernels::ConstFloatView host = download(kernels::ConstFloatView(vectors.view()), backend);
  std::map<NodeId, double> by_item;
  for (std::size_t k = 0; k < row.columns.size(); ++k) {
    const auto place = static_cast<std::int64_t>(k);
    by_item[row.columns[k]] = inner_product({host.row(place), at(host.cols)}, vector);
  }
  for (std::size_t place = 0; place < person.items.size(); ++place) {
    const auto found = by_item.find(person.items[place].item);
    if (found != by_item.end()) shares.items[place] += found->second;
  }
}

void VectorShares::add_left_out(const Person& person, std::span<const float> vector,
                                TermShares& shares) {
  shares.method = ShareMethod::leave_one_out;
  if (left_out_ == nullptr || !left_out_->is_of(person))
    left_out_ = std::make_unique<LeftOut>(person, model_);
  const std::vector<double> found = left_out_->shares(vector);
  for (std::size_t place = 0; place < found.size(); ++place) shares.items[place] += found[place];
  shares.num_unexplained = left_out_->num_unexplained();
}

}  // namespace penchant::pipeline
