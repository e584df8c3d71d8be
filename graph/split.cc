// SPDX-License-Identifier: Apache-2.0
#include "graph/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/random.h"

namespace penchant::graph {

namespace {

enum class Part : std::uint8_t { train, validation, test };

template <typename T>
std::vector<T> take(const std::vector<T>& column, const std::vector<Part>& parts, Part wanted,
                    std::size_t count) {
  std::vector<T> result;
  if (column.empty()) return result;
  result.reserve(count);
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == wanted) result.push_back(column[row]);
  }
  return result;
}

Interactions take(const Interactions& log, const std::vector<Part>& parts, Part wanted) {
  const auto count = static_cast<std::size_t>(std::count(parts.begin(), parts.end(), wanted));
  return {take(log.user, parts, wanted, count),   take(log.item, parts, wanted, count),
          take(log.weight, parts, wanted, count), take(log.time_ms, parts, wanted, count),
          take(log.event, parts, wanted, count),  take(log.session, parts, wanted, count)};
}

/// Calls visit(first, last) for each user's range of rows.
template <typename Visit>
void for_each_user(const Interactions& log, Visit visit) {
  std::size_t first = 0;
  while (first < log.user.size()) {
    std::size_t last = first;
    while (last < log.user.size() && log.user[last] == log.user[first]) ++last;
    visit(first, last);
    first = last;
  }
}

/// Moves round(fraction * n) random rows of each user's n training rows to `target`; at least one
/// stays.
void carve_random(const Interactions& log, double fraction, Part target, Seed seed,
                  std::vector<Part>& parts) {
  const Random random(seed, Stream::split, static_cast<std::uint64_t>(target));
  std::vector<std::pair<std::uint64_t, std::size_t>> candidates;
  for_each_user(log, [&](std::size_t first, std::size_t last) {
    candidates.clear();
    for (std::size_t row = first; row < last; ++row) {
      if (parts[row] == Part::train) candidates.emplace_back(random.bits(row), row);
    }
    if (candidates.empty()) return;
    const auto wanted =
        static_cast<std::size_t>(std::llround(fraction * static_cast<double>(candidates.size())));
    const std::size_t count = std::min(wanted, candidates.size() - 1);
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates.end());
    for (std::size_t i = 0; i < count; ++i) parts[candidates[i].second] = target;
  });
}

/// Gives `target` the training rows at or after the (1 - fraction) quantile of their times; equal
/// times stay together.
void carve_latest(const Interactions& log, double fraction, Part target, std::vector<Part>& parts) {
  std::vector<std::int64_t> times;
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == Part::train) times.push_back(log.time_ms[row]);
  }
  const auto count =
      static_cast<std::size_t>(std::llround(fraction * static_cast<double>(times.size())));
  if (count == 0) return;
  const auto place = times.begin() + static_cast<std::ptrdiff_t>(times.size() - count);
  std::nth_element(times.begin(), place, times.end());
  const std::int64_t threshold = *place;
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == Part::train && log.time_ms[row] >= threshold) parts[row] = target;
  }
}

void carve_last(const Interactions& log, std::vector<Part>& parts) {
  for_each_user(log, [&](std::size_t first, std::size_t last) {
    if (last - first < 3) return;
    parts[last - 1] = Part::test;
    parts[last - 2] = Part::validation;
  });
}

void check_fraction(double fraction, const char* name) {
  if (!(fraction >= 0.0 && fraction < 1.0)) {
    throw InputError(fmt::format(
        "split: {} is {}, expected a number from 0 up to but not including 1", name, fraction));
  }
}

using Row = std::tuple<NodeId, std::int64_t, std::int8_t>;

