// SPDX-License-Identifier: Apache-2.0
// Order, cut, event types and gaps of histories, against small logs written by hand.
#include "pipeline/data/histories.h"

#include <limits>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::IngestTest;
using penchant::testing::Lines;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Raw ids of one user's history.
Lines history_of(const Dataset& dataset, const Histories& histories, std::string_view user) {
  Lines items;
  for (const NodeId item : histories.row(dataset.users.find(user)))
    items.emplace_back(dataset.items.raw(item));
  return items;
}

class HistoriesTest : public IngestTest {
 protected:
  Histories of(const Dataset& dataset, std::int64_t max_length = 100) {
    return make_histories(dataset.split.train, dataset, max_length);
  }
};

TEST(GapBucket, GrowsByPowersOfTwoOfSeconds) {
  EXPECT_EQ(gap_bucket(0), 1);
  EXPECT_EQ(gap_bucket(999), 1);
  EXPECT_EQ(gap_bucket(1000), 2);
  EXPECT_EQ(gap_bucket(1999), 2);
  EXPECT_EQ(gap_bucket(2000), 3);
  EXPECT_EQ(gap_bucket(3999), 3);
  EXPECT_EQ(gap_bucket(86'400'000), 2 + 16) << "a day: 2^16 <= 86400 < 2^17";
  EXPECT_EQ(gap_bucket(std::numeric_limits<std::int64_t>::max()), kNumGapBuckets - 1);
  EXPECT_EQ(gap_bucket(-5), 1);
}

TEST(HistoriesOfAnyTimes, TheEndsOfTimeAreApartWithoutOverflow) {
  Dataset dataset;
  dataset.users.intern("u");
  dataset.items.intern("i");
  graph::TrainingPart part;
  part.interactions.user = {0, 0, 0};
  part.interactions.item = {0, 0, 0};
  part.interactions.weight = {1, 1, 1};
  part.interactions.time_ms = {std::numeric_limits<std::int64_t>::min(), 0,
                               std::numeric_limits<std::int64_t>::max()};
  EXPECT_THAT(make_histories(part, dataset, 9).gap_buckets,
              ElementsAre(0, kNumGapBuckets - 1, kNumGapBuckets - 1));
}

TEST_F(HistoriesTest, AreInTimeOrderAndTiesKeepTheOrderOfTheLog) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,late,300\nv,x,5\nu,b,100\nu,a,100\nu,c,100\nu,early,90\n");
  const Histories histories = of(dataset);
  EXPECT_EQ(histories.size(), 2);
  EXPECT_THAT(history_of(dataset, histories, "u"), ElementsAre("early", "b", "a", "c", "late"));
  EXPECT_THAT(history_of(dataset, histories, "v"), ElementsAre("x"));
  EXPECT_THAT(histories.events, IsEmpty()) << "one event type";
}

TEST_F(HistoriesTest, OfOneUserTheyAreReadFromTheColumns) {
  IngestOptions options;
  options.split_method = graph::SplitMethod::random_per_user;  // validation between training rows
  std::string log = "user,item,time\n";
  for (int user = 0; user < 9; ++user) {
    for (int row = 0; row < 12; ++row)
      log += fmt::format("u{},i{},{}\n", user, row * 7 % 12 + user, 100 + row / 2);
  }
  const Dataset whole = ingest_text(log, options);
  const Dataset known = read_dataset(whole.directory, DatasetUse::lookup);
  for (const KnownPart part : {KnownPart::train, KnownPart::train_and_validation}) {
    const Histories all = known_histories(whole, part, 1000);
    for (NodeId user = 0; user < whole.num_users(); ++user) {
      const auto want = all.row(user);
      for (const Dataset* dataset : {&whole, &known}) {
        const Histories one = known_history(*dataset, user, part);
        EXPECT_EQ(one.size(), whole.num_users());
        EXPECT_EQ(one.items, std::vector<NodeId>(want.begin(), want.end()));
        EXPECT_EQ(one.length(user), all.length(user));
      }
    }
  }
}

TEST_F(HistoriesTest, GapsAreThoseOfTheUser) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,a,1000\nu,b,1000\nu,c,1004\nv,a,5000\nv,b,91400\n");
  const Histories histories = of(dataset);
  ASSERT_EQ(dataset.users.find("u"), 0);
  EXPECT_THAT(histories.gap_buckets, ElementsAre(0, 1, 4, 0, 18));
  // The cut keeps the last events and the gap to the one that it cut off.
  const Histories cut = of(dataset, 2);
  EXPECT_THAT(history_of(dataset, cut, "u"), ElementsAre("b", "c"));
  EXPECT_THAT(cut.gap_buckets, ElementsAre(1, 4, 0, 18));
}

TEST_F(HistoriesTest, AllEqualTimesAreOneOrderAndGapsOfZero) {
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,c,7\nu,a,7\nu,b,7\n");
  const Histories histories = of(dataset);
  EXPECT_THAT(history_of(dataset, histories, "u"), ElementsAre("c", "a", "b"));
  EXPECT_THAT(histories.gap_buckets, ElementsAre(0, 1, 1));
}

