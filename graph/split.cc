// SPDX-License-Identifier: Apache-2.0
#include "graph/split.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>
#include <ranges>
#include <span>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/events.h"
#include "graph/parallel.h"
#include "graph/random.h"
#include "graph/side_by_side.h"

namespace penchant::graph {

namespace {

constexpr std::size_t kNumParts = 4;
using PartSizes = std::array<std::size_t, kNumParts>;

/// Rows of one column into those of its parts, which are empty. The training rows stay where they
/// are: memory that is new costs more than moving rows.
template <typename T>
void divide(std::vector<T> column, const std::vector<Part>& parts, const PartSizes& sizes,
            const std::array<std::vector<T>*, 3>& columns) {
  for (std::size_t part = 1; part < columns.size(); ++part) columns[part]->reserve(sizes[part]);
  // A few rows at a time, so that no column is filled with zeros first.
  constexpr std::size_t kRows = 2048;
  std::array<std::array<T, kRows>, kNumParts> some;
  auto train = column.begin();
  for (std::size_t first = 0; first < parts.size(); first += kRows) {
    const std::size_t last = std::min(first + kRows, parts.size());
    PartSizes next{};
    for (std::size_t row = first; row < last; ++row) {
      const auto part = static_cast<std::size_t>(parts[row]);
      some[part][next[part]++] = column[row];
    }
    train = std::copy_n(some[0].begin(), next[0], train);
    for (std::size_t part = 1; part < columns.size(); ++part) {
      const auto begin = some[part].begin();
      columns[part]->insert(columns[part]->end(), begin,
                            begin + static_cast<std::ptrdiff_t>(next[part]));
    }
  }
  column.erase(train, column.end());
  columns[0]->swap(column);
}

/// column[rows[0]], column[rows[1]], ...
template <typename T>
std::vector<T> gather(const std::vector<T>& column, const std::vector<std::uint32_t>& rows) {
  const auto gathered =
      std::views::transform(rows, [&column](std::uint32_t row) -> const T& { return column[row]; });
  return {gathered.begin(), gathered.end()};
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

/// Moves round(fraction * n) random ones of the n events of each user's training rows to `target`;
/// at least one stays. What is drawn depends on a row's place among the rows that `counts` is true
/// for.
template <typename Counts>
void carve_random(const Interactions& log, std::span<const std::uint32_t> order, double fraction,
                  Part target, Seed seed, std::vector<Part>& parts, Counts counts) {
  const Random random(seed, Stream::split, static_cast<std::uint64_t>(target));
  std::vector<std::pair<std::uint64_t, std::size_t>> candidates;
  UserEvents events(log, order, UserEvents::WithoutTimes::each_item);
  std::uint64_t place = 0;
  for_each_user(log, [&](std::size_t first, std::size_t last) {
    const std::span<const std::size_t> leader = events.leaders(parts, first, last);
    candidates.clear();
    for (std::size_t row = first; row < last; ++row) {
      if (parts[row] == Part::train && leader[row - first] == row)
        candidates.emplace_back(random.bits(place), row);
      place += counts(parts[row]);
    }
    if (candidates.empty()) return;
    const auto wanted =
        static_cast<std::size_t>(std::llround(fraction * static_cast<double>(candidates.size())));
    const std::size_t count = std::min(wanted, candidates.size() - 1);
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates.end());
    for (std::size_t i = 0; i < count; ++i) parts[candidates[i].second] = target;
    for (std::size_t row = first; row < last; ++row) {
      if (parts[row] == Part::train) parts[row] = parts[leader[row - first]];
    }
  });
}

/// Order statistics of the times of the training rows: buckets are counted once, so that only one
/// of them is sorted for a rank.
class TimeRanks {
 public:
  TimeRanks(const Interactions& log, const std::vector<Part>& parts)
      : times_(log.time_ms), parts_(parts), counts_(std::size_t{1} << kBucketBits, 0) {
    std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
    std::int64_t latest = std::numeric_limits<std::int64_t>::min();
    const auto num_rows = static_cast<std::int64_t>(parts.size());
#pragma omp parallel for schedule(static) reduction(min : earliest) reduction(max : latest)
    for (std::int64_t row = 0; row < num_rows; ++row) {
      const auto place = static_cast<std::size_t>(row);
      const bool counts = parts_[place] == Part::train;
      earliest = std::min(earliest, counts ? times_[place] : earliest);
      latest = std::max(latest, counts ? times_[place] : latest);
    }
    earliest_ = static_cast<std::uint64_t>(earliest);
    const std::uint64_t range = static_cast<std::uint64_t>(latest) - earliest_;
    shift_ = std::max(0, static_cast<int>(std::bit_width(range)) - kBucketBits);
    std::mutex adding;
    parallel_for(num_rows, kRowsAtOnce, [&](const Share& rows) {
      std::vector<std::size_t> counts(counts_.size(), 0);
      for (const std::int64_t row : rows) {
        const auto place = static_cast<std::size_t>(row);
        if (parts_[place] == Part::train) ++counts[bucket_of(place)];
      }
      const std::lock_guard lock(adding);
      std::transform(counts.begin(), counts.end(), counts_.begin(), counts_.begin(), std::plus<>());
    });
    for (const std::size_t count : counts_) size_ += count;
  }

