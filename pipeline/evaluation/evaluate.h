// SPDX-License-Identifier: Apache-2.0
// Full-ranking evaluation: every item of the catalogue is ranked for every user with held-out
// items. Formulas: docs/metrics.md. Ties: the lower dense id ranks first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/csr.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/pair_evaluation.h"
#include "pipeline/model/model.h"
#include "pipeline/model/ranking.h"

namespace penchant::pipeline {

struct EvaluateOptions {
  HeldOut part = HeldOut::test;
  std::vector<std::int64_t> cutoffs = {5, 10, 20, 50};
  bool cutoffs_given = false;  ///< the user chose them: one that cannot be had is an error
  SeenItems seen_items = SeenItems::automatic;
  Ranking ranking = Ranking::vectors;  ///< full: by the full score as well
  std::int64_t max_users = 0;          ///< drawn at random; 0: all
  bool rank_metrics = true;  ///< AUC, MRR and mean rank, which need a second pass over all scores

  /// The same for a catalogue of `num_items`: cut-offs above it are left out with a warning (the
  /// whole catalogue is the cut-off where none is left), or refused if the user gave them.
  EvaluateOptions fitted(std::int64_t num_items, Progress& progress) const;
};

/// Metric name ("recall@20", "auc", "coverage@20", ...) -> value, averaged over users with at least
/// one held-out item.
struct EvaluateReport {
  std::map<std::string, double> metrics;  ///< by the vectors; empty: the model has none
  std::map<std::string, double> full;  ///< of `evaluate`, by the full score where it is asked for
  std::int64_t num_users = 0;
  std::int64_t num_new_users = 0;  ///< of them, by `evaluate`: nothing is known of these
  bool seen_items_masked = true;
  bool trained_on_part = false;  ///< `evaluate` of the validation part that a refit learned from
  double seconds = 0.0;
  std::optional<PairReport> pairs;      ///< of `evaluate`, if the model gives probabilities
  std::optional<RatingReport> ratings;  ///< of `evaluate`, if it gives ratings
};

/// Users to rank for, their held-out items and the items that are masked for them.
struct RankingTask {
  std::vector<graph::NodeId> users;  ///< dense ids, ascending
  graph::Csr targets;                ///< [users x I]
  graph::Csr excluded;               ///< [users x I]; no rows: nothing is masked
};
RankingTask make_ranking_task(const Dataset& dataset, HeldOut part, SeenItems seen_items);

/// Ranks by <users_u, items_i> for vectors [U x D] and [I x D] of all users and items.
EvaluateReport evaluate_vectors(kernels::ConstFloatView users, kernels::ConstFloatView items,
                                const RankingTask& task, std::span<const std::int64_t> item_counts,
                                const EvaluateOptions& options, kernels::Backend& backend,
                                Progress& progress);

/// The same by a scorer of tiles.
EvaluateReport evaluate_scorer(models::Scorer& scorer, const RankingTask& task,
                               std::span<const std::int64_t> item_counts,
                               const EvaluateOptions& options, kernels::Backend& backend,
                               Progress& progress);

/// At most `count` of the task's users, drawn at random; 0: all.
RankingTask sample_task(const RankingTask& task, std::int64_t count, graph::Seed seed);

/// What `evaluate` ranks: of the part, with the seen items and at most the users that the options
/// say.
RankingTask chosen_task(const Dataset& dataset, const EvaluateOptions& options);

/// How to evaluate for one metric ("ndcg@20", "auc") of the validation part.
EvaluateOptions validation_options(const std::string& metric);
/// The metric's value. Throws InputError if there is none of that name.
double validation_value(const std::map<std::string, double>& metrics, const std::string& metric);

/// What a user has seen is the training part and, when test is evaluated, validation. Probabilities
/// are judged in the same run if the model gives them. Throws InputError for a model without vectors
/// that is to be ranked by them.
EvaluateReport evaluate(const Model& model, const EvaluateOptions& options, Progress& progress);
/// The same metrics for recommending the most popular unseen training items to everyone.
EvaluateReport evaluate_popularity(const Dataset& dataset, const EvaluateOptions& options,
                                   kernels::Backend& backend, Progress& progress);

}  // namespace penchant::pipeline
