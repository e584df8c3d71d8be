// SPDX-License-Identifier: Apache-2.0
// Vectors of items: which landmarks they become, what of a file is taken and what is counted or
// refused, and that they stay comparable when items come and go.
#include "pipeline/ingest/item_content.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/artifact/npy_file.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/past_rows.h"
#include "pipeline/ingest/append.h"
#include "pipeline/ingest/forget.h"
#include "pipeline/ingest/item_vectors.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::attribute;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr int kNumItems = 80;
constexpr int kNumGroups = 4;

/// Item i of group i % kNumGroups: near that axis, a little its own.
std::vector<float> vector_of(int item, float length = 1.0F) {
  std::mt19937 random(static_cast<unsigned>(item));
  std::vector<float> numbers(kNumGroups, 0.0F);
  for (float& number : numbers) number = 0.1F * static_cast<float>(random() % 1000) / 1000.0F;
  numbers[static_cast<std::size_t>(item % kNumGroups)] += 1.0F;
  for (float& number : numbers) number *= length;
  return numbers;
}

std::string row_of(const std::string& id, const std::vector<float>& numbers) {
  std::string text = fmt::format("{{\"raw_id\":\"{}\",\"vector\":[", id);
  for (std::size_t d = 0; d < numbers.size(); ++d)
    text += fmt::format("{}{}", d > 0 ? "," : "", numbers[d]);
  return text + "]}\n";
}

class ItemContent : public penchant::testing::IngestTest {
 protected:
  static std::string log_of(int first, int last) {
    std::string log = "user,item,time\n";
    for (int item = first; item < last; ++item)
      log += fmt::format("u{},i{},{}\n", item % 7, item, item + 1);
    return log;
  }
  static std::string vectors_text(int first, int last, float length = 1.0F) {
    std::string text;
    for (int item = first; item < last; ++item)
      text += row_of(fmt::format("i{}", item), vector_of(item, length));
    return text;
  }
  IngestOptions with_vectors(const std::string& text, const std::string& file = "v.jsonl") {
    IngestOptions options = everything_in_train();
    options.vectors = {{.name = "picture", .file = write(file, text)}};
    return options;
  }
  static const graph::Attribute& picture(const Dataset& data) {
    const graph::Attribute* found = data.catalog.find("picture");
    if (found == nullptr) throw std::runtime_error("no attribute 'picture'");
    return *found;
  }
  /// The landmarks of an item by cosine, nearest first, counted here.
  static std::set<std::string> nearest_of(const Dataset& data, const std::vector<float>& numbers) {
    const graph::Attribute& content = picture(data);
    std::vector<std::pair<double, NodeId>> order;
    for (NodeId value = 0; value < static_cast<NodeId>(content.values.size()); ++value) {
      double product = 0.0;
      double squares = 0.0;
      for (std::size_t d = 0; d < numbers.size(); ++d) {
        const double other =
            content.content.landmarks.at(static_cast<std::size_t>(value) * numbers.size() + d);
        product += other * static_cast<double>(numbers[d]);
        squares += other * other;
      }
      order.emplace_back(-product / std::sqrt(squares), value);
    }
    std::sort(order.begin(), order.end());
    std::set<std::string> nearest;
    for (std::size_t k = 0; k < 4 && k < order.size(); ++k)
      nearest.emplace(content.values.raw(order[k].second));
    return nearest;
  }
  static std::set<std::string> values_of(const Dataset& data, const std::string& item) {
    const graph::Attribute& content = picture(data);
    std::set<std::string> values;
    for (const NodeId value : content.item_values.view().row(data.items.find(item)))
      values.emplace(content.values.raw(value));
    return values;
  }
  Lines vector_rejections() const {
    Lines lines;
    for (const auto& reason : report_.vector_rows.rejected)
      lines.push_back(fmt::format("{}: {}", reason.reason, reason.rows));
    return lines;
  }
  Dataset add(const std::string& log, std::vector<VectorSource> vectors,
              const std::string& from = "x.data") {
    IngestOptions later;
    later.columns = {"user", "item", "time", "", "", ""};
    later.split_method = graph::SplitMethod::random_per_user;
    later.test_fraction = later.validation_fraction = 0.0;
    if (!log.empty()) later.log.files = {write("later.csv", log)};
    later.vectors = std::move(vectors);
    appended_ = append(later, at(from), at("y.data"), silent_progress());
    return read_dataset(at("y.data"));
  }

