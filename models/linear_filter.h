// SPDX-License-Identifier: Apache-2.0
// A closed-form recommender: a user's row of the interaction matrix R [U x I], filtered by the item
// graph R' R, normalised by degrees (sums of weights) d:
//   score(u, i) = d_u^-1/2 d_i^-q sum_v r_vi d_v^-s sum_j r_vj d_j^-p r_uj
// It is the linear filter of Shen et al., "How powerful is graph convolution for recommendation?"
// (CIKM 2021), where p = q = 1/2 and s = 1, with the three powers free (Park et al., "Turbo-CF",
// SIGIR 2024, frees one). d_u^-1/2 does not change a user's ranking; it keeps the scores of
// users comparable, so that one weight fits when they are added to a trained model's.
#pragma once

#include <memory>
#include <vector>

#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/new_users.h"
#include "models/scorer.h"

namespace penchant::models {

struct LinearFilterOptions {
  float signal_power = 0.65F;  ///< p, of the items in the user's row
  float user_power = 0.7F;     ///< s, of the users that link the items
  float item_power = 0.35F;    ///< q, of the items scored
};

class LinearFilter final : public Scorer {
 public:
  /// Copies what it needs of the graph. Throws InputError if a power is not finite or not in [0,
  /// 2].
  LinearFilter(const graph::UserItemGraph& graph, const LinearFilterOptions& options,
               kernels::Backend& backend);

  /// Two sparse products of width B: time O(E B), memory (I + U) B. Items without interactions have
  /// zeros, users without any have the mean of all others' scores.
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) override;
  void score_people(const People& people, kernels::Backend& backend,
                    kernels::FloatView scores) override;

 private:
  void check(std::int64_t width, kernels::FloatView scores) const;
  /// `rows` [B x I]: histories, d_u^-1/2 times each.
  void respond(graph::Csr rows, kernels::Backend& backend, kernels::FloatView scores);

  graph::Csr user_items_;  ///< [U x I]
  graph::Csr item_users_;  ///< [I x U]
  std::unique_ptr<kernels::SparseMatrix> user_matrix_;
  std::unique_ptr<kernels::SparseMatrix> item_matrix_;
  std::vector<float> signal_scale_;    ///< [I] d_j^-p
  std::vector<float> row_scale_;       ///< [U] d_u^-1/2
  kernels::Vector<float> user_scale_;  ///< [U] d_v^-s
  kernels::Vector<float> item_scale_;  ///< [I] d_i^-q
  MeanScores mean_scores_;
};

}  // namespace penchant::models
