// SPDX-License-Identifier: Apache-2.0
#include "pipeline/log_rows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::Dictionary;
using graph::Interactions;
using graph::NodeId;

RowCounts::Reason& Rejections::find(std::string_view reason, bool is_error) {
  for (RowCounts::Reason& known : reasons_) {
    if (known.reason == reason) return known;
  }
  reasons_.push_back({std::string(reason), 0, "", is_error});
  return reasons_.back();
}

void Rejections::malformed(std::string_view reason, const std::function<std::string()>& example) {
  RowCounts::Reason& known = find(reason, true);
  if (known.rows++ == 0) known.example = example();
  refuse_if_strict(known);
}

void Rejections::add(const RowCounts::Reason& reason) {
  RowCounts::Reason& known = find(reason.reason, reason.is_error);
  if (known.rows == 0) known.example = reason.example;
  known.rows += reason.rows;
  if (reason.is_error) refuse_if_strict(known);
}

void Rejections::refuse_if_strict(const RowCounts::Reason& reason) const {
  if (strict_)
    throw InputError(fmt::format("{} ({}; strict mode makes a rejected row an error)",
                                 reason.example, reason.reason));
}

void Rejections::filtered(std::string_view reason, std::int64_t rows) {
  if (rows > 0) find(reason, false).rows += rows;
}

namespace {

/// Replaces column by column[order[0]], column[order[1]], ...
template <typename T>
void gather(std::vector<T>& column, const std::vector<std::uint32_t>& order) {
  if (column.empty()) return;
  std::vector<T> result(order.size());
#pragma omp parallel for schedule(static)
  for (std::size_t i = 0; i < order.size(); ++i) result[i] = column[order[i]];
  column.swap(result);
}

void gather(Interactions& log, const std::vector<std::uint32_t>& order) {
  gather(log.user, order);
  gather(log.item, order);
  gather(log.weight, order);
  gather(log.time_ms, order);
  gather(log.event, order);
  gather(log.session, order);
}

/// First row of each user, and the number of rows: users in ascending order without gaps in the
/// log.
std::vector<std::size_t> user_starts(const Interactions& log) {
  std::vector<std::size_t> starts;
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    if (row == 0 || log.user[row] != log.user[row - 1]) starts.push_back(row);
  }
  starts.push_back(log.user.size());
  return starts;
}

void keep_rows(Interactions& log, const std::vector<std::uint8_t>& keep) {
  std::vector<std::uint32_t> order;
  for (std::size_t row = 0; row < keep.size(); ++row) {
    if (keep[row] != 0) order.push_back(static_cast<std::uint32_t>(row));
  }
  if (order.size() < keep.size()) gather(log, order);
}

/// Marks all but one row of each repeated key among the rows [first, last) of one user.
void drop_repeats(Interactions& log, std::size_t first, std::size_t last, RepeatPolicy policy,
                  std::vector<std::uint8_t>& keep,
                  std::vector<std::tuple<NodeId, std::int64_t, std::int8_t, std::size_t>>& keys) {
  const bool exact = policy == RepeatPolicy::keep_all;
  keys.clear();
  for (std::size_t row = first; row < last; ++row) {
    keys.emplace_back(log.item[row], exact ? log.time_ms[row] : 0,
                      exact && !log.event.empty() ? log.event[row] : std::int8_t{0}, row);
  }
  std::sort(keys.begin(), keys.end());
  const auto same = [&](std::size_t a, std::size_t b) {
    return std::get<0>(keys[a]) == std::get<0>(keys[b]) &&
           std::get<1>(keys[a]) == std::get<1>(keys[b]) &&
           std::get<2>(keys[a]) == std::get<2>(keys[b]);
  };
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (!same(i - 1, i)) continue;
    const std::size_t earlier = std::get<3>(keys[i - 1]);
    const std::size_t later = std::get<3>(keys[i]);
    if (policy == RepeatPolicy::keep_last) {
      keep[earlier] = 0;
    } else {
      keep[later] = 0;
      if (policy == RepeatPolicy::sum) {
        std::size_t head = i - 1;
        while (head > 0 && same(head - 1, head)) --head;
        log.weight[std::get<3>(keys[head])] += log.weight[later];
      }
    }
  }
}

void apply_repeat_policy(Interactions& log, RepeatPolicy policy, Rejections& rejections) {
  // Without times a repeat of a pair under keep_all is simply another row.
  if (policy == RepeatPolicy::keep_all && log.time_ms.empty()) return;
  const std::vector<std::size_t> starts = user_starts(log);
  std::vector<std::uint8_t> keep(log.user.size(), 1);
  const auto num_users = static_cast<std::int64_t>(starts.size()) - 1;
#pragma omp parallel
  {
    std::vector<std::tuple<NodeId, std::int64_t, std::int8_t, std::size_t>> keys;
#pragma omp for schedule(dynamic, 256)
    for (std::int64_t u = 0; u < num_users; ++u) {
      drop_repeats(log, starts[static_cast<std::size_t>(u)],
                   starts[static_cast<std::size_t>(u) + 1], policy, keep, keys);
    }
  }
  const auto dropped = static_cast<std::int64_t>(std::count(keep.begin(), keep.end(), 0));
  rejections.filtered(policy == RepeatPolicy::keep_all ? "exact repeat of a row"
                                                       : "repeat of a (user, item) pair, merged",
                      dropped);
  keep_rows(log, keep);
}

