// SPDX-License-Identifier: Apache-2.0
// Filters: how they are written, and which cells they keep.
#include "pipeline/ingest/row_filter.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "pipeline/tables/number_text.h"

namespace penchant::pipeline {
namespace {

using Values = std::vector<std::string>;
using Verdict = FilterRule::Verdict;

Verdict judge(const char* filter, std::string_view cell, char decimal = '.') {
  return FilterRule(parse_filter(filter), 0).judge(cell, decimal);
}
bool keeps(const char* filter, std::string_view cell) {
  return judge(filter, cell) == Verdict::keep;
}

TEST(RowFilter, ValuesOfAListLoseTheBlanksAroundThemAndMayBeQuoted) {
  EXPECT_EQ(parse_filter("c in a, b ,c").values, (Values{"a", "b", "c"}));
  EXPECT_EQ(parse_filter("c in \"a, b\", c").values, (Values{"a, b", "c"}));
  EXPECT_EQ(parse_filter("c in ' a', \"say \"\"hi\"\"\", \"\"").values,
            (Values{" a", "say \"hi\"", ""}));
  EXPECT_EQ(parse_filter("c in 7\" disc, o'clock, 'tis so").values,
            (Values{"7\" disc", "o'clock", "'tis so"}));
  EXPECT_EQ(parse_filter("c == a, b").values, Values{"a, b"}) << "one value, not a list";
  EXPECT_EQ(parse_filter("c ==  \"a\"").values, Values{"a"});
  EXPECT_EQ(parse_filter("\"made in\" in x").column, "made in");
  EXPECT_EQ(parse_filter("unit price >= 2.5").column, "unit price");
  for (const char* bad : {"quantity", "quantity>0", "", " == 3", "c in a,,b", "c in a,",
                          "c == ", "c ==", "c =~ a", "c = 5", "c IN a"})
    EXPECT_THROW(parse_filter(bad), InputError) << bad;
}

TEST(RowFilter, TextOfAFilterReadsBack) {
  for (const char* text : {"c in a,b", "c in \"a, b\",c", "c == \"\"", "c != a, b", "c < -5",
                           "\"made in\" in x", "c in \" a\",\"say \"\"hi\"\"\"x,y"}) {
    const RowFilter filter = parse_filter(text);
    const RowFilter again = parse_filter(filter_text(filter));
    EXPECT_EQ(again.column, filter.column) << text;
    EXPECT_EQ(again.op, filter.op) << text;
    EXPECT_EQ(again.values, filter.values) << text;
  }
}

TEST(RowFilter, NumbersAreComparedAsNumbers) {
  for (const char* five : {"5", "5.0", "5e0", "05", "+5", "0.5e1", "500e-2", " 5 ", "5."}) {
    EXPECT_TRUE(keeps("c == 5", five)) << five;
    EXPECT_FALSE(keeps("c != 5", five)) << five;
    EXPECT_TRUE(keeps("c in 4, 5.00", five)) << five;
    EXPECT_FALSE(keeps("c not_in 5, x", five)) << five;
    EXPECT_TRUE(keeps("c <= 5", five)) << five;
    EXPECT_FALSE(keeps("c < 5", five)) << five;
  }
  EXPECT_TRUE(keeps("c == 0", "-0.0"));
  EXPECT_TRUE(keeps("c != 5", "5x"));
  EXPECT_TRUE(keeps("c != 5", ""));
  EXPECT_FALSE(keeps("c == 5", ""));
  EXPECT_TRUE(keeps("c == \"\"", ""));
  EXPECT_TRUE(keeps("c == nan", "nan")) << "no number, but the same text";
  EXPECT_FALSE(keeps("c == a", "A"));
  EXPECT_TRUE(keeps("c prefix 5", "50"));
  EXPECT_FALSE(keeps("c prefix 5", "05")) << "a prefix is text";
  EXPECT_EQ(judge("c > 5", "many"), Verdict::not_comparable);
  EXPECT_EQ(judge("c > 5", ""), Verdict::not_comparable);
}

TEST(RowFilter, NumbersThatADoubleCannotTellApartDiffer) {
  EXPECT_FALSE(keeps("c == 9007199254740993", "9007199254740992"));
  EXPECT_TRUE(keeps("c == 9007199254740993", "9007199254740993.0"));
  EXPECT_TRUE(keeps("c > 9007199254740992", "9007199254740993"));
  EXPECT_FALSE(keeps("c > -9007199254740992", "-9007199254740993"));
  EXPECT_TRUE(keeps("c != 18446744073709551615", "18446744073709551614"));
  EXPECT_FALSE(keeps("c == 0.1", "0.1000000000000000001"));
  EXPECT_TRUE(keeps("c == 1e22", "10000000000000000000000"));
}

TEST(RowFilter, TrueAndFalseInAnySpelling) {
  EXPECT_TRUE(keeps("c == true", "True"));
  EXPECT_TRUE(keeps("c == False", "false"));
  EXPECT_FALSE(keeps("c == true", "FALSE"));
  EXPECT_FALSE(keeps("c != TRUE", "true"));
}

TEST(RowFilter, TimesAreComparedAsTimes) {
  EXPECT_TRUE(keeps("c >= 2020-09-13", "2020-09-13 12:26:40"));
  EXPECT_FALSE(keeps("c < 2020-09-13 12:26:40", "2020-09-13T14:26:40+02:00"));
  EXPECT_TRUE(keeps("c == 2020-09-13 12:26:40", "2020-09-13T12:26:40Z"));
  EXPECT_EQ(judge("c >= 2020-09-13", "soon"), Verdict::not_comparable);
  EXPECT_EQ(judge("c >= 2020-09-13", "5"), Verdict::not_comparable);
  const FilterRule rule(parse_filter("c >= 2020-09-13T12:26:40"), 0);
  EXPECT_EQ(rule.judge_time("1600000000000"), Verdict::keep);
  EXPECT_EQ(rule.judge_time("1599999999999"), Verdict::leave_out);
  EXPECT_THROW(FilterRule(parse_filter("c > soon"), 0), InputError);
}

TEST(RowFilter, CellsMayHaveADecimalComma) {
  EXPECT_EQ(judge("c == 3.5", "3,5", ','), Verdict::keep);
  EXPECT_EQ(judge("c > 3.4", "3,50", ','), Verdict::keep);
  EXPECT_EQ(judge("c > 3.4", "3,50"), Verdict::not_comparable);
}

TEST(NumberText, ReadsWhatPeopleWrite) {
  EXPECT_EQ(parse_number("1.5"), 1.5);
  EXPECT_EQ(parse_number("1,5", ','), 1.5);
  EXPECT_EQ(parse_number("-1,5e3", ','), -1500.0);
  for (const char* bad : {"", " ", "+", "-", "+-5", "++5", "1,5", "1.2.3", "0x10", "inf", "nan",
                          "1e400", "5 6", "1_000"})
    EXPECT_EQ(parse_number(bad), std::nullopt) << bad;
  for (const char* bad : {"1.5", "1.234,5", "1,2,3", ","})
    EXPECT_EQ(parse_number(bad, ','), std::nullopt) << bad;
  EXPECT_THAT(decimal_hint("3,5", '.'), ::testing::HasSubstr("data.decimal"));
  EXPECT_THAT(decimal_hint("3.5", ','), ::testing::HasSubstr("data.decimal"));
  EXPECT_EQ(decimal_hint("many", '.'), "");
}

}  // namespace
}  // namespace penchant::pipeline
