// SPDX-License-Identifier: Apache-2.0
// Sparse times dense on the device: y_i = act(alpha row_scale_i sum_j a_ij x_j + beta y_i + delta
// addend_i + bias), layer_sum_i += gamma y_i. Rows are divided by spmm_plan.h, summed by
// spmm_rows.cuh; why the kernel looks like this: docs/kernels.md#spmm-on-the-device.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/row_set.cuh"
#include "kernels/cuda/spmm_plan.h"
#include "kernels/cuda/spmm_rows.cuh"

namespace penchant::kernels::cuda {

/// The sparse matrix and its plan in device memory.
struct SpmmOperand {
  const SpmmTask* tasks = nullptr;
  const SpmmLongRow* long_rows = nullptr;
  std::int64_t num_tasks = 0;
  std::int64_t num_segments = 0;
  std::int64_t num_medium = 0;
  std::int64_t num_long_rows = 0;
  const graph::NodeId* columns = nullptr;  ///< [E]
  const float* values = nullptr;           ///< [E], or null: ones
  /// Of a block of a larger matrix: where its rows and its columns stand there.
  std::int64_t first_row = 0;
  const graph::NodeId* table_ids = nullptr;  ///< null: columns are what they are
};

/// Floats of scratch that a product of width D needs: one row a segment.
inline std::int64_t spmm_scratch_size(const SpmmOperand& a, std::int64_t width) {
  return a.num_segments * width;
}

namespace {

/// The table that is gathered from.
template <typename T>
struct SpmmTable {
  const T* data;
  std::uint32_t stride_bytes;
};

/// What happens to a finished sum.
struct SpmmEpilogue {
  float alpha, beta, gamma, delta;
  const float* row_scale;
  Rows<const float> addend;
  Rows<float> layer_sum;
  Rows<float> y;
  const float* bias;
  Activation act;
  RowBits wanted;
  RowBits nonzero_addend;

