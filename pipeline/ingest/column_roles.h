// SPDX-License-Identifier: Apache-2.0
// Whether the typed columns of Parquet files can be what ingest reads them as; text always can.
// Asked before any row is read.
#pragma once

#include "pipeline/artifact/progress.h"
#include "pipeline/ingest/ingest.h"

namespace penchant::pipeline {

/// Gives attributes without a kind of their own that of their column (a list where it holds lists),
/// which is told, and checks every column that the log and the item table are read for. Throws
/// InputError that names file, column, type and what was expected.
void settle_column_types(IngestOptions& options, Progress& progress);

}  // namespace penchant::pipeline
