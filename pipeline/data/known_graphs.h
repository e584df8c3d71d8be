// SPDX-License-Identifier: Apache-2.0
// The graphs that a finished model was made of, built again, also from a data set that was read for
// look-ups.
#pragma once

#include "graph/interactions.h"
#include "graph/item_graph.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"

namespace penchant::pipeline {

/// What of the options a log allows: co-occurrence in sessions needs sessions, without which it is
/// read off the order of events, and without times it is left out.
graph::ItemGraphOptions possible_item_options(const graph::Interactions& log,
                                              graph::ItemGraphOptions options);

/// What make_graphs() makes of what is known, without statistics. Of a data set that was read for
/// look-ups only rows and attributes are read, but for sessions, which take the whole. Throws
/// InputError when no edge is left.
Graphs make_known_graphs(const Dataset& dataset, KnownPart known, const GraphOptions& options);

}  // namespace penchant::pipeline
