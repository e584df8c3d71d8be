// SPDX-License-Identifier: Apache-2.0
// Events that were posted to a server and that its data set does not have yet, by user, in raw ids.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace penchant::pipeline {

/// One line of the log: pipeline/serve/event_log.h.
struct PostedEvent {
  std::string user, item, event;  ///< event: name of its type, or empty
  std::int64_t time_ms = 0;
};

/// From any thread.
class PostedEvents {
 public:
  /// Of each user the last `most_each` are held, and `most` in all.
  PostedEvents(std::int64_t most_each, std::int64_t most) : most_each_(most_each), most_(most) {}
  /// In the order in which they came.
  void add(std::vector<PostedEvent> events);
  /// Whether so many more can be held.
  bool has_room(std::int64_t count) const;
  /// A user's, the first that came first.
  std::vector<PostedEvent> of(std::string_view user) const;
  bool has(std::string_view user) const;
  /// Changes whenever this user's events do; 0 without any.
  std::uint64_t version_of(std::string_view user) const;
  /// Forgets the events for which `is_known` holds. It is called while others wait.
  void forget(const std::function<bool(const PostedEvent&)>& is_known);
  std::int64_t num_users() const;
  std::int64_t num_events() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  struct Of {
    std::deque<PostedEvent> events;
    std::uint64_t version = 0;
  };

  std::int64_t most_each_, most_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Of, Hash, std::equal_to<>> users_;
  std::int64_t num_events_ = 0;
  std::uint64_t version_ = 0;
};

}  // namespace penchant::pipeline
