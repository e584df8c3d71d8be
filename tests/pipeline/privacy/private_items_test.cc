// SPDX-License-Identifier: Apache-2.0
// What one person can change of a release, and what an attacker makes of it.
#include "pipeline/training/private_items.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "pipeline/privacy/gaussian_accounting.h"
#include "pipeline/training/private_training.h"
#include "tests/pipeline/privacy/repeating_random.h"

namespace penchant::pipeline {
namespace {

using graph::Csr;
using graph::NodeId;
using penchant::testing::RepeatingRandom;

constexpr std::int64_t kItems = 7;

/// A few people, each with a random set of items, it may be none.
Csr random_rows(std::int64_t users, RandomSource& random) {
  Csr rows{users, kItems, {0}, {}, {}};
  for (std::int64_t user = 0; user < users; ++user) {
    const std::uint64_t items = random.below(std::uint64_t{1} << kItems);
    for (NodeId item = 0; item < kItems; ++item) {
      if ((items >> item & 1U) != 0) rows.columns.push_back(item);
    }
    rows.offsets.push_back(static_cast<graph::EdgeOffset>(rows.columns.size()));
  }
  return rows;
}

/// The same people without one.
Csr without(const Csr& rows, std::int64_t user) {
  const auto begin = rows.offsets[static_cast<std::size_t>(user)];
  const auto end = rows.offsets[static_cast<std::size_t>(user) + 1];
  Csr fewer{rows.num_rows - 1, kItems, {0}, {}, {}};
  for (std::int64_t other = 0; other < rows.num_rows; ++other) {
    if (other == user) continue;
    for (auto e = rows.offsets[static_cast<std::size_t>(other)];
         e < rows.offsets[static_cast<std::size_t>(other) + 1]; ++e)
      fewer.columns.push_back(rows.columns[static_cast<std::size_t>(e)]);
    fewer.offsets.push_back(static_cast<graph::EdgeOffset>(fewer.columns.size()));
  }
  EXPECT_EQ(fewer.columns.size() + static_cast<std::size_t>(end - begin), rows.columns.size());
  return fewer;
}

/// Sum of squares of what differs, in whole numbers.
Uint128 squared_distance(const BoundedSum& a, const BoundedSum& b) {
  Uint128 sum = 0;
  for (std::size_t k = 0; k < a.sums().size(); ++k) {
    const std::int64_t difference = a.sums()[k] - b.sums()[k];
    sum += static_cast<Uint128>(difference * difference);
  }
  return sum;
}

TEST(PrivateItems, NoPersonChangesAReleaseByMoreThanItsSensitivity) {
  constexpr int kPairs = 500'000;  // of each kind of release
  constexpr std::int64_t kWidth = 3;
  RepeatingRandom random(20261201);
  const auto number = [&] { return static_cast<double>(random.below(2001)) / 1000.0 - 1.0; };
  std::vector<double> weights(kItems), known(kItems * kWidth);
  std::vector<NodeId> row(kItems), known_row(kItems);
  std::int64_t largest = 0;
  for (int pair = 0; pair < kPairs; ++pair) {
    const Csr rows = random_rows(1 + static_cast<std::int64_t>(random.below(4)), random);
    const auto leaves =
        static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(rows.num_rows)));
    const Csr fewer = without(rows, leaves);
    const auto bound = static_cast<std::int64_t>(1 + random.below(1U << (1 + pair % 22)));
    const Uint128 square = static_cast<Uint128>(bound) * static_cast<Uint128>(bound);
    ASSERT_LE(
        squared_distance(popularity_sum(rows.view(), bound), popularity_sum(fewer.view(), bound)),
        square);
    for (double& weight : weights) weight = std::pow(10.0, 3.0 * number());
    for (double& value : known) value = pair % 50 == 0 ? 0.0 : number();
    NodeId num_rows = 0;
    for (std::size_t item = 0; item < kItems; ++item) {
      row[item] = random.below(4) == 0 ? graph::kNoNode : num_rows++;
      known_row[item] = random.below(3) == 0 ? graph::kNoNode : static_cast<NodeId>(item);
    }
    const TasteParts parts = {weights, row, num_rows, known_row, known, kWidth, bound};
    const Uint128 moved =
        squared_distance(taste_sum(rows.view(), parts), taste_sum(fewer.view(), parts));
    ASSERT_LE(moved, square);
    largest += moved * 10 > square * 9 ? 1 : 0;
  }
  EXPECT_GT(largest, kPairs / 4);  // the bound is one that people reach
}

class Named {
 public:
  explicit Named(const std::string& prefix, int count) {
    for (int k = 0; k < count; ++k) dictionary.intern(prefix + std::to_string(k));
  }
  graph::Dictionary dictionary;
};

