// SPDX-License-Identifier: Apache-2.0
// Lists of many users or items: the same as one by one, whatever ranks them and whatever may be
// listed; files of every format, whole or absent.
#include "pipeline/export/lists.h"

#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/blended_scorer.h"
#include "models/graph_filter.h"
#include "models/linear_filter.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::int64_t kListDim = 20;

/// The list of every owner: items and the bits of their scores.
using Lists = std::map<NodeId, std::vector<std::pair<NodeId, float>>>;

class ManyLists : public penchant::testing::SmallShopTest {
 protected:
  static kernels::FloatMatrix scattered(std::int64_t rows, double pitch) {
    kernels::FloatMatrix matrix = backend().matrix<float>(rows, kListDim);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < kListDim; ++j)
        matrix.view()(i, j) =
            static_cast<float>(std::sin(pitch * static_cast<double>(1 + i * kListDim + j) *
                                        (1.0 + 0.01 * static_cast<double>(i))));
    }
    return matrix;
  }
  Model model(std::shared_ptr<models::Scorer> scorer = nullptr) {
    Model::Parts parts;
    parts.vectors.layout.embedding_dim = kListDim;
    parts.vectors.users = scattered(dataset().num_users(), 0.37);
    parts.vectors.items = scattered(dataset().num_items(), 0.73);
    parts.scorer = std::move(scorer);
    parts.name = "test";
    parts.hash = "00";
    return Model(dataset(), std::move(parts), backend());
  }
  /// Vectors, a linear filter and a filter with a low pass.
  std::shared_ptr<models::Scorer> mixture() {
    const graph::UserItemGraph& graph = graphs().user_item;
    models::FilterOptions options;
    options.kind = models::FilterKind::bspm;
    options.rank = 16;
    auto filter_graph = std::make_shared<models::FilterGraph>(graph.user_items.view(), 16,
                                                              graph::Seed{3}, backend());
    return std::make_shared<models::BlendedScorer>(
        users_.view(), items_.view(),
        std::vector<models::WeightedScorer>{
            {std::make_shared<models::LinearFilter>(graph, models::LinearFilterOptions{},
                                                    backend()),
             0.7F},
            {std::make_shared<models::GraphFilter>(std::move(filter_graph), options, backend()),
             1.3F}});
  }
  static std::vector<NodeId> everyone(std::int64_t size) {
    std::vector<NodeId> ids(static_cast<std::size_t>(size));
    std::iota(ids.begin(), ids.end(), NodeId{0});
    return ids;
  }
  static Lists collect(ListMaker& lists, std::span<const NodeId> owners) {
    Lists all;
    make_lists(
        lists, owners,
        [&](const ListBlock& block) {
          for (std::size_t row = 0; row < block.owners.size(); ++row) {
            auto& list = all[block.owners[row]];
            for (std::int64_t j = 0; j < block.items.cols; ++j) {
              const auto b = static_cast<std::int64_t>(row);
              if (block.items(b, j) == graph::kNoNode) break;
              list.emplace_back(block.items(b, j), block.scores(b, j));
            }
          }
        },
        silent_progress());
    return all;
  }
  static std::vector<std::pair<NodeId, float>> pairs(const std::vector<ScoredItem>& list) {
    std::vector<std::pair<NodeId, float>> all;
    for (const ScoredItem& entry : list) all.emplace_back(entry.item, entry.score);
    return all;
  }
  /// Every user's list as recommend() has it: to the last bit of vectors' scores, and of a filter's
  /// with AVX-512 (models/user_blocks.h).
  void expect_single_lists(const Model& model, const ListOptions& options,
                           const ItemChoice& choice = {}) {
    const auto lists = user_lists(model, options, choice);
    const std::vector<NodeId> users = everyone(dataset().num_users());
    const Lists all = collect(*lists, users);
    ASSERT_EQ(all.size(), users.size());
    for (const NodeId user : users) {
      const auto want = pairs(model.recommend(dataset().users.raw(user), options.k,
                                              options.seen_items, options.ranking, choice));
      const auto& got = all.at(user);
      ASSERT_EQ(got.size(), want.size()) << user;
      for (std::size_t j = 0; j < want.size(); ++j) {
        ASSERT_EQ(got[j].first, want[j].first) << user << ", " << j;
        if (options.ranking == Ranking::vectors)
          ASSERT_EQ(got[j].second, want[j].second) << user << ", " << j;
        else
          ASSERT_FLOAT_EQ(got[j].second, want[j].second) << user << ", " << j;
      }
    }
  }
  std::set<NodeId> seen_by(NodeId user) const {
    const std::vector<NodeId> items = known_items(dataset(), user);
    return {items.begin(), items.end()};
  }

  kernels::FloatMatrix users_ = scattered(dataset().num_users(), 0.11);
  kernels::FloatMatrix items_ = scattered(dataset().num_items(), 0.17);
};

