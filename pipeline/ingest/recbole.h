// SPDX-License-Identifier: Apache-2.0
// RecBole's atomic files: tables whose header says each column's name and type.
#pragma once

#include "pipeline/artifact/progress.h"
#include "pipeline/ingest/ingest.h"

namespace penchant::pipeline {

/// Turns PREFIX.inter and PREFIX.item into the options of a table: their headers name columns and
/// types, data.columns, data.items and data.attributes go before what they say. Notes what is left
/// out.
IngestOptions recbole_as_table(const IngestOptions& options, Progress& progress);

}  // namespace penchant::pipeline
