// SPDX-License-Identifier: Apache-2.0
// What the look-up of a report holds: the model's own lists, to the bit; whose they are; how much
// room it takes.
#include "pipeline/report/lookup.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models/blended_scorer.h"
#include "models/linear_filter.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/report/sample.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using nlohmann::json;

constexpr std::int64_t kLookupDim = 12;

kernels::FloatMatrix waves(std::int64_t rows, double pitch, kernels::Backend& backend) {
  kernels::FloatMatrix matrix = backend.matrix<float>(rows, kLookupDim);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < kLookupDim; ++j)
      matrix.view()(i, j) =
          static_cast<float>(std::sin(pitch * static_cast<double>(1 + i * kLookupDim + j) *
                                      (1.0 + 0.01 * static_cast<double>(i))));
  }
  return matrix;
}

Model vector_model(const Dataset& dataset, kernels::Backend& backend,
                   std::shared_ptr<models::Scorer> scorer = nullptr,
                   std::int64_t dim = kLookupDim) {
  Model::Parts parts;
  parts.vectors.layout.embedding_dim = dim;
  if (dim > 0) {
    parts.vectors.users = waves(dataset.num_users(), 0.37, backend);
    parts.vectors.items = waves(dataset.num_items(), 0.73, backend);
  }
  parts.scorer = std::move(scorer);
  parts.name = "test";
  parts.hash = "00";
  return Model(dataset, std::move(parts), backend);
}

std::vector<float> floats_of(const std::string& base64) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : base64) {
    if (c == '=') break;
    group = group << 6 | static_cast<std::uint32_t>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes.push_back(static_cast<std::uint8_t>(group >> (bits -= 8)));
  }
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), 4 * values.size());
  return values;
}

/// "id score" of each, the score by its bits.
std::vector<std::string> page_list(const json& facts, const json& places,
                                   const std::string& scores) {
  std::vector<std::string> list;
  const std::vector<float> values = floats_of(scores);
  EXPECT_EQ(values.size(), places.size());
  for (std::size_t j = 0; j < places.size(); ++j) {
    list.push_back(fmt::format(
        "{} {:08x}", facts["items"]["id"][places[j].get<std::size_t>()].get<std::string>(),
        std::bit_cast<std::uint32_t>(values.at(j))));
  }
  return list;
}
std::vector<std::string> model_list(const Dataset& dataset, const std::vector<ScoredItem>& items) {
  std::vector<std::string> list;
  for (const ScoredItem& item : items) {
    list.push_back(fmt::format("{} {:08x}", dataset.items.raw(item.item),
                               std::bit_cast<std::uint32_t>(item.score)));
  }
  return list;
}

class LookupTest : public penchant::testing::SmallShopTest {
 protected:
  static json facts_of(const Model& model, const LookupOptions& options,
                       const ListOptions& lists = {}) {
    return lookup_facts(model, options, lists, silent_progress());
  }
};

TEST_F(LookupTest, ListsAreTheModelsOwnToTheBit) {
  const Model model = vector_model(dataset(), backend());
  for (const SeenItems seen : {SeenItems::automatic, SeenItems::mask, SeenItems::keep}) {
    const json facts = facts_of(model, {1000, 1000}, {20, seen, Ranking::vectors});
    const json& items = facts["items"];
    ASSERT_EQ(items["known"].size(), graph::at(dataset().num_items()));
    for (std::size_t k = 0; k < items["known"].size(); ++k) {
      const std::string id = items["id"][items["known"][k].get<std::size_t>()];
      EXPECT_EQ(page_list(facts, items["near"][k], items["cosine"][k]),
                model_list(dataset(), model.similar(id, kLookupNeighbours)));
    }
    const json& users = facts["users"];
    ASSERT_EQ(users["id"].size(), graph::at(dataset().num_users()));
    for (std::size_t k = 0; k < users["id"].size(); ++k) {
      const std::string id = users["id"][k];
      EXPECT_EQ(page_list(facts, users["items"][k], users["scores"][k]),
                model_list(dataset(), model.recommend(id, 20, seen, Ranking::vectors)));
    }
    EXPECT_EQ(facts["without_seen"], leaves_out_seen(dataset(), seen));
    EXPECT_EQ(users["score"], "inner product");
  }
}

