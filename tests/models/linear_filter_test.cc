// SPDX-License-Identifier: Apache-2.0
#include "models/linear_filter.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "models/blended_scorer.h"
#include "tests/models/model_data.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/compare.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

constexpr std::int64_t kFilterUsers = 90;
constexpr std::int64_t kFilterItems = 37;
constexpr NodeId kNewUser = 3;     // no history
constexpr NodeId kUnsoldItem = 7;  // no users

graph::UserItemGraph shop(support::Values values) {
  const graph::Csr random = support::random_sets(kFilterUsers, kFilterItems, 6, 31);
  graph::UserItemGraph graph{kFilterUsers, kFilterItems, {kFilterUsers, kFilterItems, {0}, {}, {}}, {}};
  graph::Csr& links = graph.user_items;
  for (NodeId user = 0; user < kFilterUsers; ++user) {
    for (const NodeId item : random.view().row(user)) {
      if (user == kNewUser || item == kUnsoldItem) continue;
      links.columns.push_back(item);
      if (values == support::Values::present)
        links.values.push_back(0.5F + 0.25F * static_cast<float>((user + item) % 5));
    }
    links.offsets.push_back(static_cast<graph::EdgeOffset>(links.columns.size()));
  }
  graph.item_users = graph::transpose(links.view());
  return graph;
}

/// The equation in linear_filter.h, term by term, and its mean for users without a history. [I x U]
Dense oracle_scores(const graph::UserItemGraph& graph, const LinearFilterOptions& options) {
  const Dense r = oracle::to_dense(graph.user_items.view());
  std::vector<double> user_degree(kFilterUsers), item_degree(kFilterItems);
  for (std::int64_t u = 0; u < kFilterUsers; ++u) {
    for (std::int64_t i = 0; i < kFilterItems; ++i) {
      user_degree[static_cast<std::size_t>(u)] += r(u, i);
      item_degree[static_cast<std::size_t>(i)] += r(u, i);
    }
  }
  const auto inverse = [](double degree, float power) {
    return degree > 0 ? std::pow(degree, -static_cast<double>(power)) : 0.0;
  };
  Dense scores(kFilterItems, kFilterUsers);
  for (std::int64_t u = 0; u < kFilterUsers; ++u) {
    for (std::int64_t i = 0; i < kFilterItems; ++i) {
      for (std::int64_t v = 0; v < kFilterUsers; ++v) {
        for (std::int64_t j = 0; j < kFilterItems; ++j) {
          if (r(v, i) == 0.0 || r(v, j) == 0.0 || r(u, j) == 0.0) continue;  // most terms are zero
          scores(i, u) +=
              inverse(user_degree[static_cast<std::size_t>(u)], 0.5F) *
              inverse(item_degree[static_cast<std::size_t>(i)], options.item_power) * r(v, i) *
              inverse(user_degree[static_cast<std::size_t>(v)], options.user_power) * r(v, j) *
              inverse(item_degree[static_cast<std::size_t>(j)], options.signal_power) * r(u, j);
        }
      }
    }
  }
  const auto is_new = [&](std::int64_t u) { return user_degree[static_cast<std::size_t>(u)] == 0; };
  std::int64_t num_known = 0;
  for (std::int64_t u = 0; u < kFilterUsers; ++u) num_known += is_new(u) ? 0 : 1;
  for (std::int64_t i = 0; i < kFilterItems; ++i) {
    double sum = 0;
    for (std::int64_t u = 0; u < kFilterUsers; ++u) sum += scores(i, u);
    for (std::int64_t u = 0; u < kFilterUsers; ++u)
      if (is_new(u)) scores(i, u) = sum / static_cast<double>(num_known);
  }
  return scores;
}

/// Every term is positive, so a sum's error is relative to the sum itself.
testing::AssertionResult close(const Dense& got, const Dense& want) {
  if (got.values.size() != want.values.size() || want.values.empty())
    return testing::AssertionFailure() << "shapes differ or nothing to compare";
  for (std::size_t e = 0; e < want.values.size(); ++e) {
    if (!(std::abs(got.values[e] - want.values[e]) <= 2e-5 * std::abs(want.values[e])))
      return testing::AssertionFailure()
             << "element " << e << ": " << got.values[e] << ", expected " << want.values[e];
  }
  return testing::AssertionSuccess();
}