  std::size_t size() const { return size_; }

  struct Found {
    std::int64_t time;
    std::size_t num_earlier;  ///< rows before that time
  };
  /// The `rank`-th smallest time, from 0.
  Found find(std::size_t rank) const {
    std::size_t bucket = 0;
    std::size_t before = 0;
    for (; rank - before >= counts_[bucket]; ++bucket) before += counts_[bucket];
    std::vector<std::int64_t> times;
    for (std::size_t row = 0; row < parts_.size(); ++row) {
      if (parts_[row] == Part::train && bucket_of(row) == bucket) times.push_back(times_[row]);
    }
    const auto place = times.begin() + static_cast<std::ptrdiff_t>(rank - before);
    std::nth_element(times.begin(), place, times.end());
    const std::int64_t time = *place;
    const auto earlier =
        std::count_if(times.begin(), times.end(), [=](std::int64_t other) { return other < time; });
    return {time, before + static_cast<std::size_t>(earlier)};
  }

 private:
  static constexpr int kBucketBits = 12;
  static constexpr std::int64_t kRowsAtOnce = std::int64_t{1} << 16;
  std::size_t bucket_of(std::size_t row) const {
    return (static_cast<std::uint64_t>(times_[row]) - earliest_) >> shift_;
  }

  const std::vector<std::int64_t>& times_;
  const std::vector<Part>& parts_;
  std::vector<std::size_t> counts_;
  std::uint64_t earliest_ = 0;
  int shift_ = 0;
  std::size_t size_ = 0;
};

/// Test gets the training rows at or after the (1 - fraction) quantile of their times, validation
/// those at or after that of the times before; equal times stay together.
void carve_latest(const Interactions& log, const SplitOptions& options, std::vector<Part>& parts) {
  const TimeRanks ranks(log, parts);
  std::size_t size = ranks.size();
  const auto threshold = [&](double fraction) {
    const auto count = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(size)));
    if (count == 0) return std::numeric_limits<std::int64_t>::max();
    const TimeRanks::Found found = ranks.find(size - count);
    size = found.num_earlier;
    return found.time;
  };
  const std::int64_t test = threshold(options.test_fraction);
  const std::int64_t validation = threshold(options.validation_fraction);
  const auto num_rows = static_cast<std::int64_t>(parts.size());
#pragma omp parallel for schedule(static)
  for (std::int64_t row = 0; row < num_rows; ++row) {
    const auto place = static_cast<std::size_t>(row);
    if (parts[place] != Part::train) continue;
    const std::int64_t time = log.time_ms[place];
    parts[place] = time >= test ? Part::test : time >= validation ? Part::validation : Part::train;
  }
}

/// The last event of each user becomes test, the one before it validation if a third is left to
/// learn from. A user of single rows needs three, for the published protocols know no other; of two
/// baskets the later one is test, and so is the later of two sessions.
void carve_last(const Interactions& log, std::span<const std::uint32_t> order, SplitMethod method,
                std::vector<Part>& parts) {
  UserEvents events(log, order, UserEvents::WithoutTimes::each_row);
  const bool sessions = method == SplitMethod::leave_last_session || !log.session.empty();
  for_each_user(log, [&](std::size_t first, std::size_t last) {
    const std::span<const std::size_t> leader = events.leaders(parts, first, last);
    std::size_t num_rows = 0;
    std::size_t num_events = 0;
    std::array<std::size_t, 2> latest{last, last};  // leaders of the last event, of the one before
    for (std::size_t row = last; row-- > first;) {
      if (parts[row] != Part::train) continue;
      ++num_rows;
      num_events += leader[row - first] == row ? 1U : 0U;
      if (latest[0] == last) {
        latest[0] = leader[row - first];
      } else if (latest[1] == last && leader[row - first] != latest[0]) {
        latest[1] = leader[row - first];
      }
    }
    const std::size_t needed = sessions || num_rows > num_events ? 2 : 3;
    if (num_events < needed) return;
    for (std::size_t row = first; row < last; ++row) {
      if (parts[row] != Part::train) continue;
      const std::size_t event = leader[row - first];
      if (event == latest[0]) parts[row] = Part::test;
      if (event == latest[1] && num_events > 2) parts[row] = Part::validation;
    }
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
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == Part::left_out) continue;
    const NodeId item = log.item[row];
    if (std::exchange(chosen[static_cast<std::size_t>(item)], std::uint8_t{1}) == 0)
      items.emplace_back(random.bits(static_cast<std::uint64_t>(item)), item);
  }
  std::sort(items.begin(), items.end());
  std::fill(chosen.begin(), chosen.end(), std::uint8_t{0});
  const auto count =
      static_cast<std::size_t>(std::llround(fraction * static_cast<double>(items.size())));
  for (std::size_t k = 0; k < count; ++k) chosen[static_cast<std::size_t>(items[k].second)] = 1;
  for (std::size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] != Part::left_out && chosen[static_cast<std::size_t>(log.item[row])] != 0)
      parts[row] = target;
  }
}

