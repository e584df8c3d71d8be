// SPDX-License-Identifier: Apache-2.0
// The workloads of `penchant bench` that are stages of the pipeline: ingest, graph_build,
// partition.
#pragma once

#include <filesystem>
#include <memory>

#include "pipeline/benchmark/workloads.h"

namespace penchant::pipeline {

std::unique_ptr<Workload> make_stage_workload(const BenchContext& context);

/// The events of a generated shop of options.events events, sorted by user and time; users and
/// items as `ingest` is timed on.
graph::TrainingPart generated_events(const BenchOptions& options, std::int64_t& num_users,
                                     std::int64_t& num_items);

/// Writes them as user.npy and item.npy.
void export_events(const BenchOptions& options, const std::filesystem::path& folder);

}  // namespace penchant::pipeline
