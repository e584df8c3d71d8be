// SPDX-License-Identifier: Apache-2.0
#include "pipeline/time_parse.h"

#include <ostream>
#include <random>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

constexpr std::int64_t kDay = 86400000;
/// 2020-09-13 12:26:40 UTC, the well-known 1.6 billionth second.
constexpr std::int64_t kKnown = 1600000000000;

struct Case {
  const char* format;
  const char* text;
  std::int64_t milliseconds;
};

std::ostream& operator<<(std::ostream& out, const Case& tested) {
  return out << tested.format << ": '" << tested.text << "'";
}

class TimeParse : public ::testing::TestWithParam<Case> {};

TEST_P(TimeParse, Reads) {
  const auto parsed = TimeParser(GetParam().format)(GetParam().text);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, GetParam().milliseconds);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, TimeParse,
    ::testing::Values(
        Case{"auto", "1600000000", kKnown}, Case{"auto", "1600000000000", kKnown},
        Case{"auto", "1600000000.5", kKnown + 500}, Case{"auto", "0", 0},
        Case{"auto", "99999999", 99999999000}, Case{"auto", "1.6e9", kKnown},
        Case{"auto", "2020-09-13T12:26:40Z", kKnown}, Case{"auto", "2020-09-13 12:26:40", kKnown},
        Case{"auto", "2020-09-13", kKnown - 44800000},
        Case{"auto", "2020-09-13 12:26:40 UTC", kKnown}, Case{"s", "1600000000", kKnown},
        Case{"s", "1600000000.25", kKnown + 250}, Case{"s", "100000000", 100000000000},
        Case{"ms", "1600000000000", kKnown}, Case{"ms", "5", 5}, Case{"iso8601", "1970-01-01", 0},
        Case{"iso8601", "1970-01-02", kDay}, Case{"iso8601", "2020-02-29", 18321 * kDay},
        Case{"iso8601", "2000-02-29T23:59:59Z", 951868799000},
        Case{"iso8601", "2099-12-31T23:59:59.999Z", 4102444799999},
        Case{"iso8601", "2020-09-13T12:26", kKnown - 40000},
        Case{"iso8601", "2020-09-13T12:26:40.5Z", kKnown + 500},
        Case{"iso8601", "2020-09-13T12:26:40.123456Z", kKnown + 123},
        Case{"iso8601", "2020-09-13T12:26:40,25Z", kKnown + 250},
        Case{"iso8601", "2020-09-13T14:26:40+02:00", kKnown},
        Case{"iso8601", "2020-09-13T14:26:40+0200", kKnown},
        Case{"iso8601", "2020-09-13T14:26:40+02", kKnown},
        Case{"iso8601", "2020-09-13T06:56:40-05:30", kKnown},
        Case{"iso8601", "2020-09-14T01:26:40 +13:00", kKnown},
        Case{"%d.%m.%Y %H:%M", "13.09.2020 12:26", kKnown - 40000},
        Case{"%Y%m%d", "20200913", kKnown - 44800000},
        Case{"%m/%d/%Y %H:%M:%S", "09/13/2020 12:26:40", kKnown}),
    [](const auto& tested) { return "Case" + std::to_string(tested.index); });

struct Refused {
  const char* format;
  const char* text;
};

std::ostream& operator<<(std::ostream& out, const Refused& tested) {
  return out << tested.format << ": '" << tested.text << "'";
}

class TimeParseRefuses : public ::testing::TestWithParam<Refused> {};

