// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/time_parse.h"
#include "pipeline/ingest/settle_times.h"

#include <cstdlib>
#include <ctime>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "graph/error.h"

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
        Case{"%Y%m%d", "20200913", kKnown - 44800000}, Case{"us", "1600000000000000", kKnown},
        Case{"ns", "1600000000000000123", kKnown}, Case{"us", "1600000000000250.5", kKnown},
        Case{"auto", "1600000000000000", kKnown}, Case{"auto", "1600000000000000123", kKnown},
        Case{"auto", "20200913122640", kKnown}, Case{"auto", "2020-09-13t12:26:40z", kKnown},
        Case{"auto", "2020-09-13 12:26:40 GMT", kKnown}, Case{"auto", "20200913T122640Z", kKnown},
        Case{"iso8601", "20200913T1226+0000", kKnown - 40000},
        Case{"iso8601", "2020-09-13T12:26:40.123456789Z", kKnown + 123},
        Case{"%a %b %d %H:%M:%S %z %Y", "Sun Sep 13 21:26:40 +0900 2020", kKnown},
        Case{"%Y-%m-%d %H:%M:%S%z", "2020-09-13 14:26:40+02:00", kKnown},
        Case{"%Y-%m-%d %H:%M:%S%z", "2020-09-13 12:26:40Z", kKnown},
        Case{"%Y-%m-%d %H:%M:%S %Z", "2020-09-13 12:26:40 GMT", kKnown},
        Case{"%Y-%m-%d %H:%M:%S.%f", "2020-09-13 12:26:40.250000", kKnown + 250},
        Case{"%s", "1600000000", kKnown}, Case{"%s.%f", "1600000000.5", kKnown + 500},
        Case{"%m/%d/%y %I:%M:%S %p", "9/13/20 12:26:40 PM", kKnown},
        Case{"%p %l:%M:%S %D", "am 12:00:00 09/13/20", kKnown - 44800000},
        Case{"%F %T", "2020-09-13 12:26:40", kKnown},
        Case{"%c", "Sun Sep 13 12:26:40 2020", kKnown},
        Case{"%Y-%j", "2020-257", kKnown - 44800000},
        Case{"%G-W%V-%u", "2020-W37-7", kKnown - 44800000},
        Case{"%Y week %W %A", "2020 week 36 Sunday", kKnown - 44800000},
        Case{"%Y %U %w", "2020 37 0", kKnown - 44800000},
        Case{"%C%y%m%d", "20200913", kKnown - 44800000},
        Case{"%d%%%B%%%Y", "13%september%2020", kKnown - 44800000},
        Case{"%Y-%m", "2020-09", 1598918400000},
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
        Refused{"auto", "99999999999999"}, Refused{"auto", "20201313000000"},
        Refused{"auto", "2020-W37-7"}, Refused{"auto", "2020-257"}, Refused{"auto", "20200913T12"},
        Refused{"s", "1e300"}, Refused{"s", "-1e300"}, Refused{"ms", "-9223372036854775808"},
        Refused{"ns", "9223372036854775807"}, Refused{"auto", "2020-09-13T12:26:40 Europe/Berlin"},
        Refused{"%Y-%m-%d %Z", "2020-09-13 CET"}, Refused{"%Y-%m-%d %z", "2020-09-13 CET"},
        Refused{"%Y-%m-%d %I %p", "2020-09-13 13 PM"}, Refused{"%G-W%V-%u", "2021-W53-5"},
        Refused{"%Y-%j", "2021-366"}, Refused{"%Y-%m-%d %H:%M:%S", "2020-09-13 12:26:40.5"},
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

