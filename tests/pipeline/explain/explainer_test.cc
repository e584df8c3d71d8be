// SPDX-License-Identifier: Apache-2.0
// Shares of scores: they add up, they are those of an independent computation, and what can't be
// explained has a defined answer.
#include "pipeline/explain/explainer.h"
#include "pipeline/explain/left_out.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/propagation_graph.h"
#include "models/safetensors.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/known_graphs.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/explain/vector_shares.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "pipeline/workflow/explain_calls.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using nlohmann::json;
using penchant::testing::input_error_of;
using ::testing::HasSubstr;

class Explaining : public penchant::testing::SmallShopTest {
 protected:
  Model load(const std::string& name) { return Model::open(at(name), dataset(), backend()); }
  static std::string user(NodeId id) { return std::string(dataset().users.raw(id)); }
  static std::string item(NodeId id) { return std::string(dataset().items.raw(id)); }

  static double sum_of_sizes(const Explanation& explanation) {
    double sum = 0.0;
    for (const HistoryShare& had : explanation.history) sum += std::abs(had.share());
    for (const double part : explanation.parts) sum += std::abs(part);
    return sum;
  }
  /// Of many pairs; returns how many scores were large enough to be divided by.
  int expect_shares_add_up(const std::string& name, Ranking ranking) {
    const Model model = load(name);
    Explainer explainer(model);
    int divided = 0;
    for (NodeId u = 0; u < 30; ++u) {
      for (NodeId i = u % 3; i < dataset().num_items(); i += 11) {
        const Explanation found = explainer.of_user(user(u), item(i), ranking);
        const double size = sum_of_sizes(found);
        EXPECT_LE(std::abs(found.residual), 1e-4 * std::max(std::abs(found.score), size))
            << name << ": " << u << ", " << i;
        if (std::abs(found.score) <= 0.05 * size) continue;  // of shares that cancel out
        ++divided;
        EXPECT_NEAR(found.explained() / found.score, 1.0, 1e-4) << name << ": " << u << ", " << i;
        EXPECT_EQ(found.part(PartKind::beyond_history), 0.0);
      }
    }
    return divided;
  }
  static TrainOptions filter_of(models::FilterKind kind) {
    TrainOptions options;
    options.model.kind = models::ModelKind::graph_filter;
    options.model.embedding_dim = 12;
    options.filter.kind = kind;
    return options;
  }
};

TEST_F(Explaining, SharesOfEncodersAddUpToTheScore) {
  const auto expect = [&](const char* name, const auto& change) {
    TrainOptions options = recipe();
    change(options);
    train(options, name);
    EXPECT_GT(expect_shares_add_up(name, Ranking::vectors), 100) << name;
  };
  expect("neighbours", [](TrainOptions&) {});
  expect("own", [](TrainOptions& options) {
    options.model.own_share = 1.0F;
    options.model.num_layers = 3;
    options.refit = false;
  });
  expect("factors", [](TrainOptions& options) { options.model.num_layers = 0; });
  expect("new_items", [](TrainOptions& options) {
    options.model.new_item_columns = 8;
    options.model.normalize = false;
    options.calibrate_popularity = true;
  });
  expect("gcn", [](TrainOptions& options) { options.model.kind = models::ModelKind::gcn; });
  expect("node_weighted", [](TrainOptions& options) {
    options.model.kind = models::ModelKind::node_weighted;
    options.model.num_layers = 1;
  });
}

TEST_F(Explaining, SharesOfFiltersAddUpToTheScore) {
  using enum models::FilterKind;
  for (const models::FilterKind kind : {linear, gfcf, chebycf, bspm, ridge}) {
    const std::string name = std::string(enum_name(kind));
    train(filter_of(kind), name);
    EXPECT_GT(expect_shares_add_up(name, Ranking::full), 100) << name;
    EXPECT_GT(expect_shares_add_up(name, Ranking::vectors), 100) << name;
  }
}

