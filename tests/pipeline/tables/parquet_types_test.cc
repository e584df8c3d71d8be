// SPDX-License-Identifier: Apache-2.0
// Parquet columns of every type (tests/golden/make_types.py): as text, in each role of ingest, and
// handed on by score.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/export/score.h"
#include "pipeline/model/model.h"
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
using penchant::testing::read_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path kTypes =
    std::filesystem::path(PENCHANT_TEST_SOURCE_DIR) / "tests/golden/types.parquet";

/// The three cells of a column; "-" is null and list values stand behind a '|'.
Lines cells_of(const std::filesystem::path& path, const std::string& column,
               const TableReadOptions& options = {}) {
  TableReader reader(path, options, std::vector{column});
  TextBatch batch;
  Lines cells;
  while (reader.next(batch)) {
    for (const std::string_view cell : batch.columns[0]) {
      std::string text = cell.data() == nullptr ? "-" : std::string(cell);
      std::replace(text.begin(), text.end(), kListSeparator, '|');
      cells.push_back(text);
    }
  }
  return cells;
}

TEST(ParquetTypes, CellsAreAsPeopleWriteThem) {
  const std::vector<std::pair<std::string, Lines>> expected = {
      {"item", {"100", "1.5", "-0.25"}},
      {"text", {"a", "", "-"}},
      {"real", {"0.1", "2", "-"}},
      {"half", {"0.5", "2", "-"}},
      {"natural", {"18446744073709551615", "1", "-"}},
      {"truth", {"true", "false", "-"}},
      {"day", {"2024-05-01", "1969-12-31", "-"}},
      {"stamp", {"2024-05-01T10:00:00.123456", "2024-05-01T00:00:00", "-"}},
      {"instant", {"2024-05-01T10:00:00.123456000Z", "1969-12-31T23:59:59.999999000Z", "-"}},
      {"clock", {"10:00:00.000005", "23:59:59", "-"}},
      {"kind", {"x", "y", "x"}},
      {"tags", {"|red|wool", "|red", ""}},
      {"sizes", {"|1|2", "|3|4", "-"}},
      {"nothing", {"-", "-", "-"}}};
  for (const auto& [column, cells] : expected) EXPECT_EQ(cells_of(kTypes, column), cells) << column;
  TableReadOptions as_time;
  as_time.time_column = "stamp";
  EXPECT_EQ(cells_of(kTypes, "stamp", as_time), (Lines{"1714557600123", "1714521600000", "-"}));
  as_time.time_column = "instant";
  EXPECT_EQ(cells_of(kTypes, "instant", as_time), (Lines{"1714557600123", "-1", "-"}))
      << "rounded down, so that what lies before 1970 is not 1970";
  as_time.time_column = "day";
  EXPECT_EQ(cells_of(kTypes, "day", as_time), (Lines{"1714521600000", "-86400000", "-"}));
}

class TypedIngest : public penchant::testing::IngestTest {
 protected:
  static IngestOptions typed_log() {
    IngestOptions options = everything_in_train();
    options.log.files = {kTypes};
    options.columns.user = "user";
    options.columns.item = "item";
    return options;
  }
  IngestOptions with_items(const AttributeColumn& column) {
    IngestOptions options = everything_in_train();
    options.log.files = {write("log.csv", "user,item\nu,100\nu,1.5\nu,-0.25\n")};
    options.columns.user = "user";
    options.columns.item = "item";
    options.item_table = TableSource{{kTypes}, {}};
    options.attributes = {column};
    options.attributes[0].kind_given = column.name.empty();
    return options;
  }
};

TEST_F(TypedIngest, DecimalsAndTimesAreWhatTheySay) {
  IngestOptions options = typed_log();
  options.columns.time = "stamp";
  EXPECT_EQ(all_rows(ingest(options)),
            (Lines{"u1 100 1 t1714557600123", "u2 1.5 1 t1714521600000"}));
  options.time_zone = "+09:00";
  EXPECT_EQ(all_rows(ingest(options)),
            (Lines{"u1 100 1 t1714525200123", "u2 1.5 1 t1714489200000"}))
      << "of a timestamp without a zone";
  options.columns.time = "instant";
  EXPECT_EQ(all_rows(ingest(options)), Lines{"u1 100 1 t1714557600123"});
}

