// SPDX-License-Identifier: Apache-2.0
// Bodies of requests: what they may hold, at their limits and just beyond, and that a refusal names
// the key and what was expected there.
#include "pipeline/serve/request_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr std::int64_t kNow = 1'764'487'000'000;
constexpr RequestLimits kLimits{4, 50};

/// "400 bad_request: what was wrong".
template <typename Parse>
std::string request_error_of(Parse parse) {
  try {
    parse();
  } catch (const RequestError& error) {
    return std::to_string(error.status()) + " " + error.code() + ": " + error.what();
  }
  ADD_FAILURE() << "no RequestError";
  return {};
}
std::string recommend_error(const std::string& body) {
  return request_error_of([&] { parse_recommend_request(body, kLimits); });
}
std::string events_error(const std::string& body) {
  return request_error_of([&] { parse_events_request(body, kLimits, kNow); });
}
std::string so_often(const std::string& text, int times) {
  std::string all;
  for (int k = 0; k < times; ++k) all += (k == 0 ? "" : ",") + text;
  return all;
}

TEST(RequestJson, AListHasDefaults) {
  const ListRequest request = parse_recommend_request(R"({"user": "u1"})", kLimits);
  EXPECT_EQ(request.user, "u1");
  EXPECT_EQ(request.k, 20);
  EXPECT_FALSE(request.history || request.item || request.ranking || request.seen);
  EXPECT_TRUE(request.filter.empty());
  EXPECT_THAT(request.filter_key, IsEmpty());
  EXPECT_EQ(request.unknown, UnknownRawIds::error);
}

TEST(RequestJson, NullIsNothing) {
  const ListRequest request = parse_recommend_request(
      R"({"user": "u1", "history": null, "k": null, "where": null, "exclude": null})", kLimits);
  EXPECT_EQ(request.user, "u1");
  EXPECT_EQ(request.k, 20);
  EXPECT_TRUE(request.filter.empty());
}

