// SPDX-License-Identifier: Apache-2.0
// Tables of links between users: who knows or follows whom.
#pragma once

#include <vector>

#include "graph/dictionary.h"
#include "graph/user_links.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

/// The links of every table of `options` between known users; accounts of the files are added to
/// `read`. A row is counted and left out where a user is missing or not in the log, where it links
/// someone to itself, or where its weight is none; of rows with the same link (unless it is directed
/// whichever way) the largest weight counts. Throws InputError for columns that are not there.
std::vector<graph::UserLinks> read_link_tables(const IngestOptions& options,
                                               const graph::Dictionary& users, ReadResult& read);

/// Links of all kinds; those that go both ways are one.
std::int64_t count_links(const std::vector<graph::UserLinks>& links);

}  // namespace penchant::pipeline
