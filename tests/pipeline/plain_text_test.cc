// SPDX-License-Identifier: Apache-2.0
// The reader of plain text against Arrow, which reads the same bytes when they are packed.
#include "pipeline/plain_text.h"

#include <functional>
#include <random>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/manifest.h"
#include "tests/pipeline/folder.h"
#include "tests/pipeline/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::Lines;
using penchant::testing::TemporaryFolder;

/// All rows of a table as "line: cell|cell", malformed ones as "line: expected/found".
Lines lines_of(TableReader reader) {
  Lines lines;
  TextBatch batch;
  while (reader.next(batch)) {
    for (const MalformedRow& row : batch.malformed)
      lines.push_back(fmt::format("{}: {}/{}", row.line, row.expected_fields, row.found_fields));
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
      std::string line = fmt::format("{}: ", batch.line(row));
      for (const auto& cells : batch.columns) line += std::string(cells[row]) + "|";
      lines.push_back(line);
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

class PlainText : public ::testing::Test {
 protected:
  Lines read(const std::string& name, std::string_view text, const TableReadOptions& options,
             const std::vector<std::string>& columns) const {
    penchant::testing::write_text(folder_.path() / name, text);
    return lines_of(TableReader(folder_.path() / name, options, columns));
  }
  void expect_as_arrow(const std::string& text, const TableReadOptions& options,
                       const std::vector<std::string>& columns) const {
    const Lines plain = read("log.csv", text, options, columns);
    const Lines packed = read("log.csv.gz", penchant::testing::as_gzip(text), options, columns);
    EXPECT_EQ(plain, packed) << "text: '" << text.substr(0, 2000) << "'";
  }

  TemporaryFolder folder_;
};

// What the late quote changes in the reader must not reach a block that waits to be split. The
// columns asked for are not the file's first ones: Arrow numbers them otherwise.
TEST_F(PlainText, ABlockFetchedBeforeTheFirstQuoteIsSplitAsPlainText) {
  std::string text = "note,user,rest,item\n";
  int num_rows = 0;
  for (; text.size() < kTextBlock + 1000; ++num_rows)
    text += fmt::format("x,u{},y,i{}\n", num_rows, num_rows % 7);
  text += "\"x\",u,y,i\n";
  penchant::testing::write_text(folder_.path() / "log.csv", text);
  const std::vector<std::string> columns = {"user", "item"};
  TableReader reader(folder_.path() / "log.csv", {}, columns);
  TableBlock plain;
  TableBlock quoted;
  ASSERT_TRUE(reader.fetch(plain));
  ASSERT_TRUE(reader.fetch(quoted));  // Arrow reads from here on, and `plain` is not split yet
  int row = 0;
  TextBatch batch;
  while (reader.split(plain, batch, 65536)) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch.num_rows); ++i, ++row) {
      ASSERT_EQ(batch.columns[0][i], fmt::format("u{}", row));
      ASSERT_EQ(batch.columns[1][i], fmt::format("i{}", row % 7));
    }
  }
  EXPECT_GT(row, num_rows / 2);
  while (reader.split(quoted, batch, 65536)) {
    ASSERT_GT(batch.num_rows, 0);
    EXPECT_EQ(batch.columns[0].front(), fmt::format("u{}", row));
    EXPECT_EQ(batch.columns[1].back(), "i");
    row += static_cast<int>(batch.num_rows);
  }
  EXPECT_EQ(row, num_rows + 1);
}

TEST_F(PlainText, RandomTextsReadAsThroughArrow) {
  std::mt19937 random(20261124);
  for (int round = 0; round < 150; ++round) {
    const bool header = random() % 2 == 0;
    const std::string line_end = random() % 3 == 0 ? "\r\n" : "\n";
    const std::size_t fields = 1 + random() % 4;
    std::string text = random() % 4 == 0 ? "\xEF\xBB\xBF" : "";
    std::vector<std::string> names;
    for (std::size_t f = 0; f < fields; ++f)
      names.push_back(header ? std::string(1, static_cast<char>('a' + f)) : std::to_string(f + 1));
    for (std::size_t row = 0; row < random() % 40 + 1; ++row) {
      if (row > 0 && random() % 8 == 0) {  // an empty line
        text += line_end;
        continue;
      }
      // The first line says how many fields there are; later ones may not agree.
      const std::size_t found = row > 0 && random() % 6 == 0 ? random() % 6 + 1 : fields;
      for (std::size_t f = 0; f < found; ++f) {
        if (f > 0) text += ';';
        if (row == 0 && header) {
          text += names[f];
        } else {
          for (std::size_t i = row == 0 ? 0 : random() % 4; i < 4; ++i)
            text += "xyz \t,"[random() % 6];
        }
      }
      text += line_end;
    }
    if (random() % 3 == 0) text.resize(text.size() - line_end.size());
    std::vector<std::string> columns = {names[random() % fields], names[random() % fields]};
    if (columns[0] == columns[1]) columns.pop_back();
    const std::size_t start = text.starts_with("\xEF") ? 3 : 0;
    if (text.size() == start || text[start] == '\r' || text[start] == '\n') continue;
    expect_as_arrow(text, {';', header, '"'}, columns);
    if (HasFailure()) FAIL() << "round " << round;
  }
}