TEST_F(TypedIngest, FiltersSeeWhatCsvWouldHold) {
  for (const auto& [filter, users] : std::vector<std::pair<RowFilter, Lines>>{
           {{"truth", "==", {"True"}}, {"u1 100 1"}},
           {{"real", "==", {"0.10"}}, {"u1 100 1"}},
           {{"real", "in", {"2.0"}}, {"u2 1.5 1"}},
           {{"natural", "==", {"18446744073709551615"}}, {"u1 100 1"}},
           {{"day", ">=", {"2024-01-01"}}, {"u1 100 1"}},
           {{"stamp", ">", {"2024-05-01 09:00:00"}}, {"u1 100 1"}},
           {{"item", ">", {"1"}}, {"u1 100 1", "u2 1.5 1"}}}) {
    IngestOptions options = typed_log();
    options.filters = {filter};
    EXPECT_EQ(all_rows(ingest(options)), users) << filter.column;
  }
}

TEST_F(TypedIngest, ListsAreAttributesOfKindList) {
  AttributeColumn tags = attribute("tags");
  tags.name = "tags";
  EXPECT_EQ(attribute_of(ingest(with_items(tags)), "tags"),
            (Lines{"100: red wool", "1.5: red", "-0.25:"}));
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_THAT(warnings_[0],
              AllOf(HasSubstr("types.parquet"), HasSubstr("'tags'"), HasSubstr("kind = \"list\"")));
  EXPECT_EQ(attribute_of(ingest(with_items(attribute("sizes", AttributeKind::list))), "sizes"),
            (Lines{"100: 1 2", "1.5: 3 4", "-0.25:"}));
  EXPECT_TRUE(warnings_.empty());
  EXPECT_EQ(attribute_of(ingest(with_items(attribute("item", AttributeKind::numeric))), "item"),
            (Lines{"100: 100", "1.5: 1.5", "-0.25: -0.25"}));
  EXPECT_EQ(attribute_of(ingest(with_items(attribute("kind"))), "kind"),
            (Lines{"100: x", "1.5: y", "-0.25: x"}));
}

TEST_F(TypedIngest, WhatCannotBeAnAttributeIsAnError) {
  for (const auto& [column, expected] : std::vector<std::pair<AttributeColumn, std::string>>{
           {attribute("tags"), "kind = \"list\""},
           {attribute("tags", AttributeKind::text), "one value a row"},
           {attribute("tags", AttributeKind::numeric), "expected numbers"},
           {attribute("vector"), "vectors cannot be attributes"},
           {attribute("vector", AttributeKind::list), "vectors cannot be attributes"},
           {attribute("struct"), "struct<"},
           {attribute("map"), "map<"},
           {attribute("nested", AttributeKind::list), "list<"},
           {attribute("bytes"), "fixed_size_binary"},
           {attribute("duration", AttributeKind::numeric), "duration"},
           {attribute("stamp", AttributeKind::numeric), "expected numbers"},
           {attribute("truth", AttributeKind::numeric), "expected numbers"}}) {
    EXPECT_THAT(input_error_of([&] { ingest(with_items(column)); }),
                AllOf(HasSubstr("types.parquet"), HasSubstr("column '" + column.column + "' holds"),
                      HasSubstr(expected)));
  }
  EXPECT_FALSE(std::filesystem::exists(at("x.data")));
}

TEST_F(TypedIngest, WhatCannotPlayARoleIsAnError) {
  const auto refused = [&](auto change, const std::string& column, const std::string& role) {
    IngestOptions options = typed_log();
    change(options);
    EXPECT_THAT(input_error_of([&] { ingest(options); }),
                AllOf(HasSubstr("types.parquet: column '" + column + "' holds"), HasSubstr(role)));
  };
  refused([](IngestOptions& o) { o.columns.user = "tags"; }, "tags", "data.columns.user");
  refused([](IngestOptions& o) { o.columns.item = "struct"; }, "struct", "data.columns.item");
  refused([](IngestOptions& o) { o.columns.time = "clock"; }, "clock", "data.columns.time");
  refused([](IngestOptions& o) { o.columns.time = "truth"; }, "truth", "data.columns.time");
  refused([](IngestOptions& o) { o.columns.weight = "truth"; }, "truth", "data.columns.weight");
  refused([](IngestOptions& o) { o.columns.weight = "duration"; }, "duration", "expected numbers");
  refused([](IngestOptions& o) { o.columns.event = "map"; }, "map", "data.columns.event");
  refused([](IngestOptions& o) { o.columns.session = "vector"; }, "vector", "data.columns.session");
  refused(
      [](IngestOptions& o) {
        o.filters = {{"nested", "==", {"1"}}};
      },
      "nested", "data.filters");
}