TEST_F(LookupTest, FullScoreRanksWhereItIsAskedFor) {
  kernels::FloatMatrix users = waves(dataset().num_users(), 0.11, backend());
  kernels::FloatMatrix items = waves(dataset().num_items(), 0.17, backend());
  const Model model =
      vector_model(dataset(), backend(),
                   std::make_shared<models::BlendedScorer>(
                       users.view(), items.view(),
                       std::vector<models::WeightedScorer>{
                           {std::make_shared<models::LinearFilter>(
                                graphs().user_item, models::LinearFilterOptions{}, backend()),
                            0.7F}}));
  const json facts = facts_of(model, {0, 50}, {20, SeenItems::mask, Ranking::full});
  EXPECT_EQ(facts["users"]["score"], "full score");
  EXPECT_EQ(facts["ranking"], "full");
  EXPECT_EQ(facts["seen"], "mask");
  for (std::size_t k = 0; k < 50; ++k) {
    const auto want = model.recommend(facts["users"]["id"][k].get<std::string>(), 20,
                                      SeenItems::mask, Ranking::full);
    const std::vector<float> scores = floats_of(facts["users"]["scores"][k]);
    ASSERT_EQ(scores.size(), want.size());
    for (std::size_t j = 0; j < want.size(); ++j) {
      const auto place = facts["users"]["items"][k][j].get<std::size_t>();
      EXPECT_EQ(facts["items"]["id"][place], dataset().items.raw(want[j].item));
      EXPECT_FLOAT_EQ(scores[j], want[j].score);
    }
  }
}

TEST_F(LookupTest, HistoriesAreWhatRecommendKnows) {
  const Model model = vector_model(dataset(), backend());
  const json facts = facts_of(model, {0, 1000});
  const json& users = facts["users"];
  const auto unit = users["time_unit"].get<std::int64_t>();
  for (std::size_t k = 0; k < users["id"].size(); ++k) {
    const NodeId user = dataset().users.find(users["id"][k].get<std::string>());
    std::vector<NodeId> known = known_items(dataset(), user);
    EXPECT_EQ(users["rows"][k], known.size());
    std::reverse(known.begin(), known.end());
    known.resize(std::min(known.size(), graph::at(kLookupHistory)));
    std::vector<NodeId> had;
    for (const json& place : users["had"][k])
      had.push_back(
          dataset().items.find(facts["items"]["id"][place.get<std::size_t>()].get<std::string>()));
    EXPECT_EQ(had, known);
    // The log has a time for each of a user's items, since repeats are merged.
    std::set<std::pair<NodeId, std::int64_t>> rows;
    for (const graph::Interactions* part :
         {&dataset().split.train.interactions, &dataset().split.validation}) {
      for (std::size_t i = 0; i < part->user.size(); ++i) {
        if (part->user[i] == user) rows.emplace(part->item[i], part->time_ms[i]);
      }
    }
    std::int64_t time = 0;
    for (std::size_t j = 0; j < had.size(); ++j) {
      const auto value = users["time"][k][j].get<std::int64_t>();
      time = j == 0 ? value : time - value;
      EXPECT_TRUE(rows.contains({had[j], time * unit})) << user << ", " << j;
    }
  }
}

TEST_F(LookupTest, MarksWhatTheTestPartHas) {
  const Model model = vector_model(dataset(), backend());
  const json users = facts_of(model, {0, 1000}, {1000})["users"];
  std::int64_t marks = 0;
  for (const json& places : users["later"]) marks += static_cast<std::int64_t>(places.size());
  std::set<std::pair<NodeId, NodeId>> unseen;
  const graph::Interactions& test = dataset().split.test;
  for (std::size_t i = 0; i < test.user.size(); ++i) {
    const std::vector<NodeId> known = known_items(dataset(), test.user[i]);
    if (std::find(known.begin(), known.end(), test.item[i]) == known.end())
      unseen.emplace(test.user[i], test.item[i]);
  }
  EXPECT_EQ(marks, static_cast<std::int64_t>(unseen.size())) << "the lists hold all that is unseen";
}

