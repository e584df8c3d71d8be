// SPDX-License-Identifier: Apache-2.0
#include "graph/item_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Weight = CooccurrenceWeight;
using Scope = CooccurrenceScope;
using Pairs = std::map<std::pair<NodeId, NodeId>, float>;

/// Every pair of rows is looked at; then each item keeps its top K, and a pair stays if either end
/// keeps it.
Pairs cooccurrence_by_pairs(const Interactions& log, std::int64_t num_items,
                            const CooccurrenceOptions& options) {
  const bool windowed = options.scope == Scope::window;
  std::map<NodeId, double> count;
  double total = 0.0;
  std::map<std::pair<std::int32_t, NodeId>, std::int64_t> seen;  // by session and user
  std::vector<std::int64_t> basket;                              // of a row within its session
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    const bool counted = windowed || log.session[row] != kNoNode;
    count[log.item[row]] += counted;
    total += counted;
    basket.push_back(seen[{log.session[row], log.user[row]}]++ / options.max_basket);
  }
  std::map<std::pair<NodeId, NodeId>, double> raw;
  for (std::size_t p = 0; p < log.user.size(); ++p) {
    for (std::size_t q = 0; q < log.user.size(); ++q) {
      if (p == q || log.item[p] == log.item[q]) continue;
      const auto distance = static_cast<std::int64_t>(std::max(p, q) - std::min(p, q));
      const bool together = log.user[p] == log.user[q] &&
                            (windowed ? distance <= options.window
                                      : log.session[p] == log.session[q] &&
                                            log.session[p] != kNoNode && basket[p] == basket[q]);
      if (together)
        raw[{log.item[p], log.item[q]}] += windowed ? 1.0 / static_cast<double>(distance) : 1.0;
    }
  }
  Pairs pairs;
  for (NodeId item = 0; item < num_items; ++item) {
    std::vector<std::pair<float, NodeId>>
        strongest;  // weight negated: ascending order is the wanted one
    for (const auto& [pair, sum] : raw) {
      if (pair.first != item) continue;
      const double counts = count[item] * count[pair.second];
      double weight = sum;
      if (options.weight == Weight::cosine) weight = sum / std::sqrt(counts);
      if (options.weight == Weight::pmi) weight = std::log(sum * total / counts);
      if (weight > 0.0) strongest.emplace_back(-static_cast<float>(weight), pair.second);
    }
    std::sort(strongest.begin(), strongest.end());
    if (static_cast<std::int64_t>(strongest.size()) > options.top_k)
      strongest.resize(static_cast<std::size_t>(options.top_k));
    for (const auto& [weight, neighbour] : strongest) {
      pairs[{item, neighbour}] = -weight;
      pairs[{neighbour, item}] = -weight;
    }
  }
  return pairs;
}

/// 30 items in 300 rows, some of them without a session; sessions are numbered over all users, or
/// each user's from 0.
TrainingPart log_with_gaps(bool numbered_by_user) {
  TrainingPart train{random_log(12, 30, 300, 61)};
  Interactions& log = train.interactions;
  std::map<NodeId, std::int32_t> first;
  for (std::size_t row = 0; row < 300; ++row) {
    const std::int32_t session = log.session[row];
    if (numbered_by_user)
      log.session[row] -= first.try_emplace(log.user[row], session).first->second;
  }
  for (std::size_t row = 0; row < 300; row += 11) log.session[row] = kNoNode;
  return train;
}

using Case = std::tuple<Scope, Weight>;
class CooccurrenceEveryWay : public testing::TestWithParam<Case> {};
std::string name_of(const testing::TestParamInfo<Case>& tested) {
  constexpr const char* kScopes[] = {"session", "window"};
  constexpr const char* kWeights[] = {"raw", "cosine", "pmi"};
  const auto [scope, weight] = tested.param;
  return std::string(kScopes[static_cast<int>(scope)]) + "_" + kWeights[static_cast<int>(weight)];
}
INSTANTIATE_TEST_SUITE_P(ScopesAndWeights, CooccurrenceEveryWay,
                         testing::Combine(testing::Values(Scope::session, Scope::window),
                                          testing::Values(Weight::raw, Weight::cosine,
                                                          Weight::pmi)),
                         name_of);

