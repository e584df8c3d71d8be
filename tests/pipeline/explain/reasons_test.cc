// SPDX-License-Identifier: Apache-2.0
// Reasons: the three items of a history without which a score falls most, by scores of histories
// that the test shortens itself.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/explain/explainer.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;

class Reasons : public penchant::testing::SmallShopTest {
 protected:
  Model load(const std::string& name) { return Model::open(at(name), dataset(), backend()); }
  static std::string user(NodeId id) { return std::string(dataset().users.raw(id)); }
  static std::string item(NodeId id) { return std::string(dataset().items.raw(id)); }

  void train_network(const std::string& name) {
    TrainOptions options = recipe_of(models::ModelKind::interest);
    options.model.embedding_dim = 16;
    options.model.interest.hidden_dim = 24;
    options.model.interest.mlp_dims = {24};
    options.epochs = 3;
    options.batch_size = 256;
    options.calibrate_popularity = false;
    options.blend_filter = false;
    options.retry_lower_rate = false;
    train(options, name);
  }
  static std::vector<HistoryShare> by_lead(std::vector<HistoryShare> history) {
    std::sort(history.begin(), history.end(),
              [](const HistoryShare& a, const HistoryShare& b) { return a.lead > b.lead; });
    return history;
  }
  /// Those marked, which stand before all others.
  static std::set<NodeId> marked(const Explanation& found) {
    std::set<NodeId> items;
    for (std::size_t place = 0; place < found.history.size(); ++place) {
      EXPECT_EQ(found.history[place].reason, place < 3) << place;
      if (found.history[place].reason) items.insert(found.history[place].item);
    }
    for (std::size_t place = 4; place < found.history.size(); ++place)
      EXPECT_GE(found.history[place - 1].lead, found.history[place].lead);
    return items;
  }
};

TEST_F(Reasons, AreTheThreeWithoutWhichAScoreOfANetworkFallsMost) {
  train_network("m");
  const Model model = load("m");
  Explainer explainer(model);
  int others_than_alone = 0;
  for (const NodeId u : {NodeId{2}, NodeId{17}, NodeId{31}, NodeId{44}, NodeId{60}}) {
    const NodeId target = (u * 7) % static_cast<NodeId>(dataset().num_items());
    const Explanation found = explainer.of_user(user(u), item(target), Ranking::vectors);
    if (found.history.size() < 6) continue;
    std::vector<NodeId> others;
    for (const ScoredItem& best :
         model.recommend(user(u), 16, SeenItems::automatic, Ranking::vectors)) {
      if (best.item != target && others.size() < 15) others.push_back(best.item);
    }
    const std::vector<PersonEvent> events = events_of_user(dataset(), u);
    const auto lead_without = [&](const std::set<NodeId>& gone) {
      std::vector<PersonEvent> kept;
      std::copy_if(events.begin(), events.end(), std::back_inserter(kept),
                   [&](const PersonEvent& event) { return !gone.contains(event.item); });
      const kernels::FloatMatrix vector =
          model.history_vectors(history_of_events(kept, known_of_events(dataset())));
      const auto score = [&](NodeId of) {
        double sum = 0.0;
        for (std::int64_t j = 0; j < vector.cols(); ++j)
          sum +=
              static_cast<double>(vector.view()(0, j)) * static_cast<double>(model.items()(of, j));
        return sum;
      };
      double mean = 0.0;
      for (const NodeId other : others) mean += score(other) / static_cast<double>(others.size());
      return score(target) - mean;
    };
    std::vector<HistoryShare> sorted = found.history;  // missed most first
    std::map<NodeId, double> alone;
    for (const HistoryShare& had : sorted) alone[had.item] = lead_without({had.item});
    std::sort(sorted.begin(), sorted.end(), [&](const HistoryShare& a, const HistoryShare& b) {
      return alone[a.item] < alone[b.item];
    });
    std::set<NodeId> want;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < 6; ++i) {
      for (std::size_t j = i + 1; j < 6; ++j) {
        for (std::size_t k = j + 1; k < 6; ++k) {
          const std::set<NodeId> three = {sorted[i].item, sorted[j].item, sorted[k].item};
          const double lead = lead_without(three);
          if (lead < least) {
            least = lead;
            want = three;
          }
        }
      }
    }
    EXPECT_EQ(marked(found), want) << "user " << u;
    others_than_alone +=
        want != std::set<NodeId>{sorted[0].item, sorted[1].item, sorted[2].item} ? 1 : 0;
  }
  EXPECT_GT(others_than_alone, 0) << "items alone would do: the test shows nothing";
}

TEST_F(Reasons, OfExactSharesAreTheThreeLargestLeads) {
  train(recipe(), "m");
  const Model model = load("m");
  Explainer explainer(model);
  const Explanation found = explainer.of_user(user(9), item(14), Ranking::vectors);
  ASSERT_EQ(found.method, ShareMethod::exact);
  ASSERT_GT(found.history.size(), 4U);
  const std::vector<HistoryShare> sorted = by_lead(found.history);
  EXPECT_EQ(marked(found), (std::set<NodeId>{sorted[0].item, sorted[1].item, sorted[2].item}));
}

TEST_F(Reasons, OfThreeItemsAreAll) {
  train(recipe(), "m");
  const Model model = load("m");
  Explainer explainer(model);
  const std::vector<std::string> ids = {item(3), item(8), item(21)};
  const std::vector<std::string_view> raw(ids.begin(), ids.end());
  const Explanation found = explainer.of_history(raw, item(40), Ranking::full);
  EXPECT_EQ(marked(found), (std::set<NodeId>{3, 8, 21}));
  const nlohmann::json told = explanation_json(found, dataset(), 9);
  for (const nlohmann::json& had : told["history"]) EXPECT_TRUE(had["reason"].get<bool>());
}

}  // namespace
}  // namespace penchant::pipeline