TEST_F(LookupTest, ASampleIsHalfPopularAndSaysSo) {
  const Model model = vector_model(dataset(), backend());
  const json facts = facts_of(model, {20, 9});
  EXPECT_EQ(facts, facts_of(model, {20, 9}));
  const json& items = facts["items"];
  EXPECT_EQ(items["all"], dataset().num_items());
  EXPECT_EQ(items["shown"], 20);
  EXPECT_EQ(items["frequent"], 10);
  EXPECT_EQ(items["near"].size(), 20U);
  EXPECT_EQ(facts["users"]["all"], dataset().num_users());
  EXPECT_EQ(facts["users"]["shown"], 9);
  EXPECT_EQ(facts["users"]["frequent"], 5);
  std::set<NodeId> shown;
  for (const json& place : items["known"])
    shown.insert(dataset().items.find(items["id"][place.get<std::size_t>()].get<std::string>()));
  EXPECT_EQ(shown.size(), 20U) << "no item twice";
  for (const NodeId item : most_frequent(dataset().item_statistics.count, 10))
    EXPECT_TRUE(shown.contains(item));
  std::set<std::string> named;
  for (const json& id : items["id"]) named.insert(id.get<std::string>());
  EXPECT_EQ(named.size(), items["id"].size()) << "an item is named once";
}

TEST_F(LookupTest, NothingIsThereForNone) {
  const Model model = vector_model(dataset(), backend());
  EXPECT_TRUE(facts_of(model, {0, 0}).is_null());
  EXPECT_FALSE(facts_of(model, {5, 0}).contains("users"));
  EXPECT_EQ(facts_of(model, {0, 5})["items"]["shown"], 0);
}

TEST_F(LookupTest, AModelWithoutVectorsHasNoNeighbours) {
  const Model model =
      vector_model(dataset(), backend(),
                   std::make_shared<models::LinearFilter>(graphs().user_item,
                                                          models::LinearFilterOptions{}, backend()),
                   0);
  const json facts = facts_of(model, {5, 5}, {20, SeenItems::automatic, Ranking::full});
  EXPECT_EQ(facts["items"]["shown"], 5);
  EXPECT_FALSE(facts["items"].contains("near"));
  EXPECT_EQ(facts["items"]["values"].size(), 5U);
  EXPECT_EQ(facts["users"]["items"][0].size(), 20U);
}

TEST_F(LookupTest, StaysWithinItsBytes) {
  const Model model = vector_model(dataset(), backend());
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{900}, std::size_t{12'000}}) {
    const json facts = facts_of(model, {1000, 1000, bytes});
    EXPECT_LE(facts["items"].dump().size() + facts["users"].dump().size(), bytes + 600);
    EXPECT_LT(facts["items"]["shown"], facts["items"]["asked"]);
    EXPECT_LT(facts["users"]["shown"], facts["users"]["asked"]);
    EXPECT_EQ(facts["items"]["shown"].get<std::size_t>() > 0, bytes > 0);
  }
}

using LookupOfTable = penchant::testing::IngestTest;

