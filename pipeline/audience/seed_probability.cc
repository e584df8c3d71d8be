// SPDX-License-Identifier: Apache-2.0
// People like those of a seed. Of each of five folds, the seed's other members give: a lift for each
// item (how much more of the seed than of all people have it), the centroid of their vectors, the
// nearest of them, and a ridge regression on column counts; a logistic regression weighs these
// beside how active people are.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/core.h>

#include "graph/parallel.h"
#include "kernels/transfer.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/audience/interest_probability.h"
#include "pipeline/audience/logistic.h"
#include "pipeline/audience/propensity_features.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

constexpr std::int64_t kFolds = 5;
/// Members of the seed whom others are compared with one by one.
constexpr std::size_t kMostCompared = 1000;
constexpr std::size_t kNearest = 10;
constexpr std::int64_t kMostOthers = 50'000;  ///< of the regression
constexpr std::int64_t kSeedBlock = 4096;
constexpr std::size_t kSeedFeatures = 5;
constexpr std::size_t kAllSeedFeatures = kNumUserFeatures + kSeedFeatures;
constexpr std::array<const char*, kSeedFeatures> kSeedFeatureNames = {
    "mean log lift of items", "sum of log lifts", "cosine with the centroid",
    "cosine with the nearest", "ridge on counts"};

/// What all folds share.
struct SeedSource {
  const Dataset& dataset;
  Behaviour behaviour;
  std::vector<std::int64_t> owners;
  CountedColumns columns;
  kernels::ConstFloatView vectors;  ///< [U x D] in host memory, or without columns
  std::vector<float> lengths;       ///< [U]

  float cosine(NodeId user, const std::vector<float>& unit) const {
    const float length = lengths[at(user)];
    if (!(length > 0.0F)) return 0.0F;
    float product = 0.0F;
    for (std::int64_t j = 0; j < vectors.cols; ++j) product += vectors(user, j) * unit[at(j)];
    return product / length;
  }
  std::vector<float> unit_of(NodeId user) const {
    std::vector<float> unit(at(vectors.cols), 0.0F);
    if (!(lengths[at(user)] > 0.0F)) return unit;
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      unit[at(j)] = vectors(user, j) / lengths[at(user)];
    return unit;
  }
};

/// What members of the seed give, of all folds but one.
class SeedFold {
 public:
  SeedFold(const SeedSource& source, const std::vector<NodeId>& members,
           const std::vector<NodeId>& others)
      : source_(source) {
    const auto num_members = static_cast<double>(members.size());
    std::vector<std::int64_t> of_members(source.owners.size(), 0);
    std::vector<NodeId> last(source.owners.size(), graph::kNoNode);
    for (const NodeId user : members) {
      source.behaviour.for_each_row(user, [&](NodeId item, std::int64_t, std::int32_t) {
        if (std::exchange(last[at(item)], user) != user) ++of_members[at(item)];
      });
    }
    const double share = num_members / static_cast<double>(source.behaviour.num_users());
    for (std::size_t item = 0; item < of_members.size(); ++item) {
      const double expected = share * static_cast<double>(source.owners[item]);
      log_lift_.push_back(static_cast<float>(
          std::log((static_cast<double>(of_members[item]) + 1.0) / (expected + 1.0))));
    }
    centroid_.assign(at(source.vectors.cols), 0.0F);
    const std::size_t step = (members.size() + kMostCompared - 1) / kMostCompared;
    for (std::size_t i = 0; i < members.size() && source.vectors.cols > 0; ++i) {
      std::vector<float> unit = source.unit_of(members[i]);
      for (std::size_t j = 0; j < unit.size(); ++j) centroid_[j] += unit[j];
      if (i % step == 0) compared_.push_back(std::move(unit));
    }
    double squares = 0.0;
    for (const float part : centroid_)
      squares += static_cast<double>(part) * static_cast<double>(part);
    const auto length = static_cast<float>(std::sqrt(squares));
    for (float& part : centroid_) part = length > 0.0F ? part / length : 0.0F;
    ColumnCounter counter(source.behaviour, source.columns);
    ColumnRidge ridge(source.columns.num_columns);
    const auto add = [&](const std::vector<NodeId>& users, double target) {
      for (const NodeId user : users)
        ridge.add(counter.of(user, [](NodeId) { return true; }), target);
    };
    add(members, 1.0);
    add(others, 0.0);
    weights_ = ridge.solve();
  }