// Windows up to 2 have weights that are exact in binary, so ties are ties in both computations. At
// 5 all neighbours are kept.
TEST_P(CooccurrenceEveryWay, EqualsTheLoopOverAllPairs) {
  const auto [scope, weight] = GetParam();
  for (const bool numbered_by_user : {false, true}) {
    const TrainingPart train = log_with_gaps(numbered_by_user);
    for (const auto& [window, top_k] : {std::pair{1, 100}, {2, 1}, {2, 3}, {2, 100}, {5, 100}}) {
      for (const std::int64_t max_basket : {2, 3, 200}) {
        const CooccurrenceOptions options{scope, weight, window, top_k, max_basket};
        const Csr got = build_cooccurrence(train, 30, options);
        validate(got.view());
        const Pairs pairs = entries_of(got.view());
        const Pairs want = cooccurrence_by_pairs(train.interactions, 30, options);
        ASSERT_FALSE(want.empty());
        ASSERT_EQ(pairs.size(), want.size())
            << "window " << window << ", top " << top_k << ", basket " << max_basket;
        for (const auto& [pair, value] : want) {
          ASSERT_TRUE(pairs.contains(pair)) << pair.first << ", " << pair.second;
          EXPECT_FLOAT_EQ(pairs.at(pair), value) << pair.first << ", " << pair.second;
        }
      }
    }
  }
}

TEST_P(CooccurrenceEveryWay, IsSymmetricWithoutDiagonalAndBounded) {
  const auto [scope, weight] = GetParam();
  const TrainingPart train{random_log(200, 400, 20000, 62)};
  const Csr matrix = build_cooccurrence(train, 400, {.scope = scope, .weight = weight, .top_k = 4});
  EXPECT_TRUE(is_symmetric(matrix.view()));
  EXPECT_LE(matrix.view().num_entries(), 2 * 4 * 400);
  for (const auto& [pair, value] : entries_of(matrix.view())) {
    ASSERT_NE(pair.first, pair.second);
    ASSERT_GT(value, 0.0F);
  }
}

TEST_P(CooccurrenceEveryWay, SameBitsAtAnyThreadCount) {
  const auto [scope, weight] = GetParam();
  const TrainingPart train{random_log(300, 700, 30000, 63)};
  const CooccurrenceOptions options{.scope = scope, .weight = weight, .window = 7, .top_k = 5};
  ThreadCount one(1);
  const Csr want = build_cooccurrence(train, 700, options);
  for (const int threads : {2, 3}) {
    ThreadCount several(threads);
    expect_equal(build_cooccurrence(train, 700, options), want);
  }
}

/// One user, one session, items in this order.
TrainingPart one_basket(const std::vector<NodeId>& items) {
  TrainingPart train;
  train.interactions.item = items;
  train.interactions.user.assign(items.size(), 0);
  train.interactions.session.assign(items.size(), 0);
  return train;
}

//  1 --- 0 --- 2     all four were bought together: each keeps its lowest neighbour,
//        |           and the union of what is kept is a star
//        3
TEST(Cooccurrence, TiesGoToTheLowerId) {
  const Csr matrix = build_cooccurrence(
      one_basket({3, 1, 2, 0}), 4, {.scope = Scope::session, .weight = Weight::raw, .top_k = 1});
  expect_equal(matrix, Csr{4, 4, {0, 3, 4, 5, 6}, {1, 2, 3, 0, 0, 0}, std::vector<float>(6, 1.0F)});
}

TEST(Cooccurrence, LargeBasketsAreCut) {
  const Csr matrix =
      build_cooccurrence(one_basket({0, 1, 2, 3, 4}), 5,
                         {.scope = Scope::session, .weight = Weight::raw, .max_basket = 2});
  expect_equal(matrix, Csr{5, 5, {0, 1, 2, 3, 4, 4}, {1, 0, 3, 2}, std::vector<float>(4, 1.0F)});
}

// Both users number their first session 1: 0 - 1 and 2 - 3 were bought together, nothing else.
TEST(Cooccurrence, SessionsOfTwoUsersAreNotLinked) {
  TrainingPart train = one_basket({0, 1, 2, 3});
  train.interactions.user = {0, 0, 1, 1};
  train.interactions.session = {1, 1, 1, 1};
  const CooccurrenceOptions options{.scope = Scope::session, .weight = Weight::raw};
  const Csr want{4, 4, {0, 1, 2, 3, 4}, {1, 0, 3, 2}, std::vector<float>(4, 1.0F)};
  expect_equal(build_cooccurrence(train, 4, options), want);
  train.interactions.session = {1, 1, 2, 2};
  expect_equal(build_cooccurrence(train, 4, options), want);
}

TEST(Cooccurrence, WindowWeighsByDistance) {
  const Csr matrix =
      build_cooccurrence(one_basket({0, 1, 0, 2}), 3, {.weight = Weight::raw, .window = 3});
  const Pairs want = {{{0, 1}, 2.0F},        {{1, 0}, 2.0F}, {{0, 2}, 4.0F / 3.0F},
                      {{2, 0}, 4.0F / 3.0F}, {{1, 2}, 0.5F}, {{2, 1}, 0.5F}};
  EXPECT_EQ(entries_of(matrix.view()), want);
}

