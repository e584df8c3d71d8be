// SPDX-License-Identifier: Apache-2.0
#include "models/attribute_regression.h"

#include <numeric>
#include <vector>

#include "graph/error.h"
#include "kernels/transfer.h"

namespace penchant::models {

using graph::Csr;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::Vector;

namespace {

/// lambda; 1 to 10 rank hidden items equally well (docs/decisions/0023-new-items.md).
constexpr float kRidge = 3.0F;
constexpr int kMostSteps = 60;
constexpr double kTolerance = 1e-8;  ///< of the squared residual, relative to its start

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

std::vector<float> center_rows(ConstFloatView x, const std::vector<float>& chosen, Backend& backend,
                               kernels::FloatView centered) {
  const Vector<float> is_chosen = kernels::to_device(chosen, backend);
  backend.scale_rows(x, is_chosen.view(), centered);
  Vector<float> sums = backend.vector<float>(x.cols);  // zeros
  backend.add_column_sums(centered, sums.view());
  std::vector<float> mean = kernels::to_host(sums.view(), backend);
  const double count = std::accumulate(chosen.begin(), chosen.end(), 0.0);
  std::vector<float> minus_mean;
  for (float& value : mean) {
    value = static_cast<float>(static_cast<double>(value) / count);
    minus_mean.push_back(-value);
  }
  backend.add_bias(centered, kernels::to_device(minus_mean, backend).view(), centered);
  backend.scale_rows(centered, is_chosen.view(), centered);
  return mean;
}

graph::Csr attribute_links(const graph::ItemGraph& item_graph) {
  Csr links;
  links.num_rows = item_graph.num_items;
  for (const graph::Relation& relation : item_graph.relations) links.num_cols += relation.num_hubs;
  graph::checked_cast<graph::NodeId>(links.num_cols);
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

std::vector<bool> landmark_values(const graph::ItemGraph& item_graph) {
  std::vector<bool> landmarks;
  for (const graph::Relation& relation : item_graph.relations)
    landmarks.insert(landmarks.end(), static_cast<std::size_t>(relation.num_hubs),
                     relation.of_vectors);
  return landmarks;
}

AttributeRegression regress_on_attributes(const Csr& links, const std::vector<float>& known,
                                          ConstFloatView targets, Backend& backend) {
  if (targets.rows != links.num_rows || known.size() != static_cast<std::size_t>(links.num_rows))
    throw InputError("attribute regression: links, items and targets are of different numbers");
  FloatMatrix centered = backend.matrix<float>(targets.rows, targets.cols);
  AttributeRegression solution;
  solution.mean = center_rows(targets, known, backend, centered.view());
  solution.of_values = solve_ridge(rows_where(links, known), centered.view(), backend);
  return solution;
}

FloatMatrix predict_from_attributes(const Csr& links, const std::vector<float>& known,
                                    const std::vector<float>& wanted, ConstFloatView targets,
                                    Backend& backend) {
  const AttributeRegression solution = regress_on_attributes(links, known, targets, backend);
  if (wanted.size() != known.size())
    throw InputError("attribute regression: links, items and targets are of different numbers");
  FloatMatrix predicted = backend.matrix<float>(targets.rows, targets.cols);  // zeros
  const Csr wanted_links = rows_where(links, wanted);
  backend.spmm(*backend.sparse(wanted_links.view()), solution.of_values.view(), predicted.view(),
               {});
  backend.add_bias(predicted.view(), kernels::to_device(solution.mean, backend).view(),
                   predicted.view());
  backend.scale_rows(predicted.view(), kernels::to_device(wanted, backend).view(),
                     predicted.view());
  backend.sync();
  return predicted;
}

}  // namespace penchant::models
