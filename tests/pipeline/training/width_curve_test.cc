// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/width_curve.h"

#include <memory>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "models/graph_filter.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/model/finished_vectors.h"
#include "tests/pipeline/support/shop.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

enum class Scores { of_filter, of_vectors };

class WidthCurves : public penchant::testing::SmallShopTest {
 protected:
  static constexpr std::int64_t kOwn = 6;
  static constexpr const char* kMetric = "ndcg@10";

  /// A filter, or only its leading singular vectors.
  static Model model(Scores scores) {
    models::FilterOptions options;
    options.kind = models::FilterKind::gfcf;
    options.rank = 32;
    auto filter = std::make_shared<models::GraphFilter>(
        std::make_shared<models::FilterGraph>(graphs().user_item.user_items.view(), options.rank,
                                              graph::Seed{1}, backend()),
        options, backend());
    Model::Parts parts;
    filter->vectors(kOwn, backend(), parts.vectors.users, parts.vectors.items);
    finish_filter_vectors(graphs().user_item, graphs().item, backend(), parts.vectors.users,
                          parts.vectors.items);
    parts.vectors.layout.embedding_dim = kOwn;
    if (scores == Scores::of_filter) parts.scorer = std::move(filter);
    return {dataset(), std::move(parts), backend()};
  }
  static EvaluateOptions options() {
    EvaluateOptions options;
    options.cutoffs = {10};
    options.ranking = Ranking::full;
    return options;
  }
  static std::vector<WidthPoint> curve(const Model& model, std::vector<std::int64_t> widths,
                                       graph::Seed seed = graph::Seed{42}) {
    return width_curve(model, std::move(widths), options(),
                       evaluate(model, options(), silent_progress()), seed, silent_progress());
  }
};

TEST_F(WidthCurves, WiderVectorsRankMoreLikeTheTeacher) {
  const Model filter = model(Scores::of_filter);
  const EvaluateReport evaluation = evaluate(filter, options(), silent_progress());
  const std::vector<WidthPoint> points = curve(filter, {32, 2, 12});
  ASSERT_EQ(points.size(), 4U);
  std::vector<std::int64_t> widths;
  for (const WidthPoint& point : points) widths.push_back(point.width);
  EXPECT_EQ(widths, (std::vector<std::int64_t>{2, kOwn, 12, 32}));
  const double full = evaluation.full.at(kMetric);
  EXPECT_LT(points[0].metrics.at(kMetric), points[2].metrics.at(kMetric) - 0.05);
  EXPECT_NEAR(points[2].metrics.at(kMetric), full, 0.04);
  EXPECT_NEAR(points[3].metrics.at(kMetric), full, 0.04);
}

TEST_F(WidthCurves, TheStoredVectorsAreShownAsTheyAre) {
  const Model filter = model(Scores::of_filter);
  const EvaluateReport evaluation = evaluate(filter, options(), silent_progress());
  for (const std::vector<std::int64_t>& widths :
       {std::vector<std::int64_t>{kOwn}, std::vector<std::int64_t>{3}}) {
    const std::vector<WidthPoint> points = curve(filter, widths);
    EXPECT_EQ(points.back().width, kOwn);
    EXPECT_EQ(points.back().source, WidthSource::stored);
    EXPECT_EQ(points.back().metrics, evaluation.metrics);
    EXPECT_EQ(points.back().bytes_per_item(), 4 * kOwn);
    EXPECT_EQ(points.size(), widths[0] == kOwn ? 1U : 2U);
  }
}

TEST_F(WidthCurves, MoreNumbersThanTheScoresHaveAreNotLearnt) {
  const Model vectors = model(Scores::of_vectors);
  const std::vector<WidthPoint> points = curve(vectors, {4, 40});
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[0].source, WidthSource::learnt);
  EXPECT_EQ(points[2].source, WidthSource::as_stored);
  EXPECT_EQ(points[2].metrics, points[1].metrics);
  EXPECT_NE(points[0].metrics, points[1].metrics);
  EXPECT_GT(points[0].metrics.at(kMetric), 0.7 * points[1].metrics.at(kMetric));
}

