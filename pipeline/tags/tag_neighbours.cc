// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/tag_neighbours.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "graph/item_graph.h"
#include "graph/user_item_graph.h"
#include "kernels/transfer.h"
#include "models/spectral.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Device;

namespace {

/// Columns of vectors that are made from rows, fewer for catalogues where 64 would take a gigabyte.
constexpr std::int64_t kMostColumns = 64, kFewestColumns = 16;
constexpr std::int64_t kMostElements = std::int64_t{1} << 24;
/// Queries to top-k at once.
constexpr std::int64_t kQueries = 1024;

/// The rows `ids` of `table`, each of length 1 or 0.
kernels::FloatMatrix unit_rows(kernels::ConstFloatView table, std::span<const NodeId> ids,
                               kernels::Backend& backend) {
  const auto count = static_cast<std::int64_t>(ids.size());
  kernels::FloatMatrix rows = backend.matrix<float>(count, table.cols);
  if (count == 0 || table.cols == 0) return rows;
  kernels::Upload<NodeId> upload;
  kernels::Vector<float> norms = backend.vector<float>(count);
  backend.gather_rows(table, upload({ids.data(), count, Device::cpu}, backend), rows.view());
  backend.normalize_rows(rows.view(), rows.view(), norms.view());
  return rows;
}

/// D_u^-1/2 A D_i^-1/2 with A the distinct pairs.
graph::Csr normalized_rows(const Dataset& dataset) {
  graph::UserItemGraph graph = graph::build_user_item_graph(
      train_and_validation(dataset), dataset.num_users(), dataset.num_items());
  graph::Csr rows = std::move(graph.user_items);
  rows.values.resize(rows.columns.size());
  for (std::int64_t user = 0; user < rows.num_rows; ++user) {
    const auto own = static_cast<float>(rows.view().row_size(user));
    for (auto e = rows.offsets[graph::at(user)]; e < rows.offsets[graph::at(user) + 1]; ++e) {
      const auto users = graph.item_users.view().row_size(rows.columns[graph::at(e)]);
      rows.values[graph::at(e)] = 1.0F / std::sqrt(own * static_cast<float>(users));
    }
  }
  return rows;
}

/// Up to kTagNeighbours of an item's strongest entries, strongest first, ties by lower id.
std::vector<std::pair<NodeId, float>> strongest(const graph::CsrView& graph, NodeId item) {
  const auto items = graph.row(item);
  const auto weights = graph.row_values(item);
  std::vector<std::pair<NodeId, float>> pairs;
  for (std::size_t e = 0; e < items.size(); ++e) pairs.emplace_back(items[e], weights[e]);
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return pairs;
}

/// Sums of weights by value. A neighbour with several values gives each its whole weight.
ValueWeights sum_by_value(const graph::CsrView& labels, NodeId item,
                          std::span<const std::pair<NodeId, float>> neighbours) {
  std::map<NodeId, float> sums;
  float largest = 0.0F;
  for (const auto& [other, weight] : neighbours) largest = std::max(largest, weight);
  for (const auto& [other, weight] : neighbours) {
    if (other == item || !(weight > 0.0F)) continue;
    for (const NodeId value : labels.row(other)) sums[value] += weight / largest;
  }
  ValueWeights result;
  for (const auto& [value, weight] : sums) {
    result.values.push_back(value);
    result.weights.push_back(weight);
  }
  return result;
}

}  // namespace

bool has_seen(const Model& model, std::string_view attribute) {
  const graph::ItemGraphOptions& options = model.graph_options().item;
  if (!options.attributes.empty())
    return std::find(options.attributes.begin(), options.attributes.end(), attribute) !=
           options.attributes.end();
  return options.all_attributes;
}

