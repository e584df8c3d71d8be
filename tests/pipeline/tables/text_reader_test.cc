// SPDX-License-Identifier: Apache-2.0
// Delimited text: line ends, quotes and escapes that are found or given, what does not fit, kinds
// of files. Random tables of several writers: table_property.py.
#include "pipeline/tables/text_reader.h"

#include <functional>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TextReading : public ::testing::Test {
 protected:
  /// All rows of a text as "line: cell|cell", malformed ones as "line: expected/found". Counts and
  /// note stay in `counts_` and `note_`.
  Lines read(const std::string& name, std::string_view text, const TableReadOptions& options = {}) {
    penchant::testing::write_text(folder_.path() / name, text);
    const std::vector<std::string> columns = table_columns(folder_.path() / name, options);
    TableReader reader(folder_.path() / name, options, columns);
    Lines lines;
    TextBatch batch;
    while (reader.next(batch)) {
      for (const MalformedRow& row : batch.malformed)
        lines.push_back(fmt::format("{}: {}/{}", row.line, row.expected_fields, row.found_fields));
      for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
        std::string line = fmt::format("{}: ", batch.line(row));
        for (std::size_t c = 0; c < batch.columns.size(); ++c)
          line += (c > 0 ? "|" : "") + std::string(batch.columns[c][row]);
        lines.push_back(line);
      }
    }
    counts_ = reader.counts();
    note_ = reader.note();
    hash_ = reader.hash();
    return lines;
  }
  std::string error_of(const std::string& name, std::string_view text,
                       const TableReadOptions& options = {}) {
    return input_error_of([&] { read(name, text, options); });
  }

  TemporaryFolder folder_;
  TextCounts counts_;
  std::string note_;
  std::string hash_;
};

TableReadOptions without_header(char separator = '\0') { return {separator, false}; }

// --- quotes that are text ---

TEST_F(TextReading, StrayQuotesOfPlainTextSwallowNoRow) {
  for (const std::string separator : {"\t", ",", ";", "|"}) {
    std::string text =
        "u1\ta1\talpha\t3\nu1\ta2\t\"half open\t2\nu2\ta1\talpha\t5\nu2\ta3\tgamma\t1\n"
        "u3\ta2\t7\" disc\t4\nu3\ta1\talpha\t1\n";
    std::replace(text.begin(), text.end(), '\t', separator[0]);
    for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"plays.txt", text},
                                      {"plays.txt.gz", penchant::testing::as_gzip(text)},
                                      {"plays.txt.zst", penchant::testing::as_zstd(text)}}) {
      EXPECT_THAT(read(name, bytes, without_header()),
                  ElementsAre("1: u1|a1|alpha|3", "2: u1|a2|\"half open|2", "3: u2|a1|alpha|5",
                              "4: u2|a3|gamma|1", "5: u3|a2|7\" disc|4", "6: u3|a1|alpha|1"))
          << separator << name;
      EXPECT_EQ(counts_.open_quotes, 0);
      EXPECT_THAT(note_, HasSubstr("quotes are read as text"));
    }
  }
}

TEST_F(TextReading, StrayQuotesThatSeemToPairUpSwallowNoRow) {
  // The second one stands where a closing quote would; the numbers tell that the lines are rows.
  for (const char separator : {',', '\t'}) {
    std::string text = "user,item,title,plays\n";
    for (int row = 0; row < 200; ++row) {
      const char* title = row == 50 ? "\"half open" : row == 90 ? "single 7\"" : "plain";
      text += fmt::format("u{},i{},{},{}\n", row, row % 7, title, row);
    }
    std::replace(text.begin(), text.end(), ',', separator);
    EXPECT_EQ(read("log.txt", text).size(), 200U);
    EXPECT_EQ(counts_.rows, 200);
    EXPECT_EQ(counts_.continuation_lines, 0);
  }
}

TEST_F(TextReading, AQuoteBeyondTheFirstBlockSwallowsNoRow) {
  TableReadOptions options;
  options.block_bytes = 4096;
  for (const std::string quoted : {"\"half open", "\"Heroes\" live", "7\" disc"}) {
    for (const int place : {0, 500, 1999}) {
      std::string text = "user,item,title,plays\n";
      for (int row = 0; row < 2000; ++row)
        text += fmt::format("u{},i{},{},{}\n", row, row % 7, row == place ? quoted : "plain", row);
      const Lines lines = read("log.csv", text, options);
      ASSERT_EQ(lines.size(), 2000U) << quoted << place;
      EXPECT_EQ(lines[static_cast<std::size_t>(place)],
                fmt::format("{}: u{}|i{}|{}|{}", place + 2, place, place % 7, quoted, place));
      EXPECT_EQ(counts_.open_quotes, 0);
    }
  }
}