  AppendReport appended_;
};

TEST_F(ItemContent, AnItemHasTheFourLandmarksThatItsVectorIsNearestTo) {
  const Dataset data =
      ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, kNumItems, 3)));
  const graph::Attribute& content = picture(data);
  EXPECT_EQ(content.kind, graph::AttributeKind::list);
  EXPECT_EQ(content.content.width, kNumGroups);
  EXPECT_EQ(content.values.size(), kNumItems / 2);
  for (int item = 0; item < kNumItems; ++item) {
    const std::string name = fmt::format("i{}", item);
    EXPECT_EQ(values_of(data, name), nearest_of(data, vector_of(item))) << name;
    EXPECT_EQ(values_of(data, name).size(), 4U);
  }
  for (std::int64_t value = 0; value < content.values.size(); ++value) {
    double squares = 0.0;
    for (int d = 0; d < kNumGroups; ++d)
      squares +=
          std::pow(content.content.landmarks[static_cast<std::size_t>(value * kNumGroups + d)], 2);
    EXPECT_NEAR(squares, 1.0, 1e-6);
  }
  EXPECT_EQ(report_.vector_rows.kept, kNumItems);
  EXPECT_EQ(manifest("x.data")["provenance"]["inputs"][1]["role"], "vectors");
}

TEST_F(ItemContent, ItemsThatLookAlikeShareValues) {
  const Dataset data = ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, kNumItems)));
  int alike = 0;
  int other = 0;
  for (int a = 0; a < kNumItems; ++a) {
    for (int b = 0; b < a; ++b) {
      std::set<std::string> shared;
      const auto of_a = values_of(data, fmt::format("i{}", a));
      for (const std::string& value : values_of(data, fmt::format("i{}", b))) {
        if (of_a.contains(value)) shared.insert(value);
      }
      if (shared.empty()) continue;
      a % kNumGroups == b % kNumGroups ? ++alike : ++other;
    }
  }
  EXPECT_GT(alike, 0);
  EXPECT_EQ(other, 0);
}

TEST_F(ItemContent, ReadsNumbersAloneBesideTheirIds) {
  std::vector<float> numbers;
  std::string ids;
  for (int item = 0; item < kNumItems; ++item) {
    const auto row = vector_of(item);
    numbers.insert(numbers.end(), row.begin(), row.end());
    ids += fmt::format("i{}\n", item);
  }
  const std::vector<std::int64_t> shape = {kNumItems, kNumGroups};
  std::ofstream file(at("v.npy"), std::ios::binary);
  const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (80, 4), }";
  std::string start("\x93NUMPY\x01\x00", 8);
  const std::size_t size = 128 - 10;
  start += static_cast<char>(size);
  start += '\0';
  file << start << header << std::string(size - header.size() - 1, ' ') << '\n';
  for (const float number : numbers) {
    const double wide = static_cast<double>(number);
    file.write(reinterpret_cast<const char*>(&wide), sizeof(wide));
  }
  file.close();
  IngestOptions options = everything_in_train();
  options.vectors = {{.name = "picture", .file = at("v.npy"), .ids = write("v.ids", ids)}};
  const Dataset doubles = ingest_text(log_of(0, kNumItems), options);
  const auto of_doubles = values_of(doubles, "i7");
  const Dataset lines = ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, kNumItems)));
  EXPECT_EQ(of_doubles, values_of(lines, "i7"));

  options.vectors[0].ids.clear();
  EXPECT_THAT(input_error_of([&] { ingest_text(log_of(0, kNumItems), options); }),
              AllOf(HasSubstr("v.npy"), HasSubstr("raw ids")));
  options.vectors[0].ids = write("few.ids", "i0\ni1\n");
  EXPECT_THAT(input_error_of([&] { ingest_text(log_of(0, kNumItems), options); }),
              AllOf(HasSubstr("few.ids"), HasSubstr("2 ids"), HasSubstr("80 rows")));
}

