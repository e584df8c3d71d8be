// SPDX-License-Identifier: Apache-2.0
// Small inputs shared by the tests of graph/ and partition/: random logs and matrices, equality
// with a readable difference.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/csr.h"
#include "graph/interactions.h"
#include "graph/random.h"

namespace penchant::graph {

/// Sets the number of OpenMP threads for one scope.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(omp_get_max_threads()) { omp_set_num_threads(count); }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

inline void expect_equal(const Csr& got, const Csr& want) {
  EXPECT_EQ(got.num_rows, want.num_rows);
  EXPECT_EQ(got.num_cols, want.num_cols);
  EXPECT_EQ(got.offsets, want.offsets);
  EXPECT_EQ(got.columns, want.columns);
  EXPECT_EQ(got.values, want.values);
}

/// One entry a pair, row by row; an absent value is 1.
inline std::map<std::pair<NodeId, NodeId>, float> entries_of(const CsrView& matrix) {
  std::map<std::pair<NodeId, NodeId>, float> result;
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    for (std::int64_t k = 0; k < matrix.row_size(row); ++k) {
      const auto entry = static_cast<std::size_t>(k);
      result[{static_cast<NodeId>(row), matrix.row(row)[entry]}] =
          matrix.values.empty() ? 1.0F : matrix.row_values(row)[entry];
    }
  }
  return result;
}

/// Coordinates with repeats; values are multiples of 1/4, so that their sums are exact.
inline std::vector<Entry> random_entries(std::int64_t rows, std::int64_t cols, std::int64_t count,
                                         std::uint64_t seed) {
  const Random random(Seed{seed}, Stream::generator);
  std::vector<Entry> entries;
  for (std::int64_t e = 0; e < count; ++e) {
    const auto position = static_cast<std::uint64_t>(e) * 3;
    entries.push_back(
        {static_cast<NodeId>(random.below(position, static_cast<std::uint64_t>(rows))),
         static_cast<NodeId>(random.below(position + 1, static_cast<std::uint64_t>(cols))),
         0.25F * static_cast<float>(1 + random.below(position + 2, 16))});
  }
  return entries;
}

inline Csr random_csr(std::int64_t rows, std::int64_t cols, std::int64_t count,
                      std::uint64_t seed) {
  return csr_from_entries(rows, cols, random_entries(rows, cols, count, seed));
}

/// Undirected edges as a symmetric matrix without values.
inline Csr undirected(std::int64_t num_nodes, const std::vector<std::pair<NodeId, NodeId>>& edges) {
  std::vector<Entry> entries;
  for (const auto& [a, b] : edges) {
    entries.push_back({a, b, 1.0F});
    entries.push_back({b, a, 1.0F});
  }
  Csr csr = csr_from_entries(num_nodes, num_nodes, entries, Duplicates::keep_first);
  csr.values.clear();
  return csr;
}

/// A symmetric matrix without self loops and values.
inline Csr random_undirected(std::int64_t num_nodes, std::int64_t num_edges, std::uint64_t seed) {
  std::vector<std::pair<NodeId, NodeId>> edges;
  for (const Entry& entry : random_entries(num_nodes, num_nodes, num_edges, seed)) {
    if (entry.row != entry.column) edges.emplace_back(entry.row, entry.column);
  }
  return undirected(num_nodes, edges);
}

/// A log sorted by (user, time) with every column; several rows may share a time, sessions are
/// blocks of four rows of a user.
inline Interactions random_log(std::int64_t users, std::int64_t items, std::int64_t rows,
                               std::uint64_t seed, std::int64_t num_times = 1000) {
  const Random random(Seed{seed}, Stream::generator);
  std::vector<std::pair<NodeId, std::int64_t>> keys;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto position = static_cast<std::uint64_t>(row) * 2;
    keys.emplace_back(
        static_cast<NodeId>(random.below(position, static_cast<std::uint64_t>(users))),
        static_cast<std::int64_t>(
            random.below(position + 1, static_cast<std::uint64_t>(num_times))));
  }
  std::sort(keys.begin(), keys.end());
  Interactions log;
  std::int32_t session = -1;
  for (std::size_t row = 0; row < keys.size(); ++row) {
    const auto position = (std::uint64_t{1} << 40) + row * 2;
    if (row % 4 == 0 || keys[row].first != keys[row - 1].first) ++session;
    log.user.push_back(keys[row].first);
    log.item.push_back(
        static_cast<NodeId>(random.below(position, static_cast<std::uint64_t>(items))));
    log.weight.push_back(static_cast<float>(1 + random.below(position + 1, 4)));
    log.time_ms.push_back(keys[row].second);
    log.event.push_back(static_cast<std::int8_t>(row % 3));
    log.session.push_back(session);
  }
  return log;
}

}  // namespace penchant::graph
