// SPDX-License-Identifier: Apache-2.0
// Item tables whose properties change: rows with a time, of which the last one before the end of
// training counts. Wide (a column for each attribute) or long (columns "property" and "value").
#pragma once

#include <cstdint>

#include "pipeline/artifact/progress.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

/// For a table whose rows have a time (IngestOptions::item_time): of an item's rows, or in
/// a long table of those of one property, the last one that is not after `end_ms` counts.
void read_timed_item_table(const IngestOptions& options, std::int64_t end_ms, ReadResult& result,
                           RawCatalog& catalog, Progress& progress);
/// Until when properties of items may be known: before the first held-out row of a split by time,
/// else to the end of the log.
std::int64_t end_of_training(const OrderedLog& log, graph::SplitMethod method);

}  // namespace penchant::pipeline
