// SPDX-License-Identifier: Apache-2.0
// Sets of rows (kernels/row_set.h) on the device: how kernels look a row up, and the ops that fill
// a set and the rows of one.
#pragma once

#include <algorithm>
#include <span>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/elementwise.cuh"
#include "kernels/row_set.h"

namespace penchant::kernels::cuda {

namespace {

/// Whether a set that has words contains a row. Rows are NodeIds, so that 32 bits do.
__device__ __forceinline__ bool has_row(const std::uint32_t* words, std::uint32_t row) {
  return (__ldg(words + row / kRowsPerWord) >> (row % kRowsPerWord) & 1U) != 0;
}

/// A RowSet for device code.
struct RowBits {
  const std::uint32_t* words = nullptr;  ///< null: all rows
  std::uint32_t first = 0;               ///< row i here is row first + i of the set

  RowBits() = default;
  explicit RowBits(RowSet rows, std::int64_t first_row = 0)
      : words(rows.data), first(graph::checked_cast<std::uint32_t>(first_row)) {}

  __device__ __forceinline__ bool contains(std::int64_t i) const {
    return words == nullptr || has_row(words, first + static_cast<std::uint32_t>(i));
  }
};

/// y_ij = value for rows i of a set.
struct FillRows {
  RowBits rows;
  Fill fill;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    if (rows.contains(i)) fill.template apply<N>(i, j);
  }
};

/// words_j = 0.
struct ClearWords {
  std::uint32_t* words;
  template <int N>
  __device__ void apply(std::int64_t /*i*/, std::int64_t j) const {
    static_assert(N == 1);
    words[j] = 0;
  }
};

/// Adds id j of list i to a set. The order in which bits are set does not show.
struct MarkRows {
  static constexpr int kLists = 4;  ///< of one launch
  const graph::NodeId* ids[kLists] = {};
  std::int64_t sizes[kLists] = {};
  std::uint32_t* words = nullptr;
  template <int N>
  __device__ void apply(std::int64_t i, std::int64_t j) const {
    static_assert(N == 1);
    const graph::NodeId* list = ids[0];
    std::int64_t size = sizes[0];
#pragma unroll
    for (int other = 1; other < kLists; ++other) {  // an index would put both arrays in memory
      if (i == other) list = ids[other];
      if (i == other) size = sizes[other];
    }
    if (j >= size) return;
    const auto row = static_cast<std::uint32_t>(__ldg(list + j));
    atomicOr(words + row / kRowsPerWord, 1U << (row % kRowsPerWord));
  }
};

}  // namespace

inline void fill_rows(RowSet rows, float value, FloatView y, Stream stream) {
  map_elements(FillRows{RowBits(rows), Fill{value, Rows(y)}}, y.rows, y.cols, packs_fit(y, 4),
               stream);
}

/// Ids are not checked: the caller guarantees that the set has their words.
inline void mark_rows(std::span<const IdView> lists, VectorView<std::uint32_t> rows,
                      Stream stream) {
  map_elements(ClearWords{rows.data}, 1, rows.size, stream);
  for (std::size_t first = 0; first < lists.size(); first += MarkRows::kLists) {
    const auto part =
        lists.subspan(first, std::min<std::size_t>(MarkRows::kLists, lists.size() - first));
    MarkRows op;
    op.words = rows.data;
    std::int64_t longest = 0;
    for (std::size_t list = 0; list < part.size(); ++list) {
      op.ids[list] = part[list].data;
      op.sizes[list] = part[list].size;
      longest = std::max(longest, part[list].size);
    }
    map_elements(op, static_cast<std::int64_t>(part.size()), longest, stream);
  }
}

}  // namespace penchant::kernels::cuda
