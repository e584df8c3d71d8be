// SPDX-License-Identifier: Apache-2.0
// Each row's weight is its place in the log, so that a part tells which rows it was given.
#include "graph/split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/events.h"
#include "graph/part_overlap.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

using testing::HasSubstr;

enum class Times { tied, distinct };

Interactions tagged_log(Times times, std::int64_t rows = 900) {
  Interactions log = random_log(60, 40, rows, 51, 50);
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    log.weight[row] = static_cast<float>(row);
    // 7919 has no common factor with the number of rows: every time occurs once, in no order of
    // rows.
    if (times == Times::distinct) log.time_ms[row] = static_cast<std::int64_t>(row) * 7919 % rows;
  }
  return log;
}

std::vector<std::size_t> tags(const Interactions& part) {
  std::vector<std::size_t> rows;
  for (const float weight : part.weight) rows.push_back(static_cast<std::size_t>(weight));
  return rows;
}

/// Rows of `log` in the order of a part, every column included.
void expect_rows_of(const Interactions& log, const Interactions& part) {
  const std::vector<std::size_t> rows = tags(part);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end())) << "a part keeps the order of the log";
  ASSERT_EQ(part.user.size(), rows.size());
  ASSERT_EQ(part.session.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = rows[i];
    ASSERT_EQ(part.user[i], log.user[row]);
    ASSERT_EQ(part.item[i], log.item[row]);
    ASSERT_EQ(part.time_ms[i], log.time_ms[row]);
    ASSERT_EQ(part.event[i], log.event[row]);
    ASSERT_EQ(part.session[i], log.session[row]);
  }
}

std::map<NodeId, std::int64_t> rows_by_user(const Interactions& log) {
  std::map<NodeId, std::int64_t> count;
  for (const NodeId user : log.user) ++count[user];
  return count;
}

class SplitEveryWay : public testing::TestWithParam<SplitMethod> {};
std::string name_of(const testing::TestParamInfo<SplitMethod>& tested) {
  constexpr const char* kNames[] = {"given",           "global_time",
                                    "leave_one_out",   "leave_last_session",
                                    "random_per_user", "hidden_items"};
  return kNames[static_cast<int>(tested.param)];
}
INSTANTIATE_TEST_SUITE_P(Methods, SplitEveryWay,
                         testing::Values(SplitMethod::given, SplitMethod::global_time,
                                         SplitMethod::leave_one_out,
                                         SplitMethod::leave_last_session,
                                         SplitMethod::random_per_user, SplitMethod::hidden_items),
                         name_of);

TEST_P(SplitEveryWay, PartsAreDisjointAndComplete) {
  for (const Times times : {Times::tied, Times::distinct}) {
    for (const auto& [validation, test] :
         {std::pair{0.1, 0.2}, {0.0, 0.0}, {0.5, 0.3}, {0.0, 0.6}}) {
      const Interactions log = tagged_log(times);
      const SplitInteractions split =
          split_interactions(log, {}, {GetParam(), validation, test, Seed{5}});
      std::vector<std::size_t> all;
      for (const Interactions* part : {&split.train.interactions, &split.validation, &split.test}) {
        expect_rows_of(log, *part);
        const std::vector<std::size_t> rows = tags(*part);
        all.insert(all.end(), rows.begin(), rows.end());
      }
      std::sort(all.begin(), all.end());
      ASSERT_EQ(all.size(), log.user.size());
      for (std::size_t row = 0; row < all.size(); ++row) ASSERT_EQ(all[row], row);
      if (times == Times::distinct) check_no_leak(split, Repeats::allowed);
    }
  }
}

TEST_P(SplitEveryWay, IsAFunctionOfLogAndOptions) {
  const auto train = [&](std::uint64_t seed) {
    const SplitOptions options{GetParam(), 0.1, 0.2, Seed{seed}};
    return tags(split_interactions(tagged_log(Times::tied), {}, options).train.interactions);
  };
  EXPECT_EQ(train(5), train(5));
  const bool seeded = GetParam() == SplitMethod::given ||
                      GetParam() == SplitMethod::random_per_user ||
                      GetParam() == SplitMethod::hidden_items;
  EXPECT_EQ(train(5) != train(6), seeded);
}