/// User n has score n + 1 for all items.
Model model_of(const Dataset& dataset, kernels::Backend& backend) {
  Model::Parts parts;
  FinishedVectors& vectors = parts.vectors;
  vectors.layout.embedding_dim = 1;
  vectors.users = backend.matrix<float>(dataset.num_users(), 1);
  vectors.items = backend.matrix<float>(dataset.num_items(), 1);
  for (std::int64_t i = 0; i < dataset.num_users(); ++i)
    vectors.users.view()(i, 0) = static_cast<float>(i + 1);
  for (std::int64_t i = 0; i < dataset.num_items(); ++i) vectors.items.view()(i, 0) = 1.0F;
  return Model(dataset, std::move(parts), backend);
}

TEST_F(TypedIngest, ScoreHandsColumnsOnUnchanged) {
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const Dataset dataset = ingest(typed_log());
  const Model model = model_of(dataset, *backend);
  score_table(model, kTypes, at("s.parquet"), {}, penchant::pipeline::silent_progress());
  const std::vector<std::string> columns = table_columns(kTypes, {});
  const std::vector<ColumnType> before = parquet_column_types(kTypes, columns);
  const std::vector<ColumnType> after = parquet_column_types(at("s.parquet"), columns);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    EXPECT_EQ(after[c].name, before[c].name) << columns[c];
    EXPECT_EQ(cells_of(at("s.parquet"), columns[c]), cells_of(kTypes, columns[c])) << columns[c];
  }
  EXPECT_EQ(cells_of(at("s.parquet"), "score"), (Lines{"1", "2", "3"}));
  EXPECT_THAT(read_text(at("s.parquet")), HasSubstr("a test")) << "the file's metadata";

  score_table(model, kTypes, at("s.csv"), {}, penchant::pipeline::silent_progress());
  const std::string csv = read_text(at("s.csv"));
  EXPECT_THAT(csv, HasSubstr("2024-05-01T10:00:00.123456,2024-05-01T10:00:00.123456000Z,"));
  EXPECT_THAT(csv, HasSubstr("\"[\"\"red\"\",\"\"wool\"\"]\",\"[1,2]\",\"[0.5,1]\","));
  EXPECT_THAT(csv, HasSubstr("\"{\"\"a\"\":1,\"\"b\"\":\"\"x\"\"}\""));
  EXPECT_THAT(csv, HasSubstr("\"[[\"\"a\"\"],[\"\"b\"\",\"\"c\"\"]]\",01ff,,1\n"));
  EXPECT_THAT(csv, HasSubstr("\nu2,1.5,\"\",2,2,1,false,")) << "empty is not null";
  EXPECT_THAT(csv, HasSubstr("\nu3,-0.25,,,,,,,,,,,x,[],,,,,,,,3\n")) << "null is nothing";
}

TEST_F(TypedIngest, ScoreLeavesOutRowsOfTypedTables) {
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  IngestOptions options = typed_log();
  options.filters = {{"user", "!=", {"u2"}}};
  const Dataset dataset = ingest(options);
  const ScoreReport report =
      score_table(model_of(dataset, *backend), kTypes, at("s.parquet"),
                  {.unknown = UnknownIds::skip}, penchant::pipeline::silent_progress());
  EXPECT_EQ(report.rows_written, 2);
  EXPECT_THAT(cells_of(at("s.parquet"), "user"), ElementsAre("u1", "u3"));
  EXPECT_THAT(cells_of(at("s.parquet"), "tags"), ElementsAre("|red|wool", ""));
  EXPECT_THAT(cells_of(at("s.parquet"), "day"), ElementsAre("2024-05-01", "-"));
}

}  // namespace
}  // namespace penchant::pipeline
