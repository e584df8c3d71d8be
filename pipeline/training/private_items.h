// SPDX-License-Identifier: Apache-2.0
// Vectors and popularity of items out of people's rows, released with noise that hides any one person.
//
// The model is a Gram matrix of items cut to few dimensions, found by subspace iteration in which every
// person's part has a length of at most 1:
//   c    = sum_u x_u,               x_u = (1, ..., 1) / sqrt(items of u)            [I]
//   head = the items of the largest c
//   A_t  = sum_u x_u z_u',          x_u ~ c^-power over u's head items, length 1;   [H x D]
//                                   z_u = x_u' Y_t / length,  Y_{t+1} = whitened A_t
//   A    = sum_u x_u z_u',          x_u over all of u's items, z_u of the head      [I x D]
// Each sum gets discrete Gaussian noise (pipeline/privacy/bounded_sum.h); everything else is computed
// from what was released. People say of their own taste by z_u, which only their own rows and released
// vectors make, as in private alternating least squares (Chien et al., "Private alternating least
// squares", ICML 2021); directions are learned on the head, where a sum rises above the noise, and the
// tail is placed by people whose taste the head tells (Krichene et al., "Multi-task differential privacy
// under distribution skew", ICML 2023). Lengths of z_u are 1, so that a person counts fully however
// little of the row lies in the subspace.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/catalog.h"
#include "graph/csr.h"
#include "graph/dictionary.h"
#include "graph/random.h"
#include "kernels/backend.h"
#include "pipeline/model/private_model.h"
#include "pipeline/privacy/bounded_sum.h"
#include "pipeline/privacy/random_source.h"

namespace penchant::pipeline {

struct PrivateItemsPlan {
  std::int64_t width = 16;         ///< D
  std::int64_t head_items = 3000;  ///< H, at most I
  double item_power = 0.5;
  std::int64_t popularity_bound = 1;           ///< of the sum c (bounded_sum.h)
  std::vector<std::int64_t> head_bounds = {};  ///< of A_1, A_2, ...
  std::int64_t all_bound = 1;                  ///< of A
};

/// Rows of items in the order of their raw ids, for people in any order; of each person's items those
/// `most` whose keyed hashes of both raw ids are least, so that nobody's choice depends on others.
/// Values are left out: a person has an item or not.
graph::Csr bounded_rows(const graph::CsrView& user_items, const graph::Dictionary& users,
                        const graph::Dictionary& items, std::int64_t most, graph::Seed seed);

/// c before its noise, of `rows` as of bounded_rows: what a person adds depends on nobody else, and its
/// length is at most `bound`.
BoundedSum popularity_sum(const graph::CsrView& rows, std::int64_t bound);

/// What people add to A_t and A: public values, or values released before.
struct TasteParts {
  std::span<const double> item_weights;  ///< [I] c^-power
  std::span<const graph::NodeId> row;    ///< [I] of the sum, or kNoNode
  std::int64_t num_rows = 0;
  std::span<const graph::NodeId> known_row;  ///< [I] of `known`, or kNoNode
  std::span<const double> known;             ///< [. x D]
  std::int64_t width = 0;                    ///< D
  std::int64_t bound = 1;
};
/// A before its noise; as popularity_sum.
BoundedSum taste_sum(const graph::CsrView& rows, const TasteParts& parts);

/// `rows` [U x I] as of bounded_rows; `raw_ids` and `catalog` in the data set's dense ids, of which
/// item `order[k]` is column k of `rows`. The catalogue's attributes are public: items start from them,
/// and where noise drowns an item it falls back on what its attributes say.
PrivateItems make_private_items(const graph::CsrView& rows, const graph::Dictionary& raw_ids,
                                std::span<const graph::NodeId> order, const graph::Catalog& catalog,
                                const PrivateItemsPlan& plan, graph::Seed seed,
                                RandomSource& random, kernels::Backend& backend);

}  // namespace penchant::pipeline