TEST_F(ItemContent, CountsWhatIsNoVectorOfAnItem) {
  const std::string text = vectors_text(0, 30) + row_of("i30", {0, 0, 0, 0}) +
                           row_of("i3", {1, 1, 1, 1}) + row_of("nobody's", {1, 0, 0, 0});
  const Dataset data = ingest_text(log_of(0, kNumItems), with_vectors(text));
  EXPECT_EQ(report_.vector_rows.read, 33);
  EXPECT_EQ(report_.vector_rows.kept, 30);
  EXPECT_THAT(vector_rejections(),
              UnorderedElementsAre("vector of zeros: 1",
                                   "vector of an item that is not in the catalogue: 1",
                                   "a second vector of an item, the first one kept: 1"));
  EXPECT_TRUE(values_of(data, "i30").empty());
  EXPECT_EQ(values_of(data, "i3"), nearest_of(data, vector_of(3)));
}

TEST_F(ItemContent, RefusesWhatIsNoNumberOrOfAnotherWidth) {
  const auto error_of = [&](const std::string& text) {
    return input_error_of([&] { ingest_text(log_of(0, kNumItems), with_vectors(text)); });
  };
  EXPECT_THAT(error_of(vectors_text(0, 30) + row_of("i31", {1, 2})),
              AllOf(HasSubstr("v.jsonl: row 31"), HasSubstr("2 numbers, expected 4")));
  EXPECT_THAT(error_of("{\"raw_id\":\"i0\",\"vector\":[1,2,1e39,4]}\n"),
              AllOf(HasSubstr("v.jsonl: row 1"), HasSubstr("number 3"), HasSubstr("'i0'"),
                    HasSubstr("finite")));
  EXPECT_THAT(error_of(vectors_text(0, 3)),
              AllOf(HasSubstr("'picture'"), HasSubstr("3 of 80 items"), HasSubstr("at least 4")));
  EXPECT_THAT(error_of(""), HasSubstr("v.jsonl: the file is empty"));
  EXPECT_THAT(error_of(row_of("nobody's", {1, 0, 0, 0})),
              AllOf(HasSubstr("'picture'"), HasSubstr("0 of 80 items")));
  EXPECT_THAT(input_error_of([&] {
                ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, 30), "v.txt"));
              }),
              AllOf(HasSubstr("v.txt"), HasSubstr(".safetensors")));
  EXPECT_FALSE(std::filesystem::exists(at("x.data")));
}

TEST_F(ItemContent, RefusesNumbersThatAreNone) {
  IngestOptions options = everything_in_train();
  std::string bytes(8, '\0');
  bytes[0] = 4;  // rows
  bytes[4] = 2;  // numbers each
  for (int i = 0; i < 8; ++i) {
    const float number = i == 5 ? std::numeric_limits<float>::quiet_NaN() : 1.0F;
    bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }
  options.vectors = {{.name = "picture",
                      .file = write("v.fbin", bytes),
                      .ids = write("v.ids", "i0\ni1\ni2\ni3\n")}};
  EXPECT_THAT(input_error_of([&] { ingest_text(log_of(0, kNumItems), options); }),
              AllOf(HasSubstr("v.fbin: row 3"), HasSubstr("number 2"), HasSubstr("'i2'")));
}

TEST_F(ItemContent, RefusesEntriesThatSayTooLittleOrTooMuch) {
  const auto error_of = [&](auto change) {
    IngestOptions options = with_vectors(vectors_text(0, kNumItems));
    change(options);
    return input_error_of([&] { ingest_text(log_of(0, kNumItems), options); });
  };
  EXPECT_THAT(error_of([](auto& o) { o.vectors[0].name.clear(); }), HasSubstr("no 'name'"));
  EXPECT_THAT(error_of([](auto& o) { o.vectors[0].file.clear(); }),
              AllOf(HasSubstr("'picture'"), HasSubstr("neither")));
  EXPECT_THAT(error_of([](auto& o) { o.vectors[0].text = {"title"}; }), HasSubstr("both"));
  EXPECT_THAT(error_of([](auto& o) { o.vectors.push_back(o.vectors[0]); }),
              HasSubstr("two entries of data.items.vectors are named 'picture'"));
  EXPECT_THAT(error_of([](auto& o) { o.vectors[0].name = "count"; }), HasSubstr("'count'"));
  EXPECT_THAT(error_of([](auto& o) { o.vectors[0].file = "nothing.npy"; }),
              HasSubstr("nothing.npy: no such file"));
  EXPECT_THAT(error_of([](auto& o) {
                o.vectors[0].file.clear();
                o.vectors[0].text = {"title"};
              }),
              AllOf(HasSubstr("'title'"), HasSubstr("no attribute")));
}