TEST_F(TextReading, AStrayQuoteAmongQuotedCellsIsKeptAndCounted) {
  std::string text = "user,item,title\n";
  for (int row = 0; row < 100; ++row)
    text += fmt::format("u{},i,{}\n", row, row == 40 ? "\"half open" : "\"a, b\"");
  const Lines lines = read("log.csv", text);
  ASSERT_EQ(lines.size(), 100U);
  EXPECT_EQ(lines[39], "41: u39|i|a, b");
  EXPECT_EQ(lines[40], "42: u40|i|\"half open");
  EXPECT_EQ(counts_.open_quotes, 1);
  EXPECT_EQ(counts_.rows, 100);
  EXPECT_THAT(note_, IsEmpty());
}

// --- quotes and escapes ---

TEST_F(TextReading, QuotedCellsMayHoldAnything) {
  EXPECT_THAT(
      read("a.csv", "a,b\n\"x, y\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\n\"cr\r\nlf\",z\n1,2\n"),
      ElementsAre("2: x, y|say \"hi\"", "3: two\nlines|", "5: cr\r\nlf|z", "7: 1|2"));
  EXPECT_EQ(counts_.lines, 7);
  EXPECT_EQ(counts_.continuation_lines, 2);
  EXPECT_TRUE(counts_.closes());
}

TEST_F(TextReading, BackslashesEscapeWhereTheFileHasThat) {
  EXPECT_THAT(
      read("spark.csv", "a,b\n1,\"say \\\"hi\\\"\"\n2,\"C:\\\\x, y\\\\\"\n3,C:\\dir\n4,\"\"\n"),
      ElementsAre("2: 1|say \"hi\"", "3: 2|C:\\x, y\\", "4: 3|C:\\dir", "5: 4|"));
  EXPECT_THAT(note_, HasSubstr("escaped by '\\'"));
  // And not where they only stand before a closing quote.
  EXPECT_THAT(read("paths.csv", "a,b\n1,\"C:\\dir, x\\\"\n2,\"D:\\\"\n"),
              ElementsAre("2: 1|C:\\dir, x\\", "3: 2|D:\\"));
  EXPECT_THAT(note_, IsEmpty());
}

TEST_F(TextReading, AnEscapeFirstSeenInALaterBlockIsKnownThen) {
  TableReadOptions options;
  options.block_bytes = 1024;
  std::string text = "a,b\n";
  for (int row = 0; row < 300; ++row)
    text += fmt::format("{},{}\n", row, row < 200 ? "\"x, y\"" : "\"say \\\"hi, there\\\"\"");
  const Lines lines = read("late.csv", text, options);
  ASSERT_EQ(lines.size(), 300U);
  EXPECT_EQ(lines[199], "201: 199|x, y");
  EXPECT_EQ(lines[200], "202: 200|say \"hi, there\"");
  EXPECT_EQ(counts_.open_quotes, 0);
}

TEST_F(TextReading, MarksThatAreGivenAreFollowed) {
  EXPECT_THAT(read("q.csv", "a,b\n'x, y',\"1\"\n'it''s',2\n", {',', true, '\''}),
              ElementsAre("2: x, y|\"1\"", "3: it's|2"));
  EXPECT_THAT(read("n.csv", "a,b\n\"x, y\"\n", {',', true, '\0'}), ElementsAre("2: \"x| y\""));
  // Python's QUOTE_NONE, MySQL's OUTFILE: the escape stands before separators and line breaks.
  EXPECT_THAT(read("e.csv", "a,b\nx\\,y,two\\\nlines\n\\N,C:\\\\\n", {',', true, '\0', '\\'}),
              ElementsAre("2: x,y|two\nlines", "4: \\N|C:\\"));
  EXPECT_EQ(counts_.continuation_lines, 1);
  EXPECT_THAT(read("d.csv", "a,b\n\"x\"\"y\",\"\\\"\n", {',', true, '"', '\0'}),
              ElementsAre("2: x\"y|\\"));
  EXPECT_THAT(error_of("s.csv", "a,b\n1,2\n", {',', true, ','}), HasSubstr("separator"));
}

TEST_F(TextReading, AnOpenQuoteIsTextAndItsRowCountedOnce) {
  const TableReadOptions quoted{',', true, '"', '\0'};
  EXPECT_THAT(read("o.csv", "a,b,c\n1,\"open,3\n2,\"x\"y,3\n3,\"p,q\"r,4\n4,5,6\n", quoted),
              ElementsAre("4: 3/4", "2: 1|\"open|3", "3: 2|\"x\"y|3", "5: 4|5|6"));
  EXPECT_EQ(counts_.open_quotes, 2);
  EXPECT_EQ(counts_.malformed, 1);
  EXPECT_EQ(counts_.rows, 3);
}

