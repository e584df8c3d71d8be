// SPDX-License-Identifier: Apache-2.0
// Softmax over a list of each row's own, in which every item has a share of the probability, and M
// negatives that all rows share: what teaches vectors to rank as something else does
// (pipeline/training/distillation.h). In host memory, on the CPU.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/csr.h"
#include "kernels/backend.h"

namespace penchant::kernels {

struct ListSoftmaxBatch {
  ConstFloatView users;                   ///< [B x D]
  MatrixView<const graph::NodeId> lists;  ///< [B x K] rows of the items; from kNoNode on: no more
  ConstFloatView shares;                  ///< [B x K] that add up to 1 in a row
  IdView negatives;                       ///< [M] rows of the items, distinct
  graph::CsrView excluded = {};  ///< [B x I] are no negatives of the row; num_rows = 0: none
};

class ListSoftmax {
 public:
  /// `backend` computes on the CPU and must outlive this.
  explicit ListSoftmax(Backend& backend);
  /// losses [B] and d_users [B x D], of the mean loss, are overwritten; d_items [I x D] accumulates.
  /// items [I x D]. Throws InputError for shapes that do not fit, ids out of range, a temperature
  /// that is not above 0.
  void add_gradients(const ListSoftmaxBatch& batch, ConstFloatView items, float temperature,
                     VectorView<float> losses, FloatView d_users, FloatView d_items);

 private:
  /// What an item of a list pulls at and gets from a row.
  struct Pull {
    graph::NodeId row;
    float weight;
  };
  void sort_by_item(const ListSoftmaxBatch& batch, std::int64_t num_items);
  void check(const ListSoftmaxBatch& batch, ConstFloatView items, float temperature,
             VectorView<float> losses, FloatView d_users, FloatView d_items) const;

  Backend& backend_;
  FloatMatrix negatives_, d_negatives_, scores_, weights_;
  std::vector<graph::NodeId> places_;          ///< [I] of the negatives; kNoNode: no negative
  std::vector<graph::EdgeOffset> first_pull_;  ///< [I + 1]
  std::vector<Pull> pulls_;                    ///< by item, then by row
};

}  // namespace penchant::kernels
