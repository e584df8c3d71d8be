// SPDX-License-Identifier: Apache-2.0
// Which rows of an earlier model's tables nodes of today had, and where new ones start.
#include "pipeline/training/warm_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

using graph::kNoNode;
using graph::NodeId;
using ::testing::ElementsAre;

/// Items by the values of one attribute; "" is none.
Dataset with_values(const std::vector<const char*>& values) {
  Dataset dataset;
  for (int user = 0; user < 3; ++user) dataset.users.intern("u" + std::to_string(user));
  graph::Attribute attribute;
  attribute.name = "brand";
  attribute.item_values.offsets = {0};
  for (std::size_t item = 0; item < values.size(); ++item) {
    dataset.items.intern("i" + std::to_string(item));
    append_values(attribute, values[item]);
  }
  finish_attribute(attribute, dataset.num_items());
  dataset.catalog.num_items = dataset.num_items();
  dataset.catalog.attributes.push_back(std::move(attribute));
  return dataset;
}

graph::ItemGraphOptions attributes_alone() {
  graph::ItemGraphOptions options;
  options.cooccurrence = false;
  options.max_value_share = 1.0;
  return options;
}

TEST(RowsOfGrown, HubsAreKnownByTheirValues) {
  // b and c had two carriers among the first five items; a, which comes before them, has them now.
  const Dataset now = with_values({"a", "b", "b", "c", "c", "a", "d", "d"});
  const graph::ItemGraph graph =
      graph::build_item_graph({}, now.catalog, attributes_alone());
  const NodeRows rows = rows_of_grown(now, graph, attributes_alone(), 2, 5);
  EXPECT_THAT(rows.users, ElementsAre(0, 1, kNoNode));
  EXPECT_THAT(rows.items, ElementsAre(0, 1, 2, 3, 4, kNoNode, kNoNode, kNoNode));
  EXPECT_EQ(rows.num_hubs, 2);
  EXPECT_THAT(rows.hubs, ElementsAre(kNoNode, 0, 1, kNoNode)) << "of a, b, c, d";
}

TEST(RowsOfGrown, ADataSetThatShrankIsRefused) {
  const Dataset now = with_values({"a", "a"});
  const graph::ItemGraph graph =
      graph::build_item_graph({}, now.catalog, attributes_alone());
  EXPECT_THROW(rows_of_grown(now, graph, attributes_alone(), 3, 5), InputError);
}

TEST(FillFromNeighbours, NewRowsGetTheirNeighboursMeanAtTheUsualLength) {
  // 0 - 2, 1 - 2, 2 - 3, 4 alone; 0 and 1 are known.
  const std::vector<graph::Entry> links = {{0, 2, 1.0F}, {2, 0, 1.0F}, {1, 2, 1.0F},
                                           {2, 1, 1.0F}, {2, 3, 1.0F}, {3, 2, 1.0F}};
  const graph::Csr adjacency = graph::csr_from_entries(5, 5, links);
  std::vector<float> table = {2.0F, 0.0F, 0.0F, 2.0F, 9.0F, 9.0F, 7.0F, 7.0F, 5.0F, 6.0F};
  const std::vector<NodeId> rows = {0, 1, kNoNode, kNoNode, kNoNode};
  fill_from_neighbours(adjacency.view(), rows, ZeroRows::stay,
                       {table.data(), 5, 2, 2, kernels::Device::cpu});
  const float part = std::sqrt(2.0F);
  EXPECT_NEAR(table[4], part, 1e-5);
  EXPECT_NEAR(table[5], part, 1e-5);
  EXPECT_NEAR(table[6], part, 1e-5) << "by the neighbour that has just been filled";
  EXPECT_THAT(std::vector<float>(table.begin() + 8, table.end()), ElementsAre(5.0F, 6.0F));
}

TEST(FillFromNeighbours, ZerosStayOnlyWhereAsked) {
  const std::vector<graph::Entry> links = {{0, 1, 1.0F}, {1, 0, 1.0F}};
  const graph::Csr adjacency = graph::csr_from_entries(2, 2, links);
  for (const auto zero_rows : {ZeroRows::stay, ZeroRows::are_filled}) {
    std::vector<float> table = {3.0F, 4.0F, 0.0F, 0.0F};
    fill_from_neighbours(adjacency.view(), std::vector<NodeId>{0, kNoNode}, zero_rows,
                         {table.data(), 2, 2, 2, kernels::Device::cpu});
    EXPECT_FLOAT_EQ(table[2], zero_rows == ZeroRows::stay ? 0.0F : 3.0F);
  }
}

}  // namespace
}  // namespace penchant::pipeline