/// Three brands in turn; every fifth item has none.
ItemChoice at_most_of_a_brand(std::int64_t most, std::int64_t num_items) {
  ItemChoice choice;
  ValueLimit limit{"brand", most, {num_items, 3, {0}, {}, {}}};
  for (std::int64_t item = 0; item < num_items; ++item) {
    if (item % 5 != 0) limit.values.columns.push_back(static_cast<NodeId>(item % 3));
    limit.values.offsets.push_back(static_cast<graph::EdgeOffset>(limit.values.columns.size()));
  }
  choice.limits.push_back(std::move(limit));
  return choice;
}

TEST_F(ManyLists, VectorsRankEachUserAsAlone) {
  const Model vectors = model();
  expect_single_lists(vectors, {7, SeenItems::mask, Ranking::vectors});
  expect_single_lists(vectors, {1, SeenItems::keep, Ranking::vectors});
  expect_single_lists(vectors, {dataset().num_items(), SeenItems::mask, Ranking::vectors});
}

TEST_F(ManyLists, AMixtureRanksEachUserAsAlone) {
  const Model mixed = model(mixture());
  expect_single_lists(mixed, {7, SeenItems::mask, Ranking::full});
  expect_single_lists(mixed, {7, SeenItems::mask, Ranking::vectors});
  EXPECT_STREQ(user_lists(mixed, {7, SeenItems::mask, Ranking::full}, {})->score(), "full score");
  EXPECT_STREQ(user_lists(mixed, {7, SeenItems::mask, Ranking::vectors}, {})->score(),
               "inner product");
}

TEST_F(ManyLists, WhatAUserHasIsLeftOut) {
  const Model vectors = model();
  const std::vector<NodeId> users = everyone(dataset().num_users());
  const auto masked = user_lists(vectors, {10, SeenItems::mask}, {});
  const auto kept = user_lists(vectors, {dataset().num_items(), SeenItems::keep}, {});
  const Lists all = collect(*kept, users);
  for (const auto& [user, list] : collect(*masked, users)) {
    const std::set<NodeId> seen = seen_by(user);
    std::vector<std::pair<NodeId, float>> want;
    for (const auto& entry : all.at(user)) {
      if (want.size() < 10 && !seen.contains(entry.first)) want.push_back(entry);
    }
    EXPECT_EQ(list, want) << user;
  }
}

TEST_F(ManyLists, OnlyWhatIsAllowedIsListed) {
  ItemChoice choice;
  choice.allowed.emplace();
  for (std::int64_t item = 1; item < dataset().num_items(); item += 7)
    choice.allowed->push_back(static_cast<NodeId>(item));
  const Model mixed = model(mixture());
  for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
    expect_single_lists(mixed, {5, SeenItems::mask, ranking}, choice);
    const std::vector<NodeId> users = everyone(dataset().num_users());
    const Lists all =
        collect(*user_lists(mixed, {dataset().num_items(), SeenItems::mask, ranking}, {}), users);
    const Lists some = collect(*user_lists(mixed, {5, SeenItems::mask, ranking}, choice), users);
    for (const auto& [user, list] : some) {
      std::vector<std::pair<NodeId, float>> want;
      for (const auto& entry : all.at(user)) {
        if (want.size() < 5 && entry.first % 7 == 1) want.push_back(entry);
      }
      EXPECT_EQ(list, want) << user;
    }
  }
}

