// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/printable.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

TEST(Printable, LeavesTextAlone) {
  for (const char* text :
       {"", "plain", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "a\\b 'c' \"d\""})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatATerminalObeys) {
  EXPECT_EQ(printable("\x1b[31mred\x1b[0m\a"), "\\x1b[31mred\\x1b[0m\\x07");
  EXPECT_EQ(printable("a\nb\tc\rd\x7f"), "a\\nb\\tc\\rd\\x7f");
  EXPECT_EQ(printable("\xe2\x80\xaegpj.exe"), "\\u202egpj.exe");
  EXPECT_EQ(printable("a\xe2\x81\xa6 b\xe2\x80\x8f"), "a\\u2066 b\\u200f");
  EXPECT_EQ(printable("\xc2\x9b\x33\x31m"), "\\x9b31m") << "the 8-bit form of ESC [";
  EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\U000e0041") << "a tag";
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Printable, EscapesBytesThatAreNoText) {
  EXPECT_EQ(printable("a\xff\xfe"
                      "b"),
            "a\\xff\\xfeb");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82") << "cut off";
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "an overlong slash";
}

TEST(Printable, CutsBehindWholeCharacters) {
  const std::string long_text(200, 'x');
  EXPECT_EQ(printable(long_text), std::string(80, 'x') + "... (200 bytes)");
  EXPECT_EQ(printable(std::string(79, 'x') + "\xc3\xa9"), std::string(79, 'x') + "... (81 bytes)");
  EXPECT_EQ(printable(std::string(80, 'x')), std::string(80, 'x'));
  EXPECT_EQ(printable(long_text, kWholeText), long_text);
}

TEST(Printable, MessagesKeepTheirLines) {
  EXPECT_EQ(printable_message("one\n  two\x1b\n"), "one\n  two\\x1b\n");
  EXPECT_EQ(printable_message(std::string(50, 'a') + "\n" + std::string(50, 'b'), 60),
            std::string(50, 'a') + "\n" + std::string(9, 'b') + "... (50 bytes)");
}

TEST(Printable, ListsEnd) {
  std::vector<std::string> names = {"a\n", "b"};
  EXPECT_EQ(printable_list(names), "a\\n, b");
  names.assign(100'000, "column");
  const std::string list = printable_list(names);
  EXPECT_LT(list.size(), 400U);
  EXPECT_NE(list.find("(100000 in all)"), std::string::npos);
}

}  // namespace
}  // namespace penchant::pipeline