/// Peels users and items with too few rows until none is left to peel.
void apply_core(Interactions& log, std::int64_t min_user, std::int64_t min_item,
                Rejections& rejections) {
  if (min_user <= 1 && min_item <= 1) return;
  std::vector<std::uint8_t> keep(log.user.size(), 1);
  const auto extent = [](const std::vector<NodeId>& ids) {
    return ids.empty() ? std::size_t{0}
                       : static_cast<std::size_t>(*std::max_element(ids.begin(), ids.end())) + 1;
  };
  std::vector<std::int64_t> user_count(extent(log.user), 0);
  std::vector<std::int64_t> item_count(extent(log.item), 0);
  for (std::size_t row = 0; row < keep.size(); ++row) {
    ++user_count[static_cast<std::size_t>(log.user[row])];
    ++item_count[static_cast<std::size_t>(log.item[row])];
  }
  std::int64_t dropped = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t row = 0; row < keep.size(); ++row) {
      auto& of_user = user_count[static_cast<std::size_t>(log.user[row])];
      auto& of_item = item_count[static_cast<std::size_t>(log.item[row])];
      if (keep[row] != 0 && (of_user < min_user || of_item < min_item)) {
        keep[row] = 0;
        --of_user;
        --of_item;
        ++dropped;
        changed = true;
      }
    }
  }
  rejections.filtered(
      fmt::format("user with fewer than {} or item with fewer than {} rows", min_user, min_item),
      dropped);
  keep_rows(log, keep);
}

void apply_maximum(Interactions& log, std::int64_t maximum, Rejections& rejections) {
  if (maximum <= 0) return;
  const std::vector<std::size_t> starts = user_starts(log);
  std::vector<std::uint8_t> keep(log.user.size(), 1);
  std::int64_t dropped = 0;
  for (std::size_t u = 0; u + 1 < starts.size(); ++u) {
    for (std::size_t row = starts[u]; row + static_cast<std::size_t>(maximum) < starts[u + 1];
         ++row) {
      keep[row] = 0;
      ++dropped;
    }
  }
  rejections.filtered(fmt::format("older than the user's latest {} rows", maximum), dropped);
  keep_rows(log, keep);
}

Dictionary compact(const Dictionary& old, std::vector<NodeId>& train, std::vector<NodeId>& test) {
  std::vector<NodeId> new_id(static_cast<std::size_t>(old.size()), graph::kNoNode);
  for (const auto* ids : {&train, &test}) {
    for (const NodeId id : *ids) new_id[static_cast<std::size_t>(id)] = 0;
  }
  Dictionary kept;
  kept.reserve(old.size());
  for (std::size_t id = 0; id < new_id.size(); ++id) {
    if (new_id[id] != graph::kNoNode) new_id[id] = kept.intern(old.raw(static_cast<NodeId>(id)));
  }
  if (kept.size() == old.size()) return kept;
  for (auto* ids : {&train, &test}) {
    for (NodeId& id : *ids) id = new_id[static_cast<std::size_t>(id)];
  }
  return kept;
}

}  // namespace

void sort_log(Interactions& log, std::int64_t num_users) {
  if (log.user.size() > 0xFFFFFFFFULL)
    throw InputError("more than 4294967295 interactions in one data set");
  const bool timed = !log.time_ms.empty();
  bool sorted = true;
  for (std::size_t row = 1; sorted && row < log.user.size(); ++row) {
    sorted =
        log.user[row - 1] < log.user[row] || (log.user[row - 1] == log.user[row] &&
                                              (!timed || log.time_ms[row - 1] <= log.time_ms[row]));
  }
  if (sorted) return;
  std::vector<std::size_t> next(static_cast<std::size_t>(num_users) + 1, 0);
  for (const NodeId user : log.user) ++next[static_cast<std::size_t>(user) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  const std::vector<std::size_t> starts = next;
  std::vector<std::uint32_t> order(log.user.size());
  for (std::size_t row = 0; row < log.user.size(); ++row) {
    order[next[static_cast<std::size_t>(log.user[row])]++] = static_cast<std::uint32_t>(row);
  }
  if (timed) {
    const auto earlier = [&](std::uint32_t a, std::uint32_t b) {
      return log.time_ms[a] < log.time_ms[b];
    };
#pragma omp parallel for schedule(dynamic, 1024)
    for (std::int64_t user = 0; user < num_users; ++user) {
      const auto first =
          order.begin() + static_cast<std::ptrdiff_t>(starts[static_cast<std::size_t>(user)]);
      const auto last =
          order.begin() + static_cast<std::ptrdiff_t>(starts[static_cast<std::size_t>(user) + 1]);
      if (!std::is_sorted(first, last, earlier)) std::stable_sort(first, last, earlier);
    }
  }
  gather(log, order);
}

void thin_log(Interactions& log, const IngestOptions& options, Rejections& rejections) {
  apply_repeat_policy(log, options.repeats, rejections);
  apply_core(log, options.min_user_count, options.min_item_count, rejections);
  apply_maximum(log, options.max_user_count, rejections);
}

void compact_dictionaries(Interactions& train, Interactions& test, Dictionary& users,
                          Dictionary& items) {
  users = compact(users, train.user, test.user);
  items = compact(items, train.item, test.item);
}

}  // namespace penchant::pipeline