TEST_P(SplitEveryWay, MissingColumnsStayMissing) {
  Interactions log = tagged_log(Times::tied);
  log.weight.clear();
  log.event.clear();
  log.session.clear();
  const SplitInteractions split = split_interactions(log, {}, {.method = GetParam()});
  for (const Interactions* part : {&split.train.interactions, &split.validation, &split.test}) {
    EXPECT_EQ(part->time_ms.size(), part->user.size());
    EXPECT_TRUE(part->weight.empty() && part->event.empty() && part->session.empty());
  }
}

TEST_P(SplitEveryWay, RefusesFractionsOutsideZeroToOne) {
  for (const double bad : {-0.1, 1.0, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    SplitOptions options{.method = GetParam()};
    options.validation_fraction = bad;
    EXPECT_THROW(split_interactions(tagged_log(Times::tied), {}, options), InputError) << bad;
    options = {.method = GetParam()};
    options.test_fraction = bad;
    EXPECT_THROW(split_interactions(tagged_log(Times::tied), {}, options), InputError) << bad;
  }
}

TEST_P(SplitEveryWay, RefusesALogWithoutATrainingRow) {
  EXPECT_THROW(split_interactions({}, {}, {.method = GetParam()}), InputError);
}

// Rows that are left out change nothing for the others, and columns may wait in another order.
TEST_P(SplitEveryWay, RowsLeftOutAndColumnsToMoveChangeNothing) {
  const Interactions log = tagged_log(Times::distinct, 5000);
  const auto num_rows = static_cast<std::uint32_t>(log.user.size());
  const SplitOptions options = {GetParam(), 0.25, 0.3, Seed{5}};
  std::vector<Part> parts(num_rows, Part::train);
  Interactions kept;  // the same rows without those that are left out
  Interactions moved = log;
  std::vector<std::uint32_t> order;
  for (std::uint32_t row = 0; row < num_rows; ++row) {
    const std::uint32_t place = row * 7919 % num_rows;
    order.push_back(place);
    moved.weight[place] = log.weight[row];
    moved.event[place] = log.event[row];
    moved.session[place] = log.session[row];
    if (row * 31 % 7 < 2) {
      parts[row] = Part::left_out;
      continue;
    }
    kept.user.push_back(log.user[row]);
    kept.item.push_back(log.item[row]);
    kept.weight.push_back(log.weight[row]);
    kept.time_ms.push_back(log.time_ms[row]);
    kept.session.push_back(log.session[row]);
  }
  const SplitInteractions want = split_interactions(kept, {}, options);
  assign_parts(
      [&] {
        Interactions waiting = log;
        waiting.session = moved.session;
        return waiting;
      }(),
      options, parts, order);
  const SplitInteractions got = divide_log(moved, order, parts);
  EXPECT_EQ(tags(got.train.interactions), tags(want.train.interactions));
  EXPECT_EQ(tags(got.validation), tags(want.validation));
  EXPECT_EQ(tags(got.test), tags(want.test));
  for (const Interactions* part : {&got.train.interactions, &got.validation, &got.test})
    expect_rows_of(log, *part);
}

TEST(Split, RandomTakesItsShareOfEachUser) {
  for (const auto& [validation, test] : {std::pair{0.1, 0.2}, {0.5, 0.5}, {0.9, 0.99}}) {
    Interactions log = tagged_log(Times::distinct, 300);
    log.session.clear();
    const SplitInteractions split =
        split_interactions(log, {}, {SplitMethod::random_per_user, validation, test, Seed{5}});
    auto in_test = rows_by_user(split.test);
    auto in_validation = rows_by_user(split.validation);
    for (const auto& [user, count] : rows_by_user(log)) {
      const auto want_test =
          std::min<std::int64_t>(std::lround(test * static_cast<double>(count)), count - 1);
      const std::int64_t left = count - want_test;
      const auto want_validation =
          std::min<std::int64_t>(std::lround(validation * static_cast<double>(left)), left - 1);
      EXPECT_EQ(in_test[user], want_test) << "user " << user << " of " << count << " rows";
      EXPECT_EQ(in_validation[user], want_validation)
          << "user " << user << " of " << count << " rows";
    }
  }
}

// One of five rows each: every place of a user's history must be equally likely, within five
// standard deviations.
TEST(Split, RandomPrefersNoPlace) {
  constexpr int kUsers = 4000;
  Interactions log;
  for (NodeId user = 0; user < kUsers; ++user) {
    for (NodeId item = 0; item < 5; ++item) {
      log.user.push_back(user);
      log.item.push_back(item);
    }
  }
  const SplitInteractions split =
      split_interactions(log, {}, {SplitMethod::random_per_user, 0.25, 0.2, Seed{5}});
  for (const Interactions* part : {&split.test, &split.validation}) {
    ASSERT_EQ(part->size(), kUsers);
    for (NodeId place = 0; place < 5; ++place) {
      EXPECT_NEAR(static_cast<double>(std::count(part->item.begin(), part->item.end(), place)),
                  kUsers / 5.0, 5 * std::sqrt(kUsers * 0.2 * 0.8));
    }
  }
}

/// A log without times in which a third of the rows repeat a pair.
Interactions log_with_repeated_pairs() {
  Interactions log = random_log(60, 40, 900, 51, 50);
  log.time_ms.clear();
  log.session.clear();
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    log.weight[row] = static_cast<float>(row);
    if (row % 3 == 2 && log.user[row] == log.user[row - 2]) log.item[row] = log.item[row - 2];
  }
  return log;
}

