// SPDX-License-Identifier: Apache-2.0
#include "models/new_item_scores.h"

#include <algorithm>
#include <cmath>

#include "graph/error.h"
#include "models/attribute_regression.h"
#include "models/new_items.h"

namespace penchant::models {

using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;

namespace {

/// A dense table of users' profiles has at most so many numbers.
constexpr std::int64_t kLargestProfiles = std::int64_t{1} << 24;

/// Adds each column of `x` to that of `sum`, less its mean and in units of its standard deviation;
/// a column of equal numbers is left out.
void add_standardized(ConstFloatView x, FloatView sum) {
  const auto count = static_cast<double>(x.rows);
  std::vector<double> mean(at(x.cols), 0.0);
  std::vector<double> squares(at(x.cols), 0.0);
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t col = 0; col < x.cols; ++col)
      mean[at(col)] += static_cast<double>(x(row, col));
  }
  for (double& value : mean) value /= count;
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t col = 0; col < x.cols; ++col) {
      const double apart = static_cast<double>(x(row, col)) - mean[at(col)];
      squares[at(col)] += apart * apart;
    }
  }
  std::vector<float> scale;
  std::vector<float> shift;
  for (std::int64_t col = 0; col < x.cols; ++col) {
    const double deviation = std::sqrt(squares[at(col)] / count);
    const bool differ = deviation > 1e-6 * std::abs(mean[at(col)]);
    scale.push_back(differ ? static_cast<float>(1.0 / deviation) : 0.0F);
    shift.push_back(static_cast<float>(mean[at(col)]));
  }
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t col = 0; col < x.cols; ++col)
      sum.row(row)[col] += scale[at(col)] * (x(row, col) - shift[at(col)]);
  }
}

}  // namespace

NewItemScores::NewItemScores(const graph::UserItemGraph& user_item, const graph::Csr& links,
                             const std::vector<NodeId>& items, ConstFloatView users,
                             ConstFloatView item_vectors, Backend& backend)
    : user_item_(user_item),
      users_(users),
      backend_(backend),
      weighted_(weighted_by_rarity(links)),
      pool_(graph::select_rows(links.view(), items)),
      links_(backend.sparse(pool_.view())) {
  if (users.rows != user_item.num_users || users.cols != item_vectors.cols)
    throw InputError("new items: vectors and graph are of different numbers");
  const AttributeRegression regression =
      regress_on_attributes(links, touched_items(user_item, links).yes, item_vectors, backend);
  // Without the mean, which moves all of a user's scores alike.
  predicted_ = backend.matrix<float>(links_->rows(), item_vectors.cols);
  backend.spmm(*links_, regression.of_values.view(), predicted_.view(), {});
}

void NewItemScores::score(kernels::IdView users, FloatView scores) {
  const std::int64_t num_values = weighted_.num_cols;
  const std::int64_t most = std::clamp<std::int64_t>(
      kLargestProfiles / std::max<std::int64_t>(1, num_values), 1, users.size);
  FloatMatrix rows = backend_.matrix<float>(most, users_.cols);
  FloatMatrix by_view = backend_.matrix<float>(scores.rows, most);
  for (std::int64_t first = 0; first < users.size; first += most) {
    const std::int64_t count = std::min(most, users.size - first);
    const FloatView sum = scores.cols_of(first, count);
    const FloatView one = by_view.view().cols_of(0, count);
    backend_.fill(sum, 0.0F);
    const FloatView of_users = rows.view().rows_of(0, count);
    backend_.gather_rows(users_, {users.data + first, count, kernels::Device::cpu}, of_users);
    backend_.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, predicted_.view(),
                  of_users, 0.0F, one);
    add_standardized(one, sum);

    FloatMatrix profiles = backend_.matrix<float>(num_values, count);  // zeros
    for (std::int64_t b = 0; b < count; ++b) {
      for (const NodeId item : user_item_.user_items.view().row(users.data[first + b])) {
        const auto values = weighted_.view().row(item);
        const auto weights = weighted_.view().row_values(item);
        for (std::size_t e = 0; e < values.size(); ++e)
          profiles.view().row(values[e])[b] += weights[e];
      }
    }
    backend_.spmm(*links_, profiles.view(), one, {});
    add_standardized(one, sum);
  }
}

}  // namespace penchant::models
