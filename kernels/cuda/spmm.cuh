// SPDX-License-Identifier: Apache-2.0
// Sparse times dense on the device: y_i = act(alpha row_scale_i sum_j a_ij x_j + beta y_i + delta
// addend_i + bias), layer_sum_i += gamma y_i. Rows are divided by spmm_plan.h; why the kernel looks
// like this: docs/kernels.md#spmm-on-the-device.
#pragma once

#include "kernels/backend.h"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/cuda/spmm_plan.h"

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
};

/// Floats of scratch that a product of width D needs: one row a segment.
inline std::int64_t spmm_scratch_size(const SpmmOperand& a, std::int64_t width) {
  return a.num_segments * width;
}

namespace {

struct SpmmConfig {
  static constexpr int kBlockThreads = 128;
  /// 16-byte loads that a lane has in flight. With 4, layouts up to D = 128 need at most 64
  /// registers: 32 warps an SM with 64 KiB on their way; 8 loads take up to 104 registers, 16
  /// warps. An estimate, not yet measured.
  static constexpr int kLoadsInFlight = 4;
  /// Entries of partial rows that a block of the second pass adds side by side.
  static constexpr int kSegmentLanes = 8;
};
static_assert(SpmmConfig::kBlockThreads % kWarpSize == 0, "tasks are divided among whole warps");

/// What happens to a finished sum.
struct SpmmEpilogue {
  float alpha, beta, gamma, delta;
  const float* row_scale;
  Rows<const float> addend;
  Rows<float> layer_sum;
  Rows<float> y;
  const float* bias;
  Activation act;

  template <int N>
  __device__ __forceinline__ void store(std::int64_t i, std::int64_t column,
                                        const Pack<N>& sum) const {
    const float scale = row_scale != nullptr ? alpha * row_scale[i] : alpha;
    float* to = y.row(i) + column;
    Pack<N> value;
    for (int k = 0; k < N; ++k) value.v[k] = scale * sum.v[k];
    if (beta != 0.0F) {
      const Pack<N> before = load_pack<N>(to);
      for (int k = 0; k < N; ++k) value.v[k] += beta * before.v[k];
    }
    if (addend.data != nullptr) {
      const Pack<N> term = load_pack<N>(addend.row(i) + column);
      for (int k = 0; k < N; ++k) value.v[k] += delta * term.v[k];
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
      for (int k = 0; k < N; ++k) sums.v[k] += gamma * value.v[k];
      store_pack<N>(total, sums);
    }
  }
};

/// `Per` elements of a table row as they are loaded, and how they join a sum.
template <typename T, int Per>
struct Gathered;
template <>
struct Gathered<float, 4> {
  float4 raw;
  __device__ __forceinline__ void load(const float* from) {
    raw = __ldg(reinterpret_cast<const float4*>(from));
  }
  __device__ __forceinline__ void add_to(float* sum, float weight) const {
    sum[0] += weight * raw.x;
    sum[1] += weight * raw.y;
    sum[2] += weight * raw.z;
    sum[3] += weight * raw.w;
  }
};
template <>
struct Gathered<float, 1> {
  float raw;
  __device__ __forceinline__ void load(const float* from) { raw = __ldg(from); }
  __device__ __forceinline__ void add_to(float* sum, float weight) const { sum[0] += weight * raw; }
};
template <>
struct Gathered<Bf16, 8> {
  uint4 raw;
  __device__ __forceinline__ void load(const Bf16* from) {
    raw = __ldg(reinterpret_cast<const uint4*>(from));
  }
  __device__ __forceinline__ void add_to(float* sum, float weight) const {
    const std::uint32_t words[4] = {raw.x, raw.y, raw.z, raw.w};
    for (int k = 0; k < 4; ++k) {
      sum[2 * k] += weight * __uint_as_float(words[k] << 16);
      sum[2 * k + 1] += weight * __uint_as_float(words[k] & 0xFFFF0000U);
    }
  }
};
template <>
struct Gathered<Bf16, 1> {
  std::uint16_t raw;
  __device__ __forceinline__ void load(const Bf16* from) {
    raw = __ldg(reinterpret_cast<const std::uint16_t*>(from));
  }
  __device__ __forceinline__ void add_to(float* sum, float weight) const {
    sum[0] += weight * float_of(raw);
  }
};

/// How a warp lies on a table row: `Lanes` lanes of `Vectors` packs of `Per` elements each cover
/// kColumns columns; kGroups groups of lanes work on different entries.
template <typename Element, int PackSize, int GroupLanes, int VectorsPerLane>
struct SpmmLayout {
  using T = Element;
  static constexpr int Per = PackSize;
  static constexpr int Lanes = GroupLanes;
  static constexpr int Vectors = VectorsPerLane;
  static constexpr int kGroups = kWarpSize / Lanes;
  static constexpr int kColumns = Lanes * Vectors * Per;
  static constexpr int kSums = Vectors * Per;
  /// Entries of one group whose loads are in flight together.
  static constexpr int kUnroll =
      SpmmConfig::kLoadsInFlight / Vectors < Lanes ? SpmmConfig::kLoadsInFlight / Vectors : Lanes;
  static_assert(kWarpSize % Lanes == 0 && Lanes % kUnroll == 0, "a chunk is whole steps");
};

template <typename Layout, bool HasValues>
struct SpmmWarp {
  using T = typename Layout::T;
  const T* x;             ///< at the lane's first column
  std::int32_t x_stride;  ///< elements
  const std::int32_t* columns;
  const float* values;
  std::int64_t last_column;  ///< columns of x from the lane's first column on

