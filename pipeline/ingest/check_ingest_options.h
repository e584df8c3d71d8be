// SPDX-License-Identifier: Apache-2.0
// Options of ingest that do not go together.
#pragma once

#include "pipeline/ingest/ingest.h"

namespace penchant::pipeline {

/// Throws InputError that names the keys.
void check_ingest_options(const IngestOptions& options);

}  // namespace penchant::pipeline
