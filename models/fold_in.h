// SPDX-License-Identifier: Apache-2.0
// Vectors of people whom a model has not learned, beside items that it has: what the loss of
// training gives a person, the items' vectors v_j standing fixed,
//   u = argmax sum_i s_i log(exp(<u, v_i> / T) / sum_j exp(<u, v_j> / T)),  |u| = length
// with s_i the shares of what the person had, or of a list that they are to be shown. Ascent on the
// sphere from the mean of the v_i, a number of steps; one that does not help is tried again at half
// its length. Deterministic; a person does not depend on the others.
// Source: own; measured in docs/decisions/0037-people-by-what-they-had.md.
#pragma once

#include "graph/csr.h"
#include "kernels/backend.h"

namespace penchant::models {

class FoldIn {
 public:
  /// items [I x D], which must outlive this. Throws InputError unless temperature and length are
  /// above 0.
  FoldIn(kernels::ConstFloatView items, float temperature, float length);
  /// [B x D] by the shares [B x I] of each person, in any unit; `excluded` [B x I] are no items of
  /// that person's sum_j (num_rows = 0: all are). Zeros where nothing has a share. Throws InputError
  /// for shapes that do not fit.
  kernels::FloatMatrix vectors(const graph::CsrView& shares, const graph::CsrView& excluded,
                               kernels::Backend& backend) const;

 private:
  void fold_block(const graph::CsrView& shares, const graph::CsrView& excluded,
                  kernels::Backend& backend, kernels::FloatView to) const;

  kernels::ConstFloatView items_;
  float temperature_, length_;
};

}  // namespace penchant::models
