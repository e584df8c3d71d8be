// SPDX-License-Identifier: Apache-2.0
// --verify: what embed wrote agrees in every format and order of rows; a changed number, a lost, an
// extra, a doubled and a swapped id do not.
#include "pipeline/export/verify.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "pipeline/model/model.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::read_text;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Verify : public penchant::testing::SmallShopTest {
 protected:
  static constexpr std::int64_t kWidth = 5;

  /// `step`: numbers are multiples of it, plus the item's or user's own.
  Model made(float step = 0.037F) {
    Model::Parts model;
    model.vectors.users = backend().matrix<float>(dataset().num_users(), kWidth);
    model.vectors.items = backend().matrix<float>(dataset().num_items(), kWidth);
    model.vectors.layout.embedding_dim = kWidth;
    std::uint32_t state = 1;
    for (auto* matrix : {&model.vectors.items, &model.vectors.users}) {
      for (std::int64_t i = 0; i < matrix->rows(); ++i) {
        for (std::int64_t j = 0; j < kWidth; ++j) {
          state = state * 1664525U + 1013904223U;
          matrix->view()(i, j) = step * (static_cast<float>(state >> 20) - 2048.0F);
        }
      }
    }
    model.hash = "00";
    model.name = "test";
    return Model(dataset(), std::move(model), backend());
  }
  void embed_as(const Model& model, std::vector<EmbeddingFormat> formats,
                EmbeddingType type = EmbeddingType::float32) {
    embed(model, {.formats = std::move(formats), .type = type}, at("e"), silent_progress());
  }
  VerifyReport verify(const Model& model, const std::string& folder = "e") {
    return verify_vectors(model, at(folder), {}, silent_progress());
  }
  Lines lines_of(const std::string& file) const {
    Lines lines;
    std::istringstream text(read_text(at(file)));
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  void write_lines(const std::string& file, const Lines& lines) const {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    write_text(at(file), text);
  }
};

std::vector<EmbeddingFormat> all_formats() {
  std::vector<EmbeddingFormat> formats;
  for (const auto& [format, name] : enum_words(EmbeddingFormat{})) formats.push_back(format);
  return formats;
}

TEST_F(Verify, EveryFormatAgreesExactly) {
  const Model model = made();
  embed_as(model, all_formats());
  const VerifyReport report = verify(model);
  ASSERT_EQ(report.formats.size(), 9U);
  EXPECT_EQ(report.num_users, std::min<std::int64_t>(200, dataset().num_users()));
  EXPECT_EQ(report.k, 20);
  EXPECT_THAT(report.problems(), IsEmpty());
  for (const CheckedFormat& format : report.formats) {
    SCOPED_TRACE(enum_name(format.format));
    EXPECT_EQ(format.type, EmbeddingType::float32);
    EXPECT_EQ(format.share, 1.0);
    ASSERT_EQ(format.files.size(), 2U);
    EXPECT_EQ(format.files[0].rows, dataset().num_items());
    EXPECT_EQ(format.files[1].rows, dataset().num_users());
    EXPECT_EQ(format.files[0].largest_difference, 0.0);
  }
}

TEST_F(Verify, HalvesAgreeByTheirRoundedNumbersAndTheirRankings) {
  const Model model = made();
  embed_as(model, all_formats(), EmbeddingType::float16);
  const VerifyReport report = verify(model);
  ASSERT_EQ(report.formats.size(), 9U);
  EXPECT_THAT(report.problems(), IsEmpty());
  for (const CheckedFormat& format : report.formats) {
    EXPECT_EQ(format.type, EmbeddingType::float16) << enum_name(format.format);
    EXPECT_GT(format.files[0].largest_difference, 0.0);
    EXPECT_LT(format.files[0].largest_difference, 0.037);
    EXPECT_GE(*format.share, kLeastHalfShare);
  }
}

TEST_F(Verify, TheOrderOfRowsDoesNotMatter) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::jsonl});
  for (const char* file : {"e/items.jsonl", "e/users.jsonl"}) {
    Lines lines = lines_of(file);
    std::reverse(lines.begin(), lines.end());
    write_lines(file, lines);
  }
  EXPECT_THAT(verify(model).problems(), IsEmpty());
}