class LinearFilters : public support::BackendTest {
 protected:
  Dense score(Scorer& scorer, std::vector<NodeId> users) {
    const auto width = static_cast<std::int64_t>(users.size());
    const Guarded<float> scores(backend(), kFilterItems, width);
    scorer.score({users.data(), width, kernels::Device::cpu}, backend(), scores.view());
    EXPECT_TRUE(scores.intact());
    return scores.dense();
  }
  static std::vector<NodeId> everyone() {
    std::vector<NodeId> users;
    for (NodeId user = 0; user < kFilterUsers; ++user) users.push_back(user);
    return users;
  }
};

PENCHANT_INSTANTIATE_BACKENDS(LinearFilters);

TEST_P(LinearFilters, EqualsItsEquation) {
  const LinearFilterOptions powers[] = {
      {}, {0.5F, 1.0F, 0.5F}, {0.0F, 0.0F, 0.0F}, {0.3F, 0.4F, 1.2F}};
  for (const support::Values values : {support::Values::absent, support::Values::present}) {
    const graph::UserItemGraph graph = shop(values);
    for (const LinearFilterOptions& options : powers) {
      LinearFilter filter(graph, options, backend());
      EXPECT_TRUE(close(score(filter, everyone()), oracle_scores(graph, options)));
    }
  }
}

TEST_P(LinearFilters, AnItemWithoutUsersScoresZero) {
  LinearFilter filter(shop(support::Values::absent), {}, backend());
  const Dense scores = score(filter, everyone());
  double sum = 0;
  for (std::int64_t i = 0; i < kFilterItems; ++i) {
    sum += scores(i, 0);
  }
  for (std::int64_t u = 0; u < kFilterUsers; ++u) EXPECT_EQ(scores(kUnsoldItem, u), 0.0);
  EXPECT_GT(sum, 0.0);
}

TEST_P(LinearFilters, ATileMayHoldAnyUsersInAnyOrder) {
  LinearFilter filter(shop(support::Values::present), {}, backend());
  const Dense all = score(filter, everyone());
  const std::vector<NodeId> users = {70, 0, 70, kNewUser, 11};
  const Dense tile = score(filter, users);
  for (std::int64_t i = 0; i < kFilterItems; ++i) {
    for (std::int64_t b = 0; b < tile.cols; ++b) {
      const double want = all(i, users[static_cast<std::size_t>(b)]);
      EXPECT_NEAR(tile(i, b), want, 1e-6 * want);
    }
  }
  EXPECT_EQ(score(filter, {}).cols, 0);
}

TEST_P(LinearFilters, WrongPowersAndShapesAreRefused) {
  const graph::UserItemGraph graph = shop(support::Values::absent);
  for (const float power : {-0.1F, 2.5F, std::nanf("")}) {
    EXPECT_THROW(LinearFilter(graph, {power, 0.7F, 0.3F}, backend()), InputError);
    EXPECT_THROW(LinearFilter(graph, {0.7F, power, 0.3F}, backend()), InputError);
    EXPECT_THROW(LinearFilter(graph, {0.7F, 0.7F, power}, backend()), InputError);
  }
  LinearFilter filter(graph, {}, backend());
  const std::vector<NodeId> users = {1, 2};
  const Guarded<float> narrow(backend(), kFilterItems, 1);
  const kernels::IdView ids(users.data(), 2, kernels::Device::cpu);
  EXPECT_THROW(filter.score(ids, backend(), narrow.view()), InputError);
}

TEST_P(LinearFilters, BlendedWithVectorsTheScoresAddUp) {
  const graph::UserItemGraph graph = shop(support::Values::absent);
  const Dense user_vectors = support::random_dense(kFilterUsers, 5, 41);
  const Dense item_vectors = support::random_dense(kFilterItems, 5, 42);
  const Guarded<float> users(backend(), user_vectors);
  const Guarded<float> items(backend(), item_vectors);
  LinearFilter filter(graph, {}, backend());
  const Dense alone = score(filter, {8, 2});
  const auto other = std::make_shared<LinearFilter>(graph, LinearFilterOptions{}, backend());
  BlendedScorer blend(users.view(), items.view(), {{other, 3.0F}});
  const Dense both = score(blend, {8, 2});
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t i = 0; i < kFilterItems; ++i) {
      double want = 3.0 * alone(i, b);
      for (std::int64_t k = 0; k < 5; ++k)
        want += user_vectors(b == 0 ? 8 : 2, k) * item_vectors(i, k);
      EXPECT_NEAR(both(i, b), want, 1e-5);
    }
  }
  EXPECT_THROW(BlendedScorer(users.view(), items.view(), {{nullptr, std::nanf("")}}), InputError);
}

}  // namespace
}  // namespace penchant::models
