// SPDX-License-Identifier: Apache-2.0
#include "graph/shop.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/random.h"

namespace penchant::graph {

namespace {

constexpr std::int64_t kShopOpens = 1735689600000;  // 2025-01-01T00:00:00Z in ms
constexpr std::int64_t kYearMs = 365LL * 24 * 3600 * 1000;

// Positions of the generator's random stream, one substream a purpose.
enum class Purpose : std::uint64_t { item = 1, user, session, event };

Random stream_for(Seed seed, Purpose purpose) {
  return {seed, Stream::generator, static_cast<std::uint64_t>(purpose)};
}

}  // namespace

Shop::Shop(const ShopOptions& options) : options_(options) {
  if (options.num_users < 1 || options.num_items < 1 || options.num_interests < 1 ||
      options.num_brands < 1 || options.num_events < 1) {
    throw InputError("generate: users, items, events, interests and brands must be at least 1");
  }
  if (!(options.noise >= 0 && options.noise <= 1))
    throw InputError("generate: noise must lie between 0 and 1");
  if (!(options.zipf_exponent >= 0 && options.zipf_exponent < 1)) {
    throw InputError("generate: zipf exponent must be at least 0 and below 1");
  }
  if (!(options.share_unsold >= 0 && options.share_unsold < 1)) {
    throw InputError("generate: share of unsold items must be at least 0 and below 1");
  }
  constexpr std::int64_t kMost = std::numeric_limits<NodeId>::max();
  if (options.num_users > kMost || options.num_items > kMost) {
    throw InputError(fmt::format("generate: {} users and {} items, expected at most {} of each",
                                 options.num_users, options.num_items, kMost));
  }
  if (options.num_brands > kMost || options.num_events / kSessionLength >= kMost) {
    throw InputError(
        fmt::format("generate: {} brands and {} events, expected at most {} brands and sessions",
                    options.num_brands, options.num_events, kMost));
  }
  const auto unsold =
      static_cast<std::int64_t>(options.share_unsold * static_cast<double>(options.num_items));
  num_sold_ = std::max<std::int64_t>(1, options.num_items - unsold);
  options_.num_interests = std::min(options.num_interests, num_sold_);
  const Random random = stream_for(options.seed, Purpose::item);
  items_.resize(static_cast<std::size_t>(options.num_items));
  for (std::size_t item = 0; item < items_.size(); ++item) {
    const auto position = static_cast<std::uint64_t>(item) * 2;
    items_[item].category = item_interest(static_cast<NodeId>(item));
    items_[item].brand = static_cast<std::int32_t>(
        random.below(position, static_cast<std::uint64_t>(options.num_brands)));
    items_[item].price =
        std::round(std::exp(static_cast<float>(random.normal(position + 1)) + 3.0F) * 100.0F) /
        100.0F;
  }
}

std::int32_t Shop::item_interest(NodeId item) const {
  return static_cast<std::int32_t>(item % options_.num_interests);
}

std::vector<std::int32_t> Shop::user_interests(NodeId user) const {
  const Random random = stream_for(options_.seed, Purpose::user);
  const auto word = random.words(static_cast<std::uint64_t>(user));
  std::vector<std::int32_t> interests;
  const std::uint32_t count = 1 + word[3] % 3;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto interest =
        static_cast<std::int32_t>(word[i] % static_cast<std::uint32_t>(options_.num_interests));
    if (std::find(interests.begin(), interests.end(), interest) == interests.end())
      interests.push_back(interest);
  }
  return interests;
}

/// Item first + step * rank, where rank < count follows P(rank) ~ (rank + 1)^-zipf_exponent: the
/// inverse of the integral of x^-zipf_exponent over [1/2, count + 1/2].
NodeId Shop::draw_item(std::int64_t first, std::int64_t step, std::int64_t count,
                       double uniform) const {
  const double power = 1.0 - options_.zipf_exponent;
  const double low = std::pow(0.5, power);
  const double high = std::pow(static_cast<double>(count) + 0.5, power);
  const auto rank =
      static_cast<std::int64_t>(std::pow(low + uniform * (high - low), 1.0 / power) - 0.5);
  return static_cast<NodeId>(first + step * std::min(rank, count - 1));
}

GeneratedEvent Shop::event(std::int64_t k) const {
  const std::int64_t session = k / kSessionLength;
  const Random by_session = stream_for(options_.seed, Purpose::session);
  const Random by_user = stream_for(options_.seed, Purpose::user);
  const Random by_event = stream_for(options_.seed, Purpose::event);
  GeneratedEvent event{};
  const double activity = by_session.uniform(static_cast<std::uint64_t>(session));
  event.user = static_cast<NodeId>(std::min(
      options_.num_users - 1, static_cast<std::int64_t>(static_cast<double>(options_.num_users) *
                                                        std::pow(activity, 1.5))));
  event.session = static_cast<std::int32_t>(session);

  const auto word = by_event.words(static_cast<std::uint64_t>(k));
  const auto share = [](std::uint32_t bits) { return static_cast<double>(bits) * 0x1.0p-32; };
  if (share(word[0]) < options_.noise) {
    event.item = draw_item(0, 1, num_sold_, share(word[1]));
  } else {
    const auto taste = by_user.words(static_cast<std::uint64_t>(event.user));
    const std::uint32_t count = 1 + taste[3] % 3;
    const auto interests = static_cast<std::uint32_t>(options_.num_interests);
    const std::int64_t interest = taste[word[2] % count] % interests;
    const std::int64_t members =
        (num_sold_ - interest + options_.num_interests - 1) / options_.num_interests;
    event.item = draw_item(interest, options_.num_interests, members, share(word[1]));
  }
  event.event = word[3] % 10 < 7   ? ShopEvent::view
                : word[3] % 10 < 9 ? ShopEvent::cart
                                   : ShopEvent::purchase;
  event.time_ms =
      kShopOpens + static_cast<std::int64_t>(static_cast<double>(kYearMs) * static_cast<double>(k) /
                                             static_cast<double>(options_.num_events));
  return event;
}

}  // namespace penchant::graph
