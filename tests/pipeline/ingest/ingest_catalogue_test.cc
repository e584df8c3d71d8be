// SPDX-License-Identifier: Apache-2.0
// Splits, item attributes, and the formats of the field.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/ingest/ingest.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::AttributeKind;
using penchant::testing::all_rows;
using penchant::testing::attribute;
using penchant::testing::attribute_of;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::rows_of;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// --- splits ---

class IngestSplit : public penchant::testing::IngestTest {
 protected:
  /// 40 users with 1 to 40 rows at shuffled times, no pair twice.
  Dataset split(graph::SplitMethod method, double test_fraction = 0.2,
                double validation_fraction = 0.1, graph::Seed seed = graph::Seed{42}) {
    IngestOptions options;
    options.split_method = method;
    options.test_fraction = test_fraction;
    options.validation_fraction = validation_fraction;
    options.seed = seed;
    std::mt19937 random(6);
    std::string text = "user,item,time\n";
    for (int user = 0; user < 40; ++user) {
      for (int item = 0; item <= user; ++item)
        text += fmt::format("u{},i{},{}\n", user, item, 1600000000 + random() % 100000);
    }
    return ingest_text(text, options);
  }
  /// Rows of each user in one part.
  static std::map<std::string, int> counts(const Dataset& dataset,
                                           const graph::Interactions& part) {
    std::map<std::string, int> result;
    for (const graph::NodeId user : part.user) ++result[std::string(dataset.users.raw(user))];
    return result;
  }
};

TEST_F(IngestSplit, EveryMethodDividesTheWholeLog) {
  const Lines all = all_rows(split(graph::SplitMethod::random_per_user, 0.0, 0.0));
  ASSERT_EQ(all.size(), 820U);
  for (const auto method : {graph::SplitMethod::global_time, graph::SplitMethod::leave_one_out,
                            graph::SplitMethod::random_per_user}) {
    const Dataset dataset = split(method);
    EXPECT_EQ(all_rows(dataset), all);
    EXPECT_EQ(report_.num_train + report_.num_validation + report_.num_test, 820);
    EXPECT_GT(report_.num_validation, 0);
    EXPECT_EQ(all_rows(split(method)), all_rows(dataset)) << "the same again";
  }
}

TEST_F(IngestSplit, GlobalTimeHoldsOutTheLatest) {
  const Dataset dataset = split(graph::SplitMethod::global_time);
  const auto& train = dataset.split.train.interactions.time_ms;
  const auto& validation = dataset.split.validation.time_ms;
  const auto& test = dataset.split.test.time_ms;
  EXPECT_LT(*std::max_element(train.begin(), train.end()),
            *std::min_element(validation.begin(), validation.end()));
  EXPECT_LT(*std::max_element(validation.begin(), validation.end()),
            *std::min_element(test.begin(), test.end()));
  EXPECT_NEAR(static_cast<double>(test.size()), 0.2 * 820, 3);
  EXPECT_NEAR(static_cast<double>(validation.size()), 0.1 * 0.8 * 820, 3);
}

TEST_F(IngestSplit, LeaveOneOutHoldsOutTheLastTwo) {
  const Dataset dataset = split(graph::SplitMethod::leave_one_out);
  const auto test = counts(dataset, dataset.split.test);
  EXPECT_EQ(test.size(), 38U) << "users with one or two rows stay in train";
  EXPECT_FALSE(test.contains("u0") || test.contains("u1"));
  EXPECT_EQ(counts(dataset, dataset.split.validation), test);
  std::map<graph::NodeId, std::int64_t> latest;
  const graph::Interactions& train = dataset.split.train.interactions;
  for (std::size_t row = 0; row < train.user.size(); ++row)
    latest[train.user[row]] = std::max(latest[train.user[row]], train.time_ms[row]);
  for (std::size_t row = 0; row < dataset.split.test.user.size(); ++row) {
    EXPECT_EQ(dataset.split.test.user[row], dataset.split.validation.user[row]);
    EXPECT_LE(latest[dataset.split.test.user[row]], dataset.split.validation.time_ms[row]);
    EXPECT_LE(dataset.split.validation.time_ms[row], dataset.split.test.time_ms[row]);
  }
}