TEST_F(Explaining, SharesOfAFilterAndRepeatsBesideVectorsAddUp) {
  TrainOptions options = recipe();
  options.epochs = 1;  // so little learned that a filter helps
  options.learning_rate = 1e-5F;
  options.blend_filter = true;
  train(options, "blend");
  ASSERT_TRUE(load("blend").has_scorer());
  EXPECT_GT(expect_shares_add_up("blend", Ranking::full), 100);
}

TEST_F(Explaining, SharesOfAMixtureAddUp) {
  TrainOptions options;
  options.model.kind = models::ModelKind::automatic;
  options.model.embedding_dim = 12;
  options.filter.rank = 16;
  options.distil = false;
  options.budget.seconds = 20;
  train(options, "auto");
  EXPECT_GT(expect_shares_add_up("auto", Ranking::full), 100);
  EXPECT_GT(expect_shares_add_up("auto", Ranking::vectors), 100);
}

/// Embeddings as rows of doubles, and the adjacency, by loops of their own.
TEST_F(Explaining, SharesOfLightGcnAreThoseOfItsLastLayer) {
  TrainOptions options = recipe();
  options.model.own_share = 0.5F;
  train(options, "m");
  const Model model = load("m");
  const Graphs known = make_graphs(train_and_validation(dataset()), dataset(), {});
  const graph::PropagationGraph graph = graph::build_propagation_graph(known.user_item, known.item);
  const models::TensorFile file = models::read_safetensors(at("m") / "weights.safetensors");
  const std::int64_t width = options.model.embedding_dim;
  const auto embeddings = file.find("embeddings", graph.num_nodes(), width, "weights").view();
  const auto of_node = [&](std::int64_t node, std::int64_t column) {
    return static_cast<double>(embeddings(node, column));
  };
  // h = E + A E of two layers.
  std::vector<std::vector<double>> h(graph::at(graph.num_nodes()),
                                     std::vector<double>(graph::at(width)));
  const graph::CsrView adjacency = graph.adjacency.view();
  for (std::int64_t n = 0; n < graph.num_nodes(); ++n) {
    for (std::int64_t j = 0; j < width; ++j) {
      h[graph::at(n)][graph::at(j)] = of_node(n, j);
      for (auto e = adjacency.offsets[graph::at(n)]; e < adjacency.offsets[graph::at(n) + 1]; ++e)
        h[graph::at(n)][graph::at(j)] +=
            static_cast<double>(adjacency.value(e)) * of_node(adjacency.columns[graph::at(e)], j);
    }
  }
  Explainer explainer(model);
  for (const NodeId u : {NodeId{3}, NodeId{41}}) {
    // e_u = 0.5 E_u + A h, up to a factor that its length takes away.
    std::vector<double> e(graph::at(width));
    for (std::int64_t j = 0; j < width; ++j) {
      e[graph::at(j)] = 0.5 * of_node(u, j);
      for (auto k = adjacency.offsets[graph::at(u)]; k < adjacency.offsets[graph::at(u) + 1]; ++k)
        e[graph::at(j)] +=
            static_cast<double>(adjacency.value(k)) *
            h[static_cast<std::size_t>(adjacency.columns[graph::at(k)])][graph::at(j)];
    }
    const double length = std::sqrt(std::inner_product(e.begin(), e.end(), e.begin(), 0.0));
    const NodeId i = 7;
    const Explanation found = explainer.of_user(user(u), item(i), Ranking::vectors);
    std::map<NodeId, double> shares;
    for (const HistoryShare& had : found.history) shares[had.item] = had.vectors;
    double own = 0.0;
    for (std::int64_t j = 0; j < width; ++j)
      own += 0.5 * of_node(u, j) * static_cast<double>(model.items()(i, j)) / length;
    EXPECT_NEAR(found.part(PartKind::own_vector), own, 1e-5);
    std::size_t compared = 0;
    for (auto k = adjacency.offsets[graph::at(u)]; k < adjacency.offsets[graph::at(u) + 1];
         ++k, ++compared) {
      const std::int64_t node = adjacency.columns[graph::at(k)];
      double want = 0.0;
      for (std::int64_t j = 0; j < width; ++j)
        want += static_cast<double>(adjacency.value(k)) * h[graph::at(node)][graph::at(j)] *
                static_cast<double>(model.items()(i, j)) / length;
      EXPECT_NEAR(shares.at(static_cast<NodeId>(node - dataset().num_users())), want, 1e-5);
    }
    EXPECT_EQ(compared, found.history.size());
    double paths = 0.0;
    bool category = false;
    for (const PathShare& path : found.paths) {
      paths += path.share;
      category |= path.relation == "category" && path.value.front() == 'c';
    }
    EXPECT_NEAR(paths, found.score, 1e-4);
    EXPECT_TRUE(category);
  }
}

