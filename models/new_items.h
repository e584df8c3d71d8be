// SPDX-License-Identifier: Apache-2.0
// Items that nobody has touched yet, from the attributes that they share with others. Their vectors
// are predicted from their attribute values by regression (models/attribute_regression.h). Further
// columns say what a vector of D trained numbers can't hold: which attribute values a user's items
// had. With a_iv = 1 where item i is linked to hub v, w_v = (number of items with v)^-1/2,
//   p_u = sum_(i of u) sum_v a_iv w_v b_v,  p_u / |p_u|     users
//   q_i = share sum_v a_iv b_v                              items without a user
// where b_v [R] are rows of the leading right singular vectors of c_i^1/2 a_iv w_v / |a_i w|, c_i
// an item's number of users: the space that holds most of the users' profiles. One more column is
// the regression of log(1 + c_i) on the attributes. Columns of new items have mean zero, so that
// they say which of them to take and not how many; items with a user have zeros.
// Source: own; measured in docs/decisions/0023-new-items.md.
#pragma once

#include <vector>

#include "graph/csr.h"
#include "graph/item_graph.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/unit_length.h"

namespace penchant::models {

/// Which items are new, and of which something is known.
struct Touched {
  std::vector<float> yes;    ///< [I] 1 for an item with a user
  std::vector<float> fresh;  ///< [I] 1 for one without, but with an attribute value
  bool both = false;         ///< there are items of each kind
};

/// `links`: attribute_links of the item graph.
Touched touched_items(const graph::UserItemGraph& user_item, const graph::Csr& links);

/// `links` with the value w_v everywhere.
graph::Csr weighted_by_rarity(const graph::Csr& links);
/// The same, those of the values that `of` [V] is set for times `factor`.
graph::Csr weighted_by_rarity(const graph::Csr& links, const std::vector<bool>& of, float factor);

/// Overwrites the rows of `items` [I x D] of items without a user in `user_item` and with a hub in
/// `item_graph`; with UnitLength::yes these rows then have length 1. Nothing happens where there is
/// no such item, or no touched one. Waits for the device.
void fill_new_items(const graph::UserItemGraph& user_item, const graph::ItemGraph& item_graph,
                    UnitLength unit_length, kernels::Backend& backend, kernels::FloatView items);

/// Appends R + 1 columns to `users` [U x D] and `items` [I x D], with R the smaller of
/// `num_columns` and the rank of the profiles; none where fill_new_items does nothing or
/// `num_columns` is 0. Returns how many it appended. Waits for the device.
std::int64_t append_new_item_columns(const graph::UserItemGraph& user_item,
                                     const graph::ItemGraph& item_graph, std::int64_t num_columns,
                                     kernels::Backend& backend, kernels::FloatMatrix& users,
                                     kernels::FloatMatrix& items);

/// The same R + 1 columns of people by what they had.
class ItemProfiles {
 public:
  ItemProfiles(const graph::UserItemGraph& user_item, const graph::ItemGraph& item_graph,
               std::int64_t num_columns, kernels::Backend& backend);
  std::int64_t num_columns() const { return by_item_.cols() + 1; }
  /// Overwrites `columns` [B x (R + 1)]; rows [B x I]. Waits for the device.
  void write(const graph::CsrView& rows, kernels::Backend& backend,
             kernels::FloatView columns) const;

 private:
  friend std::int64_t append_new_item_columns(const graph::UserItemGraph&, const graph::ItemGraph&,
                                              std::int64_t, kernels::Backend&,
                                              kernels::FloatMatrix&, kernels::FloatMatrix&);
  ItemProfiles(const graph::UserItemGraph& user_item, const graph::Csr& links,
               std::int64_t num_columns, kernels::Backend& backend);
  kernels::FloatMatrix basis_;    ///< [V x R] b_v
  kernels::FloatMatrix by_item_;  ///< [I x R] sum_v a_iv w_v b_v
};

}  // namespace penchant::models