TEST_F(PlainText, ManyEmptyLines) {
  expect_as_arrow("a,b\n" + std::string(5000, '\n') + "1,2\n3,4\n", {',', true, '"'}, {"a", "b"});
}

TEST_F(PlainText, WhatFollowsAQuoteAnywhereIsReadByArrow) {
  // Quotes just before and behind the border of the first block, and far from it.
  // Far from a quote lines are long, so that there are few to compare.
  const std::string line = "abcdefgh,12345678\n";
  const std::string long_line = "abcdefgh," + std::string(4000, '8') + "\n";
  for (const std::ptrdiff_t from_border : {-40, -1, 0, 1, 40, 900000}) {
    std::string text = "a,b\n";
    const auto place =
        static_cast<std::size_t>(static_cast<std::ptrdiff_t>(kTextBlock) + from_border);
    while (text.size() + 2 * long_line.size() < place) text += long_line;
    while (text.size() + line.size() < place) text += line;
    text += "\"q,\n\"\"\",x\n1\n";
    for (int i = 0; i < 1000; ++i) text += line;
    const Lines plain = read("log.csv", text, {',', true, '"'}, {"b", "a"});
    EXPECT_EQ(plain,
              read("log.csv.gz", penchant::testing::as_gzip(text), {',', true, '"'}, {"b", "a"}))
        << from_border;
    EXPECT_THAT(plain, ::testing::Contains(::testing::HasSubstr("x|q,\n\"|")));
  }
}

TEST_F(PlainText, LinesThatCrossTheBorderOfABlock) {
  const std::string filler(4000, 'x');
  for (std::size_t shift = 0; shift < 12; ++shift) {
    std::string text = "a,b\n" + std::string(shift, 'x') + ",y\n";
    for (int row = 0; text.size() < 2 * kTextBlock + 100; ++row) {
      // Lines are short about the borders, and once everywhere: elsewhere they need not be many.
      const std::size_t behind_border = text.size() % kTextBlock;
      const bool is_short =
          shift == 5 || behind_border < 100 || behind_border > kTextBlock - 2 * filler.size();
      text += fmt::format("u{}{},v\n", row, is_short ? "" : filler);
    }
    const Lines plain = read("log.csv", text, {',', true, '"'}, {"a"});
    ASSERT_EQ(plain.size(),
              static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) - 1);
    if (shift == 5) {
      EXPECT_EQ(plain, read("log.csv.gz", penchant::testing::as_gzip(text), {}, {"a"}));
    }
  }
}

TEST_F(PlainText, OldMacLineEndsAreLeftToArrow) {
  const Lines lines = read("log.csv", "a,b\r1,2\r3,4\r", {',', true, '"'}, {"a", "b"});
  EXPECT_EQ(lines, (Lines{"2: 1|2|", "3: 3|4|"}));
}

TEST_F(PlainText, ALineLongerThanABlockIsAnErrorAsForArrow) {
  const std::string text = "a,b\n1,2\n" + std::string(2 * kTextBlock, 'x') + ",2\n";
  const auto error_of = [&](const std::string& name, const std::string& bytes) {
    const std::string message = penchant::testing::input_error_of([&] {
      read(name, bytes, {',', true, '"'}, {"a"});
    });
    return message.substr(message.find(": "));
  };
  EXPECT_EQ(error_of("log.csv", text), error_of("log.csv.gz", penchant::testing::as_gzip(text)));
}

TEST_F(PlainText, TheHashOfAFileReadToItsEndIsThatOfItsBytes) {
  for (const std::string text : {"a,b\n1,2\n", "a,b\n1,2", "a,b\n"}) {
    penchant::testing::write_text(folder_.path() / "x.csv", text);
    const std::vector<std::string> columns = {"a"};
    TableReader reader(folder_.path() / "x.csv", {}, columns);
    TextBatch batch;
    while (reader.next(batch)) continue;
    EXPECT_EQ(reader.hash(), hash_bytes(text));
  }
}

}  // namespace
}  // namespace penchant::pipeline