TEST_F(Explaining, SharesOfAFilterAreTheScoresOfSingleItems) {
  for (const models::FilterKind kind : {models::FilterKind::chebycf, models::FilterKind::ridge}) {
    const std::string name = std::string(enum_name(kind));
    train(filter_of(kind), name);
    const Model model = load(name);
    const graph::UserItemGraph links =
        make_known_links(dataset(), KnownPart::train_and_validation, model.graph_options());
    const auto filter = load_filter(at(name), manifest(name)["model"], links, backend());
    const NodeId users[] = {5};
    const graph::Csr row = graph::select_rows(links.user_items.view(), users);
    graph::Csr single = {
        static_cast<std::int64_t>(row.columns.size()), row.num_cols, {0}, row.columns, row.values};
    for (std::size_t k = 0; k < row.columns.size(); ++k)
      single.offsets.push_back(static_cast<graph::EdgeOffset>(k) + 1);
    kernels::FloatMatrix scores = backend().matrix<float>(row.num_cols, single.num_rows);
    filter->respond(single.view(), backend(), scores.view());
    Explainer explainer(model);
    const Explanation found = explainer.of_user(user(5), item(20), Ranking::full);
    std::map<NodeId, double> shares;
    for (const HistoryShare& had : found.history) shares[had.item] = had.filter;
    for (std::size_t k = 0; k < row.columns.size(); ++k) {
      const float want = scores.view()(20, static_cast<std::int64_t>(k));
      EXPECT_NEAR(shares.at(row.columns[k]), want, 1e-4 * (0.1 + std::abs(want)));
    }
  }
}

TEST(LeftOutItems, AreDividedIntoGroupsOfAboutThree) {
  for (const std::size_t count : {0, 1, 3}) EXPECT_TRUE(groups_of_three(count, 5).empty());
  for (const std::size_t count : {4, 5, 7, 9, 100}) {
    std::vector<int> seen(count, 0);
    for (const std::vector<std::size_t>& group : groups_of_three(count, 5)) {
      EXPECT_GE(group.size(), 2U);
      EXPECT_LE(group.size(), 4U);
      for (const std::size_t place : group) ++seen.at(place);
    }
    EXPECT_THAT(seen, ::testing::Each(5));
  }
}

/// Places 0 and 1 say the same: either alone is enough for 1. The others add .1 times their place.
double with_a_copy(const std::vector<std::size_t>& without) {
  std::vector<bool> kept(9, true);
  for (const std::size_t place : without) kept[place] = false;
  double sum = kept[0] || kept[1] ? 1.0 : 0.0;
  for (std::size_t place = 2; place < kept.size(); ++place)
    sum += kept[place] ? 0.1 * static_cast<double>(place) : 0.0;
  return sum;
}

