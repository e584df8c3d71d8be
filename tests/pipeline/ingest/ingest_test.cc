// SPDX-License-Identifier: Apache-2.0
// The table reader and what becomes of its rows: separators, packing, filters, weights, repeats,
// cores, missing values, splits.
#include "pipeline/ingest/ingest.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/ingest/row_filter.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::all_rows;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::rows_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ingest = penchant::testing::IngestTest;

const std::string kHeader = "user,item,time\n";
const Lines kThreeRows = {"u1 i1 1 t1600000000000", "u1 i2 1 t1600000001000",
                          "u2 i1 1 t1600000002000"};

std::string three_rows(const std::string& separator, const std::string& line_end = "\n") {
  std::string text;
  for (const auto& row : std::vector<Lines>{{"user", "item", "time"},
                                            {"u1", "i1", "1600000000"},
                                            {"u1", "i2", "1600000001"},
                                            {"u2", "i1", "1600000002"}}) {
    text += row[0] + separator + row[1] + separator + row[2] + line_end;
  }
  return text;
}

// --- the reader ---

TEST_F(Ingest, SeparatorsAreGivenOrFound) {
  EXPECT_EQ(all_rows(ingest_text(three_rows(","), everything_in_train(), "a.csv")), kThreeRows);
  EXPECT_EQ(all_rows(ingest_text(three_rows("\t"), everything_in_train(), "a.tsv")), kThreeRows);
  for (const std::string separator : {",", "\t", ";", "|"}) {
    EXPECT_EQ(all_rows(ingest_text(three_rows(separator), everything_in_train(), "a.txt")),
              kThreeRows)
        << separator;
  }
  // Where the comma is the decimal sign, spreadsheets write semicolons into a .csv.
  for (const std::string separator : {";", "\t"}) {
    EXPECT_EQ(all_rows(ingest_text(three_rows(separator), everything_in_train(), "a.csv")),
              kThreeRows)
        << separator;
    EXPECT_EQ(all_rows(ingest_text(penchant::testing::as_gzip(three_rows(separator)),
                                   everything_in_train(), "a.csv.gz")),
              kThreeRows)
        << separator;
  }
  EXPECT_EQ(all_rows(ingest_text("user,item,time,a;b;c;d\nu1,i1,1600000000,x\n",
                                 everything_in_train(), "a.csv")),
            Lines{"u1 i1 1 t1600000000000"})
      << "a comma in the first line is the separator";
  IngestOptions colon = everything_in_train();
  colon.log.text.separator = ':';
  EXPECT_EQ(all_rows(ingest_text(three_rows(":"), colon)), kThreeRows);
}

TEST_F(Ingest, ColumnsByPosition) {
  const std::string text = three_rows(",");
  IngestOptions options = everything_in_train();
  options.log.text.header = false;
  EXPECT_EQ(all_rows(ingest_text(text.substr(text.find('\n') + 1), options)), kThreeRows);
}

TEST_F(Ingest, LineEndsAndByteOrderMark) {
  EXPECT_EQ(all_rows(ingest_text(three_rows(",", "\r\n"))), kThreeRows);
  EXPECT_EQ(all_rows(ingest_text("\xEF\xBB\xBF" + three_rows(","))), kThreeRows);
  std::string unfinished = three_rows(",");
  unfinished.pop_back();
  EXPECT_EQ(all_rows(ingest_text(unfinished)), kThreeRows) << "no line break at the end";
}

TEST_F(Ingest, QuotedFields) {
  const Dataset dataset =
      ingest_text(kHeader +
                  "\"a,b\",\"say \"\"hi\"\"\",1600000000\n\"two\nlines\",\"\",1600000000\nu,\" i "
                  "\",1600000000\n");
  EXPECT_NE(dataset.users.find("a,b"), graph::kNoNode);
  EXPECT_NE(dataset.items.find("say \"hi\""), graph::kNoNode);
  EXPECT_NE(dataset.items.find(" i "), graph::kNoNode) << "ids keep their bytes";
  EXPECT_THAT(rejections(), ElementsAre("missing item: 1"));
}

