// SPDX-License-Identifier: Apache-2.0
// The files of X.delta, one entity at a time (docs/formats.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "graph/ids.h"

namespace penchant::pipeline {

/// "items.changed": Parquet with raw_id and vector of the rows that are new or moved, in the order
/// of the new embeddings.
std::string changed_stem(std::string_view entity);
/// "items.kept": the same of some rows that stay as they are, by which a store is recognised.
std::string kept_stem(std::string_view entity);
/// "items.removed.jsonl": raw ids that are gone, in the order of the old embeddings, one JSON
/// string a line.
std::string removed_name(std::string_view entity);
/// "items.order.npy": int32, of each row of the new embeddings its row of the old ones, or -1: the
/// next new row of items.changed. Only where the order is not that of the old ones without what is
/// removed, and new rows behind them.
std::string order_name(std::string_view entity);

void write_raw_ids(const std::filesystem::path& path, const std::vector<std::string_view>& ids);
/// Throws InputError: a line that is no JSON string.
std::vector<std::string> read_raw_ids(const std::filesystem::path& path);

}  // namespace penchant::pipeline
