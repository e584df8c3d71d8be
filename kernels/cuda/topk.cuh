// SPDX-License-Identifier: Apache-2.0
// Ranking over all items on the device, tile of scores by tile. The caller makes a tile of scores
// [queries x items of the tile] (a product, or transpose_scores of a table), masks it, and merges
// it into running lists, or into counts (rank_counts.cuh). Masked scores are NaN, which no
// comparison accepts.
#pragma once

#include <limits>

#include "kernels/cuda/device.cuh"

namespace penchant::kernels::cuda {

/// CSR rows in device memory, columns ascending; offsets null: every row is empty.
struct DeviceRows {
  const std::int64_t* offsets = nullptr;
  const graph::NodeId* columns = nullptr;
};

struct TopkConfig {
  static constexpr int kBlockThreads = 128;
  /// Scores of a thread between two barriers.
  static constexpr int kScoresPerThread = 4;
  static constexpr int kStep = kBlockThreads * kScoresPerThread;
  /// Places of a list that one launch can fill: with a step's scores they fit 4096 candidates, 32
  /// KiB of shared memory. Longer lists are made in rounds.
  static constexpr std::int64_t kMaxList = 2048;
};

namespace {

/// Stands for no item: loses every tie.
constexpr std::int32_t kBehindAllItems = std::numeric_limits<std::int32_t>::max();
constexpr int kTransposeTile = 32;
constexpr int kTransposeRows = 8;

/// First place of [first, last) whose column is at least `column`.
__device__ __forceinline__ std::int64_t lower_bound(const graph::NodeId* columns,
                                                    std::int64_t first, std::int64_t last,
                                                    std::int64_t column) {
  while (first < last) {
    const std::int64_t middle = first + (last - first) / 2;
    if (columns[middle] < column)
      first = middle + 1;
    else
      last = middle;
  }
  return first;
}

/// Calls visit(place, item - first_item) for the row's entries in [first_item, first_item + count),
/// one lane each.
template <typename Visit>
__device__ __forceinline__ void for_entries_in_tile(const DeviceRows& rows, std::int64_t query,
                                                    std::int64_t first_item, std::int64_t count,
                                                    Visit visit) {
  const std::int64_t last = rows.offsets[query + 1];
  const std::int64_t begin = lower_bound(rows.columns, rows.offsets[query], last, first_item);
  for (std::int64_t place = begin + threadIdx.x; place < last; place += kWarpSize) {
    const std::int64_t item = rows.columns[place] - first_item;
    if (item >= count) break;
    visit(place, item);
  }
}

// mask_scores: a tile's scores of listed items become NaN.
// Computes    scores_(b, i - first_item) = NaN for i in row first_query + b of the lists
// Shapes      scores [Q x T] float32, any alignment; lists CSR, int64 offsets, ascending int32
// Mapping     one warp a query: a binary search for the tile's first entry, then lanes strided;
//             blocks of 8 warps
// Memory      scattered 4-byte stores, one an entry: negligible beside the product
// Regime      any
// Numerics    exact
// Edge cases  empty rows; a list without an entry in the tile
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize * 8)
    mask_scores_kernel(DeviceRows lists, std::int64_t first_query, std::int64_t first_item,
                       std::int64_t queries, std::int64_t count, Rows<float> scores) {
  const std::int64_t q = std::int64_t{blockIdx.x} * 8 + threadIdx.y;
  if (q >= queries) return;
  float* row = scores.row(q);
  for_entries_in_tile(lists, first_query + q, first_item, count,
                      [=](std::int64_t, std::int64_t item) { row[item] = kNan; });
}

struct Candidate {
  float score;
  std::int32_t item;
};

/// Higher scores first, then lower items.
__device__ __forceinline__ bool better(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
}

/// Sorts pool[0, count) best first with the whole block (Batcher's bitonic network over the next
/// power of two). Returns behind a barrier.
__device__ __forceinline__ void sort_candidates(SharedPointer<Candidate> pool, int count) {
  const int tid = static_cast<int>(threadIdx.x);
  int size = 1;
  while (size < count) size *= 2;
  for (int i = count + tid; i < size; i += TopkConfig::kBlockThreads) {
    pool[i] = Candidate{-kInfinity, kBehindAllItems};
  }
  __syncthreads();
  for (int run = 2; run <= size; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int t = tid; t < size / 2; t += TopkConfig::kBlockThreads) {
        const int i = 2 * t - (t & (distance - 1));
        const Candidate a = pool[i];
        const Candidate b = pool[i + distance];
        const bool best_first = (i & run) == 0;
        if (best_first ? better(b, a) : better(a, b)) {
          pool[i] = b;
          pool[i + distance] = a;
        }
      }
      __syncthreads();
    }
  }
}

