// SPDX-License-Identifier: Apache-2.0
// Lists of a model, a block at a time: the best items of users, the nearest of items or of users. A
// list does
// not depend on what else is in its block.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "graph/csr.h"
#include "kernels/backend.h"
#include "pipeline/data/item_filter.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/model.h"
#include "pipeline/model/ranking.h"

namespace penchant::pipeline {

/// Lists of B owners in host memory, the best first; valid until the next block is made.
struct ListBlock {
  std::span<const graph::NodeId> owners;           ///< [B] users or items
  kernels::MatrixView<const graph::NodeId> items;  ///< [B x K], kNoNode behind the last
  kernels::ConstFloatView scores;                  ///< [B x K]
};

/// The best of the items that may be listed, by products or by scores that are there. Shorter lists
/// than K where fewer items are left.
class ListSelector {
 public:
  /// The backend must outlive it. k at least 1.
  ListSelector(std::int64_t num_items, std::int64_t k, ItemChoice choice,
               kernels::Backend& backend);
  ~ListSelector();
  /// By <query, item>; queries [B x D], items [I x D], the same table in every call; `excluded` CSR
  /// [B x I], columns ascending and distinct, or without rows.
  ListBlock by_vectors(kernels::ConstFloatView queries, kernels::ConstFloatView items,
                       const graph::CsrView& excluded, std::span<const graph::NodeId> owners);
  /// By scores [I x B].
  ListBlock by_scores(kernels::ConstFloatView scores, const graph::CsrView& excluded,
                      std::span<const graph::NodeId> owners);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ListOptions {
  std::int64_t k = 20;
  SeenItems seen_items = SeenItems::automatic;
  Ranking ranking = Ranking::vectors;
};

/// Whose lists come block by block.
class ListMaker {
 public:
  virtual ~ListMaker() = default;
  /// Owners of a block at most.
  virtual std::int64_t block_size() const = 0;
  /// What making lists takes beside the model and what is mapped, in bytes.
  virtual std::int64_t memory() const = 0;
  /// What the scores are: "inner product", "full score", "cosine".
  virtual const char* score() const = 0;
  virtual ListBlock make(std::span<const graph::NodeId> owners) = 0;
};

/// The k best items of users, as Model::recommend has them. The model must outlive it. Throws
/// InputError: k < 1, k > items, no vectors to rank by.
std::unique_ptr<ListMaker> user_lists(const Model& model, const ListOptions& options,
                                      ItemChoice choice);
/// The k items nearest to items, as Model::similar has them. Throws InputError as above.
std::unique_ptr<ListMaker> similar_lists(const Model& model, std::int64_t k, ItemChoice choice);
/// The k users nearest to users: the listed ids are users'. Throws InputError as above.
std::unique_ptr<ListMaker> similar_user_lists(const Model& model, std::int64_t k);

}  // namespace penchant::pipeline
