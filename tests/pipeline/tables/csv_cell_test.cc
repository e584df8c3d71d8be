// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/csv_cell.h"

#include <gtest/gtest.h>

#include "pipeline/tables/ranked_file.h"
#include "tests/pipeline/support/folder.h"

namespace penchant::pipeline {
namespace {

std::string cell(std::string_view text, CsvReader reader) {
  std::string out;
  append_csv_cell(
      text, [&](std::string_view piece) { out += piece; }, reader);
  return out;
}

TEST(CsvCell, SpreadsheetsGetNoFormulas) {
  for (const char* text : {"=1+1", "+A1", "-A1", "@SUM(A1)", "\tx", "=cmd|' /C calc'!A0"}) {
    EXPECT_EQ(cell(text, CsvReader::spreadsheet).find('\''), 0U) << text;
    EXPECT_EQ(cell(text, CsvReader::program), text);
  }
  EXPECT_EQ(cell("=HYPERLINK(\"http://x\",\"y\")", CsvReader::spreadsheet),
            "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
  for (const char* text : {"", "a", "a=1", "-1.5", "+1e9", "'x", "i-1"})
    EXPECT_EQ(cell(text, CsvReader::spreadsheet), text);
}

TEST(CsvCell, TheNameSaysWhoReads) {
  EXPECT_EQ(csv_reader_of("lists/new.csv"), CsvReader::program);
  EXPECT_EQ(csv_reader_of("lists/sheet.csv"), CsvReader::program);
  EXPECT_EQ(csv_reader_of("lists/new.sheet.csv"), CsvReader::spreadsheet);
  const testing::TemporaryFolder folder;
  for (const auto& [name, id] : {std::pair("a.csv", "@i"), std::pair("a.sheet.csv", "'@i")}) {
    const auto file = make_ranked_file(folder.path() / name, {.owner = "user_id"}, {});
    const std::string_view user = "u";
    const std::string_view item = "@i";
    const float score = 1;
    const std::int32_t rank = 1;
    file->write({{&user, 1}, {&item, 1}, {&score, 1}, {&rank, 1}});
    file->commit();
    EXPECT_EQ(testing::read_text(folder.path() / name),
              "user_id,item_id,score,rank\nu," + std::string(id) + ",1,1\n");
  }
}

}  // namespace
}  // namespace penchant::pipeline
