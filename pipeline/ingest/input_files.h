// SPDX-License-Identifier: Apache-2.0
// Which files a configuration means: a folder is its data files, a pattern is what it matches. One
// list serves ingest, the provenance in the manifest and `penchant run`.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "pipeline/ingest/ingest.h"
#include "pipeline/tables/account.h"

namespace penchant::pipeline {

struct Frame;

struct InputFile {
  std::filesystem::path path;
  InputRole role = InputRole::log;
  const Frame* frame = nullptr;  ///< the table in memory that it is; null: a file
};

/// Files in the order given. A folder is all files in it and in its folders, sorted by path; one
/// with * ? or [...] that does not exist by that name is a pattern (** stands for any folders), and
/// what it matches is sorted. Names that start with _ or . are markers and half-written files: a
/// folder does not count them among its files, and a wildcard does not match them. A table in
/// memory that `text` knows stands for itself. Throws InputError naming `key`: no such file, nothing in a folder, no match.
std::vector<std::filesystem::path> expand_files(const std::vector<std::filesystem::path>& given,
                                                std::string_view key,
                                                const TableReadOptions& text = {});

/// The same options with every list of files expanded, as a table where the format is one. Notes
/// what is left out.
IngestOptions with_files(const IngestOptions& options, Progress& progress);

/// All files of options from with_files(). Throws InputError: a file that does not exist, or that
/// stands in two places.
std::vector<InputFile> input_files(const IngestOptions& options);

/// How a log is split if the user does not say.
graph::SplitMethod default_split(const IngestOptions& options);

}  // namespace penchant::pipeline
