// SPDX-License-Identifier: Apache-2.0
// Scores of people by what they had: those of the users who had the same.
#include <cmath>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/graph_filter.h"
#include "pipeline/model/auto_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/people_vectors.h"
#include "pipeline/model/score_terms.h"
#include "pipeline/model/taught_lists.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;

constexpr std::int64_t kPeopleDim = 6;
const std::vector<NodeId> kAsked = {0, 5, 77};

class PeopleScores : public penchant::testing::SmallShopTest {
 protected:
  kernels::FloatMatrix waves(std::int64_t rows, double pitch) {
    kernels::FloatMatrix matrix = backend().matrix<float>(rows, kPeopleDim);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < kPeopleDim; ++j)
        matrix.view()(i, j) =
            static_cast<float>(std::sin(pitch * static_cast<double>(i * kPeopleDim + j)));
    return matrix;
  }
  /// As users, and as people who bring the users' own vectors.
  void expect_the_users_scores(models::Scorer& scorer, const graph::UserItemGraph& graph) {
    kernels::FloatMatrix want = backend().matrix<float>(graph.num_items, 3);
    scorer.score({kAsked.data(), 3, kernels::Device::cpu}, backend(), want.view());
    const graph::Csr rows = graph::select_rows(graph.user_items.view(), kAsked);
    const Histories events = select_histories(histories_, kAsked);
    kernels::FloatMatrix vectors = backend().matrix<float>(3, kPeopleDim);
    backend().gather_rows(users_.view(), {kAsked.data(), 3, kernels::Device::cpu}, vectors.view());
    kernels::FloatMatrix got = backend().matrix<float>(graph.num_items, 3);
    scorer.score_people({rows.view(), events.offsets, events.items, std::as_const(vectors).view()},
                        backend(), got.view());
    double size = 0.0;
    for (std::int64_t i = 0; i < graph.num_items; ++i) {
      for (std::int64_t b = 0; b < 3; ++b) {
        size = std::max(size, std::abs(static_cast<double>(want.view()(i, b))));
        EXPECT_NEAR(got.view()(i, b), want.view()(i, b),
                    1e-5 * (1.0 + std::abs(static_cast<double>(want.view()(i, b)))))
            << i << ", " << b;
      }
    }
    EXPECT_GT(size, 0.01);
  }

  Histories histories_ = make_histories(dataset().split.train, dataset(), 1'000'000);
  kernels::FloatMatrix users_ = waves(dataset().num_users(), 0.37);
  kernels::FloatMatrix items_ = waves(dataset().num_items(), 0.73);
};

TEST_F(PeopleScores, OfAMixtureWithRepeats) {
  const graph::UserItemGraph& graph = graphs().user_item;
  models::FilterOptions options;
  options.rank = 8;
  const auto filter = std::make_shared<models::GraphFilter>(
      std::make_shared<models::FilterGraph>(graph.user_items.view(), 8, graph::Seed{1}, backend()),
      options, backend());
  const VectorViews trained = {users_.view(), items_.view(), {kPeopleDim, 0, false, false}};
  const RepeatBlend repeats = {0.9F, 0.5F, 0.3F};
  for (const Mixture& mixture :
       {Mixture{true, 0.2, 1.5}, Mixture{true, 0.0, 1.5}, Mixture{false, 0.0, 1.0}}) {
    expect_the_users_scores(
        *mixed_scorer(trained, mixture, filter, repeats, {}, graph, histories_, backend()), graph);
  }
}

TEST_F(PeopleScores, OfALinearFilterOverWeightsBesideVectors) {
  graph::UserItemGraphOptions options;
  options.weight = graph::EdgeWeight::log_sum;
  const graph::UserItemGraph graph = graph::build_user_item_graph(
      dataset().split.train, dataset().num_users(), dataset().num_items(), options);
  models::BlendedScorer scorer(
      users_.view(), items_.view(),
      blended_terms(graph, histories_, {{}, 0.7F}, {0.8F, 1.0F, 0.2F}, backend()));
  expect_the_users_scores(scorer, graph);
  models::BlendedScorer wider(users_.view(), items_.view(), {});
  const graph::Csr rows = graph::select_rows(graph.user_items.view(), kAsked);
  kernels::FloatMatrix scores = backend().matrix<float>(graph.num_items, 3);
  EXPECT_THROW(wider.score_people({rows.view(), {}, {}, {}}, backend(), scores.view()), InputError);
}

