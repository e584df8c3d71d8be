// SPDX-License-Identifier: Apache-2.0
// Vectors that rank the items that nobody has touched, beside what they are taught of the others
// (distillation.h): of each user the new items that fit best by their attributes
// (models/new_item_scores.h) are a second list, and a vector of a new item is a sum of vectors c_v
// of its attribute values, which learn with those of the users. So the users' numbers hold what
// attributes they like too, which no regression on what touched items hold can find.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "graph/csr.h"
#include "graph/item_graph.h"
#include "graph/random.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "kernels/list_softmax.h"
#include "models/new_items.h"
#include "models/workspace.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/vector_layout.h"

namespace penchant::pipeline {

struct DistillationOptions;

/// New items below which nothing is taught of them.
inline constexpr std::int64_t kFewestTaught = 20;

/// What is taught of new items, in host memory. P of them, drawn at random where there are many,
/// stand for all.
struct NewItemLists {
  graph::Csr links;                      ///< [I x V] attribute values of all items
  models::Touched touched;               ///< of all items
  std::vector<graph::NodeId> pool;       ///< [P] ascending
  kernels::Matrix<graph::NodeId> lists;  ///< [users x K] places in pool; from kNoNode on: no more
  kernels::FloatMatrix shares;           ///< [users x K]
};

/// What counts how much in the lists (models/new_item_scores.h).
struct NewItemWeights {
  float regression = 1.0F;  ///< beside the users' profiles
  float content = 1.0F;     ///< of landmarks of vectors in the profiles, beside other values
};

/// For these users; the vectors, users [U x D] and items [I x D], say what touched items are like.
/// Nothing where there are too few new items of which something is known, or if interrupted.
std::optional<NewItemLists> read_new_item_lists(
    const VectorViews& vectors, const NewItemWeights& weights, const graph::UserItemGraph& graph,
    const graph::ItemGraph& item_graph, const std::vector<graph::NodeId>& users,
    const DistillationOptions& options, kernels::Backend& backend, Progress& progress);

/// c_v, and what moves them.
class NewItemLearner {
 public:
  /// Starts at the regression of the touched items' rows of `items` [I x D] on the attributes. All
  /// in host memory, on a backend that computes on the CPU. What is given must outlive this.
  NewItemLearner(const NewItemLists& taught, kernels::ConstFloatView items,
                 const DistillationOptions& options, kernels::Backend& host);

  /// A step for a batch of rows of the lists, whose vectors are users [B x D]: adds to d_users.
  void learn_from(const std::vector<graph::NodeId>& rows, kernels::ConstFloatView users,
                  std::int64_t step, float learning_rate, kernels::FloatView d_users);

  /// Writes the rows of all new items. They are shifted together, and spread, so that scores of new
  /// items have over users [U x D] and items the mean and the variance that the regression gives
  /// them: lists say which new items to take, not how many.
  void finish(kernels::ConstFloatView users, kernels::FloatView items) const;

 private:
  std::vector<graph::NodeId> draw_negatives(std::int64_t step) const;

  const NewItemLists& taught_;
  const DistillationOptions& options_;
  kernels::Backend& host_;
  graph::Csr pool_, transposed_;                               ///< [P x V], and its transpose
  std::unique_ptr<kernels::SparseMatrix> forward_, backward_;  ///< read them
  kernels::ListSoftmax softmax_;
  kernels::FloatMatrix values_, gradient_, first_, second_;  ///< [V x D]
  kernels::FloatMatrix items_, d_items_;                     ///< [P x D]
  models::Workspace batch_shares_, batch_gradient_;
  models::MatrixWorkspace<graph::NodeId> batch_lists_;
  models::DeviceArray<float> losses_;
};

}  // namespace penchant::pipeline
