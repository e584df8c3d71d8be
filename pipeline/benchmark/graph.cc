// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/graph.h"

#include <algorithm>
#include <chrono>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/lattice.h"
#include "graph/normalize.h"
#include "graph/npy.h"
#include "graph/propagation_graph.h"
#include "graph/rmat.h"
#include "partition/partition.h"
#include "pipeline/artifact/folder.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/npy_file.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;

namespace {

GraphSource generated(GraphSource::Kind kind, int scale, std::int64_t edge_factor) {
  const char* name = "rmat";
  int least_scale = 0;
  int most_log_factor = 20;
  if (kind == GraphSource::Kind::bipartite) {
    name = "bipartite";
    least_scale = 1;
  } else if (kind == GraphSource::Kind::lattice) {
    name = "lattice";
    most_log_factor = 10;
  }
  if (scale < least_scale || scale > 30)
    throw InputError(
        fmt::format("bench: --scale {} of {}, expected {} to 30", scale, name, least_scale));
  if (edge_factor < 1 || edge_factor > (std::int64_t{1} << most_log_factor))
    throw InputError(fmt::format("bench: --edge-factor {} of {}, expected 1 to 2^{}", edge_factor,
                                 name, most_log_factor));
  GraphSource source;
  source.kind = kind;
  source.name = fmt::format("{} 2^{} x {}", name, scale, edge_factor);
  source.scale = scale;
  source.edge_factor = edge_factor;
  source.extent.num_nodes = std::int64_t{1} << scale;
  source.extent.num_entries = 2 * source.extent.num_nodes * edge_factor;
  source.extent.reading_bytes = 16 * source.extent.num_nodes;
  return source;
}

GraphSource given(const std::string& text, graph::GraphFormat format) {
  GraphSource source;
  source.path = text;
  fs::path name = source.path;
  if (!name.has_filename()) name = name.parent_path();
  source.name = name.filename().string();
  if (!fs::exists(source.path)) {
    throw InputError(fmt::format(
        "{}: no such file or folder, expected rmat, bipartite, lattice or the path of a graph",
        text));
  }
  if (fs::is_directory(source.path) && is_finished(source.path, kDataArtifact)) {
    source.kind = GraphSource::Kind::data;
    const nlohmann::json facts = read_manifest(source.path, "data");
    take_values(source.path / kManifestName, [&] {
      const auto items = facts.at("num_items").get<std::int64_t>();
      constexpr std::int64_t kLinksAnItem = 60;  // attributes and co-occurrence, about
      source.extent.num_nodes = facts.at("num_users").get<std::int64_t>() + items;
      source.extent.num_entries =
          2 * facts.at("num_train").get<std::int64_t>() + kLinksAnItem * items;
    });
    source.extent.reading_bytes = 40 * source.extent.num_entries;
  } else {
    source.kind = GraphSource::Kind::file;
    source.extent = graph::graph_extent(source.path, format);
  }
  return source;
}

BenchGraph load_data(const fs::path& path) {
  const Dataset dataset = read_dataset(path);
  const Graphs graphs = make_graphs(dataset.split.train, dataset, {});
  graph::PropagationGraph propagation =
      graph::build_propagation_graph(graphs.user_item, graphs.item);
  BenchGraph result;
  result.adjacency = std::move(propagation.adjacency);
  result.is_item.assign(static_cast<std::size_t>(result.adjacency.num_rows), 0);
  std::fill_n(result.is_item.begin() + propagation.num_users, propagation.num_items,
              std::uint8_t{1});
  return result;
}

}  // namespace

std::vector<GraphSource> graph_sources(const BenchOptions& options) {
  std::vector<GraphSource> sources;
  for (const std::string& graph : options.graphs) {
    auto kind = GraphSource::Kind::rmat;
    if (graph == "bipartite") {
      kind = GraphSource::Kind::bipartite;
    } else if (graph == "lattice") {
      kind = GraphSource::Kind::lattice;
    } else if (graph != "rmat") {
      sources.push_back(given(graph, options.format));
      continue;
    }
    for (const int scale : options.scales) {
      for (const std::int64_t edge_factor : options.edge_factors)
        sources.push_back(generated(kind, scale, edge_factor));
    }
  }
  return sources;
}

