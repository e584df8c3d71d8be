// SPDX-License-Identifier: Apache-2.0
// Codes and codebooks of items by the scores that are asked for most, users' queries standing fixed:
// the other half of what QueryFit solves (query_fit.h). With q_s the query of user s, L_s the user's
// best items and x_i what the code of item i stands for,
//   J = sum_s [ 1/|L_s| sum_(i in L_s) (q_s'x_i - u_s'v_i)^2 + alpha / I sum_i (q_s'x_i - u_s'v_i)^2 ]
// is, of one item, x'H_i x - 2 b_i'x with H_i = alpha / I Q'Q + sum_(s: i in L_s) q_s q_s' / |L_s|:
// an error weighs what it does to the lists that the item is in, as in score-aware quantisation (Guo
// et al., "Accelerating Large-Scale Inference with Anisotropic Vector Quantization", ICML 2020), by
// users that are there in place of a model of them. Codes: one sub-vector after another, all its
// centroids tried (coordinate descent; J never rises). Codebooks: all of them at once, linear least
// squares by conjugate gradients.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/matrix.h"
#include "pipeline/compress/product_codes.h"

namespace penchant::pipeline {

/// Users with their best items: what codes are fitted to. In host memory.
struct FittedUsers {
  kernels::ConstFloatView vectors;   ///< [S x D]
  std::int64_t list_length = 0;      ///< K
  std::vector<graph::NodeId> lists;  ///< [S x K], kNoNode behind the last
  std::vector<float> scores;         ///< [S x K] u_s'v_i

  const graph::NodeId* list(std::int64_t user) const { return lists.data() + user * list_length; }
};

class CodeFit {
 public:
  /// items [I x D]; both must outlive this.
  CodeFit(kernels::ConstFloatView items, const FittedUsers& users, kernels::Backend& backend);
  /// queries [S x D'].
  void fit(kernels::ConstFloatView queries, ProductCodes& codes);

 private:
  /// A list that an item is in.
  struct Place {
    graph::NodeId user;
    float score, weight;
  };
  void set_moments(kernels::ConstFloatView queries);
  void choose(kernels::ConstFloatView queries, ProductCodes& codes) const;
  void choose_one(kernels::ConstFloatView queries, std::int64_t item, ProductCodes& codes,
                  std::vector<float>& left, std::vector<float>& right) const;
  void move_centroids(kernels::ConstFloatView queries, ProductCodes& codes) const;
  /// sum over items of H_i x_i, by centroid, for codebooks `of`.
  std::vector<float> products(kernels::ConstFloatView queries, const ProductCodes& codes,
                              const std::vector<float>& of) const;
  std::vector<float> right_side(kernels::ConstFloatView queries, const ProductCodes& codes) const;

  kernels::ConstFloatView items_;
  const FittedUsers& users_;
  kernels::Backend& backend_;
  std::vector<std::int64_t> first_place_;  ///< [I + 1]
  std::vector<Place> places_;              ///< by item, then by user
  kernels::FloatMatrix gram_;              ///< alpha / I Q'Q [D' x D']
  kernels::FloatMatrix targets_;           ///< alpha / I (Q'U) v_i for each item [I x D']
};

}  // namespace penchant::pipeline
