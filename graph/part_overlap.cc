// SPDX-License-Identifier: Apache-2.0
#include "graph/part_overlap.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/side_by_side.h"

namespace penchant::graph {

namespace {

/// A row of one user as parts are compared: what makes it the same thing as another, then its part.
using PartRow = std::tuple<NodeId, std::int64_t, std::int8_t, Part, std::size_t>;

bool same_thing(const PartRow& a, const PartRow& b) {
  return std::get<0>(a) == std::get<0>(b) && std::get<1>(a) == std::get<1>(b) &&
         std::get<2>(a) == std::get<2>(b);
}

/// A row of one user as leak checks compare it: item, time, event; without the last two when
/// repeats are forbidden.
using Row = std::tuple<NodeId, std::int64_t, std::int8_t>;

/// Rows [first, last) of one user, sorted.
void list_rows(const Interactions& log, std::size_t first, std::size_t last, Repeats repeats,
               std::vector<Row>& rows) {
  const bool full = repeats == Repeats::allowed;
  rows.clear();
  for (std::size_t row = first; row < last; ++row) {
    rows.emplace_back(log.item[row], full && !log.time_ms.empty() ? log.time_ms[row] : 0,
                      full && !log.event.empty() ? log.event[row] : std::int8_t{0});
  }
  std::sort(rows.begin(), rows.end());
}

struct SharedRow {
  NodeId user;
  NodeId item;
};

/// What some held-out rows have in common with train.
struct Shared {
  std::int64_t rows = 0;          ///< whose (user, item) is a training pair
  std::optional<SharedRow> leak;  ///< the first that must not be there
};

/// Some rows of a part.
struct RowRange {
  std::size_t first, last;
};

/// Adds what the held-out rows of one user share with the user's training rows.
void compare_rows(NodeId user, const std::vector<Row>& known, const std::vector<Row>& rows,
                  bool find_leak, Shared& shared) {
  constexpr auto kFirstTime = std::numeric_limits<std::int64_t>::min();
  constexpr auto kFirstEvent = std::numeric_limits<std::int8_t>::min();
  for (const Row& row : rows) {
    const NodeId item = std::get<0>(row);
    const auto of_item =
        std::lower_bound(known.begin(), known.end(), Row(item, kFirstTime, kFirstEvent));
    if (of_item == known.end() || std::get<0>(*of_item) != item) continue;
    ++shared.rows;
    if (find_leak && !shared.leak && std::binary_search(of_item, known.end(), row))
      shared.leak = {user, item};
  }
}

/// Of the held-out rows of a range, user by user.
Shared find_shared_rows(const Interactions& train, const Interactions& held_out, RowRange range,
                        Repeats repeats) {
  // Without times two rows of one pair cannot be told apart, so a repeat that is allowed is no leak
  // there; assign_parts() keeps the rows of a pair together where their order says nothing.
  const bool find_leak = repeats == Repeats::forbidden || !train.time_ms.empty();
  Shared shared;
  std::vector<Row> known;
  std::vector<Row> rows;
  if (range.first == range.last) return shared;
  auto train_first = static_cast<std::size_t>(
      std::lower_bound(train.user.begin(), train.user.end(), held_out.user[range.first]) -
      train.user.begin());
  for (std::size_t first = range.first; first < range.last;) {
    const NodeId user = held_out.user[first];
    std::size_t last = first;
    while (last < range.last && held_out.user[last] == user) ++last;
    while (train_first < train.user.size() && train.user[train_first] < user) ++train_first;
    std::size_t train_last = train_first;
    while (train_last < train.user.size() && train.user[train_last] == user) ++train_last;
    bool shared_item = (last - first) * (train_last - train_first) > 1000;  // too many to look
    for (std::size_t row = first; row < last && !shared_item; ++row) {
      for (std::size_t other = train_first; other < train_last; ++other)
        shared_item |= held_out.item[row] == train.item[other];
    }
    if (shared_item) {
      list_rows(train, train_first, train_last, repeats, known);
      list_rows(held_out, first, last, repeats, rows);
      compare_rows(user, known, rows, find_leak, shared);
    }
    first = last;
    train_first = train_last;
  }
  return shared;
}

/// Of all held-out rows of a part.
Shared find_shared_rows(const Interactions& train, const Interactions& held_out, Repeats repeats) {
  constexpr std::size_t kRowsPerTask = 65536;
  std::vector<RowRange> ranges;
  for (std::size_t first = 0; first < held_out.user.size();) {
    std::size_t last = std::min(first + kRowsPerTask, held_out.user.size());
    while (last < held_out.user.size() && held_out.user[last] == held_out.user[last - 1]) ++last;
    ranges.push_back({first, last});
    first = last;
  }
  std::vector<Shared> found(ranges.size());
  std::vector<std::function<void()>> tasks;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    tasks.emplace_back(
        [&, i] { found[i] = find_shared_rows(train, held_out, ranges[i], repeats); });
  }
  run_side_by_side(tasks);
  Shared all;
  for (const Shared& shared : found) {
    all.rows += shared.rows;
    if (!all.leak) all.leak = shared.leak;
  }
  return all;
}

}  // namespace