class ItemTexts : public ItemContent {
 protected:
  /// Titles of two words of their group and one of their own.
  static std::string title_of(int item) {
    constexpr const char* kWords[] = {"glass lantern", "wooden frame", "cotton bag", "paper chain"};
    return fmt::format("{} no{}", kWords[item % kNumGroups], item);
  }
  static std::string table_of(int first, int last) {
    std::string table = "item,title\n";
    for (int item = first; item < last; ++item)
      table += fmt::format("i{},{}\n", item, title_of(item));
    return table;
  }
  IngestOptions with_titles() {
    IngestOptions options = everything_in_train();
    options.item_table.emplace();
    options.item_table->files = {write("items.csv", table_of(0, kNumItems))};
    options.attributes = {attribute("title", graph::AttributeKind::text)};
    options.vectors = {{.name = "picture", .text = {"title"}}};
    return options;
  }
  static int num_strangers(const Dataset& data, int item) {
    int strangers = 0;
    for (const std::string& value : values_of(data, fmt::format("i{}", item)))
      strangers += std::stoi(value.substr(1)) % kNumGroups != item % kNumGroups ? 1 : 0;
    return strangers;
  }
};

TEST_F(ItemTexts, OfTheSameWordsLieNearEachOther) {
  const Dataset data = ingest_text(log_of(0, kNumItems), with_titles());
  int strangers = 0;
  for (int item = 0; item < kNumItems; ++item) strangers += num_strangers(data, item);
  EXPECT_EQ(strangers, 0);
  EXPECT_THAT(picture(data).content.columns, ::testing::ElementsAre("title"));
}

TEST_F(ItemTexts, OfItemsThatComeLaterFindTheLandmarksThatAreThere) {
  const Dataset before = ingest_text(log_of(0, kNumItems), with_titles());
  IngestOptions later = with_titles();
  later.split_method = graph::SplitMethod::random_per_user;
  later.test_fraction = later.validation_fraction = 0.0;
  later.vectors.clear();
  later.log.files = {write("later.csv", log_of(kNumItems, kNumItems + 8))};
  later.columns = {"user", "item", "time", "", "", ""};
  later.item_table->files = {write("more.csv", table_of(kNumItems, kNumItems + 8))};
  append(later, at("x.data"), at("y.data"), silent_progress());
  const Dataset after = read_dataset(at("y.data"));
  EXPECT_EQ(picture(after).values.size(), picture(before).values.size());
  for (int item = kNumItems; item < kNumItems + 8; ++item) {
    EXPECT_EQ(values_of(after, fmt::format("i{}", item)).size(), 4U);
    EXPECT_EQ(num_strangers(after, item), 0);
  }
  EXPECT_EQ(values_of(after, "i5"), values_of(before, "i5"));
  EXPECT_EQ(picture(after).content.projection, picture(before).content.projection);
}

TEST_F(ItemTexts, WithoutAWordSayNothing) {
  IngestOptions options = with_titles();
  options.item_table->files = {write("items.csv", "item,title\ni0,\ni1,--\ni2,  \n")};
  EXPECT_THAT(input_error_of([&] { ingest_text(log_of(0, kNumItems), options); }),
              AllOf(HasSubstr("'picture'"), HasSubstr("0 of 80 items")));
}

TEST_F(ItemContent, OfNewItemsComeByAFileAndOthersStay) {
  const Dataset before = ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, 78)));
  const auto file = write("more.jsonl", vectors_text(76, kNumItems + 4));
  const Dataset after = add(log_of(kNumItems, kNumItems + 4), {{.name = "picture", .file = file}});
  for (int item : {2, 78, 79, 80, 83})
    EXPECT_EQ(values_of(after, fmt::format("i{}", item)), nearest_of(before, vector_of(item)));
  EXPECT_EQ(appended_.vector_rows.kept, 8);
  EXPECT_THAT(input_error_of([&] {
                add(log_of(kNumItems, kNumItems + 4), {{.name = "sound", .file = file}});
              }),
              AllOf(HasSubstr("'sound'"), HasSubstr("no attribute")));
  const auto wide = write("wide.jsonl", row_of("i80", {1, 2, 3, 4, 5}));
  EXPECT_THAT(input_error_of([&] {
                add(log_of(kNumItems, kNumItems + 4), {{.name = "picture", .file = wide}});
              }),
              AllOf(HasSubstr("wide.jsonl"), HasSubstr("5 numbers, expected 4")));
}

