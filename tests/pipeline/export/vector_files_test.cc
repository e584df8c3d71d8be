// SPDX-License-Identifier: Apache-2.0
// Each format of the embeddings, byte by byte or parsed anew, with ids that text formats trip over.
#include "pipeline/export/vector_files.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/interrupt.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::StopAfterUpdates;
using penchant::testing::TemporaryFolder;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::vector<std::string> kOddIds = {"plain",
                                          "a,b",
                                          "say \"hi\"",
                                          "\"",
                                          "tab\there",
                                          "line\nbreak",
                                          "carriage\rreturn",
                                          "both\r\n",
                                          "back\\slash",
                                          "\\N",
                                          "\\.",
                                          "\\",
                                          "",
                                          " ",
                                          " padded ",
                                          "NULL",
                                          "nan",
                                          "null",
                                          "007",
                                          "1e5",
                                          "{1,2}",
                                          "[3]",
                                          "na\xC3\xAFve \xE2\x98\x83",
                                          "\xF0\x9F\x8E\x81",
                                          "'quoted'",
                                          "raw_id",
                                          "\x01\x1F",
                                          "semi;colon",
                                          "# comment"};
constexpr std::int64_t kCols = 3;

class VectorFiles : public ::testing::Test {
 protected:
  VectorFiles() {
    for (const std::string& id : kOddIds) ids_.intern(id);
    std::uint32_t state = 7;
    for (std::int64_t i = 0; i < ids_.size() * kCols; ++i) {
      state = state * 1664525U + 1013904223U;
      values_.push_back(
          std::ldexp(static_cast<float>(state >> 8) - 8388608.0F, static_cast<int>(i % 40) - 43));
    }
    const std::vector<float> chosen = {1.0F,   -0.0F, 0.1F,        0.0F,        3.4028235e38F,
                                       1e-45F, 1e-5F, 0.33333334F, -16777216.0F};
    std::copy(chosen.begin(), chosen.end(), values_.begin());
  }
  NamedVectors named(EmbeddingType type = EmbeddingType::float32) const {
    return {"items",
            ids_,
            {values_.data(), ids_.size(), kCols, kCols, kernels::Device::cpu},
            type,
            {{"penchant.metric", "inner_product"}, {"penchant.model", "it's \"mine\""}}};
  }
  fs::path write(EmbeddingFormat format, const NamedVectors& vectors) {
    const fs::path path = folder_.path() / vector_file_name("items", format, vectors.type);
    write_vectors(path, format, vectors, silent_progress());
    if (has_ids_beside(format)) write_ids(folder_.path() / ids_file_name("items"), ids_);
    return path;
  }
  fs::path write(EmbeddingFormat format) { return write(format, named()); }
  /// What the reader gives, as one block.
  VectorBlock read(EmbeddingFormat format, std::int64_t cols = kCols) {
    const auto reader = open_vectors(folder_.path(), "items", format, cols);
    VectorBlock all, block;
    while (reader->next(block)) {
      all.ids.insert(all.ids.end(), block.ids.begin(), block.ids.end());
      all.numbers.insert(all.numbers.end(), block.numbers.begin(), block.numbers.end());
    }
    return all;
  }
  std::string bytes_of_values() const {
    return {reinterpret_cast<const char*>(values_.data()), values_.size() * sizeof(float)};
  }

  TemporaryFolder folder_;
  graph::Dictionary ids_;
  std::vector<float> values_;
};

std::uint32_t word_at(const std::string& bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t k = 0; k < 4; ++k)
    word |= std::uint32_t{static_cast<unsigned char>(bytes.at(at + k))} << (8 * k);
  return word;
}

TEST_F(VectorFiles, FbinIsTwoExtentsAndTheRows) {
  const std::string bytes = read_text(write(EmbeddingFormat::fbin));
  EXPECT_EQ(word_at(bytes, 0), kOddIds.size());
  EXPECT_EQ(word_at(bytes, 4), 3U);
  EXPECT_EQ(bytes.substr(8), bytes_of_values());
}

TEST_F(VectorFiles, HalvesGoIntoHbin) {
  values_.assign(values_.size(), 0.5F);
  values_[1] = 0.1F;
  const fs::path path = write(EmbeddingFormat::fbin, named(EmbeddingType::float16));
  EXPECT_EQ(path.filename(), "items.hbin");
  const std::string bytes = read_text(path);
  ASSERT_EQ(bytes.size(), 8 + values_.size() * 2);
  EXPECT_EQ(bytes.substr(8, 4), std::string("\x00\x38\x66\x2E", 4)) << "0.5 and 0.1 as halves";
}

