// SPDX-License-Identifier: Apache-2.0
// How far vectors moved from one set of rows to another, such as from yesterday's model to today's.
// Rows are matched by raw id, since dense ids of two data sets differ.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/dictionary.h"
#include "kernels/matrix.h"

namespace penchant::pipeline {

/// Vectors [N x D] in host memory; row i is of the raw id i.
struct RowsById {
  const graph::Dictionary& ids;
  kernels::ConstFloatView vectors;
};

/// Of one row before and now. Sums are in double, column after column.
struct RowDistance {
  double cosine = 1;  ///< of the angle between them; 0 where one of the two is zeros, 1 if both are
  double distance = 0;  ///< Euclidean
  double share = 0;     ///< the distance, divided by the length of the longer one: 0 to 2
};
/// `before` and `now` have `cols` numbers each.
RowDistance row_distance(const float* before, const float* now, std::int64_t cols);

/// Of some numbers, by nearest rank: the least number that at least that share of them do not
/// exceed.
struct Quantiles {
  double least = 0, q01 = 0, q10 = 0, median = 0, q90 = 0, q99 = 0, largest = 0;
};

struct RowMovement {
  std::int64_t rows = 0;  ///< with an id that both have; with none, all quantiles are 0
  Quantiles cosine, distance, share;
};

/// Of each row of `now`, the row of the same id of `before`; kNoNode: it has none.
std::vector<graph::NodeId> rows_before(const graph::Dictionary& before,
                                       const graph::Dictionary& now);
/// Of all rows with an id that both have; 24 bytes a row. Throws InputError: vectors of different
/// widths.
RowMovement how_far_rows_moved(const RowsById& before, const RowsById& now);
/// The same where row i of `now` was row earlier[i] of `before`, or is new (graph::kNoNode).
RowMovement how_far_rows_moved(kernels::ConstFloatView before, kernels::ConstFloatView now,
                               std::span<const graph::NodeId> earlier);

/// {"rows", "cosine", "distance", "share"}, each of the last three with its quantiles.
nlohmann::json movement_json(const RowMovement& movement);
/// And back.
RowMovement movement_of(const nlohmann::json& movement);
/// For people: "cosine median 0.9987, least 0.81; moved by a share of 0.031 (median), ...".
std::string movement_text(const RowMovement& movement);

}  // namespace penchant::pipeline
