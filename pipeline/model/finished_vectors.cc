// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/finished_vectors.h"

#include <cmath>
#include <utility>
#include <vector>

#include "graph/normalize.h"
#include "models/new_items.h"
#include "models/new_users.h"

namespace penchant::pipeline {

using graph::Csr;
using kernels::Backend;
using kernels::FloatMatrix;

Csr model_adjacency(graph::PropagationGraph graph, models::ModelKind kind) {
  if (kind == models::ModelKind::gcn)
    return graph::normalize_symmetric(graph.adjacency.view(), graph::SelfLoops::yes);
  return std::move(graph.adjacency);
}

std::int64_t finish_vectors(const graph::UserItemGraph& user_item,
                            const graph::ItemGraph& item_graph, const models::ModelOptions& options,
                            Backend& backend, FloatMatrix& users, FloatMatrix& items) {
  if (options.normalize) {
    for (FloatMatrix* matrix : {&users, &items}) {
      kernels::Vector<float> norms = backend.vector<float>(matrix->rows());
      backend.normalize_rows(matrix->view(), matrix->view(), norms.view());
    }
  }
  models::fill_new_users(user_item,
                         options.normalize ? models::UnitLength::yes : models::UnitLength::no,
                         backend, users.view());
  // Beside further columns the length of a prediction counts: how sure it is.
  const bool unit_length = options.normalize && options.new_item_columns == 0;
  models::fill_new_items(user_item, item_graph,
                         unit_length ? models::UnitLength::yes : models::UnitLength::no, backend,
                         items.view());
  return models::append_new_item_columns(user_item, item_graph, options.new_item_columns, backend,
                                         users, items);
}

void finish_filter_vectors(const graph::UserItemGraph& user_item,
                           const graph::ItemGraph& item_graph, Backend& backend, FloatMatrix& users,
                           FloatMatrix& items) {
  models::ModelOptions options;
  options.normalize = false;
  options.new_item_columns = 0;
  finish_vectors(user_item, item_graph, options, backend, users, items);
}

void finish_distilled_vectors(const graph::UserItemGraph& user_item,
                              const graph::ItemGraph& item_graph, bool new_items, Backend& backend,
                              FloatMatrix& users, FloatMatrix& items) {
  if (new_items)
    models::fill_new_users(user_item, models::UnitLength::no, backend, users.view());
  else
    finish_filter_vectors(user_item, item_graph, backend, users, items);
}

FloatMatrix widened(const FloatMatrix& matrix, Backend& backend) {
  FloatMatrix wide = backend.matrix<float>(matrix.rows(), matrix.cols() + 1);
  backend.copy(matrix.view(), wide.view().cols_of(0, matrix.cols()));
  return wide;
}

namespace {

void set_last_column(const std::vector<float>& column, Backend& backend, FloatMatrix& matrix) {
  backend.copy(kernels::ConstFloatView(column.data(), matrix.rows(), 1, 1, kernels::Device::cpu),
               matrix.view().cols_of(matrix.cols() - 1, 1));
}

std::vector<float> popularity_of_items(const graph::UserItemGraph& graph, double weight) {
  std::vector<float> popularity(static_cast<std::size_t>(graph.num_items));
  for (std::size_t item = 0; item < popularity.size(); ++item) {
    const auto degree =
        static_cast<double>(graph.item_users.view().row_size(static_cast<std::int64_t>(item)));
    popularity[item] = static_cast<float>(weight * std::log1p(degree));
  }
  return popularity;
}

}  // namespace

void set_popularity(const graph::UserItemGraph& graph, double weight, Backend& backend,
                    FloatMatrix& items) {
  set_last_column(popularity_of_items(graph, weight), backend, items);
}

void append_popularity(const graph::UserItemGraph& graph, double weight, Backend& backend,
                       FloatMatrix& users, FloatMatrix& items) {
  if (weight == 0.0) return;
  users = widened(users, backend);
  backend.fill(users.view().cols_of(users.cols() - 1, 1), 1.0F);
  items = widened(items, backend);
  set_popularity(graph, weight, backend, items);
}

}  // namespace penchant::pipeline
