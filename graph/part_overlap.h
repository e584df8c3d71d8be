// SPDX-License-Identifier: Apache-2.0
// What the parts of a split have in common: rows that stand in two of them are left out of the
// later one, and afterwards a check shows that nothing which is held out can be learned from.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/interactions.h"
#include "graph/split.h"

namespace penchant::graph {

/// When two rows of a user are the same thing: they agree in the item, or in item, time and event.
enum class SameRow { item, item_time_event };

/// A row that also stands in an earlier part.
struct OverlapRow {
  std::uint32_t input_row = 0;  ///< its place before the log was put in order
  NodeId user = kNoNode;
  NodeId item = kNoNode;
  Part part = Part::test;
  Part earlier = Part::train;
};

/// Of rows that are the same thing in two parts (train < validation < test), those of the later
/// part become left_out. `log` is sorted by user; row i of its columns user, item and time_ms is
/// row order[i] of the others (row i where `order` is empty). Returns the one that came first in
/// the input, if there are any.
std::optional<OverlapRow> drop_overlap(const Interactions& log,
                                       const std::vector<std::uint32_t>& order, SameRow same,
                                       std::vector<Part>& parts);

/// Leak check: throws InputError if a (user, item, time, event) row of validation or test also is a
/// row of train, or, where repeats are forbidden, if a held-out (user, item) pair also occurs in
/// train. Names the first offending row. Returns the share of the held-out rows whose pair occurs
/// in train: how often people come back to the same things.
enum class Repeats { allowed, forbidden };
/// Turns dense ids into what the message says; the default prints the dense ids.
using NameOf = std::function<std::string(NodeId)>;
double check_no_leak(const SplitInteractions& split, Repeats repeats, const NameOf& user_name = {},
                     const NameOf& item_name = {});

}  // namespace penchant::graph