  /// [kSeedFeatures]
  void write(NodeId user, ColumnCounter& counter, std::vector<NodeId>& items,
             std::span<float> to) const {
    items.clear();
    source_.behaviour.for_each_row(
        user, [&](NodeId item, std::int64_t, std::int32_t) { items.push_back(item); });
    std::sort(items.begin(), items.end());
    items.erase(std::unique(items.begin(), items.end()), items.end());
    double sum = 0.0;
    for (const NodeId item : items) sum += static_cast<double>(log_lift_[at(item)]);
    to[0] = items.empty() ? 0.0F : static_cast<float>(sum / static_cast<double>(items.size()));
    to[1] = static_cast<float>(sum);
    to[2] = source_.cosine(user, centroid_);
    to[3] = nearest(user);
    to[4] = static_cast<float>(predict(counter.of(user, [](NodeId) { return true; }), weights_));
  }

 private:
  /// Mean cosine with the nearest members.
  float nearest(NodeId user) const {
    std::vector<float> cosines;
    for (const auto& unit : compared_) cosines.push_back(source_.cosine(user, unit));
    if (cosines.empty()) return 0.0F;
    const std::size_t kept = std::min(kNearest, cosines.size());
    std::partial_sort(cosines.begin(), cosines.begin() + static_cast<std::ptrdiff_t>(kept),
                      cosines.end(), std::greater<>());
    float sum = 0.0F;
    for (std::size_t i = 0; i < kept; ++i) sum += cosines[i];
    return sum / static_cast<float>(kept);
  }

  const SeedSource& source_;
  std::vector<float> log_lift_, centroid_, weights_;
  std::vector<std::vector<float>> compared_;
};

/// Users without the seed, every so many-th; how many each stands for is `step`.
struct Others {
  std::vector<NodeId> users;
  std::int64_t step = 1;
};
Others others_of(const std::vector<std::uint8_t>& in_seed) {
  Others others;
  const auto num_users = static_cast<std::int64_t>(in_seed.size());
  others.step = std::max<std::int64_t>((num_users + kMostOthers - 1) / kMostOthers, 1);
  std::int64_t place = 0;
  for (std::int64_t user = 0; user < num_users; ++user) {
    if (in_seed[at(user)] == 0 && place++ % others.step == 0)
      others.users.push_back(static_cast<NodeId>(user));
  }
  return others;
}

SeedSource seed_source(const Dataset& dataset, kernels::ConstFloatView vectors) {
  Behaviour behaviour(dataset, KnownPart::train_and_validation);
  std::vector<std::int64_t> owners = owners_of_items(behaviour, dataset.num_items());
  CountedColumns columns = counted_columns(dataset, behaviour, owners);
  SeedSource source{dataset, std::move(behaviour), std::move(owners), std::move(columns), vectors,
                    {}};
  for (std::int64_t user = 0; user < dataset.num_users(); ++user) {
    double squares = 0.0;
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      squares += static_cast<double>(vectors(user, j)) * static_cast<double>(vectors(user, j));
    source.lengths.push_back(static_cast<float>(std::sqrt(squares)));
  }
  return source;
}

}  // namespace

