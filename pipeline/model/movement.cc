// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/movement.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/parallel.h"

namespace penchant::pipeline {

using graph::NodeId;
using nlohmann::json;

namespace {

constexpr std::int64_t kRowsAtOnce = 4096;

/// Sorts the numbers.
Quantiles quantiles_of(std::vector<double>& numbers) {
  if (numbers.empty()) return {};
  std::sort(numbers.begin(), numbers.end());
  const auto at_share = [&](double share) {
    const auto rank = std::ceil(share * static_cast<double>(numbers.size()));
    return numbers[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
  };
  return {numbers.front(), at_share(0.01), at_share(0.1), at_share(0.5),
          at_share(0.9),   at_share(0.99), numbers.back()};
}

json quantiles_json(const Quantiles& of) {
  return {{"least", of.least}, {"0.01", of.q01}, {"0.1", of.q10},        {"median", of.median},
          {"0.9", of.q90},     {"0.99", of.q99}, {"largest", of.largest}};
}

Quantiles quantiles_of(const json& of) {
  const auto at = [&](const char* key) { return of.at(key).get<double>(); };
  return {at("least"), at("0.01"), at("0.1"), at("median"), at("0.9"), at("0.99"), at("largest")};
}

}  // namespace

RowDistance row_distance(const float* before, const float* now, std::int64_t cols) {
  double product = 0;
  double length_before = 0;
  double length_now = 0;
  double length_apart = 0;
  for (std::int64_t j = 0; j < cols; ++j) {
    const double a = before[j];
    const double b = now[j];
    product += a * b;
    length_before += a * a;
    length_now += b * b;
    length_apart += (b - a) * (b - a);
  }
  RowDistance row;
  row.distance = std::sqrt(length_apart);
  const double longer = std::sqrt(std::max(length_before, length_now));
  if (longer > 0) row.share = row.distance / longer;
  if (length_before > 0 && length_now > 0)
    row.cosine = std::clamp(product / std::sqrt(length_before * length_now), -1.0, 1.0);
  else if (longer > 0)
    row.cosine = 0;
  return row;
}

std::vector<NodeId> rows_before(const graph::Dictionary& before, const graph::Dictionary& now) {
  std::vector<NodeId> rows(static_cast<std::size_t>(now.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = before.find(now.raw(static_cast<NodeId>(i)));
  return rows;
}

RowMovement how_far_rows_moved(const RowsById& before, const RowsById& now) {
  return how_far_rows_moved(before.vectors, now.vectors, rows_before(before.ids, now.ids));
}

RowMovement how_far_rows_moved(kernels::ConstFloatView before, kernels::ConstFloatView now,
                               std::span<const NodeId> earlier) {
  const std::int64_t cols = now.cols;
  if (before.cols != cols)
    throw InputError(
        fmt::format("vectors of {} numbers and of {}, expected as many", before.cols, cols));
  struct Pair {
    NodeId before, now;
  };
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    if (earlier[i] != graph::kNoNode) pairs.push_back({earlier[i], static_cast<NodeId>(i)});
  }
  std::vector<double> cosines(pairs.size()), distances(pairs.size()), shares(pairs.size());
  graph::parallel_for(
      static_cast<std::int64_t>(pairs.size()), kRowsAtOnce, [&](const graph::Share& share) {
        for (const std::int64_t i : share) {
          const Pair& pair = pairs[graph::at(i)];
          const RowDistance row =
              row_distance(before.row(pair.before), now.row(pair.now), cols);
          cosines[graph::at(i)] = row.cosine;
          distances[graph::at(i)] = row.distance;
          shares[graph::at(i)] = row.share;
        }
      });
  return {static_cast<std::int64_t>(pairs.size()), quantiles_of(cosines), quantiles_of(distances),
          quantiles_of(shares)};
}

json movement_json(const RowMovement& movement) {
  return {{"rows", movement.rows},
          {"cosine", quantiles_json(movement.cosine)},
          {"distance", quantiles_json(movement.distance)},
          {"share", quantiles_json(movement.share)}};
}

RowMovement movement_of(const json& movement) {
  return {movement.at("rows").get<std::int64_t>(), quantiles_of(movement.at("cosine")),
          quantiles_of(movement.at("distance")), quantiles_of(movement.at("share"))};
}

std::string movement_text(const RowMovement& movement) {
  if (movement.rows == 0) return "no row is in both";
  return fmt::format(
      "cosine {:.4g} (median), {:.4g} (0.1), {:.4g} (least); moved by a share of their length of "
      "{:.3g} (median), {:.3g} (0.9), {:.3g} (largest)",
      movement.cosine.median, movement.cosine.q10, movement.cosine.least, movement.share.median,
      movement.share.q90, movement.share.largest);
}

}  // namespace penchant::pipeline