TEST_F(IngestSplit, RandomPerUserTakesAShareOfEach) {
  const Dataset dataset = split(graph::SplitMethod::random_per_user, 0.25, 0.5);
  const auto test = counts(dataset, dataset.split.test);
  const auto validation = counts(dataset, dataset.split.validation);
  const auto train = counts(dataset, dataset.split.train.interactions);
  EXPECT_EQ(train.size(), 40U) << "everyone keeps a training row";
  for (const auto& [user, rows] : train) {
    const int all = std::stoi(user.substr(1)) + 1;
    const int held_out = test.contains(user) ? test.at(user) : 0;
    EXPECT_EQ(held_out, std::min<int>(static_cast<int>(std::lround(0.25 * all)), all - 1)) << user;
    const int rest = all - held_out;
    EXPECT_EQ(rows, rest - std::min<int>(static_cast<int>(std::lround(0.5 * rest)), rest - 1))
        << user;
  }
  const Dataset other = split(graph::SplitMethod::random_per_user, 0.25, 0.5, graph::Seed{43});
  EXPECT_NE(rows_of(other, other.split.test), rows_of(dataset, dataset.split.test))
      << "the seed decides";
}

TEST_F(IngestSplit, FractionsOutsideZeroToOneAreRefused) {
  EXPECT_THAT(input_error_of([&] { split(graph::SplitMethod::global_time, 1.0); }),
              HasSubstr("test_fraction is 1"));
  EXPECT_THAT(input_error_of([&] { split(graph::SplitMethod::global_time, 0.1, -0.5); }),
              HasSubstr("validation_fraction is -0.5"));
}

// --- item attributes ---

class IngestItems : public penchant::testing::IngestTest {
 protected:
  /// A log of the items a and b, with an item table.
  Dataset with_table(const std::string& table, std::vector<AttributeColumn> attributes,
                     IngestOptions options = everything_in_train()) {
    options.item_table = TableSource{{write("items.csv", table)}, {}};
    options.attributes = std::move(attributes);
    return ingest_text("user,item,time\nu1,a,1600000000\nu1,b,1600000001\n", options);
  }
};

TEST_F(IngestItems, QuotesOfPlainTextAreText) {
  const Dataset dataset =
      with_table("item\tbrand\na\t\"half open\nb\t7\" disc\nitem\tbrand\n", {attribute("brand")});
  EXPECT_EQ(attribute_of(dataset, "brand"), (Lines{"a: \"half open", "b: 7\" disc"}));
  EXPECT_EQ(report_.item_rows.read, 3);
  EXPECT_EQ(report_.item_rows.kept, 2);
  ASSERT_EQ(report_.item_rows.rejected.size(), 1U);
  EXPECT_EQ(report_.item_rows.rejected[0].reason, "repeated header");
  EXPECT_EQ(report_.item_rows.notes.size(), 1U);
}

TEST_F(IngestItems, TheCatalogueIncludesItemsNobodyBought) {
  const Dataset dataset = with_table("item,brand\nc,x\na,y\nd,\n", {attribute("brand")});
  EXPECT_EQ(attribute_of(dataset, "brand"), (Lines{"a: y", "b:", "c: x", "d:"}));
  EXPECT_EQ(dataset.num_items(), 4);
  EXPECT_EQ(report_.num_items_without_interactions, 2);
  EXPECT_THAT(dataset.item_statistics.count, ElementsAre(1, 1, 0, 0));
}

TEST_F(IngestItems, KindsOfAttributes) {
  const Dataset dataset = with_table(
      "item,brand,tags,path,price,title\na,x|y,red|blue|red,home.light.lamp,2.50,\"A, "
      "lamp\"\nb,,|red,home,free,NA\n",
      {{"brand", "maker", AttributeKind::categorical, "|", ""},
       attribute("tags", AttributeKind::list),
       {"path", "", AttributeKind::list, "|", "."},
       attribute("price", AttributeKind::numeric),
       attribute("title", AttributeKind::text)});
  EXPECT_EQ(attribute_of(dataset, "maker"), (Lines{"a: x|y", "b:"}))
      << "a categorical value is not divided";
  EXPECT_EQ(attribute_of(dataset, "tags"), (Lines{"a: blue red", "b: red"}));
  EXPECT_EQ(attribute_of(dataset, "path"),
            (Lines{"a: home home.light home.light.lamp", "b: home"}));
  EXPECT_EQ(attribute_of(dataset, "price"), (Lines{"a: 2.5", "b: nan"}));
  EXPECT_EQ(attribute_of(dataset, "title"), (Lines{"a: A, lamp", "b: "}));
  EXPECT_EQ(item_label(dataset, 0), "A, lamp");
  EXPECT_EQ(report_.item_rows.read, 2);
  ASSERT_EQ(report_.item_rows.rejected.size(), 1U);
  EXPECT_THAT(report_.item_rows.rejected[0].example,
              AllOf(HasSubstr("'b'"), HasSubstr("'price'"), HasSubstr("'free'"),
                    HasSubstr("expected a number")));
}

