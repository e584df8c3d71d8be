// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/interest_probability.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/parallel.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/audience/logistic.h"
#include "pipeline/audience/propensity_features.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

constexpr std::int64_t kMostSets = 64;
/// Of all sets together; more of them sharpen nothing and take memory.
constexpr std::int64_t kMostExamples = 1'500'000;
constexpr std::int64_t kFewestBuyers = 20;
constexpr double kPenalty = 1.0;
constexpr std::int64_t kUsersPerBlock = 4096;
constexpr double kDayMs = 86'400'000.0;

/// Every so many-th user, so that no draw is needed.
std::vector<NodeId> some_users(std::int64_t num_users, std::int64_t most) {
  const std::int64_t step = std::max<std::int64_t>((num_users + most - 1) / most, 1);
  std::vector<NodeId> users;
  for (std::int64_t user = 0; user < num_users; user += step)
    users.push_back(static_cast<NodeId>(user));
  return users;
}

/// What is the same for every set at one cut.
struct Cut {
  Cut(const Dataset& dataset, KnownPart known)
      : behaviour(dataset, known),
        owners(owners_of_items(behaviour, dataset.num_items())),
        columns(counted_columns(dataset, behaviour, owners)) {}
  FeatureSource source(const Dataset& dataset, std::span<const NodeId> learners) const {
    return {dataset, behaviour, columns, learners};
  }

  Behaviour behaviour;
  std::vector<std::int64_t> owners;
  CountedColumns columns;
};

/// Features and labels of some sets.
struct Examples {
  std::vector<float> features;  ///< [N x kNumFeatures]
  std::vector<std::uint8_t> labels;
};

/// Who did something with the set in the validation part.
std::vector<std::uint8_t> buyers_of(const ItemSet& set, const Dataset& dataset) {
  std::vector<std::uint8_t> is_in(at(dataset.num_items()), 0), buyers(at(dataset.num_users()), 0);
  for (const NodeId item : set.items) is_in[at(item)] = 1;
  const graph::Interactions& rows = dataset.split.validation;
  for (std::size_t row = 0; row < rows.user.size(); ++row)
    buyers[at(rows.user[row])] |= is_in[at(rows.item[row])];
  return buyers;
}

Examples examples_of(const ItemSet& set, const FeatureSource& source, KnownPeople known,
                     std::span<const float> of_learners) {
  SetFeatures features(set, source);
  const std::vector<std::uint8_t> buyers = buyers_of(set, source.dataset);
  Examples examples;
  for (std::size_t i = 0; i < source.learners.size(); ++i) {
    const NodeId user = source.learners[i];
    if (known == KnownPeople::leave_out && features.has(user)) continue;
    const auto own = of_learners.subspan(i * kNumUserFeatures, kNumUserFeatures);
    examples.features.insert(examples.features.end(), own.begin(), own.end());
    examples.features.resize(examples.features.size() + kNumFeatures - kNumUserFeatures);
    features.write(user, std::span(examples.features).last(kNumFeatures - kNumUserFeatures));
    examples.labels.push_back(buyers[at(user)]);
  }
  return examples;
}