TEST_F(LookupOfTable, LongIdsLeaveRoomForOthers) {
  std::string log = "user,item,time\n";
  for (int k = 0; k < 400; ++k) {
    const int item = k * 7 % 30;
    log += fmt::format("u{},{}{},{}\n", k % 20, item % 10 == 0 ? std::string(30'000, '<') : "i",
                       item, 1'600'000'000 + 60 * k);
  }
  const Dataset dataset = ingest_text(log);
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const Model model = vector_model(dataset, *backend);
  const json facts = lookup_facts(model, {1000, 0, 400'000}, {}, silent_progress());
  const std::string text = facts.dump();
  EXPECT_LE(text.size() + 5 * graph::at(std::count(text.begin(), text.end(), '<')), 401'000U);
  EXPECT_GT(facts["items"]["shown"], 5);
  EXPECT_LT(facts["items"]["shown"], 30);
}

TEST_F(LookupOfTable, TellsWhatTheDataHave) {
  const Dataset dataset = ingest_text(
      "user,item,time,kind,rating,tags,price,note\n"
      "a,x,2020-01-01 10:00,view,1,red|blue,1.1,Nice <b>\n"
      "a,y,2020-01-02 10:01,buy,3,,,\n"
      "b,x,2020-01-03 00:00,view,1,red|blue,1.1,Nice <b>\n",
      [] {
        IngestOptions options = penchant::testing::everything_in_train();
        options.columns.event = "kind";
        options.event_weights = {{"view", 1.0}, {"buy", 3.0}};
        options.attributes = {penchant::testing::attribute("tags", graph::AttributeKind::list),
                              penchant::testing::attribute("price", graph::AttributeKind::numeric),
                              penchant::testing::attribute("note", graph::AttributeKind::text)};
        options.attributes[0].separator = "|";
        return options;
      }());
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const Model model = vector_model(dataset, *backend);
  const json facts = lookup_facts(model, {10, 10}, {}, silent_progress());
  EXPECT_EQ(facts["attributes"], json({"tags", "price", "note"}));
  EXPECT_EQ(facts["items"]["title"], json({"Nice <b>", ""}));
  EXPECT_EQ(facts["items"]["values"], json({{{0, 1}, 1.1, nullptr}, {nullptr, nullptr, nullptr}}));
  EXPECT_EQ(facts["words"], json({"red", "blue"}));
  EXPECT_EQ(facts["users"]["time_unit"], 60'000);
  EXPECT_EQ(facts["users"]["had"][0].size(), 2U);
  EXPECT_EQ(facts["users"]["time"][0][1], 24 * 60 + 1) << "minutes before the newest";
  EXPECT_EQ(facts["events"][facts["users"]["event"][0][0].get<std::size_t>()], "buy");
  EXPECT_FALSE(facts["users"].contains("weight")) << "it says what the event says";
  EXPECT_FALSE(facts["users"].contains("later")) << "there is no test part";
  EXPECT_EQ(facts["k"], 2) << "there are no more items";
}

TEST_F(LookupOfTable, OfALongHistoryTheLatestRowsAreShown) {
  std::string log = "user,item,time\nb,i0,2019-12-31\n";
  for (int k = 0; k < 60; ++k)
    log += fmt::format("a,i{},2020-{:02}-{:02}\n", k, 1 + k / 28, 1 + k % 28);
  const Dataset dataset = ingest_text(log);
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const json facts = lookup_facts(vector_model(dataset, *backend), {100, 1}, {}, silent_progress());
  const json& users = facts["users"];
  EXPECT_EQ(users["id"], json({"a"}));
  EXPECT_EQ(users["rows"][0], 60);
  ASSERT_EQ(users["had"][0].size(), graph::at(kLookupHistory));
  EXPECT_EQ(facts["items"]["id"][users["had"][0][0].get<std::size_t>()], "i59");
  EXPECT_EQ(users["time_unit"], 86'400'000);
  EXPECT_EQ(users["time"][0][1], 1) << "a day before";
}

TEST_F(LookupOfTable, DataWithoutTimesHaveNone) {
  IngestOptions options = penchant::testing::everything_in_train();
  options.log.files = {write("log.csv", "user,item,rating\na,x,2\na,y,1\nb,x,5\n")};
  options.columns = {"user", "item", "", "", "rating", ""};
  const Dataset dataset = ingest(options);
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  const Model model = vector_model(dataset, *backend);
  const json facts = lookup_facts(model, {10, 10}, {}, silent_progress());
  EXPECT_FALSE(facts["users"].contains("time"));
  EXPECT_FALSE(facts["users"].contains("event"));
  EXPECT_EQ(facts["users"]["weight"][0], json({1.0, 2.0}));

  options.time_format = kOrderOfRows;
  options.columns.weight = "";
  const Dataset ordered = ingest(options);
  const json in_order =
      lookup_facts(vector_model(ordered, *backend), {10, 10}, {}, silent_progress());
  EXPECT_FALSE(in_order["users"].contains("time")) << "positions are no times";
  EXPECT_EQ(in_order["users"]["had"][0].size(), 2U);
}

TEST(FrequentAndDrawn, TakesHalfOfEach) {
  const std::vector<std::int64_t> rows = {5, 0, 9, 1, 9, 2, 3, 0};
  const std::vector<NodeId> five = frequent_and_drawn(rows, 5, 7);
  ASSERT_EQ(five.size(), 5U);
  EXPECT_EQ(five[0], 2);
  EXPECT_EQ(five[2], 4);
  EXPECT_EQ(five[4], 0);
  EXPECT_EQ(std::set<NodeId>(five.begin(), five.end()).size(), 5U);
  EXPECT_EQ(frequent_and_drawn(rows, 8, 7), (std::vector<NodeId>{2, 4, 0, 6, 5, 3, 1, 7}));
  EXPECT_EQ(frequent_and_drawn(rows, 100, 7).size(), 8U);
  EXPECT_TRUE(frequent_and_drawn(rows, 0, 7).empty());
  EXPECT_TRUE(frequent_and_drawn({}, 3, 7).empty());
}

TEST(Shortened, CutsBehindWholeCharacters) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "abc...");
  EXPECT_EQ(shortened("ab\u00e9d", 3), "ab...");
}

}  // namespace
}  // namespace penchant::pipeline