// Columns of numbers are read without a way through text.
TEST(TimeParseNumbers, AreReadAsTheirDigits) {
  std::mt19937_64 random(12);
  std::vector<std::int64_t> numbers = {0,
                                       1,
                                       -1,
                                       20240501,
                                       202405,
                                       20240501101112,
                                       4102444799999,
                                       4102444800000,
                                       std::numeric_limits<std::int64_t>::max(),
                                       std::numeric_limits<std::int64_t>::min() + 1};
  for (std::int64_t edge = 1; edge < 1000000000000000000; edge *= 10) {
    for (const std::int64_t near : {-1, 0, 1}) numbers.push_back(edge + near);
  }
  for (int round = 0; round < 20000; ++round)
    numbers.push_back(static_cast<std::int64_t>(random() >> 1) >> random() % 62);
  int accepted = 0;
  for (const char* format : {"auto", "s", "ms", "us", "ns", "iso8601", "%Y%m%d", "%Y%m"}) {
    const TimeParser parse(format, "+02:00");
    for (const std::int64_t number : numbers) {
      TimeUnit of_text = TimeUnit::seconds;
      TimeUnit of_number = TimeUnit::seconds;
      const auto text = parse(std::to_string(number), of_text);
      EXPECT_EQ(text, parse.of_number(number, of_number)) << format << ' ' << number;
      if (text) {
        EXPECT_EQ(of_text, of_number) << format << ' ' << number;
      }
      accepted += text.has_value();
    }
  }
  EXPECT_GT(accepted, 20000);
}

// The machine's zone has no say; that of the setting is for times that name none.
TEST(TimeParseZone, IsThatOfTimesWithoutTheirOwn) {
  setenv("TZ", "America/New_York", 1);
  tzset();
  for (const auto& [zone, hours] : std::vector<std::pair<std::string, int>>{
           {"UTC", 0}, {"+09:00", 9}, {"-0330", 0}, {"+9", 9}, {"UTC+2", 2}}) {
    const std::int64_t ms = zone == "-0330" ? kKnown + 210 * 60000 : kKnown - hours * 3600000LL;
    EXPECT_EQ(TimeParser("auto", zone)("2020-09-13 12:26:40"), ms) << zone;
    EXPECT_EQ(TimeParser("auto", zone)("2020-09-13T12:26:40.000"), ms) << zone;
    EXPECT_EQ(TimeParser("%d.%m.%Y %H:%M:%S", zone)("13.09.2020 12:26:40"), ms) << zone;
    EXPECT_EQ(TimeParser("auto", zone)("20200913122640"), ms) << zone;
    EXPECT_EQ(TimeParser("auto", zone)("2020-09-13 12:26:40Z"), kKnown) << zone;
    EXPECT_EQ(TimeParser("auto", zone)("2020-09-13T14:26:40+02:00"), kKnown) << zone;
    EXPECT_EQ(TimeParser("auto", zone)("1600000000"), kKnown) << zone;
    EXPECT_EQ(TimeParser("%F %T %z", zone)("2020-09-13 14:26:40 +0200"), kKnown) << zone;
  }
  unsetenv("TZ");
  tzset();
  for (const char* bad :
       {"Central", "../../etc/passwd", "Mars/Phobos", "+25:00", "+09:00x", "9", ""})
    EXPECT_THROW(TimeZone{bad}, InputError) << bad;
}

TEST(TimeParseZone, NamesOfTheDatabase) {
  const auto at = [](const char* zone, const char* text) {
    return TimeParser("iso8601", zone)(text).value() - TimeParser("iso8601")(text).value();
  };
  constexpr std::int64_t kHour = 3600000;
  EXPECT_EQ(at("Asia/Tokyo", "2020-09-13T12:00:00"), -9 * kHour);
  EXPECT_EQ(at("Europe/Berlin", "2020-01-13T12:00:00"), -kHour);
  EXPECT_EQ(at("Europe/Berlin", "2020-07-13T12:00:00"), -2 * kHour);
  EXPECT_EQ(at("Europe/Berlin", "2090-07-13T12:00:00"), -2 * kHour) << "by the rule";
  EXPECT_EQ(at("America/New_York", "2020-07-13T12:00:00"), 4 * kHour);
  EXPECT_EQ(at("Europe/Berlin", "2020-10-25T02:30:00"), -2 * kHour) << "twice: the first";
  EXPECT_EQ(at("Europe/Berlin", "2020-03-29T02:30:00"), -kHour) << "never: as far behind";
}

