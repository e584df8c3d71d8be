// SPDX-License-Identifier: Apache-2.0
// The catalogue of items, once they have their final dense ids.
#pragma once

#include <cstdint>

#include "graph/catalog.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

/// Items of the log that the item table lacks. Where they are many, the two hardly speak of the
/// same ids, and a warning shows one of each.
std::int64_t count_items_without_row(const graph::Dictionary& log, const graph::Dictionary& table,
                                     const IngestOptions& options, Progress& progress);

/// Numbers are parsed here: a cell that is no number counts as missing and is added to `counts`.
graph::Catalog build_catalog(const RawCatalog& raw, const graph::Dictionary& items,
                             RowCounts& counts, const IngestOptions& options);

}  // namespace penchant::pipeline