TEST_F(IngestItems, StrictHoldsForTheItemTableToo) {
  IngestOptions strict = everything_in_train();
  strict.strict = true;
  EXPECT_THAT(input_error_of([&] {
                with_table("item,price\na,free\n", {attribute("price", AttributeKind::numeric)},
                           strict);
              }),
              HasSubstr("'free'"));
  EXPECT_THAT(input_error_of([&] {
                with_table("item,price\na,1\na,2\n", {attribute("price", AttributeKind::numeric)},
                           strict);
              }),
              AllOf(HasSubstr("items.csv:3"), HasSubstr("'a' again")));
}

TEST_F(IngestItems, TheFirstRowOfAnItemCounts) {
  const Dataset dataset = with_table("item,brand\na,x\na,y\n,z\n", {attribute("brand")});
  EXPECT_EQ(attribute_of(dataset, "brand"), (Lines{"a: x", "b:"}));
  EXPECT_EQ(report_.item_rows.kept, 1);
  EXPECT_EQ(report_.item_rows.rejected.size(), 2U);
}

TEST_F(IngestItems, TheKeyMayHaveAnotherName) {
  IngestOptions options = everything_in_train();
  options.item_column = "sku";
  EXPECT_EQ(attribute_of(with_table("sku,brand\nb,x\n", {attribute("brand")}, options), "brand"),
            (Lines{"a:", "b: x"}));
}

TEST_F(IngestItems, AttributesOfTheLogItself) {
  IngestOptions options = everything_in_train();
  options.attributes = {attribute("brand")};
  const Dataset dataset = ingest_text(
      "user,item,time,brand\nu1,a,1600000000,NA\nu2,a,1600000002,x\nu2,a,1600000003,z\nu1,b,"
      "1600000001,y\n",
      options);
  EXPECT_EQ(attribute_of(dataset, "brand"), (Lines{"a: x", "b: y"}))
      << "an item's first value that is not missing";
}

TEST_F(IngestItems, ListsOfParquet) {
  ParquetWriter writer(at("items.parquet"));
  writer.write(2, {{"item", std::vector<std::string_view>{"b", "a"}},
                   {"tags", ListColumn{{0, 2, 3}, {"red|blue", "green", "red"}}}});
  writer.close();
  IngestOptions options = everything_in_train();
  options.item_table = TableSource{{at("items.parquet")}, {}};
  options.attributes = {attribute("tags", AttributeKind::list)};
  const Dataset dataset =
      ingest_text("user,item,time\nu1,a,1600000000\nu1,b,1600000001\n", options);
  EXPECT_EQ(attribute_of(dataset, "tags"), (Lines{"a: red", "b: green red|blue"}))
      << "elements are not divided again";
}

TEST_F(IngestItems, ListsOfParquetWithOneElement) {
  ParquetWriter writer(at("items.parquet"));
  writer.write(1, {{"item", std::vector<std::string_view>{"a"}},
                   {"tags", ListColumn{{0, 1}, {"red|blue"}}}});
  writer.close();
  IngestOptions options = everything_in_train();
  options.item_table = TableSource{{at("items.parquet")}, {}};
  options.attributes = {attribute("tags", AttributeKind::list)};
  EXPECT_EQ(attribute_of(ingest_text("user,item,time\nu1,a,1600000000\n", options), "tags"),
            Lines{"a: red|blue"});
}

TEST_F(IngestItems, AnItemIsLabelledByItsWholePath) {
  const Dataset dataset =
      with_table("item,path,brand\na,home.light.lamp,x\nb,home,\n",
                 {{"path", "", AttributeKind::list, "|", "."}, attribute("brand")});
  EXPECT_EQ(item_label(dataset, 0), "home.light.lamp / x");
  EXPECT_EQ(item_label(dataset, 1), "home");
}