TEST(LeftOutItems, ThatSayTheSameShareWhatBothAreMissed) {
  const std::vector<std::vector<std::size_t>> groups = {{0, 1, 2}, {3, 4, 5}, {6, 7, 8},
                                                        {0, 3, 6}, {1, 4, 7}, {2, 5, 8}};
  std::vector<double> alone, together;
  for (std::size_t place = 0; place < 9; ++place)
    alone.push_back(with_a_copy({}) - with_a_copy({place}));
  for (const std::vector<std::size_t>& group : groups)
    together.push_back(with_a_copy({}) - with_a_copy(group));
  EXPECT_EQ(alone[0], 0.0);
  const std::vector<double> shares = shares_of_losses(alone, groups, together);
  EXPECT_NEAR(shares[0], shares[1], 1e-12);
  // (A'A + 3 I)^-1 A' y of the groups with y = (1, 0, 0, 0, 0, 0), by hand: d = 4 / 27 in the first
  // group, and all items of the others carry -1 / 54.
  EXPECT_NEAR(shares[0], 4.0 / 27.0, 1e-12);
  EXPECT_NEAR(shares[2], 0.2 + 4.0 / 27.0, 1e-12);
  EXPECT_NEAR(shares[3], 0.3 - 1.0 / 54.0, 1e-12);
  const std::vector<double> linear = {.5, -.2, .1, 0, 0, 0, 1, 2, 3};
  std::vector<double> sums;
  for (const std::vector<std::size_t>& group : groups)
    sums.push_back(linear[group[0]] + linear[group[1]] + linear[group[2]]);
  const std::vector<double> same = shares_of_losses(linear, groups, sums);
  for (std::size_t place = 0; place < 9; ++place) EXPECT_NEAR(same[place], linear[place], 1e-12);
}

TEST_F(Explaining, FreeVectorsByWhatChangesWithoutAnItem) {
  TrainOptions options;
  options.model.kind = models::ModelKind::automatic;
  options.model.embedding_dim = 12;
  options.filter.rank = 16;
  options.budget.seconds = 20;
  train(options, "auto");
  if (!manifest("auto")["model"].contains("distillation")) GTEST_SKIP() << "nothing was distilled";
  const Model model = load("auto");
  Explainer explainer(model);
  const Explanation found = explainer.of_user(user(9), item(14), Ranking::vectors);
  EXPECT_EQ(found.method, ShareMethod::leave_one_out);
  EXPECT_NEAR(found.residual, 0.0, 1e-5);
  const std::vector<NodeId> known = known_items(dataset(), 9);
  const auto product = [&](const std::vector<NodeId>& items) {
    const kernels::FloatMatrix vector = model.history_vectors(history_of_items(items));
    double sum = 0.0;
    for (std::int64_t j = 0; j < vector.cols(); ++j)
      sum += static_cast<double>(vector.view()(0, j)) * static_cast<double>(model.items()(14, j));
    return sum;
  };
  std::vector<NodeId> places;  // distinct, by their last event
  for (auto it = known.rbegin(); it != known.rend(); ++it) {
    if (std::find(places.begin(), places.end(), *it) == places.end())
      places.insert(places.begin(), *it);
  }
  const auto lost = [&](const std::vector<std::size_t>& without) {
    std::vector<NodeId> kept;
    std::copy_if(known.begin(), known.end(), std::back_inserter(kept), [&](NodeId i) {
      return std::none_of(without.begin(), without.end(),
                          [&](std::size_t place) { return places[place] == i; });
    });
    return product(known) - product(kept);
  };
  std::vector<double> alone, together;
  for (std::size_t place = 0; place < places.size(); ++place) alone.push_back(lost({place}));
  const std::vector<std::vector<std::size_t>> groups = groups_of_three(places.size(), 5);
  ASSERT_FALSE(groups.empty());
  for (const std::vector<std::size_t>& group : groups) together.push_back(lost(group));
  const std::vector<double> shares = shares_of_losses(alone, groups, together);
  for (const HistoryShare& had : found.history) {
    const auto place = std::find(places.begin(), places.end(), had.item) - places.begin();
    EXPECT_NEAR(had.vectors, shares.at(static_cast<std::size_t>(place)), 1e-3);
  }
}

class ExplainingNetworks : public Explaining {
 protected:
  void train_network(const std::string& name, models::SequenceKind sequence) {
    TrainOptions options = recipe_of(models::ModelKind::interest);
    options.model.embedding_dim = 16;
    options.model.interest.hidden_dim = 24;
    options.model.interest.mlp_dims = {24};
    options.model.interest.sequence = sequence;
    options.epochs = 3;
    options.batch_size = 256;
    options.calibrate_popularity = false;
    options.blend_filter = false;
    options.retry_lower_rate = false;
    train(options, name);
  }
};

