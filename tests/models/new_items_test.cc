// SPDX-License-Identifier: Apache-2.0
#include "models/new_items.h"

#include <cmath>
#include <utility>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/random.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

constexpr std::int64_t kItems = 40;
constexpr std::int64_t kWidth = 6;
constexpr double kRidge = 3.0;  // as in new_items.cc

/// Items 31 to 39 are new; 39 has no attribute, 30 no attribute and a user.
graph::UserItemGraph shop() {
  graph::UserItemGraph graph;
  graph.num_users = 2;
  graph.num_items = kItems;
  graph.item_users.num_rows = kItems;
  graph.item_users.num_cols = 2;
  for (NodeId item = 0; item < kItems; ++item) {
    if (item <= 30) graph.item_users.columns.push_back(item % 2);
    graph.item_users.offsets.push_back(
        static_cast<graph::EdgeOffset>(graph.item_users.columns.size()));
  }
  graph.user_items = graph::transpose(graph.item_users.view());
  return graph;
}

bool linked(NodeId item, int attribute, NodeId hub) {
  if (item == 30 || item == 39) return false;
  return attribute == 0 ? item % 5 == hub : (item * 7 + 3) % 3 == hub || (item + hub) % 4 == 0;
}

graph::ItemGraph catalogue() {
  graph::ItemGraph graph;
  graph.num_items = kItems;
  graph.relations.push_back({"co-occurrence", 1.0F, 0, {kItems, kItems, {}, {}, {}}});
  graph.relations[0].edges.offsets.assign(kItems + 1, 0);
  for (const auto& [attribute, hubs] : {std::pair{0, NodeId{5}}, {1, NodeId{3}}}) {
    graph::Relation relation{"attribute", 1.0F, hubs, {kItems, hubs, {0}, {}, {}}};
    for (NodeId item = 0; item < kItems; ++item) {
      for (NodeId hub = 0; hub < hubs; ++hub) {
        if (linked(item, attribute, hub)) relation.edges.columns.push_back(hub);
      }
      relation.edges.offsets.push_back(
          static_cast<graph::EdgeOffset>(relation.edges.columns.size()));
    }
    graph.relations.push_back(std::move(relation));
  }
  return graph;
}

/// x of a x = b for a symmetric positive definite a, by elimination.
Dense solve(Dense a, Dense b) {
  const std::int64_t n = a.rows;
  for (std::int64_t k = 0; k < n; ++k) {
    for (std::int64_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const double factor = a(i, k) / a(k, k);
      for (std::int64_t j = 0; j < n; ++j) a(i, j) -= factor * a(k, j);
      for (std::int64_t j = 0; j < b.cols; ++j) b(i, j) -= factor * b(k, j);
    }
  }
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < b.cols; ++j) b(i, j) /= a(i, i);
  }
  return b;
}

/// The equation in new_items.h.
Dense oracle_vectors(Dense z, UnitLength unit_length) {
  Dense a(kItems, 8);
  for (NodeId item = 0; item < kItems; ++item) {
    for (NodeId hub = 0; hub < 5; ++hub) a(item, hub) = linked(item, 0, hub) ? 1.0 : 0.0;
    for (NodeId hub = 0; hub < 3; ++hub) a(item, 5 + hub) = linked(item, 1, hub) ? 1.0 : 0.0;
  }
  Dense mean(1, kWidth);
  for (std::int64_t i = 0; i <= 30; ++i) {
    for (std::int64_t j = 0; j < kWidth; ++j) mean(0, j) += z(i, j) / 31.0;
  }
  Dense gram(8, 8);
  Dense right(8, kWidth);
  for (std::int64_t i = 0; i <= 30; ++i) {
    for (std::int64_t v = 0; v < 8; ++v) {
      for (std::int64_t w = 0; w < 8; ++w) gram(v, w) += a(i, v) * a(i, w);
      for (std::int64_t j = 0; j < kWidth; ++j) right(v, j) += a(i, v) * (z(i, j) - mean(0, j));
    }
  }
  for (std::int64_t v = 0; v < 8; ++v) gram(v, v) += kRidge;
  const Dense c = solve(gram, right);
  for (std::int64_t i = 31; i < 39; ++i) {
    double squared = 0.0;
    for (std::int64_t j = 0; j < kWidth; ++j) {
      z(i, j) = mean(0, j);
      for (std::int64_t v = 0; v < 8; ++v) z(i, j) += a(i, v) * c(v, j);
      squared += z(i, j) * z(i, j);
    }
    if (unit_length == UnitLength::no) continue;
    for (std::int64_t j = 0; j < kWidth; ++j) z(i, j) /= std::sqrt(squared);
  }
  return z;
}

class NewItems : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(NewItems);

TEST_P(NewItems, GetTheVectorThatTheirAttributesPredict) {
  const Dense start = support::random_dense(kItems, kWidth, 71);
  for (const UnitLength unit_length : {UnitLength::no, UnitLength::yes}) {
    const Guarded<float> items(backend(), start);
    fill_new_items(shop(), catalogue(), unit_length, backend(), items.view());
    EXPECT_TRUE(items.intact());
    const Dense got = items.dense();
    const Dense want = oracle_vectors(start, unit_length);
    for (std::int64_t i = 0; i < kItems; ++i) {
      for (std::int64_t j = 0; j < kWidth; ++j) {
        const bool kept = i < 31 || i == 39;  // touched, or without an attribute
        if (kept) {
          EXPECT_EQ(got(i, j), start(i, j)) << i;
        }
        EXPECT_NEAR(got(i, j), want(i, j), 2e-4) << i;
      }
    }
  }
}

TEST_P(NewItems, NothingChangesWithoutAttributesOrWithoutNewItems) {
  const Dense start = support::random_dense(kItems, kWidth, 72);
  const Guarded<float> items(backend(), start);
  graph::ItemGraph bare;
  bare.num_items = kItems;
  fill_new_items(shop(), bare, UnitLength::yes, backend(), items.view());
  EXPECT_EQ(items.dense().values, start.values);
  graph::UserItemGraph untouched = shop();
  untouched.item_users.columns.clear();
  untouched.item_users.offsets.assign(kItems + 1, 0);
  fill_new_items(untouched, catalogue(), UnitLength::yes, backend(), items.view());
  EXPECT_EQ(items.dense().values, start.values);
}

TEST_P(NewItems, RefusesGraphsOfOtherItems) {
  const Guarded<float> items(backend(), kItems + 1, kWidth);
  EXPECT_THROW(fill_new_items(shop(), catalogue(), UnitLength::no, backend(), items.view()),
               InputError);
}

}  // namespace
}  // namespace penchant::models
