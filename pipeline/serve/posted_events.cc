// SPDX-License-Identifier: Apache-2.0
#include "pipeline/serve/posted_events.h"

#include <iterator>
#include <utility>

namespace penchant::pipeline {

void PostedEvents::add(std::vector<PostedEvent> events) {
  const std::lock_guard lock(mutex_);
  for (PostedEvent& event : events) {
    Of& own = users_[event.user];
    own.version = ++version_;
    own.events.push_back(std::move(event));
    ++num_events_;
    if (std::cmp_greater(own.events.size(), most_each_)) {
      own.events.pop_front();
      --num_events_;
    }
  }
}

bool PostedEvents::has_room(std::int64_t count) const {
  const std::lock_guard lock(mutex_);
  return num_events_ + count <= most_;
}

std::vector<PostedEvent> PostedEvents::of(std::string_view user) const {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(user);
  if (found == users_.end()) return {};
  return {found->second.events.begin(), found->second.events.end()};
}

bool PostedEvents::has(std::string_view user) const {
  const std::lock_guard lock(mutex_);
  return users_.contains(user);
}

std::uint64_t PostedEvents::version_of(std::string_view user) const {
  const std::lock_guard lock(mutex_);
  const auto found = users_.find(user);
  return found == users_.end() ? 0 : found->second.version;
}

void PostedEvents::forget(const std::function<bool(const PostedEvent&)>& is_known) {
  const std::lock_guard lock(mutex_);
  for (auto user = users_.begin(); user != users_.end();) {
    const auto count = static_cast<std::int64_t>(std::erase_if(user->second.events, is_known));
    num_events_ -= count;
    if (count > 0) user->second.version = ++version_;
    user = user->second.events.empty() ? users_.erase(user) : std::next(user);
  }
}

std::int64_t PostedEvents::num_users() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(users_.size());
}

std::int64_t PostedEvents::num_events() const {
  const std::lock_guard lock(mutex_);
  return num_events_;
}

}  // namespace penchant::pipeline