TEST_F(ExplainingNetworks, IntegratedGradientsAddUpToTheirBound) {
  using enum models::SequenceKind;
  for (const models::SequenceKind sequence : {lstm, rnn, cnn, none}) {
    const std::string name = std::string(enum_name(sequence));
    train_network(name, sequence);
    const Model model = load(name);
    Explainer explainer(model);
    for (const NodeId u : {NodeId{2}, NodeId{60}}) {
      const Explanation found = explainer.of_user(user(u), item(11), Ranking::vectors);
      EXPECT_EQ(found.method, ShareMethod::integrated_gradients);
      const double ends =
          std::max(std::abs(found.score), std::abs(found.part(PartKind::no_history)));
      EXPECT_LE(std::abs(found.residual), 1e-3 * ends + 1e-5) << name;
      EXPECT_GT(sum_of_sizes(found), 0.001);
    }
  }
}

/// Along each event's scale, by central differences of the product.
TEST_F(ExplainingNetworks, InputProductsAreThoseOfDifferences) {
  using enum models::SequenceKind;
  for (const models::SequenceKind sequence : {lstm, cnn, none}) {
    models::ModelOptions options = recipe_of(models::ModelKind::interest).model;
    options.embedding_dim = 8;
    options.initial_scale = 1.0F;
    options.interest.hidden_dim = 12;
    options.interest.mlp_dims = {12};
    options.interest.sequence = sequence;
    InterestNetwork network(dataset(), graphs().item, options, graph::Seed{3}, backend());
    network.model().forward_items(backend());
    const Histories history = network.histories(select_histories(
        make_histories(dataset().split.train, dataset(), 4), std::vector<NodeId>{4}));
    ASSERT_EQ(history.length(0), 4);
    const Span span = {0, 0, 4};
    kernels::FloatMatrix direction = backend().matrix<float>(1, options.embedding_dim);
    for (std::int64_t j = 0; j < options.embedding_dim; ++j)
      direction.view()(0, j) = static_cast<float>(std::cos(static_cast<double>(j)));
    const auto at_scales = [&](const std::vector<float>& scales, std::vector<float>& products) {
      HistoryBatch batch;
      batch.assign(history, {&span, 1}, options.interest.history_decay);
      kernels::Vector<float> values = backend().vector<float>(1);
      kernels::Vector<float> by_event = backend().vector<float>(4);
      network.model().add_input_products(
          backend(), batch.upload(backend()), {scales.data(), 4, kernels::Device::cpu},
          std::as_const(direction).view(), values.view(), by_event.view());
      products.assign(by_event.view().data, by_event.view().data + 4);
      return static_cast<double>(values.view().data[0]);
    };
    std::vector<float> scales = {0.5F, 0.7F, 0.9F, 0.6F};
    std::vector<float> products, unused;
    at_scales(scales, products);
    double size = 0.0;
    for (std::size_t t = 0; t < 4; ++t) {
      constexpr float kStep = 0.01F;
      std::vector<float> more = scales, less = scales;
      more[t] += kStep;
      less[t] -= kStep;
      const double slope = (at_scales(more, unused) - at_scales(less, unused)) / (2.0 * 0.01);
      EXPECT_NEAR(products[t], slope * static_cast<double>(scales[t]), 2e-3)
          << enum_name(sequence) << ", event " << t;
      size = std::max(size, std::abs(slope));
    }
    EXPECT_GT(size, 0.01);
  }
}

