// SPDX-License-Identifier: Apache-2.0
// What leaves the program: .npy and .parquet vectors with their raw ids, float16 rounding,
// recommendations and neighbours.
#include "pipeline/export/embed.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/model/model.h"
#include "pipeline/tables/tables.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::read_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A .npy file as its documentation (numpy.lib.format, version 1.0) says it is to be read.
struct Npy {
  std::string header;
  std::string data;

  explicit Npy(const std::filesystem::path& path) {
    const std::string bytes = read_text(path);
    EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
    const std::size_t size =
        static_cast<unsigned char>(bytes.at(8)) + 256U * static_cast<unsigned char>(bytes.at(9));
    EXPECT_EQ((10 + size) % 64, 0U);
    header = bytes.substr(10, size);
    EXPECT_EQ(header.back(), '\n');
    data = bytes.substr(10 + size);
  }
  template <typename T>
  std::vector<T> values() const {
    std::vector<T> result(data.size() / sizeof(T));
    std::memcpy(result.data(), data.data(), result.size() * sizeof(T));
    return result;
  }
};

Lines ids_in(const std::filesystem::path& path) {
  Lines ids;
  std::istringstream lines(read_text(path));
  for (std::string line; std::getline(lines, line);)
    ids.push_back(json::parse(line).get<std::string>());
  return ids;
}

double decode_half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  return sign *
         (exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15));
}

/// `bits` is the half nearest to `value`, the even one of two that are equally near.
void expect_nearest_half(std::uint16_t bits, float value) {
  SCOPED_TRACE(value);
  if (std::abs(value) >= 65520.0F) {
    EXPECT_EQ(decode_half(bits), std::copysign(HUGE_VAL, value));
    return;
  }
  const double error = std::abs(decode_half(bits) - static_cast<double>(value));
  EXPECT_EQ(std::signbit(decode_half(bits)), std::signbit(value));
  const std::uint16_t magnitude = bits & 0x7FFF;
  for (const int step : {-1, 1}) {
    const int neighbour = magnitude + step;
    if (neighbour < 0 || neighbour >= 0x7C00) continue;
    const double other = std::abs(decode_half(static_cast<std::uint16_t>(neighbour)) -
                                  std::abs(static_cast<double>(value)));
    EXPECT_LE(error, other);
    if (error < other) continue;
    EXPECT_EQ(bits & 1, 0) << "a tie goes to the even one";
  }
}

class Embed : public penchant::testing::SmallShopTest {
 protected:
  /// A model of given vectors, repeated over the rows.
  Model made_of(const std::vector<float>& values, std::int64_t width) {
    Model::Parts model;
    model.vectors.users = backend().matrix<float>(dataset().num_users(), width);
    model.vectors.items = backend().matrix<float>(dataset().num_items(), width);
    model.vectors.layout.embedding_dim = width;
    std::size_t next = 0;
    for (auto* matrix : {&model.vectors.items, &model.vectors.users}) {
      for (std::int64_t i = 0; i < matrix->rows(); ++i) {
        for (std::int64_t j = 0; j < width; ++j)
          matrix->view()(i, j) = values[next++ % values.size()];
      }
    }
    model.hash = "00";
    model.name = "test";
    return Model(dataset(), std::move(model), backend());
  }
  Model trained() {
    TrainOptions options = recipe();
    options.epochs = 1;
    train(options, "m");
    return Model::open(at("m"), dataset(), backend());
  }
  void embed_as(const Model& model, const EmbedOptions& options) {
    embed(model, options, at("e"), silent_progress());
  }
};

TEST_F(Embed, NpyHoldsEveryVectorInTheOrderOfTheIds) {
  const Model model = trained();
  embed_as(model, {});
  for (const auto& [name, matrix, dictionary] :
       {std::tuple("items", model.items(), &dataset().items),
        std::tuple("users", model.users(), &dataset().users)}) {
    const Npy npy(at("e") / (std::string(name) + ".npy"));
    EXPECT_THAT(npy.header, AllOf(HasSubstr("'descr': '<f4'"), HasSubstr("'fortran_order': False"),
                                  HasSubstr("'shape': (" + std::to_string(matrix.rows) + "," +
                                            std::to_string(matrix.cols) + ")")));
    const std::vector<float> values = npy.values<float>();
    ASSERT_EQ(static_cast<std::int64_t>(values.size()), matrix.rows * matrix.cols);
    for (std::size_t k = 0; k < values.size(); ++k) {
      const auto place = static_cast<std::int64_t>(k);
      ASSERT_EQ(values[k], matrix(place / matrix.cols, place % matrix.cols));
    }
    const Lines ids = ids_in(at("e") / (std::string(name) + ".ids.jsonl"));
    ASSERT_EQ(static_cast<std::int64_t>(ids.size()), dictionary->size());
    for (std::size_t id = 0; id < ids.size(); ++id)
      EXPECT_EQ(ids[id], dictionary->raw(static_cast<graph::NodeId>(id)));
  }
  const json manifest = json::parse(read_text(at("e") / "manifest.json"));
  EXPECT_EQ(manifest["data_hash"], dataset().hash);
  EXPECT_EQ(manifest["model_hash"], model.hash());
  EXPECT_EQ(manifest["files"].size(), 4U);
}

