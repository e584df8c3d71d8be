// SPDX-License-Identifier: Apache-2.0
#include "graph/part_overlap.h"

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// The message of the leak check, or "no leak".
std::string leak(const SplitInteractions& split, Repeats repeats) {
  try {
    check_no_leak(split, repeats);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no leak";
}

/// Users 0 to 9 see item u in train, u + 10 in validation and u + 20 in test, each at its own time.
SplitInteractions clean() {
  SplitInteractions split;
  for (NodeId user = 0; user < 10; ++user) {
    NodeId item = user;
    for (Interactions* part : {&split.train.interactions, &split.validation, &split.test}) {
      part->user.push_back(user);
      part->item.push_back(item);
      part->time_ms.push_back(100 + item);
      part->event.push_back(0);
      item += 10;
    }
  }
  return split;
}

TEST(LeakCheck, NamesTheFirstRowOfManyThousandsAtAnyNumberOfThreads) {
  SplitInteractions split;
  for (NodeId user = 0; user < 100000; ++user) {
    split.train.interactions.user.push_back(user);
    split.train.interactions.item.push_back(user >= 81234 ? 7 : 5);
    for (const NodeId item : {7, 8}) {
      split.test.user.push_back(user);
      split.test.item.push_back(item);
    }
  }
  for (const int threads : {1, 2}) {
    const ThreadCount scope(threads);
    EXPECT_THAT(leak(split, Repeats::forbidden), HasSubstr("(user 81234, item 7)"));
  }
  for (NodeId& item : split.train.interactions.item) item = 5;
  EXPECT_EQ(leak(split, Repeats::forbidden), "no leak");
}

TEST(LeakCheck, PassesDisjointParts) {
  EXPECT_EQ(leak(clean(), Repeats::forbidden), "no leak");
  EXPECT_EQ(leak(clean(), Repeats::allowed), "no leak");
  EXPECT_EQ(leak({}, Repeats::forbidden), "no leak");
}

TEST(LeakCheck, NamesARowThatIsAlsoInTrain) {
  for (const Repeats repeats : {Repeats::allowed, Repeats::forbidden}) {
    SplitInteractions split = clean();
    split.test.item[4] = 4;
    split.test.time_ms[4] = 104;
    EXPECT_THAT(leak(split, repeats), HasSubstr("test row (user 4, item 4)"));
    split.validation.item[9] = 9;
    split.validation.time_ms[9] = 109;
    EXPECT_THAT(leak(split, repeats), HasSubstr("validation row (user 9, item 9)"));
  }
}

TEST(LeakCheck, NamesTheFirstOfSeveralRows) {
  SplitInteractions split;
  split.train.interactions.user = {2, 2, 5};
  split.train.interactions.item = {3, 8, 1};
  split.test = split.train.interactions;
  EXPECT_THAT(leak(split, Repeats::forbidden), HasSubstr("test row (user 2, item 3)"));
}

TEST(LeakCheck, ARepeatAtAnotherTimeIsALeakOnlyIfForbidden) {
  SplitInteractions split = clean();
  split.test.item[0] = 0;
  EXPECT_EQ(leak(split, Repeats::allowed), "no leak");
  EXPECT_THAT(leak(split, Repeats::forbidden), HasSubstr("test row (user 0, item 0)"));
}

TEST(LeakCheck, ReturnsTheShareOfRepeatsInBothHeldOutParts) {
  const auto share = [](const SplitInteractions& split) {
    return check_no_leak(split, Repeats::allowed);
  };
  EXPECT_EQ(share({}), 0.0);
  EXPECT_EQ(share(clean()), 0.0);
  SplitInteractions split = clean();
  split.test.item[9] = 9;
  EXPECT_EQ(share(split), 1.0 / 20);
  split.validation.item[0] = 0;
  EXPECT_EQ(share(split), 2.0 / 20);
  split = clean();
  split.test.item[3] = 4;
  EXPECT_EQ(share(split), 0.0) << "item 4 is another user's";
}

TEST(LeakCheck, CountsEveryRowOfAPairAtAnyNumberOfThreads) {
  SplitInteractions split;
  for (NodeId user = 0; user < 50000; ++user) {
    for (int time = 0; time < 4; ++time) {
      Interactions& part = time < 2 ? split.train.interactions : split.test;
      for (const NodeId item : {time == 2 && user % 5 == 0 ? 9 : 1, 2 + time}) {
        part.user.push_back(user);
        part.item.push_back(item);
        part.time_ms.push_back(time);
      }
    }
  }
  // Of a user's four held-out rows item 1 repeats twice, or once where it is 9 instead.
  for (const int threads : {1, 2}) {
    const ThreadCount scope(threads);
    EXPECT_DOUBLE_EQ(check_no_leak(split, Repeats::allowed), (2 * 0.8 + 1 * 0.2) / 4);
  }
}

TEST(LeakCheck, AnotherUsersRowIsNone) {
  SplitInteractions split = clean();
  split.test.item[3] = 4;
  split.test.time_ms[3] = 104;
  EXPECT_EQ(leak(split, Repeats::allowed), "no leak");
  EXPECT_EQ(leak(split, Repeats::forbidden), "no leak");
}

TEST(LeakCheck, WithoutTimesRepeatsCannotBeToldApart) {
  SplitInteractions split = clean();
  for (Interactions* part : {&split.train.interactions, &split.validation, &split.test})
    part->time_ms.clear();
  split.validation.item[2] = 2;
  EXPECT_EQ(leak(split, Repeats::allowed), "no leak");
  EXPECT_THAT(leak(split, Repeats::forbidden), HasSubstr("validation row (user 2, item 2)"));
}

// --- rows that stand in two parts ---

/// Rows of users 0 and 1, in order; input row i lies at 7 - i.
struct Mixed {
  Interactions log;
  std::vector<std::uint32_t> order = {7, 6, 5, 4, 3, 2, 1, 0};
  std::vector<Part> parts;
  Mixed() {
    log.user = {0, 0, 0, 0, 0, 1, 1, 1};
    log.item = {5, 5, 6, 6, 7, 5, 5, 6};
    log.time_ms = {1, 2, 3, 3, 4, 1, 1, 9};
    log.event.assign(8, 0);  // by input row
    parts = {Part::train, Part::test, Part::validation, Part::test,
             Part::test,  Part::test, Part::validation, Part::train};
  }
};

TEST(Overlap, APairStaysInTheEarliestOfItsParts) {
  Mixed mixed;
  const auto first = drop_overlap(mixed.log, mixed.order, SameRow::item, mixed.parts);
  EXPECT_THAT(mixed.parts,
              ElementsAre(Part::train, Part::left_out, Part::validation, Part::left_out, Part::test,
                          Part::left_out, Part::validation, Part::train));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->input_row, 2U) << "the first in the input";
  EXPECT_EQ(first->user, 1);
  EXPECT_EQ(first->item, 5);
  EXPECT_EQ(first->part, Part::test);
  EXPECT_EQ(first->earlier, Part::validation);
}