TEST(RowsOfEvents, AreThoseOfAGraphOfThatWeight) {
  Histories people;
  people.offsets = {0, 3, 3, 5};
  people.items = {2, 0, 2, 1, 3};
  graph::UserItemGraphOptions options;
  EXPECT_TRUE(rows_of_events(people, 4, options).values.empty());
  options.weight = graph::EdgeWeight::sum;
  const graph::Csr rows = rows_of_events(people, 4, options);
  EXPECT_EQ(rows.num_rows, 3);
  EXPECT_EQ(rows.columns, (std::vector<NodeId>{0, 2, 1, 3}));
  EXPECT_EQ(rows.values, (std::vector<float>{1, 2, 1, 1}));
  EXPECT_EQ(rows.offsets, (std::vector<graph::EdgeOffset>{0, 2, 2, 4}));
}

TEST(AutoScores, AreMoreThanStoredInnerProductsWhereAnythingStandsBeside) {
  std::vector<MixtureMember> members = {{"trained", models::ModelKind::lightgcn, 1.0}};
  const auto has = [&](double filter_weight, float repeats, bool distilled) {
    nlohmann::json model = {{"mixture", Mixture{true, 0.1, filter_weight}.to_json()},
                            {"members", members_to_json(members)},
                            {"repeats", repeats_to_json({1.0F, 1.0F, repeats})}};
    if (distilled) model["distillation"] = {{"width", 8}};
    return has_auto_scorer(model);
  };
  EXPECT_FALSE(has(0.0, 0.0F, false));
  EXPECT_TRUE(has(0.5, 0.0F, false));
  EXPECT_TRUE(has(0.0, 0.3F, false));
  EXPECT_TRUE(has(0.0, 0.0F, true));
  members.push_back({"trained2", models::ModelKind::interest, 1.0});
  EXPECT_TRUE(has(0.0, 0.0F, false)) << "stored are the vectors of the first";
}

TEST(RankShares, FallWithTheRankHoweverFarTheFirstStandsOut) {
  std::vector<float> shares(4);
  rank_shares(std::vector<float>{500.0F, 3.0F, 1.0F, -2.0F}, 0.5F, shares);
  EXPECT_NEAR(shares[0] + shares[1] + shares[2] + shares[3], 1.0, 1e-6);
  for (std::size_t k = 1; k < 4; ++k)
    EXPECT_NEAR(shares[0] / shares[k], std::pow(static_cast<double>(k + 1), 2.0), 1e-4);
  std::vector<float> other(4);
  rank_shares(std::vector<float>{4.0F, 3.0F, 3.0F, 1.0F}, 0.5F, other);
  EXPECT_EQ(other[0], shares[0]);
  EXPECT_EQ(other[1], other[2]) << "equal scores";
  EXPECT_NEAR(other[1] + other[2], shares[1] + shares[2], 1e-6);
  rank_shares({}, 0.5F, {});
}

TEST(ListShares, AddUpToOneAndFallWithTheScore) {
  const std::vector<float> scores = {5.0F, 3.0F, 1.0F};
  std::vector<float> shares(3);
  list_shares(scores, 0.5F, shares);
  EXPECT_NEAR(shares[0] + shares[1] + shares[2], 1.0, 1e-6);
  // The standard deviation is (8 / 3)^1/2.
  const double ratio = std::exp(-2.0 / (0.5 * std::sqrt(8.0 / 3.0)));
  EXPECT_NEAR(shares[1] / shares[0], ratio, 1e-6);
  EXPECT_NEAR(shares[2] / shares[1], ratio, 1e-6);
  list_shares(std::vector<float>{2.0F, 2.0F, 2.0F}, 0.5F, shares);
  EXPECT_THAT(shares, ::testing::Each(::testing::FloatEq(1.0F / 3.0F)));
}

}  // namespace
}  // namespace penchant::pipeline