void check_fraction(double fraction, const char* name) {
  if (!(fraction >= 0.0 && fraction < 1.0)) {
    throw InputError(fmt::format(
        "split: {} is {}, expected a number from 0 up to but not including 1", name, fraction));
  }
}

}  // namespace

void assign_parts(const Interactions& log, const SplitOptions& options, std::vector<Part>& parts,
                  std::span<const std::uint32_t> order) {
  check_fraction(options.validation_fraction, "validation_fraction");
  check_fraction(options.test_fraction, "test_fraction");
  PENCHANT_ASSERT(parts.size() == log.user.size());
  PENCHANT_ASSERT(std::is_sorted(log.user.begin(), log.user.end()));
  const auto in_data = [](Part part) { return part != Part::left_out; };
  // What else lies in the log does not change what is drawn of the training rows.
  const auto in_train = [](Part part) { return part == Part::train; };
  const double validation = options.validation_fraction;
  switch (options.method) {
    case SplitMethod::given:
      if (std::find(parts.begin(), parts.end(), Part::validation) == parts.end())
        carve_random(log, order, validation, Part::validation, options.seed, parts, in_train);
      break;
    case SplitMethod::random_per_user:
      carve_random(log, order, options.test_fraction, Part::test, options.seed, parts, in_data);
      carve_random(log, order, validation, Part::validation, options.seed, parts, in_data);
      break;
    case SplitMethod::leave_last_session:
      if (log.session.empty() && log.time_ms.empty())
        throw InputError(
            "split: method 'leave_last_session' needs a session or a time column, and the log has "
            "neither");
      [[fallthrough]];
    case SplitMethod::leave_one_out:
      carve_last(log, order, options.method, parts);
      break;
    case SplitMethod::global_time:
      if (log.time_ms.empty())
        throw InputError("split: method 'global_time' needs a time column, and the log has none");
      carve_latest(log, options, parts);
      break;
    case SplitMethod::hidden_items:
      carve_items(log, options.test_fraction, Part::test, options.seed, parts);
      carve_random(log, order, validation, Part::validation, options.seed, parts, in_data);
      break;
  }
}

SplitInteractions divide_log(Interactions log, std::vector<std::uint32_t> order,
                             const std::vector<Part>& parts) {
  PENCHANT_ASSERT(order.empty() || order.size() == parts.size());
  PartSizes sizes{};
  for (const Part part : parts) ++sizes[static_cast<std::size_t>(part)];
  if (sizes[static_cast<std::size_t>(Part::train)] == 0) {
    throw InputError(
        "split: no training row is left; expected some rows before the validation and test parts");
  }
  SplitInteractions result;
  if (order.empty() && sizes[0] == parts.size()) {
    result.train.interactions = std::move(log);
    return result;
  }
  using Columns = std::vector<std::function<void()>>;
  const auto in_order = [&](auto Interactions::*column) {
    return [&, column] {
      if ((log.*column).empty()) return;
      divide(std::move(log.*column), parts, sizes,
             {&(result.train.interactions.*column), &(result.validation.*column),
              &(result.test.*column)});
    };
  };
  Columns tasks = {in_order(&Interactions::time_ms), in_order(&Interactions::user),
                   in_order(&Interactions::item)};
  std::array<std::vector<std::uint32_t>, 3> rows;  // in the other columns, by part
  if (order.empty()) {
    tasks.insert(tasks.end(), {in_order(&Interactions::weight), in_order(&Interactions::session),
                               in_order(&Interactions::event)});
    run_side_by_side(tasks);
    return result;
  }
  tasks.emplace_back([&] {
    divide(std::move(order), parts, sizes, {&rows[0], &rows[1], &rows[2]});
  });
  run_side_by_side(tasks);
  const auto elsewhere = [&](auto Interactions::*column) {
    return [&, column] {
      const auto values = std::move(log.*column);
      if (values.empty()) return;
      result.train.interactions.*column = gather(values, rows[0]);
      result.validation.*column = gather(values, rows[1]);
      result.test.*column = gather(values, rows[2]);
    };
  };
  run_side_by_side(Columns{elsewhere(&Interactions::session), elsewhere(&Interactions::weight),
                           elsewhere(&Interactions::event)});
  return result;
}

SplitInteractions split_interactions(Interactions log, Interactions given_test,
                                     const SplitOptions& options) {
  std::vector<Part> parts(log.user.size(), Part::train);
  assign_parts(log, options, parts);
  SplitInteractions result = divide_log(std::move(log), {}, parts);
  if (options.method == SplitMethod::given) result.test = std::move(given_test);
  return result;
}

}  // namespace penchant::graph
