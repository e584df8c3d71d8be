// SPDX-License-Identifier: Apache-2.0
// Attributes made of vectors (graph::ContentSpace): of files, or of texts in the catalogue.
#pragma once

#include <cstdint>

#include "graph/catalog.h"
#include "graph/dictionary.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

/// Appends an attribute for each of options.vectors to `catalog`; accounts of the files are added to
/// `read`. The first `num_in_log` items have rows in the log. Landmarks are half of the items with a
/// vector, up to 8,192, half of them from the log as far as that goes; an item has the four nearest.
void add_content(const IngestOptions& options, const graph::Dictionary& items,
                 std::int64_t num_in_log, graph::Catalog& catalog, ReadResult& read,
                 Progress& progress);

/// Appends to `fresh`, a catalogue of `items`, what the attributes of `known` that are made of
/// vectors say of these: from files that options.vectors names, and from texts in `fresh` for items
/// that have no value in `known`. Throws InputError for a file of an attribute that is not there or
/// made of text.
void add_later_content(const IngestOptions& options, const graph::Catalog& known,
                       const graph::Dictionary& items, graph::Catalog& fresh, ReadResult& read);

}  // namespace penchant::pipeline
