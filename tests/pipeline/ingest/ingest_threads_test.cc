// SPDX-License-Identifier: Apache-2.0
// Logs of several blocks: the same data set, counts and messages at any number of threads.
#include <algorithm>
#include <random>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/data/sort_log.h"
#include "pipeline/ingest/log_rows.h"
#include "pipeline/tables/text_options.h"
#include "tests/graph/graphs.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::ThreadCount;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::HasSubstr;
using IngestThreads = penchant::testing::IngestTest;

/// About three blocks, times in no order, with bad rows of each kind and rows that come twice.
std::string long_log() {
  std::mt19937 random(7);
  std::string text = "user,item,time,event,basket\n";
  for (int row = 0; text.size() < 2 * kTextBlock + 300000; ++row) {
    if (row % 50000 == 49999)
      text += row % 100000 == 99999 ? "short,row\n" : "u1,,1600000000,view,b\n";
    if (row % 70000 == 69999) text += "u1,i1,yesterday,view,b\n\n";
    const std::string line =
        fmt::format("user-{},i{},{},{},{}\n", random() % 5000, random() % 900,
                    1600000000 + random() % 1000, random() % 3 == 0 ? "cart" : "view",
                    row % 11 == 0 ? std::string("NA") : fmt::format("b{}", row / 3));
    text += row % 3000 == 2999 ? line + line : line;
  }
  return text;
}

IngestOptions options_for(RepeatPolicy repeats) {
  IngestOptions options = everything_in_train();
  options.columns.event = "event";
  options.columns.session = "basket";
  options.repeats = repeats;
  options.split_method = graph::SplitMethod::global_time;
  options.test_fraction = 0.3;
  options.validation_fraction = 0.1;
  return options;
}

TEST_F(IngestThreads, OneAndMoreThreadsAgree) {
  const std::string text = long_log();
  for (const RepeatPolicy repeats :
       {RepeatPolicy::keep_all, RepeatPolicy::keep_last, RepeatPolicy::sum}) {
    std::string hash;
    Lines rejected;
    for (const int threads : {1, 2, 4}) {
      const ThreadCount scope(threads);
      const Dataset dataset = ingest_text(text, options_for(repeats));
      Lines reasons;
      for (const auto& reason : report_.rows.rejected)
        reasons.push_back(fmt::format("{} {} {}", reason.reason, reason.rows, reason.example));
      if (threads == 1) {
        hash = dataset.hash;
        rejected = reasons;
        EXPECT_EQ(reasons.size(), 4U);
      }
      EXPECT_EQ(dataset.hash, hash) << threads;
      EXPECT_EQ(reasons, rejected) << threads;
    }
  }
}

// The log as a whole; that a late quote leaves blocks alone which wait to be split is
// TextReading.ABlockFetchedBeforeTheFirstQuoteIsSplitAsPlainText.
TEST_F(IngestThreads, AQuoteInALaterBlockChangesNothingBeforeIt) {
  std::string text = "note,user,rest,item,time\n";
  std::string quoted = text;
  for (int row = 0; text.size() < 2 * kTextBlock + 300000; ++row) {
    const std::string rest =
        fmt::format(",u{},y,i{},{}\n", row % 7000, row % 900, 1600000000 + row);
    text += "x" + rest;
    quoted += (text.size() > kTextBlock + 100000 && row % 1000 == 0 ? "\"x\"" : "x") + rest;
  }
  IngestOptions options = everything_in_train();
  std::vector<std::string> hashes;
  for (const int threads : {1, 2, 4}) {
    const ThreadCount scope(threads);
    hashes.push_back(ingest_text(text, options).hash);
    hashes.push_back(ingest_text(quoted, options).hash);
  }
  EXPECT_THAT(hashes, ::testing::Each(hashes[0]));
}

TEST_F(IngestThreads, PlainAndPackedTextAgree) {
  const std::string text = long_log();
  const IngestOptions options = options_for(RepeatPolicy::keep_all);
  const std::string plain = ingest_text(text, options).hash;
  const Lines reasons = rejections();
  EXPECT_EQ(ingest_text(penchant::testing::as_gzip(text), options, "log.csv.gz").hash, plain);
  EXPECT_EQ(rejections(), reasons);
}

TEST_F(IngestThreads, ExamplesNameTheFirstBadLineBeyondTheFirstBlock) {
  std::string text = "user,item,time,event,basket\n";
  std::int64_t line = 1;
  while (text.size() < kTextBlock + 1000) {
    text += "u1,i1,1600000000,view,b\n";
    ++line;
  }
  text += "u\xFF,i1,1600000000,view,b\nu1,i1,soon,view,b\n";
  while (text.size() < 3 * kTextBlock) text += "u1,i1,soon,view,b\nu1,\xFF,1600000000,view,b\n";
  for (const int threads : {1, 2, 4}) {
    const ThreadCount scope(threads);
    IngestOptions options = options_for(RepeatPolicy::keep_all);
    const std::string first =
        fmt::format("log.csv:{}: column 'user' is not valid UTF-8 at byte 2", line + 1);
    const Dataset dataset = ingest_text(text, options);
    EXPECT_EQ(dataset.num_users(), 1);
    EXPECT_EQ(dataset.num_items(), 1);
    const auto& rejected = report_.rows.rejected;
    ASSERT_EQ(rejected.size(), 3U);  // and repeats
    EXPECT_THAT(rejected[0].example, HasSubstr(first));
    EXPECT_THAT(rejected[1].example,
                HasSubstr(fmt::format("log.csv:{}: column 'time' is 'soon'", line + 2)));
    EXPECT_EQ(rejected[0].rows, rejected[1].rows);
    EXPECT_EQ(rejected[0].rows + rejected[1].rows + rejected[2].rows + 1, report_.rows.read);
    options.strict = true;
    EXPECT_THAT(input_error_of([&] { ingest_text(text, options); }), HasSubstr(first));
  }
}

TEST(SortLog, IsAStableSortByUserAndTime) {
  std::mt19937 random(3);
  for (const int threads : {1, 2, 3}) {
    const ThreadCount scope(threads);
    for (const bool in_time_order : {false, true}) {
      constexpr std::uint32_t kUsers = 40;
      graph::Interactions log;
      std::vector<std::tuple<graph::NodeId, std::int64_t, graph::NodeId>> want;
      for (int row = 0; row < 3000; ++row) {
        // The last third of the users has no row.
        log.user.push_back(static_cast<graph::NodeId>(random() % kUsers * 2 / 3));
        log.item.push_back(row);
        log.weight.push_back(static_cast<float>(row));
        log.time_ms.push_back(in_time_order ? row / 7 : static_cast<std::int64_t>(random() % 50));
        want.emplace_back(log.user.back(), log.time_ms.back(), row);
      }
      std::sort(want.begin(), want.end());
      sort_log(log, kUsers);
      ASSERT_EQ(log.user.size(), want.size());
      for (std::size_t row = 0; row < want.size(); ++row) {
        EXPECT_EQ(std::tuple(log.user[row], log.time_ms[row], log.item[row]), want[row]);
        EXPECT_EQ(log.weight[row], static_cast<float>(log.item[row]));
      }
    }
  }
}

}  // namespace
}  // namespace penchant::pipeline
