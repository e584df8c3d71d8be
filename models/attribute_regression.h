// SPDX-License-Identifier: Apache-2.0
// What an item's attribute values say of it: ridge regression on them (Gantner et al., "Learning
// attribute-to-feature mappings for cold-start recommendations", ICDM 2010, section 3.2),
//   C = argmin sum_(i known) |t_i - m - sum_v a_iv c_v|^2 + lambda sum_v |c_v|^2
//   t_i = m + sum_v a_iv c_v   for the items wanted
// with m the mean of the known targets and a_iv = 1 where item i is linked to hub v.
#pragma once

#include <vector>

#include "graph/csr.h"
#include "graph/item_graph.h"
#include "kernels/backend.h"

namespace penchant::models {

/// Which item has which value of any attribute: [I x V], without values (all are 1).
graph::Csr attribute_links(const graph::ItemGraph& item_graph);

/// [V] which of these values are landmarks of vectors (graph::ContentSpace).
std::vector<bool> landmark_values(const graph::ItemGraph& item_graph);

/// Mean of the rows of `x` [I x D] whose `chosen` [I] is 1, at least one; `centered` [I x D]
/// receives those rows less their mean, and zeros elsewhere. x may alias centered. Waits for the
/// device.
std::vector<float> center_rows(kernels::ConstFloatView x, const std::vector<float>& chosen,
                               kernels::Backend& backend, kernels::FloatView centered);

/// The solution: m [D] and C [V x D].
struct AttributeRegression {
  std::vector<float> mean;
  kernels::FloatMatrix of_values;
};

/// From the rows of `targets` [I x D] where `known` [I] is 1, at least one. Throws InputError for
/// different numbers of items.
AttributeRegression regress_on_attributes(const graph::Csr& links, const std::vector<float>& known,
                                          kernels::ConstFloatView targets,
                                          kernels::Backend& backend);

/// [I x D] predictions where `wanted` is 1, zeros elsewhere, from the rows of `targets` [I x D]
/// where `known` is 1, at least one; `known` and `wanted` [I] hold 0 or 1. Waits for the device.
/// Throws InputError for different numbers of items.
kernels::FloatMatrix predict_from_attributes(const graph::Csr& links,
                                             const std::vector<float>& known,
                                             const std::vector<float>& wanted,
                                             kernels::ConstFloatView targets,
                                             kernels::Backend& backend);

}  // namespace penchant::models