TEST_F(VectorFiles, SafetensorsHoldOneTensorAndSayTheMetric) {
  for (const auto type : {EmbeddingType::float32, EmbeddingType::float16}) {
    const bool half = type == EmbeddingType::float16;
    values_[4] = 65504.0F;
    const std::string bytes = read_text(write(EmbeddingFormat::safetensors, named(type)));
    const std::uint32_t length = word_at(bytes, 0);
    ASSERT_EQ(word_at(bytes, 4), 0U);
    EXPECT_EQ((8 + length) % 8, 0U);
    const json header = json::parse(bytes.substr(8, length));
    EXPECT_EQ(header.size(), 2U);
    EXPECT_EQ(header["items"]["dtype"], half ? "F16" : "F32");
    EXPECT_EQ(header["items"]["shape"], (json{kOddIds.size(), 3}));
    const std::string data = bytes.substr(8 + length);
    EXPECT_EQ(header["items"]["data_offsets"], (json{0, data.size()}));
    EXPECT_EQ(header["__metadata__"]["penchant.metric"], "inner_product");
    EXPECT_EQ(header["__metadata__"]["penchant.model"], "it's \"mine\"");
    if (half)
      EXPECT_EQ(data.substr(0, 4), std::string("\x00\x3C\x00\x80", 4)) << "1 and -0 as halves";
    else
      EXPECT_EQ(data, bytes_of_values());
  }
}

TEST_F(VectorFiles, JsonLinesGiveEveryFloatBack) {
  const std::string text = read_text(write(EmbeddingFormat::jsonl));
  EXPECT_EQ(text.substr(0, text.find('\n')), R"({"raw_id":"plain","vector":[1,-0.0,0.1]})");
  EXPECT_THAT(text, HasSubstr(R"({"raw_id":"a,b","vector":[0,3.4028235e+38,1e-45]})"));
  std::istringstream lines(text);
  std::size_t row = 0;
  for (std::string line; std::getline(lines, line); ++row) {
    const json object = json::parse(line);
    EXPECT_EQ(object.size(), 2U);
    EXPECT_EQ(object["raw_id"], kOddIds.at(row));
    for (std::size_t j = 0; j < 3; ++j) {
      const auto number = static_cast<float>(object["vector"].at(j).get<double>());
      EXPECT_EQ(std::bit_cast<std::uint32_t>(number),
                std::bit_cast<std::uint32_t>(values_[3 * row + j]));
    }
  }
  EXPECT_EQ(row, kOddIds.size());
}

TEST_F(VectorFiles, CsvHasTheVectorInOneQuotedCell) {
  const std::string text = read_text(write(EmbeddingFormat::csv));
  EXPECT_EQ(text.rfind("raw_id,vector\nplain,\"[1,-0.0,0.1]\"\n"
                       "\"a,b\",\"[0,3.4028235e+38,1e-45]\"\n"
                       "\"say \"\"hi\"\"\",\"[1e-05,0.33333334,-16777216]\"\n\"\"\"\",\"[",
                       0),
            0U)
      << text.substr(0, 200);
  EXPECT_THAT(text, AllOf(HasSubstr("\n\"line\nbreak\",\"["), HasSubstr("\n\"\",\"["),
                          HasSubstr("\n\\N,\"[")));
}

TEST_F(VectorFiles, CopyEscapesIds) {
  const std::string text = read_text(write(EmbeddingFormat::pgcopy));
  EXPECT_EQ(text.rfind("plain\t{1,-0.0,0.1}\na,b\t{0,3.4028235e+38,1e-45}\n", 0), 0U);
  EXPECT_THAT(text, AllOf(HasSubstr("\ntab\\there\t{"), HasSubstr("\nline\\nbreak\t{"),
                          HasSubstr("\ncarriage\\rreturn\t{"), HasSubstr("\nback\\\\slash\t{"),
                          HasSubstr("\n\\\\N\t{"), HasSubstr("\n\\\\.\t{"), HasSubstr("\n\t{")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), std::ssize(kOddIds));
  EXPECT_EQ(text.find('\r'), text.npos);
  std::string brackets = text;
  for (std::size_t line = 0, row = 0; row < kOddIds.size(); ++row) {
    const std::size_t end = brackets.find('\n', line);
    brackets[brackets.rfind('{', end)] = '[';
    brackets[end - 1] = ']';
    line = end + 1;
  }
  EXPECT_EQ(read_text(write(EmbeddingFormat::pgvector)), brackets);
}