// topk_merge: one query's running list after one more tile.
// Computes    the K best of (list so far, scores of the tile), best first, ties by the lower item;
//             with `place` > 0 only of candidates behind the entry at place - 1 (the next round of
//             a long list)
// Shapes      scores [Q x T] float32, masked, any alignment; ids int32, list [Q x >= place + K]
// Mapping     a block of 128 threads a query; each looks at 4 scores, coalesced across the block,
//             between two barriers; those above the list's last score get a slot by ballots and the
//             warps' counts. A full pool, and the end of the tile, sort the pool. Grid Q
// Memory      dynamic shared: 8 bytes x the power of two >= K + 512; 4 T bytes a query read once:
//             bound by device memory or L2, and by the product that made the scores
// Regime      K up to 2048; tiles of thousands of items, so that few candidates pass
// Numerics    exact; slots depend on nothing but the scores: deterministic
// Edge cases  NaN and -infinity never enter; missing entries stay kNoNode and -infinity
// Source      own; sort: Batcher, "Sorting networks and their applications", 1968
// Measured    not yet measured
__global__ void __launch_bounds__(TopkConfig::kBlockThreads)
    topk_merge_kernel(Rows<const float> scores, std::int64_t first_item, std::int64_t count,
                      std::int64_t place, int k, int capacity, Rows<graph::NodeId> ids,
                      Rows<float> list) {
  PENCHANT_DYNAMIC_SHARED(Candidate, pool);
  constexpr int kWarps = TopkConfig::kBlockThreads / kWarpSize;
  PENCHANT_SHARED(int, passed, 2 * kWarps);  // of each warp, in even and odd steps
  const std::int64_t q = blockIdx.x;
  const int tid = static_cast<int>(threadIdx.x);
  const int lane = tid % kWarpSize;
  const int warp = tid / kWarpSize;
  const float* row = scores.row(q);
  graph::NodeId* list_ids = ids.row(q) + place;
  float* list_scores = list.row(q) + place;
  for (int t = tid; t < k; t += TopkConfig::kBlockThreads) {
    const graph::NodeId id = list_ids[t];
    pool[t] = Candidate{list_scores[t], id < 0 ? kBehindAllItems : id};
  }
  Candidate ceiling{kInfinity, -1};
  if (place > 0) ceiling = Candidate{list_scores[-1], list_ids[-1]};
  float threshold = list_scores[k - 1];
  int filled = k;
  bool changed = false;
  int parity = 0;
  for (std::int64_t base = 0; base < count; base += TopkConfig::kStep) {
    if (filled + TopkConfig::kStep > capacity) {
      sort_candidates(pool, filled);
      filled = k;
      changed = true;
      threshold = static_cast<Candidate>(pool[k - 1]).score;
    }
    Candidate found[TopkConfig::kScoresPerThread];
    unsigned votes[TopkConfig::kScoresPerThread];
    int of_warp = 0;
#pragma unroll
    for (int s = 0; s < TopkConfig::kScoresPerThread; ++s) {
      const std::int64_t i = base + s * TopkConfig::kBlockThreads + tid;
      found[s] = Candidate{i < count ? row[i] : kNan, static_cast<std::int32_t>(first_item + i)};
      const bool passes = found[s].score > threshold && better(ceiling, found[s]);
      votes[s] = __ballot_sync(kFullWarp, passes ? 1 : 0);
      of_warp += __popc(votes[s]);
    }
    if (lane == 0) passed[parity * kWarps + warp] = of_warp;
    __syncthreads();
    int slot = filled;
    for (int w = 0; w < kWarps; ++w) {
      const int others = passed[parity * kWarps + w];
      filled += others;
      if (w < warp) slot += others;
    }
    parity = 1 - parity;
#pragma unroll
    for (int s = 0; s < TopkConfig::kScoresPerThread; ++s) {
      if ((votes[s] >> lane & 1U) != 0)
        pool[slot + __popc(votes[s] & ((1U << lane) - 1U))] = found[s];
      slot += __popc(votes[s]);
    }
  }
  if (filled > k)
    sort_candidates(pool, filled);
  else if (!changed)
    return;
  for (int t = tid; t < k; t += TopkConfig::kBlockThreads) {
    const Candidate best = pool[t];
    const bool there = best.score > -kInfinity;
    list_ids[t] = there ? best.item : graph::kNoNode;
    list_scores[t] = best.score;
  }
}

// topk_clear: one empty place of a list.
// Computes    ids = kNoNode, list = -infinity
// Shapes      ids int32, list float32 [Q x K]
// Mapping     one thread an element; blocks of 256 threads, grid strided
// Memory      8 bytes written an element
// Regime      any
// Numerics    exact
// Edge cases  none
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(256)
    topk_clear_kernel(std::int64_t queries, std::int64_t k, Rows<graph::NodeId> ids,
                      Rows<float> list) {
  for (std::int64_t q = blockIdx.x; q < queries; q += gridDim.x) {
    for (std::int64_t t = threadIdx.x; t < k; t += blockDim.x) {
      ids.at(q, t) = graph::kNoNode;
      list.at(q, t) = -kInfinity;
    }
  }
}

