// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/log_rows.h"

#include <omp.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <ranges>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/parallel.h"
#include "graph/part_overlap.h"
#include "graph/side_by_side.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/data/sort_log.h"
#include "pipeline/ingest/id_rules.h"

namespace penchant::pipeline {

using graph::Dictionary;
using graph::Interactions;
using graph::NodeId;
using graph::Part;

Rejections::Rejections(const IngestOptions& options)
    : strict_(options.strict),
      withholds_cells_(options.ids != nullptr && options.ids->withholds_cells()) {}

std::string Rejections::shown(const std::string& example) const {
  if (!withholds_cells_) return printable(example, kMessageBytes);
  // Any cell may hold an id, since columns can be shifted: what is left is "FILE:LINE".
  std::size_t end = 0;
  for (std::size_t colon = example.find(':'); colon != std::string::npos && end == 0;
       colon = example.find(':', colon + 1)) {
    std::size_t digit = colon + 1;
    while (digit < example.size() && example[digit] >= '0' && example[digit] <= '9') ++digit;
    if (digit > colon + 1 && (digit == example.size() || example[digit] == ':')) end = digit;
  }
  const std::string place = printable(example.substr(0, end), kMessageBytes);
  return fmt::format("{}{}what the row holds is not shown (data.pseudonymise)", place,
                     place.empty() ? "" : ": ");
}

RowCounts::Reason& Rejections::find(std::string_view reason, bool is_error, RowFate fate) {
  for (RowCounts::Reason& known : reasons_) {
    if (known.reason == reason && known.fate == fate) return known;
  }
  reasons_.push_back({std::string(reason), 0, "", is_error, fate});
  return reasons_.back();
}

void Rejections::malformed(std::string_view reason, const std::function<std::string()>& example,
                           RowFate fate) {
  RowCounts::Reason& known = find(reason, true, fate);
  if (known.rows++ == 0) known.example = shown(example());
  refuse_if_strict(known);
}

void Rejections::add(const RowCounts::Reason& reason) {
  RowCounts::Reason& known = find(reason.reason, reason.is_error, reason.fate);
  if (known.rows == 0 && !reason.example.empty()) known.example = shown(reason.example);
  known.rows += reason.rows;
  if (reason.is_error) refuse_if_strict(known);
}

void Rejections::filtered(std::string_view reason, std::int64_t rows) {
  if (rows > 0) find(reason, false, RowFate::filtered).rows += rows;
}

void Rejections::refuse_if_strict(const RowCounts::Reason& reason) const {
  if (strict_)
    throw InputError(fmt::format("{} ({}; strict mode makes a rejected row an error)",
                                 reason.example, reason.reason));
}

namespace {

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

/// Items of one user's rows, each with its row behind the user's first: sorts repeats together, in
/// the order of their rows.
using PairKeys = std::vector<std::uint64_t>;

/// Only rows of `part`.
void sort_pairs(const OrderedLog& log, std::size_t first, std::size_t last, Part part,
                PairKeys& keys) {
  keys.clear();
  for (std::size_t row = first; row < last; ++row) {
    if (log.parts[row] == part)
      keys.push_back(static_cast<std::uint64_t>(log.rows.item[row]) << 32 | (row - first));
  }
  std::sort(keys.begin(), keys.end());
}
bool same_pair(std::uint64_t a, std::uint64_t b) { return a >> 32 == b >> 32; }
std::size_t row_of(std::uint64_t key, std::size_t first) { return first + (key & 0xFFFFFFFFU); }

/// What can still differ between rows of one user, item and time.
struct ExactKey {
  std::int8_t event;
  std::int32_t session;
  float weight;
  std::size_t row;
  ExactKey(const Interactions& rows, std::size_t in_other_columns, std::size_t row_in_order)
      : event(rows.event.empty() ? std::int8_t{0} : rows.event[in_other_columns]),
        session(rows.session.empty() ? 0 : rows.session[in_other_columns]),
        weight(rows.weight[in_other_columns]),
        row(row_in_order) {}
  auto content() const { return std::tuple(event, session, weight); }
  bool operator<(const ExactKey& other) const {
    return content() != other.content() ? content() < other.content() : row < other.row;
  }
};

/// Whether an item may occur twice in some rows; if there are many, nobody looks.
bool may_repeat_items(const NodeId* items, std::size_t size) {
  constexpr std::size_t kMost = 64;  // pairs of rows are compared
  if (size > kMost) return true;
  bool repeats = false;
  for (std::size_t i = 0; i + 1 < size; ++i) {
    const NodeId item = items[i];
    int equal = 0;
    for (std::size_t j = i + 1; j < size; ++j) equal |= static_cast<int>(items[j] == item);
    repeats |= equal != 0;
  }
  return repeats;
}

/// Leaves out all but one row of each repeated item among a part's rows in [first, last), of one
/// user.
void drop_repeated_pairs(OrderedLog& log, std::size_t first, std::size_t last, Part part,
                         RepeatPolicy policy, PairKeys& keys) {
  sort_pairs(log, first, last, part, keys);
  std::size_t head = 0;  // of a run of repeats
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (!same_pair(keys[i], keys[head])) {
      head = i;
      continue;
    }
    const std::size_t later = row_of(keys[i], first);
    if (policy == RepeatPolicy::keep_last) {
      log.parts[row_of(keys[i - 1], first)] = Part::left_out;
    } else {
      log.parts[later] = Part::left_out;
      std::vector<float>& weight = log.rows.weight;
      if (policy == RepeatPolicy::sum)
        weight[log.row_of(row_of(keys[head], first))] += weight[log.row_of(later)];
    }
  }
}

/// Leaves out all but the first of rows that agree in every column. The columns that wait elsewhere
/// are read only for rows of one item and time.
void drop_exact_repeats(OrderedLog& log, std::size_t first, std::size_t last, Part part,
                        PairKeys& keys, std::vector<ExactKey>& rows) {
  sort_pairs(log, first, last, part, keys);
  const auto time_of = [&](std::uint64_t key) {
    return log.rows.time_ms.empty() ? 0 : log.rows.time_ms[row_of(key, first)];
  };
  for (std::size_t begin = 0; begin < keys.size();) {
    std::size_t end = begin + 1;
    while (end < keys.size() && same_pair(keys[begin], keys[end]) &&
           time_of(keys[begin]) == time_of(keys[end]))
      ++end;
    rows.clear();
    for (std::size_t i = begin; end - begin > 1 && i < end; ++i) {
      const std::size_t row = row_of(keys[i], first);
      rows.emplace_back(log.rows, log.row_of(row), row);
    }
    std::sort(rows.begin(), rows.end());
    for (std::size_t i = 1; i < rows.size(); ++i) {
      if (rows[i].content() == rows[i - 1].content()) log.parts[rows[i].row] = Part::left_out;
    }
    begin = end;
  }
}

void mark_repeats(OrderedLog& log, Part part, RepeatPolicy policy) {
  const std::vector<std::size_t> starts = user_starts(log.rows);
  const auto num_users = static_cast<std::int64_t>(starts.size()) - 1;
  graph::parallel_for(num_users, 1024, [&](const graph::Share& users) {
    PairKeys keys;
    std::vector<ExactKey> rows;
    for (const std::int64_t u : users) {
      const std::size_t first = starts[static_cast<std::size_t>(u)];
      const std::size_t last = starts[static_cast<std::size_t>(u) + 1];
      if (!may_repeat_items(log.rows.item.data() + first, last - first)) continue;
      if (policy == RepeatPolicy::keep_all) {
        drop_exact_repeats(log, first, last, part, keys, rows);
      } else {
        drop_repeated_pairs(log, first, last, part, policy, keys);
      }
    }
  });
}

void mark_repeats_of_parts(OrderedLog& log, const IngestOptions& options, RepeatPolicy policy) {
  mark_repeats(log, Part::train, policy);
  if (!has_given_parts(options)) return;
  mark_repeats(log, Part::validation, policy);
  mark_repeats(log, Part::test, policy);
}

void apply_repeat_policy(OrderedLog& log, const IngestOptions& options, LeftOutRows& left_out) {
  if (options.privacy.drop_repeats) {
    mark_repeats_of_parts(log, options, RepeatPolicy::keep_all);
    left_out.add(kExactRepeat, RowFate::merged);
  }
  // Without times a repeat of a pair under keep_all is simply another row.
  const bool keep_all = options.repeats == RepeatPolicy::keep_all;
  if (keep_all && log.rows.time_ms.empty()) return;
  mark_repeats_of_parts(log, options, options.repeats);
  left_out.add(keep_all ? kExactRepeat : "repeat of a (user, item) pair, merged", RowFate::merged);
}

const char* name_of(Part part) {
  return part == Part::train ? "train" : part == Part::validation ? "validation" : "test";
}

/// Where a log has times and may repeat pairs, another time is another event; else a pair is one.
void drop_shared_rows(OrderedLog& log, const RawLog& raw, const IngestOptions& options,
                      LeftOutRows& left_out) {
  const bool exact = options.repeats == RepeatPolicy::keep_all && !log.rows.time_ms.empty();
  const std::optional<graph::OverlapRow> first = graph::drop_overlap(
      log.rows, log.order, exact ? graph::SameRow::item_time_event : graph::SameRow::item,
      log.parts);
  if (!first) return;
  const std::string example = replace_broken_utf8(
      fmt::format("{}: user '{}', item '{}': the {} of the {} part also is in the {} part",
                  left_out.file_of(first->input_row).path.string(), raw.users.raw(first->user),
                  raw.items.raw(first->item), exact ? "row" : "pair", name_of(first->part),
                  name_of(first->earlier)));
  if (options.overlap == OverlapPolicy::error) {
    throw InputError(example +
                     "; data.split.overlap = \"drop\" leaves such rows out of the later part");
  }
  left_out.add("stands in an earlier part too", RowFate::overlap, example);
}

/// Peels users and items with too few training rows until none is left to peel.
void apply_core(OrderedLog& log, std::int64_t min_user, std::int64_t min_item,
                LeftOutRows& left_out) {
  if (min_user <= 1 && min_item <= 1) return;
  const std::vector<NodeId>& users = log.rows.user;
  const std::vector<NodeId>& items = log.rows.item;
  const auto extent = [](const std::vector<NodeId>& ids) {
    return ids.empty() ? std::size_t{0}
                       : static_cast<std::size_t>(*std::max_element(ids.begin(), ids.end())) + 1;
  };
  std::vector<std::int64_t> user_count(extent(users), 0);
  std::vector<std::int64_t> item_count(extent(items), 0);
  for (std::size_t row = 0; row < users.size(); ++row) {
    if (log.parts[row] != Part::train) continue;
    ++user_count[static_cast<std::size_t>(users[row])];
    ++item_count[static_cast<std::size_t>(items[row])];
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t row = 0; row < users.size(); ++row) {
      auto& of_user = user_count[static_cast<std::size_t>(users[row])];
      auto& of_item = item_count[static_cast<std::size_t>(items[row])];
      if (log.parts[row] == Part::train && (of_user < min_user || of_item < min_item)) {
        log.parts[row] = Part::left_out;
        --of_user;
        --of_item;
        changed = true;
      }
    }
  }
  left_out.add(
      fmt::format("user with fewer than {} or item with fewer than {} rows", min_user, min_item),
      RowFate::k_core);
}

