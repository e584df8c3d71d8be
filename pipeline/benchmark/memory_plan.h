// SPDX-License-Identifier: Apache-2.0
// The memory of a benchmark's case, before anything is allocated.
#pragma once

#include <cstdint>
#include <vector>

#include "pipeline/benchmark/bench.h"

namespace penchant::pipeline {

/// Threads of the CPU backend.
std::int64_t thread_count(const BenchOptions& options);

/// Arrays that a workload takes beside the graph, before anything is allocated.
std::vector<BenchArray> workload_arrays(const BenchOptions& options, const BenchCase& what);

}  // namespace penchant::pipeline