BenchGraph load_graph(const GraphSource& source, const BenchOptions& options) {
  BenchGraph result;
  switch (source.kind) {
    case GraphSource::Kind::rmat:
      result.adjacency = graph::generate_rmat({.scale = source.scale,
                                               .edge_factor = source.edge_factor,
                                               .scramble = true,
                                               .seed = options.seed});
      break;
    case GraphSource::Kind::bipartite:
      result.adjacency = graph::generate_bipartite(
          {.scale = source.scale, .edge_factor = source.edge_factor, .seed = options.seed});
      result.is_item.assign(static_cast<std::size_t>(result.adjacency.num_rows), 0);
      std::fill(result.is_item.begin() + result.adjacency.num_rows / 2, result.is_item.end(),
                std::uint8_t{1});
      break;
    case GraphSource::Kind::lattice:
      result.adjacency =
          graph::generate_lattice({.scale = source.scale, .edge_factor = source.edge_factor});
      break;
    case GraphSource::Kind::file:
      result.adjacency = graph::read_graph(source.path, options.format);
      break;
    case GraphSource::Kind::data:
      return load_data(source.path);
  }
  if (result.adjacency.columns.empty())
    throw InputError(fmt::format("bench: {} has no edge", source.name));
  if (result.adjacency.values.empty()) graph::normalize_symmetric_in_place(result.adjacency);
  return result;
}

double order_nodes(BenchGraph& graph, NodeOrder order, std::int64_t num_parts, graph::Seed seed) {
  if (order == NodeOrder::none) return 0.0;
  const auto start = std::chrono::steady_clock::now();
  std::vector<NodeId> nodes;
  if (order == NodeOrder::degree) {
    nodes = graph::degree_order(graph.adjacency.view());
  } else {
    partition::PartitionOptions options;
    options.num_parts = num_parts;
    options.seed = seed;
    const std::vector<NodeId> parts = partition::partition_nodes(graph.adjacency.view(), options);
    nodes = partition::part_order(graph.adjacency.view(), parts, num_parts);
  }
  graph.adjacency = graph::reorder_symmetric(graph.adjacency.view(), nodes);
  if (!graph.is_item.empty()) {
    std::vector<std::uint8_t> flags;
    for (const NodeId node : nodes) flags.push_back(graph.is_item[static_cast<std::size_t>(node)]);
    graph.is_item = std::move(flags);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void export_graph(const BenchOptions& options, const fs::path& folder) {
  const std::vector<GraphSource> sources = graph_sources(options);
  if (sources.size() != 1 || options.orders.size() != 1)
    throw InputError(fmt::format("bench: --export of {} graphs in {} orders, expected one of each",
                                 sources.size(), options.orders.size()));
  BenchGraph graph = load_graph(sources[0], options);
  order_nodes(graph, options.orders[0], options.parts.at(0), options.seed);
  create_folder(folder);
  write_npy_file(folder / "offsets.npy", graph.adjacency.offsets);
  write_npy_file(folder / "columns.npy", graph.adjacency.columns);
  write_npy_file(folder / "values.npy", graph.adjacency.values);
}

std::vector<BenchArray> graph_arrays(const GraphSource& source, NodeOrder order) {
  const std::int64_t nodes = source.extent.num_nodes;
  const std::int64_t entries = source.extent.num_entries;
  const bool has_kinds =
      source.kind == GraphSource::Kind::bipartite || source.kind == GraphSource::Kind::data;
  std::vector<BenchArray> arrays = {{"offsets, int64 [N + 1]", 8 * (nodes + 1), BenchPhase::graph},
                                    {"columns, int32 [E]", 4 * entries, BenchPhase::graph},
                                    {"values, float32 [E]", 4 * entries, BenchPhase::graph}};
  if (has_kinds) arrays.push_back({"user or item, uint8 [N]", nodes, BenchPhase::graph});
  // After reading: degrees for the normalisation, or places for the check of the symmetry.
  arrays.push_back({"while it is loaded and checked",
                    std::max(source.extent.reading_bytes, 8 * nodes), BenchPhase::load});
  if (order == NodeOrder::none) return arrays;
  arrays.push_back({"graph in the new order", 8 * (nodes + 1) + 8 * entries, BenchPhase::order});
  arrays.push_back({"new numbers of the nodes", 24 * nodes, BenchPhase::order});
  if (order == NodeOrder::metis)
    arrays.push_back({"METIS and its copy, about",
                      4 * entries + 12 * nodes + metis_bytes(entries, nodes), BenchPhase::order});
  return arrays;
}

// Its coarser graphs hardly shrink on R-MAT: 61 bytes an entry at 2^18 nodes and 7.6 million
// entries.
std::int64_t metis_bytes(std::int64_t entries, std::int64_t nodes) {
  return 72 * entries + 256 * nodes;
}

}  // namespace penchant::pipeline