TEST_F(IngestItems, NamesThatEveryItemHasAreRefusedBeforeTheLogIsRead) {
  for (const std::string name : {"raw_id", "count", "first_time_ms", "last_time_ms"}) {
    IngestOptions options;
    options.log.files = {write("log.csv", "nothing,here\n")};  // lacks every column
    options.columns = {"user", "item", "", "", "", ""};
    options.attributes = {attribute(name)};
    EXPECT_THAT(input_error_of([&] { ingest(options); }),
                AllOf(HasSubstr("column '" + name + "' is named '" + name + "'"),
                      HasSubstr("`name = \"...\"`")));
    options.attributes = {{"x", name, AttributeKind::text, "", ""}};
    EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("column 'x' is named"));
  }
  const Dataset dataset =
      with_table("item,count\na,17\n", {{"count", "pieces", AttributeKind::numeric, "", ""}});
  EXPECT_EQ(attribute_of(dataset, "pieces"), (Lines{"a: 17", "b: nan"}));
  EXPECT_THAT(dataset.item_statistics.count, ElementsAre(1, 1));
}

TEST_F(IngestItems, APathThatIsNoListIsRefused) {
  EXPECT_THAT(input_error_of([&] {
                with_table("item,x\na,1.2\n", {{"x", "", AttributeKind::categorical, "|", "."}});
              }),
              AllOf(HasSubstr("'x' has a path_separator"), HasSubstr("of kind list")));
}

TEST_F(IngestItems, ItemsOfTheLogWithoutARowAreCountedAndManyAreWarnedOf) {
  with_table("item,brand\na,x\nb,y\nc,z\n", {attribute("brand")});
  EXPECT_EQ(report_.num_items_without_row, 0);
  EXPECT_TRUE(warnings_.empty());
  with_table("item,brand\na,x\nz9,y\n", {attribute("brand")});
  EXPECT_EQ(report_.num_items_without_row, 1);
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_THAT(warnings_[0], AllOf(HasSubstr("1 of the log's 2 items"), HasSubstr("'b' of the log"),
                                  HasSubstr("has 'z9'")));
  with_table("item,brand\n", {attribute("brand")});
  EXPECT_EQ(report_.num_items_without_row, 2);
  EXPECT_THAT(warnings_.at(0), AllOf(HasSubstr("'a' of the log"), HasSubstr("is empty")));
  ingest_text("user,item,time\nu1,a,1600000000\n");
  EXPECT_EQ(report_.num_items_without_row, 0) << "without a table there is nothing to miss";
}

TEST_F(IngestItems, OneItemInFiveWithoutARowIsNoWarning) {
  IngestOptions options = everything_in_train();
  options.item_table = TableSource{{write("items.csv", "item,brand\na,x\nb,x\nc,x\nd,x\n")}, {}};
  options.attributes = {attribute("brand")};
  std::string log = "user,item,time\n";
  for (const char* item : {"a", "b", "c", "d", "e"}) log += fmt::format("u,{},1600000000\n", item);
  ingest_text(log, options);
  EXPECT_EQ(report_.num_items_without_row, 1);
  EXPECT_TRUE(warnings_.empty());
  ingest_text(log + "u,f,1600000000\n", options);
  EXPECT_EQ(report_.num_items_without_row, 2);
  EXPECT_EQ(warnings_.size(), 1U);
}

TEST_F(IngestItems, BrokenUtf8OfTheTableIsCounted) {
  const std::string table = "item,brand,tags\na,caf\xe9,x\nb\xff,y,y\nb,y,\xc3\n";
  const Dataset dataset =
      with_table(table, {attribute("brand"), attribute("tags", AttributeKind::list)});
  EXPECT_EQ(attribute_of(dataset, "brand"), (Lines{"a:", "b: y"}));
  EXPECT_EQ(attribute_of(dataset, "tags"), (Lines{"a: x", "b:"}));
  EXPECT_EQ(report_.item_rows.kept, 2);
  const auto& rejected = report_.item_rows.rejected;
  ASSERT_EQ(rejected.size(), 3U);
  EXPECT_EQ(rejected[0].reason, "not valid UTF-8") << "rows come before cells";
  EXPECT_THAT(rejected[0].example, HasSubstr("items.csv:3: column 'item'"));
  EXPECT_EQ(rejected[1].reason, "attribute 'brand' is not valid UTF-8, taken as missing");
  EXPECT_THAT(rejected[1].example, HasSubstr("items.csv:2: column 'brand' is not valid UTF-8 at "
                                             "byte 4"));
  EXPECT_EQ(rejected[2].rows, 1);
  IngestOptions strict = everything_in_train();
  strict.strict = true;
  EXPECT_THAT(input_error_of([&] { with_table(table, {attribute("brand")}, strict); }),
              HasSubstr("items.csv:2"));
}

