// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/vector_layout.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;

}  // namespace

json VectorLayout::to_json() const {
  return {{"version", kVersion},
          {"embedding_dim", embedding_dim},
          {"new_item_columns", new_item_columns},
          {"popularity_column", popularity_column},
          {"normalized", normalized},
          {"width", width()}};
}

VectorLayout VectorLayout::from_json(const json& stored) {
  const auto version = stored.at("version").get<std::int64_t>();
  if (version != kVersion) {
    throw InputError(fmt::format("layout of version {}, this program reads {}", version, kVersion));
  }
  const VectorLayout layout = {stored.at("embedding_dim").get<std::int64_t>(),
                               stored.at("new_item_columns").get<std::int64_t>(),
                               stored.at("popularity_column").get<bool>(),
                               stored.at("normalized").get<bool>()};
  const auto width = stored.at("width").get<std::int64_t>();
  constexpr std::int64_t kMost = 1 << 20;
  if (layout.embedding_dim < 0 || layout.embedding_dim > kMost || layout.new_item_columns < 0 ||
      layout.new_item_columns > kMost || layout.width() != width) {
    throw InputError(fmt::format(
        "damaged: layout of {} columns, of which {} embedding, {} of new items and {} "
        "popularity",
        width, layout.embedding_dim, layout.new_item_columns, layout.popularity_column ? 1 : 0));
  }
  return layout;
}

}  // namespace penchant::pipeline