TEST(Split, RandomKeepsTheRowsOfAPairTogether) {
  const Interactions log = log_with_repeated_pairs();
  for (const SplitMethod method :
       {SplitMethod::random_per_user, SplitMethod::given, SplitMethod::hidden_items}) {
    const SplitInteractions split = split_interactions(log, {}, {method, 0.25, 0.3, Seed{5}});
    EXPECT_GT(split.validation.size(), 50);
    EXPECT_EQ(check_no_leak(split, Repeats::forbidden), 0.0);
    std::set<std::pair<NodeId, NodeId>> held_out;
    for (std::size_t row = 0; row < split.validation.user.size(); ++row)
      held_out.emplace(split.validation.user[row], split.validation.item[row]);
    for (std::size_t row = 0; row < split.test.user.size(); ++row)
      EXPECT_FALSE(held_out.contains({split.test.user[row], split.test.item[row]}));
    EXPECT_EQ(split.train.interactions.size() + split.validation.size() + split.test.size(), 900);
  }
}

TEST(Split, RandomCountsDistinctPairs) {
  Interactions log;  // four pairs in eight rows
  log.user.assign(8, 0);
  log.item = {1, 2, 1, 3, 1, 4, 2, 1};
  const SplitInteractions split =
      split_interactions(log, {}, {SplitMethod::random_per_user, 0.0, 0.5, Seed{5}});
  EXPECT_EQ(std::set<NodeId>(split.test.item.begin(), split.test.item.end()).size(), 2U);
  const SplitInteractions most =
      split_interactions(log, {}, {SplitMethod::random_per_user, 0.0, 0.99, Seed{5}});
  EXPECT_EQ(std::set<NodeId>(most.test.item.begin(), most.test.item.end()).size(), 3U)
      << "one stays";
}

// Repeats of a pair at another time are other rows: what a log without exact repeats gives does not
// change by them.
TEST(Split, RandomTellsTimesApart) {
  Interactions log = log_with_repeated_pairs();
  for (std::size_t row = 0; row < log.user.size(); ++row)
    log.time_ms.push_back(static_cast<std::int64_t>(row));
  const SplitOptions options = {SplitMethod::random_per_user, 0.25, 0.3, Seed{5}};
  const SplitInteractions split = split_interactions(log, {}, options);
  EXPECT_GT(check_no_leak(split, Repeats::allowed), 0.1);
  for (std::size_t row = 0; row < log.item.size(); ++row) log.item[row] = static_cast<NodeId>(row);
  const SplitInteractions distinct = split_interactions(log, {}, options);
  EXPECT_EQ(tags(split.test), tags(distinct.test));
  EXPECT_EQ(tags(split.validation), tags(distinct.validation));
}

