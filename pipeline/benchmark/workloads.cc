// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/workloads.h"

#include "graph/error.h"
#include "pipeline/benchmark/stages.h"

namespace penchant::pipeline {

namespace {

constexpr WorkloadTraits kForward = {.needs_graph = true, .has_dim = true, .on_device = true};
constexpr WorkloadTraits kBackward = {
    .needs_graph = true, .has_dim = true, .on_device = true, .needs_symmetric = true};

struct WorkloadKind {
  BenchWorkload workload;
  WorkloadTraits traits;
  std::unique_ptr<Workload> (*make)(const BenchContext&);
};

constexpr WorkloadKind kKinds[] = {
    {BenchWorkload::spmm,
     {.needs_graph = true, .has_dim = true, .on_device = true, .takes_bf16 = true},
     make_spmm},
    {BenchWorkload::gcn_layer, kForward, make_gcn_layer},
    {BenchWorkload::lightgcn_forward, kForward, make_lightgcn_forward},
    {BenchWorkload::forward_backward, kBackward, make_forward_backward},
    {BenchWorkload::training_step, kBackward, make_training_step},
    {BenchWorkload::embedding, kForward, make_embedding},
    {BenchWorkload::topk, kForward, make_topk},
    {BenchWorkload::ingest, {}, make_stage_workload},
    {BenchWorkload::graph_build, {}, make_stage_workload},
    {BenchWorkload::partition,
     {.needs_graph = true, .needs_symmetric = true},
     make_stage_workload}};

const WorkloadKind& kind_of(BenchWorkload workload) {
  for (const WorkloadKind& kind : kKinds) {
    if (kind.workload == workload) return kind;
  }
  PENCHANT_ASSERT(false);
  return kKinds[0];
}

}  // namespace

WorkloadTraits traits_of(BenchWorkload workload) { return kind_of(workload).traits; }

std::unique_ptr<Workload> make_workload(const BenchContext& context) {
  return kind_of(context.what.workload).make(context);
}

}  // namespace penchant::pipeline
