// SPDX-License-Identifier: Apache-2.0
// `penchant bench`: the throughput of graph work on generated and on given graphs. Every case is
// planned (bytes of each array) before anything is allocated, verified against plain loops in
// double before it is timed (bench_oracle.h), and judged by the machine's own rates
// (bench_machine.h).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/enum_names.h"
#include "graph/read_graph.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/benchmark/machine.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// spmm              Y = A X
/// gcn_layer         H' = leaky_relu(A H W + b) (Kipf and Welling 2017)
/// lightgcn_forward  mean of A^l X, l = 0 .. L (He et al. 2020)
/// forward_backward  the same and its gradient
/// training_step     forward, BPR loss of one batch, backward, Adam
/// embedding         forward and vectors of length 1: every user and item of the catalogue
/// topk              the K best of all items for a batch of users
/// ingest            a generated shop's CSV to X.data
/// graph_build       events to user-item graph, its transpose and the co-occurrence graph
/// partition         METIS
enum class BenchWorkload : std::uint8_t {
  spmm,
  gcn_layer,
  lightgcn_forward,
  forward_backward,
  training_step,
  embedding,
  topk,
  ingest,
  graph_build,
  partition
};
constexpr auto enum_words(BenchWorkload) {
  return std::to_array<EnumWord<BenchWorkload>>(
      {{BenchWorkload::spmm, "spmm"},
       {BenchWorkload::gcn_layer, "gcn_layer"},
       {BenchWorkload::lightgcn_forward, "lightgcn_forward"},
       {BenchWorkload::forward_backward, "forward_backward"},
       {BenchWorkload::training_step, "training_step"},
       {BenchWorkload::embedding, "embedding"},
       {BenchWorkload::topk, "topk"},
       {BenchWorkload::ingest, "ingest"},
       {BenchWorkload::graph_build, "graph_build"},
       {BenchWorkload::partition, "partition"}});
}
enum class BenchType : std::uint8_t { f32, bf16 };
constexpr auto enum_words(BenchType) {
  return std::to_array<EnumWord<BenchType>>({{BenchType::f32, "f32"}, {BenchType::bf16, "bf16"}});
}

/// Lists are swept: one row for every combination that has a meaning.
struct BenchOptions {
  std::vector<BenchWorkload> workloads = {BenchWorkload::spmm};
  std::vector<std::string> graphs = {"rmat"};  ///< rmat, bipartite, lattice, or a path
  graph::GraphFormat format = graph::GraphFormat::automatic;
  std::vector<int> scales = {16};
  std::vector<std::int64_t> edge_factors = {16};
  std::vector<std::int64_t> dims = {64};
  std::vector<BenchType> types = {BenchType::f32};
  std::vector<kernels::DeviceChoice> devices = {kernels::DeviceChoice::automatic};
  std::vector<kernels::SpmmVariant> variants = {kernels::SpmmVariant::own};
  std::vector<NodeOrder> orders = {NodeOrder::none};
  std::vector<std::int64_t> parts = {8};  ///< of partition, and of the METIS order
  std::int64_t layers = 3;
  std::int64_t batch = 2048;        ///< rows of a training step, queries of topk
  std::int64_t k = 20;              ///< of topk
  std::int64_t events = 1'000'000;  ///< of ingest and graph_build
  std::int64_t repetitions = 10;
  std::int64_t warmup = 1;    ///< repetitions that do not count
  double min_seconds = 0.05;  ///< a repetition lasts; short work is repeated within it
  std::int64_t memory = 0;    ///< bytes that the process may have; 0: memory_limit() says
  int num_threads = 0;        ///< 0: all cores
  graph::Seed seed{42};
};

/// When an array is held. program: always; rates: before everything else; graph: from then on; the
/// others one phase after another.
enum class BenchPhase : std::uint8_t { program, rates, graph, load, order, run };
struct BenchArray {
  std::string name;
  std::int64_t bytes;
  BenchPhase phase;
};

/// One combination: what it is called, and what it needs.
struct BenchCase {
  BenchWorkload workload;
  std::string graph;  ///< name for people
  std::size_t graph_index = 0;
  NodeOrder order = NodeOrder::none;
  kernels::DeviceChoice device = kernels::DeviceChoice::automatic;
  kernels::SpmmVariant variant = kernels::SpmmVariant::own;
  BenchType type = BenchType::f32;
  std::int64_t dim = 0;                         ///< 0: has none
  std::int64_t parts = 0;                       ///< 0: has none
  std::int64_t num_nodes = 0, num_entries = 0;  ///< as planned; 0: none
  bool exact_size = false;
  MachineSizes rates;  ///< what the machine's rates are measured with
  std::vector<BenchArray> arrays;
  std::int64_t total_bytes = 0;   ///< the most that is held together
  std::int64_t export_bytes = 0;  ///< the same, if nothing is done but loading and ordering
};

struct BenchRow {
  BenchCase what;
  std::string device;  ///< Backend::description
  kernels::Device ran_on = kernels::Device::cpu;
  std::int64_t num_nodes = 0, num_entries = 0;
  std::int64_t iterations = 0;  ///< in a repetition
  std::int64_t repetitions = 0;
  double median_seconds = 0, minimum_seconds = 0, maximum_seconds = 0;
  double spread = 0;  ///< (third quartile - first quartile) / median
  std::string unit;   ///< what `rate` counts: "edges", "scores", "events"
  double rate = 0;    ///< a second
  double flops = 0, gathered_bytes = 0, compulsory_bytes = 0;  ///< a second; 0: has none
  double roofline = 0;       ///< attainable time / median; 0: has none
  double order_seconds = 0;  ///< finding the order and renumbering the graph
  std::int64_t peak_bytes = 0;
  std::string verified;  ///< what was compared with the oracle
  std::string note;
  MachineRates rates;
};

/// The cases of a sweep, with what each needs. `skipped` gets combinations without meaning.
/// Throws InputError: unreadable graphs, options out of range, nothing left.
std::vector<BenchCase> plan_bench(const BenchOptions& options, std::vector<std::string>& skipped);

/// options.memory, or else what the process has and may still take.
std::int64_t memory_limit(const BenchOptions& options);

/// Takes out the cases whose plan is larger than `limit`, and says of each what it needs.
std::vector<std::string> take_out_too_large(std::vector<BenchCase>& cases, std::int64_t limit);

/// Throws NotEnoughMemory with the numbers if loading and ordering the graph needs more than
/// `limit`.
void require_export(const BenchCase& what, std::int64_t limit);

/// Measures the machine, runs the cases in their order and hands over each row when it is there;
/// false if it was asked to stop (Progress::stop_requested). Throws DeviceError when a result is
/// not that of the oracle.
bool run_bench(const BenchOptions& options, const std::vector<BenchCase>& cases,
               const std::function<void(const BenchRow&)>& emit, Progress& progress);

}  // namespace penchant::pipeline
