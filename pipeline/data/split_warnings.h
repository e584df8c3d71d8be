// SPDX-License-Identifier: Apache-2.0
// What a user should know of a split: parts that stayed empty, sessions that it cut.
#pragma once

#include "graph/events.h"
#include "graph/split.h"
#include "pipeline/artifact/progress.h"

namespace penchant::pipeline {

/// Warns of a part that was asked for and got no row, with the cause.
void warn_of_empty_parts(const graph::SplitInteractions& split, const graph::SplitOptions& options,
                         Progress& progress);
/// Warns of sessions that stand in more than one part.
void warn_of_cut_sessions(const graph::CutSessions& sessions, const graph::SplitOptions& options,
                          Progress& progress);

}  // namespace penchant::pipeline
