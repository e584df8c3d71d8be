// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/people_vectors.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "kernels/transfer.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

/// Of some of the rows that are not 0, spread evenly; 1 where all are.
float usual_length(ConstFloatView rows, Backend& backend) {
  constexpr std::int64_t kRows = 1024;
  const std::int64_t count = std::min(kRows, rows.rows);
  if (count == 0 || rows.cols == 0) return 1.0F;
  std::vector<NodeId> ids;
  for (std::int64_t k = 0; k < count; ++k)
    ids.push_back(static_cast<NodeId>(k * rows.rows / count));
  FloatMatrix some = backend.matrix<float>(count, rows.cols);
  kernels::Upload<NodeId> upload;
  backend.gather_rows(rows, upload(ids, backend), some.view());
  kernels::Download<float> download;
  const ConstFloatView host = download(ConstFloatView(some.view()), backend);
  double sum = 0.0;
  double num_rows = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    double squares = 0.0;
    for (std::int64_t j = 0; j < host.cols; ++j)
      squares += static_cast<double>(host(i, j)) * static_cast<double>(host(i, j));
    if (!(squares > 0.0 && std::isfinite(squares))) continue;  // a look-up judges its own rows
    sum += std::sqrt(squares);
    num_rows += 1.0;
  }
  return num_rows > 0.0 ? static_cast<float>(sum / num_rows) : 1.0F;
}

}  // namespace

PeopleVectors::PeopleVectors(const VectorViews& vectors, float temperature,
                             std::unique_ptr<models::ItemProfiles> profiles, Backend& backend)
    : layout_(vectors.layout),
      embedding_(vectors.items.cols_of(0, layout_.embedding_dim), temperature,
                 usual_length(vectors.users.cols_of(0, layout_.embedding_dim), backend)),
      profiles_(std::move(profiles)) {
  const std::int64_t columns = profiles_ == nullptr ? 0 : profiles_->num_columns();
  if (columns != layout_.new_item_columns) {
    throw InputError(fmt::format("columns of new items: the model has {}, its data set gives {}",
                                 layout_.new_item_columns, columns));
  }
}

FloatMatrix PeopleVectors::of(const graph::CsrView& shares, const graph::CsrView& excluded,
                              Backend& backend) const {
  FloatMatrix vectors = backend.matrix<float>(shares.num_rows, layout_.width());
  const FloatMatrix embedding = embedding_.vectors(shares, excluded, backend);
  backend.copy(embedding.view(), vectors.view().cols_of(0, layout_.embedding_dim));
  if (profiles_ != nullptr) {
    profiles_->write(shares, backend,
                     vectors.view().cols_of(layout_.embedding_dim, layout_.new_item_columns));
  }
  if (layout_.popularity_column) backend.fill(vectors.view().cols_of(layout_.width() - 1, 1), 1.0F);
  backend.sync();
  return vectors;
}

graph::Csr rows_of_events(const Histories& people, std::int64_t num_items,
                          const graph::UserItemGraphOptions& options) {
  graph::TrainingPart rows;
  for (std::int64_t person = 0; person < people.size(); ++person)
    rows.interactions.user.insert(rows.interactions.user.end(), at(people.length(person)),
                                  static_cast<NodeId>(person));
  rows.interactions.item = people.items;
  return graph::build_user_item_graph(rows, people.size(), num_items, options).user_items;
}

}  // namespace penchant::pipeline