TEST_F(VectorFiles, TextOfHalvesIsTheRoundedNumber) {
  values_.assign(values_.size(), 0.1F);
  const std::string text = read_text(write(EmbeddingFormat::jsonl, named(EmbeddingType::float16)));
  EXPECT_EQ(text.substr(0, text.find('\n')),
            R"({"raw_id":"plain","vector":[0.099975586,0.099975586,0.099975586]})");
}

TEST_F(VectorFiles, EveryFormatIsReadBack) {
  for (const auto& [format, name] : enum_words(EmbeddingFormat{})) {
    SCOPED_TRACE(name);
    write(format);
    const VectorBlock got = read(format);
    EXPECT_EQ(got.ids, kOddIds);
    ASSERT_EQ(got.numbers.size(), values_.size());
    EXPECT_EQ(std::memcmp(got.numbers.data(), values_.data(), values_.size() * sizeof(float)), 0);
    EXPECT_THAT(input_error_of([&] { read(format, 4); }),
                AllOf(HasSubstr("items." + std::string(name)), HasSubstr("expected 4")));
  }
}

TEST_F(VectorFiles, WhatAFormatCannotHoldIsRefused) {
  const std::vector<EmbeddingFormat> texts = {EmbeddingFormat::jsonl, EmbeddingFormat::csv,
                                              EmbeddingFormat::pgcopy, EmbeddingFormat::pgvector};
  values_[5] = std::numeric_limits<float>::infinity();
  for (const EmbeddingFormat format : texts)
    EXPECT_THAT(input_error_of([&] { write(format); }),
                AllOf(HasSubstr("number 3 of 'a,b' is inf"), HasSubstr("items.")));
  values_[5] = 0.5F;
  EXPECT_THAT(input_error_of([&] { write(EmbeddingFormat::csv, named(EmbeddingType::float16)); }),
              HasSubstr("number 2 of 'a,b' is inf as float16 (3.4028235e+38)"));
  ids_.intern(std::string("zero\0byte", 9));
  values_.resize(values_.size() + 3, 0.5F);
  EXPECT_THAT(input_error_of([&] { write(EmbeddingFormat::pgcopy); }),
              HasSubstr("zero byte, which PostgreSQL cannot hold"));
  const std::vector<float> wide(16001, 0.5F);
  const NamedVectors vectors{
      "items", ids_, {wide.data(), 1, 16001, 16001, kernels::Device::cpu}, {}, {}};
  EXPECT_THAT(input_error_of([&] { write(EmbeddingFormat::pgvector, vectors); }),
              AllOf(HasSubstr("16000"), HasSubstr("16001")));
  EXPECT_TRUE(fs::is_empty(folder_.path())) << "no file or a whole one";
}