TEST(PrivateItems, WhatCountsOfAPersonDependsOnNobodyElse) {
  RepeatingRandom random(3);
  const Named items("i", kItems);
  const Csr rows = random_rows(30, random);
  const Named users("u", 30);
  const Csr all = bounded_rows(rows.view(), users.dictionary, items.dictionary, 2, graph::Seed{5});
  // The same people in another order, without some of them, and items in the order of another log.
  graph::Dictionary other_users, other_items;
  for (NodeId item = kItems; item-- > 0;) other_items.intern("i" + std::to_string(item));
  Csr fewer{0, kItems, {0}, {}, {}};
  std::vector<std::int64_t> kept;
  for (std::int64_t user = 29; user >= 0; user -= 2) {
    other_users.intern("u" + std::to_string(user));
    kept.push_back(user);
    for (auto e = rows.offsets[static_cast<std::size_t>(user)];
         e < rows.offsets[static_cast<std::size_t>(user) + 1]; ++e)
      fewer.columns.push_back(
          static_cast<NodeId>(kItems - 1 - rows.columns[static_cast<std::size_t>(e)]));
    fewer.offsets.push_back(static_cast<graph::EdgeOffset>(fewer.columns.size()));
    ++fewer.num_rows;
  }
  const Csr some = bounded_rows(fewer.view(), other_users, other_items, 2, graph::Seed{5});
  for (std::size_t k = 0; k < kept.size(); ++k) {
    const auto user = static_cast<std::size_t>(kept[k]);
    const std::vector<NodeId> a(all.columns.begin() + all.offsets[user],
                                all.columns.begin() + all.offsets[user + 1]);
    const std::vector<NodeId> b(some.columns.begin() + some.offsets[k],
                                some.columns.begin() + some.offsets[k + 1]);
    EXPECT_EQ(a, b);
    EXPECT_LE(a.size(), 2U);
  }
}

/// People of four tastes, eight of ten items of their own taste's.
Csr people_of_tastes(std::int64_t users, std::int64_t items, RandomSource& random) {
  Csr rows{users, items, {0}, {}, {}};
  const std::int64_t share = items / 4;
  for (std::int64_t user = 0; user < users; ++user) {
    std::vector<NodeId> own;
    for (int k = 0; k < 10; ++k) {
      const std::int64_t taste = k < 8 ? user % 4 : static_cast<std::int64_t>(random.below(4));
      own.push_back(static_cast<NodeId>(taste * share + static_cast<std::int64_t>(random.below(
                                                            static_cast<std::uint64_t>(share)))));
    }
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    rows.columns.insert(rows.columns.end(), own.begin(), own.end());
    rows.offsets.push_back(static_cast<graph::EdgeOffset>(rows.columns.size()));
  }
  return rows;
}

/// Rows first to last, of those that were drawn alike.
Csr part(const Csr& rows, std::int64_t first, std::int64_t last) {
  Csr some{last - first, rows.num_cols, {0}, {}, {}};
  for (std::int64_t user = first; user < last; ++user) {
    for (auto e = rows.offsets[static_cast<std::size_t>(user)];
         e < rows.offsets[static_cast<std::size_t>(user) + 1]; ++e)
      some.columns.push_back(rows.columns[static_cast<std::size_t>(e)]);
    some.offsets.push_back(static_cast<graph::EdgeOffset>(some.columns.size()));
  }
  return some;
}

/// Mean score of each person's own items.
std::vector<double> own_scores(const PrivateItems& items, const Csr& rows,
                               kernels::Backend& backend) {
  const kernels::FloatMatrix users = private_user_vectors(items, rows.view(), backend);
  std::vector<double> scores;
  for (std::int64_t user = 0; user < rows.num_rows; ++user) {
    double sum = 0.0;
    double count = 0.0;
    for (auto e = rows.offsets[static_cast<std::size_t>(user)];
         e < rows.offsets[static_cast<std::size_t>(user) + 1]; ++e, count += 1.0) {
      for (std::int64_t j = 0; j <= items.width; ++j)
        sum += static_cast<double>(users.view()(user, j)) *
               static_cast<double>(items.vectors[static_cast<std::size_t>(
                   rows.columns[static_cast<std::size_t>(e)] * (items.width + 1) + j)]);
    }
    scores.push_back(count > 0.0 ? sum / count : 0.0);
  }
  return scores;
}

/// Of the best threshold: true positive rate minus false positive rate.
double advantage(std::vector<double> members, std::vector<double> others) {
  std::sort(members.begin(), members.end());
  std::sort(others.begin(), others.end());
  double best = 0.0;
  for (const double threshold : members) {
    const auto above = [&](const std::vector<double>& scores) {
      return static_cast<double>(scores.end() -
                                 std::lower_bound(scores.begin(), scores.end(), threshold)) /
             static_cast<double>(scores.size());
    };
    best = std::max(best, above(members) - above(others));
  }
  return best;
}

