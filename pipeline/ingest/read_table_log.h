// SPDX-License-Identifier: Apache-2.0
// Delimited text and Parquet logs with column roles, block by block: any thread splits a block and
// judges its rows (log_block.h) while others give dense ids to the ids of earlier blocks, in order.
#pragma once

#include "pipeline/artifact/progress.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

void read_table_log(const IngestOptions& options, ReadResult& result, RawCatalog& catalog,
                    Progress& progress);

}  // namespace penchant::pipeline
