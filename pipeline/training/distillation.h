// SPDX-License-Identifier: Apache-2.0
// Vectors that rank as a scorer does: the lists at the top of a scorer's ranking of each user, as
// probabilities, are what a softmax over the vectors' inner products is trained to give. A filter
// beside vectors can be had in the vectors' own width this way, because nothing is spent on scores
// that no list shows, those of items that a user has above all; a squared error of all scores
// spends most of its width there (docs/decisions/0035-distillation.md).
// Source: listwise distillation as in Reddi et al., "RankDistil" (AISTATS 2021), section 3, with a
// softmax over list and sampled negatives.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/random.h"
#include "graph/user_item_graph.h"
#include "kernels/backend.h"
#include "models/scorer.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/taught_lists.h"
#include "pipeline/training/new_item_learning.h"

namespace penchant::pipeline {

/// Few users move their items rarely: where there are fewer than these, they come
/// (kUsualUsers / users)^2 times as often.
inline constexpr std::int64_t kUsualUsers = 16'384;

/// How vectors go on that have learnt before.
struct GoesOn {
  double epochs = 1.0;            ///< share of the usual ones
  float known_items_rate = 1.0F;  ///< of the learning rate: an index of these still serves, and
                                  ///< users move instead. Above 0.
  std::vector<graph::NodeId> new_items;  ///< others; ascending
};

struct DistillationOptions {
  std::int64_t epochs = 20;            ///< over all users; more where there are few of them
  std::int64_t most_epochs = 320;      ///< of these
  std::int64_t list_size = kListSize;  ///< K
  std::int64_t num_negatives = 1024;
  double negative_power = 0.75;  ///< of an item's number of users
  /// Of rank_shares.
  float list_temperature = kListTemperature;
  /// Of the inner products; vectors have length 1 at the start.
  float temperature = kTaughtTemperature;
  float learning_rate = 0.01F;  ///< peak; Adam with cosine decay
  graph::Seed seed{42};
  /// Vectors that have learnt before go on as long as they are.
  const GoesOn* goes_on = nullptr;
};

struct Vectors {
  kernels::FloatMatrix users;  ///< [U x D]
  kernels::FloatMatrix items;  ///< [I x D]
};

/// Epochs over so many users, and steps of all of them.
std::int64_t distillation_epochs(const DistillationOptions& options, std::int64_t num_users);
std::int64_t distillation_steps(const DistillationOptions& options, std::int64_t num_users);
/// Items that a step moves at most: all where lists and negatives may hold them all, else those that
/// they do hold, as a step of all of a large catalogue would take longer than all else.
std::int64_t moved_items(const DistillationOptions& options, std::int64_t num_users,
                         std::int64_t num_items);

/// Adam's beta2: a few hundred steps are all there are.
inline constexpr float kSecondMoment = 0.99F;

/// What a teacher ranks first, as probabilities, in host memory; K items a user.
struct TaughtLists {
  std::vector<graph::NodeId> users;
  kernels::Matrix<graph::NodeId> lists;  ///< [users x K]; what is missing is graph::kNoNode
  kernels::FloatMatrix shares;           ///< [users x K]
  bool ranks_seen = false;
  graph::Csr seen;  ///< [users x I]: what the lists leave out; no rows where they do not
  std::optional<NewItemLists> new_items;  ///< of the same users; read_lists reads none
};

/// The lists of those of these users who have a row in `graph`, ascending. They leave out what a
/// user has there unless `ranks_seen`. Nothing if interrupted.
std::optional<TaughtLists> read_lists(models::Scorer& teacher, const graph::UserItemGraph& graph,
                                      bool ranks_seen, std::vector<graph::NodeId> users,
                                      const DistillationOptions& options, kernels::Backend& backend,
                                      Progress& progress);

/// Of the items at the top of each user's list, kAgreementItems of them, the share that vectors rank
/// at the top as well; the mean of kAgreementUsers users, spread evenly.
inline constexpr std::int64_t kAgreementItems = 20;
inline constexpr std::int64_t kAgreementUsers = 2048;
double list_agreement(const TaughtLists& taught, const Vectors& vectors, kernels::Backend& backend);

/// Brings the vectors, which say where to start, to the order of the lists for their users; the
/// rows of others keep their direction. Where new items are taught too, their rows are finished.
/// False if interrupted: the vectors are as they were.
bool learn_lists(const TaughtLists& taught, const graph::UserItemGraph& graph,
                 const DistillationOptions& options, kernels::Backend& backend, Progress& progress,
                 Vectors& vectors);

}  // namespace penchant::pipeline