class Attack : public ::testing::Test {
 protected:
  PrivateItems made(const Csr& rows, double epsilon, RandomSource& random) {
    ReleaseOptions options;
    options.epsilon = epsilon;
    options.delta = 1e-4;
    const PrivateItemsPlan plan = divide_budget(options, 8).plan;
    graph::Dictionary items;
    for (std::int64_t k = 0; k < rows.num_cols; ++k) items.intern(std::to_string(1000 + k));
    graph::Catalog catalog;
    catalog.num_items = rows.num_cols;
    return make_private_items(rows.view(), items, by_raw_id(items), catalog, plan, graph::Seed{1},
                              random, *backend_);
  }
  std::unique_ptr<kernels::Backend> backend_ = kernels::make_backend({});
};

TEST_F(Attack, OnMembershipStaysBelowTheBoundWhereAnOrdinaryModelDoesNot) {
  constexpr std::int64_t kUsers = 400;
  RepeatingRandom random(11);
  // Twice as many items as people have rows of: what a model without noise has learned by heart shows.
  const Csr all = people_of_tastes(2 * kUsers, 2000, random);
  const Csr members = part(all, 0, kUsers);
  const Csr others = part(all, kUsers, 2 * kUsers);
  const auto of = [&](double epsilon) {
    const PrivateItems items = made(members, epsilon, random);
    return advantage(own_scores(items, members, *backend_), own_scores(items, others, *backend_));
  };
  // Of 400 people a side the best threshold finds up to .1 by chance.
  constexpr double kChance = 0.1;
  EXPECT_LT(of(4.0), largest_advantage(4.0, 1e-4));
  EXPECT_LT(of(0.5), largest_advantage(0.5, 1e-4) + kChance);
  EXPECT_GT(of(1e6), 0.7);
}

TEST_F(Attack, ManyPeopleOfATasteAreStillServed) {
  RepeatingRandom random(12);
  const Csr rows = people_of_tastes(3000, 40, random);
  const PrivateItems items = made(rows, 4.0, random);
  // Of each item the one it is most like, by the published vectors, has its taste.
  int right = 0;
  for (std::int64_t item = 0; item < 40; ++item) {
    double best = -1e9;
    std::int64_t nearest = -1;
    for (std::int64_t other = 0; other < 40; ++other) {
      double product = 0.0;
      double squares = 0.0;
      for (std::int64_t j = 0; j < items.width; ++j) {
        const auto a = static_cast<double>(
            items.vectors[static_cast<std::size_t>(item * (items.width + 1) + j)]);
        const auto b = static_cast<double>(
            items.vectors[static_cast<std::size_t>(other * (items.width + 1) + j)]);
        product += a * b;
        squares += b * b;
      }
      if (other != item && squares > 0.0 && product / std::sqrt(squares) > best) {
        best = product / std::sqrt(squares);
        nearest = other;
      }
    }
    right += nearest / 10 == item / 10 ? 1 : 0;
  }
  EXPECT_GE(right, 36);
}

/// What a step of log popularity counts beside the vectors.
double popularity_weight_of(const PrivateItems& items) {
  for (std::size_t item = 0; item < items.popularity.size(); ++item) {
    const double log_popularity = std::log(static_cast<double>(items.popularity[item]));
    const std::size_t place = (item + 1) * static_cast<std::size_t>(items.width + 1) - 1;
    if (std::abs(log_popularity) > 0.1)
      return static_cast<double>(items.vectors[place]) / log_popularity;
  }
  return -1.0;
}

TEST_F(Attack, PopularityCountsTheMoreTheLessVectorsSay) {
  RepeatingRandom random(13);
  const Csr many = people_of_tastes(3000, 40, random);
  const double clear = popularity_weight_of(made(many, 8.0, random));
  const double noisy = popularity_weight_of(made(many, 0.3, random));
  // Without noise as well: 400 people who share nothing.
  Csr strangers{400, 4000, {0}, {}, {}};
  for (NodeId user = 0; user < 400; ++user) {
    for (NodeId k = 0; k < 5; ++k) strangers.columns.push_back(10 * user + k);
    strangers.columns.push_back(3999);
    strangers.offsets.push_back(static_cast<graph::EdgeOffset>(strangers.columns.size()));
  }
  const double nothing = popularity_weight_of(made(strangers, 1e6, random));
  EXPECT_GT(clear, 0.0);
  EXPECT_LT(clear, 0.1);
  EXPECT_GT(noisy, 2.0 * clear);
  EXPECT_NEAR(nothing, 3.0, 1e-3);
}

}  // namespace
}  // namespace penchant::pipeline
