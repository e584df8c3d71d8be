// SPDX-License-Identifier: Apache-2.0
// Rows in the order that a data set has them in.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/interactions.h"

namespace penchant::pipeline {

/// Sorts the columns user, item and time by (user, time, input order) and returns where their rows
/// were; empty: where they are. Users are below num_users.
std::vector<std::uint32_t> order_rows(graph::Interactions& log, std::int64_t num_users);

/// Adds a row of `from`, with the columns that it has.
void add_row(const graph::Interactions& from, std::size_t row, graph::Interactions& to);

/// Sorts all columns by (user, time, input order).
void sort_log(graph::Interactions& log, std::int64_t num_users);

}  // namespace penchant::pipeline