TEST(RequestJson, IdsAreTextsOrWholeNumbers) {
  const auto user_of = [](const std::string& id) {
    return *parse_recommend_request("{\"user\": " + id + "}", kLimits).user;
  };
  EXPECT_EQ(user_of("4711"), "4711");
  EXPECT_EQ(user_of("-7"), "-7");
  EXPECT_EQ(user_of("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(user_of(R"("a\u0000\ud83d\ude00")"), std::string("a\0\xF0\x9F\x98\x80", 6));
  EXPECT_EQ(user_of("\"" + std::string(4096, 'x') + "\"").size(), 4096U);
  EXPECT_EQ(user_of("\"" + std::string(4095, 'x') + "\xE2\x82\xAC\"").size(), 4098U);
  for (const char* id : {"1.5", "true", "[]", "{}", "18446744073709551616", "1e400", "\"\""})
    EXPECT_THAT(recommend_error(std::string("{\"user\": ") + id + "}"),
                HasSubstr("400 bad_request"))
        << id;
  EXPECT_THAT(recommend_error("{\"user\": \"" + std::string(4097, 'x') + "\"}"),
              HasSubstr("user has 4097 letters, expected at most 4096"));
}

TEST(RequestJson, BodiesThatAreNone) {
  for (const char* body :
       {"", " ", "{", "[]", "null", "7", "{} {}", "{\"user\": \"\xff\"}", "{\"user\": \"\\ud800\"}",
        "{\"user\": NaN}", "{'user': 1}", "{\"user\": 1,}", "{\"user\": \"u\ta\"}"})
    EXPECT_THAT(recommend_error(body), HasSubstr("400 bad_request: the body is")) << body;
  EXPECT_THAT(recommend_error("{}"), HasSubstr("expected either user or history"));
  EXPECT_THAT(recommend_error(R"({"user": 1, "history": [1]})"),
              HasSubstr("expected either user or history"));
  EXPECT_THAT(recommend_error(R"({"user": 1, "usr": 1})"),
              AllOf(HasSubstr("'usr' is no key of this request"), HasSubstr("user, history, k")));
}

TEST(RequestJson, DepthIsBounded) {
  const auto nested = [](int depth) {
    return "{\"where\": " + std::string(static_cast<std::size_t>(depth) - 1, '[') +
           std::string(static_cast<std::size_t>(depth) - 1, ']') + "}";
  };
  EXPECT_THAT(recommend_error(nested(16)), HasSubstr("expected either user or history"));
  EXPECT_THAT(recommend_error(nested(17)), HasSubstr("more than 16 brackets"));
  EXPECT_THAT(recommend_error(std::string(1 << 20, '[')), HasSubstr("more than 16 brackets"));
  EXPECT_EQ(parse_recommend_request(R"({"user": "[[[[[[[[[[[[[[[[[[[[\"[\\"})", kLimits).user,
            "[[[[[[[[[[[[[[[[[[[[\"[\\");
}

TEST(RequestJson, AKeyIsGivenOnce) {
  EXPECT_THAT(recommend_error(R"({"user": "a", "k": 5, "user": "b"})"),
              HasSubstr("the key 'user' is given twice"));
  EXPECT_THAT(recommend_error(R"({"user": "a", "\u0075ser": "b"})"),
              HasSubstr("the key 'user' is given twice"));
  EXPECT_THAT(events_error(R"({"events": [{"user": 1, "item": 2, "item": 3}]})"),
              HasSubstr("the key 'item' is given twice"));
  const auto pairs =
      parse_score_request(R"({"pairs": [{"user": 1, "item": 2}, {"user": 1, "item": 3}]})", kLimits)
          .pairs;
  EXPECT_THAT(pairs, ElementsAre(Pair("1", "2"), Pair("1", "3"))) << "of one object";
}

TEST(RequestJson, TheLengthOfAList) {
  const auto k_of = [](const std::string& k) {
    return parse_recommend_request("{\"user\": 1, \"k\": " + k + "}", kLimits).k;
  };
  EXPECT_EQ(k_of("1"), 1);
  EXPECT_EQ(k_of("50"), 50);
  EXPECT_EQ(k_of("5.0"), 5);
  for (const char* k : {"51", "1e15", "9e99", "18446744073709551615"})
    EXPECT_THAT(recommend_error(std::string("{\"user\": 1, \"k\": ") + k + "}"),
                HasSubstr("400 too_many: k is"))
        << k;
  for (const char* k : {"0", "-1", "-1e30", "1.5", "\"5\"", "true", "[5]"})
    EXPECT_THAT(recommend_error(std::string("{\"user\": 1, \"k\": ") + k + "}"),
                HasSubstr("400 bad_request: k is"))
        << k;
}

TEST(RequestJson, WordsAreThoseOfTheCommandLine) {
  const ListRequest request = parse_recommend_request(
      R"({"user": 1, "ranking": "full", "seen": "keep", "unknown": "skip"})", kLimits);
  EXPECT_EQ(request.ranking, Ranking::full);
  EXPECT_EQ(request.seen, SeenItems::keep);
  EXPECT_EQ(request.unknown, UnknownRawIds::skip);
  EXPECT_THAT(recommend_error(R"({"user": 1, "ranking": "best"})"),
              AllOf(HasSubstr("ranking is 'best'"), HasSubstr("vectors")));
  EXPECT_THAT(recommend_error(R"({"user": 1, "seen": 7})"), HasSubstr("seen is expected to be"));
  EXPECT_TRUE(parse_score_request(R"({"pairs": [], "unknown": "zero"})", kLimits).unknown_is_zero);
  EXPECT_THAT(
      request_error_of([] { parse_score_request(R"({"pairs": [], "unknown": "skip"})", kLimits); }),
      HasSubstr("unknown is 'skip', expected error or zero"));
}

TEST(RequestJson, EqualFiltersHaveEqualKeys) {
  const auto key_of = [](const std::string& filter) {
    return parse_similar_request("{\"item\": 1, " + filter + "}", kLimits).filter_key;
  };
  EXPECT_EQ(key_of(R"("where": "a = 1", "exclude": [1, "2"])"),
            key_of(R"("exclude": ["1", 2], "where": "a = 1", "k": 3)"));
  const std::vector<std::string> different = {
      key_of(R"("exclude": [1])"),    key_of(R"("exclude": [1], "unknown": "skip")"),
      key_of(R"("only_items": [1])"), key_of(R"("only_items": [])"),
      key_of(R"("where": "a = 1")"),  key_of(R"("at_most": ["a=1"])")};
  for (std::size_t a = 0; a < different.size(); ++a) {
    EXPECT_NE(different[a], "");
    for (std::size_t b = 0; b < a; ++b) EXPECT_NE(different[a], different[b]);
  }
  EXPECT_THAT(recommend_error("{\"user\": 1, \"at_most\": [" + so_often("\"a=1\"", 17) + "]}"),
              HasSubstr("too_many: at_most has 17 elements, expected at most 16"));
}

TEST(RequestJson, AHistoryIsPutInTheOrderOfItsTimes) {
  const auto history_of = [](const std::string& history) {
    return *parse_recommend_request("{\"history\": " + history + "}", kLimits).history;
  };
  const AskedHistory plain = history_of(R"(["b", 7, {"item": "a"}])");
  ASSERT_EQ(plain.size(), 3U);
  EXPECT_EQ(plain[1].item, "7");
  EXPECT_FALSE(plain[0].time_ms);
  const AskedHistory timed = history_of(
      R"([{"item": "c", "time": "1970-01-03T00:00:00Z"}, {"item": "a", "time": 86400},
          {"item": "b", "time": 86400.25}, {"item": "a2", "time": "86400"}])");
  ASSERT_EQ(timed.size(), 4U);
  EXPECT_EQ(timed[0].item, "a");
  EXPECT_EQ(timed[1].item, "a2") << "of one time: in the order of the request";
  EXPECT_EQ(timed[2].time_ms, 86'400'250);
  EXPECT_EQ(timed[3].time_ms, 172'800'000);
}

TEST(RequestJson, HistoriesThatAreNone) {
  const auto error = [](const std::string& history) {
    return recommend_error("{\"history\": " + history + "}");
  };
  EXPECT_THAT(error("[]"), HasSubstr("history is empty"));
  EXPECT_THAT(error("\"a\""), HasSubstr("history is expected to be an array"));
  EXPECT_THAT(error("[" + so_often("1", 5) + "]"),
              HasSubstr("too_many: history has 5 elements, expected at most 4"));
  EXPECT_THAT(error(R"(["a", {"item": "b", "time": 5}])"), HasSubstr("time is expected of all"));
  EXPECT_THAT(error(R"(["a", {"item": "b", "event": "view"}])"),
              HasSubstr("event is expected of all"));
  EXPECT_THAT(error(R"([1, {"time": 5}])"), HasSubstr("history[1] has no item"));
  EXPECT_THAT(error(R"([{"item": 1, "when": 5}])"), HasSubstr("'when' is no key of history[0]"));
  EXPECT_THAT(error(R"([{"item": 1, "event": ""}])"), HasSubstr("history[0].event is empty"));
  EXPECT_THAT(error(R"([{"item": 1, "event": 5}])"), HasSubstr("history[0].event is expected"));
  for (const char* time : {"\"yesterday\"", "\"\"", "-1", "1e300", "true", "[]", "\"1969-01-01\"",
                           "\"2101-01-01\"", "99999999999999999999"})
    EXPECT_THAT(error(std::string("[{\"item\": 1, \"time\": ") + time + "}]"),
                AllOf(HasSubstr("400 bad_request: history[0].time is"), HasSubstr("expected")))
        << time;
}

TEST(RequestJson, EventsHaveTheServersTimeOrTheirOwn) {
  const auto events = parse_events_request(
      R"({"events": [{"user": 1, "item": "a"},
                     {"user": "u", "item": 2, "time": "2026-11-30T07:15:00.25+01:00", "event": "cart"},
                     {"user": "u", "item": 2, "time": null, "event": null}]})",
      kLimits, kNow);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].user, "1");
  EXPECT_EQ(events[0].item, "a");
  EXPECT_EQ(events[0].event, "");
  EXPECT_EQ(events[0].time_ms, kNow);
  EXPECT_EQ(events[1].event, "cart");
  EXPECT_EQ(events[1].time_ms, 1'796'019'300'250);
  EXPECT_EQ(events[2].time_ms, kNow);
}

TEST(RequestJson, EventsThatAreNone) {
  EXPECT_THAT(events_error("{}"), HasSubstr("expected events"));
  EXPECT_THAT(events_error(R"({"events": []})"), HasSubstr("events is empty"));
  EXPECT_THAT(events_error(R"({"events": [3]})"),
              HasSubstr("events[0] is expected to be an object"));
  EXPECT_THAT(events_error(R"({"events": [{"user": 1}]})"),
              HasSubstr("events[0]: expected user and item"));
  EXPECT_THAT(events_error(R"({"events": [{"user": 1, "item": 2, "price": 3}]})"),
              HasSubstr("'price' is no key of events[0]"));
  EXPECT_THAT(events_error(R"({"events": [{"user": 1, "item": 2, "event": ""}]})"),
              HasSubstr("events[0].event is empty"));
  EXPECT_THAT(events_error(R"({"events": [{"user": 1, "item": 2, "event": ")" +
                           std::string(4097, 'x') + "\"}]}"),
              HasSubstr("events[0].event has 4097 letters"));
  EXPECT_THAT(events_error("{\"events\": [" + so_often(R"({"user": 1, "item": 2})", 5) + "]}"),
              HasSubstr("too_many: events has 5 elements"));
}

TEST(RequestJson, VectorsOfWhateverIsNamed) {
  const VectorsRequest none = parse_vectors_request("{}", kLimits);
  EXPECT_TRUE(none.users.empty() && none.items.empty() && !none.history);
  const VectorsRequest some =
      parse_vectors_request(R"({"users": [1, "b"], "items": ["c"], "history": ["d"]})", kLimits);
  EXPECT_THAT(some.users, ElementsAre("1", "b"));
  EXPECT_THAT(some.items, ElementsAre("c"));
  EXPECT_EQ(some.history->front().item, "d");
  EXPECT_THAT(
      request_error_of([] { parse_vectors_request("{\"items\": [1, 2, 3, 4, 5]}", kLimits); }),
      HasSubstr("too_many: items has 5"));
  EXPECT_THAT(request_error_of([] { parse_vectors_request(R"({"items": [1, ""]})", kLimits); }),
              HasSubstr("items[1] is empty"));
}

TEST(RequestJson, AReasonIsAskedForOneOfThree) {
  const ExplainRequest one =
      parse_explain_request(R"({"item": 7, "user": "a", "ranking": "full", "top": 3})", kLimits);
  EXPECT_EQ(one.item, "7");
  EXPECT_EQ(one.user, "a");
  EXPECT_EQ(one.ranking, Ranking::full);
  EXPECT_EQ(one.top, 3);
  const auto error_of = [](const std::string& body) {
    return request_error_of([&] { parse_explain_request(body, kLimits); });
  };
  EXPECT_THAT(error_of(R"({"user": 1})"), HasSubstr("expected item"));
  EXPECT_THAT(error_of(R"({"item": 1})"), HasSubstr("either user, history or similar"));
  EXPECT_THAT(error_of(R"({"item": 1, "user": 2, "similar": 3})"),
              HasSubstr("either user, history or similar"));
  EXPECT_THAT(error_of(R"({"item": 1, "user": 2, "top": 0})"), HasSubstr("top is 0"));
  EXPECT_THAT(error_of(R"({"item": 1, "user": 2, "top": 1000000})"), HasSubstr("too_many: top"));
  EXPECT_THAT(error_of(R"({"item": 1, "similar": 3, "ranking": "full"})"),
              HasSubstr("no effect with similar"));
}

}  // namespace
}  // namespace penchant::pipeline
