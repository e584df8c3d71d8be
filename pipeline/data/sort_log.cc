// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/sort_log.h"

#include <omp.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "graph/error.h"
#include "graph/parallel.h"
#include "graph/side_by_side.h"

namespace penchant::pipeline {

using graph::Interactions;
using graph::NodeId;

namespace {

/// Replaces column by column[order[0]], column[order[1]], ...
template <typename T>
void gather(std::vector<T>& column, const std::vector<std::uint32_t>& order) {
  if (column.empty()) return;
  const auto ordered = std::views::transform(
      order, [&column](std::uint32_t row) -> const T& { return column[row]; });
  std::vector<T> result(ordered.begin(), ordered.end());
  column.swap(result);
}

/// Rows by user, each user's in the order of the log; starts[user] is the user's first.
std::vector<std::uint32_t> order_by_user(const std::vector<NodeId>& users,
                                         const std::vector<std::uint32_t>& starts) {
  std::vector<std::uint32_t> order(users.size());
  const std::size_t num_users = starts.size() - 1;
  // Each thread places the rows of a range of users with about the same number of rows.
  const auto num_parts = static_cast<std::size_t>(omp_get_max_threads());
  const auto bound = [&](std::size_t part) {
    const auto share = static_cast<std::uint32_t>(users.size() * part / num_parts);
    return part == num_parts
               ? num_users
               : static_cast<std::size_t>(
                     std::lower_bound(starts.begin(), starts.end() - 1, share) - starts.begin());
  };
  graph::parallel_for(static_cast<std::int64_t>(num_parts), 1, [&](const graph::Share& parts) {
    for (const std::int64_t part : parts) {
      const std::size_t first = bound(static_cast<std::size_t>(part));
      const std::size_t size = bound(static_cast<std::size_t>(part) + 1) - first;
      std::vector<std::uint32_t> next(starts.begin() + static_cast<std::ptrdiff_t>(first),
                                      starts.begin() + static_cast<std::ptrdiff_t>(first + size));
      for (std::size_t row = 0; row < users.size(); ++row) {
        const std::size_t user = static_cast<std::size_t>(users[row]) - first;
        if (user < size) order[next[user]++] = static_cast<std::uint32_t>(row);
      }
    }
  });
  return order;
}

/// Sorts `order` by time among the rows [first, last) of one user.
void sort_by_time(std::size_t first, std::size_t last, const std::vector<std::int64_t>& times,
                  std::vector<std::uint32_t>& order,
                  std::vector<std::pair<std::int64_t, std::uint32_t>>& rows) {
  rows.clear();
  bool sorted = true;
  for (std::size_t i = first; i < last; ++i) {
    rows.emplace_back(times[order[i]], order[i]);
    sorted &= i == first || rows[i - first - 1].first <= rows[i - first].first;
  }
  if (sorted) return;
  std::sort(rows.begin(), rows.end());  // equal times: in the order of the log
  for (std::size_t i = first; i < last; ++i) order[i] = rows[i - first].second;
}

/// Whether the rows are in order already.
bool is_ordered(const Interactions& log) {
  const bool timed = !log.time_ms.empty();
  for (std::size_t row = 1; row < log.user.size(); ++row) {
    if (log.user[row - 1] > log.user[row] ||
        (log.user[row - 1] == log.user[row] && timed && log.time_ms[row - 1] > log.time_ms[row]))
      return false;
  }
  return true;
}

}  // namespace

std::vector<std::uint32_t> order_rows(Interactions& log, std::int64_t num_users) {
  if (log.user.size() > 0xFFFFFFFFULL)
    throw InputError("more than 4294967295 interactions in one data set");
  if (is_ordered(log)) return {};
  std::vector<std::uint32_t> starts(static_cast<std::size_t>(num_users) + 1, 0);
  for (const NodeId user : log.user) ++starts[static_cast<std::size_t>(user) + 1];
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::vector<std::uint32_t> order = order_by_user(log.user, starts);
  for (std::size_t user = 0; user + 1 < starts.size(); ++user) {
    std::fill(log.user.begin() + starts[user], log.user.begin() + starts[user + 1],
              static_cast<NodeId>(user));
  }
  if (log.time_ms.empty() || std::is_sorted(log.time_ms.begin(), log.time_ms.end())) {
    graph::run_side_by_side(
        {[&] { gather(log.time_ms, order); }, [&] { gather(log.item, order); }});
    return order;
  }
  graph::parallel_for(num_users, 1024, [&](const graph::Share& users) {
    std::vector<std::pair<std::int64_t, std::uint32_t>> rows;
    for (const std::int64_t user : users) {
      const auto place = static_cast<std::size_t>(user);
      sort_by_time(starts[place], starts[place + 1], log.time_ms, order, rows);
    }
  });
  graph::run_side_by_side({[&] { gather(log.time_ms, order); }, [&] { gather(log.item, order); }});
  return order;
}

void sort_log(Interactions& log, std::int64_t num_users) {
  const std::vector<std::uint32_t> order = order_rows(log, num_users);
  if (order.empty()) return;
  graph::run_side_by_side({[&] { gather(log.weight, order); }, [&] { gather(log.session, order); },
                           [&] { gather(log.event, order); }});
}

void add_row(const graph::Interactions& from, std::size_t row, graph::Interactions& to) {
  to.user.push_back(from.user[row]);
  to.item.push_back(from.item[row]);
  to.weight.push_back(from.weight[row]);
  if (!from.time_ms.empty()) to.time_ms.push_back(from.time_ms[row]);
  if (!from.event.empty()) to.event.push_back(from.event[row]);
  if (!from.session.empty()) to.session.push_back(from.session[row]);
}

}  // namespace penchant::pipeline
