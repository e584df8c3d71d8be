// SPDX-License-Identifier: Apache-2.0
// Vectors of items that nobody has touched yet, from the attributes that they share with others:
// ridge regression of the others' vectors on their attribute values (Gantner et al., "Learning
// attribute-to-feature mappings for cold-start recommendations", ICDM 2010, section 3.2),
//   C = argmin sum_(i touched) |z_i - m - sum_v a_iv c_v|^2 + lambda sum_v |c_v|^2
//   z_i = m + sum_v a_iv c_v   for the others that have an attribute value
// with m the mean of the touched items' vectors and a_iv = 1 where item i is linked to hub v.
#pragma once

#include "graph/item_graph.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"

namespace penchant::models {

enum class UnitLength { no, yes };

/// Overwrites the rows of `items` [I x D] of items without a user in `user_item` and with a hub in
/// `item_graph`; with UnitLength::yes these rows then have length 1. Nothing happens where there is
/// no such item, or no touched one. Waits for the device.
void fill_new_items(const graph::UserItemGraph& user_item, const graph::ItemGraph& item_graph,
                    UnitLength unit_length, kernels::Backend& backend, kernels::FloatView items);

}  // namespace penchant::models
