// SPDX-License-Identifier: Apache-2.0
// What is known before a held-out part, and of whom.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "graph/csr.h"
#include "graph/enum_names.h"
#include "graph/split.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// What is known of users when something is asked of a model: to judge it by the validation part,
/// that part must not be known.
enum class KnownPart { train, train_and_validation };

/// Items that a user already has: `mask` ranks only the others and drops held-out rows that repeat
/// a training row; `keep` ranks them too; `automatic` keeps them where the held-out parts hold
/// repeats and masks them otherwise.
enum class SeenItems { automatic, mask, keep };
constexpr auto enum_words(SeenItems) {
  return std::to_array<EnumWord<SeenItems>>(
      {{SeenItems::automatic, "auto"}, {SeenItems::mask, "mask"}, {SeenItems::keep, "keep"}});
}
/// Whether lists leave out what a user has.
bool leaves_out_seen(const Dataset& dataset, SeenItems seen_items);
/// The items of a user's training and, if they are known, validation rows, oldest first. Of a data
/// set that was read for look-ups only these rows are read.
std::vector<graph::NodeId> known_items(const Dataset& dataset, graph::NodeId user,
                                       KnownPart known = KnownPart::train_and_validation);

/// The same for one block of users after another: of a data set that was read for look-ups the rows
/// are mapped once. The data set must outlive it.
class KnownItems {
 public:
  explicit KnownItems(const Dataset& dataset, KnownPart known = KnownPart::train_and_validation);
  ~KnownItems();
  /// [B x I] distinct items of each user, ascending, without values. Throws InputError for rows of
  /// items that are not in the data set.
  graph::Csr of(std::span<const graph::NodeId> users) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Training rows plus validation rows, sorted: what a refit learns from. The type still keeps test
/// rows out.
graph::TrainingPart train_and_validation(const graph::SplitInteractions& split,
                                         std::int64_t num_users);
graph::TrainingPart train_and_validation(const Dataset& dataset);

}  // namespace penchant::pipeline
