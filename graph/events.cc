// SPDX-License-Identifier: Apache-2.0
#include "graph/events.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace penchant::graph {

UserEvents::UserEvents(const Interactions& log, std::span<const std::uint32_t> order,
                       WithoutTimes fallback)
    : log_(log), order_(order), fallback_(fallback) {}

std::size_t UserEvents::root(std::size_t place) const {
  while (leader_[place] != place) place = leader_[place];
  return place;
}

void UserEvents::join(std::size_t a, std::size_t b) {
  a = root(a);
  b = root(b);
  leader_[std::max(a, b)] = std::min(a, b);
}

/// Joins rows of equal groups.
void UserEvents::join_runs() {
  std::sort(keys_.begin(), keys_.end());
  for (std::size_t i = 1; i < keys_.size(); ++i) {
    if (keys_[i].group == keys_[i - 1].group) join(keys_[i - 1].place, keys_[i].place);
  }
}

std::span<const std::size_t> UserEvents::leaders(const std::vector<Part>& parts, std::size_t first,
                                                 std::size_t last) {
  leader_.resize(last - first);
  for (std::size_t place = 0; place < leader_.size(); ++place) leader_[place] = place;
  const bool timed = !log_.time_ms.empty();
  const bool sessions = !log_.session.empty();
  const auto group = [&](auto belongs, auto key) {
    keys_.clear();
    for (std::size_t row = first; row < last; ++row) {
      if (parts[row] == Part::train && belongs(row)) keys_.push_back({key(row), row - first});
    }
    join_runs();
  };
  const auto session_of = [&](std::size_t row) {
    return log_.session[order_.empty() ? row : order_[row]];
  };
  const auto time_of = [&](std::size_t row) { return log_.time_ms[row]; };
  const auto item_of = [&](std::size_t row) { return std::int64_t{log_.item[row]}; };
  const auto has_session = [&](std::size_t row) { return sessions && session_of(row) != kNoNode; };
  const auto has_none = [&](std::size_t row) { return !has_session(row); };
  if (sessions) group(has_session, [&](std::size_t row) { return std::int64_t{session_of(row)}; });
  if (timed) {
    group(has_none, time_of);
  } else if (fallback_ == WithoutTimes::each_item) {
    group(has_none, item_of);
  }
  if (sessions && timed) {
    // The rows are in order of time: those of one time lie together.
    for (std::size_t begin = first; begin < last;) {
      std::size_t end = begin + 1;
      while (end < last && time_of(end) == time_of(begin)) ++end;
      keys_.clear();
      for (std::size_t row = begin; end - begin > 1 && row < end; ++row) {
        if (parts[row] == Part::train) keys_.push_back({item_of(row), row - first});
      }
      join_runs();
      begin = end;
    }
  }
  // Leaders come before those that they lead, and are looked up as places until these are done.
  for (std::size_t place = leader_.size(); place-- > 0;) leader_[place] = root(place) + first;
  return leader_;
}

namespace {

/// The rows of one user in a part, found by going on from the user before.
class UserRows {
 public:
  explicit UserRows(const Interactions& part) : part_(part) {}
  std::span<const std::int32_t> sessions_of(NodeId user) {
    while (next_ < part_.user.size() && part_.user[next_] < user) ++next_;
    const std::size_t first = next_;
    while (next_ < part_.user.size() && part_.user[next_] == user) ++next_;
    if (part_.session.empty()) return {};
    return std::span(part_.session).subspan(first, next_ - first);
  }
  /// The first user from here on, or kNoNode.
  NodeId next_user() const { return next_ < part_.user.size() ? part_.user[next_] : kNoNode; }

 private:
  const Interactions& part_;
  std::size_t next_ = 0;
};

}  // namespace

CutSessions count_cut_sessions(const SplitInteractions& split) {
  CutSessions result;
  if (split.train.interactions.session.empty()) return result;
  if (split.validation.empty() && split.test.empty()) return result;
  UserRows train(split.train.interactions);
  UserRows validation(split.validation);
  UserRows test(split.test);
  std::vector<std::pair<std::int32_t, bool>> found;  // session, cut; of the held-out rows
  for (;;) {
    const NodeId a = validation.next_user();
    const NodeId b = test.next_user();
    if (a == kNoNode && b == kNoNode) break;
    const NodeId user = a == kNoNode ? b : b == kNoNode ? a : std::min(a, b);
    found.clear();
    const auto of_validation = validation.sessions_of(user);
    for (const std::int32_t session : of_validation) {
      if (session != kNoNode) found.emplace_back(session, false);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    const std::size_t before = found.size();
    for (const std::int32_t session : test.sessions_of(user)) {
      if (session == kNoNode) continue;
      if (found.size() > before && found.back().first == session) continue;  // they lie together
      const auto end = found.begin() + static_cast<std::ptrdiff_t>(before);
      const auto place = std::lower_bound(found.begin(), end, std::pair(session, false));
      if (place != end && place->first == session)
        place->second = true;
      else
        found.emplace_back(session, false);
    }
    std::sort(found.begin() + static_cast<std::ptrdiff_t>(before), found.end());
    found.erase(std::unique(found.begin() + static_cast<std::ptrdiff_t>(before), found.end()),
                found.end());
    std::inplace_merge(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(before),
                       found.end());
    std::int32_t last = kNoNode;
    for (const std::int32_t session : train.sessions_of(user)) {
      if (session == last || session == kNoNode) continue;
      last = session;
      const auto place = std::lower_bound(found.begin(), found.end(), std::pair(session, false));
      if (place != found.end() && place->first == session) place->second = true;
    }
    result.all += static_cast<std::int64_t>(found.size());
    result.cut += std::count_if(found.begin(), found.end(), [](auto each) { return each.second; });
  }
  return result;
}

}  // namespace penchant::graph
