// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/row_attack.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "graph/random.h"
#include "kernels/transfer.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/report/sample.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

constexpr std::size_t kFewestPeople = 40;
constexpr std::uint64_t kPeople = 105;  ///< substreams beside those of report_facts.cc
constexpr std::uint64_t kRows = 106;

/// Test items of each user that has some.
std::vector<std::pair<NodeId, std::vector<NodeId>>> test_items(const graph::Interactions& test) {
  std::vector<std::pair<NodeId, NodeId>> rows;
  for (std::size_t row = 0; row < test.user.size(); ++row)
    rows.emplace_back(test.user[row], test.item[row]);
  std::sort(rows.begin(), rows.end());
  std::vector<std::pair<NodeId, std::vector<NodeId>>> of_users;
  for (const auto& [user, item] : rows) {
    if (of_users.empty() || of_users.back().first != user) of_users.push_back({user, {}});
    of_users.back().second.push_back(item);
  }
  return of_users;
}

/// The best threshold of these, and on which side of it the guess is yes: +1 above, -1 below.
struct Guess {
  double threshold = 0.0;
  double side = 1.0;
};

double rate(std::span<const double> scores, double threshold) {
  const auto above =
      std::count_if(scores.begin(), scores.end(), [&](double score) { return score >= threshold; });
  return static_cast<double>(above) / static_cast<double>(scores.size());
}

double difference(std::span<const double> inside, std::span<const double> outside,
                  double threshold) {
  return rate(inside, threshold) - rate(outside, threshold);
}

Guess best_guess(std::span<const double> inside, std::span<const double> outside) {
  Guess best;
  double most = -1.0;
  for (const std::span<const double> scores : {inside, outside}) {
    for (const double threshold : scores) {
      const double found = difference(inside, outside, threshold);
      if (std::abs(found) > most) {
        most = std::abs(found);
        best = {threshold, found < 0.0 ? -1.0 : 1.0};
      }
    }
  }
  return best;
}

}  // namespace

double advantage_of(std::span<const double> inside, std::span<const double> outside) {
  std::vector<double> seen[2], judged[2];
  for (std::size_t person = 0; person < inside.size(); ++person) {
    auto& half = person % 2 == 0 ? seen : judged;
    half[0].push_back(inside[person]);
    half[1].push_back(outside[person]);
  }
  const Guess guess = best_guess(seen[0], seen[1]);
  return guess.side * difference(judged[0], judged[1], guess.threshold);
}

std::optional<RowAttack> attack_rows(const Model& model, std::int64_t most_people) {
  const std::int64_t dim = model.layout().embedding_dim;
  if (dim == 0) return std::nullopt;
  const Dataset& dataset = model.dataset();
  auto candidates = test_items(dataset.split.test);
  const graph::Random random(graph::Seed{42}, graph::Stream::validation, kRows);
  kernels::Download<float> download;
  const kernels::ConstFloatView items = download(model.items().cols_of(0, dim), model.backend());
  std::vector<double> inside, outside;
  std::vector<double> taste(at(dim));
  const auto score_of = [&](NodeId item) {
    double product = 0.0;
    for (std::int64_t j = 0; j < dim; ++j)
      product += taste[at(j)] * static_cast<double>(items(item, j));
    return product;
  };
  const auto num_candidates = static_cast<std::int64_t>(candidates.size());
  for (const std::int64_t k : draw_sample(num_candidates, most_people, kPeople)) {
    auto& [user, tests] = candidates[at(k)];
    std::vector<NodeId> own = known_items(dataset, user, KnownPart::train_and_validation);
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    std::erase_if(tests,
                  [&](NodeId item) { return std::binary_search(own.begin(), own.end(), item); });
    if (tests.empty() || own.size() < 2) continue;
    const auto draw = [&](std::size_t size, std::uint64_t which) {
      return random.bits(2 * static_cast<std::uint64_t>(k) + which) % size;
    };
    const NodeId trained = own[draw(own.size(), 0)];
    std::fill(taste.begin(), taste.end(), 0.0);
    for (const NodeId item : own) {
      if (item == trained) continue;
      for (std::int64_t j = 0; j < dim; ++j) taste[at(j)] += static_cast<double>(items(item, j));
    }
    inside.push_back(score_of(trained));
    outside.push_back(score_of(tests[draw(tests.size(), 1)]));
  }
  if (inside.size() < kFewestPeople) return std::nullopt;
  return RowAttack{static_cast<std::int64_t>(inside.size()), advantage_of(inside, outside)};
}

}  // namespace penchant::pipeline