TEST_F(Ingest, PackedAndParquetFilesGiveTheSameDataSet) {
  constexpr int kRows = 250000;  // more than one block of the reader
  std::string text = kHeader;
  std::vector<std::string> cells;
  std::vector<std::int64_t> times;
  for (int row = 0; row < kRows; ++row) {
    cells.push_back(fmt::format("user{}", row * 7 % 997));
    cells.push_back(fmt::format("item{}", row * 13 % 1009));
    times.push_back(1600000000 + row);
    text += fmt::format("{},{},{}\n", cells[cells.size() - 2], cells.back(), times.back());
  }
  const IngestOptions options = everything_in_train();
  const Dataset plain = ingest_text(text, options);
  EXPECT_EQ(plain.split.train.interactions.size(), kRows);
  EXPECT_EQ(plain.num_users(), 997);
  EXPECT_EQ(plain.num_items(), 1009);
  EXPECT_EQ(plain.users.raw(1), "user7") << "dense ids follow the first appearance";
  EXPECT_EQ(ingest_text(penchant::testing::as_gzip(text), options, "log.csv.gz").hash, plain.hash);
  EXPECT_EQ(ingest_text(penchant::testing::as_zstd(text), options, "log.csv.zst").hash, plain.hash);
  EXPECT_EQ(ingest_text(penchant::testing::as_gzip(text), options, "log.bin").hash, plain.hash)
      << "by content, not by name";

  std::vector<std::string_view> users;
  std::vector<std::string_view> items;
  for (std::size_t row = 0; row < kRows; ++row) {
    users.emplace_back(cells[2 * row]);
    items.emplace_back(cells[2 * row + 1]);
  }
  ParquetWriter writer(at("log.parquet"));
  writer.write(
      kRows,
      {{"time", Int64Column{times, -1}}, {"user", users}, {"unused", users}, {"item", items}});
  writer.close();
  IngestOptions parquet = options;
  parquet.log.files = {at("log.parquet")};
  parquet.columns = {"user", "item", "time", "", "", ""};
  EXPECT_EQ(ingest(parquet).hash, plain.hash);
}

TEST_F(Ingest, NumbersOfParquetAreIdsAsPeopleWriteThem) {
  const std::vector<std::int64_t> items = {-7, 8};
  ParquetWriter writer(at("log.parquet"));
  writer.write(2, {{"user", std::vector<float>{17850.0F, 2.5F}}, {"item", Int64Column{items, 0}}});
  writer.close();
  IngestOptions options = everything_in_train();
  options.log.files = {at("log.parquet")};
  options.columns.user = "user";
  options.columns.item = "item";
  EXPECT_EQ(all_rows(ingest(options)), (Lines{"17850 -7 1", "2.5 8 1"}));
}

TEST_F(Ingest, SeveralFilesAreOneLog) {
  const std::string whole = three_rows(",");
  IngestOptions options = everything_in_train();
  options.log.files = {write("a.csv", kHeader + "u1,i1,1600000000\n"),
                       write("b.csv", kHeader + "u1,i2,1600000001\nu2,i1,1600000002\n")};
  options.columns = {"user", "item", "time", "", "", ""};
  EXPECT_EQ(all_rows(ingest(options)), kThreeRows);
}

// --- rows ---

TEST_F(Ingest, NumbersOfFiltersAreNumbers) {
  IngestOptions options = everything_in_train();
  options.filters = {parse_filter("rating != 1"), parse_filter("rating in 5, 3")};
  EXPECT_EQ(all_rows(ingest_text("user,item,time,rating\nu1,a,1600000000,5.0\nu1,b,1600000000,3\n"
                                 "u2,a,1600000000,05\nu2,c,1600000000,1.0\n",
                                 options))
                .size(),
            3U);
  EXPECT_THAT(rejections(), ElementsAre("filtered out: not rating != 1: 1"));
}

