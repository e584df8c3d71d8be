// SPDX-License-Identifier: Apache-2.0
#include "models/new_items.h"

#include <numeric>
#include <vector>

#include "graph/csr.h"
#include "graph/error.h"
#include "kernels/transfer.h"

namespace penchant::models {

using graph::Csr;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Vector;

namespace {

/// lambda; 1 to 10 rank hidden items equally well (docs/decisions/0023-new-items.md).
constexpr float kRidge = 3.0F;
constexpr int kMostSteps = 60;
constexpr double kTolerance = 1e-8;  ///< of the squared residual, relative to its start

/// Which item has which value of any attribute: [I x V], values all ones.
Csr attribute_links(const graph::ItemGraph& item_graph) {
  Csr links;
  links.num_rows = item_graph.num_items;
  for (const graph::Relation& relation : item_graph.relations) links.num_cols += relation.num_hubs;
  for (std::int64_t item = 0; item < links.num_rows; ++item) {
    graph::NodeId first = 0;
    for (const graph::Relation& relation : item_graph.relations) {
      if (relation.num_hubs == 0) continue;
      for (const graph::NodeId hub : relation.edges.view().row(item))
        links.columns.push_back(first + hub);
      first += static_cast<graph::NodeId>(relation.num_hubs);
    }
    links.offsets.push_back(static_cast<graph::EdgeOffset>(links.columns.size()));
  }
  return links;
}

/// The rows whose `kept` is 1; the others become empty.
Csr rows_where(const Csr& links, const std::vector<float>& kept) {
  Csr result;
  result.num_rows = links.num_rows;
  result.num_cols = links.num_cols;
  for (std::int64_t row = 0; row < links.num_rows; ++row) {
    if (kept[static_cast<std::size_t>(row)] == 1.0F) {
      const auto columns = links.view().row(row);
      result.columns.insert(result.columns.end(), columns.begin(), columns.end());
    }
    result.offsets.push_back(static_cast<graph::EdgeOffset>(result.columns.size()));
  }
  return result;
}

/// Sum of the products of all elements.
double inner_product(ConstFloatView x, ConstFloatView y, Backend& backend) {
  Vector<float> dots = backend.vector<float>(x.rows);  // zeros
  backend.add_row_dots(x, y, dots.view());
  const std::vector<float> host = kernels::to_host(dots.view(), backend);
  return std::accumulate(host.begin(), host.end(), 0.0);
}

/// C [V x D] of (A'A + lambda) C = A'Z by conjugate gradients, all D systems with one step length:
/// together they are one symmetric positive definite system. z [I x D] has zero rows where A has.
FloatMatrix solve_ridge(const Csr& a, ConstFloatView z, Backend& backend) {
  const Csr transposed = graph::transpose(a.view());
  const auto forward = backend.sparse(a.view());
  const auto backward = backend.sparse(transposed.view());
  FloatMatrix solution = backend.matrix<float>(a.num_cols, z.cols);  // zeros
  FloatMatrix residual = backend.matrix<float>(a.num_cols, z.cols);
  backend.spmm(*backward, z, residual.view(), {});
  FloatMatrix direction = backend.matrix<float>(a.num_cols, z.cols);
  backend.copy(ConstFloatView(residual.view()), direction.view());
  FloatMatrix at_items = backend.matrix<float>(a.num_rows, z.cols);
  FloatMatrix image = backend.matrix<float>(a.num_cols, z.cols);
  double squared = inner_product(residual.view(), residual.view(), backend);
  const double goal = kTolerance * squared;
  for (int step = 0; step < kMostSteps && squared > goal; ++step) {
    backend.spmm(*forward, direction.view(), at_items.view(), {});
    kernels::SpmmOptions ridge;
    ridge.addend = direction.view();
    ridge.delta = kRidge;
    backend.spmm(*backward, at_items.view(), image.view(), ridge);
    const double length = squared / inner_product(direction.view(), image.view(), backend);
    backend.axpby(static_cast<float>(length), direction.view(), 1.0F, solution.view());
    backend.axpby(static_cast<float>(-length), image.view(), 1.0F, residual.view());
    const double next = inner_product(residual.view(), residual.view(), backend);
    backend.axpby(1.0F, residual.view(), static_cast<float>(next / squared), direction.view());
    squared = next;
  }
  return solution;
}

}  // namespace

void fill_new_items(const graph::UserItemGraph& user_item, const graph::ItemGraph& item_graph,
                    UnitLength unit_length, Backend& backend, FloatView items) {
  if (items.rows != user_item.num_items || item_graph.num_items != user_item.num_items)
    throw InputError("new items: vectors and graphs are of different numbers of items");
  const Csr links = attribute_links(item_graph);
  std::vector<float> touched(static_cast<std::size_t>(items.rows), 0.0F);
  std::vector<float> fresh(touched.size(), 0.0F);  // new, and something is known of it
  double num_touched = 0.0;
  double num_fresh = 0.0;
  for (std::int64_t item = 0; item < items.rows; ++item) {
    const auto place = static_cast<std::size_t>(item);
    if (user_item.item_users.view().row_size(item) > 0) {
      touched[place] = 1.0F;
      num_touched += 1.0;
    } else if (links.view().row_size(item) > 0) {
      fresh[place] = 1.0F;
      num_fresh += 1.0;
    }
  }
  if (num_touched == 0.0 || num_fresh == 0.0) return;

  const Vector<float> is_touched = kernels::to_device(touched, backend);
  FloatMatrix centered = backend.matrix<float>(items.rows, items.cols);
  backend.scale_rows(items, is_touched.view(), centered.view());
  Vector<float> sums = backend.vector<float>(items.cols);  // zeros
  backend.add_column_sums(centered.view(), sums.view());
  std::vector<float> mean = kernels::to_host(sums.view(), backend);
  std::vector<float> minus_mean;
  for (float& value : mean) {
    value = static_cast<float>(static_cast<double>(value) / num_touched);
    minus_mean.push_back(-value);
  }
  backend.add_bias(centered.view(), kernels::to_device(minus_mean, backend).view(),
                   centered.view());
  backend.scale_rows(centered.view(), is_touched.view(), centered.view());
  const FloatMatrix of_values =
      solve_ridge(rows_where(links, touched), ConstFloatView(centered.view()), backend);

  FloatMatrix predicted = backend.matrix<float>(items.rows, items.cols);
  const Csr fresh_links = rows_where(links, fresh);
  backend.spmm(*backend.sparse(fresh_links.view()), of_values.view(), predicted.view(), {});
  backend.add_bias(predicted.view(), kernels::to_device(mean, backend).view(), predicted.view());
  if (unit_length == UnitLength::yes) {
    Vector<float> norms = backend.vector<float>(items.rows);
    backend.normalize_rows(predicted.view(), predicted.view(), norms.view());
  }
  backend.scale_rows(predicted.view(), kernels::to_device(fresh, backend).view(), predicted.view());
  std::vector<float> kept;
  for (const float value : fresh) kept.push_back(1.0F - value);
  backend.scale_rows(items, kernels::to_device(kept, backend).view(), items);
  backend.axpby(1.0F, predicted.view(), 1.0F, items);
  backend.sync();
}

}  // namespace penchant::models