Examples examples_of_all(const std::vector<ItemSet>& sets, const FeatureSource& source,
                         KnownPeople known, Progress& progress) {
  std::vector<float> of_learners(source.learners.size() * kNumUserFeatures);
  for (std::size_t i = 0; i < source.learners.size(); ++i)
    write_user_features(source.behaviour, source.learners[i],
                        std::span(of_learners).subspan(i * kNumUserFeatures, kNumUserFeatures));
  std::vector<Examples> of_sets(sets.size());
  graph::parallel_for(static_cast<std::int64_t>(sets.size()), 1, [&](const graph::Share& share) {
    for (const std::int64_t set : share) {
      of_sets[at(set)] = examples_of(sets[at(set)], source, known, of_learners);
      stop_if_asked(progress);
    }
  });
  Examples all;
  for (Examples& own : of_sets) {
    all.features.insert(all.features.end(), own.features.begin(), own.features.end());
    all.labels.insert(all.labels.end(), own.labels.begin(), own.labels.end());
    own = {};
  }
  return all;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void note_memory(const Dataset& dataset, std::int64_t num_sets, Progress& progress) {
  // Two threads' sets at least; the rows' extents and the users' answers; features of the examples,
  // which are copied once.
  const std::int64_t bytes = 2 * SetFeatures::memory(dataset.num_items(), 512) +
                             dataset.num_users() * 48 + dataset.num_items() * 40 +
                             2 * std::min(kMostExamples, dataset.num_users() * num_sets) *
                                 static_cast<std::int64_t>(kNumFeatures * sizeof(float));
  progress.note(
      fmt::format("audience: {} users, a regression over {} sets of items: about {} beside "
                  "the data set and the model",
                  dataset.num_users(), num_sets, bytes_text(bytes)));
}

}  // namespace

Probabilities interest_probabilities(const Dataset& dataset, const ItemSet& set, KnownPeople known,
                                     Progress& progress) {
  if (dataset.split.validation.empty()) {
    throw InputError(
        "audience --interest learns from the validation part, and the data set has none: ingest "
        "with data.split.validation_fraction above 0");
  }
  Probabilities result;
  const auto num_users = dataset.num_users();
  LogisticModel regression;
  {
    const Cut past(dataset, KnownPart::train);
    std::vector<ItemSet> sets = sets_like(set, dataset, past.owners, kMostSets);
    sets.insert(sets.begin(), set);
    const auto num_sets = static_cast<std::int64_t>(sets.size());
    note_memory(dataset, num_sets, progress);
    const std::vector<NodeId> learners = some_users(num_users, kMostExamples / num_sets);
    const FeatureSource source = past.source(dataset, learners);
    const auto start = std::chrono::steady_clock::now();
    { const SetFeatures first(sets.front(), source); }
    progress.note(fmt::format("audience: about {:.0f} s on one thread",
                              1.0 + 2.0 * seconds_since(start) * static_cast<double>(num_sets)));
    const Examples examples = examples_of_all(sets, source, known, progress);
    const auto positives = std::count(examples.labels.begin(), examples.labels.end(), 1);
    const auto num_examples = static_cast<std::int64_t>(examples.labels.size());
    if (positives < kFewestBuyers || positives == num_examples) {
      throw InputError(
          fmt::format("the validation part has {} people among {} with a first interest in items "
                      "like these, expected at least {} and some without",
                      positives, num_examples, kFewestBuyers));
    }
    regression = fit_logistic(examples.features, examples.labels, kPenalty);
    result.facts = {num_sets, num_examples, positives, {}};
  }
  for (std::size_t j = 0; j < kNumFeatures; ++j)
    result.facts.weights.emplace_back(feature_names()[j], regression.weights[j]);

  const Cut now(dataset, KnownPart::train_and_validation);
  result.period_days = static_cast<double>(now.behaviour.period().length_ms) / kDayMs;
  const std::vector<NodeId> learners = some_users(num_users, kMostExamples / kMostSets);
  const SetFeatures features(set, now.source(dataset, learners));
  result.of_users.assign(at(num_users), 0.0F);
  result.known.assign(at(num_users), 0);
  graph::parallel_for(num_users, kUsersPerBlock, [&](const graph::Share& share) {
    SetFeatures set_features = features.copy();
    std::vector<float> row(kNumFeatures);
    for (const std::int64_t user : share) {
      const auto id = static_cast<NodeId>(user);
      result.known[at(user)] = set_features.has(id) ? 1 : 0;
      write_user_features(now.behaviour, id, std::span(row).first(kNumUserFeatures));
      set_features.write(id, std::span(row).subspan(kNumUserFeatures));
      result.of_users[at(user)] = static_cast<float>(sigmoid(regression.log_odds(row)));
    }
  });
  return result;
}

}  // namespace penchant::pipeline
