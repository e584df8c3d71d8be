// SPDX-License-Identifier: Apache-2.0
#include "graph/shop.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

bool operator==(const GeneratedEvent& a, const GeneratedEvent& b) {
  return a.user == b.user && a.item == b.item && a.event == b.event && a.session == b.session &&
         a.time_ms == b.time_ms;
}

TEST(Shop, EventsDependOnOptionsAndPlaceOnly) {
  const Shop shop({});
  const Shop twin({});
  const Shop other({.seed = Seed{43}});
  int equal = 0;
  for (std::int64_t k = 19999; k >= 0; --k) {
    const GeneratedEvent event = shop.event(k);
    ASSERT_TRUE(event == twin.event(k)) << "event " << k;
    equal += event.item == other.event(k).item;
  }
  EXPECT_LT(equal, 2000);
  ASSERT_EQ(shop.items().size(), 500U);
  int equal_price = 0;
  for (std::size_t item = 0; item < 500; ++item) {
    EXPECT_EQ(shop.items()[item].price, twin.items()[item].price);
    EXPECT_EQ(shop.items()[item].brand, twin.items()[item].brand);
    equal_price += shop.items()[item].price == other.items()[item].price;
  }
  EXPECT_LT(equal_price, 50);
}

TEST(Shop, EventsAreSessionsOfOneUserWithinAYear) {
  const Shop shop({.num_users = 70});
  constexpr std::int64_t kYearMs = 365LL * 24 * 60 * 60 * 1000;
  const std::int64_t opens = shop.event(0).time_ms;
  std::array<int, 3> kinds{};
  for (std::int64_t k = 0; k < 20000; ++k) {
    const GeneratedEvent event = shop.event(k);
    ASSERT_EQ(event.session, k / Shop::kSessionLength);
    ASSERT_EQ(event.user, shop.event(k - k % Shop::kSessionLength).user);
    ASSERT_TRUE(event.user >= 0 && event.user < 70);
    ASSERT_NEAR(static_cast<double>(event.time_ms - opens),
                static_cast<double>(kYearMs) * static_cast<double>(k) / 20000.0, 1.0);
    ++kinds[static_cast<std::size_t>(event.event)];
  }
  // 70 % views, 20 % carts, 10 % purchases, within five standard deviations.
  EXPECT_NEAR(kinds[0], 14000, 5 * std::sqrt(20000 * 0.7 * 0.3));
  EXPECT_NEAR(kinds[1], 4000, 5 * std::sqrt(20000 * 0.2 * 0.8));
  EXPECT_NEAR(kinds[2], 2000, 5 * std::sqrt(20000 * 0.1 * 0.9));
}

TEST(Shop, ItemsSayTheirInterest) {
  const Shop shop({});
  std::set<std::int32_t> brands;
  for (NodeId item = 0; item < 500; ++item) {
    EXPECT_EQ(shop.item_interest(item), item % 10);
    EXPECT_EQ(shop.items()[static_cast<std::size_t>(item)].category, item % 10);
    EXPECT_GT(shop.items()[static_cast<std::size_t>(item)].price, 0.0F);
    brands.insert(shop.items()[static_cast<std::size_t>(item)].brand);
  }
  EXPECT_EQ(brands.size(), 40U);
  EXPECT_EQ(*brands.begin(), 0);
  EXPECT_EQ(*brands.rbegin(), 39);
}

TEST(Shop, UsersHaveOneToThreeInterests) {
  const Shop shop({});
  std::array<int, 4> sizes{};
  for (NodeId user = 0; user < 1000; ++user) {
    const std::vector<std::int32_t> interests = shop.user_interests(user);
    ASSERT_TRUE(!interests.empty() && interests.size() <= 3);
    EXPECT_EQ(std::set<std::int32_t>(interests.begin(), interests.end()).size(), interests.size());
    for (const std::int32_t interest : interests) EXPECT_TRUE(interest >= 0 && interest < 10);
    ++sizes[interests.size()];
  }
  for (const std::size_t size : {1U, 2U, 3U}) EXPECT_GT(sizes[size], 150);
}