TEST_F(Embed, HalvesAreRoundedToNearestEven) {
  std::vector<float> values = {0.0F,
                               -0.0F,
                               1.0F,
                               -1.0F,
                               65504.0F,
                               65519.0F,
                               65520.0F,
                               -1e6F,
                               6.1035e-5F,
                               6.0976e-5F,
                               5.96e-8F,
                               2.98e-8F,
                               2.981e-8F,
                               8.94e-8F,
                               1e-10F,
                               -3e-8F,
                               1.0F + 0x1p-11F,
                               1.0F + 3 * 0x1p-11F,
                               2047.5F,
                               2048.5F,
                               0.1F,
                               1e-3F,
                               1e-5F};
  std::uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {  // every exponent that halves have, and some beyond
    state = state * 1664525U + 1013904223U;
    values.push_back(std::ldexp(static_cast<float>(state >> 8), -24 + i % 45 - 27) *
                     (i % 2 == 0 ? 1.0F : -1.0F));
  }
  const Model model = made_of(values, 16);
  EmbedOptions options;
  options.type = EmbeddingType::float16;
  embed_as(model, options);
  const Npy npy(at("e") / "items.npy");
  EXPECT_THAT(npy.header, HasSubstr("'descr': '<f2'"));
  const std::vector<std::uint16_t> halves = npy.values<std::uint16_t>();
  ASSERT_EQ(static_cast<std::int64_t>(halves.size()), dataset().num_items() * 16);
  for (std::size_t k = 0; k < halves.size(); ++k)
    expect_nearest_half(halves[k], values[k % values.size()]);
  const std::vector<std::uint16_t> more = Npy(at("e") / "users.npy").values<std::uint16_t>();
  for (std::size_t k = 0; k < more.size(); ++k)
    expect_nearest_half(more[k], values[(halves.size() + k) % values.size()]);
}

TEST_F(Embed, ParquetHoldsTheIds) {
  EmbedOptions options;
  options.formats = {EmbeddingFormat::parquet};
  embed_as(trained(), options);
  EXPECT_FALSE(std::filesystem::exists(at("e") / "items.npy"));
  EXPECT_THAT(table_columns(at("e") / "items.parquet", {}), ElementsAre("raw_id", "vector"));
  const std::vector<std::string> wanted = {"raw_id"};
  TableReader reader(at("e") / "items.parquet", {}, wanted);
  TextBatch batch;
  std::int64_t row = 0;
  while (reader.next(batch)) {
    for (const std::string_view id : batch.columns[0])
      EXPECT_EQ(id, dataset().items.raw(static_cast<graph::NodeId>(row++)));
  }
  EXPECT_EQ(row, dataset().num_items());
}

TEST_F(Embed, NoFormatIsRefused) {
  EXPECT_THAT(input_error_of([&] { embed_as(made_of({1.0F}, 2), {.formats = {}}); }),
              HasSubstr("no format chosen"));
  EXPECT_FALSE(std::filesystem::exists(at("e") / "manifest.json"));
}

TEST_F(Embed, ItemsNeverSoldHaveAVectorFromTheirAttributes) {
  const Model model = trained();
  int unsold = 0;
  for (graph::NodeId item = 0; item < dataset().num_items(); ++item) {
    double square = 0;
    for (std::int64_t j = 0; j < model.items().cols; ++j) {
      ASSERT_TRUE(std::isfinite(model.items()(item, j))) << dataset().items.raw(item);
      square += std::pow(static_cast<double>(model.items()(item, j)), 2);
    }
    const bool sold = dataset().item_statistics.count[static_cast<std::size_t>(item)] > 0;
    unsold += sold ? 0 : 1;
    if (dataset().items.raw(item) == "plain")
      continue;  // no row and no attribute: there is nothing to go by
    EXPECT_NEAR(square, 1.0, 1e-4) << dataset().items.raw(item) << (sold ? "" : ", never sold");
  }
  EXPECT_GT(unsold, 3) << "the shop must have items that nobody bought";
}

