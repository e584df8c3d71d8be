// SPDX-License-Identifier: Apache-2.0
// A catalogue whose items stay and to which others come.
#pragma once

#include "graph/catalog.h"
#include "graph/dictionary.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/tables/account.h"

namespace penchant::pipeline {

/// The attributes of `catalog` for all of `items`, of which the first catalog.num_items are its own:
/// the others have what `fresh` says, a catalogue of all of `items`, and so do items of its own that
/// had no value. An item's value that differs from its own is counted in
/// `counts`; in strict mode it throws InputError.
graph::Catalog extend_catalog(graph::Catalog catalog, const graph::Catalog& fresh,
                              const graph::Dictionary& items, RowCounts& counts,
                              const IngestOptions& options);

}  // namespace penchant::pipeline
