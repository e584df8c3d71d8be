// SPDX-License-Identifier: Apache-2.0
// Graphs built by Thrust: coordinates -> sorted CSR, transpose, degrees and symmetric
// normalisation, with the very bits of graph/csr.h and graph/normalize.h. Templates over the
// vector, whose iterators choose the system: graph_build.cu compiles them for device vectors, the
// test for host vectors, so that they are tested where there is no GPU. Sums run along rows, one
// thread a row, so that no order depends on scheduling; all else is a thread an entry, so that a
// hub of millions of entries is not one thread's work.
#pragma once

#include <thrust/binary_search.h>
#include <thrust/copy.h>
#include <thrust/count.h>
#include <thrust/for_each.h>
#include <thrust/gather.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/sort.h>
#include <thrust/transform.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "graph/csr.h"
#include "graph/error.h"

namespace penchant::kernels::cuda {

/// A place in a matrix as one number, so that one radix sort orders by row, then column.
using Place = std::uint64_t;

_CCCL_HOST_DEVICE inline Place place_of(graph::NodeId row, graph::NodeId column) {
  return static_cast<Place>(static_cast<std::uint32_t>(row)) << 32 |
         static_cast<std::uint32_t>(column);
}

struct RowOf {
  _CCCL_HOST_DEVICE graph::NodeId operator()(Place place) const {
    return static_cast<graph::NodeId>(place >> 32);
  }
};
struct ColumnOf {
  _CCCL_HOST_DEVICE graph::NodeId operator()(Place place) const {
    return static_cast<graph::NodeId>(place & 0xFFFFFFFFU);
  }
};
struct PlaceOfEntry {
  _CCCL_HOST_DEVICE Place operator()(const graph::Entry& entry) const {
    return place_of(entry.row, entry.column);
  }
};
struct ValueOfEntry {
  _CCCL_HOST_DEVICE float operator()(const graph::Entry& entry) const { return entry.value; }
};
struct LiesOutside {
  std::int64_t num_rows, num_cols;
  _CCCL_HOST_DEVICE bool operator()(const graph::Entry& entry) const {
    return entry.row < 0 || entry.row >= num_rows || entry.column < 0 || entry.column >= num_cols;
  }
};
/// True at the first of equal neighbours of a sorted array.
struct StartsRun {
  const Place* places;
  _CCCL_HOST_DEVICE bool operator()(std::int64_t e) const {
    return e == 0 || places[e] != places[e - 1];
  }
};
/// The value of the run that starts at `first`, combined in order.
struct CombineRun {
  const Place* places;
  const float* values;
  std::int64_t size;
  graph::Duplicates duplicates;
  _CCCL_HOST_DEVICE float operator()(std::int64_t first) const {
    float value = values[first];
    for (std::int64_t e = first + 1; e < size && places[e] == places[first]; ++e) {
      switch (duplicates) {
        case graph::Duplicates::sum:
          value += values[e];
          break;
        case graph::Duplicates::keep_first:
          break;
        case graph::Duplicates::keep_last:
          value = values[e];
          break;
        case graph::Duplicates::maximum:
          value = values[e] > value ? values[e] : value;
          break;
      }
    }
    return value;
  }
};

/// CSR arrays in the memory of Vector; `values` may be empty: all ones.
template <template <typename...> class Vector>
struct CsrArrays {
  std::int64_t num_rows = 0;
  std::int64_t num_cols = 0;
  Vector<graph::EdgeOffset> offsets;
  Vector<graph::NodeId> columns;
  Vector<float> values;
};

template <template <typename...> class Vector>
CsrArrays<Vector> upload(const graph::CsrView& matrix) {
  return {matrix.num_rows, matrix.num_cols,
          Vector<graph::EdgeOffset>(matrix.offsets.begin(), matrix.offsets.end()),
          Vector<graph::NodeId>(matrix.columns.begin(), matrix.columns.end()),
          Vector<float>(matrix.values.begin(), matrix.values.end())};
}

template <template <typename...> class Vector>
graph::Csr download(const CsrArrays<Vector>& arrays) {
  graph::Csr csr;
  csr.num_rows = arrays.num_rows;
  csr.num_cols = arrays.num_cols;
  csr.offsets.resize(arrays.offsets.size());
  csr.columns.resize(arrays.columns.size());
  csr.values.resize(arrays.values.size());
  thrust::copy(arrays.offsets.begin(), arrays.offsets.end(), csr.offsets.begin());
  thrust::copy(arrays.columns.begin(), arrays.columns.end(), csr.columns.begin());
  thrust::copy(arrays.values.begin(), arrays.values.end(), csr.values.begin());
  return csr;
}

/// Offsets and columns of sorted places.
template <template <typename...> class Vector>
void split_places(const Vector<Place>& places, CsrArrays<Vector>& csr) {
  Vector<graph::NodeId> rows(places.size());
  thrust::transform(places.begin(), places.end(), rows.begin(), RowOf{});
  csr.columns.resize(places.size());
  thrust::transform(places.begin(), places.end(), csr.columns.begin(), ColumnOf{});
  csr.offsets.resize(static_cast<std::size_t>(csr.num_rows) + 1);
  thrust::lower_bound(rows.begin(), rows.end(), thrust::counting_iterator<std::int64_t>(0),
                      thrust::counting_iterator<std::int64_t>(csr.num_rows + 1),
                      csr.offsets.begin());
}

/// graph::csr_from_entries.
template <template <typename...> class Vector>
CsrArrays<Vector> build_csr(std::int64_t num_rows, std::int64_t num_cols,
                            const Vector<graph::Entry>& entries, graph::Duplicates duplicates) {
  const auto outside =
      thrust::count_if(entries.begin(), entries.end(), LiesOutside{num_rows, num_cols});
  if (outside > 0) {
    throw InputError(std::to_string(outside) + " entries lie outside a " +
                     std::to_string(num_rows) + " x " + std::to_string(num_cols) + " matrix");
  }
  const auto size = static_cast<std::int64_t>(entries.size());
  Vector<Place> places(entries.size());
  Vector<float> values(entries.size());
  thrust::transform(entries.begin(), entries.end(), places.begin(), PlaceOfEntry{});
  thrust::transform(entries.begin(), entries.end(), values.begin(), ValueOfEntry{});
  thrust::stable_sort_by_key(places.begin(), places.end(), values.begin());

  const Place* sorted = thrust::raw_pointer_cast(places.data());
  Vector<std::int64_t> starts(entries.size());
  const thrust::counting_iterator<std::int64_t> first(0);
  starts.erase(thrust::copy_if(first, first + size, starts.begin(), StartsRun{sorted}),
               starts.end());
  CsrArrays<Vector> csr;
  csr.num_rows = num_rows;
  csr.num_cols = num_cols;
  csr.values.resize(starts.size());
  thrust::transform(starts.begin(), starts.end(), csr.values.begin(),
                    CombineRun{sorted, thrust::raw_pointer_cast(values.data()), size, duplicates});
  Vector<Place> kept(starts.size());
  thrust::gather(starts.begin(), starts.end(), places.begin(), kept.begin());
  split_places(kept, csr);
  return csr;
}

/// The row of an entry.
_CCCL_HOST_DEVICE inline std::int64_t row_of_entry(const graph::EdgeOffset* offsets,
                                                   std::int64_t num_rows, std::int64_t e) {
  std::int64_t first = 0;
  std::int64_t last = num_rows;  // the entry's row lies in [first, last)
  while (last - first > 1) {
    const std::int64_t middle = first + (last - first) / 2;
    if (offsets[middle] <= e)
      first = middle;
    else
      last = middle;
  }
  return first;
}

/// The place of an entry in the transpose: its column, then its row.
struct TransposedPlace {
  const graph::EdgeOffset* offsets;
  const graph::NodeId* columns;
  std::int64_t num_rows;
  _CCCL_HOST_DEVICE Place operator()(std::int64_t e) const {
    return place_of(columns[e], static_cast<graph::NodeId>(row_of_entry(offsets, num_rows, e)));
  }
};

/// graph::transpose.
template <template <typename...> class Vector>
CsrArrays<Vector> transpose(const CsrArrays<Vector>& matrix) {
  CsrArrays<Vector> result;
  result.num_rows = matrix.num_cols;
  result.num_cols = matrix.num_rows;
  result.values = matrix.values;
  Vector<Place> places(matrix.columns.size());
  const thrust::counting_iterator<std::int64_t> first(0);
  thrust::transform(
      first, first + static_cast<std::int64_t>(matrix.columns.size()), places.begin(),
      TransposedPlace{thrust::raw_pointer_cast(matrix.offsets.data()),
                      thrust::raw_pointer_cast(matrix.columns.data()), matrix.num_rows});
  if (result.values.empty())
    thrust::stable_sort(places.begin(), places.end());
  else
    thrust::stable_sort_by_key(places.begin(), places.end(), result.values.begin());
  split_places(places, result);
  return result;
}

/// 1 / sqrt(sum of a row's values), or 0 for an empty row; summed in double, in the row's order.
struct InverseRootDegree {
  const graph::EdgeOffset* offsets;
  const float* values;
  _CCCL_HOST_DEVICE float operator()(std::int64_t row) const {
    constexpr int kAhead = 8;  // loads that do not wait for the sum
    double sum = 0.0;
    graph::EdgeOffset e = offsets[row];
    const graph::EdgeOffset last = offsets[row + 1];
    for (; e + kAhead <= last; e += kAhead) {
      float terms[kAhead];
      for (int k = 0; k < kAhead; ++k) terms[k] = values[e + k];
      for (int k = 0; k < kAhead; ++k) sum += static_cast<double>(terms[k]);
    }
    for (; e < last; ++e) sum += static_cast<double>(values[e]);
    return sum > 0.0 ? static_cast<float>(1.0 / sqrt(sum)) : 0.0F;
  }
};

/// An entry times the scales of its row and its column.
struct ScaleEntry {
  const graph::EdgeOffset* offsets;
  const graph::NodeId* columns;
  std::int64_t num_rows;
  const float* scale;
  float* values;
  _CCCL_HOST_DEVICE void operator()(std::int64_t e) const {
    values[e] *= scale[row_of_entry(offsets, num_rows, e)] * scale[columns[e]];
  }
};

/// graph::normalize_symmetric without self-loops, in place: the degrees, then both scales.
template <template <typename...> class Vector>
void normalize_symmetric(CsrArrays<Vector>& matrix) {
  if (matrix.num_rows != matrix.num_cols)
    throw InputError("symmetric normalisation needs a square matrix");
  if (matrix.values.empty()) matrix.values.assign(matrix.columns.size(), 1.0F);
  Vector<float> scale(static_cast<std::size_t>(matrix.num_rows));
  const graph::EdgeOffset* offsets = thrust::raw_pointer_cast(matrix.offsets.data());
  float* values = thrust::raw_pointer_cast(matrix.values.data());
  const thrust::counting_iterator<std::int64_t> first(0);
  thrust::transform(first, first + matrix.num_rows, scale.begin(),
                    InverseRootDegree{offsets, values});
  thrust::for_each_n(first, static_cast<std::int64_t>(matrix.columns.size()),
                     ScaleEntry{offsets, thrust::raw_pointer_cast(matrix.columns.data()),
                                matrix.num_rows, thrust::raw_pointer_cast(scale.data()), values});
}

}  // namespace penchant::kernels::cuda