TEST(Split, GlobalTimeCutsTheTimeLineInThree) {
  for (const Times times : {Times::tied, Times::distinct}) {
    const Interactions log = tagged_log(times);
    const SplitInteractions split =
        split_interactions(log, {}, {SplitMethod::global_time, 0.25, 0.2, Seed{5}});
    const auto span = [](const Interactions& part) {
      const auto [first, last] = std::minmax_element(part.time_ms.begin(), part.time_ms.end());
      return std::pair{*first, *last};
    };
    EXPECT_LT(span(split.train.interactions).second, span(split.validation).first);
    EXPECT_LT(span(split.validation).second, span(split.test).first);
    // Equal times stay together, so only the earliest time of a part may overshoot its share of 180
    // and (900 - test) / 4 rows.
    const auto expect_share = [&](const Interactions& part, std::int64_t want) {
      const auto at_edge = std::count(part.time_ms.begin(), part.time_ms.end(), span(part).first);
      EXPECT_GE(part.size(), want);
      EXPECT_LT(part.size() - at_edge, want);
      EXPECT_TRUE(times == Times::tied || part.size() == want);
    };
    expect_share(split.test, 180);
    expect_share(split.validation,
                 std::lround(0.25 * static_cast<double>(900 - split.test.size())));
  }
}

TEST(Split, GlobalTimeCutsAtTheQuantileOfAnyTimes) {
  // Narrow and wide ranges, up to all of int64.
  for (const std::int64_t scale : {1LL, 1000LL, 1LL << 40, 1LL << 57}) {
    Interactions log = tagged_log(Times::distinct);
    for (std::int64_t& time : log.time_ms)
      time = time / 30 * scale - (scale > 1000 ? 15 * scale : 0);
    std::vector<std::int64_t> sorted = log.time_ms;
    std::sort(sorted.begin(), sorted.end());
    for (const double fraction : {0.01, 0.3, 0.9}) {
      const SplitInteractions split =
          split_interactions(log, {}, {SplitMethod::global_time, 0.0, fraction, Seed{5}});
      const auto count = static_cast<std::size_t>(std::lround(fraction * 900));
      const std::int64_t threshold = sorted[900 - count];
      const auto want = sorted.end() - std::lower_bound(sorted.begin(), sorted.end(), threshold);
      EXPECT_EQ(split.test.size(), want) << scale << " " << fraction;
    }
  }
}

TEST(Split, GlobalTimeNeedsTimesThatDiffer) {
  Interactions log = tagged_log(Times::tied);
  log.time_ms.assign(log.user.size(), 7);
  EXPECT_THROW(split_interactions(log, {}, {.method = SplitMethod::global_time}), InputError);
  log.time_ms.clear();
  EXPECT_THROW(split_interactions(log, {}, {.method = SplitMethod::global_time}), InputError);
}

TEST(Split, LeaveOneOutTakesTheLastTwoOfThreeOrMore) {
  Interactions log;
  log.user = {0, 1, 1, 2, 2, 2, 5, 5, 5, 5};
  log.item = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
  const SplitInteractions split =
      split_interactions(log, {}, {.method = SplitMethod::leave_one_out});
  EXPECT_EQ(split.train.interactions.item, (std::vector<NodeId>{9, 8, 7, 6, 3, 2}));
  EXPECT_EQ(split.validation.item, (std::vector<NodeId>{5, 1}));
  EXPECT_EQ(split.test.item, (std::vector<NodeId>{4, 0}));
}

