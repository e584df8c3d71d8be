// SPDX-License-Identifier: Apache-2.0
#include "models/linear_filter.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/degrees.h"
#include "graph/error.h"
#include "kernels/transfer.h"
#include "models/sparse_scorer.h"
#include "models/user_blocks.h"

namespace penchant::models {

using graph::Csr;
using kernels::Backend;
using kernels::FloatView;

namespace {

std::vector<float> degrees(const graph::CsrView& matrix) {
  const std::vector<double> sums = graph::row_sums(matrix);
  return {sums.begin(), sums.end()};
}

/// Each row times its scale, at `scale_of(row)`.
template <typename ScaleOf>
void scale_rows(Csr& rows, ScaleOf scale_of) {
  rows.values.resize(rows.columns.size(), 1.0F);
  for (std::int64_t b = 0; b < rows.num_rows; ++b) {
    for (auto e = rows.offsets[graph::at(b)]; e < rows.offsets[graph::at(b) + 1]; ++e)
      rows.values[graph::at(e)] *= scale_of(b);
  }
}

/// degree^-power, 0 where the degree is 0.
std::vector<float> inverse_powers(std::span<const float> degree, float power) {
  std::vector<float> scale;
  scale.reserve(degree.size());
  for (const float d : degree) scale.push_back(d > 0.0F ? std::pow(d, -power) : 0.0F);
  return scale;
}

}  // namespace

LinearFilter::LinearFilter(const graph::UserItemGraph& graph, const LinearFilterOptions& options,
                           Backend& backend)
    : user_items_(graph.user_items), item_users_(graph.item_users) {
  for (const float power : {options.signal_power, options.user_power, options.item_power}) {
    if (!(power >= 0.0F && power <= 2.0F))
      throw InputError(fmt::format("linear filter: power {} is not between 0 and 2", power));
  }
  user_matrix_ = backend.sparse(user_items_.view());
  item_matrix_ = backend.sparse(item_users_.view());
  const std::vector<float> item_degree = degrees(item_users_.view());
  const std::vector<float> user_degree = degrees(user_items_.view());
  row_scale_ = inverse_powers(user_degree, 0.5F);
  signal_scale_ = inverse_powers(item_degree, options.signal_power);
  user_scale_ = kernels::to_device(inverse_powers(user_degree, options.user_power), backend);
  item_scale_ = kernels::to_device(inverse_powers(item_degree, options.item_power), backend);
}

void LinearFilter::check(std::int64_t width, FloatView scores) const {
  if (scores.rows == item_users_.num_rows && scores.cols == width) return;
  throw InputError(fmt::format("linear filter: scores are [{} x {}], expected [{} x {}]",
                               scores.rows, scores.cols, item_users_.num_rows, width));
}

void LinearFilter::score_people(const People& people, Backend& backend, FloatView scores) {
  check(people.rows.num_rows, scores);
  if (scores.rows == 0 || scores.cols == 0) return;
  const std::vector<float> scale = inverse_powers(degrees(people.rows), 0.5F);
  Csr rows{people.rows.num_rows,
           people.rows.num_cols,
           {people.rows.offsets.begin(), people.rows.offsets.end()},
           {people.rows.columns.begin(), people.rows.columns.end()},
           {people.rows.values.begin(), people.rows.values.end()}};
  scale_rows(rows, [&](std::int64_t b) { return scale[graph::at(b)]; });
  respond(std::move(rows), backend, scores);
}

void LinearFilter::score(kernels::IdView users, Backend& backend, FloatView scores) {
  const std::int64_t width = users.size;
  check(width, scores);
  if (width == 0 || scores.rows == 0) return;
  const graph::CsrView all = user_items_.view();
  Csr rows = graph::select_rows(all, {users.data, graph::at(width)});
  scale_rows(rows, [&](std::int64_t b) { return row_scale_[graph::at(users[b])]; });
  respond(std::move(rows), backend, scores);
  mean_scores_.add_to_new_users(
      all, row_scale_, users,
      [&](const Csr& history, FloatView out) { respond(history, backend, out); }, backend, scores);
}

void LinearFilter::respond(Csr rows, Backend& backend, FloatView scores) {
  for (std::size_t e = 0; e < rows.columns.size(); ++e)
    rows.values[e] *= signal_scale_[static_cast<std::size_t>(rows.columns[e])];
  const std::int64_t width = rows.num_rows <= kFewUsers ? kFewUsers : kBlockUsers;
  kernels::FloatMatrix signal = backend.matrix<float>(rows.num_cols, width);
  kernels::FloatMatrix hop = backend.matrix<float>(user_items_.num_rows, width);
  kernels::FloatMatrix last;  // of a block that is not full
  for (std::int64_t first = 0; first < rows.num_rows; first += width) {
    const std::int64_t count = std::min(width, rows.num_rows - first);
    const graph::EdgeOffset base = rows.offsets[graph::at(first)];
    std::vector<graph::EdgeOffset> offsets;
    for (std::int64_t b = 0; b <= width; ++b)
      offsets.push_back(rows.offsets[graph::at(first + std::min(b, count))] - base);
    const auto entries = graph::at(offsets.back());
    write_columns(
        {width, rows.num_cols, offsets, std::span(rows.columns).subspan(graph::at(base), entries),
         std::span(rows.values).subspan(graph::at(base), entries)},
        backend, signal.view());
    kernels::SpmmOptions scaled;
    scaled.row_scale = user_scale_.view();
    backend.spmm(*user_matrix_, signal.view(), hop.view(), scaled);
    scaled.row_scale = item_scale_.view();
    const bool whole = count == width;
    if (!whole) last = backend.matrix<float>(scores.rows, width);
    backend.spmm(*item_matrix_, hop.view(), whole ? scores.cols_of(first, width) : last.view(),
                 scaled);
    if (!whole) {
      backend.copy(kernels::ConstFloatView(last.view().cols_of(0, count)),
                   scores.cols_of(first, count));
    }
  }
}

}  // namespace penchant::models
