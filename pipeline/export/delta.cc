// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/delta.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/sample.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/npy_file.h"
#include "pipeline/artifact/version.h"
#include "pipeline/export/delta_files.h"
#include "pipeline/export/embedding_rows.h"
#include "pipeline/model/movement.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using kernels::ConstFloatView;
using nlohmann::json;

namespace {

constexpr double kMostMoved = 2;
constexpr graph::Seed kKeptSeed{42};
/// Of Stream::validation, beside that of verify.cc.
constexpr std::uint64_t kKeptSubstream = 65;
constexpr std::int64_t kKeptRows = 200;
constexpr std::int64_t kRowsPerWrite = 16384;

/// The rows of one entity, before and now.
class EntityDelta {
 public:
  /// `now`: as the old embeddings store numbers. All must outlive it.
  EntityDelta(const EntityRows& before, const RowsById& now, double moved)
      : before_(before), now_(now), old_rows_(rows_before(before.ids, now.ids)) {
    const std::size_t row_bytes = static_cast<std::size_t>(before.cols) * sizeof(float);
    std::vector<bool> stays(static_cast<std::size_t>(before.ids.size()), false);
    for (std::int64_t i = 0; i < now.ids.size(); ++i) {
      const NodeId old = old_rows_[graph::at(i)];
      const float* const row = now.vectors.row(i);
      result_.push_back(row);
      if (old == graph::kNoNode) {
        ++num_new_;
        changed_.push_back(static_cast<NodeId>(i));
        continue;
      }
      stays[graph::at(old)] = true;
      const float* const old_row = before.view().row(old);
      if (std::memcmp(old_row, row, row_bytes) == 0) {
        ++num_same_;
      } else if (moved > 0 && row_distance(old_row, row, before.cols).share <= moved) {
        ++num_kept_;
        result_.back() = old_row;
      } else {
        changed_.push_back(static_cast<NodeId>(i));
        continue;
      }
      unchanged_.push_back(static_cast<NodeId>(i));
    }
    for (std::size_t old = 0; old < stays.size(); ++old) {
      if (!stays[old]) removed_.push_back(before.ids.raw(static_cast<NodeId>(old)));
    }
  }

  std::int64_t num_kept() const { return num_kept_; }

  /// What the manifest says of it.
  json write(const fs::path& folder, const char* entity, EmbeddingType type, VectorFacts facts,
             Progress& progress) const {
    facts.emplace_back("penchant.rows", "new or moved");
    write_rows(folder / (changed_stem(entity) + ".parquet"), changed_, type, facts, progress);
    facts.back().second = "kept, a sample";
    std::vector<NodeId> sample;
    for (const NodeId place :
         graph::draw_sample<NodeId>(kKeptSeed, graph::Stream::validation, kKeptSubstream,
                                    static_cast<std::int64_t>(unchanged_.size()), kKeptRows))
      sample.push_back(unchanged_[graph::at(place)]);
    write_rows(folder / (kept_stem(entity) + ".parquet"), sample, type, facts, progress);
    write_raw_ids(folder / removed_name(entity), removed_);
    const bool appended = is_appended();
    if (!appended) write_npy_file(folder / order_name(entity), old_rows_);
    return {{"before", before_.ids.size()},
            {"rows", now_.ids.size()},
            {"new", num_new_},
            {"moved", static_cast<std::int64_t>(changed_.size()) - num_new_},
            {"kept", num_kept_},
            {"same", num_same_},
            {"removed", removed_.size()},
            {"order", appended ? "appended" : "file"},
            {"rows_hash_before", rows_hash(before_)},
            {"rows_hash", rows_hash(now_.ids, before_.cols,
                                    [&](std::int64_t i) { return result_[graph::at(i)]; })},
            {"movement", movement_json(how_far_rows_moved(before_.by_id(), now_))}};
  }

 private:
  /// Old rows in their order, then the new ones.
  bool is_appended() const {
    NodeId last = -1;
    std::size_t i = 0;
    for (; i < old_rows_.size() && old_rows_[i] != graph::kNoNode; ++i) {
      if (old_rows_[i] <= last) return false;
      last = old_rows_[i];
    }
    return std::all_of(old_rows_.begin() + static_cast<std::ptrdiff_t>(i), old_rows_.end(),
                       [](NodeId old) { return old == graph::kNoNode; });
  }

  void write_rows(const fs::path& path, const std::vector<NodeId>& rows, EmbeddingType type,
                  const VectorFacts& facts, Progress& progress) const {
    VectorTableWriter writer(path, VectorTableKind::parquet, facts);
    const std::int64_t cols = before_.cols;
    const auto num_rows = static_cast<std::int64_t>(rows.size());
    std::int64_t first = 0;
    do {
      const std::int64_t last = std::min(first + kRowsPerWrite, num_rows);
      std::vector<std::string_view> ids;
      std::vector<float> numbers;
      for (std::int64_t i = first; i < last; ++i) {
        const NodeId row = rows[graph::at(i)];
        ids.push_back(now_.ids.raw(row));
        numbers.insert(numbers.end(), result_[graph::at(row)], result_[graph::at(row)] + cols);
      }
      writer.write(std::move(ids), {numbers.data(), cols, cols, type == EmbeddingType::float16});
      first = last;
      progress.update(first, num_rows, path.filename().string());
      stop_if_asked(progress);
    } while (first < num_rows);
    writer.commit();
  }