/// Rows of one user as sorted (item, time, event); time and event are left out when repeats are
/// forbidden.
std::vector<Row> sorted_rows(const Interactions& log, std::size_t first, std::size_t last,
                             Repeats repeats) {
  std::vector<Row> rows;
  for (std::size_t row = first; row < last; ++row) {
    const bool full = repeats == Repeats::allowed;
    rows.emplace_back(log.item[row], full && !log.time_ms.empty() ? log.time_ms[row] : 0,
                      full && !log.event.empty() ? log.event[row] : std::int8_t{0});
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

struct SharedRow {
  NodeId user;
  NodeId item;
};

/// The first held-out row that also is a training row.
std::optional<SharedRow> find_shared_row(const Interactions& train, const Interactions& held_out,
                                         Repeats repeats) {
  std::optional<SharedRow> found;
  for_each_user(held_out, [&](std::size_t first, std::size_t last) {
    if (found) return;
    const NodeId user = held_out.user[first];
    const auto range = std::equal_range(train.user.begin(), train.user.end(), user);
    const auto known =
        sorted_rows(train, static_cast<std::size_t>(range.first - train.user.begin()),
                    static_cast<std::size_t>(range.second - train.user.begin()), repeats);
    for (const Row& row : sorted_rows(held_out, first, last, repeats)) {
      if (!found && std::binary_search(known.begin(), known.end(), row))
        found = {user, std::get<0>(row)};
    }
  });
  return found;
}

void check_part(const Interactions& train, const Interactions& held_out, Repeats repeats,
                const char* part, const NameOf& user_name, const NameOf& item_name) {
  // Without times two rows of one pair cannot be told apart, so repeats of a pair are not a leak
  // there.
  if (repeats == Repeats::allowed && train.time_ms.empty()) return;
  if (const auto shared = find_shared_row(train, held_out, repeats)) {
    const auto name = [](const NameOf& name_of, NodeId id) {
      return name_of ? name_of(id) : std::to_string(id);
    };
    throw InputError(fmt::format("leak: the {} row (user {}, item {}) is also a training row", part,
                                 name(user_name, shared->user), name(item_name, shared->item)));
  }
}

}  // namespace

SplitInteractions split_interactions(Interactions log, Interactions given_test,
                                     const SplitOptions& options) {
  check_fraction(options.validation_fraction, "validation_fraction");
  check_fraction(options.test_fraction, "test_fraction");
  PENCHANT_ASSERT(std::is_sorted(log.user.begin(), log.user.end()));
  std::vector<Part> parts(log.user.size(), Part::train);
  SplitInteractions result;
  switch (options.method) {
    case SplitMethod::given:
      carve_random(log, options.validation_fraction, Part::validation, options.seed, parts);
      break;
    case SplitMethod::random_per_user:
      carve_random(log, options.test_fraction, Part::test, options.seed, parts);
      carve_random(log, options.validation_fraction, Part::validation, options.seed, parts);
      break;
    case SplitMethod::leave_one_out:
      carve_last(log, parts);
      break;
    case SplitMethod::global_time:
      if (log.time_ms.empty())
        throw InputError("split: method 'global_time' needs a time column, and the log has none");
      carve_latest(log, options.test_fraction, Part::test, parts);
      carve_latest(log, options.validation_fraction, Part::validation, parts);
      break;
  }
  result.validation = take(log, parts, Part::validation);
  result.test =
      options.method == SplitMethod::given ? std::move(given_test) : take(log, parts, Part::test);
  result.train.interactions = take(log, parts, Part::train);
  if (result.train.interactions.empty()) {
    throw InputError(
        "split: no training row is left; expected some rows before the validation and test parts");
  }
  return result;
}

bool holds_repeats(const SplitInteractions& split) {
  return find_shared_row(split.train.interactions, split.validation, Repeats::forbidden) ||
         find_shared_row(split.train.interactions, split.test, Repeats::forbidden);
}

void check_no_leak(const SplitInteractions& split, Repeats repeats, const NameOf& user_name,
                   const NameOf& item_name) {
  check_part(split.train.interactions, split.validation, repeats, "validation", user_name,
             item_name);
  check_part(split.train.interactions, split.test, repeats, "test", user_name, item_name);
}

}  // namespace penchant::graph
