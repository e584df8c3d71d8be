// SPDX-License-Identifier: Apache-2.0
#include "models/new_items.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "graph/csr.h"
#include "graph/error.h"
#include "graph/random.h"
#include "kernels/transfer.h"
#include "models/attribute_regression.h"
#include "models/spectral.h"

namespace penchant::models {

using graph::Csr;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::Device;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Vector;

Touched touched_items(const graph::UserItemGraph& user_item, const Csr& links) {
  Touched touched;
  for (std::int64_t item = 0; item < links.num_rows; ++item) {
    const bool has_user = user_item.item_users.view().row_size(item) > 0;
    touched.yes.push_back(has_user ? 1.0F : 0.0F);
    touched.fresh.push_back(!has_user && links.view().row_size(item) > 0 ? 1.0F : 0.0F);
  }
  touched.both = std::count(touched.yes.begin(), touched.yes.end(), 1.0F) > 0 &&
                 std::count(touched.fresh.begin(), touched.fresh.end(), 1.0F) > 0;
  return touched;
}

Csr weighted_by_rarity(const Csr& links) {
  std::vector<float> count(static_cast<std::size_t>(links.num_cols), 0.0F);
  for (const NodeId value : links.columns) count[static_cast<std::size_t>(value)] += 1.0F;
  Csr weighted = links;
  for (const NodeId value : links.columns)
    weighted.values.push_back(1.0F / std::sqrt(count[static_cast<std::size_t>(value)]));
  return weighted;
}

Csr weighted_by_rarity(const Csr& links, const std::vector<bool>& of, float factor) {
  Csr weighted = weighted_by_rarity(links);
  for (std::size_t e = 0; e < weighted.columns.size(); ++e) {
    if (of[static_cast<std::size_t>(weighted.columns[e])]) weighted.values[e] *= factor;
  }
  return weighted;
}

namespace {

/// Weights of the two further terms beside cosines; half and twice as much of the profile, none and
/// twice as much of popularity rank hidden items of the Complete Journey sample within a tenth
/// (docs/decisions/0023-new-items.md).
constexpr float kProfileShare = 0.5F;
constexpr float kPopularityShare = 0.1F;

void check_items(const graph::UserItemGraph& user_item, const graph::ItemGraph& item_graph,
                 std::int64_t num_items) {
  if (num_items != user_item.num_items || item_graph.num_items != user_item.num_items)
    throw InputError("new items: vectors and graphs are of different numbers of items");
}

/// The rows of `weighted` at length (number of users)^1/2, all divided by a bound of the largest
/// singular value: the root of the largest row sum times the largest column sum.
Csr bounded_profiles(const graph::UserItemGraph& user_item, const Csr& weighted) {
  Csr scaled = weighted;
  std::vector<double> column_sum(static_cast<std::size_t>(scaled.num_cols), 0.0);
  double largest_row = 0.0;
  for (std::int64_t item = 0; item < scaled.num_rows; ++item) {
    const auto first = static_cast<std::size_t>(scaled.offsets[static_cast<std::size_t>(item)]);
    const auto last = static_cast<std::size_t>(scaled.offsets[static_cast<std::size_t>(item) + 1]);
    double squared = 0.0;
    for (std::size_t e = first; e < last; ++e)
      squared += static_cast<double>(scaled.values[e]) * static_cast<double>(scaled.values[e]);
    const auto num_users = static_cast<double>(user_item.item_users.view().row_size(item));
    const double factor = squared > 0.0 ? std::sqrt(num_users / squared) : 0.0;
    double row_sum = 0.0;
    for (std::size_t e = first; e < last; ++e) {
      const double value = static_cast<double>(scaled.values[e]) * factor;
      scaled.values[e] = static_cast<float>(value);
      row_sum += value;
      column_sum[static_cast<std::size_t>(scaled.columns[e])] += value;
    }
    largest_row = std::max(largest_row, row_sum);
  }
  const double largest_column = *std::max_element(column_sum.begin(), column_sum.end());
  const double bound = std::sqrt(largest_row * largest_column);
  if (bound == 0.0) return scaled;  // nothing is known of what users touched
  for (float& value : scaled.values) value = static_cast<float>(static_cast<double>(value) / bound);
  return scaled;
}

/// [V x R] b_v.
FloatMatrix profile_basis(const graph::UserItemGraph& user_item, const Csr& weighted,
                          std::int64_t num_columns, Backend& backend) {
  const Csr profiles = bounded_profiles(user_item, weighted);
  const Csr transposed = graph::transpose(profiles.view());
  return leading_singular_vectors(*backend.sparse(profiles.view()),
                                  *backend.sparse(transposed.view()), num_columns, graph::Seed{0},
                                  backend)
      .vectors;
}

/// `matrix` with `further` zero columns behind its own.
FloatMatrix widened(ConstFloatView matrix, std::int64_t further, Backend& backend) {
  FloatMatrix wide = backend.matrix<float>(matrix.rows, matrix.cols + further);  // zeros
  backend.copy(matrix, wide.view().cols_of(0, matrix.cols));
  return wide;
}

}  // namespace

void fill_new_items(const graph::UserItemGraph& user_item, const graph::ItemGraph& item_graph,
                    UnitLength unit_length, Backend& backend, FloatView items) {
  check_items(user_item, item_graph, items.rows);
  const Csr links = attribute_links(item_graph);
  const Touched touched = touched_items(user_item, links);
  if (!touched.both) return;
  FloatMatrix predicted =
      predict_from_attributes(links, touched.yes, touched.fresh, items, backend);
  if (unit_length == UnitLength::yes) {
    Vector<float> norms = backend.vector<float>(items.rows);
    backend.normalize_rows(predicted.view(), predicted.view(), norms.view());
  }
  std::vector<float> kept;
  for (const float value : touched.fresh) kept.push_back(1.0F - value);
  backend.scale_rows(items, kernels::to_device(kept, backend).view(), items);
  backend.axpby(1.0F, predicted.view(), 1.0F, items);
  backend.sync();
}

ItemProfiles::ItemProfiles(const graph::UserItemGraph& user_item, const Csr& links,
                           std::int64_t num_columns, Backend& backend) {
  const Csr weighted = weighted_by_rarity(links);
  basis_ = profile_basis(user_item, weighted, num_columns, backend);
  by_item_ = backend.matrix<float>(links.num_rows, basis_.cols());
  backend.spmm(*backend.sparse(weighted.view()), basis_.view(), by_item_.view(), {});
}

ItemProfiles::ItemProfiles(const graph::UserItemGraph& user_item,
                           const graph::ItemGraph& item_graph, std::int64_t num_columns,
                           Backend& backend)
    : ItemProfiles(user_item, attribute_links(item_graph), num_columns, backend) {}

void ItemProfiles::write(const graph::CsrView& rows, Backend& backend, FloatView columns) const {
  graph::CsrView had = rows;
  had.values = {};
  const FloatView profiles = columns.cols_of(0, by_item_.cols());
  backend.spmm(*backend.sparse(had), by_item_.view(), profiles, {});
  Vector<float> norms = backend.vector<float>(rows.num_rows);
  backend.normalize_rows(profiles, profiles, norms.view());
  backend.fill(columns.cols_of(by_item_.cols(), 1), 1.0F);
  backend.sync();
}

std::int64_t append_new_item_columns(const graph::UserItemGraph& user_item,
                                     const graph::ItemGraph& item_graph, std::int64_t num_columns,
                                     Backend& backend, FloatMatrix& users, FloatMatrix& items) {
  check_items(user_item, item_graph, items.rows());
  if (num_columns == 0) return 0;
  const Csr links = attribute_links(item_graph);
  const Touched touched = touched_items(user_item, links);
  if (!touched.both) return 0;

  const ItemProfiles profiles(user_item, links, num_columns, backend);
  const std::int64_t rank = profiles.basis_.cols();
  const std::int64_t dim = items.cols();
  users = widened(users.view(), rank + 1, backend);
  items = widened(items.view(), rank + 1, backend);
  profiles.write(user_item.user_items.view(), backend, users.view().cols_of(dim, rank + 1));

  kernels::SpmmOptions share;
  share.alpha = kProfileShare;
  backend.spmm(*backend.sparse(links.view()), profiles.basis_.view(),
               items.view().cols_of(dim, rank), share);
  std::vector<float> known;
  std::vector<float> log_count;
  for (std::int64_t item = 0; item < items.rows(); ++item) {
    known.push_back(links.view().row_size(item) > 0 ? 1.0F : 0.0F);
    log_count.push_back(std::log1p(static_cast<float>(user_item.item_users.view().row_size(item))));
  }
  FloatMatrix popularity = backend.matrix<float>(items.rows(), 1);
  backend.copy(ConstFloatView(log_count.data(), items.rows(), 1, 1, Device::cpu),
               popularity.view());
  const FloatMatrix predicted =
      predict_from_attributes(links, known, touched.fresh, popularity.view(), backend);
  backend.axpby(kPopularityShare, predicted.view(), 0.0F, items.view().cols_of(dim + rank, 1));
  const FloatView of_new = items.view().cols_of(dim, rank + 1);
  center_rows(of_new, touched.fresh, backend, of_new);
  backend.sync();
  return rank + 1;
}

}  // namespace penchant::models
