// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/score_space.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/ids.h"

namespace penchant::pipeline {

using graph::at;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

/// Directions in which users vary less than this share of the most count as if they varied so much:
/// their inverse stays finite.
constexpr float kLeastShare = 1e-6F;
/// The same of the items' axes where their logarithms are added up.
constexpr float kLeastVariance = 1e-10F;
constexpr std::int64_t kRowsAtOnce = 65536;

/// Sum over rows of x x' / number of rows: blocks in their order, so that threads change no bit.
FloatMatrix second_moment(ConstFloatView rows, kernels::Backend& backend) {
  FloatMatrix moment = backend.matrix<float>(rows.cols, rows.cols);
  backend.fill(moment.view(), 0.0F);
  const float share = rows.rows > 0 ? 1.0F / static_cast<float>(rows.rows) : 0.0F;
  for (std::int64_t first = 0; first < rows.rows; first += kRowsAtOnce) {
    const ConstFloatView block = rows.rows_of(first, std::min(kRowsAtOnce, rows.rows - first));
    backend.gemm(kernels::Transpose::yes, kernels::Transpose::no, share, block, block, 1.0F,
                 moment.view());
  }
  return moment;
}

struct Axes {
  kernels::Vector<float> values;  ///< largest first
  FloatMatrix vectors;            ///< as columns
};

Axes axes_of(const FloatMatrix& moment, kernels::Backend& backend) {
  Axes axes{backend.vector<float>(moment.rows()),
            backend.matrix<float>(moment.rows(), moment.rows())};
  backend.symmetric_eigen(moment.view(), axes.values.view(), axes.vectors.view());
  return axes;
}

/// Place of each axis: the largest first, each to the group with room whose logarithms add up to
/// least.
std::vector<std::int64_t> places_of(const kernels::Vector<float>& variances, std::int64_t groups,
                                    std::int64_t group_width) {
  const auto values = variances.view();
  const float least = std::max(values.size > 0 ? values[0] * kLeastVariance : 0.0F, 1e-30F);
  std::vector<std::int64_t> filled(at(groups)), places;
  std::vector<double> sums(at(groups));
  for (std::int64_t axis = 0; axis < values.size; ++axis) {
    std::int64_t best = -1;
    for (std::int64_t group = 0; group < groups; ++group) {
      const bool room = filled[at(group)] < group_width;
      if (room && (best < 0 || sums[at(group)] < sums[at(best)])) best = group;
    }
    places.push_back(best * group_width + filled[at(best)]++);
    sums[at(best)] += std::log(static_cast<double>(std::max(values[axis], least) / least));
  }
  return places;
}

}  // namespace

ScoreSpace score_space(ConstFloatView users, ConstFloatView items, std::int64_t groups,
                       kernels::Backend& backend) {
  const std::int64_t width = items.cols;
  const std::int64_t group_width = (width + groups - 1) / groups;
  const Axes of_users = axes_of(second_moment(users, backend), backend);
  const float least = std::max(of_users.values.view()[0] * kLeastShare, 1e-30F);
  // y = diag(w)^(1/2) V' v; the turn V in front of it would change nothing.
  FloatMatrix stretch = backend.matrix<float>(width, width);
  FloatMatrix shrink = backend.matrix<float>(width, width);
  for (std::int64_t i = 0; i < width; ++i) {
    const float root = std::sqrt(std::max(of_users.values.view()[i], least));
    for (std::int64_t j = 0; j < width; ++j) {
      stretch.view()(i, j) = root * of_users.vectors.view()(j, i);
      shrink.view()(i, j) = of_users.vectors.view()(j, i) / root;
    }
  }
  const FloatMatrix stretched = mapped_rows(items, stretch, backend);
  const Axes of_items = axes_of(second_moment(stretched.view(), backend), backend);
  const std::vector<std::int64_t> places = places_of(of_items.values, groups, group_width);
  FloatMatrix turn = backend.matrix<float>(groups * group_width, width);
  backend.fill(turn.view(), 0.0F);
  for (std::int64_t axis = 0; axis < width; ++axis) {
    for (std::int64_t j = 0; j < width; ++j)
      turn.view()(places[at(axis)], j) = of_items.vectors.view()(j, axis);
  }
  ScoreSpace space{backend.matrix<float>(turn.rows(), width),
                   backend.matrix<float>(turn.rows(), width)};
  backend.gemm(kernels::Transpose::no, kernels::Transpose::no, 1.0F, turn.view(), stretch.view(),
               0.0F, space.item_map.view());
  backend.gemm(kernels::Transpose::no, kernels::Transpose::no, 1.0F, turn.view(), shrink.view(),
               0.0F, space.user_map.view());
  return space;
}

FloatMatrix mapped_rows(ConstFloatView rows, const FloatMatrix& map, kernels::Backend& backend) {
  FloatMatrix result = backend.matrix<float>(rows.rows, map.rows());
  backend.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, rows, map.view(), 0.0F,
               result.view());
  return result;
}

}  // namespace penchant::pipeline