/// Share of the first 20000 events whose item lies within its user's interests.
double share_of_interest(const Shop& shop) {
  int inside = 0;
  for (std::int64_t k = 0; k < 20000; ++k) {
    const GeneratedEvent event = shop.event(k);
    const std::vector<std::int32_t> interests = shop.user_interests(event.user);
    inside += std::find(interests.begin(), interests.end(), shop.item_interest(event.item)) !=
              interests.end();
  }
  return inside / 20000.0;
}

TEST(Shop, NoiseIsTheShareOfEventsOutsideTheInterests) {
  EXPECT_EQ(share_of_interest(Shop({.noise = 0.0})), 1.0);
  // Of uniformly drawn interests a user's one to three cover 10 % to 30 %, popularity by rank being
  // equal between interests.
  const double noisy = share_of_interest(Shop({.noise = 0.5, .zipf_exponent = 0.0}));
  EXPECT_GT(noisy, 0.5 + 0.5 * 0.1);
  EXPECT_LT(noisy, 0.5 + 0.5 * 0.3);
}

TEST(Shop, LeavesTheLastItemsUnsold) {
  for (const double noise : {0.0, 1.0}) {
    const Shop shop({.num_items = 100, .noise = noise, .zipf_exponent = 0.0, .share_unsold = 0.3});
    std::set<NodeId> sold;
    for (std::int64_t k = 0; k < 20000; ++k) sold.insert(shop.event(k).item);
    EXPECT_EQ(sold.size(), 70U);
    EXPECT_EQ(*sold.rbegin(), 69);
  }
}

// P(rank) ~ (rank + 1)^-s, the law that the header and shop.cc name. Inverting a continuous law
// in its place moves the share of a rank by up to a quarter; five standard deviations are far less.
TEST(Shop, PopularityFollowsAZipfLaw) {
  constexpr std::int64_t kEvents = 200000;
  const Shop shop({.num_items = 1000,
                   .num_events = kEvents,
                   .noise = 1.0,
                   .zipf_exponent = 0.8,
                   .share_unsold = 0.0});
  std::vector<std::int64_t> count(1000, 0);
  for (std::int64_t k = 0; k < kEvents; ++k) ++count[static_cast<std::size_t>(shop.event(k).item)];
  double normalizer = 0.0;
  for (int rank = 0; rank < 1000; ++rank) normalizer += std::pow(rank + 1, -0.8);
  for (const std::size_t rank : {0U, 1U, 2U, 5U, 20U}) {
    const double want = std::pow(static_cast<double>(rank + 1), -0.8) / normalizer;
    EXPECT_NEAR(static_cast<double>(count[rank]) / kEvents, want, 0.3 * want) << "rank " << rank;
  }
}

TEST(Shop, OneOfEverythingWorks) {
  const Shop shop({.num_users = 1,
                   .num_items = 1,
                   .num_events = 1,
                   .num_interests = 7,
                   .num_brands = 1,
                   .share_unsold = 0.99});
  const GeneratedEvent event = shop.event(0);
  EXPECT_EQ(event.user, 0);
  EXPECT_EQ(event.item, 0);
  EXPECT_EQ(shop.options().num_interests, 1) << "no more interests than items that are sold";
  EXPECT_EQ(shop.user_interests(0), std::vector<std::int32_t>{0});
}

TEST(Shop, RefusesImpossibleOptions) {
  const double nan = std::nan("");
  for (const ShopOptions& bad :
       {ShopOptions{.num_users = 0}, ShopOptions{.num_items = 0}, ShopOptions{.num_events = 0},
        ShopOptions{.num_interests = 0}, ShopOptions{.num_brands = 0}, ShopOptions{.noise = -0.1},
        ShopOptions{.noise = 1.1}, ShopOptions{.noise = nan}, ShopOptions{.zipf_exponent = -0.1},
        ShopOptions{.zipf_exponent = 1.0}, ShopOptions{.share_unsold = -0.1},
        ShopOptions{.share_unsold = 1.0}}) {
    EXPECT_THROW(Shop{bad}, InputError);
  }
  EXPECT_THROW(Shop({.num_users = std::int64_t{1} << 31}), InputError);
  EXPECT_THROW(Shop({.num_items = std::int64_t{1} << 31}), InputError);
  EXPECT_THROW(Shop({.num_brands = std::int64_t{1} << 31}), InputError);
  EXPECT_THROW(Shop({.num_events = std::int64_t{1} << 34}), InputError) << "sessions are numbered";
}

}  // namespace
}  // namespace penchant::graph