TEST_F(IngestItems, BrokenUtf8InAnAttributeOfTheLogIsMissing) {
  IngestOptions options = everything_in_train();
  options.attributes = {attribute("brand")};
  const std::string log =
      "user,item,time,brand\nu1,a,1600000000,\xff\nu2,a,1600000002,x\xff\nu2,a,1600000003,z\nu1,a,"
      "1600000004,\xff\n";
  const Dataset dataset = ingest_text(log, options);
  EXPECT_EQ(attribute_of(dataset, "brand"), Lines{"a: z"}) << "the next value that is good";
  EXPECT_EQ(dataset.split.train.interactions.size(), 4) << "the events themselves are good";
  ASSERT_EQ(report_.item_rows.rejected.size(), 1U);
  EXPECT_EQ(report_.item_rows.rejected[0].rows, 2);
  EXPECT_THAT(report_.item_rows.rejected[0].example,
              HasSubstr("log.csv:2: column 'brand' is not valid UTF-8 at byte 1"));
  options.strict = true;
  EXPECT_THAT(input_error_of([&] { ingest_text(log, options); }), HasSubstr("log.csv:2"));
}

TEST_F(IngestItems, TwoAttributesOfOneName) {
  EXPECT_THAT(input_error_of([&] {
                with_table("item,x,y\na,1,2\n", {{"x", "z", AttributeKind::text, "", ""},
                                                 {"y", "z", AttributeKind::text, "", ""}});
              }),
              HasSubstr("two attributes are named 'z'"));
}

// --- formats of the field ---

using IngestFormats = penchant::testing::IngestTest;

TEST_F(IngestFormats, LightGcn) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.train_files = {write("train.txt", "0 10 11 12\n1 11\n2\n3 13 10 \n")};
  options.test_files = {write("test.txt", "1 10 14\n0 14\n")};
  options.validation_fraction = 0.0;
  const Dataset dataset = ingest(options);
  EXPECT_THAT(rows_of(dataset, dataset.split.train.interactions),
              UnorderedElementsAre("0 10 1", "0 11 1", "0 12 1", "1 11 1", "3 13 1", "3 10 1"));
  EXPECT_EQ(rows_of(dataset, dataset.split.test), (Lines{"0 14 1", "1 10 1", "1 14 1"}));
  EXPECT_EQ(dataset.num_users(), 3) << "user 2 has no item";
  EXPECT_EQ(dataset.num_items(), 5) << "item 14 occurs in test only";
  options.validation_fraction = 0.4;
  const Dataset carved = ingest(options);
  EXPECT_EQ(rows_of(carved, carved.split.test), rows_of(dataset, dataset.split.test))
      << "validation comes out of the training file";
  EXPECT_EQ(carved.split.validation.size(), 2) << "round(0.4 n) of each user's rows, one stays";
}

TEST_F(IngestFormats, LightGcnTestPairThatIsInTrainIsLeftOutOrAnError) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.train_files = {write("train.txt", "ann lamp chair\nbob lamp\n")};
  options.test_files = {write("test.txt", "bob chair lamp\n")};
  for (const std::uint64_t seed : {1, 2, 42}) {
    options.seed = graph::Seed{seed};
    const Dataset dataset = ingest(options);
    EXPECT_EQ(rows_of(dataset, dataset.split.test), Lines{"bob chair 1"}) << seed;
    EXPECT_EQ(rejections(), Lines{"stands in an earlier part too: 1"});
  }
  options.overlap = OverlapPolicy::error;
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("test.txt"), HasSubstr("bob"), HasSubstr("lamp")))
      << "raw ids are the only ids a user ever sees";
}

