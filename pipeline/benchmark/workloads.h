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

/// The workloads/*.cc; the others: stages.h.
std::unique_ptr<Workload> make_spmm(const BenchContext& context);
std::unique_ptr<Workload> make_gcn_layer(const BenchContext& context);
std::unique_ptr<Workload> make_lightgcn_forward(const BenchContext& context);
std::unique_ptr<Workload> make_forward_backward(const BenchContext& context);
std::unique_ptr<Workload> make_training_step(const BenchContext& context);
std::unique_ptr<Workload> make_embedding(const BenchContext& context);
std::unique_ptr<Workload> make_topk(const BenchContext& context);

/// What a workload works on.
struct WorkloadTraits {
  bool needs_graph = false;
  bool has_dim = false;    ///< a table of embeddings
  bool on_device = false;  ///< of the backend
  bool needs_symmetric = false;
  bool takes_bf16 = false;
};
WorkloadTraits traits_of(BenchWorkload workload);

}  // namespace penchant::pipeline