  /// Adds the table rows of kUnroll entries; `ids` below 0 are skipped unless All says that there
  /// are none.
  template <bool All>
  __device__ __forceinline__ void add(const std::int32_t (&ids)[Layout::kUnroll],
                                      const float (&weights)[Layout::kUnroll],
                                      float (&sums)[Layout::kSums]) const {
    Gathered<T, Layout::Per> loaded[Layout::kUnroll][Layout::Vectors];
#pragma unroll
    for (int u = 0; u < Layout::kUnroll; ++u) {
      const T* row = x + static_cast<std::int64_t>(ids[u]) * x_stride;
#pragma unroll
      for (int v = 0; v < Layout::Vectors; ++v) {
        constexpr int kStep = Layout::Lanes * Layout::Per;
        if ((All || ids[u] >= 0) && v * kStep < last_column) loaded[u][v].load(row + v * kStep);
      }
    }
#pragma unroll
    for (int u = 0; u < Layout::kUnroll; ++u) {
#pragma unroll
      for (int v = 0; v < Layout::Vectors; ++v) {
        constexpr int kStep = Layout::Lanes * Layout::Per;
        if ((All || ids[u] >= 0) && v * kStep < last_column)
          loaded[u][v].add_to(sums + v * Layout::Per, weights[u]);
      }
    }
  }

  /// One chunk of entries that lanes hold one each: step s takes the entry of lane first + s *
  /// stride. Ids below 0 mean that there is no entry.
  template <bool All>
  __device__ __forceinline__ void add_chunk(std::int32_t id, float weight, int first, int stride,
                                            int steps, float (&sums)[Layout::kSums]) const {
#pragma unroll 1  // unrolled further, the shuffles of all steps come first and fill the registers
    for (int s = 0; s < steps; s += Layout::kUnroll) {
      std::int32_t ids[Layout::kUnroll];
      float weights[Layout::kUnroll];
#pragma unroll
      for (int u = 0; u < Layout::kUnroll; ++u) {
        const int source = first + (s + u) * stride;
        ids[u] = __shfl_sync(kFullWarp, id, source);
        weights[u] = HasValues ? __shfl_sync(kFullWarp, weight, source) : 1.0F;
      }
      add<All>(ids, weights, sums);
    }
  }

  __device__ __forceinline__ std::int32_t id_at(std::int64_t begin, int place, int length) const {
    return place < length ? __ldg(columns + begin + place) : -1;
  }
  __device__ __forceinline__ float value_at(std::int64_t begin, int place, int length) const {
    return HasValues && place < length ? __ldg(values + begin + place) : 0.0F;
  }

