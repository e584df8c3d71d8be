// SPDX-License-Identifier: Apache-2.0
// A seeded shop with planted interests, for tests and for people without data. Graphs for
// throughput: graph/rmat.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/ids.h"

namespace penchant::graph {

/// A shop in which each user has one to three of `num_interests` hidden interests. Item i belongs
/// to interest i mod num_interests, and its category says so; popularity within an interest follows
/// a Zipf law. Events come in sessions of kSessionLength events of one user, spread evenly over one
/// year. An event is drawn from the user's interests with probability 1 - noise, else from the
/// whole shop.
struct ShopOptions {
  std::int64_t num_users = 1000;
  std::int64_t num_items = 500;
  std::int64_t num_events = 20000;
  std::int64_t num_interests = 10;
  std::int64_t num_brands = 40;
  double noise = 0.1;
  double zipf_exponent = 0.8;
  double share_unsold = 0.02;  ///< items of the catalogue that nobody has touched
  Seed seed{42};
};

enum class ShopEvent : std::int8_t { view, cart, purchase };

struct ShopItem {
  std::int32_t category, brand;
  float price;
};
struct GeneratedEvent {
  NodeId user, item;
  ShopEvent event;
  std::int32_t session;
  std::int64_t time_ms;
};

/// The item table and a random-access stream of events in time order: event k depends on (options,
/// k) only, so that ten million lines can be written without storing them.
class Shop {
 public:
  explicit Shop(const ShopOptions& options);
  const ShopOptions& options() const { return options_; }
  const std::vector<ShopItem>& items() const { return items_; }
  GeneratedEvent event(std::int64_t k) const;
  /// The planted truth: interests of a user, interest of an item.
  std::vector<std::int32_t> user_interests(NodeId user) const;
  std::int32_t item_interest(NodeId item) const;

  static constexpr std::int64_t kSessionLength = 5;

 private:
  NodeId draw_item(std::int64_t first, std::int64_t step, std::int64_t count, double uniform) const;

  ShopOptions options_;
  std::int64_t num_sold_;
  std::vector<ShopItem> items_;
};

}  // namespace penchant::graph
