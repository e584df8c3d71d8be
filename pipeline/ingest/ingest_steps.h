// SPDX-License-Identifier: Apache-2.0
// Steps that ingest and append have in common, around the reading itself.
#pragma once

#include <initializer_list>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/part_overlap.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/ingest/read_result.h"

namespace penchant::pipeline {

/// Says once which of several files have no rows.
void tell_empty(const std::vector<FileAccount>& files, Progress& progress);
/// Checks the parts for leaks, and whether people come back to the same things often enough for own
/// items to be ranked: a stray repeat must not unmask everyone's (docs/decisions/0022-repeats.md).
void judge_repeats(Dataset& dataset, graph::Repeats repeats);
/// The same, repeats allowed where the options say so.
void judge_repeats(Dataset& dataset, const IngestOptions& options);
/// What the manifest says of the input: files with their sizes and hashes, tables with their rows.
nlohmann::json inputs_to_json(const std::vector<InputFile>& files, const ReadResult& read);
/// The parts hold what the accounts of the files say. Throws InputError.
void check_parts(const std::vector<FileAccount>& files, const graph::SplitInteractions& split);
/// Checks that the accounts close, and takes values of the environment out of what is kept.
void close_accounts(std::vector<FileAccount>& files, std::initializer_list<RowCounts*> sums);
/// Rows of a reason, by its words.
std::int64_t rows_of_reason(const RowCounts& rows, std::string_view reason);
/// Warns of rows that are rejected or read with a doubt.
void tell_rejections(std::initializer_list<const RowCounts*> sums, Progress& progress);

}  // namespace penchant::pipeline