  const EntityRows& before_;
  RowsById now_;
  std::vector<NodeId> old_rows_;      ///< of each row now
  std::vector<const float*> result_;  ///< of each row now: what applying gives
  std::vector<NodeId> changed_, unchanged_;
  std::vector<std::string_view> removed_;
  std::int64_t num_new_ = 0, num_same_ = 0, num_kept_ = 0;
};

}  // namespace

void require_same_kind(const json& found, const json& wanted, const fs::path& path,
                       const std::string& whose) {
  for (const char* key : {"dtype", "dimension", "normalized", "new_item_columns",
                          "popularity_column", "score", "metric"}) {
    const json here = found.value(key, json());
    const json there = wanted.value(key, json());
    if (here == there) continue;
    throw InputError(fmt::format(
        "{}: {} is {}, and that of {} is {}: their rows cannot stand beside each other; write all "
        "of them with embed",
        path.string(), key, here.dump(), whose, there.dump()));
  }
}

json write_delta(const Model& model, const DeltaOptions& options, const Destination& destination,
                 Progress& progress) {
  progress.begin("delta");
  require_vectors(model, "embed --since");
  if (!(options.moved >= 0 && options.moved <= kMostMoved)) {
    throw InputError(fmt::format("--moved is {}, expected a share of a row's length from 0 to {}",
                                 options.moved, kMostMoved));
  }
  ArtifactWriter writer(destination, kDeltaArtifact);
  const StoredEmbeddings before = read_embeddings(options.since, progress);
  json embeddings = describe_embeddings(model, before.type);
  require_same_kind(before.manifest, embeddings, options.since, "the model");
  writer.clear();
  const Dataset& dataset = model.dataset();
  kernels::Download<float> download_items, download_users;
  const AsStored items(download_items(model.items(), model.backend()), before.type);
  const AsStored users(download_users(model.users(), model.backend()), before.type);
  const EntityDelta deltas[] = {
      EntityDelta(before.items, {dataset.items, items.view()}, options.moved),
      EntityDelta(before.users, {dataset.users, users.view()}, options.moved)};
  if (deltas[0].num_kept() + deltas[1].num_kept() > 0) {
    // They are not the new model's vectors alone, so that what was found of these is not theirs.
    embeddings["kept"] = {{kEntities[0], deltas[0].num_kept()},
                          {kEntities[1], deltas[1].num_kept()},
                          {"moved", options.moved}};
    embeddings.erase("validation");
  }
  json entities;
  for (std::size_t side = 0; side < 2; ++side) {
    const char* const entity = kEntities[side];
    entities[entity] = deltas[side].write(writer.folder(), entity, before.type,
                                          facts_of(embeddings, entity, kVersion), progress);
  }
  json manifest = {
      {"since",
       {{"path", options.since.string()},
        {"manifest_hash", before.manifest.value("manifest_hash", "")},
        {"model_hash", before.manifest.value("model_hash", "")},
        {"data_hash", before.manifest.value("data_hash", "")}}},
      {"moved",
       {{"more_than", options.moved},
        {"measure", options.moved > 0 ? "Euclidean distance of the old and the new row, divided by "
                                        "the length of the longer one"
                                      : "any bit that differs"}}},
      {"embeddings", std::move(embeddings)},
      {"entities", std::move(entities)}};
  writer.finish(manifest);
  std::string summary;
  for (const char* entity : kEntities) {
    const json& of = manifest["entities"][entity];
    summary += fmt::format("{}{}: {} new, {} moved, {} removed of {}", summary.empty() ? "" : "; ",
                           entity, of["new"].dump(), of["moved"].dump(), of["removed"].dump(),
                           of["before"].dump());
  }
  progress.end(summary);
  return manifest;
}

std::string delta_text(const json& delta) {
  std::string text = fmt::format("{:<8}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}\n", "", "before",
                                 "new", "moved", "kept", "same", "removed", "rows");
  std::string moves;
  for (const char* entity : kEntities) {
    const json& of = delta.at("entities").at(entity);
    text += fmt::format("{:<8}", entity);
    for (const char* key : {"before", "new", "moved", "kept", "same", "removed", "rows"})
      text += fmt::format("{:>10}", of.at(key).get<std::int64_t>());
    text += '\n';
    moves += fmt::format("{:<8}{}\n", entity, movement_text(movement_of(of.at("movement"))));
  }
  const double moved = delta.at("moved").at("more_than").get<double>();
  text += moved > 0 ? fmt::format(
                          "moved: by more than {} of the length of the row; kept: by less, "
                          "and the old row stays\n",
                          moved)
                    : std::string("moved: a bit of the row differs\n");
  return text + moves;
}

}  // namespace penchant::pipeline
