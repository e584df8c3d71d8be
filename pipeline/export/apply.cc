// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/apply.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/npy.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/export/delta.h"
#include "pipeline/export/delta_files.h"
#include "pipeline/export/embedding_rows.h"
#include "pipeline/export/vector_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using nlohmann::json;

namespace {

/// X.delta, opened and looked at.
struct OpenedDelta {
  fs::path path;
  json manifest;

  explicit OpenedDelta(const fs::path& from)
      : path(from), manifest(read_manifest(from, kDeltaArtifact)) {
    check_files(path, kDeltaArtifact, manifest);
  }
  const json& embeddings() const { return manifest.at("embeddings"); }
  const json& entity(const char* name) const { return manifest.at("entities").at(name); }
  std::int64_t count(const char* name, const char* key) const {
    return entity(name).at(key).get<std::int64_t>();
  }
  InputError damaged(const std::string& what) const {
    return InputError(fmt::format("{}: damaged: {}; write the delta again", path.string(), what));
  }
};

/// Throws where these are not the rows that it was made since.
void require_base(const OpenedDelta& delta, const StoredEmbeddings& old, const fs::path& path) {
  require_same_kind(old.manifest, delta.embeddings(), path, delta.path.string());
  bool is_base = true;
  bool is_result = true;
  for (const char* entity : kEntities) {
    const std::string hash = rows_hash(old.rows(entity));
    is_base = is_base && hash == delta.entity(entity).at("rows_hash_before");
    is_result = is_result && hash == delta.entity(entity).at("rows_hash");
  }
  if (is_base) return;
  if (is_result) {
    throw InputError(fmt::format("{}: has the rows that {} leads to: it was applied already",
                                 path.string(), delta.path.string()));
  }
  const json& since = delta.manifest.at("since");
  throw InputError(fmt::format(
      "{}: its rows (manifest hash {}, model {}) are not those that {} was made since (manifest "
      "hash {}, model {})",
      path.string(), old.manifest.value("manifest_hash", ""), old.manifest.value("model_hash", ""),
      delta.path.string(), since.at("manifest_hash").get<std::string>(),
      since.at("model_hash").get<std::string>()));
}

/// The rows that are new or moved.
EntityRows read_changed(const OpenedDelta& delta, const char* entity, std::int64_t cols) {
  EntityRows changed;
  changed.cols = cols;
  const auto reader =
      open_vectors(delta.path, changed_stem(entity), EmbeddingFormat::parquet, cols);
  VectorBlock block;
  while (reader->next(block)) {
    for (const std::string& raw : block.ids) {
      const std::int64_t row = changed.ids.size();
      if (changed.ids.intern(raw) != row)
        throw delta.damaged(fmt::format("the id '{}' is there twice", printable(raw)));
    }
    changed.numbers.insert(changed.numbers.end(), block.numbers.begin(), block.numbers.end());
  }
  if (changed.ids.size() != delta.count(entity, "new") + delta.count(entity, "moved"))
    throw delta.damaged(fmt::format("{} has {} rows, not those of its manifest",
                                    changed_stem(entity), changed.ids.size()));
  return changed;
}

/// Of each row of the result its old row, or kNoNode: the next new one.
std::vector<NodeId> read_order(const OpenedDelta& delta, const char* entity,
                               const EntityRows& old) {
  if (delta.entity(entity).at("order") == "file") {
    auto order = graph::read_npy<NodeId>(delta.path / order_name(entity));
    for (const NodeId row : order) {
      if (row < graph::kNoNode || row >= old.ids.size())
        throw delta.damaged(
            fmt::format("{} names row {} of {} old ones", order_name(entity), row, old.ids.size()));
    }
    return order;
  }
  std::vector<bool> removed(static_cast<std::size_t>(old.ids.size()), false);
  for (const std::string& raw : read_raw_ids(delta.path / removed_name(entity))) {
    const NodeId row = old.ids.find(raw);
    if (row == graph::kNoNode)
      throw delta.damaged(
          fmt::format("it removes '{}', which is not in the old rows", printable(raw)));
    removed[graph::at(row)] = true;
  }
  std::vector<NodeId> order;
  for (std::size_t row = 0; row < removed.size(); ++row) {
    if (!removed[row]) order.push_back(static_cast<NodeId>(row));
  }
  order.resize(order.size() + static_cast<std::size_t>(delta.count(entity, "new")), graph::kNoNode);
  return order;
}

EntityRows applied(const OpenedDelta& delta, const char* entity, const EntityRows& old) {
  const EntityRows changed = read_changed(delta, entity, old.cols);
  EntityRows result;
  result.cols = old.cols;
  const std::vector<NodeId> order = read_order(delta, entity, old);
  result.ids.reserve(static_cast<std::int64_t>(order.size()));
  result.numbers.reserve(order.size() * static_cast<std::size_t>(old.cols));
  NodeId next = 0;  // of `changed`
  for (const NodeId row : order) {
    NodeId from = graph::kNoNode;
    if (row == graph::kNoNode) {
      while (next < changed.ids.size() && old.ids.find(changed.ids.raw(next)) != graph::kNoNode)
        ++next;
      if (next == changed.ids.size()) throw delta.damaged("it has fewer new rows than it says");
      from = next++;
    } else {
      from = changed.ids.find(old.ids.raw(row));
    }
    const std::string_view raw = row == graph::kNoNode ? changed.ids.raw(from) : old.ids.raw(row);
    if (result.ids.find(raw) != graph::kNoNode)
      throw delta.damaged(fmt::format("the id '{}' would be there twice", printable(raw)));
    result.ids.intern(raw);
    const float* const numbers =
        from == graph::kNoNode ? old.view().row(row) : changed.view().row(from);
    result.numbers.insert(result.numbers.end(), numbers, numbers + old.cols);
  }
  if (rows_hash(result) != delta.entity(entity).at("rows_hash"))
    throw delta.damaged(fmt::format("the {} are not those that it should lead to", entity));
  return result;
}

}  // namespace

json apply_delta(const fs::path& old, const fs::path& from, const Destination& destination,
                 Progress& progress) {
  progress.begin("apply");
  // From here on nobody else replaces what is there, which may be the old ones.
  ArtifactWriter writer(destination, kEmbeddingsArtifact);
  const OpenedDelta delta(from);
  StoredEmbeddings before = read_embeddings(old, progress);
  require_base(delta, before, old);
  writer.clear();
  json manifest = delta.embeddings();
  json contents = json::array();
  for (const char* entity : kEntities) {
    EntityRows& rows = entity == std::string_view(kEntities[0]) ? before.items : before.users;
    rows = applied(delta, entity, rows);
    const NamedVectors vectors{
        entity, rows.ids, rows.view(), before.type,
        facts_of(manifest, entity, delta.manifest.at("penchant_version").get<std::string>())};
    write_entity(writer.folder(), vectors, before.formats, contents, progress);
  }
  manifest["contents"] = std::move(contents);
  writer.finish(manifest);
  progress.end(fmt::format("{} items and {} users in {}", before.items.ids.size(),
                           before.users.ids.size(), destination.path.string()));
  return manifest;
}

}  // namespace penchant::pipeline