TEST_F(Ingest, NumbersMayHaveADecimalComma) {
  const std::string text = "user;item;time;q;p\nu1;i1;1600000000;3,5;1,25\nu1;i2;1600000001;2;x\n";
  IngestOptions options = everything_in_train();
  options.columns.weight = "q";
  options.attributes = {penchant::testing::attribute("p", graph::AttributeKind::numeric)};
  EXPECT_EQ(all_rows(ingest_text(text, options)), Lines{"u1 i2 2 t1600000001000"});
  EXPECT_THAT(report_.rows.rejected.at(0).example, HasSubstr("data.decimal"));
  options.decimal = ',';
  options.filters = {parse_filter("q > 1.5")};
  const Dataset dataset = ingest_text(text, options);
  EXPECT_EQ(all_rows(dataset), (Lines{"u1 i1 3.5 t1600000000000", "u1 i2 2 t1600000001000"}));
  EXPECT_EQ(penchant::testing::attribute_of(dataset, "p"), (Lines{"i1: 1.25", "i2: nan"}));
}

TEST_F(Ingest, WeightsHaveALimitThatIsTold) {
  IngestOptions options = everything_in_train();
  options.columns.weight = "q";
  EXPECT_EQ(all_rows(ingest_text("user,item,time,q\nu1,i1,1600000000,2500000000\n"
                                 "u1,i2,1600000000,1000000000\nu1,i3,1600000000,1e-60\n",
                                 options)),
            Lines{"u1 i2 1000000000 t1600000000000"});
  EXPECT_THAT(rejections(), ElementsAre("bad weight: 2"));
  EXPECT_THAT(report_.rows.rejected.at(0).example,
              HasSubstr("'2500000000', expected a number above 0 and up to 1000000000"));
}

TEST_F(Ingest, OffsetsOfPatternsCount) {
  IngestOptions options = everything_in_train();
  options.time_format = "%a %b %d %H:%M:%S %z %Y";
  EXPECT_EQ(all_rows(ingest_text("user,item,time\nu1,v1,Tue Apr 03 18:00:00 +0900 2012\n"
                                 "u1,v2,Tue Apr 03 10:00:00 +0000 2012\n",
                                 options)),
            (Lines{"u1 v1 1 t1333443600000", "u1 v2 1 t1333447200000"}));
}

TEST_F(Ingest, DatesWrittenAsNumbersAreDatesAndTold) {
  EXPECT_EQ(all_rows(ingest_text("user,item,time\nu1,a,20200801\nu1,b,20201231\n")),
            (Lines{"u1 a 1 t1596240000000", "u1 b 1 t1609372800000"}));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_THAT(warnings_[0], HasSubstr("column 'time'"));
  EXPECT_THAT(warnings_[0], HasSubstr("%Y%m%d"));
  EXPECT_EQ(all_rows(ingest_text("user,item,time\nu1,a,1600000000000000\n")),
            Lines{"u1 a 1 t1600000000000"});
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_THAT(warnings_[0], HasSubstr("microseconds"));
}

TEST_F(Ingest, Filters) {
  const std::string text =
      "user,item,time,n,c\nu1,i,1600000000,1,UK\nu2,i,1600000000,2,FR\nu3,i,1600000000,-3,UKR\nu4,"
      "i,1600000000,10,\n";
  const std::vector<std::pair<RowFilter, std::set<std::string>>> cases = {
      {{"n", ">", {"1"}}, {"u2", "u4"}},
      {{"n", ">=", {"2"}}, {"u2", "u4"}},
      {{"n", "<", {"2"}}, {"u1", "u3"}},
      {{"n", "<=", {"-3"}}, {"u3"}},
      {{"c", "==", {"UK"}}, {"u1"}},
      {{"c", "!=", {"UK"}}, {"u2", "u3", "u4"}},
      {{"c", "in", {"UK", "FR"}}, {"u1", "u2"}},
      {{"c", "not_in", {"UK", "FR"}}, {"u3", "u4"}},
      {{"c", "prefix", {"UK"}}, {"u1", "u3"}},
      {{"c", "not_prefix", {"UK", "F"}}, {"u4"}}};
  for (const auto& [filter, expected] : cases) {
    SCOPED_TRACE(filter.column + " " + filter.op);
    IngestOptions options = everything_in_train();
    options.filters = {filter};
    const Dataset dataset = ingest_text(text, options);
    std::set<std::string> kept;
    for (graph::NodeId user = 0; user < dataset.num_users(); ++user)
      kept.emplace(dataset.users.raw(user));
    EXPECT_EQ(kept, expected);
    EXPECT_EQ(report_.rows.rejected.at(0).rows, 4 - static_cast<std::int64_t>(expected.size()));
    EXPECT_FALSE(report_.rows.rejected.at(0).is_error)
        << "asked for, so not an error even under --strict";
  }
}