TEST(Overlap, WhereRepeatsCountOnlyTheSameTimeAndEventIsTheSameThing) {
  Mixed mixed;
  const std::vector<Part> before = mixed.parts;
  drop_overlap(mixed.log, mixed.order, SameRow::item_time_event, mixed.parts);
  std::vector<Part> want = before;
  want[3] = want[5] = Part::left_out;
  EXPECT_EQ(mixed.parts, want);
  mixed = Mixed();
  mixed.log.event = {0, 0, 0, 0, 0, 1, 0, 0};  // of input row 5: item 6 of user 0 in validation
  drop_overlap(mixed.log, mixed.order, SameRow::item_time_event, mixed.parts);
  want[3] = Part::test;
  EXPECT_EQ(mixed.parts, want);
}

TEST(Overlap, RowsOfOnePartAreNoOverlap) {
  Mixed mixed;
  std::fill(mixed.parts.begin(), mixed.parts.end(), Part::test);
  mixed.parts[0] = mixed.parts[7] = Part::left_out;
  const std::vector<Part> before = mixed.parts;
  EXPECT_FALSE(drop_overlap(mixed.log, {}, SameRow::item, mixed.parts));
  EXPECT_EQ(mixed.parts, before);
}

}  // namespace
}  // namespace penchant::graph