TEST_F(HistoriesTest, WithoutTimesTheOrderIsThatOfTheRows) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.train_files = {write("train.txt", "0 5 3 9\n1 2\n")};
  options.test_files = {write("test.txt", "1 5\n")};
  options.validation_fraction = 0.0;
  const Dataset dataset = ingest(options);
  const Histories histories = of(dataset);
  EXPECT_THAT(history_of(dataset, histories, "0"), ElementsAre("5", "3", "9"));
  EXPECT_THAT(histories.gap_buckets, IsEmpty());
}

TEST_F(HistoriesTest, EventTypesAreThoseOfTheRowsAlsoIfOneNeverOccurs) {
  IngestOptions options = penchant::testing::everything_in_train();
  options.columns.event = "event";
  const Dataset dataset = ingest_text(
      "user,item,time,event\n"
      "u,a,1,view\nu,b,2,purchase\nu,c,3,view\n",
      options);
  const Histories histories = of(dataset);
  Lines names;
  for (const std::uint8_t event : histories.events) names.push_back(dataset.event_names.at(event));
  EXPECT_THAT(names, ElementsAre("view", "purchase", "view"));
}

TEST_F(HistoriesTest, OneEventAndTenThousand) {
  std::string text = "user,item,time\nshort,i0,1\n";
  for (int i = 0; i < 10'000; ++i) text += fmt::format("long,i{},{}\n", i, i);
  const Dataset dataset = ingest_text(text);
  const Histories all = of(dataset, 100'000);
  EXPECT_EQ(all.length(dataset.users.find("long")), 10'000);
  EXPECT_EQ(all.length(dataset.users.find("short")), 1);
  const Histories cut = of(dataset, 50);
  EXPECT_EQ(cut.length(dataset.users.find("long")), 50);
  EXPECT_EQ(history_of(dataset, cut, "long").front(), "i9950");
  EXPECT_EQ(history_of(dataset, cut, "long").back(), "i9999");
}

TEST_F(HistoriesTest, ValidationRowsComeAfterTraining) {
  IngestOptions options;
  options.split_method = graph::SplitMethod::leave_one_out;
  const Dataset dataset = ingest_text(
      "user,item,time\n"
      "u,a,1\nu,b,2\nu,c,3\nu,d,4\nw,a,1\nw,b,2\nw,c,3\n",
      options);
  EXPECT_THAT(history_of(dataset, of(dataset), "u"), ElementsAre("a", "b"));
  const Histories longer = make_histories_with_validation(dataset, 100);
  EXPECT_THAT(history_of(dataset, longer, "u"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(history_of(dataset, make_histories_with_validation(dataset, 1), "u"),
              ElementsAre("c"));
}

TEST_F(HistoriesTest, AUserOnlyInTestHasAnEmptyOne) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.train_files = {write("train.txt", "0 5 3\n2 3\n")};
  options.test_files = {write("test.txt", "1 5\n3 7\n")};
  options.validation_fraction = 0.0;
  const Dataset dataset = ingest(options);
  const Histories histories = of(dataset);
  EXPECT_EQ(histories.size(), 4);
  EXPECT_THAT(history_of(dataset, histories, "1"), IsEmpty());
  EXPECT_THAT(history_of(dataset, histories, "2"), ElementsAre("3"));
  EXPECT_THAT(history_of(dataset, histories, "3"), IsEmpty());
}

TEST(HistoryOfItems, IsOneRowWithoutTypesAndTimes) {
  const std::vector<NodeId> items = {4, 2, 4};
  const Histories histories = history_of_items(items);
  EXPECT_EQ(histories.size(), 1);
  EXPECT_THAT(histories.row(0), ElementsAre(4, 2, 4));
  EXPECT_TRUE(histories.events.empty() && histories.gap_buckets.empty());
  EXPECT_EQ(history_of_items({}).size(), 1);
  EXPECT_EQ(history_of_items({}).length(0), 0);
}

TEST(SelectHistories, TakesRowsWithEverythingTheyHave) {
  const Histories all{{0, 2, 2, 3}, {7, 8, 9}, {1, 0, 1}, {0, 5, 0}, {3.0F, 1.0F, 5.0F}};
  const std::vector<NodeId> rows = {2, 1, 0, 2};
  const Histories some = select_histories(all, rows);
  EXPECT_THAT(some.offsets, ElementsAre(0, 1, 1, 3, 4));
  EXPECT_THAT(some.items, ElementsAre(9, 7, 8, 9));
  EXPECT_THAT(some.events, ElementsAre(1, 1, 0, 1));
  EXPECT_THAT(some.gap_buckets, ElementsAre(0, 0, 5, 0));
  EXPECT_EQ(select_histories(history_of_items({}), std::vector<NodeId>{0, 0}).size(), 2);
  EXPECT_THAT(some.weights, ElementsAre(5.0F, 3.0F, 1.0F, 5.0F));
}

}  // namespace
}  // namespace penchant::pipeline