TEST(Split, LeaveOneOutTakesAllRowsOfOneTime) {
  Interactions log;
  log.user = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3};
  log.item = {1, 2, 3, 2, 3, 1, 1, 1, 5, 4, 4, 1, 2};
  log.time_ms = {1, 2, 3, 3, 3, 7, 7, 7, 1, 2, 2, 1, 2};
  const SplitInteractions split =
      split_interactions(log, {}, {.method = SplitMethod::leave_one_out});
  EXPECT_EQ(split.test.user, (std::vector<NodeId>{0, 0, 0, 2, 2}));
  EXPECT_EQ(split.test.item, (std::vector<NodeId>{3, 2, 3, 4, 4}));
  EXPECT_EQ(split.validation.item, std::vector<NodeId>{2}) << "of three events";
  EXPECT_EQ(split.train.interactions.user, (std::vector<NodeId>{0, 1, 1, 1, 2, 3, 3}))
      << "one event is too few, and so are two single rows";
  const SplitInteractions last =
      split_interactions(log, {}, {.method = SplitMethod::leave_last_session});
  EXPECT_EQ(last.test.user, (std::vector<NodeId>{0, 0, 0, 2, 2, 3}));
}

/// Orders: two of each of two users, in one column that is time as well.
Interactions orders() {
  Interactions log;
  log.user = {0, 0, 0, 0, 0, 1, 1, 1, 1};
  log.item = {0, 1, 2, 3, 4, 2, 0, 1, 3};
  log.session = {1, 1, 2, 2, 2, 1, 1, 2, 2};
  return log;
}

TEST(Split, TheLastOrderIsHeldOutWhole) {
  for (const bool timed : {false, true}) {
    for (const bool sessions : {false, true}) {
      if (!timed && !sessions) continue;
      Interactions log = orders();
      if (timed) log.time_ms.assign(log.session.begin(), log.session.end());
      if (!sessions) log.session.clear();
      for (const SplitMethod method :
           {SplitMethod::leave_one_out, SplitMethod::leave_last_session}) {
        const SplitInteractions split = split_interactions(log, {}, {.method = method});
        EXPECT_EQ(split.test.item, (std::vector<NodeId>{2, 3, 4, 1, 3}));
        EXPECT_EQ(split.train.interactions.item, (std::vector<NodeId>{0, 1, 2, 0}));
        EXPECT_TRUE(split.validation.empty());
      }
    }
  }
}

TEST(Split, OfThreeOrdersTheSecondIsValidation) {
  Interactions log = orders();
  log.user = std::vector<NodeId>(9, 0);
  log.session = {7, 7, 9, 9, 8, 8, 9, 8, 8};  // 9 begins before 8 and ends before it
  const SplitInteractions split =
      split_interactions(log, {}, {.method = SplitMethod::leave_last_session});
  EXPECT_EQ(split.test.session, std::vector<std::int32_t>(4, 8));
  EXPECT_EQ(split.validation.session, std::vector<std::int32_t>(3, 9));
  EXPECT_EQ(split.train.interactions.session, std::vector<std::int32_t>(2, 7));
}

TEST(Split, TheLastSessionNeedsSessionsOrTimes) {
  Interactions log = orders();
  log.session.clear();
  EXPECT_THROW(split_interactions(log, {}, {.method = SplitMethod::leave_last_session}),
               InputError);
}

// One row of a user holds an item of another session at one time: apart, one would tell of the
// other, and the leak check would refuse the split.
TEST(Split, SessionsThatShareAnItemAtOneTimeAreOneEvent) {
  Interactions log;
  log.user = {0, 0, 0, 0, 0};
  log.item = {1, 2, 3, 3, 4};
  log.time_ms = {1, 2, 5, 5, 5};
  log.session = {1, 2, 3, 4, 4};
  const SplitInteractions split =
      split_interactions(log, {}, {.method = SplitMethod::leave_last_session});
  EXPECT_EQ(split.test.item, (std::vector<NodeId>{3, 3, 4}));
  EXPECT_EQ(split.validation.item, std::vector<NodeId>{2});
}