TEST_F(Embed, AnUnsoldItemIsNearItsOwnCategory) {
  const Model model = trained();
  const graph::Attribute& category = *dataset().catalog.find("category");
  for (graph::NodeId item = 0; item < dataset().num_items(); ++item) {
    const auto values = category.item_values.view().row(item);
    if (dataset().item_statistics.count[static_cast<std::size_t>(item)] > 0 || values.empty())
      continue;
    const auto near = model.similar(dataset().items.raw(item), 1);
    EXPECT_EQ(category.item_values.view().row(near.at(0).item)[0], values[0])
        << dataset().items.raw(item);
  }
}

TEST_F(Embed, RecommendEqualsBruteForce) {
  std::vector<float> values;
  for (int i = 0; i < 997; ++i)
    values.push_back(static_cast<float>(i * 31 % 7 - 3));  // ties are frequent
  const Model model = made_of(values, 3);
  for (const graph::NodeId user : {0, 5, 77}) {
    std::vector<bool> seen(static_cast<std::size_t>(dataset().num_items()), false);
    for (const auto* part : {&dataset().split.train.interactions, &dataset().split.validation}) {
      for (std::size_t row = 0; row < part->user.size(); ++row) {
        if (part->user[row] == user) seen[static_cast<std::size_t>(part->item[row])] = true;
      }
    }
    std::vector<std::pair<float, graph::NodeId>> order;
    for (graph::NodeId item = 0; item < dataset().num_items(); ++item) {
      if (seen[static_cast<std::size_t>(item)]) continue;
      float score = 0;
      for (std::int64_t j = 0; j < 3; ++j) score += model.users()(user, j) * model.items()(item, j);
      order.emplace_back(-score, item);
    }
    std::sort(order.begin(), order.end());
    const auto got = model.recommend(dataset().users.raw(user), 10);
    ASSERT_EQ(got.size(), 10U);
    for (std::size_t k = 0; k < got.size(); ++k) {
      EXPECT_EQ(got[k].item, order[k].second) << "rank " << k + 1;
      EXPECT_EQ(got[k].score, -order[k].first);
    }
    EXPECT_EQ(model.recommend(dataset().users.raw(user), dataset().num_items()).size(),
              order.size())
        << "fewer than k where fewer are left";
  }
}

TEST_F(Embed, SimilarIsByCosineWithoutTheItemItself) {
  std::vector<float> values;
  for (int i = 0; i < 499; ++i) values.push_back(static_cast<float>(i * i % 23) + 0.5F);
  const Model model = made_of(values, 4);
  const auto cosine = [&](graph::NodeId a, graph::NodeId b) {
    double dot = 0;
    double square_a = 0;
    double square_b = 0;
    for (std::int64_t j = 0; j < 4; ++j) {
      const double x = static_cast<double>(model.items()(a, j));
      const double y = static_cast<double>(model.items()(b, j));
      dot += x * y;
      square_a += x * x;
      square_b += y * y;
    }
    return dot / std::sqrt(square_a * square_b);
  };
  const graph::NodeId item = 11;
  const auto got = model.similar(dataset().items.raw(item), 15);
  ASSERT_EQ(got.size(), 15U);
  std::vector<double> all;
  for (graph::NodeId other = 0; other < dataset().num_items(); ++other) {
    if (other != item) all.push_back(cosine(item, other));
  }
  std::sort(all.rbegin(), all.rend());
  for (std::size_t k = 0; k < got.size(); ++k) {
    EXPECT_NE(got[k].item, item);
    EXPECT_NEAR(static_cast<double>(got[k].score), cosine(item, got[k].item), 1e-5);
    EXPECT_NEAR(static_cast<double>(got[k].score), all[k], 1e-5) << "rank " << k + 1;
  }
}

TEST_F(Embed, LookUpsRefuseWhatIsNotThere) {
  const Model model = made_of({1.0F, 2.0F}, 2);
  EXPECT_THAT(input_error_of([&] { model.recommend("u1", 0); }), HasSubstr("k is 0"));
  EXPECT_THAT(input_error_of([&] { model.recommend("u1", dataset().num_items() + 1); }),
              HasSubstr("91 items"));
  EXPECT_THAT(input_error_of([&] { model.recommend("U1", 1); }),
              AllOf(HasSubstr("unknown user 'U1'"), HasSubstr("did you mean")));
  EXPECT_THAT(input_error_of([&] { model.similar("i1", dataset().num_items()); }),
              HasSubstr("90 items"));
  EXPECT_THAT(input_error_of([&] { model.similar("lamp", 1); }), HasSubstr("unknown item 'lamp'"));
}

}  // namespace
}  // namespace penchant::pipeline
