// SPDX-License-Identifier: Apache-2.0
// A few independent tasks on OpenMP's threads, with exceptions.
#pragma once

#include <functional>
#include <vector>

namespace penchant::graph {

/// Runs every task, each on one thread; the first come first. Throws what the first of the tasks
/// that failed threw, after all have ended.
void run_side_by_side(const std::vector<std::function<void()>>& tasks);

}  // namespace penchant::graph
