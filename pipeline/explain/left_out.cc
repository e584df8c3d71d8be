// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/left_out.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "graph/error.h"
#include "graph/random.h"
#include "pipeline/audience/logistic.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

/// Items that are left out, the latest.
constexpr std::size_t kMostLeftOut = 256;
/// Numbers in the tables of all people of a time.
constexpr std::int64_t kPeopleScores = std::int64_t{16} << 20;
constexpr std::int64_t kMostPeople = 64;
constexpr std::size_t kGroupSize = 3;
constexpr int kRounds = 5;
/// lambda of shares_of_losses, beside as many groups of an item as there are rounds. Of .3, 1 and 3
/// the last had the items by whose deletion the most lists fell (docs/explain.md).
constexpr double kKeptAlone = 3.0;
constexpr graph::Seed kGroupSeed{42};

std::vector<NodeId> items_of(const std::vector<PersonEvent>& events) {
  std::vector<NodeId> items;
  std::transform(events.begin(), events.end(), std::back_inserter(items),
                 [](const PersonEvent& event) { return event.item; });
  return items;
}

/// The vectors of many histories, so many at a time that tables of all items fit.
class VectorsOfHistories {
 public:
  explicit VectorsOfHistories(const Model& model)
      : model_(model), at_once_(people_at_once(model.dataset().num_items())) {}

  void add(const Histories& one) {
    append(people_, one);
    if (std::cmp_equal(people_.size(), at_once_)) flush();
  }
  std::vector<std::vector<float>> take() {
    flush();
    return std::move(vectors_);
  }

 private:
  void flush() {
    if (people_.size() == 0) return;
    const kernels::FloatMatrix made = model_.history_vectors(people_);
    for (std::int64_t row = 0; row < people_.size(); ++row)
      vectors_.push_back(row_of_table(made.view(), static_cast<NodeId>(row), model_.backend()));
    people_ = {};
  }

  const Model& model_;
  std::size_t at_once_;
  Histories people_;
  std::vector<std::vector<float>> vectors_;
};

}  // namespace

std::size_t people_at_once(std::int64_t num_items) {
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(kPeopleScores / num_items, 1, kMostPeople));
}

void append(Histories& to, const Histories& from) {
  const auto add = [](auto& all, const auto& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  const auto before = static_cast<std::int64_t>(to.items.size());
  add(to.items, from.items);
  add(to.events, from.events);
  add(to.gap_buckets, from.gap_buckets);
  add(to.weights, from.weights);
  for (const std::int64_t end : std::span(from.offsets).subspan(1))
    to.offsets.push_back(before + end);
}

std::vector<std::vector<std::size_t>> groups_of_three(std::size_t count, int rounds) {
  std::vector<std::vector<std::size_t>> groups;
  if (count <= kGroupSize) return groups;
  const std::size_t of_round = std::max<std::size_t>(count / kGroupSize, 2);
  for (int round = 0; round < rounds; ++round) {
    const graph::Permutation order(kGroupSeed, graph::Stream::explanation,
                                   static_cast<std::uint64_t>(round), count);
    for (std::size_t group = 0; group < of_round; ++group) {
      std::vector<std::size_t>& places = groups.emplace_back();
      for (std::size_t k = group * count / of_round; k < (group + 1) * count / of_round; ++k)
        places.push_back(order(k));
    }
  }
  return groups;
}

std::vector<double> shares_of_losses(std::span<const double> alone,
                                     const std::vector<std::vector<std::size_t>>& groups,
                                     std::span<const double> of_groups) {
  PENCHANT_ASSERT(groups.size() == of_groups.size());
  const std::size_t count = alone.size();
  std::vector<double> shares(alone.begin(), alone.end());
  if (groups.empty()) return shares;
  std::vector<double> together(count * count, 0.0), beyond(count, 0.0);
  for (std::size_t i = 0; i < count; ++i) together[i * count + i] = kKeptAlone;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    double missing = of_groups[g];
    for (const std::size_t i : groups[g]) missing -= alone[i];
    for (const std::size_t i : groups[g]) {
      beyond[i] += missing;
      for (const std::size_t j : groups[g]) together[i * count + j] += 1.0;
    }
  }
  const bool solved = solve_in_place(together, beyond);
  PENCHANT_ASSERT(solved);
  for (std::size_t i = 0; i < count; ++i) shares[i] += beyond[i];
  return shares;
}

LeftOut::LeftOut(const Person& person, const Model& model)
    : events_(items_of(person.events)),
      num_items_(person.items.size()),
      first_(num_items_ > kMostLeftOut ? num_items_ - kMostLeftOut : 0),
      groups_(groups_of_three(num_items_ - first_, kRounds)) {
  if (num_items_ == 0) return;
  VectorsOfHistories vectors(model);
  vectors.add(person.history());
  if (num_items_ > 1) {
    for (std::size_t item = first_; item < num_items_; ++item) {
      const std::size_t without[] = {item};
      vectors.add(person.history(without));
    }
  }
  for (std::vector<std::size_t> without : groups_) {
    for (std::size_t& place : without) place += first_;
    vectors.add(person.history(without));
  }
  vectors_ = vectors.take();
  // Without their only item nothing is known of them.
  if (num_items_ == 1) vectors_.emplace_back(vectors_.front().size(), 0.0F);
}

bool LeftOut::is_of(const Person& person) const { return items_of(person.events) == events_; }

std::vector<double> LeftOut::shares(std::span<const float> vector) const {
  std::vector<double> shares(num_items_, 0.0);
  if (num_items_ == 0) return shares;
  std::vector<double> lost;
  const auto product = [&](const std::vector<float>& row) {
    return inner_product(std::span(row).first(vector.size()), vector);
  };
  const double whole = product(vectors_.front());
  for (std::size_t row = 1; row < vectors_.size(); ++row)
    lost.push_back(whole - product(vectors_[row]));
  const std::span<const double> alone = std::span(lost).first(num_items_ - first_);
  const std::vector<double> found =
      shares_of_losses(alone, groups_, std::span(lost).subspan(alone.size()));
  std::copy(found.begin(), found.end(), shares.begin() + static_cast<std::ptrdiff_t>(first_));
  return shares;
}

}  // namespace penchant::pipeline