TagVectors tag_vectors(const Model& model, std::string_view attribute, graph::Seed seed) {
  kernels::Backend& backend = model.backend();
  if (model.items().cols > 0 && !has_seen(model, attribute)) {
    return {{},
            VectorViews{model.users(), model.items(), model.layout()}.without_popularity().items,
            "model"};
  }
  const Dataset& dataset = model.dataset();
  if (dataset.split.train.interactions.empty() && dataset.split.validation.empty())
    return {{}, {nullptr, dataset.num_items(), 0, 0, backend.device()}, "rows"};
  const graph::Csr rows = normalized_rows(dataset);
  const graph::Csr transposed = graph::transpose(rows.view());
  const std::int64_t smaller = std::min(dataset.num_users(), dataset.num_items());
  const std::int64_t columns =
      std::min(smaller, std::clamp(kMostElements / std::max<std::int64_t>(dataset.num_items(), 1),
                                   kFewestColumns, kMostColumns));
  const models::SingularVectors singular = models::leading_singular_vectors(
      *backend.sparse(rows.view()), *backend.sparse(transposed.view()), columns, seed, backend);
  kernels::FloatMatrix items = backend.matrix<float>(dataset.num_items(), singular.view().cols);
  backend.axpby(1.0F, singular.view(), 0.0F, items.view());
  std::vector<float> scale;
  for (const float squared : singular.squared) scale.push_back(std::sqrt(squared));
  models::scale_columns(items.view(), scale, backend);
  const kernels::ConstFloatView view = items.view();
  return {std::move(items), view, "rows"};
}

TagNeighbours::TagNeighbours(const Model& model, const TagVectors& vectors,
                             const graph::Csr& labels, std::vector<NodeId> index)
    : backend_(model.backend()), vectors_(vectors), labels_(labels), index_(std::move(index)) {
  const Dataset& dataset = model.dataset();
  graph::TrainingPart known = train_and_validation(dataset);
  // In order now; no more of them is needed, and of millions of rows it is much.
  known.interactions.time_ms = {};
  known.interactions.weight = {};
  known.interactions.event = {};
  graph::CooccurrenceOptions options;
  options.scope = known.interactions.session.empty() ? graph::CooccurrenceScope::window
                                                     : graph::CooccurrenceScope::session;
  options.top_k = kTagNeighbours;
  together_ = graph::build_cooccurrence(known, dataset.num_items(), options);
  index_vectors_ = unit_rows(vectors_.items, index_, backend_);
}

std::vector<std::array<ValueWeights, TagNeighbours::kKinds>> TagNeighbours::values_near(
    std::span<const NodeId> items) const {
  std::vector<std::array<ValueWeights, kKinds>> result(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto pairs = strongest(together_.view(), items[i]);
    result[i][0] = sum_by_value(labels_.view(), items[i], pairs);
  }
  const auto index_size = static_cast<std::int64_t>(index_.size());
  const std::int64_t columns = index_vectors_.view().cols;
  if (columns == 0 || index_size == 0) return result;
  const std::int64_t k = std::min(kTagNeighbours + 1, index_size);  // one may be the item itself
  kernels::Download<NodeId> ids_copy;
  kernels::Download<float> scores_copy;
  for (std::size_t first = 0; first < items.size(); first += kQueries) {
    const auto block = items.subspan(first, std::min<std::size_t>(kQueries, items.size() - first));
    const auto count = static_cast<std::int64_t>(block.size());
    const kernels::FloatMatrix queries = unit_rows(vectors_.items, block, backend_);
    kernels::Matrix<NodeId> ids = backend_.matrix<NodeId>(count, k);
    kernels::FloatMatrix scores = backend_.matrix<float>(count, k);
    backend_.topk(queries.view(), index_vectors_.view(), {}, ids.view(), scores.view());
    const auto host_ids = ids_copy(ids.view(), backend_);
    const auto host_scores = scores_copy(scores.view(), backend_);
    for (std::int64_t b = 0; b < count; ++b) {
      std::vector<std::pair<NodeId, float>> pairs;
      for (std::int64_t j = 0; j < k; ++j) {
        const NodeId place = host_ids.row(b)[j];
        if (place == graph::kNoNode) break;
        pairs.emplace_back(index_[graph::at(place)], host_scores.row(b)[j]);
      }
      std::erase_if(pairs, [&](const auto& pair) { return pair.first == block[graph::at(b)]; });
      result[first + graph::at(b)][1] = sum_by_value(labels_.view(), block[graph::at(b)], pairs);
    }
  }
  return result;
}

}  // namespace penchant::pipeline
