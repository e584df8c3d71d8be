// SPDX-License-Identifier: Apache-2.0
// A small table with names for its columns, as a file whose ending says the format.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/tables/ranked_file.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

/// Writes a .parquet, .arrow, .csv or .jsonl file that is whole or absent. Columns are of text, of
/// integers or of numbers (OutputColumn), none of them null. The facts go into the schema's metadata
/// of .parquet and .arrow. Throws InputError: another ending, or what cannot be written.
void write_columns(const std::filesystem::path& path, std::int64_t num_rows,
                   const std::vector<OutputColumn>& columns, const RankedFacts& facts);
/// The same as a table in memory.
Frame frame_of_columns(std::int64_t num_rows, const std::vector<OutputColumn>& columns,
                       const RankedFacts& facts);

}  // namespace penchant::pipeline
