// SPDX-License-Identifier: Apache-2.0
#include "tests/support/data.h"

#include <algorithm>
#include <set>

#include "graph/random.h"

namespace penchant::support {

using graph::NodeId;
using graph::Random;

namespace {

Random generator(std::uint64_t seed) { return {graph::Seed{seed}, graph::Stream::generator}; }

graph::Csr from_rows(std::int64_t cols, const std::vector<std::vector<NodeId>>& rows) {
  graph::Csr csr;
  csr.num_rows = static_cast<std::int64_t>(rows.size());
  csr.num_cols = cols;
  for (const auto& row : rows) {
    csr.columns.insert(csr.columns.end(), row.begin(), row.end());
    csr.offsets.push_back(static_cast<graph::EdgeOffset>(csr.columns.size()));
  }
  return csr;
}

std::vector<NodeId> random_row(std::int64_t row, std::int64_t cols, std::int64_t mean_row_size,
                               const Random& random) {
  if (row % 5 == 1 || cols == 0) return {};
  const std::uint64_t place = static_cast<std::uint64_t>(row) << 32;
  const std::uint64_t size = random.below(place, static_cast<std::uint64_t>(2 * mean_row_size + 1));
  std::vector<NodeId> result;
  for (std::uint64_t k = 1; k <= size; ++k) {
    result.push_back(
        static_cast<NodeId>(random.below(place + k, static_cast<std::uint64_t>(cols))));
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

Dense round_to_float(Dense values) {
  for (double& value : values.values) value = static_cast<float>(value);
  return values;
}

Dense random_dense(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  const Random random = generator(seed);
  Dense result(rows, cols);
  for (std::size_t k = 0; k < result.values.size(); ++k)
    result.values[k] = 2.0 * random.uniform(k) - 1.0;
  return round_to_float(std::move(result));
}

Dense random_integers(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  const Random random = generator(seed);
  Dense result(rows, cols);
  for (std::size_t k = 0; k < result.values.size(); ++k)
    result.values[k] = static_cast<double>(random.below(k, 7)) - 3.0;
  return result;
}

Dense random_ids(std::int64_t count, std::int64_t bound, std::uint64_t seed) {
  const Random random = generator(seed);
  Dense result(1, count);
  for (std::size_t k = 0; k < result.values.size(); ++k) {
    result.values[k] = static_cast<double>(random.below(k, static_cast<std::uint64_t>(bound)));
  }
  return result;
}

std::vector<NodeId> ids_of(const Dense& row) {
  std::vector<NodeId> result;
  for (const double value : row.values) result.push_back(static_cast<NodeId>(value));
  return result;
}

graph::Csr random_sparse(std::int64_t rows, std::int64_t cols, std::int64_t mean_row_size,
                         Values values, std::uint64_t seed) {
  const Random random = generator(seed);
  std::vector<std::vector<NodeId>> columns;
  for (std::int64_t i = 0; i < rows; ++i)
    columns.push_back(random_row(i, cols, mean_row_size, random));
  graph::Csr csr = from_rows(cols, columns);
  if (values == Values::present) {
    for (std::size_t e = 0; e < csr.columns.size(); ++e) {
      csr.values.push_back(
          static_cast<float>(2.0 * random.uniform((std::uint64_t{1} << 62) + e) - 1.0));
    }
  }
  return csr;
}

graph::Csr random_sets(std::int64_t rows, std::int64_t cols, std::int64_t mean_row_size,
                       std::uint64_t seed) {
  const Random random = generator(seed);
  std::vector<std::vector<NodeId>> columns;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::vector<NodeId> row = random_row(i, cols, mean_row_size, random);
    row.erase(std::unique(row.begin(), row.end()), row.end());
    columns.push_back(std::move(row));
  }
  return from_rows(cols, columns);
}

graph::Csr random_symmetric(std::int64_t nodes, std::int64_t mean_row_size, std::uint64_t seed) {
  const Random random = generator(seed);
  std::vector<graph::Entry> entries;
  std::set<std::pair<NodeId, NodeId>> seen;
  for (std::int64_t k = 0; k < nodes * mean_row_size / 2; ++k) {
    const auto place = static_cast<std::uint64_t>(3 * k);
    const auto i = static_cast<NodeId>(random.below(place, static_cast<std::uint64_t>(nodes)));
    const auto j = static_cast<NodeId>(random.below(place + 1, static_cast<std::uint64_t>(nodes)));
    if (!seen.insert(std::minmax(i, j)).second) continue;
    const auto value = static_cast<float>(0.1 + 0.5 * random.uniform(place + 2));
    entries.push_back({i, j, value});
    if (i != j) entries.push_back({j, i, value});
  }
  return graph::csr_from_entries(nodes, nodes, entries);
}

}  // namespace penchant::support