  /// The warp's row: the groups take its entries in turn; afterwards group sums are added in pairs,
  /// in an order that depends on nothing.
  __device__ __forceinline__ void sum_warp_row(const SpmmTask& task, int lane,
                                               float (&sums)[Layout::kSums]) const {
    std::int32_t id = id_at(task.begin, lane, task.length);
    float weight = value_at(task.begin, lane, task.length);
    for (int base = 0; base < task.length; base += kWarpSize) {
      const int next = base + kWarpSize + lane;
      const std::int32_t next_id = id_at(task.begin, next, task.length);
      const float next_weight = value_at(task.begin, next, task.length);
      const int left = task.length - base;
      if (left >= kWarpSize) {
        add_chunk<true>(id, weight, lane / Layout::Lanes, Layout::kGroups, Layout::Lanes, sums);
      } else {
        const int steps = (left + Layout::kGroups - 1) / Layout::kGroups;
        add_chunk<false>(id, weight, lane / Layout::Lanes, Layout::kGroups, steps, sums);
      }
      id = next_id;
      weight = next_weight;
    }
#pragma unroll
    for (int distance = Layout::Lanes; distance < kWarpSize; distance *= 2) {
#pragma unroll
      for (int k = 0; k < Layout::kSums; ++k)
        sums[k] += __shfl_xor_sync(kFullWarp, sums[k], distance);
    }
  }

