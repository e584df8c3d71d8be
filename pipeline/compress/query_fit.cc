// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/query_fit.h"

#include <algorithm>

#include "graph/ids.h"
#include "pipeline/audience/logistic.h"

namespace penchant::pipeline {

using graph::at;
using kernels::ConstFloatView;

namespace {

constexpr std::int64_t kItemsAtOnce = 65536;
/// Added to the diagonal, as a share of its mean: directions that no item has.
constexpr double kRidge = 1e-6;

}  // namespace

QueryFit::QueryFit(ConstFloatView items, ConstFloatView decoded, kernels::Backend& backend)
    : decoded_(decoded),
      gram_(backend.matrix<float>(decoded.cols, decoded.cols)),
      cross_(backend.matrix<float>(decoded.cols, items.cols)) {
  backend.fill(gram_.view(), 0.0F);
  backend.fill(cross_.view(), 0.0F);
  const auto share = static_cast<float>(kOthersWeight /
                                        static_cast<double>(std::max<std::int64_t>(items.rows, 1)));
  for (std::int64_t first = 0; first < items.rows; first += kItemsAtOnce) {
    const std::int64_t count = std::min(kItemsAtOnce, items.rows - first);
    const ConstFloatView block = decoded.rows_of(first, count);
    backend.gemm(kernels::Transpose::yes, kernels::Transpose::no, share, block, block, 1.0F,
                 gram_.view());
    backend.gemm(kernels::Transpose::yes, kernels::Transpose::no, share, block,
                 items.rows_of(first, count), 1.0F, cross_.view());
  }
}

void QueryFit::fit(ConstFloatView users, const ListBlock& best, kernels::FloatView queries) const {
#pragma omp parallel for schedule(dynamic, 16)
  for (std::int64_t b = 0; b < users.rows; ++b) {
    const graph::NodeId* listed = best.items.row(b);
    const graph::NodeId* const end = listed + best.items.cols;
    const std::int64_t count = std::find(listed, end, graph::kNoNode) - listed;
    if (count > 0) fit_one(users.row(b), listed, best.scores.row(b), count, queries.row(b));
  }
}

void QueryFit::fit_one(const float* user, const graph::NodeId* items, const float* scores,
                       std::int64_t count, float* query) const {
  const std::int64_t width = decoded_.cols;
  const ConstFloatView gram = gram_.view();
  const ConstFloatView cross = cross_.view();
  std::vector<double> left(at(width * width)), right(at(width));
  double trace = 0.0;
  for (std::int64_t i = 0; i < width; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) left[at(i * width + j)] = gram(i, j);
    for (std::int64_t j = 0; j < cross.cols; ++j)
      right[at(i)] += static_cast<double>(cross(i, j)) * user[j];
  }
  const double share = 1.0 / static_cast<double>(count);
  for (std::int64_t k = 0; k < count; ++k) {
    const float* x = decoded_.row(items[k]);
    for (std::int64_t i = 0; i < width; ++i) {
      const double xi = share * x[i];
      double* row = left.data() + i * width;
      for (std::int64_t j = 0; j <= i; ++j) row[j] += xi * x[j];
      right[at(i)] += xi * scores[k];
    }
  }
  for (std::int64_t i = 0; i < width; ++i) trace += left[at(i * width + i)];
  if (trace <= 0.0) return;
  for (std::int64_t i = 0; i < width; ++i)
    left[at(i * width + i)] += kRidge * trace / static_cast<double>(width);
  if (!solve_in_place(left, right)) return;
  for (std::int64_t i = 0; i < width; ++i) query[i] = static_cast<float>(right[at(i)]);
}

}  // namespace penchant::pipeline