TEST_F(Verify, AChangedNumberIsFoundInEveryText) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::jsonl});
  Lines lines = lines_of("e/items.jsonl");
  json row = json::parse(lines[6]);
  const float before = model.items()(6, 2);
  row["vector"][2] = std::nextafter(before, 1e9F);  // the least change that there is
  lines[6] = row.dump();
  write_lines("e/items.jsonl", lines);
  const VerifyReport report = verify(model);
  ASSERT_EQ(report.problems().size(), 1U);
  EXPECT_THAT(
      report.problems().front(),
      AllOf(HasSubstr("items.jsonl: 1 number is not the model's"), HasSubstr("row 7, id "),
            HasSubstr("'" + std::string(dataset().items.raw(6)) + "'"), HasSubstr("number 3 is ")));
  EXPECT_EQ(report.formats[0].files[0].differing, 1);
  EXPECT_EQ(report.formats[0].files[0].largest_difference,
            static_cast<double>(std::nextafter(before, 1e9F)) - static_cast<double>(before));
  EXPECT_THAT(verify_failure(report, "e"), HasSubstr("e: not the model's vectors: items.jsonl"));
}

TEST_F(Verify, ABitOfAMatrixIsFound) {
  const Model model = made();
  for (const EmbeddingType type : {EmbeddingType::float32, EmbeddingType::float16}) {
    const std::int64_t size = type == EmbeddingType::float32 ? 4 : 2;
    embed_as(model, {EmbeddingFormat::npy, EmbeddingFormat::fbin}, type);
    std::string bytes = read_text(at("e/users.npy"));
    const auto row = static_cast<std::size_t>(dataset().num_users() - 1);
    char& byte = bytes[bytes.size() - static_cast<std::size_t>(size * kWidth)];  // of the last row
    byte = static_cast<char>(byte ^ 1);
    write_text(at("e/users.npy"), bytes);
    const VerifyReport report = verify(model);
    ASSERT_EQ(report.problems().size(), 1U) << report.problems().back();
    EXPECT_THAT(report.problems().front(),
                AllOf(HasSubstr("users.npy: 1 number is not the model's"),
                      HasSubstr("row " + std::to_string(row + 1)), HasSubstr("number 1 is")));
    EXPECT_THAT(report.formats[1].problems, IsEmpty()) << "fbin is as it was";
  }
}

TEST_F(Verify, LostExtraAndDoubledRowsAreFound) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::csv});
  const Lines whole = lines_of("e/items.csv");
  const auto problem_of = [&](const Lines& lines) {
    write_lines("e/items.csv", lines);
    const auto problems = verify(model).problems();
    return problems.empty() ? std::string("none") : problems.front();
  };
  EXPECT_EQ(problem_of(whole), "none");
  const std::string fourth(dataset().items.raw(3));
  Lines lines = whole;
  lines.erase(lines.begin() + 4);
  EXPECT_EQ(problem_of(lines), "items.csv: 1 id is missing, such as '" + fourth + "'");
  lines = whole;
  lines.push_back("lamp,\"[1,2,3,4,5]\"");
  EXPECT_EQ(problem_of(lines), "items.csv: 1 id is not the model's, such as 'lamp' in row " +
                                   std::to_string(dataset().num_items() + 1));
  lines = whole;
  lines.push_back(whole[4]);
  EXPECT_EQ(problem_of(lines), "items.csv: 1 row is of an id that stands before, such as '" +
                                   fourth + "' in rows 4 and " +
                                   std::to_string(dataset().num_items() + 1));
  lines = whole;
  lines[4] += "x";
  EXPECT_THAT(problem_of(lines), HasSubstr("items.csv"));
}

TEST_F(Verify, SwappedIdsAreFoundAlsoByTheirRanking) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::npy});
  Lines ids = lines_of("e/items.ids.jsonl");
  std::reverse(ids.begin(), ids.end());
  write_lines("e/items.ids.jsonl", ids);
  const VerifyReport report = verify(model);
  ASSERT_EQ(report.problems().size(), 2U);
  EXPECT_THAT(report.problems()[0], HasSubstr("numbers are not the model's"));
  EXPECT_THAT(report.problems()[1], HasSubstr("npy: 0."));
  EXPECT_LT(*report.formats[0].share, 0.9);
  EXPECT_EQ(report.formats[0].files[0].missing, 0);
}