std::optional<OverlapRow> drop_overlap(const Interactions& log,
                                       const std::vector<std::uint32_t>& order, SameRow same,
                                       std::vector<Part>& parts) {
  const auto row_of = [&](std::size_t row) { return order.empty() ? row : order[row]; };
  const bool with_time = same == SameRow::item_time_event && !log.time_ms.empty();
  const bool with_event = same == SameRow::item_time_event && !log.event.empty();
  std::optional<OverlapRow> first;
  std::vector<PartRow> rows;
  for (std::size_t begin = 0, end = 0; begin < parts.size(); begin = end) {
    rows.clear();
    bool several = false;
    for (; end < parts.size() && log.user[end] == log.user[begin]; ++end) {
      if (parts[end] == Part::left_out) continue;
      several |= !rows.empty() && parts[end] != std::get<3>(rows.front());
      rows.emplace_back(log.item[end], with_time ? log.time_ms[end] : 0,
                        with_event ? log.event[row_of(end)] : std::int8_t{0}, parts[end], end);
    }
    if (!several) continue;
    std::sort(rows.begin(), rows.end());
    std::size_t head = 0;  // of a run of rows that are the same thing
    for (std::size_t i = 1; i < rows.size(); ++i) {
      if (!same_thing(rows[i], rows[head])) head = i;
      const auto [item, time, event, part, row] = rows[i];
      if (part == std::get<3>(rows[head])) continue;
      const auto input_row = static_cast<std::uint32_t>(row_of(row));
      if (!first || input_row < first->input_row)
        first = {input_row, log.user[row], item, part, std::get<3>(rows[head])};
      parts[row] = Part::left_out;
    }
  }
  return first;
}

double check_no_leak(const SplitInteractions& split, Repeats repeats, const NameOf& user_name,
                     const NameOf& item_name) {
  std::int64_t repeated = 0;
  std::int64_t held_out = 0;
  for (const auto& [part, name] :
       {std::pair(&split.validation, "validation"), std::pair(&split.test, "test")}) {
    const Shared shared = find_shared_rows(split.train.interactions, *part, repeats);
    if (shared.leak) {
      const auto name_by = [](const NameOf& name_of, NodeId id) {
        return name_of ? name_of(id) : std::to_string(id);
      };
      throw InputError(fmt::format("leak: the {} row (user {}, item {}) is also a training row",
                                   name, name_by(user_name, shared.leak->user),
                                   name_by(item_name, shared.leak->item)));
    }
    repeated += shared.rows;
    held_out += part->size();
  }
  return held_out == 0 ? 0.0 : static_cast<double>(repeated) / static_cast<double>(held_out);
}

}  // namespace penchant::graph