TEST_F(IngestFormats, S3Rec) {
  IngestOptions options;
  options.format = InputFormat::s3rec;
  options.sequences_file = write("x.txt", "1 5 3 9 4\n2 3 5\n");
  options.attributes_file = write("x.json", R"({"3": [7, "red"], "5": [7], "8": []})");
  const Dataset dataset = ingest(options);
  EXPECT_EQ(rows_of(dataset, dataset.split.train.interactions),
            (Lines{"1 5 1 t0", "1 3 1 t1", "2 3 1 t0", "2 5 1 t1"}));
  EXPECT_EQ(rows_of(dataset, dataset.split.validation), Lines{"1 9 1 t2"});
  EXPECT_EQ(rows_of(dataset, dataset.split.test), Lines{"1 4 1 t3"});
  EXPECT_EQ(attribute_of(dataset, "attributes"), (Lines{"5: 7", "3: 7 red", "9:", "4:", "8:"}));
  options.attributes_file = write("x.json", "[1, 2");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("x.json"), HasSubstr("expected a JSON object")));
}

TEST_F(IngestFormats, RecBole) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("ml");
  write("ml.inter",
        "user_id:token\titem_id:token\trating:float\ttimestamp:"
        "float\n\"u1\ta\t4\t978300760\nu2\tb\t0.5\t978300761\n");
  write("ml.item",
        "item_id:token\ttitle:token_seq\tyear:float\tgenre:token_seq\tmaker:token\na\tA \"B\" "
        "C\t1999\tdrama comedy\tX Y\nz\t\t\t\tW\n");
  const Dataset dataset = ingest(options);
  EXPECT_EQ(all_rows(dataset), (Lines{"\"u1 a 4 t978300760000", "u2 b 0.5 t978300761000"}))
      << "the format knows no quotes";
  EXPECT_EQ(attribute_of(dataset, "title"), (Lines{"a: A \"B\" C", "b: ", "z: "}));
  EXPECT_EQ(attribute_of(dataset, "year"), (Lines{"a: 1999", "b: nan", "z: nan"}));
  EXPECT_EQ(attribute_of(dataset, "genre"), (Lines{"a: comedy drama", "b:", "z:"}));
  EXPECT_EQ(attribute_of(dataset, "maker"), (Lines{"a: X Y", "b:", "z: W"}));
  std::filesystem::remove(at("ml.item"));
  EXPECT_TRUE(ingest(options).catalog.attributes.empty());
}

TEST_F(IngestFormats, RecBoleHeadersAreChecked) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("ml");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("ml.inter"), HasSubstr("no such file")));
  write("ml.inter", "user_id\titem_id:token\nu\ti\n");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("ml.inter:1"), HasSubstr("'user_id'"), HasSubstr("NAME:TYPE")));
  write("ml.inter", "uid:token\titem_id:token\nu\ti\n");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("ml.inter:1"), HasSubstr("user_id")));
}

TEST_F(IngestFormats, RecBoleColumnsFillOrReplaceTheHeadersRoles) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("lfm");
  write("lfm.inter", "user_id:token\tartist_id:token\tweight:float\nu1\ta1\t3\nu2\ta1\t2\n");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("lfm.inter:1"), HasSubstr("no item_id field"),
                    HasSubstr("data.columns.item (--item-column)"), HasSubstr("artist_id:token")));
  for (const char* name : {"artist_id", "artist_id:token"}) {
    options.columns.item = name;
    EXPECT_EQ(all_rows(ingest(options)), (Lines{"u1 a1 1", "u2 a1 1"}));
  }
  options.columns.weight = "weight";
  options.filters = {{"weight", ">", {"2.5"}}};
  EXPECT_EQ(all_rows(ingest(options)), Lines{"u1 a1 3"});
  options.columns.weight = "rating";
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("'rating' (data.columns.weight)"), HasSubstr("weight:float")));
}

TEST_F(IngestFormats, RecBoleRatingsCanBeSwitchedOff) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("bx");
  write("bx.inter", "user_id:token\titem_id:token\trating:float\nu1\ta\t0\nu1\tb\t5\nu2\ta\t0\n");
  EXPECT_EQ(all_rows(ingest(options)), Lines{"u1 b 5"});
  EXPECT_THAT(report_.rows.rejected.at(0).example, HasSubstr("data.columns.weight = \"\""));
  options.columns_given = {"weight"};
  EXPECT_EQ(all_rows(ingest(options)), (Lines{"u1 a 1", "u1 b 1", "u2 a 1"}));
}

TEST_F(IngestFormats, RecBoleSessionsCanStandForUsers) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("s");
  write("s.inter", "session_id:token\titem_id:token\ttimestamp:float\ns1\ta\t10\ns1\tb\t11\n");
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.columns.user"));
  options.columns.user = "session_id";
  EXPECT_EQ(all_rows(ingest(options)), (Lines{"s1 a 1 t10000", "s1 b 1 t11000"}));
}