TEST_F(Ingest, SeveralFiltersMustAllHold) {
  IngestOptions options = everything_in_train();
  options.filters = {{"n", ">", {"0"}}, {"n", "<", {"3"}}};
  EXPECT_EQ(
      all_rows(ingest_text(
          "user,item,time,n\nu1,i,1600000000,-1\nu2,i,1600000000,2\nu3,i,1600000000,3\n", options)),
      Lines{"u2 i 1 t1600000000000"});
}

TEST_F(Ingest, EventTypesWeigh) {
  IngestOptions options = everything_in_train();
  options.columns.event = "event";
  options.event_weights = {{"look", 0.5}, {"buy", 3}};
  const std::string text =
      "user,item,time,event,q\nu1,i1,1600000000,look,2\nu1,i2,1600000000,buy,4\nu1,i3,1600000000,"
      "steal,1\n";
  EXPECT_EQ(all_rows(ingest_text(text, options)),
            (Lines{"u1 i1 0.5 t1600000000000 elook", "u1 i2 3 t1600000000000 ebuy"}));
  EXPECT_THAT(rejections(), ElementsAre("unknown event type: 1"));
  options.columns.weight = "q";
  EXPECT_EQ(all_rows(ingest_text(text, options)),
            (Lines{"u1 i1 1 t1600000000000 elook", "u1 i2 12 t1600000000000 ebuy"}));
  options.event_weights = {{"look", 0}};
  EXPECT_THAT(input_error_of([&] { ingest_text(text, options); }), HasSubstr("'look' is 0"));
}

TEST_F(Ingest, RepeatedPairs) {
  const std::string text =
      "user,item,time,q\nu1,i1,1600000003,8\nu1,i1,1600000001,1\nu1,i2,1600000002,16\nu1,i1,"
      "1600000002,2\n"
      "u1,i1,1600000001,4\nu2,i1,1600000001,32\n";
  IngestOptions options = everything_in_train();
  options.columns.weight = "q";
  const auto rows = [&](RepeatPolicy policy) {
    options.repeats = policy;
    return all_rows(ingest_text(text, options));
  };
  const std::string others_1 = "u1 i2 16 t1600000002000";
  const std::string others_2 = "u2 i1 32 t1600000001000";
  EXPECT_EQ(rows(RepeatPolicy::keep_all),
            (Lines{"u1 i1 1 t1600000001000", "u1 i1 2 t1600000002000", "u1 i1 4 t1600000001000",
                   "u1 i1 8 t1600000003000", others_1, others_2}));
  EXPECT_TRUE(rejections().empty()) << "two lines of a basket differ in their weights";
  EXPECT_EQ(rows(RepeatPolicy::keep_first), (Lines{"u1 i1 1 t1600000001000", others_1, others_2}));
  EXPECT_EQ(rows(RepeatPolicy::keep_last), (Lines{"u1 i1 8 t1600000003000", others_1, others_2}));
  EXPECT_EQ(rows(RepeatPolicy::sum), (Lines{"u1 i1 15 t1600000001000", others_1, others_2}));
  EXPECT_THAT(rejections(), ElementsAre("repeat of a (user, item) pair, merged: 3"));
}

// Every column counts; of rows that agree in all the first one stays.
TEST_F(Ingest, ExactRepeatsAgreeInEveryColumn) {
  const std::vector<std::string> different = {
      "u1,i1,1600000001,view,1,s1", "u2,i1,1600000001,view,1,s1", "u1,i2,1600000001,view,1,s1",
      "u1,i1,1600000002,view,1,s1", "u1,i1,1600000001,cart,1,s1", "u1,i1,1600000001,view,2,s1",
      "u1,i1,1600000001,view,1,s2", "u1,i1,1600000001,view,1,"};
  std::string text = "user,item,time,event,q,basket\n";
  for (int repeat = 0; repeat < 3; ++repeat) {
    for (const std::string& row : different) text += row + "\n";
  }
  IngestOptions options = everything_in_train();
  options.columns.event = "event";
  options.columns.weight = "q";
  options.columns.session = "basket";
  EXPECT_EQ(all_rows(ingest_text(text, options)).size(), different.size());
  EXPECT_THAT(rejections(), ElementsAre("exact repeat of a row: 16"));
  options.columns.session.clear();
  EXPECT_EQ(all_rows(ingest_text(text, options)).size(), different.size() - 2);
  options.columns.weight.clear();
  EXPECT_EQ(all_rows(ingest_text(text, options)).size(), different.size() - 3);
  options.columns.event.clear();
  EXPECT_EQ(all_rows(ingest_text(text, options)).size(), different.size() - 4);
}