TEST_F(ExplainingNetworks, EventsSayWhatLiesBetweenTheEnds) {
  train_network("m", models::SequenceKind::lstm);
  const Model model = load("m");
  auto* const network = dynamic_cast<TrainedInterest*>(model.interest());
  ASSERT_NE(network, nullptr);
  const Histories histories =
      select_histories(make_histories_with_validation(dataset(), 5), std::vector<NodeId>{4});
  ASSERT_EQ(histories.length(0), 5);
  const std::vector<float> direction = row_of_table(model.items(), 3, backend());
  const EventGradients found = network->integrated_gradients(histories, direction, 1e-5, backend());
  // Of the whole line: the sum is the difference of its ends.
  EXPECT_NEAR(std::accumulate(found.events.begin(), found.events.end(), 0.0),
              found.at_history - found.at_zero, 1e-4);
  const kernels::FloatMatrix vector = model.history_vectors(histories);
  double product = 0.0;
  for (std::size_t j = 0; j < direction.size(); ++j)
    product += static_cast<double>(vector.view()(0, static_cast<std::int64_t>(j))) *
               static_cast<double>(direction[j]);
  EXPECT_NEAR(found.at_history, product, 1e-5);
}

TEST_F(Explaining, WhatCanNotBeExplainedHasAnAnswer) {
  train(recipe(), "m");
  const Model model = load("m");
  Explainer explainer(model);
  const auto of = [&](const std::string& raw_user, const std::string& raw_item) {
    return input_error_of([&] { explainer.of_user(raw_user, raw_item, Ranking::vectors); });
  };
  EXPECT_THAT(of("u9999", item(1)), HasSubstr("unknown user 'u9999'"));
  EXPECT_THAT(of(user(1) + "x", item(1)), HasSubstr("did you mean"));
  EXPECT_THAT(of(user(1), "i1234"), HasSubstr("unknown item 'i1234'"));
  EXPECT_THAT(input_error_of([&] { explainer.of_history({}, item(1), Ranking::vectors); }),
              HasSubstr("--history has 0 items"));
  EXPECT_THAT(input_error_of([&] { explainer.of_similar(item(1), item(1)); }),
              HasSubstr("expected another one"));

  const NodeId had = known_items(dataset(), 1).front();
  const Explanation seen = explainer.of_user(user(1), item(had), Ranking::vectors);
  EXPECT_TRUE(seen.seen);
  EXPECT_EQ(seen.listed, dataset().repeats_allowed);
  EXPECT_NEAR(seen.residual, 0.0, 1e-4);

  const Explanation plain = explainer.of_user(user(1), "plain", Ranking::vectors);
  EXPECT_EQ(plain.score, 0.0);
  EXPECT_FALSE(plain.known);
  EXPECT_EQ(sentence(plain, dataset()), "nothing is known of this item");
}

TEST_F(Explaining, AUserWithoutEventsHasTheMeanOfAll) {
  TrainOptions options = recipe();
  options.refit = false;
  train(options, "m");
  Dataset lonely = read_dataset(data_path());
  for (graph::Interactions* part : {&lonely.split.train.interactions, &lonely.split.validation}) {
    graph::Interactions kept;
    for (std::size_t row = 0; row < part->user.size(); ++row) {
      if (part->user[row] == 8) continue;
      kept.user.push_back(part->user[row]);
      kept.item.push_back(part->item[row]);
      kept.weight.push_back(part->weight[row]);
      kept.time_ms.push_back(part->time_ms[row]);
    }
    *part = kept;
  }
  const Model model = Model::open(at("m"), lonely, backend());
  Explainer explainer(model);
  const Explanation found = explainer.of_user(user(8), item(4), Ranking::vectors);
  EXPECT_TRUE(found.history.empty());
  EXPECT_EQ(found.part(PartKind::mean_user), found.score);
  EXPECT_EQ(found.residual, 0.0);
  EXPECT_EQ(sentence(found, lonely),
            found.score > 0.0 ? "because of what users like on average" : "nothing speaks for it");
}