  /// A row for each group. The loop is as long as the longest of the warp's rows, so that lanes
  /// meet in every shuffle.
  __device__ __forceinline__ void sum_group_row(const SpmmTask& task, int lane,
                                                float (&sums)[Layout::kSums]) const {
    int longest = task.length;
    int shortest = task.length;
#pragma unroll
    for (int distance = Layout::Lanes; distance < kWarpSize; distance *= 2) {
      const int other_longest = __shfl_xor_sync(kFullWarp, longest, distance);
      const int other_shortest = __shfl_xor_sync(kFullWarp, shortest, distance);
      longest = longest > other_longest ? longest : other_longest;
      shortest = shortest < other_shortest ? shortest : other_shortest;
    }
    const int own = lane % Layout::Lanes;
    const int first = lane - own;
    std::int32_t id = id_at(task.begin, own, task.length);
    float weight = value_at(task.begin, own, task.length);
    for (int base = 0; base < longest; base += Layout::Lanes) {
      const int next = base + Layout::Lanes + own;
      const std::int32_t next_id = id_at(task.begin, next, task.length);
      const float next_weight = value_at(task.begin, next, task.length);
      if (base + Layout::Lanes <= shortest) {
        add_chunk<true>(id, weight, first, 1, Layout::Lanes, sums);
      } else {
        const int left = longest - base;
        add_chunk<false>(id, weight, first, 1, left < Layout::Lanes ? left : Layout::Lanes, sums);
      }
      id = next_id;
      weight = next_weight;
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
//             group's row in ascending order; deterministic; bound (row length + 5) eps
//             sum|terms| times the activation's slope
// Edge cases  empty rows store the epilogue of 0; E = 0 is N empty rows; columns may repeat; lanes
//             beyond D load and store nothing
// Source      own derivation in docs/kernels.md#spmm-on-the-device; to be compared with
//             cusparseSpMM (CSR, ALG1 to ALG3)
// Measured    not yet measured
template <typename Layout, bool HasValues>
__global__ void __launch_bounds__(SpmmConfig::kBlockThreads)
    spmm_binned_kernel(SpmmOperand a, Rows<const typename Layout::T> x, std::int64_t width,
                       SpmmEpilogue epilogue, float* __restrict__ partial) {
  constexpr int kBlockWarps = SpmmConfig::kBlockThreads / kWarpSize;
  constexpr int kPack = Layout::Per == 1 ? 1 : 4;
  const std::int64_t warp =
      std::int64_t{blockIdx.x} * kBlockWarps + static_cast<int>(threadIdx.x) / kWarpSize;
  const int lane = static_cast<int>(threadIdx.x) % kWarpSize;
  const int own = lane % Layout::Lanes;
  const std::int64_t column = std::int64_t{blockIdx.y} * Layout::kColumns + own * Layout::Per;
  const SpmmWarp<Layout, HasValues> rows{x.data + column, static_cast<std::int32_t>(x.stride),
                                         a.columns, a.values, width - column};
  const std::int64_t num_wide = a.num_segments + a.num_medium;
  float sums[Layout::kSums] = {};
  std::int64_t place = warp;
  bool writes = true;
  SpmmTask task{0, -1, 0};
  if (warp < num_wide) {
    task = a.tasks[place];
    rows.sum_warp_row(task, lane, sums);
    writes = lane < Layout::Lanes;
  } else {
    place = num_wide + (warp - num_wide) * Layout::kGroups + lane / Layout::Lanes;
    if (place < a.num_tasks) task = a.tasks[place];
    rows.sum_group_row(task, lane, sums);
    writes = place < a.num_tasks;
  }
  if (!writes) return;
#pragma unroll
  for (int v = 0; v < Layout::Vectors; ++v) {
    const std::int64_t first = v * Layout::Lanes * Layout::Per;
    if (first >= width - column) continue;
#pragma unroll
    for (int k = 0; k < Layout::Per; k += kPack) {
      Pack<kPack> sum;
      for (int p = 0; p < kPack; ++p) sum.v[p] = sums[v * Layout::Per + k + p];
      if (place < a.num_segments)
        store_pack<kPack>(partial + task.target * width + column + first + k, sum);
      else
        epilogue.store<kPack>(task.target, column + first + k, sum);
    }
  }
}

// spmm_segment_sums: one element of a long row of y.
// Computes    the sum of the row's segments, then the epilogue of spmm_binned
// Shapes      partial [segments x D] float32; y, addend, layer_sum as spmm_binned, any alignment
// Mapping     a block of 32 x 8 threads owns 32 columns of one long row: thread (c, s) adds
//             segments s, s + 8, ... of column c; 8 sums per column meet in shared memory
// Memory      1 KiB shared; reads 4 bytes a segment and column, 1/512 of what spmm_binned gathered
// Regime      rows of more than 512 entries
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
  epilogue.store<1>(row.row, column, Pack<1>{{sum}});
}

template <typename Layout>
void launch_spmm(const SpmmOperand& a, MatrixView<const typename Layout::T> x,
                 const SpmmEpilogue& epilogue, float* partial, Stream stream) {
  const std::int64_t num_wide = a.num_segments + a.num_medium;
  const std::int64_t warps = num_wide + ceil_div(a.num_tasks - num_wide, Layout::kGroups);
  constexpr std::int64_t kBlockWarps = SpmmConfig::kBlockThreads / kWarpSize;
  const LaunchShape shape{
      dim3(grid_x(ceil_div(warps, kBlockWarps)), grid_y(ceil_div(x.cols, Layout::kColumns))),
      dim3(SpmmConfig::kBlockThreads)};
  const Rows<const typename Layout::T> table(x);
  if (a.values != nullptr)
    launch(spmm_binned_kernel<Layout, true>, shape, stream, a, table, x.cols, epilogue, partial);
  else
    launch(spmm_binned_kernel<Layout, false>, shape, stream, a, table, x.cols, epilogue, partial);
}

/// The narrowest layout of 16-byte packs that holds a row, or one element a lane.
template <typename T, int Per>
void launch_widest(bool packs, const SpmmOperand& a, MatrixView<const T> x,
                   const SpmmEpilogue& epilogue, float* partial, Stream stream) {
  const std::int64_t lanes = ceil_div(x.cols, Per);
  if (!packs)
    launch_spmm<SpmmLayout<T, 1, 32, 1>>(a, x, epilogue, partial, stream);
  else if (lanes <= 2)
    launch_spmm<SpmmLayout<T, Per, 2, 1>>(a, x, epilogue, partial, stream);
  else if (lanes <= 4)
    launch_spmm<SpmmLayout<T, Per, 4, 1>>(a, x, epilogue, partial, stream);
  else if (lanes <= 8)
    launch_spmm<SpmmLayout<T, Per, 8, 1>>(a, x, epilogue, partial, stream);
  else if (lanes <= 16)
    launch_spmm<SpmmLayout<T, Per, 16, 1>>(a, x, epilogue, partial, stream);
  else if (lanes <= 32)
    launch_spmm<SpmmLayout<T, Per, 32, 1>>(a, x, epilogue, partial, stream);
  else if (lanes <= 64)
    launch_spmm<SpmmLayout<T, Per, 32, 2>>(a, x, epilogue, partial, stream);
  else  // 512 columns a tile in either type
    launch_spmm<SpmmLayout<T, Per, 32, 16 / Per>>(a, x, epilogue, partial, stream);
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
                              options.activation};
  launch_widest<T, kPer>(packs, a, x, epilogue, scratch.data, stream);
  if (a.num_long_rows == 0) return;
  launch(spmm_segment_sums_kernel,
         {dim3(grid_x(a.num_long_rows), grid_y(ceil_div(y.cols, kWarpSize))),
          dim3(kWarpSize, SpmmConfig::kSegmentLanes)},
         stream, a.long_rows, scratch.data, y.cols, epilogue);
}

}  // namespace penchant::kernels::cuda
