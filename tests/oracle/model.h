// SPDX-License-Identifier: Apache-2.0
// Oracle of the three models with both losses: forward, mean loss and every gradient in double,
// with a dense adjacency.
//   lightgcn       F = (w E + sum_l A^l E) / (L + w), l = 1 .. L, w = own_share; E if L = 0
//   gcn            H' = act(A H W + b), the last layer without act
//   node_weighted  H' = act(A diag(alpha) H + b), the last layer without act
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/ids.h"
#include "models/model_options.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
/// Names as Encoder::visit_parameters gives them.
using Parameters = std::map<std::string, Dense>;

struct Batch {
  std::vector<graph::NodeId> users, positives, negatives;
  Dense positive_bias, negative_bias;  ///< one row, or empty
};

Dense forward(const models::ModelOptions& options, const Dense& adjacency,
              const Parameters& parameters);
/// Mean over the batch; d_final, if given, is overwritten with its gradient.
double mean_loss(const models::ModelOptions& options, const Dense& final, const Batch& batch,
                 Dense* d_final = nullptr);
Parameters gradients(const models::ModelOptions& options, const Dense& adjacency,
                     const Parameters& parameters, const Batch& batch);

}  // namespace penchant::oracle