TEST_F(Verify, OneFileOfAFormatIsEnoughUnlessTheManifestNamesMore) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::parquet, EmbeddingFormat::arrow});
  fs::create_directory(at("back"));
  fs::copy_file(at("e/items.parquet"), at("back/items.parquet"));
  fs::copy_file(at("e/users.arrow"), at("back/users.arrow"));
  const VerifyReport report = verify(model, "back");
  ASSERT_EQ(report.formats.size(), 2U);
  EXPECT_THAT(report.problems(), IsEmpty());
  EXPECT_EQ(report.formats[0].files.size(), 1U);
  fs::remove(at("e/users.parquet"));
  EXPECT_THAT(verify(model).problems(),
              ElementsAre("users.parquet: the manifest names it, and it is not there"));
}

TEST_F(Verify, AFileThatCannotBeReadIsAProblemOfItsFormatAlone) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::npy, EmbeddingFormat::parquet});
  write_text(at("e/items.parquet"), read_text(at("e/items.parquet")).substr(0, 300));
  const VerifyReport report = verify(model);
  ASSERT_EQ(report.formats.size(), 2U);
  EXPECT_THAT(report.formats[0].problems, IsEmpty());
  ASSERT_EQ(report.formats[1].problems.size(), 1U);
  EXPECT_THAT(report.formats[1].problems.front(), HasSubstr("items.parquet"));
  EXPECT_FALSE(report.formats[1].share.has_value());
  EXPECT_EQ(verify_json(report)["formats"][1]["top_share"], nullptr);
}

TEST_F(Verify, AnotherModelIsSaidToBeOne) {
  const Model model = made();
  embed_as(model, {EmbeddingFormat::npy});
  Model::Parts other;
  other.vectors.users = backend().matrix<float>(dataset().num_users(), kWidth);
  other.vectors.items = backend().matrix<float>(dataset().num_items(), kWidth);
  other.vectors.layout.embedding_dim = kWidth;
  for (std::int64_t i = 0; i < dataset().num_users(); ++i)
    std::fill_n(&other.vectors.users.view()(i, 0), kWidth, 1.0F);
  for (std::int64_t i = 0; i < dataset().num_items(); ++i)
    std::fill_n(&other.vectors.items.view()(i, 0), kWidth, 1.0F);
  other.hash = "11";
  const VerifyReport report = verify(Model(dataset(), std::move(other), backend()));
  EXPECT_EQ(report.num_tied_users, report.num_users) << "every item has one score";
  EXPECT_THAT(report.problems().front(), HasSubstr("of another model (hash 00, not 11)"));
  EXPECT_THAT(verify_text(report), HasSubstr("have one score at ranks 20 and 21"));
}

TEST_F(Verify, WhatIsNothingToCheckIsRefused) {
  const Model model = made();
  EXPECT_THAT(input_error_of([&] { verify(model, "nowhere"); }), HasSubstr("no such folder"));
  fs::create_directory(at("empty"));
  EXPECT_THAT(input_error_of([&] { verify(model, "empty"); }), HasSubstr("nothing to check"));
  EXPECT_THAT(
      input_error_of([&] { verify_vectors(model, at("empty"), {.sample = 0}, silent_progress()); }),
      HasSubstr("--sample is 0"));
}

TEST_F(Verify, TheManifestAccountsForEveryFile) {
  embed_as(made(), {EmbeddingFormat::fbin, EmbeddingFormat::csv}, EmbeddingType::float16);
  const json manifest = json::parse(read_text(at("e/manifest.json")));
  EXPECT_EQ(manifest["metric"], "inner_product");
  ASSERT_EQ(manifest["contents"].size(), 4U);
  EXPECT_EQ(manifest["contents"][0], (json{{"file", "items.hbin"},
                                           {"entity", "items"},
                                           {"format", "fbin"},
                                           {"metric", "inner_product"},
                                           {"dtype", "float16"},
                                           {"shape", {dataset().num_items(), kWidth}},
                                           {"ids", "items.ids.jsonl"}}));
  EXPECT_FALSE(manifest["contents"][1].contains("ids")) << "csv has them itself";
  EXPECT_EQ(manifest["files"].size(), 6U);
}

}  // namespace
}  // namespace penchant::pipeline