Probabilities seed_probabilities(const Model& model, const std::vector<NodeId>& seed,
                                 Progress& progress) {
  const Dataset& dataset = model.dataset();
  kernels::Download<float> download;
  kernels::ConstFloatView vectors;
  if (model.layout().embedding_dim > 0)
    vectors = download(model.users(), model.backend()).cols_of(0, model.layout().embedding_dim);
  const std::int64_t num_users = dataset.num_users();
  progress.note(fmt::format(
      "audience: {} users beside a seed of {}: about {} beside the data set and the model, about "
      "{:.0f} s on one thread",
      num_users, seed.size(),
      bytes_text(num_users * (64 + static_cast<std::int64_t>(sizeof(float)) * 2) +
                 dataset.num_items() * 40 + kFolds * 512 * 512 * 8),
      1.0 + static_cast<double>(num_users) *
                static_cast<double>(std::min(seed.size(), kMostCompared)) *
                static_cast<double>(vectors.cols) * 2e-9));
  const SeedSource source = seed_source(dataset, vectors);

  // Place in the seed, or the id, modulo the number of folds.
  Probabilities result;
  result.known.assign(at(num_users), 0);
  std::vector<NodeId> members = seed;
  std::sort(members.begin(), members.end());
  std::vector<std::uint8_t> fold_of(at(num_users));
  for (std::int64_t user = 0; user < num_users; ++user)
    fold_of[at(user)] = static_cast<std::uint8_t>(user % kFolds);
  for (std::size_t i = 0; i < members.size(); ++i) {
    result.known[at(members[i])] = 1;
    fold_of[at(members[i])] = static_cast<std::uint8_t>(i % at(kFolds));
  }
  const Others others = others_of(result.known);
  std::vector<SeedFold> folds;
  for (std::int64_t fold = 0; fold < kFolds; ++fold) {
    const auto outside = [&](const std::vector<NodeId>& users) {
      std::vector<NodeId> kept;
      for (const NodeId user : users) {
        if (fold_of[at(user)] != fold) kept.push_back(user);
      }
      return kept;
    };
    folds.emplace_back(source, outside(members), outside(others.users));
    stop_if_asked(progress);
  }

  std::vector<NodeId> asked = members;
  asked.insert(asked.end(), others.users.begin(), others.users.end());
  const auto write = [&](NodeId user, ColumnCounter& counter, std::vector<NodeId>& items,
                         std::span<float> to) {
    write_user_features(source.behaviour, user, to.first(kNumUserFeatures));
    folds[fold_of[at(user)]].write(user, counter, items, to.subspan(kNumUserFeatures));
  };
  const auto for_users = [&](std::int64_t count, const auto& take) {
    graph::parallel_for(count, kSeedBlock, [&](const graph::Share& share) {
      ColumnCounter counter(source.behaviour, source.columns);
      std::vector<NodeId> items;
      std::vector<float> row(kAllSeedFeatures);
      for (const std::int64_t i : share)
        take(i, [&](NodeId user) {
          write(user, counter, items, row);
          return std::span<const float>(row);
        });
    });
  };
  std::vector<float> features(asked.size() * kAllSeedFeatures);
  for_users(static_cast<std::int64_t>(asked.size()), [&](std::int64_t i, const auto& features_of) {
    const std::span<const float> row = features_of(asked[at(i)]);
    std::copy(row.begin(), row.end(), features.begin() + i * static_cast<std::int64_t>(row.size()));
  });
  std::vector<std::uint8_t> labels(asked.size(), 0);
  std::fill_n(labels.begin(), members.size(), std::uint8_t{1});
  LogisticModel regression = fit_logistic(features, labels, 1.0);
  // The others are a sample, the seed is not.
  regression.intercept -= std::log(static_cast<double>(others.step));
  result.facts = {kFolds,
                  static_cast<std::int64_t>(asked.size()),
                  static_cast<std::int64_t>(members.size()),
                  {}};
  for (std::size_t j = 0; j < kAllSeedFeatures; ++j) {
    result.facts.weights.emplace_back(
        j < kNumUserFeatures ? feature_names()[j] : kSeedFeatureNames[j - kNumUserFeatures],
        regression.weights[j]);
  }
  result.of_users.assign(at(num_users), 0.0F);
  for_users(num_users, [&](std::int64_t user, const auto& features_of) {
    result.of_users[at(user)] =
        static_cast<float>(sigmoid(regression.log_odds(features_of(static_cast<NodeId>(user)))));
  });
  return result;
}

}  // namespace penchant::pipeline