// Without times a repeat of a pair is another row of it, and all of them go to one part.
TEST_F(Ingest, RowsOfAPairWithoutTimesStayTogether) {
  std::string text = "user,item\n";
  for (int user = 0; user < 50; ++user) {
    for (int item = 0; item < 10; ++item) {
      for (int repeat = 0; repeat <= item % 3; ++repeat)
        text += fmt::format("u{},i{}\n", user, item);
    }
  }
  IngestOptions options;
  options.log.files = {write("log.csv", text)};
  options.columns.user = "user";
  options.columns.item = "item";
  const Dataset dataset = ingest(options);
  EXPECT_EQ(all_rows(dataset).size(), 50U * 19U);
  EXPECT_GT(report_.num_test, 100);
  EXPECT_GT(report_.num_validation, 30);
  EXPECT_EQ(report_.repeated_share, 0.0);
  EXPECT_FALSE(dataset.repeats_allowed) << "own items are masked";
}

/// `users` users with one row of train each; the first `repeating` come back to their item.
std::string log_of_returns(int users, int repeating) {
  std::string text = kHeader;
  for (int user = 0; user < users; ++user) {
    text += fmt::format("u{},i{},1600000000\n", user, user % 7);
    text += fmt::format("u{},i{},1600001000\n", user, (user < repeating ? user : user + 1) % 7);
  }
  return text;
}

TEST_F(Ingest, RepeatsCountWhereAShareOfTheHeldOutRowsRepeats) {
  IngestOptions options;
  options.split_method = graph::SplitMethod::global_time;
  options.test_fraction = 0.5;
  options.validation_fraction = 0.0;
  for (const int repeating : {0, 1, 4, 5, 100}) {
    const Dataset dataset = ingest_text(log_of_returns(100, repeating), options);
    ASSERT_EQ(dataset.split.test.size(), 100);
    EXPECT_DOUBLE_EQ(report_.repeated_share, repeating / 100.0);
    EXPECT_DOUBLE_EQ(dataset.repeated_share, repeating / 100.0) << "the manifest tells";
    EXPECT_EQ(dataset.repeats_allowed, repeating >= 5) << repeating;
    EXPECT_EQ(report_.repeats_allowed, repeating >= 5) << repeating;
  }
}

// Lines of one basket that differ in their weights have one time: none may be held out alone.
TEST_F(Ingest, LinesOfABasketStayInOnePart) {
  std::string text = "user,item,time,q\n";
  for (int user = 0; user < 30; ++user) {
    for (int basket = 0; basket < 5; ++basket) {
      for (const int quantity : {1, 2})
        text += fmt::format("u{},i{},{},{}\n", user, basket, 1600000000 + basket, quantity);
    }
  }
  for (const auto method : {graph::SplitMethod::leave_one_out, graph::SplitMethod::random_per_user,
                            graph::SplitMethod::global_time, graph::SplitMethod::hidden_items}) {
    IngestOptions options;
    options.columns.weight = "q";
    options.split_method = method;
    const Dataset dataset = ingest_text(text, options);
    EXPECT_EQ(report_.rows.kept, 300);
    EXPECT_GT(report_.num_test, 0);
    EXPECT_EQ(report_.num_test % 2, 0);
    EXPECT_EQ(report_.num_validation % 2, 0);
    EXPECT_EQ(report_.repeated_share, 0.0);
  }
}