TEST_P(TimeParseRefuses, WhatIsNoTime) {
  EXPECT_FALSE(TimeParser(GetParam().format)(GetParam().text).has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Texts, TimeParseRefuses,
    ::testing::Values(
        Refused{"auto", ""}, Refused{"auto", "soon"}, Refused{"auto", "-1"}, Refused{"auto", "nan"},
        Refused{"auto", "inf"}, Refused{"auto", "1600000000x"}, Refused{"auto", " 1600000000"},
        Refused{"auto", "1e300"}, Refused{"auto", "9223372036854775807"},
        Refused{"auto", "1600000000000000"}, Refused{"auto", "1600000000000000000"},
        Refused{"auto", "4102444800000"}, Refused{"s", "4102444800"}, Refused{"s", "1600000000000"},
        Refused{"s", "9223372036854775807"}, Refused{"s", "2020-09-13"},
        Refused{"ms", "4102444800000"}, Refused{"ms", "-1"}, Refused{"iso8601", "1600000000"},
        Refused{"iso8601", "2020-13-01"}, Refused{"iso8601", "2020-02-30"},
        Refused{"iso8601", "2019-02-29"}, Refused{"iso8601", "2020-00-01"},
        Refused{"iso8601", "2020-01-00"}, Refused{"iso8601", "2020-09-13T24:00"},
        Refused{"iso8601", "2020-09-13T12:60"}, Refused{"iso8601", "2020-09-13T12"},
        Refused{"iso8601", "2020-09-13x"}, Refused{"iso8601", "2020-09-1"},
        Refused{"iso8601", "2020/09/13"}, Refused{"iso8601", "1969-12-31"},
        Refused{"iso8601", "2100-01-01"}, Refused{"iso8601", "2020-09-13T12:26:40 CET"},
        Refused{"iso8601", "2020-09-13T12:26:40+2"},
        Refused{"iso8601", "2020-09-13T12:26:40+99:00"},
        Refused{"iso8601", "2020-09-13T12:26:40Zjunk"},
        Refused{"iso8601", "2020-09-13T12:26:40+02:00junk"}, Refused{"%Y%m%d", "20200913 12"},
        Refused{"%Y%m%d", "20200231"}, Refused{"%Y%m%d", "19691231"}),
    [](const auto& tested) { return "Case" + std::to_string(tested.index); });

// A fraction of a second leads past the short cuts for whole numbers and common layouts.
TEST(TimeParseShortCuts, AgreeWithTheGeneralRulesOnRandomTexts) {
  std::mt19937 random(11);
  const TimeParser numbers("auto");
  const TimeParser seconds("s");
  const TimeParser milliseconds("ms");
  const TimeParser iso("iso8601");
  int accepted = 0;
  for (int round = 0; round < 200000; ++round) {
    std::string digits;
    for (std::size_t size = 1 + random() % 16; digits.size() < size;)
      digits += static_cast<char>('0' + random() % 10);
    std::string time =
        fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", 1960 + random() % 150, random() % 14,
                    random() % 33, " T"[random() % 2], random() % 25, random() % 61, random() % 62);
    if (random() % 4 == 0) digits[random() % digits.size()] = static_cast<char>(random() % 256);
    if (random() % 4 == 0) time[random() % time.size()] = static_cast<char>(random() % 256);
    const std::string zone = std::vector<std::string>{"", "Z", " UTC", "+00:00"}[random() % 4];
    if (time[16] == ':') {  // else a zone may begin there, and no fraction can follow
      EXPECT_EQ(iso(time + zone), iso(time + ".0" + zone)) << time << zone;
    }
    EXPECT_EQ(numbers(time + zone), iso(time + zone)) << time << zone;
    accepted += iso(time + zone).has_value();
    if (digits.find_first_not_of("0123456789") != std::string::npos) {
      if (digits.find_first_of("-.eE") == std::string::npos) {
        EXPECT_FALSE(numbers(digits)) << digits;
      }
      continue;
    }
    for (const TimeParser* parser : {&numbers, &seconds, &milliseconds})
      EXPECT_EQ((*parser)(digits), (*parser)(digits + ".0")) << digits;
    accepted += numbers(digits).has_value();
  }
  EXPECT_GT(accepted, 20000);
}

TEST(TimeParseExpectation, NamesTheFormat) {
  EXPECT_NE(TimeParser("auto").expectation().find("ISO-8601"), std::string::npos);
  EXPECT_NE(TimeParser("ms").expectation().find("milliseconds"), std::string::npos);
  EXPECT_NE(TimeParser("%d.%m.%Y").expectation().find("%d.%m.%Y"), std::string::npos);
}

}  // namespace
}  // namespace penchant::pipeline
