// SPDX-License-Identifier: Apache-2.0
// Where the graphs of `penchant bench` come from: generators, files, and data sets.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/benchmark/bench.h"
#include "pipeline/benchmark/workloads.h"
#include "pipeline/data/dataset.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

struct GraphSource {
  enum class Kind { rmat, bipartite, lattice, file, data };
  Kind kind = Kind::rmat;
  std::string name;  ///< for people
  int scale = 0;
  std::int64_t edge_factor = 0;
  std::filesystem::path path;
  graph::GraphExtent extent;
};

/// One source for each graph of the options, generated ones for each scale and edge factor. Throws
/// InputError: no such file, a scale out of range.
std::vector<GraphSource> graph_sources(const BenchOptions& options);

/// Reads or generates; normalises what has no values (D^-1/2 A D^-1/2).
BenchGraph load_graph(const GraphSource& source, const BenchOptions& options);

/// Renumbers the nodes; returns the seconds that finding the order and renumbering took.
double order_nodes(BenchGraph& graph, NodeOrder order, std::int64_t num_parts, graph::Seed seed);

/// Writes the graph of the options' one source in its one order as offsets.npy, columns.npy and
/// values.npy, which `penchant bench -g` and numpy read. Throws InputError if there are several.
void export_graph(const BenchOptions& options, const std::filesystem::path& folder);

/// Arrays that loading and ordering take.
std::vector<BenchArray> graph_arrays(const GraphSource& source, NodeOrder order);

/// About what METIS takes beside the copy that it is given.
std::int64_t metis_bytes(std::int64_t entries, std::int64_t nodes);

}  // namespace penchant::pipeline