TEST_F(Ingest, BrokenUtf8IsCountedByRow) {
  const std::string text = kHeader +
                           "u1,i1,1600000000\nu\xff,i1,1600000001\nu1,\xe9t\xe9,1600000001\nu2,"
                           "caf\xc3\xa9,1600000002\nu3,i1,\xff\n";
  const Dataset dataset = ingest_text(text);
  EXPECT_EQ(all_rows(dataset),
            (Lines{"u1 i1 1 t1600000000000", "u2 caf\xc3\xa9 1 t1600000002000"}));
  EXPECT_EQ(dataset.num_users(), 2);
  EXPECT_EQ(dataset.num_items(), 2);
  ASSERT_THAT(rejections(), ElementsAre("not valid UTF-8: 2", "bad time: 1"));
  EXPECT_THAT(report_.rows.rejected[0].example,
              HasSubstr("log.csv:3: column 'user' is not valid UTF-8 at byte 2"));
  EXPECT_THAT(report_.rows.rejected[1].example, HasSubstr("'\\xff'"))
      << "what is quoted is made printable";
  IngestOptions strict = everything_in_train();
  strict.strict = true;
  EXPECT_THAT(input_error_of([&] { ingest_text(text, strict); }),
              HasSubstr("log.csv:3: column 'user' is not valid UTF-8"));
  EXPECT_THAT(input_error_of([&] { ingest_text(kHeader + "u1,\xff,1600000000\n"); }),
              HasSubstr("no interaction is left of 1 rows"));
}

TEST_F(Ingest, CoreIsTheLargestPartInWhichEveryoneHasEnough) {
  std::mt19937 random(4);
  std::string text = kHeader;
  std::set<std::pair<int, int>> pairs;
  while (pairs.size() < 450) pairs.emplace(random() % 60, random() % 60);
  for (const auto& [user, item] : pairs) text += fmt::format("u{},i{},1600000000\n", user, item);
  constexpr int kUserCore = 4;
  constexpr int kItemCore = 5;
  std::set<std::pair<int, int>> core = pairs;
  for (std::size_t before = 0; before != core.size();) {
    before = core.size();
    std::map<int, int> of_user;
    std::map<int, int> of_item;
    for (const auto& [user, item] : core) ++of_user[user], ++of_item[item];
    std::erase_if(core, [&](const auto& pair) {
      return of_user[pair.first] < kUserCore || of_item[pair.second] < kItemCore;
    });
  }
  ASSERT_GT(core.size(), 20U);
  ASSERT_LT(core.size(), 440U);
  IngestOptions options = everything_in_train();
  options.min_user_count = kUserCore;
  options.min_item_count = kItemCore;
  Lines expected;
  for (const auto& [user, item] : core)
    expected.push_back(fmt::format("u{} i{} 1 t1600000000000", user, item));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(all_rows(ingest_text(text, options)), expected);
  EXPECT_EQ(report_.rows.rejected.at(0).rows,
            static_cast<std::int64_t>(pairs.size() - core.size()));
}

TEST_F(Ingest, CorePeelsAChainFromItsEnd) {
  // a, b x x, y is the core; the chain  y - c - z - d - w - e  loses one end a pass.
  IngestOptions options = everything_in_train();
  options.min_user_count = 2;
  options.min_item_count = 2;
  std::string text = kHeader;
  for (const char* pair : {"a,x", "a,y", "b,x", "b,y", "c,y", "c,z", "d,z", "d,w", "e,w"}) {
    text += std::string(pair) + ",1600000000\n";
  }
  EXPECT_EQ(all_rows(ingest_text(text, options)),
            (Lines{"a x 1 t1600000000000", "a y 1 t1600000000000", "b x 1 t1600000000000",
                   "b y 1 t1600000000000"}));
}

TEST_F(Ingest, LongHistoriesKeepTheirLatestRows) {
  IngestOptions options = everything_in_train();
  options.max_user_count = 2;
  EXPECT_EQ(
      all_rows(ingest_text(
          kHeader + "u1,i1,1600000004\nu1,i2,1600000001\nu1,i3,1600000003\nu2,i2,1600000001\n",
          options)),
      (Lines{"u1 i1 1 t1600000004000", "u1 i3 1 t1600000003000", "u2 i2 1 t1600000001000"}));
  EXPECT_THAT(rejections(), ElementsAre("older than the user's latest 2 rows: 1"));
}

