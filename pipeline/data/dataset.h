// SPDX-License-Identifier: Apache-2.0
// X.data: the artefact that ingest writes and every other verb reads (docs/formats.md describes
// each file).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "graph/catalog.h"
#include "graph/dictionary.h"
#include "graph/interactions.h"
#include "graph/user_links.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/tables/account.h"

namespace penchant::pipeline {

/// Counts and times over the training part only.
struct EntityStatistics {
  std::vector<std::int64_t> count;
  std::vector<std::int64_t>
      first_time_ms;  ///< graph::kNoTime where the entity has no training row or the log no times
  std::vector<std::int64_t> last_time_ms;
};

/// Columns of users.parquet and items.parquet that every entity has; attributes of items have other
/// names.
inline constexpr std::array<std::string_view, 4> kEntityColumns = {"raw_id", "count",
                                                                   "first_time_ms", "last_time_ms"};
inline bool is_entity_column(std::string_view name) {
  return std::find(kEntityColumns.begin(), kEntityColumns.end(), name) != kEntityColumns.end();
}

/// How much of a data set is read.
enum class DatasetUse {
  everything,  ///< all of it; its hashes and that its files agree are checked
  lookup,      ///< sizes, raw ids and what item_label() needs: no rows, no statistics, no hashes of
               ///< the files
};

/// Everything of one data set in memory. Dense ids: row of users / items.
struct Dataset {
  std::filesystem::path directory;  ///< it was read from; empty if it was not
  DatasetUse use = DatasetUse::everything;
  std::string identity;         ///< of the manifest that was read
  std::set<std::string> files;  ///< that it names
  graph::Dictionary users;
  graph::Dictionary items;  ///< all items of the catalogue, also those without any interaction
  EntityStatistics user_statistics;
  EntityStatistics item_statistics;
  graph::Catalog catalog;
  std::vector<std::string> event_names;  ///< index = Interactions::event
  graph::SplitInteractions split;
  std::vector<graph::UserLinks> links;  ///< between users, each kind under a name of its own
  /// Of the held-out rows, those whose (user, item) is in train too (repeat purchases).
  double repeated_share = 0.0;
  bool repeats_allowed = false;  ///< they are so many that own items are ranked like any other
  std::string hash;              ///< of the artefact: names the data set in models and embeddings

  std::int64_t num_users() const { return users.size(); }
  std::int64_t num_items() const { return items.size(); }
};

/// The parts of the split that are not learned from.
enum class HeldOut { validation, test };

/// Appends the next item's values to a categorical or list attribute; list elements are joined by
/// kListSeparator (tables.h).
void append_values(graph::Attribute& attribute, std::string_view joined);
/// Sets the extents of a categorical or list attribute once all its items are appended.
void finish_attribute(graph::Attribute& attribute, std::int64_t num_items);

/// Counts and times of ids in rows.
EntityStatistics count_entities(const std::vector<graph::NodeId>& ids,
                                const std::vector<std::int64_t>& times, std::int64_t size);

/// Writes the artefact and finishes it; sets `dataset.hash` and the statistics. `provenance_json`:
/// inputs with hashes, options. `files`: their accounts, which come behind those of
/// `earlier_files_json`.
void write_dataset(ArtifactWriter& writer, Dataset& dataset, const std::string& provenance_json,
                   const RowCounts& rows, const std::vector<FileAccount>& files,
                   const std::string& earlier_files_json = "[]");

/// Reads it back. For everything, checks hashes, and by check_dataset.h that its files agree with
/// each other. Throws InputError for an unfinished or damaged artefact.
Dataset read_dataset(const std::filesystem::path& directory,
                     DatasetUse use = DatasetUse::everything);

/// Throws InputError if another data set took the place of one that was read for look-ups: after
/// files are opened that belong to what was read before.
void require_same(const Dataset& dataset);

/// All attributes of the items of a data set that was read for look-ups.
graph::Catalog read_catalog(const Dataset& dataset);

/// The training and validation rows of a data set that was read for look-ups: users, items, weights
/// and times, without hashes. Throws InputError for columns that are missing or of different
/// lengths, and for rows that are out of order or of unknown users or items.
graph::SplitInteractions read_known_rows(const Dataset& dataset);

/// The links between users of a data set that was read for look-ups. Throws InputError for links that
/// are damaged.
std::vector<graph::UserLinks> read_user_links(const Dataset& dataset);

/// Display name of an item: the attribute named "name" or "title", else the first text attribute,
/// else categorical values joined, else the raw id.
std::string item_label(const Dataset& dataset, graph::NodeId item);

}  // namespace penchant::pipeline