TEST_F(VectorFiles, WhoAsksToStopGetsNoFile) {
  for (const auto& [format, name] : enum_words(EmbeddingFormat{})) {
    StopAfterUpdates stop(1);
    const fs::path path = folder_.path() / name;
    EXPECT_THROW(write_vectors(path, format, named(), stop), Interrupted) << name;
  }
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(VectorFiles, OthersWriteInTheirOwnWay) {
  const VectorBlock want = {{"b", "7"}, {1.0F, -2.5F, 1e-20F, 3.0F, 0.0F, 4.0F}};
  const auto expect = [&](EmbeddingFormat format, const char* file, const std::string& text) {
    SCOPED_TRACE(file);
    write_text(folder_.path() / file, text);
    const VectorBlock got = read(format);
    EXPECT_EQ(got.ids, want.ids);
    EXPECT_EQ(got.numbers, want.numbers);
  };
  expect(EmbeddingFormat::jsonl, "items.jsonl",
         "{\"score\": {\"vector\": [9]}, \"vector\": [1, -2.50, 1E-20], \"raw_id\": \"b\"}\r\n"
         "{\"raw_id\": 7, \"vector\": [3, 0.0, 4.000000000000000001], \"tags\": [[1], \"x\"]}\n\n");
  expect(EmbeddingFormat::csv, "items.csv",
         "vector,other,raw_id\n\"[1.0, -2.5, 1e-20]\",x,b\n\"[3, 0, 4]\",,\"7\"\n");
  expect(EmbeddingFormat::pgcopy, "items.pgcopy", "b\t{1,-2.5,1e-20}\n7\t{3,0,4}\n\\.\n");
  expect(EmbeddingFormat::pgvector, "items.pgvector", "b\t[1,-2.5,1e-20]\n7\t[3,0,4]\n");
  // Without metadata, under another name, and not where a float may lie.
  const std::string header = R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  ASSERT_NE(header.size() % 4, 0U);
  std::string tensor(8, '\0');
  tensor[0] = static_cast<char>(header.size());
  tensor += header;
  tensor.append(reinterpret_cast<const char*>(want.numbers.data()), 24);
  write_text(folder_.path() / "items.ids.jsonl", "\"b\"\n\"7\"");
  expect(EmbeddingFormat::safetensors, "items.safetensors", tensor);
}

TEST_F(VectorFiles, DamageIsNamedWithItsRow) {
  const auto fault = [&](EmbeddingFormat format, const char* file, const std::string& text) {
    write_text(folder_.path() / file, text);
    return input_error_of([&] { read(format); });
  };
  EXPECT_THAT(
      fault(EmbeddingFormat::jsonl, "items.jsonl",
            "{\"raw_id\":\"a\",\"vector\":[1,2,3]}\n{\"raw_id\":\"b\",\"vector\":[1,null,3]}\n"),
      AllOf(HasSubstr("items.jsonl: row 2"), HasSubstr("expected {\"raw_id\"")));
  EXPECT_THAT(
      fault(EmbeddingFormat::jsonl, "items.jsonl", "{\"raw_id\":\"a\",\"vector\":[[1,2,3]]}"),
      HasSubstr("row 1"));
  EXPECT_THAT(fault(EmbeddingFormat::jsonl, "items.jsonl", "{\"raw_id\":\"a\",\"vector\":[1,2]}"),
              HasSubstr("row 1: the vector of 'a' has 2 numbers, expected 3"));
  EXPECT_THAT(fault(EmbeddingFormat::csv, "items.csv", "raw_id,vector\na,\"[1,2,x]\"\n"),
              AllOf(HasSubstr("items.csv: row 1"), HasSubstr("no vector")));
  EXPECT_THAT(fault(EmbeddingFormat::csv, "items.csv", "id,vector\na,\"[1,2,3]\"\n"),
              HasSubstr("no column 'raw_id'"));
  EXPECT_THAT(fault(EmbeddingFormat::pgcopy, "items.pgcopy", "a\t{1,2,3}\nb {1,2,3}\n"),
              HasSubstr("items.pgcopy: row 2"));
  EXPECT_THAT(fault(EmbeddingFormat::pgcopy, "items.pgcopy", "\\N\t{1,2,3}\n"),
              HasSubstr("the id is null"));
  EXPECT_THAT(fault(EmbeddingFormat::pgvector, "items.pgvector", "a\t{1,2,3}\n"),
              HasSubstr("expected [1,2.5,...]"));
  write(EmbeddingFormat::fbin);
  const std::string bytes = read_text(folder_.path() / "items.fbin");
  EXPECT_THAT(fault(EmbeddingFormat::fbin, "items.fbin", bytes.substr(0, bytes.size() - 4)),
              HasSubstr("bytes of numbers"));
  write(EmbeddingFormat::npy);
  write_text(folder_.path() / "items.ids.jsonl", "\"only one\"\n");
  EXPECT_THAT(input_error_of([&] { read(EmbeddingFormat::npy); }),
              AllOf(HasSubstr("items.ids.jsonl: 1 ids"), HasSubstr("29 rows")));
  std::string ids;
  for (std::size_t row = 0; row < 30; ++row) ids += "\"id" + std::to_string(row) + "\"\n";
  write_text(folder_.path() / "items.ids.jsonl", ids);
  EXPECT_THAT(input_error_of([&] { read(EmbeddingFormat::npy); }),
              HasSubstr("more ids than the 29 rows"));
  write(EmbeddingFormat::safetensors);
  const std::string tensor = read_text(folder_.path() / "items.safetensors");
  EXPECT_THAT(
      fault(EmbeddingFormat::safetensors, "items.safetensors", tensor.substr(0, tensor.size() - 4)),
      HasSubstr("the data is cut off"));
}

}  // namespace
}  // namespace penchant::pipeline
