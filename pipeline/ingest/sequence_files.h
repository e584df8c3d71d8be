// SPDX-License-Identifier: Apache-2.0
// The field's text files of sequences: a line of a user and items (LightGCN, S3-Rec).
#pragma once

#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

void read_lightgcn(const IngestOptions& options, ReadResult& result);
/// The positions of items in a line are their times; attributes come from a JSON file.
void read_s3rec(const IngestOptions& options, ReadResult& result, RawCatalog& catalog);

}  // namespace penchant::pipeline
