// SPDX-License-Identifier: Apache-2.0
#include "models/new_items.h"

#include <cmath>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/random.h"
#include "kernels/transfer.h"
#include "models/attribute_regression.h"
#include "models/new_item_scores.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

constexpr std::int64_t kShopItems = 40;
constexpr std::int64_t kWidth = 6;
constexpr double kRidge = 3.0;         // as in attribute_regression.cc
constexpr double kProfileShare = 0.5;  // these as in new_items.cc
constexpr double kPopularityShare = 0.1;

/// Items 31 to 39 are new; 39 has no attribute, 30 no attribute and a user.
graph::UserItemGraph shop() {
  graph::UserItemGraph graph;
  graph.num_users = 2;
  graph.num_items = kShopItems;
  graph.item_users.num_rows = kShopItems;
  graph.item_users.num_cols = 2;
  for (NodeId item = 0; item < kShopItems; ++item) {
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
  graph.num_items = kShopItems;
  graph.relations.push_back(
      {.name = "co-occurrence", .edges = {kShopItems, kShopItems, {}, {}, {}}});
  graph.relations[0].edges.offsets.assign(kShopItems + 1, 0);
  for (const auto& [attribute, hubs] : {std::pair{0, NodeId{5}}, {1, NodeId{3}}}) {
    graph::Relation relation{.name = "attribute",
                             .columns = graph::NodeKind::hub,
                             .num_hubs = hubs,
                             .edges = {kShopItems, hubs, {0}, {}, {}}};
    for (NodeId item = 0; item < kShopItems; ++item) {
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

constexpr std::int64_t kValues = 8;

Dense links() {
  Dense a(kShopItems, kValues);
  for (NodeId item = 0; item < kShopItems; ++item) {
    for (NodeId hub = 0; hub < 5; ++hub) a(item, hub) = linked(item, 0, hub) ? 1.0 : 0.0;
    for (NodeId hub = 0; hub < 3; ++hub) a(item, 5 + hub) = linked(item, 1, hub) ? 1.0 : 0.0;
  }
  return a;
}

/// The equation in attribute_regression.h: what the rows of z that are known predict for all.
template <typename Known>
Dense oracle_prediction(const Dense& z, Known known) {
  const Dense a = links();
  Dense mean(1, z.cols);
  double count = 0.0;
  for (std::int64_t i = 0; i < kShopItems; ++i) count += known(i) ? 1.0 : 0.0;
  for (std::int64_t i = 0; i < kShopItems; ++i) {
    for (std::int64_t j = 0; known(i) && j < z.cols; ++j) mean(0, j) += z(i, j) / count;
  }
  Dense gram(kValues, kValues);
  Dense right(kValues, z.cols);
  for (std::int64_t i = 0; i < kShopItems; ++i) {
    for (std::int64_t v = 0; known(i) && v < kValues; ++v) {
      for (std::int64_t w = 0; w < kValues; ++w) gram(v, w) += a(i, v) * a(i, w);
      for (std::int64_t j = 0; j < z.cols; ++j) right(v, j) += a(i, v) * (z(i, j) - mean(0, j));
    }
  }
  for (std::int64_t v = 0; v < kValues; ++v) gram(v, v) += kRidge;
  const Dense c = solve(gram, right);
  Dense predicted(kShopItems, z.cols);
  for (std::int64_t i = 0; i < kShopItems; ++i) {
    for (std::int64_t j = 0; j < z.cols; ++j) {
      predicted(i, j) = mean(0, j);
      for (std::int64_t v = 0; v < kValues; ++v) predicted(i, j) += a(i, v) * c(v, j);
    }
  }
  return predicted;
}

Dense oracle_vectors(Dense z, UnitLength unit_length) {
  const Dense predicted = oracle_prediction(z, [](std::int64_t i) { return i <= 30; });
  for (std::int64_t i = 31; i < 39; ++i) {
    double squared = 0.0;
    for (std::int64_t j = 0; j < kWidth; ++j) {
      z(i, j) = predicted(i, j);
      squared += z(i, j) * z(i, j);
    }
    if (unit_length == UnitLength::no) continue;
    for (std::int64_t j = 0; j < kWidth; ++j) z(i, j) /= std::sqrt(squared);
  }
  return z;
}

/// sum_(i of user) a_iv w_v.
std::vector<double> profile_of(std::int64_t user) {
  const Dense a = links();
  std::vector<double> profile(kValues, 0.0);
  for (std::int64_t v = 0; v < kValues; ++v) {
    double num_items = 0.0;
    for (std::int64_t i = 0; i < kShopItems; ++i) num_items += a(i, v);
    for (std::int64_t i = user; i <= 30; i += 2)
      profile[static_cast<std::size_t>(v)] += a(i, v) / std::sqrt(num_items);
  }
  return profile;
}

/// What the further columns add to the score of a user and a new item, by the equation in
/// new_items.h with as many singular vectors as there are: they then span every profile.
Dense oracle_scores() {
  const Dense a = links();
  Dense log_count(kShopItems, 1);
  for (std::int64_t i = 0; i <= 30; ++i) log_count(i, 0) = std::log(2.0);
  const Dense popularity =
      oracle_prediction(log_count, [](std::int64_t i) { return i != 30 && i != 39; });
  Dense scores(2, kShopItems);
  for (std::int64_t user = 0; user < 2; ++user) {
    const std::vector<double> profile = profile_of(user);
    double squared = 0.0;
    for (const double value : profile) squared += value * value;
    double mean = 0.0;
    for (std::int64_t i = 31; i < 39; ++i) {
      scores(user, i) = kPopularityShare * popularity(i, 0);
      for (std::int64_t v = 0; v < kValues; ++v) {
        scores(user, i) +=
            kProfileShare * profile[static_cast<std::size_t>(v)] * a(i, v) / std::sqrt(squared);
      }
      mean += scores(user, i) / 8.0;
    }
    for (std::int64_t i = 31; i < 39; ++i) scores(user, i) -= mean;
  }
  return scores;
}

/// By the equation in new_item_scores.h.
Dense oracle_new_item_scores(const Dense& users, const Dense& items, double weight) {
  const Dense a = links();
  const Dense predicted = oracle_prediction(items, [](std::int64_t i) { return i <= 30; });
  Dense scores(8, 2);
  for (std::int64_t user = 0; user < 2; ++user) {
    const std::vector<double> profile = profile_of(user);
    for (const bool by_profile : {false, true}) {
      std::vector<double> view;
      for (std::int64_t i = 31; i < 39; ++i) {
        double score = 0.0;
        for (std::int64_t v = 0; by_profile && v < kValues; ++v)
          score += a(i, v) * profile[static_cast<std::size_t>(v)];
        for (std::int64_t j = 0; !by_profile && j < kWidth; ++j)
          score += users(user, j) * predicted(i, j);
        view.push_back(score);
      }
      double mean = 0.0;
      for (const double score : view) mean += score / 8.0;
      double variance = 0.0;
      for (const double score : view) variance += (score - mean) * (score - mean) / 8.0;
      for (std::int64_t k = 0; k < 8; ++k)
        scores(k, user) += (by_profile ? 1.0 : weight) *
                           (view[static_cast<std::size_t>(k)] - mean) / std::sqrt(variance);
    }
  }
  return scores;
}

class NewItems : public support::BackendTest {
 protected:
  kernels::FloatMatrix device_matrix(const Dense& dense) {
    kernels::FloatMatrix matrix = backend().matrix<float>(dense.rows, dense.cols);
    const std::vector<float> values(dense.values.begin(), dense.values.end());
    backend().copy(kernels::ConstFloatView(values.data(), dense.rows, dense.cols, dense.cols,
                                           kernels::Device::cpu),
                   matrix.view());
    backend().sync();
    return matrix;
  }
  Dense host(const kernels::FloatMatrix& matrix) {
    kernels::Download<float> download;
    const kernels::ConstFloatView view = download(matrix.view(), backend());
    Dense dense(view.rows, view.cols);
    for (std::int64_t i = 0; i < view.rows; ++i) {
      for (std::int64_t j = 0; j < view.cols; ++j) dense(i, j) = view(i, j);
    }
    return dense;
  }
};
PENCHANT_INSTANTIATE_BACKENDS(NewItems);

TEST_P(NewItems, GetTheVectorThatTheirAttributesPredict) {
  const Dense start = support::random_dense(kShopItems, kWidth, 71);
  for (const UnitLength unit_length : {UnitLength::no, UnitLength::yes}) {
    const Guarded<float> items(backend(), start);
    fill_new_items(shop(), catalogue(), unit_length, backend(), items.view());
    EXPECT_TRUE(items.intact());
    const Dense got = items.dense();
    const Dense want = oracle_vectors(start, unit_length);
    for (std::int64_t i = 0; i < kShopItems; ++i) {
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
  const Dense start = support::random_dense(kShopItems, kWidth, 72);
  const Guarded<float> items(backend(), start);
  graph::ItemGraph bare;
  bare.num_items = kShopItems;
  fill_new_items(shop(), bare, UnitLength::yes, backend(), items.view());
  EXPECT_EQ(items.dense().values, start.values);
  graph::UserItemGraph untouched = shop();
  untouched.item_users.columns.clear();
  untouched.item_users.offsets.assign(kShopItems + 1, 0);
  fill_new_items(untouched, catalogue(), UnitLength::yes, backend(), items.view());
  EXPECT_EQ(items.dense().values, start.values);
}

TEST_P(NewItems, FitUsersByRegressionAndByTheValuesOfTheirItems) {
  if (!on_cpu()) GTEST_SKIP() << "on the CPU only";
  const Dense of_users = support::random_dense(2, kWidth, 75);
  const Dense of_items = support::random_dense(kShopItems, kWidth, 76);
  const kernels::FloatMatrix users = device_matrix(of_users);
  const kernels::FloatMatrix items = device_matrix(of_items);
  const graph::UserItemGraph graph = shop();
  kernels::FloatMatrix got = backend().matrix<float>(8, 2);
  const std::vector<NodeId> both = {0, 1};
  for (const float weight : {0.0F, 1.0F, 2.5F}) {
    NewItemScores scores(
        graph, attribute_links(catalogue()), weighted_by_rarity(attribute_links(catalogue())),
        {31, 32, 33, 34, 35, 36, 37, 38}, users.view(), items.view(), weight, backend());
    scores.score({both.data(), 2, kernels::Device::cpu}, got.view());
    const Dense want = oracle_new_item_scores(of_users, of_items, static_cast<double>(weight));
    for (std::int64_t i = 0; i < 8; ++i) {
      for (std::int64_t user = 0; user < 2; ++user)
        EXPECT_NEAR(got.view()(i, user), want(i, user), 2e-3) << weight << " " << i << " " << user;
    }
  }
  // An item with the same values as all others of the pool says nothing.
  NewItemScores one(graph, attribute_links(catalogue()),
                    weighted_by_rarity(attribute_links(catalogue())), {31}, users.view(),
                    items.view(), 1.0F, backend());
  one.score({both.data(), 2, kernels::Device::cpu}, got.view().rows_of(0, 1));
  EXPECT_EQ(got.view()(0, 0), 0.0F);
  EXPECT_THROW(NewItemScores(graph, attribute_links(catalogue()),
                             weighted_by_rarity(attribute_links(catalogue())), {31}, items.view(),
                             items.view(), 1.0F, backend()),
               InputError);
  const kernels::ConstFloatView narrow = users.view().cols_of(0, kWidth - 1);
  EXPECT_THROW(NewItemScores(graph, attribute_links(catalogue()),
                             weighted_by_rarity(attribute_links(catalogue())), {31}, narrow,
                             items.view(), 1.0F, backend()),
               InputError);
}

TEST_P(NewItems, FurtherColumnsAddWhatAttributesShareWithTheUsersItems) {
  const Dense of_users = support::random_dense(2, kWidth, 73);
  const Dense of_items = support::random_dense(kShopItems, kWidth, 74);
  kernels::FloatMatrix users = device_matrix(of_users);
  kernels::FloatMatrix items = device_matrix(of_items);
  const std::int64_t added =
      append_new_item_columns(shop(), catalogue(), kValues, backend(), users, items);
  ASSERT_GT(added, 2);
  ASSERT_LE(added, kValues + 1);
  const Dense got_users = host(users);
  const Dense got_items = host(items);
  ASSERT_EQ(got_users.cols, kWidth + added);
  ASSERT_EQ(got_items.cols, kWidth + added);
  const Dense want = oracle_scores();
  for (std::int64_t user = 0; user < 2; ++user) {
    for (std::int64_t j = 0; j < kWidth; ++j) EXPECT_EQ(got_users(user, j), of_users(user, j));
    for (std::int64_t i = 0; i < kShopItems; ++i) {
      double score = 0.0;
      for (std::int64_t j = kWidth; j < kWidth + added; ++j)
        score += got_users(user, j) * got_items(i, j);
      EXPECT_NEAR(score, want(user, i), 1e-3) << user << " " << i;
    }
  }
  for (std::int64_t i = 0; i < kShopItems; ++i) {
    for (std::int64_t j = 0; j < kWidth; ++j) EXPECT_EQ(got_items(i, j), of_items(i, j));
  }
}

TEST_P(NewItems, FurtherColumnsAreAsManyAsAskedForOrNone) {
  const auto added = [&](const graph::UserItemGraph& graph, std::int64_t num_columns) {
    kernels::FloatMatrix users = device_matrix(support::random_dense(2, kWidth, 75));
    kernels::FloatMatrix items = device_matrix(support::random_dense(kShopItems, kWidth, 76));
    const std::int64_t count =
        append_new_item_columns(graph, catalogue(), num_columns, backend(), users, items);
    EXPECT_EQ(users.cols(), kWidth + count);
    EXPECT_EQ(items.cols(), kWidth + count);
    return count;
  };
  EXPECT_EQ(added(shop(), 3), 4);
  EXPECT_EQ(added(shop(), 0), 0);
  graph::UserItemGraph untouched = shop();
  untouched.item_users.columns.clear();
  untouched.item_users.offsets.assign(kShopItems + 1, 0);
  EXPECT_EQ(added(untouched, 3), 0);
}

TEST_P(NewItems, RefusesGraphsOfOtherItems) {
  const Guarded<float> items(backend(), kShopItems + 1, kWidth);
  EXPECT_THROW(fill_new_items(shop(), catalogue(), UnitLength::no, backend(), items.view()),
               InputError);
}

}  // namespace
}  // namespace penchant::models