TEST_F(WidthCurves, AModelWithoutVectorsHasACurve) {
  const Model filter = model(Scores::of_filter);
  struct Borrowed final : models::Scorer {
    models::Scorer& from;
    explicit Borrowed(models::Scorer& scorer) : from(scorer) {}
    void score(kernels::IdView users, kernels::Backend& on, kernels::FloatView scores) override {
      from.score(users, on, scores);
    }
  };
  Model::Parts parts;
  parts.vectors.users = backend().matrix<float>(dataset().num_users(), 0);
  parts.vectors.items = backend().matrix<float>(dataset().num_items(), 0);
  parts.scorer = std::make_shared<Borrowed>(*filter.scorer());
  const Model bare(dataset(), std::move(parts), backend());
  const std::vector<WidthPoint> points = curve(bare, {32});
  ASSERT_EQ(points.size(), 1U);
  const double full = evaluate(bare, options(), silent_progress()).full.at(kMetric);
  EXPECT_NEAR(points[0].metrics.at(kMetric), full, 0.04);
}

TEST_F(WidthCurves, APointDependsOnSeedAndWidthAlone) {
  const Model filter = model(Scores::of_filter);
  const std::vector<WidthPoint> both = curve(filter, {3, 90});
  const std::vector<WidthPoint> again = curve(filter, {90});
  EXPECT_EQ(both.back().width, 90);
  EXPECT_EQ(both.back().metrics, again.back().metrics);
  EXPECT_NE(both.back().metrics, curve(filter, {90}, graph::Seed{7}).back().metrics);
}

TEST_F(WidthCurves, SaysInJsonAndInATableWhatItIs) {
  const Model filter = model(Scores::of_filter);
  const EvaluateReport evaluation = evaluate(filter, options(), silent_progress());
  const std::vector<WidthPoint> points = curve(filter, {3});
  const nlohmann::json list = width_curve_to_json(points);
  EXPECT_EQ(list[0]["width"], 3);
  EXPECT_EQ(list[0]["bytes_per_item"], 12);
  EXPECT_EQ(list[0]["source"], "learnt");
  EXPECT_EQ(list[0]["metrics"][kMetric], points[0].metrics.at(kMetric));
  EXPECT_TRUE(list[0].contains("seconds"));
  EXPECT_EQ(list[1]["source"], "stored");
  EXPECT_FALSE(list[1].contains("seconds"));
  const std::string table = width_curve_table(points, evaluation, "test");
  EXPECT_NE(table.find("6 stored          full\n"), std::string::npos) << table;
  EXPECT_NE(table.find("bytes an item                 12            24\n"), std::string::npos)
      << table;
  EXPECT_NE(table.find(kMetric), std::string::npos) << table;
}

TEST_F(WidthCurves, RefusesWidthsThatCannotBe) {
  const auto message = [](std::vector<std::int64_t> widths) -> std::string {
    try {
      check_widths(widths, "--widths");
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({1, 4096, 32}), "");
  EXPECT_EQ(message({32, 0}), "--widths has 0, expected widths of 1 to 4096");
  EXPECT_EQ(message({4097}), "--widths has 4097, expected widths of 1 to 4096");
  EXPECT_EQ(message({8, 16, 8}), "--widths has 8 twice, expected each width once");
  EXPECT_THROW(curve(model(Scores::of_filter), {-1}), InputError);
}

TEST_F(WidthCurves, CanBeInterrupted) {
  const Model filter = model(Scores::of_filter);
  const EvaluateReport evaluation = evaluate(filter, options(), silent_progress());
  for (const int updates : {0, 4}) {
    penchant::testing::StopAfterUpdates progress(updates);
    EXPECT_THROW(width_curve(filter, {3, 8}, options(), evaluation, graph::Seed{42}, progress),
                 Interrupted)
        << updates;
  }
}

}  // namespace
}  // namespace penchant::pipeline
