// SPDX-License-Identifier: Apache-2.0
#include "graph/split.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/random.h"
#include "graph/side_by_side.h"

namespace penchant::graph {

namespace {

enum class Part : std::uint8_t { train, validation, test };

/// Rows of one column into three: those of train stay, in place.
template <typename T>
void divide(std::vector<T>& column, const std::vector<Part>& parts,
            const std::array<std::size_t, 3>& sizes, std::vector<T>& validation,
            std::vector<T>& test) {
  if (column.empty()) return;
  validation.resize(sizes[static_cast<std::size_t>(Part::validation)]);
  test.resize(sizes[static_cast<std::size_t>(Part::test)]);
  const std::array<T*, 3> columns = {column.data(), validation.data(), test.data()};
  std::array<std::size_t, 3> next{};
  for (std::size_t row = 0; row < parts.size(); ++row) {
    const auto part = static_cast<std::size_t>(parts[row]);
    columns[part][next[part]++] = column[row];
  }
  column.resize(next[0]);
}

/// Leaves the rows of train in `log` and moves the others out.
void divide(Interactions& log, const std::vector<Part>& parts, Interactions& validation,
            Interactions& test) {
  std::array<std::size_t, 3> sizes{};
  for (const Part part : parts) ++sizes[static_cast<std::size_t>(part)];
  if (sizes[0] == parts.size()) return;
  const auto of = [&](auto Interactions::*column) {
    return [&, column] { divide(log.*column, parts, sizes, validation.*column, test.*column); };
  };
  run_side_by_side({of(&Interactions::time_ms), of(&Interactions::user), of(&Interactions::item),
                    of(&Interactions::weight), of(&Interactions::session),
                    of(&Interactions::event)});
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

/// The `rank`-th smallest (from 0) of the times of the training rows: buckets are counted first, so
/// that only one of them is sorted.
std::int64_t time_of_rank(const Interactions& log, const std::vector<Part>& parts,
                          std::size_t rank) {
  std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
  std::int64_t latest = std::numeric_limits<std::int64_t>::min();
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] != Part::train) continue;
    earliest = std::min(earliest, log.time_ms[row]);
    latest = std::max(latest, log.time_ms[row]);
  }
  constexpr int kBucketBits = 12;
  const auto since_earliest = [&](std::size_t row) {
    return static_cast<std::uint64_t>(log.time_ms[row]) - static_cast<std::uint64_t>(earliest);
  };
  const auto range = static_cast<std::uint64_t>(latest) - static_cast<std::uint64_t>(earliest);
  const int shift = std::max(0, static_cast<int>(std::bit_width(range)) - kBucketBits);
  std::vector<std::size_t> counts(std::size_t{1} << kBucketBits, 0);
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == Part::train) ++counts[since_earliest(row) >> shift];
  }
  std::size_t bucket = 0;
  for (; rank >= counts[bucket]; ++bucket) rank -= counts[bucket];
  std::vector<std::int64_t> times;
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == Part::train && since_earliest(row) >> shift == bucket)
      times.push_back(log.time_ms[row]);
  }
  const auto place = times.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(times.begin(), place, times.end());
  return *place;
}

/// Gives `target` the training rows at or after the (1 - fraction) quantile of their times; equal
/// times stay together.
void carve_latest(const Interactions& log, double fraction, Part target, std::vector<Part>& parts) {
  const auto size = static_cast<std::size_t>(std::count(parts.begin(), parts.end(), Part::train));
  const auto count = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(size)));
  if (count == 0) return;
  const std::int64_t threshold = time_of_rank(log, parts, size - count);
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

/// Gives `target` all rows of round(fraction * n) random ones of the n items that have any.
void carve_items(const Interactions& log, double fraction, Part target, Seed seed,
                 std::vector<Part>& parts) {
  const Random random(seed, Stream::split, static_cast<std::uint64_t>(target));
  std::vector<std::pair<std::uint64_t, NodeId>> items;
  const auto num_items =
      log.item.empty() ? NodeId{0} : *std::max_element(log.item.begin(), log.item.end()) + 1;
  std::vector<std::uint8_t> chosen(static_cast<std::size_t>(num_items), 0);
  for (const NodeId item : log.item) {
    if (std::exchange(chosen[static_cast<std::size_t>(item)], std::uint8_t{1}) == 0)
      items.emplace_back(random.bits(static_cast<std::uint64_t>(item)), item);
  }
  std::sort(items.begin(), items.end());
  std::fill(chosen.begin(), chosen.end(), std::uint8_t{0});
  const auto count =
      static_cast<std::size_t>(std::llround(fraction * static_cast<double>(items.size())));
  for (std::size_t k = 0; k < count; ++k) chosen[static_cast<std::size_t>(items[k].second)] = 1;
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (chosen[static_cast<std::size_t>(log.item[row])] != 0) parts[row] = target;
  }
}

void check_fraction(double fraction, const char* name) {
  if (!(fraction >= 0.0 && fraction < 1.0)) {
    throw InputError(fmt::format(
        "split: {} is {}, expected a number from 0 up to but not including 1", name, fraction));
  }
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

/// Some rows of a part.
struct RowRange {
  std::size_t first, last;
};

/// The first of the held-out rows of a range, user by user, that also is a training row.
std::optional<SharedRow> find_shared_row(const Interactions& train, const Interactions& held_out,
                                         RowRange range, Repeats repeats) {
  std::vector<Row> known;
  std::vector<Row> rows;
  if (range.first == range.last) return std::nullopt;
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
      for (const Row& row : rows) {
        if (std::binary_search(known.begin(), known.end(), row))
          return SharedRow{user, std::get<0>(row)};
      }
    }
    first = last;
    train_first = train_last;
  }
  return std::nullopt;
}

/// The first held-out row that also is a training row.
std::optional<SharedRow> find_shared_row(const Interactions& train, const Interactions& held_out,
                                         Repeats repeats) {
  constexpr std::size_t kRowsPerTask = 65536;
  std::vector<RowRange> ranges;
  for (std::size_t first = 0; first < held_out.user.size();) {
    std::size_t last = std::min(first + kRowsPerTask, held_out.user.size());
    while (last < held_out.user.size() && held_out.user[last] == held_out.user[last - 1]) ++last;
    ranges.push_back({first, last});
    first = last;
  }
  std::vector<std::optional<SharedRow>> found(ranges.size());
  std::vector<std::function<void()>> tasks;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    tasks.emplace_back([&, i] { found[i] = find_shared_row(train, held_out, ranges[i], repeats); });
  }
  run_side_by_side(tasks);
  for (const std::optional<SharedRow>& row : found) {
    if (row) return row;
  }
  return std::nullopt;
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
    case SplitMethod::hidden_items:
      carve_items(log, options.test_fraction, Part::test, options.seed, parts);
      carve_random(log, options.validation_fraction, Part::validation, options.seed, parts);
      break;
  }
  divide(log, parts, result.validation, result.test);
  if (options.method == SplitMethod::given) result.test = std::move(given_test);
  result.train.interactions = std::move(log);
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
