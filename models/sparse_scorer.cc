// SPDX-License-Identifier: Apache-2.0
#include "models/sparse_scorer.h"

#include <vector>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::models {

void write_columns(const graph::CsrView& rows, kernels::Backend& backend, kernels::FloatView to) {
  const std::int64_t width = rows.num_rows;
  if (to.rows != rows.num_cols || to.cols != width) {
    throw InputError(fmt::format("write_columns: the table is [{} x {}], expected [{} x {}]",
                                 to.rows, to.cols, rows.num_cols, width));
  }
  if (width == 0 || to.rows == 0) return;
  const graph::Csr columns = graph::transpose(rows);
  std::vector<float> ones(static_cast<std::size_t>(width * width), 0.0F);
  for (std::int64_t b = 0; b < width; ++b) ones[static_cast<std::size_t>(b * width + b)] = 1.0F;
  kernels::FloatMatrix identity = backend.matrix<float>(width, width);
  backend.copy(kernels::ConstFloatView(ones.data(), width, width, width, kernels::Device::cpu),
               identity.view());
  backend.spmm(*backend.sparse(columns.view()), identity.view(), to, {});
}

void SparseScorer::score(kernels::IdView users, kernels::Backend& backend,
                         kernels::FloatView scores) {
  const graph::Csr rows = graph::select_rows(scores_.view(), {users.data, graph::at(users.size)});
  write_columns(rows.view(), backend, scores);
}

}  // namespace penchant::models