// transpose_scores: one element of a tile out of a table with one row an item.
// Computes    tile_qi = table_(first_item + i, first_query + q)
// Shapes      table [N x B], tile [Q x T] float32 row-major, any alignment
// Mapping     blocks of 32 x 8 threads move tiles of 32 x 32 through shared memory, so that both
//             sides are coalesced; grid (T / 32, Q / 32)
// Memory      4.1 KiB shared, rows of 33 against bank conflicts; 8 bytes an element: bound by
//             device memory
// Regime      any
// Numerics    exact
// Edge cases  the last tiles may be narrow
// Source      Ruetsch and Micikevicius, "Optimizing matrix transpose in CUDA", 2009
// Measured    not yet measured
__global__ void __launch_bounds__(kTransposeTile* kTransposeRows)
    transpose_scores_kernel(Rows<const float> table, std::int64_t queries, std::int64_t items,
                            Rows<float> tile) {
  PENCHANT_SHARED(float, square, kTransposeTile*(kTransposeTile + 1));
  const int x = static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(threadIdx.y);
  const std::int64_t first_item = std::int64_t{blockIdx.x} * kTransposeTile;
  const std::int64_t first_query = std::int64_t{blockIdx.y} * kTransposeTile;
  for (int r = y; r < kTransposeTile; r += kTransposeRows) {
    if (first_item + r < items && first_query + x < queries)
      square[r * (kTransposeTile + 1) + x] = table.at(first_item + r, first_query + x);
  }
  __syncthreads();
  for (int r = y; r < kTransposeTile; r += kTransposeRows) {
    if (first_query + r < queries && first_item + x < items)
      tile.at(first_query + r, first_item + x) = square[x * (kTransposeTile + 1) + r];
  }
}

inline LaunchShape warp_per_query_shape(std::int64_t queries) {
  return {dim3(grid_x(ceil_div(queries, 8))), dim3(kWarpSize, 8)};
}

}  // namespace

/// tile [Q x T] = table[first_item + T, first_query + Q]'; a query tile of at most 2 M rows.
inline void transpose_scores(ConstFloatView table, std::int64_t first_query,
                             std::int64_t first_item, FloatView tile, Stream stream) {
  if (tile.rows == 0 || tile.cols == 0) return;
  const ConstFloatView part = table.rows_of(first_item, tile.cols).cols_of(first_query, tile.rows);
  launch(transpose_scores_kernel,
         {dim3(grid_x(ceil_div(tile.cols, kTransposeTile)),
               grid_y(ceil_div(tile.rows, kTransposeTile))),
          dim3(kTransposeTile, kTransposeRows)},
         stream, Rows(part), tile.rows, tile.cols, Rows(tile));
}

/// NaN at the items of row first_query + q of `lists` in row q of the tile, whose first column is
/// item first_item.
inline void mask_scores(const DeviceRows& lists, std::int64_t first_query, std::int64_t first_item,
                        FloatView tile, Stream stream) {
  if (lists.offsets == nullptr || tile.rows == 0 || tile.cols == 0) return;
  launch(mask_scores_kernel, warp_per_query_shape(tile.rows), stream, lists, first_query,
         first_item, tile.rows, tile.cols, Rows(tile));
}

/// Empties the lists: before the first tile.
inline void topk_clear(MatrixView<graph::NodeId> ids, FloatView scores, Stream stream) {
  if (ids.rows == 0 || ids.cols == 0) return;
  launch(topk_clear_kernel, {dim3(grid_x(std::min<std::int64_t>(ids.rows, 4096))), dim3(256)},
         stream, ids.rows, ids.cols, Rows(ids), Rows(scores));
}

/// Merges the masked tile into places [place, place + kMaxList) of the lists. A list longer than
/// kMaxList takes one round over all tiles for each kMaxList places, in order.
inline void topk_merge(ConstFloatView tile, std::int64_t first_item, std::int64_t place,
                       MatrixView<graph::NodeId> ids, FloatView scores, Stream stream) {
  if (tile.rows == 0 || tile.cols == 0 || place >= ids.cols) return;
  const auto k = static_cast<int>(std::min(TopkConfig::kMaxList, ids.cols - place));
  int capacity = TopkConfig::kStep;
  while (capacity < k + TopkConfig::kStep) capacity *= 2;
  launch(topk_merge_kernel,
         {dim3(grid_x(tile.rows)), dim3(TopkConfig::kBlockThreads),
          static_cast<std::size_t>(capacity) * sizeof(Candidate)},
         stream, Rows(tile), first_item, tile.cols, place, k, capacity, Rows(ids), Rows(scores));
}

}  // namespace penchant::kernels::cuda
