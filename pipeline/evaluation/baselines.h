// SPDX-License-Identifier: Apache-2.0
// What a trained model has to beat: popularity, neighbours of the items that a user has (item-kNN,
// Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001), and
// buying the same again. Formulas: docs/metrics.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "models/scorer.h"
#include "pipeline/data/histories.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

/// An evaluation of something other than the model: "popularity", "item_knn", ...
struct Baseline {
  std::string name;
  EvaluateReport report;
};

/// The `top_k` items most like each item [I x I]: cosine of the sets of users who have them, ties
/// to the lower id, never the item itself; columns ascending.
graph::Csr item_neighbours(const graph::TrainingPart& known, std::int64_t num_users,
                           std::int64_t num_items, std::int64_t top_k);

/// Scores users by what is known of them, row = dense id. Items of which that tells nothing follow
/// in the order of their popularity.
class HistoryBaseline : public models::Scorer {
 public:
  void score(kernels::IdView users, kernels::Backend& backend, kernels::FloatView scores) final;

 protected:
  HistoryBaseline(const Histories& histories, std::span<const std::int64_t> item_counts);
  struct ItemScore {
    graph::NodeId item;
    float score;  ///< at least 0
  };
  /// Scores of the items that a history tells something of, each item once. Called from several
  /// threads, each with a `sums` [I] of zeros, which is to be left so.
  virtual void score_history(std::span<const graph::NodeId> history, std::vector<float>& sums,
                             std::vector<ItemScore>& scored) const = 0;

 private:
  const Histories& histories_;
  std::vector<float> popularity_;  ///< [I] in [-1, 0)
  std::vector<float> tile_;        ///< [I x B] in host memory
};

/// score_uj = sum of the similarities of j to the items of u's history, each item once.
class ItemKnn final : public HistoryBaseline {
 public:
  enum class Reads { whole_history, last_item };
  /// `neighbours` and `histories` must outlive the scorer.
  ItemKnn(const graph::Csr& neighbours, Reads reads, const Histories& histories,
          std::span<const std::int64_t> item_counts);

 protected:
  void score_history(std::span<const graph::NodeId> history, std::vector<float>& sums,
                     std::vector<ItemScore>& scored) const override;

 private:
  const graph::Csr& neighbours_;
  Reads reads_;
};

/// The user's own items: by how often (ties: the later one first) or by how late the user had them.
class RepeatPurchase final : public HistoryBaseline {
 public:
  enum class Order { most_frequent, most_recent };
  RepeatPurchase(Order order, const Histories& histories,
                 std::span<const std::int64_t> item_counts);

 protected:
  void score_history(std::span<const graph::NodeId> history, std::vector<float>& sums,
                     std::vector<ItemScore>& scored) const override;

 private:
  Order order_;
};

/// Evaluates popularity, item_knn, last_item_knn, repeat_frequent and repeat_recent. All but
/// popularity, which counts training rows, know everything before the part that is evaluated.
std::vector<Baseline> evaluate_baselines(const Dataset& dataset, const EvaluateOptions& options,
                                         kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