TEST_F(ManyLists, AValueComesUpOnlySoOften) {
  const ItemChoice choice = at_most_of_a_brand(1, dataset().num_items());
  const Model mixed = model(mixture());
  const std::vector<NodeId> users = everyone(dataset().num_users());
  for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
    // 10 items need 7 of the fifth without a brand: for many users the first 4 x 10 have fewer.
    expect_single_lists(mixed, {10, SeenItems::keep, ranking}, choice);
    const Lists all =
        collect(*user_lists(mixed, {dataset().num_items(), SeenItems::keep, ranking}, {}), users);
    const Lists limited =
        collect(*user_lists(mixed, {10, SeenItems::keep, ranking}, choice), users);
    for (const auto& [user, list] : limited) {
      std::map<int, int> counts;
      std::vector<std::pair<NodeId, float>> want;
      for (const auto& entry : all.at(user)) {
        const bool counted = entry.first % 5 != 0;
        if (want.size() == 10 || (counted && counts[entry.first % 3] == 1)) continue;
        if (counted) ++counts[entry.first % 3];
        want.push_back(entry);
      }
      EXPECT_EQ(list, want) << user;
    }
  }
}

TEST_F(ManyLists, ListsEndWhereNothingIsLeft) {
  ItemChoice choice;
  choice.allowed = {3, 4, 5};
  const Model vectors = model();
  const std::vector<NodeId> users = everyone(dataset().num_users());
  const auto lists = user_lists(vectors, {5, SeenItems::mask}, choice);
  std::int64_t rows = 0;
  for (const NodeId user : users) {
    const std::set<NodeId> seen = seen_by(user);
    for (const NodeId item : *choice.allowed) rows += seen.contains(item) ? 0 : 1;
  }
  const ListCounts counts = make_lists(
      *lists, users, [](const ListBlock&) {}, silent_progress());
  EXPECT_EQ(counts.lists, dataset().num_users());
  EXPECT_EQ(counts.rows, rows);
  EXPECT_EQ(counts.short_lists, dataset().num_users());
}

TEST_F(ManyLists, SimilarItemsAreThoseOfEachAlone) {
  const Model vectors = model();
  const std::vector<NodeId> items = everyone(dataset().num_items());
  for (const ItemChoice& choice : {ItemChoice{}, at_most_of_a_brand(1, dataset().num_items())}) {
    const Lists all = collect(*similar_lists(vectors, 9, choice), items);
    ASSERT_EQ(all.size(), items.size());
    for (const NodeId item : items) {
      EXPECT_EQ(all.at(item), pairs(vectors.similar(dataset().items.raw(item), 9, choice))) << item;
      for (const auto& entry : all.at(item)) EXPECT_NE(entry.first, item);
    }
  }
  EXPECT_THAT(input_error_of([&] { similar_lists(vectors, dataset().num_items(), {}); }),
              HasSubstr("there are besides this one"));
}

TEST_F(ManyLists, TheOrderAndTheSizeOfABlockDoNotMatter) {
  const Model mixed = model(mixture());
  const std::vector<NodeId> users = {17, 3, 180, 4, 99};
  for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
    const auto lists = user_lists(mixed, {6, SeenItems::mask, ranking}, {});
    const Lists all = collect(*lists, everyone(dataset().num_users()));
    for (const auto& [user, list] : collect(*lists, users)) {
      for (std::size_t j = 0; j < list.size(); ++j) {
        EXPECT_EQ(list[j].first, all.at(user)[j].first);
        EXPECT_FLOAT_EQ(list[j].second, all.at(user)[j].second);
      }
    }
  }
}

class ListFiles : public ManyLists {
 protected:
  /// Two lists of three.
  ListCounts write(const std::string& name, Progress& progress = silent_progress()) {
    const Model vectors = model();
    const auto lists = user_lists(vectors, {3, SeenItems::keep}, {});
    expected_.clear();
    for (const NodeId user : users_asked_) {
      std::int32_t rank = 0;
      for (const ScoredItem& entry :
           vectors.recommend(dataset().users.raw(user), 3, SeenItems::keep)) {
        expected_.push_back({std::string(dataset().users.raw(user)),
                             std::string(dataset().items.raw(entry.item)),
                             fmt::format("{}", entry.score), fmt::format("{}", ++rank)});
      }
    }
    const auto file =
        make_ranked_file(at(name), {"user_id"},
                         {{"penchant.score", "inner product"}, {"penchant.model_hash", "00"}});
    return write_lists(*lists, {dataset().users, users_asked_}, dataset().items, *file, progress);
  }
  std::vector<NodeId> users_asked_ = {5, 2};
  std::vector<std::vector<std::string>> expected_;  ///< rows
};

