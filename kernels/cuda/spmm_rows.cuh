// SPDX-License-Identifier: Apache-2.0
// How a warp sums the table rows that a row of a sparse matrix names: layouts of a table row among
// lanes, and the loops over entries. The kernel around it, and why it looks like this: spmm.cuh.
#pragma once

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/row_set.cuh"
#include "kernels/cuda/spmm_plan.h"

namespace penchant::kernels::cuda {

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
    sum[0] = fmaf(weight, raw.x, sum[0]);
    sum[1] = fmaf(weight, raw.y, sum[1]);
    sum[2] = fmaf(weight, raw.z, sum[2]);
    sum[3] = fmaf(weight, raw.w, sum[3]);
  }
};
template <>
struct Gathered<float, 1> {
  float raw;
  __device__ __forceinline__ void load(const float* from) { raw = __ldg(from); }
  __device__ __forceinline__ void add_to(float* sum, float weight) const {
    sum[0] = fmaf(weight, raw, sum[0]);
  }
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
      sum[2 * k] = fmaf(weight, __uint_as_float(words[k] << 16), sum[2 * k]);
      sum[2 * k + 1] = fmaf(weight, __uint_as_float(words[k] & 0xFFFF0000U), sum[2 * k + 1]);
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
    sum[0] = fmaf(weight, float_of(raw), sum[0]);
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

template <typename Layout, bool HasValues, bool HasSets>
struct SpmmWarp {
  using T = typename Layout::T;
  const T* x;                    ///< at the lane's first column, or, beyond D, at another's
  std::uint32_t x_stride_bytes;  ///< so that an address is one 32-bit product and one sum
  const std::int32_t* columns;
  const float* values;
  std::int64_t last_column;       ///< columns of x from the lane's first column on
  const std::uint32_t* nonzero;   ///< words of the set of rows of x that count, or null: all
  const std::int32_t* table_ids;  ///< of a column its row in that set, or null: itself

  /// Whether x has the lane's v-th pack. The only one of a lane always is there: a lane beyond the
  /// last column stands at another's, so that nothing in a loop depends on it.
  __device__ __forceinline__ bool has_columns(int v) const {
    return Layout::Vectors == 1 || v * Layout::Lanes * Layout::Per < last_column;
  }

  /// Adds the table rows of kUnroll entries; `ids` below 0 are skipped unless All says that there
  /// are none.
  template <bool All>
  __device__ __forceinline__ void add(const std::int32_t (&ids)[Layout::kUnroll],
                                      const float (&weights)[Layout::kUnroll],
                                      float (&sums)[Layout::kSums]) const {
    Gathered<T, Layout::Per> loaded[Layout::kUnroll][Layout::Vectors];
#pragma unroll
    for (int u = 0; u < Layout::kUnroll; ++u) {
      const T* row = byte_offset(x, static_cast<std::uint32_t>(ids[u]), x_stride_bytes);
#pragma unroll
      for (int v = 0; v < Layout::Vectors; ++v) {
        constexpr int kStep = Layout::Lanes * Layout::Per;
        if ((All || ids[u] >= 0) && has_columns(v)) loaded[u][v].load(row + v * kStep);
      }
    }
#pragma unroll
    for (int u = 0; u < Layout::kUnroll; ++u) {
#pragma unroll
      for (int v = 0; v < Layout::Vectors; ++v) {
        if ((All || ids[u] >= 0) && has_columns(v))
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
    std::int32_t id = place < length ? __ldg(columns + begin + place) : -1;
    if (HasSets &&
        nonzero != nullptr) {  // the same for all lanes; a lane without an entry asks for row 0
      std::int32_t row = id < 0 ? 0 : id;
      if (table_ids != nullptr) row = __ldg(table_ids + row);
      if (!has_row(nonzero, static_cast<std::uint32_t>(row))) id = -1;
    }
    return id;
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
      const int left = task.length - base < kWarpSize ? task.length - base : kWarpSize;
      if (!HasSets && left == kWarpSize) {
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
      if (!HasSets && base + Layout::Lanes <= shortest) {
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

}  // namespace

}  // namespace penchant::kernels::cuda