TEST(Split, NoMethodByPlaceInHistoryCutsAnEvent) {
  const auto parts_of = [](const SplitInteractions& split, auto event_of) {
    std::map<std::pair<NodeId, std::int64_t>, std::set<int>> parts;
    int number = 0;
    for (const Interactions* part : {&split.train.interactions, &split.validation, &split.test}) {
      for (std::size_t row = 0; row < part->user.size(); ++row)
        parts[{part->user[row], event_of(*part, row)}].insert(number);
      ++number;
    }
    return parts;
  };
  for (const SplitMethod method : {SplitMethod::given, SplitMethod::leave_one_out,
                                   SplitMethod::leave_last_session, SplitMethod::random_per_user}) {
    Interactions log = tagged_log(Times::tied);
    const SplitInteractions by_session = split_interactions(log, {}, {method, 0.25, 0.3, Seed{5}});
    EXPECT_GT(by_session.validation.size(), 0);
    for (const auto& [event, parts] : parts_of(by_session, [](const auto&part, std::size_t row) {
           return part.session[row] == kNoNode ? -2 - static_cast<std::int64_t>(part.time_ms[row])
                                               : std::int64_t{part.session[row]};
         }))
      EXPECT_EQ(parts.size(), 1U) << "session " << event.second;
    EXPECT_EQ(count_cut_sessions(by_session).cut, 0);
    log.session.clear();
    const SplitInteractions by_time = split_interactions(log, {}, {method, 0.25, 0.3, Seed{5}});
    for (const auto& [event, parts] :
         parts_of(by_time, [](const auto&part, std::size_t row) { return part.time_ms[row]; }))
      EXPECT_EQ(parts.size(), 1U) << "time " << event.second;
  }
}

TEST(CutSessions, CountsThoseInSeveralParts) {
  SplitInteractions split;
  split.train.interactions.user = {0, 0, 0, 1, 2};
  split.train.interactions.session = {1, 2, kNoNode, 1, 5};
  split.validation.user = {0, 0, 2};
  split.validation.session = {2, 3, kNoNode};
  split.test.user = {0, 0, 1, 2};
  split.test.session = {3, 4, 2, 6};
  // Of user 0: 2 in train and validation, 3 in validation and test. User 1's 2 is another's.
  const CutSessions sessions = count_cut_sessions(split);
  EXPECT_EQ(sessions.cut, 2);
  EXPECT_EQ(sessions.all, 5) << "2, 3 and 4 of user 0, 2 of user 1, 6 of user 2";
  EXPECT_EQ(count_cut_sessions({}).cut, 0);
}

TEST(Split, HiddenItemsKeepsAllRowsOfAShareOfTheItemsOutOfTrain) {
  const Interactions log = tagged_log(Times::tied);
  SplitOptions options;
  options.method = SplitMethod::hidden_items;
  options.test_fraction = 0.25;
  const SplitInteractions split = split_interactions(log, {}, options);
  const std::set<NodeId> hidden(split.test.item.begin(), split.test.item.end());
  const std::set<NodeId> all(log.item.begin(), log.item.end());
  EXPECT_EQ(hidden.size(), (all.size() + 2) / 4);
  for (const Interactions* part : {&split.train.interactions, &split.validation}) {
    EXPECT_FALSE(part->item.empty());
    for (const NodeId item : part->item) EXPECT_FALSE(hidden.contains(item));
  }
  options.seed = Seed{7};
  const SplitInteractions other = split_interactions(log, {}, options);
  EXPECT_NE(std::set<NodeId>(other.test.item.begin(), other.test.item.end()), hidden);
}

TEST(Split, GivenKeepsTheTestFileWhole) {
  const Interactions given = random_log(9, 9, 70, 52);
  const SplitInteractions split =
      split_interactions(tagged_log(Times::tied), given, {.method = SplitMethod::given});
  EXPECT_EQ(split.test.user, given.user);
  EXPECT_EQ(split.test.item, given.item);
  EXPECT_EQ(split.test.time_ms, given.time_ms);
  EXPECT_EQ(split.test.session, given.session);
  EXPECT_FALSE(split.validation.empty());
}

TEST(SplitDeathTest, RefusesAnUnsortedLog) {
  Interactions log;
  log.user = {1, 0};
  log.item = {0, 0};
  EXPECT_DEATH(static_cast<void>(split_interactions(log, {}, {})), "internal error");
}

}  // namespace
}  // namespace penchant::graph