TEST(Cooccurrence, ItemsSeenAloneHaveNoNeighbour) {
  TrainingPart train;
  EXPECT_EQ(build_cooccurrence(train, 0, {}).num_rows, 0);
  expect_equal(build_cooccurrence(train, 3, {}), Csr{3, 3, {0, 0, 0, 0}, {}, {}});
  expect_equal(build_cooccurrence(one_basket({1, 1, 1}), 2, {}), Csr{2, 2, {0, 0, 0}, {}, {}});
  train = one_basket({0, 1});
  train.interactions.user = {0, 1};
  expect_equal(build_cooccurrence(train, 2, {}), Csr{2, 2, {0, 0, 0}, {}, {}});
  train.interactions.session = {kNoNode, kNoNode};
  expect_equal(build_cooccurrence(train, 2, {.scope = Scope::session}),
               Csr{2, 2, {0, 0, 0}, {}, {}});
}

TEST(Cooccurrence, RefusesImpossibleOptions) {
  const TrainingPart train = one_basket({0, 1});
  EXPECT_THROW(build_cooccurrence(train, 2, {.window = 0}), InputError);
  EXPECT_THROW(build_cooccurrence(train, 2, {.top_k = 0}), InputError);
  EXPECT_THROW(build_cooccurrence(train, 2, {.max_basket = 1}), InputError);
  TrainingPart without_sessions = train;
  without_sessions.interactions.session.clear();
  EXPECT_THROW(build_cooccurrence(without_sessions, 2, {.scope = Scope::session}), InputError);
  EXPECT_NO_THROW(build_cooccurrence(without_sessions, 2, {}));
}

Attribute relational(const std::string& name, AttributeKind kind,
                     const std::vector<std::vector<NodeId>>& values) {
  Attribute attribute;
  attribute.name = name;
  attribute.kind = kind;
  std::vector<Entry> entries;
  NodeId largest = -1;
  for (std::size_t item = 0; item < values.size(); ++item) {
    for (const NodeId value : values[item]) {
      entries.push_back({static_cast<NodeId>(item), value, 1.0F});
      largest = std::max(largest, value);
    }
  }
  for (NodeId value = 0; value <= largest; ++value) attribute.values.intern(std::to_string(value));
  attribute.item_values =
      csr_from_entries(static_cast<std::int64_t>(values.size()), largest + 1, entries);
  attribute.item_values.values.clear();
  return attribute;
}

/// Six items. Category 0 has one carrier, 1 two, 2 three; tag 0 four, tag 1 one, tag 2 two.
Catalog catalog() {
  Catalog result;
  result.num_items = 6;
  result.attributes.push_back(
      relational("category", AttributeKind::categorical, {{2}, {0}, {1}, {2}, {1}, {2}}));
  Attribute& price = result.attributes.emplace_back();
  price.name = "price";
  price.kind = AttributeKind::numeric;
  price.numbers.assign(6, 1.0F);
  result.attributes.push_back(
      relational("tags", AttributeKind::list, {{0, 2}, {0}, {}, {0, 1}, {0}, {2}}));
  Attribute& title = result.attributes.emplace_back();
  title.name = "title";
  title.kind = AttributeKind::text;
  title.texts.assign(6, "x");
  return result;
}

std::vector<std::string> relation_names(const ItemGraph& graph) {
  std::vector<std::string> names;
  for (const Relation& relation : graph.relations) names.push_back(relation.name);
  return names;
}

TEST(Catalog, FindsAttributesByName) {
  const Catalog items = catalog();
  EXPECT_EQ(items.find("tags"), &items.attributes[2]);
  EXPECT_EQ(items.find("tag"), nullptr);
}

TEST(ItemGraph, SharedValuesBecomeHubs) {
  ItemGraphOptions options;
  options.cooccurrence = false;
  options.attribute_weight = 0.25F;
  const ItemGraph graph = build_item_graph({}, catalog(), options);
  EXPECT_EQ(graph.num_items, 6);
  ASSERT_THAT(relation_names(graph), ElementsAre("category", "tags"));
  EXPECT_EQ(graph.relations[0].weight, 0.25F);
  // Categories 1 and 2 are hubs 0 and 1; category 0 has one carrier, and category 2 exactly half of
  // the items.
  EXPECT_EQ(graph.relations[0].rows, NodeKind::item);
  EXPECT_EQ(graph.relations[0].columns, NodeKind::hub);
  EXPECT_EQ(graph.relations[0].num_hubs, 2);
  EXPECT_THAT(graph.relations[0].hub_values, ElementsAre(1, 2));
  expect_equal(graph.relations[0].edges, Csr{6, 2, {0, 1, 1, 2, 3, 4, 5}, {1, 0, 1, 0, 1}, {}});
  // Tag 0 is carried by more than half, tag 1 by one.
  EXPECT_EQ(graph.relations[1].num_hubs, 1);
  EXPECT_THAT(graph.relations[1].hub_values, ElementsAre(2));
  expect_equal(graph.relations[1].edges, Csr{6, 1, {0, 1, 1, 1, 1, 1, 2}, {0, 0}, {}});
}

