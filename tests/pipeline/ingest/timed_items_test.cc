// SPDX-License-Identifier: Apache-2.0
// Item tables that change over time, and filters of item tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/ingest/row_filter.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::attribute;
using penchant::testing::attribute_of;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TimedItems : public penchant::testing::IngestTest {
 protected:
  /// Ten events at seconds 1600000000 to ...9; the last two are test in a split by time.
  IngestOptions log_of_ten() {
    std::string text = "user,item,time\n";
    for (int row = 0; row < 10; ++row)
      text += "u" + std::to_string(row % 2) + ",i" + std::to_string(row % 3) + "," +
              std::to_string(1600000000 + row) + "\n";
    IngestOptions options = everything_in_train();
    options.log.files = {write("log.csv", text)};
    options.columns = {"user", "item", "time", "", "", ""};
    options.item_time = "at";
    options.attributes = {attribute("color")};
    return options;
  }
  static IngestOptions split_by_time(IngestOptions options) {
    options.split_method = graph::SplitMethod::global_time;
    options.test_fraction = 0.2;
    return options;
  }
  Lines item_rejections() const {
    Lines lines;
    for (const auto& reason : report_.item_rows.rejected)
      lines.push_back(reason.reason + ": " + std::to_string(reason.rows));
    return lines;
  }
};

TEST_F(TimedItems, TheLastRowBeforeTheEndOfTrainingCounts) {
  IngestOptions options = log_of_ten();
  options.item_table = TableSource{{write("items.csv",
                                          "at,item,color\n1600000005,i0,red\n1600000001,i0,blue\n"
                                          "1600000008,i0,green\n1600000099,i1,gold\n"
                                          "2020-09-13 12:26:42,i2,pink\nsoon,i2,grey\n")},
                                   {}};
  EXPECT_EQ(attribute_of(ingest(split_by_time(options)), "color"),
            (Lines{"i0: red", "i1:", "i2: pink"}));
  EXPECT_THAT(item_rejections(),
              ElementsAre("older than the item's last row before the end of training: 1",
                          "later than the training part: 2", "bad time: 1"));
  EXPECT_EQ(report_.item_rows.read, 6);
  EXPECT_EQ(report_.item_rows.kept, 2);
  EXPECT_THAT(warnings_, ::testing::Contains(HasSubstr("column 'at' of the item table")))
      << "seconds and text are mixed";
  EXPECT_EQ(attribute_of(ingest(options), "color"), (Lines{"i0: green", "i1:", "i2: pink"}))
      << "without a split by time, what was there before the end of the log";
}

TEST_F(TimedItems, ALongTableHasARowForEachProperty) {
  IngestOptions options = split_by_time(log_of_ten());
  options.item_property = "property";
  options.item_value = "value";
  options.attributes = {attribute("color"), attribute("790", graph::AttributeKind::numeric)};
  options.item_table = TableSource{
      {write("items.csv",
             "timestamp,at,item,property,value\n0,1600000000000,i0,color,red\n"
             "0,1600000001000,i0,color,blue\n0,1600000002000,i0,790,7.5\n"
             "0,1600000008000,i0,790,9\n0,1600000002000,i1,888,x\n0,1600000002000,i1,color,\n")}};
  const Dataset dataset = ingest(options);
  EXPECT_EQ(attribute_of(dataset, "color"), (Lines{"i0: blue", "i1:", "i2:"}));
  EXPECT_EQ(attribute_of(dataset, "790"), (Lines{"i0: 7.5", "i1: nan", "i2: nan"}));
  EXPECT_THAT(item_rejections(),
              ElementsAre("older than the item's last row before the end of training: 1",
                          "later than the training part: 1",
                          "a property that no [[data.attributes]] names: 1"));
  EXPECT_EQ(report_.item_rows.read, 6);
  EXPECT_EQ(report_.item_rows.kept, 3);
  options.item_value.clear();
  EXPECT_THAT(input_error_of([&] { ingest(options); }), HasSubstr("data.items.value"));
}

TEST_F(TimedItems, WithoutATimeTheFirstRowIsKept) {
  IngestOptions options = log_of_ten();
  options.item_time.clear();
  options.item_table =
      TableSource{{write("items.csv", "at,item,color\n1,i0,red\n2,i0,blue\n")}, {}};
  EXPECT_EQ(attribute_of(ingest(options), "color"), (Lines{"i0: red", "i1:", "i2:"}));
  EXPECT_THAT(item_rejections(), ElementsAre("item listed twice, first row kept: 1"));
}

TEST_F(TimedItems, FiltersOfTheItemTable) {
  IngestOptions options = log_of_ten();
  options.item_time.clear();
  options.item_filters = {parse_filter("stock > 0"), parse_filter("color != red")};
  options.item_table = TableSource{
      {write("items.csv", "item,color,stock\ni0,red,5\ni1,blue,2.0\ni2,pink,0\ni3,pink,many\n")}};
  EXPECT_EQ(attribute_of(ingest(options), "color"), (Lines{"i0:", "i1: blue", "i2:"}));
  EXPECT_THAT(item_rejections(),
              ElementsAre("filtered out: not color != red: 1", "filtered out: not stock > 0: 1",
                          "column 'stock' is not a number: 1"));
  EXPECT_EQ(report_.item_rows.read, 4);
  EXPECT_EQ(report_.item_rows.kept, 1);
}

TEST_F(TimedItems, ListValuesLoseTheBlanksAroundThem) {
  IngestOptions options = log_of_ten();
  options.item_time.clear();
  AttributeColumn genres = attribute("genres", graph::AttributeKind::list);
  genres.separator = ",";
  AttributeColumn path = attribute("path", graph::AttributeKind::list);
  path.path_separator = ">";
  options.attributes = {genres, path};
  options.item_table = TableSource{
      {write(
          "items.csv",
          "item;genres;path\ni0;Action, Drama ,, ;Home > Kitchen\ni1;Drama,Action;Home>Kitchen\n")},
      {}};
  const Dataset dataset = ingest(options);
  EXPECT_EQ(attribute_of(dataset, "genres"),
            (Lines{"i0: Action Drama", "i1: Action Drama", "i2:"}));
  EXPECT_EQ(attribute_of(dataset, "path"),
            (Lines{"i0: Home Home>Kitchen", "i1: Home Home>Kitchen", "i2:"}));
}

}  // namespace
}  // namespace penchant::pipeline
