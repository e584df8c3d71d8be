// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/utf8.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

TEST(Utf8, KnowsWellFormedSequences) {
  for (const char* good : {"", "a", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8d\xba", "\xc2\x80",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\x7f"}) {
    EXPECT_TRUE(is_valid_utf8(good)) << good;
  }
  // Stray and missing continuations, overlong forms, surrogates, beyond U+10FFFF, no lead at all.
  for (const char* bad : {"\x80", "a\xc3", "\xc3\x28", "\xc0\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
                          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xff", "\xe2\x82", "\xf5\x80"}) {
    EXPECT_FALSE(is_valid_utf8(bad)) << bad;
  }
}

// Lengths around the words that is_ascii() loads, the bad byte at every place.
TEST(Utf8, OneBadByteAtAnyPlaceIsFound) {
  for (std::size_t size = 1; size <= 40; ++size) {
    EXPECT_TRUE(is_ascii(std::string(size, 'x')));
    EXPECT_EQ(valid_utf8_length(std::string(size, 'x')), size);
    for (std::size_t place = 0; place < size; ++place) {
      std::string text(size, 'x');
      text[place] = '\xff';
      EXPECT_FALSE(is_ascii(text)) << size << " " << place;
      EXPECT_FALSE(is_valid_utf8(text)) << size << " " << place;
      EXPECT_EQ(valid_utf8_length(text), place);
    }
  }
}

TEST(Utf8, BrokenBytesAreReplacedAndTheRestIsKept) {
  EXPECT_EQ(replace_broken_utf8("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(replace_broken_utf8("a\xff"
                                "b\xc3"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(replace_broken_utf8("\xe2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Utf8, TheMessageTellsThePlace) {
  EXPECT_EQ(explain_broken_utf8("column 'user'",
                                "u\xff"
                                "2"),
            "column 'user' is not valid UTF-8 at byte 2, expected a file in UTF-8 (or "
            "data.encoding = \"latin-1\")");
}

}  // namespace
}  // namespace penchant::pipeline