TEST_F(ListFiles, Csv) {
  const ListCounts counts = write("lists.csv");
  EXPECT_EQ(counts.rows, 6);
  EXPECT_EQ(counts.lists, 2);
  std::string want = "user_id,item_id,score,rank\n";
  for (const auto& row : expected_)
    want += fmt::format("{},{},{},{}\n", row[0], row[1], row[2], row[3]);
  EXPECT_EQ(read_text(at("lists.csv")), want);
}

TEST_F(ListFiles, BlocksFollowOneAnother) {
  users_asked_.clear();
  for (std::int64_t i = 0; i < 1000; ++i)
    users_asked_.push_back(static_cast<NodeId>(i * 37 % dataset().num_users()));
  EXPECT_EQ(write("lists.csv").lists, 1000);
  std::string want = "user_id,item_id,score,rank\n";
  for (const auto& row : expected_)
    want += fmt::format("{},{},{},{}\n", row[0], row[1], row[2], row[3]);
  EXPECT_EQ(read_text(at("lists.csv")), want);
}

TEST_F(ListFiles, JsonLines) {
  write("lists.jsonl");
  std::istringstream lines(read_text(at("lists.jsonl")));
  std::string line;
  std::size_t row = 0;
  for (; std::getline(lines, line); ++row) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    EXPECT_EQ(entry["user_id"], expected_[row][0]);
    EXPECT_EQ(entry["item_id"], expected_[row][1]);
    EXPECT_EQ(fmt::format("{}", entry["score"].get<float>()), expected_[row][2]);
    EXPECT_EQ(fmt::format("{}", entry["rank"].get<int>()), expected_[row][3]);
  }
  EXPECT_EQ(row, expected_.size());
}

TEST_F(ListFiles, Parquet) {
  write("lists.parquet");
  const std::vector<std::string> columns = {"user_id", "item_id", "score", "rank"};
  EXPECT_EQ(table_columns(at("lists.parquet"), {}), columns);
  TableReader reader(at("lists.parquet"), {}, columns);
  TextBatch batch;
  std::size_t row = 0;
  while (reader.next(batch)) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(batch.num_rows); ++i, ++row) {
      EXPECT_EQ(batch.columns[0][i], expected_[row][0]);
      EXPECT_EQ(batch.columns[1][i], expected_[row][1]);
      EXPECT_EQ(std::stof(std::string(batch.columns[2][i])), std::stof(expected_[row][2]));
      EXPECT_EQ(batch.columns[3][i], expected_[row][3]);
    }
  }
  EXPECT_EQ(row, expected_.size());
  EXPECT_THAT(read_text(at("lists.parquet")), HasSubstr("penchant.model_hash"));
}

TEST_F(ListFiles, Arrow) {
  write("lists.arrow");
  const std::string bytes = read_text(at("lists.arrow"));
  EXPECT_TRUE(bytes.starts_with("ARROW1"));
  EXPECT_TRUE(bytes.ends_with("ARROW1"));
  EXPECT_THAT(bytes, AllOf(HasSubstr("item_id"), HasSubstr("penchant.model_hash"),
                           HasSubstr(std::string(dataset().users.raw(5)))));
}

TEST_F(ListFiles, NothingStaysOfAFileThatIsNotFinished) {
  for (const char* name : {"a.csv", "a.jsonl", "a.parquet", "a.arrow"}) {
    penchant::testing::StopAfterUpdates stopped(1);
    EXPECT_THROW(write(name, stopped), Interrupted) << name;
  }
  EXPECT_TRUE(std::filesystem::is_empty(at("")));
  EXPECT_THAT(input_error_of([&] { write("lists.xlsx"); }),
              AllOf(HasSubstr("lists.xlsx"), HasSubstr(".parquet, .arrow, .csv or .jsonl")));
}

}  // namespace
}  // namespace penchant::pipeline
