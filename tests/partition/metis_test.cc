// SPDX-License-Identifier: Apache-2.0
#include "partition/metis.h"

#include <csignal>

#include <metis.h>

#include "graph/error.h"
#include "tests/partition/parts.h"

namespace penchant::partition {
namespace {

using graph::Csr;
using graph::NodeId;

TEST(Metis, FindsPlantedCommunities) {
  const Csr graph = planted_graph(400, 4);
  std::vector<NodeId> planted;
  for (NodeId node = 0; node < 400; ++node) planted.push_back(node % 4);
  const auto quality = [&](Method method) {
    const auto parts = partition_nodes(graph.view(), {.method = method, .num_parts = 4});
    return measure_quality(graph.view(), parts, 4);
  };
  const Quality by_metis = quality(Method::metis);
  const std::int64_t planted_cut = measure_quality(graph.view(), planted, 4).edge_cut;
  EXPECT_LE(static_cast<double>(by_metis.edge_cut), 1.05 * static_cast<double>(planted_cut));
  for (const Method baseline : {Method::range, Method::hash, Method::random}) {
    EXPECT_LT(2 * by_metis.edge_cut, quality(baseline).edge_cut);
    EXPECT_LT(by_metis.halo, quality(baseline).halo);
  }
}

TEST(Metis, KeepsToTheAllowedImbalance) {
  const Csr graph = graph::random_undirected(1000, 3000, 81);
  for (const std::int64_t num_parts : {2, 4, 5, 8}) {
    for (const double imbalance : {1.001, 1.03, 1.3}) {
      const auto parts =
          partition_with_metis(graph.view(), {.num_parts = num_parts, .imbalance = imbalance});
      const Quality quality = measure_quality(graph.view(), parts, num_parts);
      // Sizes are whole numbers: one node more than the bound.
      EXPECT_LE(quality.balance, imbalance + static_cast<double>(num_parts) / 1000.0);
      EXPECT_EQ(quality.empty_parts, 0);
    }
  }
}

TEST(Metis, SelfLoopsChangeNothing) {
  const Csr graph = graph::random_undirected(1000, 3000, 82);
  std::vector<graph::Entry> entries;
  for (const auto& [place, value] : graph::entries_of(graph.view())) {
    entries.push_back({place.first, place.second, value});
  }
  for (NodeId node = 0; node < 1000; node += 2) entries.push_back({node, node, 1.0F});
  const Csr looped = graph::csr_from_entries(1000, 1000, entries);
  EXPECT_EQ(partition_nodes(looped.view(), {.num_parts = 7}),
            partition_nodes(graph.view(), {.num_parts = 7}));
}

// The second signal must find the handler as the first did.
TEST(Metis, LeavesTheHandlersOfSignalsAsTheyWere) {
  for (const int signal : {SIGTERM, SIGABRT}) {
    struct sigaction before {};
    struct sigaction ours {};
    struct sigaction after {};
    ours.sa_handler = [](int) {};
    ours.sa_flags = SA_RESTART;
    sigaction(signal, &ours, &before);
    partition_with_metis(graph::random_undirected(100, 300, 83).view(), {.num_parts = 4});
    sigaction(signal, &before, &after);
    EXPECT_EQ(after.sa_handler, ours.sa_handler) << signal;
    EXPECT_EQ(after.sa_flags & (SA_RESTART | SA_RESETHAND | SA_NODEFER), SA_RESTART) << signal;
  }
}

TEST(Metis, AnswersGraphsWithoutEdgesAndSelfLoopsOnly) {
  sizes_of(partition_nodes(graph::undirected(10, {}).view(), {.num_parts = 3}), 10, 3);
  const Csr loops{3, 3, {0, 1, 2, 3}, {0, 1, 2}, {}};
  sizes_of(partition_nodes(loops.view(), {.num_parts = 2}), 3, 2);
}

// Sizes are compared before an array is read, so none needs to exist.
TEST(Metis, RefusesMoreNodesThanItsIndexTypeCounts) {
  if (sizeof(idx_t) > 4) GTEST_SKIP() << "this METIS counts with 64-bit ids";
  graph::CsrView huge;
  huge.num_rows = huge.num_cols = std::int64_t{1} << 31;
  EXPECT_THROW(partition_with_metis(huge, {.num_parts = 2}), InputError);
}

}  // namespace
}  // namespace penchant::partition
