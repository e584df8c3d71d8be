// SPDX-License-Identifier: Apache-2.0
#include "models/new_item_scores.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

/// Adds weight times each column of `x` to that of `sum`, less its mean and in units of its standard
/// deviation; a column of equal numbers is left out.
void add_standardized(ConstFloatView x, float weight, FloatView sum) {
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
    scale.push_back(differ ? weight * static_cast<float>(1.0 / deviation) : 0.0F);
    shift.push_back(static_cast<float>(mean[at(col)]));
  }
  for (std::int64_t row = 0; row < x.rows; ++row) {
    for (std::int64_t col = 0; col < x.cols; ++col)
      sum.row(row)[col] += scale[at(col)] * (x(row, col) - shift[at(col)]);
  }
}

}  // namespace

FitByRegression::FitByRegression(const graph::Csr& links, const std::vector<float>& known,
                                 const std::vector<NodeId>& items, ConstFloatView users,
                                 ConstFloatView item_vectors, Backend& backend)
    : users_(users), backend_(backend) {
  if (users.cols != item_vectors.cols)
    throw InputError("new items: vectors of users and items are of different widths");
  const AttributeRegression regression = regress_on_attributes(links, known, item_vectors, backend);
  // Without the mean, which moves all of a user's scores alike.
  const graph::Csr pool = graph::select_rows(links.view(), items);
  predicted_ = backend.matrix<float>(pool.num_rows, item_vectors.cols);
  backend.spmm(*backend.sparse(pool.view()), regression.of_values.view(), predicted_.view(), {});
}

void FitByRegression::add(kernels::IdView users, float weight, FloatView scores) {
  FloatMatrix rows = backend_.matrix<float>(users.size, users_.cols);
  FloatMatrix products = backend_.matrix<float>(scores.rows, users.size);
  backend_.gather_rows(users_, users, rows.view());
  backend_.gemm(kernels::Transpose::no, kernels::Transpose::yes, 1.0F, predicted_.view(),
                rows.view(), 0.0F, products.view());
  add_standardized(products.view(), weight, scores);
}

FitByProfile::FitByProfile(const graph::CsrView& user_items, const graph::Csr& weighted,
                           const std::vector<NodeId>& items, Backend& backend)
    : user_items_(user_items),
      weighted_(weighted),
      backend_(backend),
      pool_(graph::select_rows(weighted.view(), items)) {
  if (user_items.num_cols != weighted.num_rows)
    throw InputError("new items: links and graph are of different numbers of items");
  pool_.values.clear();
  links_ = backend.sparse(pool_.view());
}

void FitByProfile::add(kernels::IdView users, FloatView scores) {
  const std::int64_t num_values = weighted_.num_cols;
  const std::int64_t most =
      std::clamp<std::int64_t>(kLargestProfiles / std::max<std::int64_t>(1, num_values), 1,
                               std::max<std::int64_t>(1, users.size));
  FloatMatrix products = backend_.matrix<float>(scores.rows, most);
  for (std::int64_t first = 0; first < users.size; first += most) {
    const std::int64_t count = std::min(most, users.size - first);
    FloatMatrix profiles = backend_.matrix<float>(num_values, count);  // zeros
    for (std::int64_t b = 0; b < count; ++b) {
      for (const NodeId item : user_items_.row(users.data[first + b])) {
        const auto values = weighted_.view().row(item);
        const auto weights = weighted_.view().row_values(item);
        for (std::size_t e = 0; e < values.size(); ++e)
          profiles.view().row(values[e])[b] += weights[e];
      }
    }
    const FloatView tile = products.view().cols_of(0, count);
    backend_.spmm(*links_, profiles.view(), tile, {});
    add_standardized(tile, 1.0F, scores.cols_of(first, count));
  }
}

NewItemScores::NewItemScores(const graph::UserItemGraph& user_item, const graph::Csr& links,
                             graph::Csr weighted, const std::vector<NodeId>& items,
                             ConstFloatView users, ConstFloatView item_vectors, float weight,
                             Backend& backend)
    : backend_(backend),
      weight_(weight),
      weighted_(std::move(weighted)),
      profile_(user_item.user_items.view(), weighted_, items, backend) {
  if (users.rows != user_item.num_users)
    throw InputError("new items: vectors and graph are of different numbers of users");
  if (weight != 0.0F) {
    regression_.emplace(links, touched_items(user_item, links).yes, items, users, item_vectors,
                        backend);
  }
}

void NewItemScores::score(kernels::IdView users, FloatView scores) {
  backend_.fill(scores, 0.0F);
  if (regression_) regression_->add(users, weight_, scores);
  profile_.add(users, scores);
}

}  // namespace penchant::models
