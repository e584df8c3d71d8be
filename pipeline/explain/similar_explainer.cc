// SPDX-License-Identifier: Apache-2.0
// Why two items are near each other: the other item's vector by the last hop of its encoder, in the
// direction of the item's.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/explain/explainer_impl.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

/// Both have them.
std::vector<NodeId> common(std::span<const NodeId> a, std::span<const NodeId> b) {
  std::vector<NodeId> shared;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(shared));
  return shared;
}

}  // namespace

SimilarExplanation Explainer::of_similar(std::string_view raw_item, std::string_view raw_other) {
  Impl& impl = *impl_;
  const Model& model = impl.model;
  require_vectors(model, "explain --similar");
  SimilarExplanation explanation;
  explanation.item = find_raw(model.dataset().items, raw_item, "item");
  explanation.other = find_raw(model.dataset().items, raw_other, "item");
  if (explanation.item == explanation.other)
    throw InputError("--similar is the item itself, expected another one");
  const std::vector<float> vector = row_of_table(model.items(), explanation.item, model.backend());
  const std::vector<float> other = row_of_table(model.items(), explanation.other, model.backend());
  const double lengths = std::sqrt(inner_product(vector, vector) * inner_product(other, other));
  const double scale = lengths > 0.0 ? 1.0 / lengths : 0.0;
  explanation.cosine = scale * inner_product(vector, other);
  const VectorLayout& layout = model.layout();
  const auto part = [&](std::int64_t first, std::int64_t count) {
    return scale * inner_product(std::span(vector).subspan(at(first), at(count)),
                                 std::span(other).subspan(at(first), at(count)));
  };
  explanation.new_items = part(layout.embedding_dim, layout.new_item_columns);
  if (layout.popularity_column) explanation.popularity = part(layout.width() - 1, 1);
  double explained = explanation.new_items + explanation.popularity;
  if (impl.vectors->is_encoder()) {
    const EncoderHops& hops = impl.vectors->hops();
    const std::int64_t node = hops.item_node(explanation.other);
    if (hops.has_users(explanation.other)) {
      const std::span<const float> own(other.data(), at(layout.embedding_dim));
      const double length = hops.normalizes() ? hops.hop(node, hops.project(own)).total() : 1.0;
      const auto on_item =
          hops.project(std::span<const float>(vector).first(at(layout.embedding_dim)));
      explanation.paths = paths_of(hops, hops.hop(node, on_item), scale / std::max(length, 1e-12),
                                   explanation.item);
    } else {
      explanation.paths = {{"attributes, by regression", "", part(0, layout.embedding_dim)}};
    }
    std::stable_sort(explanation.paths.begin(), explanation.paths.end(),
                     [](const PathShare& a, const PathShare& b) { return a.share > b.share; });
    for (const PathShare& path : explanation.paths) explained += path.share;
  }
  explanation.residual = explanation.cosine - explained;
  for (const graph::Attribute& attribute : impl.catalog().attributes) {
    const graph::CsrView values = attribute.item_values.view();
    if (values.num_rows == 0) continue;
    for (const NodeId value : common(values.row(explanation.item), values.row(explanation.other)))
      explanation.attributes.push_back(
          {attribute.name, value_text(attribute, value, impl.model.dataset()), 2, 0.0});
  }
  const graph::CsrView users = impl.links().item_users.view();
  explanation.num_shared_users = static_cast<std::int64_t>(
      common(users.row(explanation.item), users.row(explanation.other)).size());
  return explanation;
}

}  // namespace penchant::pipeline
