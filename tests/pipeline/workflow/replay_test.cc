// SPDX-License-Identifier: Apache-2.0
// A log judged period by period: what is known when, and what is counted.
#include "pipeline/workflow/replay.h"

#include <random>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/data/past_rows.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::all_rows;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::rows_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kDay = 86'400'000;
constexpr std::int64_t kMonday = 1'599'436'800'000;  // 2020-09-07

class ReplayTest : public penchant::testing::IngestTest {
 protected:
  /// 40 users and 30 items over four weeks from a Monday on; u40 and i30 come in the third week.
  Config config() {
    std::mt19937 random(5);
    std::string text = "user,item,time\n";
    for (int row = 0; row < 2000; ++row) {
      const auto user = random() % 40;
      text += fmt::format("u{},i{},{}\n", user, (random() % 10) * 3 + user % 3,
                          kMonday / 1000 + std::int64_t{row} * 28 * 86400 / 2000);
    }
    text += fmt::format("u40,i30,{}\nu40,i1,{}\nu1,i30,{}\n", kMonday / 1000 + 15 * 86400,
                        kMonday / 1000 + 15 * 86400 + 60, kMonday / 1000 + 15 * 86400 + 120);
    write("log.csv", text);
    write("shop.toml",
          "[data]\nlog = [\"log.csv\"]\nout = \"x.data\"\n[data.columns]\nuser = \"user\"\n"
          "item = \"item\"\ntime = \"time\"\n[model]\nkind = \"lightgcn\"\nembedding_dim = 8\n"
          "[train]\nepochs = 4\n");
    return read_config(at("shop.toml"));
  }
};

TEST_F(ReplayTest, PastRowsAreThoseThatHadCome) {
  const Dataset whole = ingest_text("user,item,time\na,x,1000\nb,y,2000\nc,z,3000\na,y,4000\nd,x,5000\nb,w,6000\n");
  const Delivery first = delivery_of(whole, graph::kNoTime + 1, 2'500'000, 0.5);
  const Delivery second = delivery_of(whole, 2'500'000, 4'500'000, 0.5);
  EXPECT_EQ(first.validation_from_ms, 2'000'000);
  EXPECT_EQ(second.validation_from_ms, 4'000'000);
  const PastRows past = rows_until(whole, std::array{first, second}, 6'500'000);
  const Dataset& then = past.dataset;
  EXPECT_THAT(rows_of(then, then.split.train.interactions),
              ElementsAre("a x 1 t1000000", "c z 1 t3000000"));
  EXPECT_THAT(rows_of(then, then.split.validation), ElementsAre("a y 1 t4000000", "b y 1 t2000000"));
  EXPECT_TRUE(then.split.test.empty()) << "d and w had not come";
  EXPECT_EQ(past.num_revealed, 2);
  EXPECT_EQ(past.num_of_unknown, 2);
  EXPECT_EQ(past.num_new_rows, 2);
  EXPECT_EQ(then.num_users(), 3);
  EXPECT_EQ(then.users.raw(0), "a");
  // Ids stay from one delivery to the next.
  const PastRows before = rows_until(whole, std::array{first}, 4'500'000);
  EXPECT_EQ(before.dataset.num_items(), 2);
  for (graph::NodeId item = 0; item < 2; ++item)
    EXPECT_EQ(before.dataset.items.raw(item), then.items.raw(item));
  EXPECT_NE(before.dataset.hash, then.hash);
}

TEST_F(ReplayTest, EachPeriodIsJudgedByWhatWasKnownBefore) {
  ReplayOptions options;
  options.from_ms = kMonday + 8 * kDay;  // a Tuesday: its week begins the day before
  options.work = at("work");
  const ReplayReport report = replay(config(), options, silent_progress());
  ASSERT_EQ(report.periods.size(), 3U);
  for (std::size_t period = 0; period < 3; ++period)
    EXPECT_EQ(report.periods[period].from_ms,
              kMonday + 7 * kDay * static_cast<std::int64_t>(period + 1));
  EXPECT_EQ(report.periods[0].num_known_rows, 500);
  EXPECT_EQ(report.periods[0].num_new_rows, 500);
  EXPECT_EQ(report.periods[1].num_revealed, 503);
  EXPECT_EQ(report.periods[1].num_of_unknown, 3);
  EXPECT_EQ(report.periods[2].num_new_rows, 503);
  EXPECT_GT(report.periods[2].num_users, 30);
  for (std::size_t period = 0; period < 3; ++period) {
    const ReplayPeriod& judged = report.periods[period];
    ASSERT_TRUE(judged.retrained.has_value());
    for (const ReplayPoint* point : {&judged.frozen, &judged.updated, &*judged.retrained})
      EXPECT_GT(point->metrics.at("ndcg@20"), 0.2) << period;
    EXPECT_EQ(judged.item_cosine.has_value(), period > 0);
  }
  const nlohmann::json facts = replay_json(report);
  EXPECT_EQ(facts["after_the_first"]["periods"], 2);
  EXPECT_NEAR(facts["after_the_first"]["updated_over_retrained"].get<double>(),
              (report.periods[1].updated.metrics.at("ndcg@20") +
               report.periods[2].updated.metrics.at("ndcg@20")) /
                  (report.periods[1].retrained->metrics.at("ndcg@20") +
                   report.periods[2].retrained->metrics.at("ndcg@20")),
              1e-9);
  EXPECT_THAT(replay_text(report), HasSubstr("2020-09-14"));
  EXPECT_THAT(replay_page(report), HasSubstr("<polyline"));
  EXPECT_FALSE(std::filesystem::exists(at("work"))) << "models are removed";
}

TEST_F(ReplayTest, RefusesWhatCannotBeDivided) {
  ReplayOptions options;
  options.work = at("work");
  const Config shop = config();
  options.from_ms = kMonday - 30 * kDay;
  EXPECT_THAT(input_error_of([&] { replay(shop, options, silent_progress()); }),
              HasSubstr("rows are of 2020-09-07 to 2020-10-04"));
  Config timeless = shop;
  timeless.ingest.columns.time.clear();
  EXPECT_THAT(input_error_of([&] { replay(timeless, options, silent_progress()); }),
              HasSubstr("the log has no times"));
  for (const char* text : {"", "fortnight", "0 weeks", "-1 day", "2 2 weeks"})
    EXPECT_THAT(input_error_of([&] { parse_period(text, options); }), HasSubstr("--every is"));
}

TEST_F(ReplayTest, PeriodsByTheCalendar) {
  ReplayOptions options;
  parse_period("3 days", options);
  EXPECT_EQ(options.every, 3);
  EXPECT_EQ(options.unit, PeriodUnit::day);
  parse_period("month", options);
  EXPECT_EQ(options.every, 1);
  options.work = at("work");
  options.retrain = false;
  options.from_ms = kMonday + 25 * kDay;  // 2 October
  const ReplayReport report = replay(config(), options, silent_progress());
  ASSERT_EQ(report.periods.size(), 1U);
  EXPECT_EQ(report.periods[0].from_ms, kMonday + 24 * kDay);  // 1 October
  EXPECT_EQ(report.periods[0].until_ms, kMonday + 55 * kDay);  // 1 November
  EXPECT_FALSE(report.periods[0].retrained.has_value());
}

}  // namespace
}  // namespace penchant::pipeline
