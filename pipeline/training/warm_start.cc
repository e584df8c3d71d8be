// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/warm_start.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/model_manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using nlohmann::json;

namespace {

constexpr int kSweeps = 2;  ///< over nodes that nothing is known of

/// Those that are there now, of `now` nodes the first `then` were there.
std::vector<NodeId> first_rows(std::int64_t now, std::int64_t then) {
  std::vector<NodeId> rows(at(now), graph::kNoNode);
  std::iota(rows.begin(), rows.begin() + std::min(now, then), NodeId{0});
  return rows;
}

/// The catalogue of the first items, without the texts of values.
graph::Catalog first_items(const graph::Catalog& catalog, std::int64_t num_items) {
  graph::Catalog first;
  first.num_items = num_items;
  for (const graph::Attribute& attribute : catalog.attributes) {
    graph::Attribute part;
    part.name = attribute.name;
    part.kind = attribute.kind;
    const graph::Csr& all = attribute.item_values;
    if (all.num_rows > 0) {  // numbers and texts have none
      part.item_values.num_rows = num_items;
      part.item_values.num_cols = all.num_cols;
      part.item_values.offsets.assign(all.offsets.begin(), all.offsets.begin() + num_items + 1);
      part.item_values.columns.assign(all.columns.begin(),
                                      all.columns.begin() + all.offsets[at(num_items)]);
    }
    first.attributes.push_back(std::move(part));
  }
  return first;
}

double row_length(const float* row, std::int64_t cols) {
  double squared = 0.0;
  for (std::int64_t j = 0; j < cols; ++j)
    squared += static_cast<double>(row[j]) * static_cast<double>(row[j]);
  return std::sqrt(squared);
}

}  // namespace

NodeRows rows_of_grown(const Dataset& now, const graph::ItemGraph& item_graph,
                       const graph::ItemGraphOptions& options, std::int64_t num_users,
                       std::int64_t num_items) {
  if (num_users > now.num_users() || num_items > now.num_items())
    throw InputError(
        "update: the data set has fewer users or items than the model, expected it to "
        "have grown from that of the model");
  NodeRows rows;
  rows.num_users = num_users;
  rows.num_items = num_items;
  rows.users = first_rows(now.num_users(), num_users);
  rows.items = first_rows(now.num_items(), num_items);
  graph::ItemGraphOptions attributes = options;
  attributes.cooccurrence = false;
  const graph::ItemGraph then =
      graph::build_item_graph({}, first_items(now.catalog, num_items), attributes);
  for (const graph::Relation& relation : then.relations) rows.num_hubs += relation.num_hubs;
  for (const graph::Relation& relation : item_graph.relations) {
    if (relation.num_hubs == 0) continue;
    NodeId first = 0;
    const graph::Relation* before = nullptr;
    for (const graph::Relation& other : then.relations) {
      if (other.name == relation.name) {
        before = &other;
        break;
      }
      first += static_cast<NodeId>(other.num_hubs);
    }
    for (const NodeId value : relation.hub_values) {
      NodeId row = graph::kNoNode;
      if (before != nullptr) {
        const auto& values = before->hub_values;
        const auto found = std::lower_bound(values.begin(), values.end(), value);
        if (found != values.end() && *found == value)
          row = first + static_cast<NodeId>(found - values.begin());
      }
      rows.hubs.push_back(row);
    }
  }
  return rows;
}

void no_hubs(NodeRows& rows, std::int64_t num_hubs) {
  rows.num_hubs = num_hubs;
  std::fill(rows.hubs.begin(), rows.hubs.end(), graph::kNoNode);
}

WarmStart warm_start(const fs::path& model, const NodeRows& rows) {
  const json manifest = read_manifest(model, kModelArtifact);
  WarmStart start{model, rows, {}};
  take_values(model / kManifestName, [&] {
    manifest.at("hash").get_to(start.hash);
    start.popularity_weight =
        manifest.contains("popularity_weight")
            ? number_between(manifest, "popularity_weight", -kMostWeight, kMostWeight)
            : 0.0;
    if (manifest.contains("blend")) start.blend = blend_from_json(manifest.at("blend"));
    if (manifest.contains("repeats")) start.repeats = repeats_from_json(manifest.at("repeats"));
    start.links = stored_links(manifest);
    if (manifest.contains("calibration"))
      start.calibration = calibration_from_json(manifest.at("calibration"));
  });
  return start;
}

Predecessor predecessor(const fs::path& model, const NodeRows& rows) {
  return {model, rows.users, rows.items, rows.num_users, rows.num_items};
}

FloatMatrix rows_taken(ConstFloatView before, std::span<const NodeId> rows,
                       kernels::Backend& host) {
  FloatMatrix taken = host.matrix<float>(static_cast<std::int64_t>(rows.size()), before.cols);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row] == graph::kNoNode) continue;
    std::copy_n(before.row(rows[row]), before.cols,
                taken.view().row(static_cast<std::int64_t>(row)));
  }
  return taken;
}

void fill_from_neighbours(const graph::CsrView& adjacency, std::span<const NodeId> rows,
                          ZeroRows zero_rows, FloatView table) {
  double length = 0.0;
  std::int64_t count = 0;
  std::vector<char> is_known(rows.size(), 0);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (rows[row] == graph::kNoNode) continue;
    is_known[row] = 1;
    const double of_row = row_length(table.row(static_cast<std::int64_t>(row)), table.cols);
    length += of_row;
    count += of_row > 0.0 ? 1 : 0;
  }
  if (count == 0) return;
  length /= static_cast<double>(count);
  std::vector<float> mean(at(table.cols));
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    std::vector<char> known_now = is_known;
    for (std::int64_t row = 0; row < table.rows; ++row) {
      if (is_known[at(row)] != 0) continue;
      if (zero_rows == ZeroRows::stay && row_length(table.row(row), table.cols) == 0.0) continue;
      std::fill(mean.begin(), mean.end(), 0.0F);
      const auto neighbours = adjacency.row(row);
      const auto weights = adjacency.row_values(row);
      for (std::size_t e = 0; e < neighbours.size(); ++e) {
        if (is_known[at(neighbours[e])] == 0) continue;
        const float weight = weights.empty() ? 1.0F : weights[e];
        for (std::size_t j = 0; j < mean.size(); ++j)
          mean[j] += weight * table.row(neighbours[e])[j];
      }
      const double of_mean = row_length(mean.data(), table.cols);
      if (of_mean == 0.0) continue;
      for (std::size_t j = 0; j < mean.size(); ++j)
        table.row(row)[j] = static_cast<float>(static_cast<double>(mean[j]) * length / of_mean);
      known_now[at(row)] = 1;
    }
    is_known = std::move(known_now);
  }
}

}  // namespace penchant::pipeline
