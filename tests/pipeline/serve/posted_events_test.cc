// SPDX-License-Identifier: Apache-2.0
// Posted events by user: how many are held, and what is forgotten.
#include "pipeline/serve/posted_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> posted_items(const PostedEvents& posted, std::string_view user) {
  std::vector<std::string> items;
  for (const PostedEvent& event : posted.of(user)) items.push_back(event.item);
  return items;
}

TEST(PostedEventsTest, HoldsTheLastOfEachUser) {
  PostedEvents posted(2, 100);
  posted.add({{"a", "1", "", 5}, {"b", "2", "", 4}, {"a", "3", "", 3}});
  posted.add({{"a", "4", "", 1}});
  EXPECT_THAT(posted_items(posted, "a"), ElementsAre("3", "4")) << "as they came, not by time";
  EXPECT_THAT(posted_items(posted, "b"), ElementsAre("2"));
  EXPECT_THAT(posted_items(posted, "c"), IsEmpty());
  EXPECT_TRUE(posted.has("b"));
  EXPECT_FALSE(posted.has("c"));
  EXPECT_EQ(posted.num_users(), 2);
  EXPECT_EQ(posted.num_events(), 3);
}

TEST(PostedEventsTest, HasRoomForSoManyInAll) {
  PostedEvents posted(10, 3);
  EXPECT_TRUE(posted.has_room(3));
  EXPECT_FALSE(posted.has_room(4));
  posted.add({{"a", "1", "", 5}, {"b", "2", "", 4}});
  EXPECT_TRUE(posted.has_room(1));
  EXPECT_FALSE(posted.has_room(2));
}

TEST(PostedEventsTest, AVersionChangesWithTheUsersEvents) {
  PostedEvents posted(1, 100);
  EXPECT_EQ(posted.version_of("a"), 0U);
  posted.add({{"a", "1", "", 5}, {"b", "1", "", 5}});
  const std::uint64_t first = posted.version_of("a");
  EXPECT_NE(first, 0U);
  posted.add({{"b", "2", "", 6}});
  EXPECT_EQ(posted.version_of("a"), first);
  posted.add({{"a", "1", "", 5}});
  EXPECT_NE(posted.version_of("a"), first);
}

TEST(PostedEventsTest, ForgetsWhatIsKnown) {
  PostedEvents posted(10, 4);
  posted.add({{"a", "1", "", 5}, {"a", "2", "", 6}, {"b", "1", "", 5}, {"c", "2", "", 7}});
  const std::uint64_t of_a = posted.version_of("a"), of_c = posted.version_of("c");
  posted.forget([](const PostedEvent& event) { return event.item == "1"; });
  EXPECT_THAT(posted_items(posted, "a"), ElementsAre("2"));
  EXPECT_NE(posted.version_of("a"), of_a);
  EXPECT_EQ(posted.version_of("c"), of_c);
  EXPECT_FALSE(posted.has("b"));
  EXPECT_EQ(posted.num_users(), 2);
  EXPECT_EQ(posted.num_events(), 2);
  EXPECT_TRUE(posted.has_room(2));
}

}  // namespace
}  // namespace penchant::pipeline