void apply_maximum(OrderedLog& log, std::int64_t maximum, LeftOutRows& left_out) {
  if (maximum <= 0) return;
  const std::vector<std::size_t> starts = user_starts(log.rows);
  for (std::size_t u = 0; u + 1 < starts.size(); ++u) {
    std::int64_t kept = 0;
    for (std::size_t row = starts[u + 1]; row-- > starts[u];) {
      if (log.parts[row] == Part::train && ++kept > maximum) log.parts[row] = Part::left_out;
    }
  }
  left_out.add(fmt::format("older than the user's latest {} rows", maximum), RowFate::user_cap);
}

/// Leaves the first `num_known` ids and those that occur, and renumbers the rows, unless that is all.
void compact(Dictionary& dictionary, const std::vector<Part>& parts, std::int64_t num_known,
             std::vector<NodeId>& log) {
  std::vector<NodeId> new_id(static_cast<std::size_t>(dictionary.size()), graph::kNoNode);
  std::fill_n(new_id.begin(), num_known, NodeId{0});
  for (std::size_t row = 0; row < log.size(); ++row) {
    if (parts[row] != Part::left_out) new_id[static_cast<std::size_t>(log[row])] = 0;
  }
  if (std::find(new_id.begin(), new_id.end(), graph::kNoNode) == new_id.end()) return;
  Dictionary kept;
  for (std::size_t id = 0; id < new_id.size(); ++id) {
    // Rows that are left out stay in order: their ids become the next one that is kept.
    const bool occurs = new_id[id] != graph::kNoNode;
    new_id[id] = static_cast<NodeId>(kept.size());
    if (occurs) kept.intern(dictionary.raw(static_cast<NodeId>(id)));
  }
  for (NodeId& id : log) id = new_id[static_cast<std::size_t>(id)];
  dictionary = std::move(kept);
}

}  // namespace

