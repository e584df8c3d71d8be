// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/item_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "graph/random.h"
#include "tests/graph/graphs.h"

namespace penchant::testing {
namespace {

using graph::ThreadCount;
using pipeline::ItemMap;
using pipeline::map_items;

constexpr std::int64_t kDim = 12;

/// `groups` directions, `of_group` rows around each of them; lengths of 1 to 50, so that rows of a
/// group lie far apart but for their cosine.
class Groups {
 public:
  Groups(std::int64_t groups, std::int64_t of_group)
      : of_group_(of_group), values_(static_cast<std::size_t>(groups * of_group * kDim)) {
    const graph::Random random(graph::Seed{11}, graph::Stream::generator);
    for (std::int64_t row = 0; row < rows(); ++row) {
      const double length = 1 + 49 * random.uniform(static_cast<std::uint64_t>(1'000'000 + row));
      for (std::int64_t k = 0; k < kDim; ++k) {
        const double direction = k == group(row) ? 1.0 : 0.0;
        const double noise = 0.1 * random.normal(static_cast<std::uint64_t>(row * kDim + k));
        at(row, k) = static_cast<float>(length * (direction + noise));
      }
    }
  }
  std::int64_t rows() const { return static_cast<std::int64_t>(values_.size()) / kDim; }
  std::int64_t group(std::int64_t row) const { return row / of_group_; }
  float& at(std::int64_t row, std::int64_t k) {
    return values_[static_cast<std::size_t>(row * kDim + k)];
  }
  kernels::ConstFloatView view() const {
    return {values_.data(), rows(), kDim, kDim, kernels::Device::cpu};
  }
  std::vector<std::int64_t> all() const {
    std::vector<std::int64_t> result(static_cast<std::size_t>(rows()));
    std::iota(result.begin(), result.end(), 0);
    return result;
  }

 private:
  std::int64_t of_group_;
  std::vector<float> values_;
};

/// Share of the `count` nearest points of each point that are of its own group.
double purity(const std::vector<double>& points, const Groups& groups, std::int64_t count) {
  std::int64_t own = 0;
  for (std::int64_t row = 0; row < groups.rows(); ++row) {
    std::vector<std::pair<double, std::int64_t>> distances;
    for (std::int64_t other = 0; other < groups.rows(); ++other) {
      const auto coordinate = [&](std::int64_t r, std::int64_t axis) {
        return points[static_cast<std::size_t>(2 * r + axis)];
      };
      if (other != row)
        distances.emplace_back(std::hypot(coordinate(row, 0) - coordinate(other, 0),
                                          coordinate(row, 1) - coordinate(other, 1)),
                               other);
    }
    std::partial_sort(distances.begin(), distances.begin() + count, distances.end());
    for (std::int64_t k = 0; k < count; ++k)
      own += groups.group(distances[static_cast<std::size_t>(k)].second) == groups.group(row);
  }
  return static_cast<double>(own) / static_cast<double>(groups.rows() * count);
}

TEST(ItemMap, UmapKeepsDirectionsTogether) {
  const Groups groups(5, 40);
  const auto backend = kernels::make_backend({});
  const ItemMap map = map_items(groups.view(), groups.all(), groups.all(), *backend);
  ASSERT_EQ(map.umap.size(), static_cast<std::size_t>(2 * groups.rows()));
  EXPECT_GT(purity(map.umap, groups, 10), 0.98);
  EXPECT_LT(purity(map.components, groups, 10), 0.9) << "lengths mix the groups there";
}

TEST(ItemMap, IsTheSameAtAnyNumberOfThreads) {
  const Groups groups(3, 30);
  const auto backend = kernels::make_backend({});
  const auto at_threads = [&](int count) {
    const ThreadCount scope(count);
    return map_items(groups.view(), groups.all(), groups.all(), *backend);
  };
  const ItemMap one = at_threads(1);
  const ItemMap two = at_threads(2);
  EXPECT_EQ(one.umap, two.umap);
  EXPECT_EQ(one.components, two.components);
}

TEST(ItemMap, FirstComponentIsTheLongestAxis) {
  // Rows on the line t (1, 2, 0, ...) / sqrt(5), shifted; t spreads ten times as far as the rest.
  Groups rows(1, 200);
  const graph::Random random(graph::Seed{12}, graph::Stream::generator);
  std::vector<double> along(200);
  for (std::int64_t row = 0; row < 200; ++row) {
    const double t = 10 * random.normal(static_cast<std::uint64_t>(row));
    along[static_cast<std::size_t>(row)] = t;
    for (std::int64_t k = 0; k < kDim; ++k) {
      const double axis = k == 0 ? 1 / std::sqrt(5.0) : k == 1 ? 2 / std::sqrt(5.0) : 0.0;
      rows.at(row, k) = static_cast<float>(
          7 + t * axis + 0.1 * random.normal(static_cast<std::uint64_t>(10'000 + row * kDim + k)));
    }
  }
  const auto backend = kernels::make_backend({});
  const std::vector<std::int64_t> shown = {3, 150, 77};
  const ItemMap map = map_items(rows.view(), shown, rows.all(), *backend);
  EXPECT_GT(map.variance_share, 0.99);
  EXPECT_TRUE(map.umap.empty()) << "three rows have no 15 neighbours";
  ASSERT_EQ(map.components.size(), 6U);
  const double mean = std::accumulate(along.begin(), along.end(), 0.0) / 200;
  const double sign = map.components[0] * (along[3] - mean) > 0 ? 1.0 : -1.0;
  for (std::size_t k = 0; k < shown.size(); ++k)
    EXPECT_NEAR(sign * map.components[2 * k], along[static_cast<std::size_t>(shown[k])] - mean,
                0.7);
}

TEST(ItemMap, ItemsWithoutVectorsHaveFinitePlaces) {
  Groups rows(2, 20);
  for (std::int64_t row = 0; row < 25; ++row) {
    for (std::int64_t k = 0; k < kDim; ++k) rows.at(row, k) = 0;
  }
  const auto backend = kernels::make_backend({});
  const ItemMap map = map_items(rows.view(), rows.all(), rows.all(), *backend);
  for (const double value : map.umap) EXPECT_TRUE(std::isfinite(value));
  EXPECT_TRUE(map_items(rows.view(), {}, rows.all(), *backend).components.empty());
}

}  // namespace
}  // namespace penchant::testing