TEST(ItemGraph, MaxValueShareBoundsAHub) {
  ItemGraphOptions options;
  options.cooccurrence = false;
  for (const auto& [share, tag_hubs] :
       {std::pair{1.0, 2}, {4.0 / 6.0, 2}, {0.66, 1}, {1.0 / 3.0, 1}}) {
    options.max_value_share = share;
    EXPECT_EQ(build_item_graph({}, catalog(), options).relations.back().num_hubs, tag_hubs)
        << share;
  }
  options.max_value_share = 0.1;
  EXPECT_TRUE(build_item_graph({}, catalog(), options).relations.empty())
      << "a relation without a hub is left out";
}

TEST(ItemGraph, HubsAreNoCliques) {
  Catalog items;
  items.num_items = 3000;
  items.attributes.push_back(
      relational("category", AttributeKind::categorical,
                 std::vector<std::vector<NodeId>>(3000, std::vector<NodeId>{0})));
  ItemGraphOptions options;
  options.cooccurrence = false;
  options.max_value_share = 1.0;
  const ItemGraph graph = build_item_graph({}, items, options);
  EXPECT_EQ(graph.relations.at(0).edges.view().num_entries(), 3000);
}

TEST(ItemGraph, AttributesAreChosenByName) {
  ItemGraphOptions options;
  options.cooccurrence = false;
  options.attributes = {"tags"};
  EXPECT_THAT(relation_names(build_item_graph({}, catalog(), options)), ElementsAre("tags"));
  options.all_attributes = false;
  EXPECT_THAT(relation_names(build_item_graph({}, catalog(), options)), ElementsAre("tags"));
  options.attributes.clear();
  EXPECT_TRUE(build_item_graph({}, catalog(), options).relations.empty());
}

TEST(ItemGraph, RefusesAttributesThatCannotBeRelations) {
  for (const std::string bad : {"colour", "price", "title"}) {
    ItemGraphOptions options;
    options.attributes = {"tags", bad};
    try {
      build_item_graph({}, catalog(), options);
      FAIL() << "expected an InputError for " << bad;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("'" + bad + "'"));
    }
  }
}

TEST(ItemGraph, RefusesWeightsAndSharesThatAreNoSuch) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinite = std::numeric_limits<float>::infinity();
  for (const float bad : {-1.0F, kNan, kInfinite, 1e30F}) {
    for (float ItemGraphOptions::*weight :
         {&ItemGraphOptions::cooccurrence_weight, &ItemGraphOptions::attribute_weight}) {
      ItemGraphOptions options;
      options.*weight = bad;
      EXPECT_THROW(build_item_graph({}, catalog(), options), InputError) << bad;
    }
    ItemGraphOptions options;
    options.max_value_share = static_cast<double>(bad);
    EXPECT_THROW(build_item_graph({}, catalog(), options), InputError) << bad;
  }
}

TEST(Cooccurrence, TheWidestWindowSpansTheWholeLog) {
  CooccurrenceOptions widest;
  widest.window = std::numeric_limits<std::int64_t>::max();
  CooccurrenceOptions wide;
  wide.window = 1000;
  const TrainingPart train{random_log(3, 9, 200, 5)};
  expect_equal(build_cooccurrence(train, 9, widest), build_cooccurrence(train, 9, wide));
}

TEST(Cooccurrence, RefusesSessionsBelowNone) {
  TrainingPart train = one_basket({4, 0, 5});
  train.interactions.session = {-2, 0, 0};
  CooccurrenceOptions options;
  options.scope = Scope::session;
  EXPECT_THROW(build_cooccurrence(train, 6, options), InputError);
}

TEST(ItemGraph, CooccurrenceComesFirstAndOnlyIfThereIsAny) {
  ItemGraphOptions options;
  options.cooccurrence_weight = 3.0F;
  options.cooccurrence_options.weight = Weight::raw;
  const TrainingPart train = one_basket({4, 0, 5});
  const ItemGraph graph = build_item_graph(train, catalog(), options);
  ASSERT_THAT(relation_names(graph), ElementsAre("co-occurrence", "category", "tags"));
  EXPECT_EQ(graph.relations[0].weight, 3.0F);
  EXPECT_EQ(graph.relations[0].num_hubs, 0);
  expect_equal(graph.relations[0].edges,
               build_cooccurrence(train, 6, options.cooccurrence_options));
  EXPECT_THAT(relation_names(build_item_graph(one_basket({4}), catalog(), options)),
              ElementsAre("category", "tags"));
  EXPECT_TRUE(build_item_graph({}, {}, {}).relations.empty());
}

}  // namespace
}  // namespace penchant::graph