OrderedLog order_log(Interactions log, std::int64_t num_users) {
  OrderedLog result;
  result.rows = std::move(log);
  result.order = order_rows(result.rows, num_users);
  result.parts.assign(result.rows.user.size(), Part::train);
  return result;
}

void number_rows(OrderedLog& log) {
  const std::vector<NodeId>& user = log.rows.user;
  log.rows.time_ms.resize(user.size());
  for (std::size_t row = 0; row < user.size(); ++row) {
    const bool same = row > 0 && user[row] == user[row - 1];
    log.rows.time_ms[row] = same ? log.rows.time_ms[row - 1] + 1 : 0;
  }
}

void thin_log(OrderedLog& log, const RawLog& raw, const IngestOptions& options,
              LeftOutRows& left_out) {
  apply_repeat_policy(log, options, left_out);
  if (has_given_parts(options)) drop_shared_rows(log, raw, options, left_out);
  // The cap first: the core only takes rows away, so that in the end both hold.
  apply_maximum(log, options.max_user_count, left_out);
  apply_core(log, options.min_user_count, options.min_item_count, left_out);
}

void leave_unlisted_out(OrderedLog& log, const Dictionary& items, const Dictionary& table,
                        std::int64_t num_known, LeftOutRows& left_out) {
  std::vector<bool> is_listed(static_cast<std::size_t>(items.size()), true);
  std::string example;
  for (std::int64_t id = num_known; id < items.size(); ++id) {
    const std::string_view raw = items.raw(static_cast<NodeId>(id));
    if (table.find(raw) != graph::kNoNode) continue;
    is_listed[static_cast<std::size_t>(id)] = false;
    if (example.empty()) example = replace_broken_utf8(fmt::format("item '{}'", raw));
  }
  for (std::size_t row = 0; row < log.parts.size(); ++row) {
    if (!is_listed[static_cast<std::size_t>(log.rows.item[row])]) log.parts[row] = Part::left_out;
  }
  left_out.add("item without a row in the item table", RowFate::filtered, example);
}

void compact_dictionaries(OrderedLog& log, Dictionary& users, Dictionary& items,
                          const KnownIds& known) {
  graph::run_side_by_side({[&] { compact(users, log.parts, known.users, log.rows.user); },
                           [&] { compact(items, log.parts, known.items, log.rows.item); }});
}

}  // namespace penchant::pipeline
