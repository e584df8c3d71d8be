// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/memory_plan.h"

#include <algorithm>

#include <omp.h>

#include "pipeline/benchmark/graph.h"

namespace penchant::pipeline {

std::int64_t thread_count(const BenchOptions& options) {
  return options.num_threads > 0 ? options.num_threads : omp_get_num_procs();
}

namespace {

/// As CpuBackend allocates a matrix: rows of whole cache lines, large ones of whole huge pages.
std::int64_t table_bytes(std::int64_t rows, std::int64_t cols, std::int64_t element_bytes) {
  constexpr std::int64_t kLine = 64;
  constexpr std::int64_t kHugePage = std::int64_t{2} << 20;
  const std::int64_t bytes = rows * ((cols * element_bytes + kLine - 1) / kLine * kLine);
  return bytes < 2 * kHugePage ? bytes : (bytes + kHugePage - 1) / kHugePage * kHugePage;
}

/// As kernels/cpu/topk.cc: a thread has 128 queries' scores of 768 items, the items of a last tile
/// that is filled up, and the best of each query, whose list is copied as it grows.
std::int64_t topk_threads_bytes(const BenchOptions& options, std::int64_t dim) {
  constexpr std::int64_t kItems = 768;
  const std::int64_t queries = std::min<std::int64_t>(options.batch, 128);
  return thread_count(options) * (4 * kItems * (queries + dim) + 16 * queries * options.k);
}

}  // namespace

std::vector<BenchArray> workload_arrays(const BenchOptions& options, const BenchCase& what) {
  const std::int64_t nodes = what.num_nodes;
  const std::int64_t table = table_bytes(nodes, what.dim, 4);
  const std::int64_t layers = std::clamp<std::int64_t>(options.layers - 1, 0, 2);
  const std::int64_t oracle = 3 * 16 * nodes;
  std::vector<BenchArray> arrays;
  const auto add = [&](const char* name, std::int64_t bytes, BenchPhase phase = BenchPhase::run) {
    if (bytes > 0) arrays.push_back({name, bytes, phase});
  };
  switch (what.workload) {
    case BenchWorkload::spmm:
      add("x [N x D]", table);
      add("y [N x D]", table);
      if (what.type == BenchType::bf16) add("x in bf16", table_bytes(nodes, what.dim, 2));
      break;
    case BenchWorkload::gcn_layer:
      add("H [N x D]", table);
      add("A H [N x D]", table);
      add("H' [N x D]", table);
      add("W with gradient and moments", 4 * table_bytes(what.dim, what.dim, 4));
      break;
    case BenchWorkload::lightgcn_forward:
    case BenchWorkload::embedding:
    case BenchWorkload::forward_backward:
      add("E [N x D]", table);
      add("mean of the layers [N x D]", table);
      add("layers in turn", layers * table);
      if (what.workload == BenchWorkload::embedding) add("unit vectors [N x D]", table + 4 * nodes);
      if (what.workload == BenchWorkload::forward_backward)
        add("gradients of both [N x D]", 2 * table);
      add("oracle, one column", oracle);
      break;
    case BenchWorkload::training_step:
      add("E, its gradient and moments", 4 * table);
      add("mean of the layers, its gradient", 2 * table);
      add("layers in turn", layers * table);
      add("copy while verifying", table);
      add("items, int32 [I]", 4 * nodes);
      add("batch", 6 * table_bytes(options.batch, what.dim, 4) + 64 * options.batch);
      add("oracle, one column", oracle);
      break;
    case BenchWorkload::topk:
      add("items [I x D]", table);
      add("queries [B x D]", table_bytes(options.batch, what.dim, 4));
      add("ids and scores [B x K]", 2 * table_bytes(options.batch, options.k, 4));
      add("tiles and best of each thread", topk_threads_bytes(options, what.dim));
      add("oracle, scores of one query", 16 * nodes);
      break;
    case BenchWorkload::partition:
      add("METIS' copy", 12 * nodes + 4 * what.num_entries);
      add("METIS itself, about", metis_bytes(what.num_entries, nodes));
      break;
    case BenchWorkload::ingest:
      // Blocks as docs/formats.md has them; columns and their check measured with up to 10^6
      // events.
      add("blocks and columns, about",
          (std::int64_t{15} << 20) * (thread_count(options) + 2) + 150 * options.events);
      break;
    case BenchWorkload::graph_build:
      add("events", 20 * what.num_entries, BenchPhase::graph);
      add("events in the order of time", 9 * what.num_entries, BenchPhase::load);
      add("two graphs and the work on them, about", 80 * what.num_entries);
      break;
  }
  return arrays;
}

}  // namespace penchant::pipeline