TEST_F(Ingest, MissingValues) {
  const std::string text =
      "user,item,time,session\nNA,i1,1600000000,s\nu1,,1600000000,s\nu1,-,1600000000,s\nu1,i1,"
      "1600000000,null\nu2,i2,1600000000,s\n";
  IngestOptions options = everything_in_train();
  options.columns.session = "session";
  EXPECT_EQ(all_rows(ingest_text(text, options)),
            (Lines{"u1 - 1 t1600000000000 s0", "u1 i1 1 t1600000000000 s-1",
                   "u2 i2 1 t1600000000000 s0"}));
  EXPECT_THAT(rejections(), ElementsAre("missing user: 1", "missing item: 1"));
  options.missing = {"-"};
  EXPECT_EQ(all_rows(ingest_text(text, options)).size(), 3U);
  EXPECT_THAT(rejections(), ElementsAre("missing item: 2"));
}

TEST_F(Ingest, StrictRefusesTheFirstBadRow) {
  IngestOptions options = everything_in_train();
  options.strict = true;
  const std::string message = input_error_of(
      [&] { ingest_text(kHeader + "u1,i1,1600000000\nu1,i2,soon\nu1,,1600000000\n", options); });
  EXPECT_THAT(message, HasSubstr("log.csv:3"));
  EXPECT_THAT(message, HasSubstr("'soon'"));
  EXPECT_FALSE(std::filesystem::exists(at("x.data")));
}

TEST_F(Ingest, RowsAreSortedByUserAndTime) {
  const Dataset dataset = ingest_text(
      kHeader +
      "u2,i1,1600000005\nu1,i1,1600000003\nu2,i2,1600000001\nu1,i2,1600000003\nu2,i3,1600000005\n");
  EXPECT_EQ(rows_of(dataset, dataset.split.train.interactions),
            (Lines{"u2 i2 1 t1600000001000", "u2 i1 1 t1600000005000", "u2 i3 1 t1600000005000",
                   "u1 i1 1 t1600000003000", "u1 i2 1 t1600000003000"}))
      << "equal times keep the order of the file";
}

// The cap must not push an item below the core: item r is kept only by u1's oldest row.
TEST_F(Ingest, TheCapAndTheCoreBothHold) {
  IngestOptions options = everything_in_train();
  options.max_user_count = 2;
  options.min_item_count = 2;
  const Dataset dataset = ingest_text(kHeader +
                                          "u1,r,1600000001\nu1,a,1600000002\nu1,b,1600000003\n"
                                          "u2,r,1600000001\nu2,a,1600000002\nu3,b,1600000002\n",
                                      options);
  EXPECT_EQ(all_rows(dataset), (Lines{"u1 a 1 t1600000002000", "u1 b 1 t1600000003000",
                                      "u2 a 1 t1600000002000", "u3 b 1 t1600000002000"}));
  EXPECT_THAT(rejections(),
              ElementsAre("older than the user's latest 2 rows: 1",
                          "user with fewer than 0 or item with fewer than 2 rows: 1"));
}

TEST_F(Ingest, StatisticsCountTheTrainingPartOnly) {
  IngestOptions options = everything_in_train();
  options.split_method = graph::SplitMethod::leave_one_out;
  const Dataset dataset = ingest_text(
      kHeader + "u1,i1,1600000001\nu1,i1,1600000002\nu1,i2,1600000003\nu1,i3,1600000004\n",
      options);
  EXPECT_THAT(dataset.item_statistics.count, ElementsAre(2, 0, 0));
  EXPECT_THAT(dataset.item_statistics.first_time_ms,
              ElementsAre(1600000001000, graph::kNoTime, graph::kNoTime));
  EXPECT_THAT(dataset.item_statistics.last_time_ms,
              ElementsAre(1600000002000, graph::kNoTime, graph::kNoTime));
  EXPECT_THAT(dataset.user_statistics.count, ElementsAre(2));
  EXPECT_EQ(report_.num_items_without_interactions, 2);
}

}  // namespace
}  // namespace penchant::pipeline
