// SPDX-License-Identifier: Apache-2.0
#include "partition/partition.h"

#include <cmath>
#include <limits>
#include <string>

#include "graph/error.h"
#include "tests/partition/parts.h"

namespace penchant::partition {
namespace {

using graph::Csr;
using graph::NodeId;
using graph::Seed;

class PartitionEveryWay : public testing::TestWithParam<Method> {};
std::string name_of(const testing::TestParamInfo<Method>& tested) {
  constexpr const char* kNames[] = {"metis", "range", "hash", "random"};
  return kNames[static_cast<int>(tested.param)];
}
INSTANTIATE_TEST_SUITE_P(Methods, PartitionEveryWay,
                         testing::Values(Method::metis, Method::range, Method::hash,
                                         Method::random),
                         name_of);

TEST_P(PartitionEveryWay, EveryNodeIsInOnePart) {
  for (const auto& [nodes, edges] : {std::pair{2, 1}, {10, 0}, {50, 30}, {64, 400}, {1000, 5000}}) {
    const Csr graph = graph::random_undirected(nodes, edges, 72);
    for (const std::int64_t num_parts : {2, 3, 7, nodes}) {
      if (num_parts > nodes) continue;
      sizes_of(partition_nodes(graph.view(), {.method = GetParam(), .num_parts = num_parts}), nodes,
               num_parts);
    }
  }
}

TEST_P(PartitionEveryWay, OnePartAndNoNodesAreAnsweredAtOnce) {
  const auto parts = [&](std::int64_t nodes, std::int64_t num_parts) {
    const Csr graph = graph::random_undirected(nodes, nodes == 0 ? 0 : 9, 73);
    return partition_nodes(graph.view(), {.method = GetParam(), .num_parts = num_parts});
  };
  EXPECT_EQ(parts(1, 1), (std::vector<NodeId>{0}));
  EXPECT_EQ(parts(6, 1), (std::vector<NodeId>(6, 0)));
  EXPECT_TRUE(parts(0, 1).empty());
  EXPECT_TRUE(parts(0, 8).empty());
}

TEST_P(PartitionEveryWay, SameSeedSameParts) {
  const Csr graph = planted_graph(200, 4);
  const auto parts = [&](std::uint64_t seed) {
    return partition_nodes(graph.view(),
                           {.method = GetParam(), .num_parts = 4, .seed = Seed{seed}});
  };
  graph::ThreadCount one(1);
  const std::vector<NodeId> want = parts(9);
  EXPECT_EQ(parts(9), want);
  graph::ThreadCount two(2);
  EXPECT_EQ(parts(9), want);
}

TEST_P(PartitionEveryWay, LooksAtThePatternOnly) {
  Csr graph = planted_graph(60, 3);
  const PartitionOptions options{.method = GetParam(), .num_parts = 3};
  const std::vector<NodeId> want = partition_nodes(graph.view(), options);
  for (std::size_t e = 0; e < graph.columns.size(); ++e)
    graph.values.push_back(static_cast<float>(e));
  EXPECT_EQ(partition_nodes(graph.view(), options), want);
}

TEST_P(PartitionEveryWay, RefusesImpossibleRequests) {
  const Csr graph = graph::random_undirected(6, 9, 74);
  const auto request = [&](const Csr& matrix, std::int64_t num_parts, double imbalance) {
    partition_nodes(matrix.view(), {GetParam(), num_parts, imbalance, Seed{1}});
  };
  EXPECT_NO_THROW(request(graph, 6, 1.0));
  EXPECT_THROW(request(graph, 0, 1.03), InputError);
  EXPECT_THROW(request(graph, -1, 1.03), InputError);
  EXPECT_THROW(request(graph, 7, 1.03), InputError);
  EXPECT_THROW(request(graph, 2, 0.99), InputError);
  EXPECT_THROW(request(graph, 2, std::numeric_limits<double>::quiet_NaN()), InputError);
  const Csr one_way{2, 2, {0, 1, 1}, {1}, {}};
  const Csr rectangle{2, 3, {0, 1, 2}, {1, 0}, {}};
  for (const std::int64_t num_parts : {1, 2}) {
    EXPECT_THROW(request(one_way, num_parts, 1.03), InputError);
    EXPECT_THROW(request(rectangle, num_parts, 1.03), InputError);
  }
}

TEST(Partition, RangeAndRandomDealOutEvenly) {
  const Csr graph = graph::random_undirected(101, 200, 75);
  for (const Method method : {Method::range, Method::random}) {
    for (const std::int64_t num_parts : {2, 7, 100, 101}) {
      const auto parts = partition_nodes(graph.view(), {.method = method, .num_parts = num_parts});
      const auto sizes = sizes_of(parts, 101, num_parts);
      const auto [smallest, largest] = std::minmax_element(sizes.begin(), sizes.end());
      EXPECT_LE(*largest - *smallest, 1);
      EXPECT_EQ(std::is_sorted(parts.begin(), parts.end()), method == Method::range);
    }
  }
}

TEST(Partition, TheSeedMovesRandomAndMetisParts) {
  const Csr graph = graph::random_undirected(1000, 3000, 76);
  const auto parts = [&](Method method, std::uint64_t seed) {
    return partition_nodes(graph.view(), {.method = method, .num_parts = 8, .seed = Seed{seed}});
  };
  EXPECT_NE(parts(Method::random, 1), parts(Method::random, 2));
  EXPECT_NE(parts(Method::metis, 1), parts(Method::metis, 2));
  EXPECT_EQ(parts(Method::hash, 1), parts(Method::hash, 2));
  EXPECT_EQ(parts(Method::range, 1), parts(Method::range, 2));
}

// Five standard deviations of a uniform choice; and neighbouring ids share a part no more often
// than others do.
TEST(Partition, HashSpreadsIds) {
  constexpr std::int64_t kNodes = 20000;
  constexpr std::int64_t kParts = 8;
  const Csr graph = graph::random_undirected(kNodes, 10, 77);
  const auto parts = partition_nodes(graph.view(), {.method = Method::hash, .num_parts = kParts});
  const double deviation = std::sqrt(kNodes / 8.0 * 7.0 / 8.0);
  for (const std::int64_t size : sizes_of(parts, kNodes, kParts)) {
    EXPECT_NEAR(static_cast<double>(size), kNodes / 8.0, 5 * deviation);
  }
  int together = 0;
  for (std::size_t node = 1; node < parts.size(); ++node)
    together += parts[node] == parts[node - 1];
  EXPECT_NEAR(together, kNodes / 8.0, 5 * deviation);
}

}  // namespace
}  // namespace penchant::partition