// --- lines ---

TEST_F(TextReading, LineEndsOfEverySystem) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    for (const std::string& last : {end, std::string()}) {
      EXPECT_THAT(read("l.csv", "a,b" + end + "1,2" + end + "\"3" + end + "x\",4" + last),
                  ElementsAre("2: 1|2", "3: 3" + end + "x|4"));
      EXPECT_EQ(counts_.lines, 4);
    }
  }
  EXPECT_THAT(read("cut.csv", "a,b\r\n1,2\r"), ElementsAre("2: 1|2"));
  EXPECT_THAT(read("cr.tsv", "a\tb\n1\tx\ry\n"), ElementsAre("2: 1|x\ry"));
}

TEST_F(TextReading, BlankLinesAndRepeatedHeadersAreNoRows) {
  EXPECT_THAT(read("b.csv",
                   "\xEF\xBB\xBF\n\na,b\n\n1,2\na,b\n\xEF\xBB\xBF"
                   "a,b\n,\n  \n3,4\n1\n"),
              ElementsAre("11: 2/1", "5: 1|2", "10: 3|4"));
  EXPECT_EQ(counts_.lines, 11);
  EXPECT_EQ(counts_.blank_lines, 5);
  EXPECT_EQ(counts_.repeated_headers, 2);
  EXPECT_EQ(counts_.header_lines, 1);
  EXPECT_THAT(read("q.csv", "\"a\",\"b\"\r\n\"1\",\"x, y\"\r\n\"a\",\"b\"\r\n\r\n\"3\",\"\"\r\n"),
              ElementsAre("2: 1|x, y", "5: 3|"));
  EXPECT_EQ(counts_.repeated_headers, 1);
  EXPECT_THAT(error_of("e.csv", "\n \n\n"), HasSubstr("blank lines only"));
}

TEST_F(TextReading, LongHeadersAndLongLines) {
  std::string header = "c0";
  std::string row = "0";
  for (int i = 1; i < 150000; ++i) {
    header += fmt::format(",column_number_{}", i);
    row += fmt::format(",{}", i);
  }
  penchant::testing::write_text(folder_.path() / "wide.csv", header + "\n" + row + "\n");
  const std::vector<std::string> columns = {"column_number_149999"};
  TableReader reader(folder_.path() / "wide.csv", {}, columns);
  TextBatch batch;
  ASSERT_TRUE(reader.next(batch));
  EXPECT_EQ(batch.columns[0][0], "149999");
  const std::vector<std::string> unknown = {"column_numbr_7"};
  const std::string message =
      input_error_of([&] { TableReader(folder_.path() / "wide.csv", {}, unknown); });
  EXPECT_LT(message.size(), 1000U);
  EXPECT_THAT(message, HasSubstr("did you mean 'column_number_7'?"));
  EXPECT_THAT(message, HasSubstr("and 149980 more"));

  const std::string cell(3 * kTextBlock, 'x');
  const Lines lines = read("long.csv", "a,b\n1," + cell + "\n\"2\",\"" + cell + "\"\n3,4\n");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1], "3: 2|" + cell);
}

TEST_F(TextReading, TwoColumnsOfOneNameAreRefusedWhereItIsAskedFor) {
  EXPECT_THAT(error_of("twice.csv", "user,item,user\n1,2,3\n"),
              HasSubstr("two columns are named 'user'"));
  const std::vector<std::string> columns = {"item"};
  EXPECT_NO_THROW(TableReader(folder_.path() / "twice.csv", {}, columns));
}

TEST_F(TextReading, EncodingsOfOneByte) {
  TableReadOptions options;
  options.encoding = TextEncoding::latin1;
  EXPECT_THAT(read("l.csv", "a,b\nbl\xE5,\xA9\n", options), ElementsAre("2: bl\xC3\xA5|\xC2\xA9"));
  options.encoding = TextEncoding::windows1252;
  EXPECT_THAT(read("w.csv", "a,b\n5 \x80,\x93q\x94\n", options),
              ElementsAre("2: 5 \xE2\x82\xAC|\xE2\x80\x9Cq\xE2\x80\x9D"));
}

// --- files ---