TEST_F(IngestFormats, RecBoleAttributesCanBeChosen) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("ml");
  write("ml.inter", "user_id:token\titem_id:token\nu1\ta\n");
  write("ml.item",
        "sku:token\tgenre:token_seq\tyear:float\temb:float_seq\na\tdrama comedy\t1999\t0.3 0.5\n");
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("ml.item:1"), HasSubstr("data.items.key")));
  options.item_column = "sku";
  Dataset dataset = ingest(options);
  EXPECT_EQ(attribute_of(dataset, "genre"), Lines{"a: comedy drama"});
  EXPECT_EQ(attribute_of(dataset, "emb"), Lines{"no attribute emb"}) << "numbers are no categories";
  options.attributes = {penchant::testing::attribute("genre")};
  dataset = ingest(options);
  EXPECT_EQ(attribute_of(dataset, "genre"), Lines{"a: comedy drama"}) << "kind by type";
  EXPECT_EQ(attribute_of(dataset, "year"), Lines{"no attribute year"});
  options.attributes[0].kind_given = true;
  EXPECT_EQ(attribute_of(ingest(options), "genre"), Lines{"a: drama comedy"}) << "one category";
  options.attributes = {penchant::testing::attribute("color")};
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("'color' (data.attributes)"), HasSubstr("genre:token_seq")));
}

TEST_F(IngestFormats, FilesThatAreNotGiven) {
  IngestOptions options;
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.log"));
  options.log.files = {write("log.csv", "user,item\nu,i\n")};
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.columns.user"));
  options.columns.user = "user";
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.columns.item"));
  options.format = InputFormat::lightgcn;
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.train"));
  options.format = InputFormat::s3rec;
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.sequences"));
  options.format = InputFormat::recbole;
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.prefix"));
}

TEST_F(IngestFormats, RecBoleColumnsThatEveryItemHasKeepTheirType) {
  IngestOptions options = everything_in_train();
  options.format = InputFormat::recbole;
  options.prefix = at("ml");
  write("ml.inter", "user_id:token\titem_id:token\nu1\ta\n");
  write("ml.item", "item_id:token\tcount:float\tmaker:token\na\t7\tx\n");
  const Dataset dataset = ingest(options);
  EXPECT_EQ(attribute_of(dataset, "count:float"), Lines{"a: 7"});
  EXPECT_EQ(attribute_of(dataset, "maker"), Lines{"a: x"});
  EXPECT_THAT(dataset.item_statistics.count, ElementsAre(1));
}

TEST_F(IngestFormats, BrokenUtf8IsCountedWithTheFirstLine) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.validation_fraction = 0.0;
  options.train_files = {write("train.txt", "0 10\n1 12 \xc3\x28 11\n\xff 10 11\n")};
  options.test_files = {write("test.txt", "0 \xff 11\n")};
  const Dataset dataset = ingest(options);
  EXPECT_EQ(all_rows(dataset), (Lines{"0 10 1", "0 11 1", "1 11 1", "1 12 1"}));
  ASSERT_EQ(report_.rows.rejected.size(), 1U);
  EXPECT_EQ(report_.rows.rejected[0].reason, "not valid UTF-8");
  EXPECT_EQ(report_.rows.rejected[0].rows, 4);
  EXPECT_EQ(report_.rows.read, 8);
  EXPECT_THAT(report_.rows.rejected[0].example,
              HasSubstr("train.txt:2: field 3 is not valid UTF-8 at byte 1"));
  options.strict = true;
  EXPECT_THAT(input_error_of([&] { ingest(options); }),
              AllOf(HasSubstr("train.txt:2"), HasSubstr("UTF-8")));
}

TEST_F(IngestFormats, LightGcnPairsListedTwiceStayTogether) {
  IngestOptions options;
  options.format = InputFormat::lightgcn;
  options.validation_fraction = 0.5;
  std::string train;
  for (int user = 0; user < 20; ++user) train += fmt::format("{} 1 2 3 1 4 2\n", user);
  options.train_files = {write("train.txt", train)};
  const Dataset dataset = ingest(options);
  EXPECT_GT(dataset.split.validation.size(), 0);
  EXPECT_EQ(dataset.repeated_share, 0.0);
}

}  // namespace
}  // namespace penchant::pipeline
