// SPDX-License-Identifier: Apache-2.0
// Shares of what a person had in an inner product whose left side is any function of what they had:
// by leaving items out (occlusion: Zeiler and Fergus, "Visualizing and understanding convolutional
// networks", ECCV 2014, section 4.2), alone and a few at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/ids.h"
#include "pipeline/explain/vector_shares.h"

namespace penchant::pipeline {

/// How many people's vectors or scores are made at a time: they take tables of all items each.
std::size_t people_at_once(std::int64_t num_items);
/// Adds the rows of `from` behind those of `to`.
void append(Histories& to, const Histories& from);

/// Groups of about three of `count` places: `rounds` times all of them, each time divided otherwise.
/// None for three places or fewer, where a group would be nearly all.
std::vector<std::vector<std::size_t>> groups_of_three(std::size_t count, int rounds);

/// Shares [n] by what a score loses without each of n items (`alone`) and without each group
/// together: alone + argmin_d sum_g (lost_g - sum_{i in g} (alone_i + d_i))^2 + lambda |d|^2. Two
/// items that say the same are missed little when one of them goes, and much when both do: what a
/// group loses beyond its items is divided among them.
std::vector<double> shares_of_losses(std::span<const double> alone,
                                     const std::vector<std::vector<std::size_t>>& groups,
                                     std::span<const double> of_groups);

/// The vectors of one person without some of what they had, made once for all items asked about.
class LeftOut {
 public:
  LeftOut(const Person& person, const Model& model);
  /// Whether the person is the one that the vectors are of, with the same events.
  bool is_of(const Person& person) const;
  /// [items of the person] in <., vector>; 0 of the oldest, beyond 256 items.
  std::vector<double> shares(std::span<const float> vector) const;
  std::int64_t num_unexplained() const { return static_cast<std::int64_t>(first_); }

 private:
  std::vector<graph::NodeId> events_;
  std::size_t num_items_;
  std::size_t first_;                             ///< place of the first item that is left out
  std::vector<std::vector<std::size_t>> groups_;  ///< of places behind `first_`
  std::vector<std::vector<float>> vectors_;       ///< whole, without each item, without each group
};

}  // namespace penchant::pipeline
