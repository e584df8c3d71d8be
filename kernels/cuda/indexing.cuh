// SPDX-License-Identifier: Apache-2.0
// Gather and scatter-add of table rows on the device. The deterministic scatter-add takes its ids
// sorted, with their positions (a stable radix sort by the caller: CUB), and adds each group of
// equal ids in ascending position.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"

namespace penchant::kernels::cuda {

namespace {

/// y_i = table[ids_i].
struct Gather {
  Rows<const float> table;
  const graph::NodeId* ids;
  Rows<float> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    store_pack<N>(&y.at(i, j), load_pack<N>(&table.at(__ldg(ids + i), j)));
  }
};

/// y_i = table[ids_i] of single elements.
struct GatherElements {
  Rows<const Bf16> table;
  const graph::NodeId* ids;
  Rows<Bf16> y;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    static_assert(N == 1);
    y.at(i, j) = table.at(__ldg(ids + i), j);
  }
};

/// Rows of whole 4-byte words.
template <typename T>
bool words_fit(const MatrixView<T>& view) {
  return view.cols % 2 == 0 && view.stride % 2 == 0 &&
         reinterpret_cast<std::uintptr_t>(view.data) % sizeof(float) == 0;
}

/// table[ids_i] += alpha x_i, in whatever order.
struct ScatterAddAtomic {
  float alpha;
  Rows<const float> x;
  const graph::NodeId* ids;
  Rows<float> table;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    static_assert(N == 1);
    atomicAdd(&table.at(ids[i], j), alpha * x.at(i, j));
  }
};

struct ScatterConfig {
  static constexpr int kBlockRows = 8;
  /// Members of a group whose rows are loaded before the first is added.
  static constexpr int kLoadsInFlight = 4;
};

// scatter_add_sorted: one element of a table row that ids name.
// Computes    table_t += alpha sum_(k : ids_k = t) x_positions_k, members in ascending k
// Shapes      ids, positions [B] int32, ids ascending; x [B x D], table [N x D] float32 row-major;
//             N = 4: rows on 16-byte boundaries
// Mapping     a warp of 32 lanes for each k; warps whose id equals the one before have nothing to
//             do, the others walk their group, lanes strided over packs of columns; blocks of 8
//             warps
// Memory      reads 4 D bytes a member and 4 D a group, writes 4 D a group; four members' loads in
//             flight: bound by device memory
// Regime      groups up to a few thousand members (a batch's most popular item): a group is one
//             warp's
// Numerics    float32, one chain of sums in ascending position, as the CPU's: deterministic; bound
//             (repeats + 4) eps sum|terms|
// Edge cases  B = 0 is not launched; all ids equal is one warp's work
// Source      own; sort by cub::DeviceRadixSort
// Measured    not yet measured
template <int N>
__global__ void __launch_bounds__(kWarpSize* ScatterConfig::kBlockRows)
    scatter_add_sorted_kernel(float alpha, Rows<const float> x,
                              const graph::NodeId* __restrict__ ids,
                              const std::int32_t* __restrict__ positions, std::int64_t batch,
                              std::int64_t cols, Rows<float> table) {
  const std::int64_t k = std::int64_t{blockIdx.x} * ScatterConfig::kBlockRows + threadIdx.y;
  if (k >= batch) return;
  const graph::NodeId id = ids[k];
  if (k > 0 && ids[k - 1] == id) return;  // not the first of its group
  std::int64_t last = k + 1;
  unsigned others = 0;  // lanes whose place lies behind the group
  while (others == 0) {
    const std::int64_t place = last + threadIdx.x;
    others = __ballot_sync(kFullWarp, place >= batch || ids[place] != id ? 1 : 0);
    last += others == 0 ? kWarpSize : __ffs(static_cast<int>(others)) - 1;
  }
  for (std::int64_t j = std::int64_t{threadIdx.x} * N; j < cols; j += std::int64_t{kWarpSize} * N) {
    Pack<N> sum = load_pack<N>(&table.at(id, j));
    std::int64_t member = k;
    for (; member + ScatterConfig::kLoadsInFlight <= last;
         member += ScatterConfig::kLoadsInFlight) {
      Pack<N> terms[ScatterConfig::kLoadsInFlight];
#pragma unroll
      for (int u = 0; u < ScatterConfig::kLoadsInFlight; ++u)
        terms[u] = load_pack<N>(&x.at(positions[member + u], j));
#pragma unroll
      for (int u = 0; u < ScatterConfig::kLoadsInFlight; ++u) {
        for (int p = 0; p < N; ++p) sum.v[p] += alpha * terms[u].v[p];
      }
    }
    for (; member < last; ++member) {
      const Pack<N> term = load_pack<N>(&x.at(positions[member], j));
      for (int p = 0; p < N; ++p) sum.v[p] += alpha * term.v[p];
    }
    store_pack<N>(&table.at(id, j), sum);
  }
}

}  // namespace

/// Ids are not checked: the caller guarantees [0, table.rows).
inline void gather_rows(ConstFloatView table, IdView ids, FloatView y, Stream stream) {
  map_elements(Gather{Rows(table), ids.data, Rows(y)}, y.rows, y.cols,
               packs_fit(table, 4) && packs_fit(y, 4), stream);
}

/// Of a bf16 table, bit by bit: as floats where rows are whole words, else one element at a time.
inline void gather_rows(MatrixView<const Bf16> table, IdView ids, MatrixView<Bf16> y,
                        Stream stream) {
  if (words_fit(table) && words_fit(y)) {
    gather_rows(
        ConstFloatView(reinterpret_cast<const float*>(table.data), table.rows, table.cols / 2,
                       table.stride / 2, table.device),
        ids,
        FloatView(reinterpret_cast<float*>(y.data), y.rows, y.cols / 2, y.stride / 2, y.device),
        stream);
    return;
  }
  map_elements(GatherElements{Rows(table), ids.data, Rows(y)}, y.rows, y.cols, stream);
}

/// sorted_ids [B] ascending, positions [B]: where each stood before a stable sort.
inline void scatter_add_rows(float alpha, ConstFloatView x, IdView sorted_ids,
                             VectorView<const std::int32_t> positions, FloatView table,
                             Stream stream) {
  if (sorted_ids.size == 0 || table.cols == 0) return;
  const LaunchShape shape{dim3(grid_x(ceil_div(sorted_ids.size, ScatterConfig::kBlockRows))),
                          dim3(kWarpSize, ScatterConfig::kBlockRows)};
  launch(packs_fit(x, 4) && packs_fit(table, 4) ? scatter_add_sorted_kernel<4>
                                                : scatter_add_sorted_kernel<1>,
         shape, stream, alpha, Rows(x), sorted_ids.data, positions.data, sorted_ids.size,
         table.cols, Rows(table));
}

/// Needs no sort; repeated ids are added in an order that differs from run to run.
inline void scatter_add_rows_atomic(float alpha, ConstFloatView x, IdView ids, FloatView table,
                                    Stream stream) {
  map_elements(ScatterAddAtomic{alpha, Rows(x), ids.data, Rows(table)}, x.rows, x.cols, stream);
}

}  // namespace penchant::kernels::cuda
