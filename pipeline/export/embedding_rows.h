// SPDX-License-Identifier: Apache-2.0
// X.embeddings as a whole: what its manifest says of the vectors, its rows read back, and its files
// written. Shared by embed, by deltas and by what applies them, so that the same rows give the same
// files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "graph/dictionary.h"
#include "graph/half.h"
#include "kernels/matrix.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/export/embed.h"
#include "pipeline/model/movement.h"
#include "pipeline/export/vector_files.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

inline constexpr const char* kEntities[] = {"items", "users"};

/// What the manifest says of a model's vectors as `type`, but for its "contents".
nlohmann::json describe_embeddings(const Model& model, EmbeddingType type);
/// The same for files with a place for it, with the keys of lists (many_lists.cc). `version`: of the
/// program that made the vectors.
VectorFacts facts_of(const nlohmann::json& described, std::string_view entity,
                     std::string_view version);
/// Writes the files of one entity and adds what "contents" says of them.
void write_entity(const std::filesystem::path& folder, const NamedVectors& vectors,
                  const std::vector<EmbeddingFormat>& formats, nlohmann::json& contents,
                  Progress& progress);

/// Rows of one entity, read back; halves as the floats that they are.
struct EntityRows {
  graph::Dictionary ids;
  std::vector<float> numbers;  ///< [N x D]
  std::int64_t cols = 0;

  kernels::ConstFloatView view() const {
    return {numbers.data(), ids.size(), cols, cols, kernels::Device::cpu};
  }
  RowsById by_id() const { return {ids, view()}; }
};
struct StoredEmbeddings {
  nlohmann::json manifest;
  EmbeddingType type = EmbeddingType::float32;
  std::vector<EmbeddingFormat> formats;  ///< in the order of the manifest
  EntityRows items, users;

  const EntityRows& rows(std::string_view entity) const {
    return entity == kEntities[0] ? items : users;
  }
};
/// Reads all rows, 4 bytes a number. Throws InputError: unfinished, damaged (each file's hash is
/// looked at), an id that is there twice, written before the manifest said what is in the files.
StoredEmbeddings read_embeddings(const std::filesystem::path& folder, Progress& progress);

/// Vectors as a type has them: as they are, or rounded to float16.
class AsStored {
 public:
  AsStored(kernels::ConstFloatView vectors, EmbeddingType type);
  const kernels::ConstFloatView& view() const { return view_; }

 private:
  std::vector<float> rounded_;
  kernels::ConstFloatView view_;
};

/// Hash (manifest.h) of ids and numbers in their order, whatever formats they are in. `row(i)`: the
/// numbers of row i as float32.
template <typename Row>
std::string rows_hash(const graph::Dictionary& ids, std::int64_t cols, Row row) {
  Hasher hasher;
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    const std::string_view raw = ids.raw(static_cast<graph::NodeId>(i));
    const std::uint64_t size = raw.size();
    hasher.update({reinterpret_cast<const char*>(&size), sizeof(size)});
    hasher.update(raw);
    hasher.update(
        {reinterpret_cast<const char*>(row(i)), static_cast<std::size_t>(cols) * sizeof(float)});
  }
  return hasher.digest();
}
std::string rows_hash(const EntityRows& rows);

}  // namespace penchant::pipeline
