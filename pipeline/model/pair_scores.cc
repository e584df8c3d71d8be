// SPDX-License-Identifier: Apache-2.0
// Scores of pairs, by what a model offers.
#include <algorithm>
#include <utility>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

constexpr std::int64_t kUsersPerTile = 512;  ///< a scorer's tile holds a score for every item,
constexpr std::int64_t kTileScores = std::int64_t{64} << 20;  ///< and of all at most so many

/// The distinct users, ascending, and the place of each pair's user among them.
std::pair<std::vector<NodeId>, std::vector<NodeId>> number_users(std::span<const NodeId> users) {
  std::vector<NodeId> distinct(users.begin(), users.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<NodeId> places;
  for (const NodeId user : users) {
    places.push_back(static_cast<NodeId>(std::lower_bound(distinct.begin(), distinct.end(), user) -
                                         distinct.begin()));
  }
  return {std::move(distinct), std::move(places)};
}

kernels::IdView view_of(std::span<const NodeId> ids) {
  return {ids.data(), static_cast<std::int64_t>(ids.size()), kernels::Device::cpu};
}

std::vector<float> scorer_scores(models::Scorer& scorer, std::int64_t num_items,
                                 std::span<const NodeId> users, std::span<const NodeId> items,
                                 kernels::Backend& backend) {
  const auto [distinct, places] = number_users(users);
  std::vector<std::vector<std::size_t>> pairs_of(distinct.size());
  for (std::size_t p = 0; p < users.size(); ++p)
    pairs_of[static_cast<std::size_t>(places[p])].push_back(p);
  const auto num_users = static_cast<std::int64_t>(distinct.size());
  const std::int64_t tile_size =
      std::min({kUsersPerTile, num_users, std::max<std::int64_t>(1, kTileScores / num_items)});
  kernels::FloatMatrix tile = backend.matrix<float>(num_items, tile_size);
  // The host reads the tile where it lies, or a copy of it.
  const bool on_host = tile.view().device == kernels::Device::cpu;
  std::vector<float> copy(on_host ? 0 : static_cast<std::size_t>(num_items * tile_size));
  std::vector<float> scores(users.size());
  for (std::int64_t first = 0; first < num_users; first += tile_size) {
    const std::int64_t count = std::min(tile_size, num_users - first);
    const kernels::FloatView view = tile.view().cols_of(0, count);
    scorer.score(view_of(std::span(distinct).subspan(static_cast<std::size_t>(first),
                                                     static_cast<std::size_t>(count))),
                 backend, view);
    const kernels::FloatView table =
        on_host ? view
                : kernels::FloatView(copy.data(), num_items, count, count, kernels::Device::cpu);
    if (!on_host) backend.copy(view, table);
    backend.sync();
    for (std::int64_t column = 0; column < count; ++column) {
      for (const std::size_t p : pairs_of[static_cast<std::size_t>(first + column)])
        scores[p] = table(items[p], column);
    }
  }
  return scores;
}

std::vector<float> inner_products(const Model& model, std::span<const NodeId> users,
                                  std::span<const NodeId> items) {
  kernels::Backend& backend = model.backend();
  const auto count = static_cast<std::int64_t>(users.size());
  kernels::FloatMatrix left = backend.matrix<float>(count, model.layout().width());
  kernels::FloatMatrix right = backend.matrix<float>(count, model.layout().width());
  kernels::Upload<NodeId> upload_users, upload_items;
  backend.gather_rows(model.users(), upload_users(view_of(users), backend), left.view());
  backend.gather_rows(model.items(), upload_items(view_of(items), backend), right.view());
  kernels::Vector<float> dots = backend.vector<float>(count);  // zeros
  backend.add_row_dots(left.view(), right.view(), dots.view());
  std::vector<float> scores(users.size());
  backend.copy(dots.view(), kernels::VectorView<float>(scores.data(), count, kernels::Device::cpu));
  backend.sync();
  return scores;
}

}  // namespace

std::string Model::score_meaning(Ranking ranking) const {
  switch (has_interest() ? interest()->pair_score() : PairScore::none) {
    case PairScore::probability:
      return "probability";
    case PairScore::rating:
      return "rating";
    case PairScore::none:
      break;
  }
  return ranking == Ranking::full && has_scorer() ? "full score" : "inner product";
}

std::vector<float> Model::score(std::span<const NodeId> users, std::span<const NodeId> items,
                                Ranking ranking) const {
  PENCHANT_ASSERT(users.size() == items.size());
  if (users.empty()) return {};
  if (has_interest() && interest()->pair_score() != PairScore::none) {
    const auto [distinct, places] = number_users(users);
    return interest()->pair_scores(select_histories(histories(), distinct), places, items,
                                   backend());
  }
  if (ranking == Ranking::full && has_scorer())
    return scorer_scores(*scorer(), dataset().num_items(), users, items, backend());
  require_vectors(*this, "score --ranking vectors");
  return inner_products(*this, users, items);
}

}  // namespace penchant::pipeline
