// SPDX-License-Identifier: Apache-2.0
// What the columns of a model's finished vectors are: [embedding | new-item columns | popularity].
#pragma once

#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "kernels/backend.h"

namespace penchant::pipeline {

struct VectorLayout {
  std::int64_t embedding_dim = 0;     ///< D
  std::int64_t new_item_columns = 0;  ///< R: models/new_items.h
  bool popularity_column = false;     ///< P, 0 or 1: ones for users, and for items
                                      ///< weight * log(1 + users of the item)
  bool normalized = false;            ///< rows have length 1

  std::int64_t width() const {
    return embedding_dim + new_item_columns + (popularity_column ? 1 : 0);
  }
  bool operator==(const VectorLayout&) const = default;

  nlohmann::json to_json() const;
  /// Throws InputError: of a newer version, or with columns that do not add up to the width;
  /// nlohmann::json::exception where something is missing.
  static VectorLayout from_json(const nlohmann::json& stored);
};

/// The vectors that a model's scores are inner products of, in the data set's dense ids.
struct FinishedVectors {
  kernels::FloatMatrix users;  ///< [U x (D + R + P)]
  kernels::FloatMatrix items;  ///< [I x (D + R + P)], of all items of the catalogue
  VectorLayout layout;
};

/// The same as somebody else holds them.
struct VectorViews {
  kernels::ConstFloatView users;
  kernels::ConstFloatView items;
  VectorLayout layout;

  /// Without the last column if that is popularity.
  VectorViews without_popularity() const {
    const std::int64_t columns = layout.embedding_dim + layout.new_item_columns;
    return {users.cols_of(0, columns),
            items.cols_of(0, columns),
            {layout.embedding_dim, layout.new_item_columns, false, layout.normalized}};
  }
};

}  // namespace penchant::pipeline