  template <int N, bool HasSets>
  __device__ __forceinline__ void store(std::int64_t i, std::int64_t column,
                                        const Pack<N>& sum) const {
    const float scale = row_scale != nullptr ? alpha * row_scale[i] : alpha;
    float* to = y.row(i) + column;
    Pack<N> value;
    for (int k = 0; k < N; ++k) value.v[k] = scale * sum.v[k];
    if (beta != 0.0F) {
      const Pack<N> before = load_pack<N>(to);
      for (int k = 0; k < N; ++k) value.v[k] = fmaf(beta, before.v[k], value.v[k]);
    }
    if (addend.data != nullptr && (!HasSets || nonzero_addend.contains(i))) {
      const Pack<N> term = load_pack<N>(addend.row(i) + column);
      for (int k = 0; k < N; ++k) value.v[k] = fmaf(delta, term.v[k], value.v[k]);
    }
    if (bias != nullptr) {
      for (int k = 0; k < N; ++k) value.v[k] += __ldg(bias + column + k);
    }
    if (act != Activation::identity) {
      for (int k = 0; k < N; ++k) value.v[k] = Activate::value(act, value.v[k]);
    }
    store_pack<N>(to, value);
    if (layer_sum.data != nullptr) {
      float* total = layer_sum.row(i) + column;
      Pack<N> sums = load_pack<N>(total);
      for (int k = 0; k < N; ++k) sums.v[k] = fmaf(gamma, value.v[k], sums.v[k]);
      store_pack<N>(total, sums);
    }
  }
};

// spmm_binned: one row of y, or one segment of a long row, per warp or group of lanes.
// Computes    y_i = act(alpha row_scale_i sum_j a_ij x_j + beta y_i + delta addend_i + bias),
//             layer_sum_i += gamma y_i; of a segment: the plain sum, to partial
// Shapes      columns [E] int32, values [E] float32 or none, x [C x D] float32 or bf16, y, addend,
//             layer_sum [N x D] float32, row-major; bias [D]; partial [segments x D] float32. Per >
//             1: x and every float32 matrix start rows on 16-byte boundaries and D is a multiple of
//             Per
// Variants    HasValues: the matrix has values; HasSets: rows are wanted or table rows are not zero
//             by SpmmOptions' sets, whose look-ups the whole product has no registers for
// Mapping     a table row lies across Lanes lanes with Vectors packs of 16 bytes each (D = 32: 8
//             lanes, D = 64: 16, D >= 128: 32). Segments and medium rows are a warp's, whose
//             32 / Lanes groups take entries in turn; short rows are a group's. Lanes load entry
//             ids one each, coalesced and one chunk ahead, and hand them around by shuffles.
//             Blocks of 128 threads, grid (tasks, column tiles); a wider D takes several tiles
// Memory      no shared memory; 4 D bytes gathered an entry (bf16: 2 D), 4 to 8 bytes an entry for
//             ids and values, 4 D bytes stored a row; 2 flops per gathered element: bound by L2
//             while x fits it, by DRAM beyond. 4 packs in flight a lane
// Regime      D from 8 to 512 with aligned rows; Per = 1 is right for every other width and slower
// Numerics    float32; a medium row is kGroups sums of every kGroups-th entry, added in pairs; a
//             group's row in ascending order; deterministic; bound in docs/numerics.md
// Edge cases  empty rows store act(beta y + delta addend + bias); E = 0 is N empty rows; columns may repeat; lanes
//             beyond D store nothing; rows that are not wanted end behind their task, or,
//             in a group, take part in shuffles only; entries of zero table rows keep their slot
//             but load nothing
// Source      own derivation in docs/kernels.md#spmm-on-the-device; to be compared with
//             cusparseSpMM (CSR, ALG1 to ALG3)
// Measured    not yet measured
template <typename Layout, bool HasValues, bool HasSets>
__global__ void __launch_bounds__(SpmmConfig::kBlockThreads)
    spmm_binned_kernel(SpmmOperand a, SpmmTable<typename Layout::T> x, std::int64_t width,
                       SpmmEpilogue epilogue, const std::uint32_t* nonzero,
                       float* __restrict__ partial) {
  using T = typename Layout::T;
  constexpr int kBlockWarps = SpmmConfig::kBlockThreads / kWarpSize;
  constexpr int kPack = Layout::Per == 1 ? 1 : 4;
  const std::int64_t warp =
      std::int64_t{blockIdx.x} * kBlockWarps + static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int own = lane % Layout::Lanes;
  const auto column = static_cast<std::int32_t>(blockIdx.y) * Layout::kColumns + own * Layout::Per;
  const std::int32_t left = static_cast<std::int32_t>(width) - column;
  // Lanes beyond D gather what the first lane does, and store nothing.
  const T* table = x.data + (left > 0 ? column : std::int64_t{blockIdx.y} * Layout::kColumns);
  const SpmmWarp<Layout, HasValues, HasSets> rows{table, x.stride_bytes, a.columns,  a.values,
                                                  left,  nonzero,        a.table_ids};
  const std::int64_t num_wide = a.num_segments + a.num_medium;
  float sums[Layout::kSums] = {};
  const bool is_segment = warp < a.num_segments;
  bool writes = true;
  SpmmTask task{0, -1, 0};
  if (warp < num_wide) {
    task = a.tasks[warp];
    if (HasSets && !is_segment && !epilogue.wanted.contains(task.target)) return;
    rows.sum_warp_row(task, lane, sums);
    writes = lane < Layout::Lanes;
  } else {
    const std::int64_t place =
        num_wide + (warp - num_wide) * Layout::kGroups + lane / Layout::Lanes;
    if (place < a.num_tasks) task = a.tasks[place];
    writes = place < a.num_tasks;
    if (HasSets && writes && !epilogue.wanted.contains(task.target)) {
      task.length = 0;
      writes = false;
    }
    rows.sum_group_row(task, lane, sums);
  }
  if (!writes) return;
#pragma unroll
  for (int v = 0; v < Layout::Vectors; ++v) {
    constexpr int kStep = Layout::Lanes * Layout::Per;
    const int first = v * kStep;
    if (first >= left) continue;
#pragma unroll
    for (int k = 0; k < Layout::Per; k += kPack) {
      Pack<kPack> sum;
      for (int p = 0; p < kPack; ++p) sum.v[p] = sums[v * Layout::Per + k + p];
      if (is_segment)
        store_pack<kPack>(partial + task.target * width + column + first + k, sum);
      else
        epilogue.store<kPack, HasSets>(task.target, column + first + k, sum);
    }
  }
}

// spmm_segment_sums: one element of a long row of y.
// Computes    the sum of the row's segments, then the epilogue of spmm_binned
// Shapes      partial [segments x D] float32; y, addend, layer_sum as spmm_binned, any alignment
// Mapping     a block of 32 x 8 threads owns 32 columns of one long row: thread (c, s) adds
//             segments s, s + 8, ... of column c; 8 sums per column meet in shared memory
// Memory      1 KiB shared; reads 4 bytes a segment and column, 1/64 to 1/512 of what spmm_binned
//             gathered
// Regime      rows of more than a segment
// Numerics    float32, fixed order: deterministic
// Edge cases  the last tile of columns may be narrower than 32
// Source      own
// Measured    not yet measured
__global__ void __launch_bounds__(kWarpSize* SpmmConfig::kSegmentLanes)
    spmm_segment_sums_kernel(const SpmmLongRow* __restrict__ long_rows,
                             const float* __restrict__ partial, std::int64_t width,
                             SpmmEpilogue epilogue) {
  PENCHANT_SHARED(float, lane_sums, kWarpSize* SpmmConfig::kSegmentLanes);
  const SpmmLongRow row = long_rows[blockIdx.x];
  if (!epilogue.wanted.contains(row.row)) return;
  const std::int64_t column = std::int64_t{blockIdx.y} * kWarpSize + threadIdx.x;
  const int x = static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(threadIdx.y);
  float sum = 0.0F;
  if (column < width) {
    for (std::int64_t s = y; s < row.num_segments; s += SpmmConfig::kSegmentLanes)
      sum += partial[(row.first_segment + s) * width + column];
  }
  lane_sums[y * kWarpSize + x] = sum;
  __syncthreads();
  if (y != 0 || column >= width) return;
  for (int s = 1; s < SpmmConfig::kSegmentLanes; ++s) sum += lane_sums[s * kWarpSize + x];
  epilogue.store<1, true>(row.row, column, Pack<1>{{sum}});
}

template <typename Layout>
void launch_spmm(const SpmmOperand& a, MatrixView<const typename Layout::T> x,
                 const SpmmEpilogue& epilogue, const std::uint32_t* nonzero, float* partial,
                 Stream stream) {
  const std::int64_t num_wide = a.num_segments + a.num_medium;
  const std::int64_t warps = num_wide + ceil_div(a.num_tasks - num_wide, Layout::kGroups);
  constexpr std::int64_t kBlockWarps = SpmmConfig::kBlockThreads / kWarpSize;
  const LaunchShape shape{
      dim3(grid_x(ceil_div(warps, kBlockWarps)), grid_y(ceil_div(x.cols, Layout::kColumns))),
      dim3(SpmmConfig::kBlockThreads)};
  const SpmmTable<typename Layout::T> table{
      x.data, graph::checked_cast<std::uint32_t>(
                  x.stride * static_cast<std::int64_t>(sizeof(typename Layout::T)))};
  const bool has_sets = nonzero != nullptr || epilogue.wanted.words != nullptr ||
                        epilogue.nonzero_addend.words != nullptr;
  const auto kernel = a.values != nullptr ? (has_sets ? spmm_binned_kernel<Layout, true, true>
                                                      : spmm_binned_kernel<Layout, true, false>)
                                          : (has_sets ? spmm_binned_kernel<Layout, false, true>
                                                      : spmm_binned_kernel<Layout, false, false>);
  launch(kernel, shape, stream, a, table, x.cols, epilogue, nonzero, partial);
}

/// The narrowest layout of 16-byte packs that holds a row, or one element a lane.
template <typename T, int Per>
void launch_widest(bool packs, const SpmmOperand& a, MatrixView<const T> x,
                   const SpmmEpilogue& epilogue, const std::uint32_t* nonzero, float* partial,
                   Stream stream) {
  const std::int64_t lanes = ceil_div(x.cols, Per);
  if (!packs)
    launch_spmm<SpmmLayout<T, 1, 32, 1>>(a, x, epilogue, nonzero, partial, stream);
  else if (lanes <= 2)
    launch_spmm<SpmmLayout<T, Per, 2, 1>>(a, x, epilogue, nonzero, partial, stream);
  else if (lanes <= 4)
    launch_spmm<SpmmLayout<T, Per, 4, 1>>(a, x, epilogue, nonzero, partial, stream);
  else if (lanes <= 8)
    launch_spmm<SpmmLayout<T, Per, 8, 1>>(a, x, epilogue, nonzero, partial, stream);
  else if (lanes <= 16)
    launch_spmm<SpmmLayout<T, Per, 16, 1>>(a, x, epilogue, nonzero, partial, stream);
  else if (lanes <= 32)
    launch_spmm<SpmmLayout<T, Per, 32, 1>>(a, x, epilogue, nonzero, partial, stream);
  else if (lanes <= 64)
    launch_spmm<SpmmLayout<T, Per, 32, 2>>(a, x, epilogue, nonzero, partial, stream);
  else  // 512 columns a tile in either type
    launch_spmm<SpmmLayout<T, Per, 32, 16 / Per>>(a, x, epilogue, nonzero, partial, stream);
}

}  // namespace

/// y, options: as Backend::spmm; T is float or Bf16. scratch: spmm_scratch_size floats, 16-byte
/// aligned.
template <typename T>
void spmm_binned(const SpmmOperand& a, MatrixView<const T> x, FloatView y,
                 const SpmmOptions& options, VectorView<float> scratch, Stream stream) {
  if (y.rows == 0 || y.cols == 0) return;
  constexpr int kPer = 16 / static_cast<int>(sizeof(T));
  const bool packs = packs_fit(x, kPer) && packs_fit(y, 4) && packs_fit(options.addend, 4) &&
                     packs_fit(options.layer_sum, 4);
  const SpmmEpilogue epilogue{options.alpha,
                              options.beta,
                              options.gamma,
                              options.delta,
                              options.row_scale.data,
                              Rows<const float>(options.addend),
                              Rows<float>(options.layer_sum),
                              Rows<float>(y),
                              options.bias.data,
                              options.activation,
                              RowBits(options.wanted, a.first_row),
                              RowBits(options.nonzero_addend, a.first_row)};
  launch_widest<T, kPer>(packs, a, x, epilogue, options.nonzero.data, scratch.data, stream);
  if (a.num_long_rows == 0) return;
  launch(spmm_segment_sums_kernel,
         {dim3(grid_x(a.num_long_rows), grid_y(ceil_div(y.cols, kWarpSize))),
          dim3(kWarpSize, SpmmConfig::kSegmentLanes)},
         stream, a.long_rows, scratch.data, y.cols, epilogue);
}

}  // namespace penchant::kernels::cuda
