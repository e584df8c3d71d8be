// SPDX-License-Identifier: Apache-2.0
// Which pairs are asked about, on logs written by hand and on a shop, and what comes of the
// answers.
#include "pipeline/evaluation/pair_evaluation.h"

#include <map>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/evaluation/evaluate.h"
#include "pipeline/evaluation/evaluation_report.h"
#include "pipeline/model/model.h"
#include "pipeline/training/train.h"
#include "tests/pipeline/support/interest_scorers.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::HistoryScorer;
using penchant::testing::IngestTest;
using penchant::testing::Lines;
using penchant::testing::SmallShopTest;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// "user item label" of every pair.
Lines lines_of(const PairTask& task, const Dataset& dataset) {
  Lines lines;
  for (std::size_t p = 0; p < task.users.size(); ++p) {
    lines.push_back(fmt::format("{} {} {}", dataset.users.raw(task.users[p]),
                                dataset.items.raw(task.items[p]), task.labels[p]));
  }
  return lines;
}

IngestOptions leave_one_out() {
  IngestOptions options;
  options.split_method = graph::SplitMethod::leave_one_out;
  return options;
}

class PairTaskTest : public IngestTest {};

TEST_F(PairTaskTest, AsksAboutTheNextItemAndTheOnlyOther) {
  // u has a, b, c, then d; e is the one item that u does not have. w has too few rows to hold out.
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,a,1\nu,b,2\nu,c,3\nu,d,4\nw,e,1\nw,a,2\n",
      leave_one_out());
  EXPECT_THAT(lines_of(make_pair_task(dataset, HeldOut::test), dataset),
              ElementsAre("u d 1", "u e 0"));
  const PairTask validation = make_pair_task(dataset, HeldOut::validation);
  ASSERT_EQ(validation.size(), 2);
  EXPECT_EQ(dataset.items.raw(validation.items[0]), "c");
}

TEST_F(PairTaskTest, AUserWhoHasEverythingHasNoPairs) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,a,1\nu,b,2\nu,c,3\n",
      leave_one_out());
  EXPECT_THAT(lines_of(make_pair_task(dataset, HeldOut::test), dataset), IsEmpty());
}

TEST_F(PairTaskTest, RepeatsAreNotNextItems) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,a,1\nu,b,2\nu,b,3\nu,a,4\nv,a,1\nv,b,2\nv,a,3\nv,c,4\nv,d,4\n",
      leave_one_out());
  EXPECT_THAT(lines_of(make_pair_task(dataset, HeldOut::test), dataset), IsEmpty())
      << "u's last item is a repeat, v has the whole catalogue";
}

class PairShopTest : public SmallShopTest {};

TEST_F(PairShopTest, NegativesAreNewToTheUserAndFrozen) {
  for (const HeldOut part : {HeldOut::validation, HeldOut::test}) {
    const PairTask task = make_pair_task(dataset(), part);
    ASSERT_GT(task.size(), 100);
    std::map<NodeId, std::set<NodeId>> had;
    const auto add = [&](const graph::Interactions& rows) {
      for (std::size_t row = 0; row < rows.user.size(); ++row)
        had[rows.user[row]].insert(rows.item[row]);
    };
    add(dataset().split.train.interactions);
    if (part == HeldOut::test) add(dataset().split.validation);
    std::set<NodeId> negatives;
    for (std::size_t p = 0; p < task.users.size(); p += 2) {
      EXPECT_FALSE(had[task.users[p]].contains(task.items[p]));
      EXPECT_EQ(task.labels[p], 1);
      EXPECT_EQ(task.labels[p + 1], 0);
      EXPECT_EQ(task.users[p], task.users[p + 1]);
    }
    add(part == HeldOut::test ? dataset().split.test : dataset().split.validation);
    for (std::size_t p = 1; p < task.users.size(); p += 2) {
      EXPECT_FALSE(had[task.users[p]].contains(task.items[p]));
      negatives.insert(task.items[p]);
    }
    EXPECT_GT(negatives.size(), 30U) << "drawn from all of the catalogue's 91 items";
    EXPECT_EQ(lines_of(make_pair_task(dataset(), part), dataset()), lines_of(task, dataset()));
  }
}

TEST_F(PairShopTest, EvaluateReportsPairsOfAnInterestModelOnly) {
  train(recipe(), "x.model");
  const Model model = Model::open(at("x.model"), dataset(), backend());
  EvaluateOptions options;
  options.cutoffs = {5};
  EXPECT_FALSE(evaluate(model, options, silent_progress()).pairs);
  const PairTask task = make_pair_task(dataset(), HeldOut::test);
  const auto answer = [](std::span<const NodeId> history, NodeId item) {
    const auto last = history.empty() ? 5 : static_cast<std::int64_t>(history.back());
    const auto mixed = 31 * static_cast<std::int64_t>(history.size()) + 7 * item + 3 * last;
    return static_cast<float>(mixed % 17) / 16.0F;
  };
  Model::Parts parts;
  parts.vectors.users = backend().matrix<float>(dataset().num_users(), 1);
  parts.vectors.items = backend().matrix<float>(dataset().num_items(), 1);
  parts.vectors.layout.embedding_dim = 1;
  parts.interest = std::make_unique<HistoryScorer>(answer);
  const auto report =
      evaluate(Model(dataset(), std::move(parts), backend()), options, silent_progress());
  ASSERT_TRUE(report.pairs.has_value());
  const Histories histories = make_histories_with_validation(dataset(), 10'000);
  std::vector<float> expected;
  for (std::size_t p = 0; p < task.users.size(); ++p)
    expected.push_back(answer(histories.row(task.users[p]), task.items[p]));
  EXPECT_EQ(report.pairs->num_pairs, task.size());
  EXPECT_EQ(report.pairs->metrics.values, pair_metrics(task.labeled(), expected).values);
  const auto stored = evaluation_to_json(report);
  EXPECT_EQ(evaluation_to_json(evaluation_from_json(stored)), stored);
  EXPECT_EQ(stored.at("pairs").at("calibration").size(), 10U);
  EXPECT_THAT(evaluation_table(report, {}, "test"), ::testing::HasSubstr("calibration_error"));
  EXPECT_GT(report.pairs->popularity_auc, 0.5) << "what sells is bought next";
}

}  // namespace
}  // namespace penchant::pipeline
