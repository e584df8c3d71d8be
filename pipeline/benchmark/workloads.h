// SPDX-License-Identifier: Apache-2.0
// The workloads of `penchant bench`: what each allocates, does once, counts, and how its result is
// verified.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "graph/interactions.h"
#include "kernels/backend.h"
#include "pipeline/benchmark/bench.h"

namespace penchant::pipeline {

/// A graph in memory, in one node order.
struct BenchGraph {
  graph::Csr adjacency;
  std::vector<std::uint8_t> is_item;  ///< [N], or empty: nodes are of one kind, all count as items
};

/// What one call of run() does.
struct BenchWork {
  std::string unit;
  double count = 0;
  double flops = 0, gathered_bytes = 0, compulsory_bytes = 0;
};

class Workload {
 public:
  virtual ~Workload() = default;
  virtual void run() = 0;
  /// Runs once and compares; returns what was compared. Throws DeviceError.
  virtual std::string verify() = 0;
  virtual BenchWork work() const = 0;
  /// For the last column of the table.
  virtual std::string note() const { return {}; }
};

/// What a workload runs on; references outlive it.
struct BenchContext {
  const BenchOptions& options;
  const BenchCase& what;
  const BenchGraph& graph;              ///< empty for ingest and graph_build
  const kernels::SparseMatrix* sparse;  ///< of graph.adjacency; null where there is none
  const graph::TrainingPart* events;    ///< of graph_build
  std::int64_t num_users, num_items;    ///< of events
  kernels::Backend& backend;
};
std::unique_ptr<Workload> make_workload(const BenchContext& context);

/// Whether it works on a graph, on a table of embeddings, and on which backend's device.
struct WorkloadTraits {
  bool needs_graph, has_dim, on_device, needs_symmetric, takes_bf16;
};
WorkloadTraits traits_of(BenchWorkload workload);

/// Threads of the CPU backend.
std::int64_t thread_count(const BenchOptions& options);

/// Arrays that a workload takes beside the graph, before anything is allocated.
std::vector<BenchArray> workload_arrays(const BenchOptions& options, const BenchCase& what);

}  // namespace penchant::pipeline
