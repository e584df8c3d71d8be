// SPDX-License-Identifier: Apache-2.0
// What a benchmark's results are compared with before anything is timed: plain loops in double over
// host memory, which share nothing with the code that they judge. Every comparison passes only if
// |got - want| <= bound, so that NaN fails, and throws DeviceError otherwise. Bounds are
// (16 + 4 sqrt(n)) eps sum|terms| of a float32 sum of n terms, and are carried through layers.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "graph/interactions.h"
#include "graph/user_item_graph.h"
#include "kernels/matrix.h"

namespace penchant::pipeline {

/// Numbers in double with the error that float32 arithmetic may have made.
struct Bounded {
  std::vector<double> value, bound;
};

/// `count` rows spread over [0, num_rows), and the longest row.
std::vector<std::int64_t> sampled_rows(const graph::CsrView& matrix, std::int64_t count);

/// Column `column` of x, exact.
Bounded column_of(kernels::ConstFloatView x, std::int64_t column);
/// (w x + sum_l A^l x) / (L + w), l = 1 .. L.
Bounded layer_mean(const graph::CsrView& a, const Bounded& x, std::int64_t num_layers,
                   double own_share);
/// Row `row` of A x.
Bounded product_row(const graph::CsrView& a, kernels::ConstFloatView x, std::int64_t row);

/// One row of got, or one column: throws DeviceError naming `what` and the place.
void require_row(const char* what, kernels::ConstFloatView got, std::int64_t row,
                 const Bounded& want);
void require_column(const char* what, kernels::ConstFloatView got, std::int64_t column,
                    const Bounded& want);
void require_near(const char* what, std::int64_t place, double got, double want, double bound);

/// Row of leaky_relu(p W + b) for a row p.
Bounded dense_row(const Bounded& p, kernels::ConstFloatView weight, kernels::ConstFloatView bias);

/// A batch of BPR (Rendle et al. 2009), loss_b = softplus(-<u_b, p_b - n_b>): rows of the table of
/// final embeddings, as many of each.
struct BprBatch {
  std::span<const graph::NodeId> users, positives, negatives;
};
/// `got` is the sum of the losses.
void require_bpr_loss(kernels::ConstFloatView final, const BprBatch& batch, double got);
/// Row `node` of the gradient of the losses' mean.
Bounded bpr_gradient_row(kernels::ConstFloatView final, const BprBatch& batch, graph::NodeId node);

/// The K ids and scores of each query: the scores are right and do not rise, and no item left out
/// has a higher one.
void require_topk(kernels::ConstFloatView queries, kernels::ConstFloatView items,
                  kernels::MatrixView<const graph::NodeId> ids, kernels::ConstFloatView scores);

/// The same events of a user in a data set as in the log, whatever the order of either list.
struct TimedItem {
  std::int64_t time_ms;
  std::string item;
  auto operator<=>(const TimedItem&) const = default;
};
void require_events(const std::string& user, std::vector<TimedItem> got,
                    std::vector<TimedItem> want);

/// Users' rows against their events, and the co-occurrence weights of an item (cosine, window)
/// against a count of all pairs.
void require_user_row(const graph::Interactions& events, const graph::UserItemGraph& graph,
                      graph::NodeId user);
void require_cooccurrence(const graph::Interactions& events, const graph::CsrView& cooccurrence,
                          graph::NodeId item, std::int64_t window, std::int64_t top_k);

}  // namespace penchant::pipeline
