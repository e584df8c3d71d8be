// SPDX-License-Identifier: Apache-2.0
// Weights of popularity beside final vectors.
#pragma once

#include <cstdint>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"

namespace penchant::pipeline {

/// Final vectors beside which weights of popularity are tried: from weight to weight only the
/// column that append_popularity would add changes, so the vectors are computed once.
class PopularityTrial {
 public:
  PopularityTrial(const graph::UserItemGraph& graph, const kernels::FloatMatrix& users,
                  const kernels::FloatMatrix& items, kernels::Backend& backend);

  /// What append_popularity makes of the vectors; both hold until the next call.
  void set_weight(double weight);
  kernels::ConstFloatView users() const { return users_.view().cols_of(0, width()); }
  kernels::ConstFloatView items() const { return items_.view().cols_of(0, width()); }
  /// The vectors alone.
  kernels::ConstFloatView plain_users() const { return users_.view().cols_of(0, plain_width()); }
  kernels::ConstFloatView plain_items() const { return items_.view().cols_of(0, plain_width()); }

 private:
  std::int64_t plain_width() const { return users_.cols() - 1; }
  std::int64_t width() const { return plain_width() + (weight_ != 0.0 ? 1 : 0); }

  const graph::UserItemGraph& graph_;
  kernels::Backend& backend_;
  kernels::FloatMatrix users_, items_;  ///< a last column of ones, and of weighed popularity
  double weight_ = 0.0;
};

}  // namespace penchant::pipeline
