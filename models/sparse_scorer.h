// SPDX-License-Identifier: Apache-2.0
// Scores that are zero but for a few items of each user, such as what a user did before.
#pragma once

#include <memory>

#include "graph/csr.h"
#include "models/scorer.h"

namespace penchant::models {

/// Writes the rows [B x I] of a sparse matrix into the columns of `to` [I x B] on the device, where
/// everything else becomes 0: a sparse [I x B] matrix times the identity.
void write_columns(const graph::CsrView& rows, kernels::Backend& backend, kernels::FloatView to);

/// score(u, i) = s_ui of a sparse matrix [U x I] with values.
class SparseScorer final : public Scorer {
 public:
  explicit SparseScorer(graph::Csr scores) : scores_(std::move(scores)) {}
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;

 private:
  graph::Csr scores_;
};

}  // namespace penchant::models