TEST_F(TextReading, OtherKindsOfFilesAreNamed) {
  using namespace std::string_literals;
  for (const auto& [bytes, name] : std::vector<std::pair<std::string, std::string>>{
           {"PK\x03\x04\x14\0\0\0\x08\0", "zip archive"},
           {"PK\x03\x04\x14\0\0\0\x08\0[Content_Types].xml"s, "Excel workbook"},
           {"\xFD"
            "7zXZ\0\0\x04"s,
            "xz"},
           {"7z\xBC\xAF\x27\x1C\0\4"s, "7z"},
           {"\xFF\xFE"
            "a\0,\0b\0\n\0"s,
            "UTF-16"},
           {"\xFE\xFF\0a\0,\0b\0\n"s, "UTF-16"},
           {"a\0,\0b\0\n\0001\0,\0002\0\n\0"s, "UTF-16"},
           {"\xFF\xFE\0\0a\0\0\0"s, "UTF-32"},
           {"{\"user\": 1, \"item\": 2}\n{\"user\": 1, \"item\": 3}\n", "JSON"},
           {"[\n {\"user\": 1}]\n", "JSON"},
           {"ARROW1\0\0\xFF\xFF"s, "Arrow"},
           {"FEA1\0\0\0\0"s, "Feather"},
           {"ORC\n\0\1\2"s, "ORC"},
           {"Obj\x01\x04\x14"
            "avro.schema",
            "Avro"},
           {"SQLite format 3\0"s, "SQLite"},
           {"\x1b\0\0\x07 binary"s, "byte 2 is 0"}}) {
    const std::string message = error_of("log.csv", bytes);
    EXPECT_THAT(message, HasSubstr(name));
    EXPECT_EQ(message.find_first_of("\x1b\x07\xFF\xFE"), std::string::npos) << message;
  }
  EXPECT_THAT(error_of("log.csv.gz", penchant::testing::as_gzip("{\"a\": 1}\n")),
              HasSubstr("JSON"));
}

TEST_F(TextReading, PackedFilesOfSeveralMembers) {
  const std::string first = "a,b\n1,2\n\"3";
  const std::string second = "\",4\n";
  using penchant::testing::as_gzip;
  using penchant::testing::as_zstd;
  EXPECT_THAT(read("m.csv.gz", as_gzip(first) + as_gzip("") + as_gzip(second)),
              ElementsAre("2: 1|2", "3: 3|4"));
  EXPECT_EQ(hash_, hash_file(folder_.path() / "m.csv.gz"));
  EXPECT_THAT(read("m.csv.zst", as_zstd(first) + as_zstd(second)), ElementsAre("2: 1|2", "3: 3|4"));
  const std::string packed = as_gzip(first + second);
  EXPECT_THAT(error_of("cut.csv.gz", packed.substr(0, packed.size() - 9)), HasSubstr("cut off"));
  EXPECT_THAT(error_of("two.csv.gz", packed + packed.substr(0, 15)), HasSubstr("cut off"));
}

TEST_F(TextReading, TheHashOfAFileReadToItsEndIsThatOfItsBytes) {
  for (const std::string text : {"a,b\n1,2\n", "a,b\n1,2", "a,b\n", "a,b\n\"1\",2"}) {
    read("x.csv", text);
    EXPECT_EQ(hash_, hash_bytes(text));
  }
}

// --- blocks ---

// What a late quote changes in the reader must not reach a block that waits to be split.
TEST_F(TextReading, ABlockFetchedBeforeTheFirstQuoteIsSplitAsPlainText) {
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
  ASSERT_TRUE(
      reader.fetch(quoted));  // the quote is known from here on, and `plain` is not split yet
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

TEST_F(TextReading, BlocksOfAnySizeGiveTheSameRows) {
  std::string text = "a,b\n";
  for (int row = 0; row < 60; ++row) {
    text += row % 5 == 0    ? fmt::format("\"{}\nx\"\",\",y\n", row)
            : row % 7 == 0  ? std::string("\n")
            : row % 11 == 0 ? std::string("1\n")
                            : fmt::format("{},\"open\n", row);
  }
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    std::string with_end;
    for (const char c : text) with_end += c == '\n' ? end : std::string(1, c);
    TableReadOptions options{',', true, '"', '\0'};
    Lines whole = read("whole.csv", with_end, options);
    std::sort(whole.begin(), whole.end());
    const TextCounts counts = counts_;
    for (std::size_t size = 65; size < 700; size += 13) {
      options.block_bytes = size;
      Lines pieces = read("pieces.csv", with_end, options);
      std::sort(pieces.begin(), pieces.end());
      ASSERT_EQ(pieces, whole) << size;
      EXPECT_EQ(counts_.lines, counts.lines);
      EXPECT_EQ(counts_.blank_lines, counts.blank_lines);
    }
  }
}

}  // namespace
}  // namespace penchant::pipeline