TEST_F(ItemContent, AForgottenItemIsNoLandmarkAnyMore) {
  const Dataset before =
      ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, kNumItems)));
  const std::string gone(picture(before).values.raw(0));
  ForgetOptions forgotten;
  forgotten.items = std::vector<std::string>{gone};
  forget(forgotten, at("x.data"), at("z.data"), silent_progress());
  const Dataset left = read_dataset(at("z.data"));
  EXPECT_EQ(picture(left).values.size(), picture(before).values.size() - 1);
  EXPECT_EQ(picture(left).values.find(gone), graph::kNoNode);
  const auto rows_of_landmarks = [](const Dataset& data) {
    std::map<std::string, std::vector<float>> rows;
    const graph::Attribute& content = picture(data);
    for (std::int64_t value = 0; value < content.values.size(); ++value) {
      const auto first = content.content.landmarks.begin() + value * kNumGroups;
      rows[std::string(content.values.raw(static_cast<NodeId>(value)))] = {first,
                                                                           first + kNumGroups};
    }
    return rows;
  };
  auto expected = rows_of_landmarks(before);
  expected.erase(gone);
  EXPECT_EQ(rows_of_landmarks(left), expected);
  for (int item = 0; item < kNumItems; ++item) {
    auto values = values_of(before, fmt::format("i{}", item));
    if (fmt::format("i{}", item) == gone) continue;
    values.erase(gone);
    EXPECT_EQ(values_of(left, fmt::format("i{}", item)), values);
  }
}

TEST_F(ItemContent, DamageIsSeen) {
  ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, kNumItems)));
  const auto file = at("x.data") / "content0.landmarks.npy";
  ASSERT_TRUE(std::filesystem::exists(file));
  std::string bytes = penchant::testing::read_text(file);
  bytes[bytes.size() - 1] = static_cast<char>(bytes.back() ^ 1);
  penchant::testing::write_text(file, bytes);
  EXPECT_THAT(input_error_of([&] { read_dataset(at("x.data")); }),
              HasSubstr("content0.landmarks.npy"));
}

TEST_F(ItemContent, HubsOfLandmarksAreKnownAsSuchFromAStoredGraphToo) {
  IngestOptions options = with_vectors(vectors_text(0, kNumItems));
  options.item_table.emplace();
  std::string table = "item,kind\n";
  for (int item = 0; item < kNumItems; ++item) table += fmt::format("i{},k{}\n", item, item % 3);
  options.item_table->files = {write("items.csv", table)};
  options.attributes = {attribute("kind")};
  const Dataset data = ingest_text(log_of(0, kNumItems), options);
  for (int time = 0; time < 2; ++time) {
    const Graphs graphs = load_or_build_graphs(at("x.data"), data, {}, silent_progress());
    std::map<std::string, bool> of_vectors;
    for (const graph::Relation& relation : graphs.item.relations)
      of_vectors[relation.name] = relation.of_vectors;
    EXPECT_TRUE(of_vectors.at("picture"));
    EXPECT_FALSE(of_vectors.at("kind"));
  }
}

TEST_F(ItemContent, OfThePastKnowsTheLandmarksOfThen) {
  const Dataset whole = ingest_text(log_of(0, kNumItems), with_vectors(vectors_text(0, kNumItems)));
  const std::int64_t until = 41 * 1000;
  const Delivery delivery = delivery_of(whole, graph::kNoTime + 1, until, 0.2);
  const Dataset then = rows_until(whole, std::vector<Delivery>{delivery}, until + 1).dataset;
  ASSERT_LT(then.num_items(), whole.num_items());
  const graph::Attribute& content = picture(then);
  EXPECT_EQ(static_cast<std::int64_t>(content.content.landmarks.size()),
            content.values.size() * kNumGroups);
  for (std::int64_t value = 0; value < content.values.size(); ++value)
    EXPECT_NE(then.items.find(content.values.raw(static_cast<NodeId>(value))), graph::kNoNode);
}

}  // namespace
}  // namespace penchant::pipeline