TEST_F(Explaining, ALookUpSaysTheSame) {
  TrainOptions options = recipe();
  train(options, "m");
  const Dataset few = read_dataset(data_path(), DatasetUse::lookup);
  const Model whole = load("m");
  const Model looked = Model::open(at("m"), few, backend());
  EXPECT_EQ(use_of_explaining(at("m")), DatasetUse::lookup);
  Explainer by_whole(whole), by_few(looked);
  const Explanation a = by_whole.of_user(user(12), item(30), Ranking::vectors);
  const Explanation b = by_few.of_user(user(12), item(30), Ranking::vectors);
  EXPECT_EQ(explanation_json(a, dataset(), 100), explanation_json(b, few, 100));
  EXPECT_FALSE(a.history.front().last_ms == graph::kNoTime);
  const SimilarExplanation near = by_whole.of_similar(item(30), item(31));
  EXPECT_NEAR(near.residual, 0.0, 1e-5);
  EXPECT_EQ(explanation_json(near, dataset(), 9),
            explanation_json(by_few.of_similar(item(30), item(31)), few, 9));
}

TEST_F(Explaining, AHistoryByWhatChangesWithoutAnItem) {
  train(recipe(), "m");
  const Model model = load("m");
  Explainer explainer(model);
  const std::vector<std::string> ids = {item(3), item(8), item(3), item(21)};
  const std::vector<std::string_view> raw(ids.begin(), ids.end());
  const Explanation found = explainer.of_history(raw, item(40), Ranking::full);
  EXPECT_EQ(found.method, ShareMethod::leave_one_out);
  ASSERT_EQ(found.history.size(), 3U);
  for (const HistoryShare& had : found.history) EXPECT_EQ(had.events, had.item == 3 ? 2 : 1);
  EXPECT_NEAR(found.residual, 0.0, 1e-5);
  const json told = explanation_json(found, dataset(), 2);
  EXPECT_EQ(told["history"].size(), 2U);
  EXPECT_EQ(told["items_of_history"], 3);
  EXPECT_TRUE(told["user"].is_null());
  EXPECT_TRUE(told["history"][0]["last"].is_null());
}

TEST(ExplainFlags, AreRefusedWhereTheyDoNotGoTogether) {
  ExplainFlags flags;
  flags.item = "i";
  EXPECT_THAT(input_error_of([&] { check_flags(flags); }),
              HasSubstr("either --user, --history or --similar"));
  flags.user = "u";
  check_flags(flags);
  flags.top = 0;
  EXPECT_THAT(input_error_of([&] { check_flags(flags); }),
              HasSubstr("--top is 0, expected at least 1"));
  flags.top = 1;
  flags.similar = "j";
  EXPECT_THAT(input_error_of([&] { check_flags(flags); }),
              HasSubstr("either --user, --history or --similar"));
  flags.user.clear();
  flags.ranking = "full";
  EXPECT_THAT(input_error_of([&] { check_flags(flags); }), HasSubstr("--ranking has no effect"));
}

TEST(Sentences, NameItemsMonthsAndValues) {
  Dataset dataset;
  for (const char* id : {"a", "b", "c"}) dataset.items.intern(id);
  Explanation explanation;
  explanation.item = 2;
  explanation.score = 1.0;
  constexpr std::int64_t kMarch = 1'709'600'000'000;  // 2024-03-05
  explanation.history = {{0, 1, kMarch, kMarch, 0.4, 0.0, 0.0, 0.4, true},
                         {1, 2, kMarch, kMarch + 86'400'000, 0.2, 0.1, 0.0, 0.3, true}};
  explanation.attributes = {{"brand", "C", 2, 0.7}};
  explanation.part(PartKind::popularity) = 0.3;
  EXPECT_EQ(sentence(explanation, dataset), "because of a and b, from March 2024; brand C");
  explanation.history[1].last_ms += std::int64_t{60} * 86'400'000;
  EXPECT_EQ(sentence(explanation, dataset),
            "because of a and b, from March 2024 to May 2024; brand C");
  explanation.part(PartKind::popularity) = 3.0;
  EXPECT_THAT(sentence(explanation, dataset), HasSubstr("; and of its popularity"));
  explanation.history.clear();
  EXPECT_EQ(sentence(explanation, dataset), "because of its popularity");
}

}  // namespace
}  // namespace penchant::pipeline