struct Settled {
  std::vector<std::int64_t> times;
  std::string told;
};

Settled settle(const std::vector<std::string>& texts, const std::string& format = "auto") {
  const TimeParser parse(format);
  TimeCounts counts;
  Settled settled;
  for (const std::string& text : texts) {
    TimeUnit unit = TimeUnit::text;
    settled.times.push_back(parse(text, unit).value());
    counts.add(unit);
  }
  for (const std::string& message : settle_times(settled.times, counts, parse, "column 'time'"))
    settled.told += message + "\n";
  return settled;
}

TEST(TimeParseColumn, DatesWrittenAsNumbersAreDates) {
  const auto ms = [](const char* text) { return TimeParser("iso8601")(text).value(); };
  const Settled days = settle({"20200801", "20201231", "20210101"});
  EXPECT_EQ(days.times, (std::vector{ms("2020-08-01"), ms("2020-12-31"), ms("2021-01-01")}));
  EXPECT_NE(days.told.find("%Y%m%d"), std::string::npos) << days.told;
  EXPECT_EQ(settle({"202008", "202101"}).times, (std::vector{ms("2020-08-01"), ms("2021-01-01")}));
  EXPECT_EQ(settle({"2020080112"}).times, std::vector{ms("2020-08-01T12:00")});
  EXPECT_EQ(settle({"202008011230"}).times, std::vector{ms("2020-08-01T12:30")});
  EXPECT_EQ(settle({"20200801123059"}).times, std::vector{ms("2020-08-01T12:30:59")});
  const Settled others = settle({"20200801", "20200901", "5"});
  EXPECT_EQ(others.times[0], 20200801000) << "one is no date, so none is read as one";
  EXPECT_NE(others.told.find("2 of 3"), std::string::npos) << others.told;
  EXPECT_NE(others.told.find("%Y%m%d"), std::string::npos) << others.told;
  EXPECT_EQ(settle({"20200801"}, "s").times[0], 20200801000) << "as it was asked for";
  EXPECT_NE(settle({"20200801"}, "s").told.find("%Y%m%d"), std::string::npos);
}

TEST(TimeParseColumn, TellsOfUnitsFoundByMagnitude) {
  EXPECT_EQ(settle({"1600000000", "1500000000"}).told, "");
  EXPECT_EQ(settle({"1600000000000"}).told, "");
  EXPECT_EQ(settle({"2020-09-13"}).told, "");
  EXPECT_NE(settle({"1600000000000000"}).told.find("microseconds"), std::string::npos);
  EXPECT_NE(settle({"1600000000000000000"}).told.find("nanoseconds"), std::string::npos);
  const std::string mixed = settle({"1600000000", "1600000000", "1600000000000"}).told;
  EXPECT_NE(mixed.find("2 seconds, 1 milliseconds"), std::string::npos) << mixed;
  EXPECT_NE(settle({"1600000000", "2020-09-13"}).told.find("1 text"), std::string::npos);
  EXPECT_NE(settle({"1", "2", "3"}).told.find("1970"), std::string::npos) << "order numbers";
  EXPECT_NE(settle({"1600000000"}, "us").told.find("1970"), std::string::npos);
  EXPECT_EQ(settle({}).told, "");
}

TEST(TimeParseExpectation, NamesTheFormat) {
  EXPECT_NE(TimeParser("auto").expectation().find("ISO-8601"), std::string::npos);
  EXPECT_NE(TimeParser("ms").expectation().find("milliseconds"), std::string::npos);
  EXPECT_NE(TimeParser("%d.%m.%Y").expectation().find("%d.%m.%Y"), std::string::npos);
}

}  // namespace
}  // namespace penchant::pipeline
