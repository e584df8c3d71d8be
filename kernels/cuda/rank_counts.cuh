// SPDX-License-Identifier: Apache-2.0
// How many items rank above the targets of a query, from the tiles of scores of topk.cuh.
#pragma once

#include "kernels/cuda/topk.cuh"

namespace penchant::kernels::cuda {

namespace {

// target_scores: the score of one target.
// Computes    own_e = scores_(b, i_e - first_item) for the targets e of query first_query + b in
//             the tile
// Shapes      scores [Q x T] float32; targets CSR as mask_scores; own [targets' entries]
// Mapping     as mask_scores
// Memory      as mask_scores
// Regime      any
// Numerics    exact: counting compares these very bits
// Edge cases  as mask_scores
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize * 8)
    target_scores_kernel(DeviceRows targets, std::int64_t first_query, std::int64_t first_item,
                         std::int64_t queries, std::int64_t count, Rows<const float> scores,
                         float* __restrict__ own) {
  const std::int64_t q = std::int64_t{blockIdx.x} * 8 + threadIdx.y;
  if (q >= queries) return;
  const float* row = scores.row(q);
  for_entries_in_tile(targets, first_query + q, first_item, count,
                      [=](std::int64_t place, std::int64_t item) { own[place] = row[item]; });
}

// count_ranks: the tile's part of one target's counts.
// Computes    higher_e += #{i in tile : s_bi > own_e}, equal_e += #{i in tile : s_bi = own_e}
// Shapes      scores [Q x T] float32, masked; own, higher, equal [targets' entries]
// Mapping     a block of 4 warps a query; warp w takes targets w, w + 4, ..., lanes strided over
//             items; grid Q
// Memory      4 T bytes a target, from L1 after the first: bound by L1 and comparisons
// Regime      few targets a query
// Numerics    exact integers: deterministic
// Edge cases  a query without targets does nothing; masked scores are NaN and count nowhere
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(TopkConfig::kBlockThreads)
    count_ranks_kernel(DeviceRows targets, std::int64_t first_query, std::int64_t count,
                       Rows<const float> scores, const float* __restrict__ own,
                       graph::NodeId* __restrict__ higher, graph::NodeId* __restrict__ equal) {
  const std::int64_t query = first_query + blockIdx.x;
  const float* row = scores.row(blockIdx.x);
  const std::int64_t last = targets.offsets[query + 1];
  constexpr int kWarps = TopkConfig::kBlockThreads / kWarpSize;
  for (std::int64_t e = targets.offsets[query] + threadIdx.y; e < last; e += kWarps) {
    const float threshold = own[e];
    int above = 0;
    int same = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += kWarpSize) {
      above += row[i] > threshold ? 1 : 0;
      same += row[i] == threshold ? 1 : 0;
    }
    above = warp_sum(above);
    same = warp_sum(same);
    if (threadIdx.x == 0) {
      higher[e] += above;
      equal[e] += same;
    }
  }
}

// rank_unscored: the counts of a target whose own score is NaN.
// Computes    higher_e = N - #(excluded row b united with targets row b), equal_e = 0 where own_e is
//             NaN, for the targets e of query b
// Shapes      lists CSR as mask_scores; own, higher, equal [targets' entries]
// Mapping     one thread a query; a NaN makes it look for each excluded item among its targets;
//             blocks of 128 threads
// Memory      4 bytes a target read: negligible beside the product
// Regime      hardly ever a NaN
// Numerics    exact
// Edge cases  items that are excluded and targets count once
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(TopkConfig::kBlockThreads)
    rank_unscored_kernel(DeviceRows excluded, DeviceRows targets, std::int64_t queries,
                         std::int64_t items, const float* __restrict__ own,
                         graph::NodeId* __restrict__ higher, graph::NodeId* __restrict__ equal) {
  const std::int64_t query = std::int64_t{blockIdx.x} * TopkConfig::kBlockThreads + threadIdx.x;
  if (query >= queries) return;
  const std::int64_t first = targets.offsets[query];
  const std::int64_t last = targets.offsets[query + 1];
  std::int64_t others = -1;  // not yet counted
  for (std::int64_t e = first; e < last; ++e) {
    if (own[e] == own[e]) continue;
    if (others < 0) {
      others = items - (last - first);
      const std::int64_t end = excluded.offsets == nullptr ? 0 : excluded.offsets[query + 1];
      for (std::int64_t x = end == 0 ? 0 : excluded.offsets[query]; x < end; ++x) {
        const std::int64_t place = lower_bound(targets.columns, first, last, excluded.columns[x]);
        if (place == last || targets.columns[place] != excluded.columns[x]) --others;
      }
    }
    higher[e] = static_cast<graph::NodeId>(others);
    equal[e] = 0;
  }
}

}  // namespace

/// own [targets' entries]: before the tile is masked.
inline void target_scores(const DeviceRows& targets, std::int64_t first_query,
                          std::int64_t first_item, ConstFloatView tile, VectorView<float> own,
                          Stream stream) {
  if (tile.rows == 0 || tile.cols == 0 || own.size == 0) return;
  launch(target_scores_kernel, warp_per_query_shape(tile.rows), stream, targets, first_query,
         first_item, tile.rows, tile.cols, Rows(tile), own.data);
}

/// Adds the tile's counts, masked by excluded items and by the targets; higher and equal start as
/// zeros, own is complete.
inline void count_ranks(const DeviceRows& targets, std::int64_t first_query, ConstFloatView tile,
                        VectorView<const float> own, VectorView<graph::NodeId> higher,
                        VectorView<graph::NodeId> equal, Stream stream) {
  if (tile.rows == 0 || tile.cols == 0 || own.size == 0) return;
  launch(count_ranks_kernel,
         {dim3(grid_x(tile.rows)), dim3(kWarpSize, TopkConfig::kBlockThreads / kWarpSize)}, stream,
         targets, first_query, tile.cols, Rows(tile), own.data, higher.data, equal.data);
}

/// Puts the targets of all queries whose own score is NaN behind all others, behind the last tile.
inline void rank_unscored(const DeviceRows& excluded, const DeviceRows& targets,
                          std::int64_t queries, std::int64_t items, VectorView<const float> own,
                          VectorView<graph::NodeId> higher, VectorView<graph::NodeId> equal,
                          Stream stream) {
  if (queries == 0 || own.size == 0) return;
  launch(
      rank_unscored_kernel,
      {dim3(grid_x(ceil_div(queries, TopkConfig::kBlockThreads))), dim3(TopkConfig::kBlockThreads)},
      stream, excluded, targets, queries, items, own.data, higher.data, equal.data);
}

}  // namespace penchant::kernels::cuda
