// SPDX-License-Identifier: Apache-2.0
// The spelling of what a user of `penchant bench` chooses from.
#pragma once

#include "pipeline/benchmark/bench.h"
#include "pipeline/config/names.h"

namespace penchant::pipeline {

template <>
struct EnumNames<BenchWorkload> {
  static constexpr std::array<std::pair<BenchWorkload, std::string_view>, 10> values = {
      {{BenchWorkload::spmm, "spmm"},
       {BenchWorkload::gcn_layer, "gcn_layer"},
       {BenchWorkload::lightgcn_forward, "lightgcn_forward"},
       {BenchWorkload::forward_backward, "forward_backward"},
       {BenchWorkload::training_step, "training_step"},
       {BenchWorkload::embedding, "embedding"},
       {BenchWorkload::topk, "topk"},
       {BenchWorkload::ingest, "ingest"},
       {BenchWorkload::graph_build, "graph_build"},
       {BenchWorkload::partition, "partition"}}};
};
template <>
struct EnumNames<BenchType> {
  static constexpr std::array<std::pair<BenchType, std::string_view>, 2> values = {
      {{BenchType::f32, "f32"}, {BenchType::bf16, "bf16"}}};
};
template <>
struct EnumNames<graph::GraphFormat> {
  static constexpr std::array<std::pair<graph::GraphFormat, std::string_view>, 5> values = {
      {{graph::GraphFormat::automatic, "auto"},
       {graph::GraphFormat::metis, "metis"},
       {graph::GraphFormat::matrix_market, "matrix_market"},
       {graph::GraphFormat::edge_list, "edge_list"},
       {graph::GraphFormat::npy, "npy"}}};
};
/// "cusparse" is the algorithm that its documentation recommends for row-major tables.
template <>
struct EnumNames<kernels::SpmmVariant> {
  static constexpr std::array<std::pair<kernels::SpmmVariant, std::string_view>, 4> values = {
      {{kernels::SpmmVariant::own, "own"},
       {kernels::SpmmVariant::cusparse_alg2, "cusparse"},
       {kernels::SpmmVariant::cusparse_alg1, "cusparse_alg1"},
       {kernels::SpmmVariant::cusparse_alg3, "cusparse_alg3"}}};
};

}  // namespace penchant::pipeline
