// SPDX-License-Identifier: Apache-2.0
// Rows that came later, into a data set that is there: ids, parts and rows of what it holds stay.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/ingest/ingest.h"

namespace penchant::pipeline {

struct AppendReport {
  RowCounts rows, item_rows, vector_rows;  ///< of the new files
  std::vector<FileAccount> files;          ///< the new ones
  std::vector<std::string> known_files;    ///< that the data set had taken in before: left out
  std::int64_t num_new_users = 0, num_new_items = 0;
  std::int64_t num_users = 0, num_items = 0;
  std::int64_t new_train = 0, new_validation = 0, new_test = 0;
  std::int64_t num_older_rows = 0;  ///< new ones from before the latest row of the data set
  /// New ones by rows from before something was forgotten (tombstone.h): may be what was.
  std::int64_t num_users_from_before = 0, num_items_from_before = 0;
};

/// How the log of a data set was read, as ingest kept it in the manifest: TOML of the section
/// data. Throws InputError for one that holds none, as those of earlier programs do.
std::string kept_settings(const std::filesystem::path& data);

/// The options for reading the log of `penchant serve` (docs/serve.md) in `folder` into a data set
/// that `options` were kept of: its columns and its times, and nothing that it does not hold.
IngestOptions event_log_options(IngestOptions options, const std::filesystem::path& folder);

/// Rows that were read into a data set, before it is written.
struct LaterRows {
  AppendReport report;
  Dataset dataset;
  std::string provenance_json;  ///< of the data set as it becomes
  std::string files_json;       ///< accounts of the files that it had taken in before
  RowCounts rows;               ///< of all its files
  bool nothing = false;         ///< no file but those that it had taken in before
};
/// The first half of append(), below.
LaterRows read_later_rows(const IngestOptions& options, const std::filesystem::path& data,
                          Progress& progress);
/// The second half: writes X.data, and sets the data set's hash.
void write_later_rows(LaterRows& later, ArtifactWriter& writer);
/// What happened, for people.
void tell_later_rows(const LaterRows& later, const std::filesystem::path& data, Progress& progress);

/// Reads `options.log` and the item table, if there is one, as the log of `data` was read, and writes
/// `out`, which may be `data`, with their rows behind what `data` holds:
/// - Dense ids of users and items stay; new ones follow.
/// - Rows of a log without sessions, such as a server's, have none.
/// - A file whose bytes were taken in before is left out, and where the log has times every row that
///   equals one of the data set in user, item, time, event and weight: a file delivered twice, or
///   one that has grown, changes nothing that was there.
/// - Of logs that are split by time or by last events the latest `validation_fraction` of the new
///   rows are for validation and none for test, for a model is to learn what is new. Of logs split
///   at random each event's part is drawn by a hash of its user and time (without times its item).
///   Logs whose parts were given by files get training rows.
/// - Of an item that was there, attributes that it lacked are filled in; one that differs stays as
///   it is and is counted.
/// What was forgotten (forget.h) comes back with files that hold it: that is counted, and warned of.
/// Throws InputError: another format than a table, settings by which rows that are there would have
/// to change (data.repeats other than keep_all, limits of counts), other event types.
AppendReport append(const IngestOptions& options, const std::filesystem::path& data,
                    const Destination& out, Progress& progress);

}  // namespace penchant::pipeline
