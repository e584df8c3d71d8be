// SPDX-License-Identifier: Apache-2.0
// What is new, moved and gone since an export, and that applying it to the old files gives the new
// ones, byte for byte. The models' vectors are made by hand; the two data sets share ids, in
// different orders.
#include "pipeline/export/delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/backend.h"
#include "pipeline/export/apply.h"
#include "pipeline/export/embed.h"
#include "pipeline/export/verify.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/logs.h"
#include "tests/pipeline/support/stop_after.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::everything_in_train;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::manifest_of;
using penchant::testing::read_text;
using penchant::testing::StopAfterUpdates;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kWidth = 3;

/// Numbers of a row, by its raw id and by which model it is of.
using Numbers = std::function<std::vector<float>(const std::string&)>;

class Delta : public penchant::testing::IngestTest {
 protected:
  /// A data set with these items in this order, each with a user "of ITEM".
  Dataset data_of(const std::vector<std::string>& items) {
    std::string log = "user,item,time\n";
    std::int64_t time = 1000;
    for (const std::string& item : items)
      log += quoted("of " + item) + "," + quoted(item) + "," + std::to_string(++time) + "\n";
    IngestOptions options = everything_in_train();
    options.log.text.quote = TextMark('"');
    return ingest_text(log, options);
  }
  Model model_of(const Dataset& data, const Numbers& numbers, const std::string& hash,
                 std::int64_t width = kWidth) {
    Model::Parts parts;
    parts.vectors.users = backend_->matrix<float>(data.num_users(), width);
    parts.vectors.items = backend_->matrix<float>(data.num_items(), width);
    parts.vectors.layout.embedding_dim = width;
    for (auto& [matrix, ids] : {std::pair(&parts.vectors.users, &data.users),
                                std::pair(&parts.vectors.items, &data.items)}) {
      for (std::int64_t i = 0; i < matrix->rows(); ++i) {
        const auto row = numbers(std::string(ids->raw(static_cast<graph::NodeId>(i))));
        for (std::int64_t j = 0; j < width; ++j)
          matrix->view()(i, j) = row[static_cast<std::size_t>(j) % row.size()];
      }
    }
    parts.hash = hash;
    parts.name = "test";
    return Model(data, std::move(parts), *backend_);
  }
  void embed_to(const Model& model, const std::string& name, const EmbedOptions& options = {}) {
    embed(model, options, at(name), silent_progress());
  }
  json delta_to(const Model& model, const std::string& since, const std::string& name,
                double moved = 0) {
    return write_delta(model, {.since = at(since), .moved = moved}, at(name), silent_progress());
  }
  json apply_to(const std::string& old, const std::string& delta, const std::string& name) {
    return apply_delta(at(old), at(delta), at(name), silent_progress());
  }
  /// Every file, and the manifest but for the time and the hash with it.
  void expect_same(const std::string& a, const std::string& b) {
    json of_a = manifest_of(at(a)), of_b = manifest_of(at(b));
    for (json* manifest : {&of_a, &of_b}) {
      manifest->erase("created");
      manifest->erase("manifest_hash");
    }
    EXPECT_EQ(of_a, of_b);
    EXPECT_GT(of_a["files"].size(), 0U);
    for (const auto& [file, hash] : of_a["files"].items())
      EXPECT_TRUE(read_text(at(a) / file) == read_text(at(b) / file)) << file;
  }
  Lines changed(const std::string& delta, const std::string& file) {
    const std::vector<std::string> wanted = {"raw_id"};
    TableReader reader(at(delta) / file, {}, wanted);
    TextBatch batch;
    Lines ids;
    while (reader.next(batch))
      ids.insert(ids.end(), batch.columns[0].begin(), batch.columns[0].end());
    return ids;
  }
  static std::string quoted(const std::string& text) {
    std::string cell = "\"";
    for (const char c : text) cell += c == '"' ? "\"\"" : std::string(1, c);
    return cell + "\"";
  }

  std::unique_ptr<kernels::Backend> backend_ =
      kernels::make_backend({kernels::DeviceChoice::cpu, 1});
};

std::vector<float> by_length(const std::string& id, float scale) {
  const auto size = static_cast<float>(id.size());
  return {scale * (size + static_cast<float>(id[0] % 13)), 0.1F / size, -scale};
}
std::vector<float> old_numbers(const std::string& id) { return by_length(id, 1); }
/// Those of odd length move.
std::vector<float> new_numbers(const std::string& id) {
  return id.size() % 2 == 1 ? by_length(id, 1.01F) : by_length(id, 1);
}

constexpr EmbeddingFormat kAllFormats[] = {
    EmbeddingFormat::npy,         EmbeddingFormat::parquet, EmbeddingFormat::arrow,
    EmbeddingFormat::safetensors, EmbeddingFormat::fbin,    EmbeddingFormat::jsonl,
    EmbeddingFormat::csv,         EmbeddingFormat::pgcopy,  EmbeddingFormat::pgvector};
const std::vector<std::string> kOld = {"a",           "bb",    "c,c", "say \"d\"", "gone",
                                       "line\nbreak", "tab\t", "007", "g\xC3\xA9"};
const std::vector<std::string> kShuffled = {"007", "new one", "c,c", "a",         "line\nbreak",
                                            "nu",  "tab\t",   "bb",  "g\xC3\xA9", "say \"d\""};

TEST_F(Delta, AppliedGivesTheFullExportInEveryFormat) {
  for (const EmbeddingType type : {EmbeddingType::float32, EmbeddingType::float16}) {
    SCOPED_TRACE(enum_name(type));
    const EmbedOptions every = {.formats = {std::begin(kAllFormats), std::end(kAllFormats)},
                                .type = type};
    std::vector<EmbedOptions> cases = {every};
    for (const EmbeddingFormat format : kAllFormats) cases.push_back({{format}, type});
    Dataset data = data_of(kOld);
    for (std::size_t i = 0; i < cases.size(); ++i)
      embed_to(model_of(data, old_numbers, "a1"), "old" + std::to_string(i), cases[i]);
    data = data_of(kShuffled);
    const Model model = model_of(data, new_numbers, "b2");
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const std::string name = std::to_string(i);
      SCOPED_TRACE(enum_name(cases[i].formats[0]));
      embed_to(model, "full" + name, cases[i]);
      const json delta = delta_to(model, "old" + name, "delta" + name);
      apply_to("old" + name, "delta" + name, "applied" + name);
      expect_same("full" + name, "applied" + name);
      EXPECT_EQ(delta["entities"]["items"]["order"], "file");
    }
    // A delta knows rows, not files: that of one export is for every other one of the same rows.
    apply_to("old0", "delta3", "crossed");
    expect_same("full0", "crossed");
    for (std::size_t i = 0; i < cases.size(); ++i) {
      for (const char* name : {"old", "full", "delta", "applied"})
        fs::remove_all(at(name + std::to_string(i)));
    }
  }
}

TEST_F(Delta, SaysWhatIsNewMovedAndRemoved) {
  Dataset data = data_of(kOld);
  embed_to(model_of(data, old_numbers, "a1"), "old");
  data = data_of(kShuffled);
  const json delta = delta_to(model_of(data, new_numbers, "b2"), "old", "delta");
  const json& items = delta["entities"]["items"];
  // Moved: 007, c,c, a, g\xC3\xA9 and the others of odd length (in bytes).
  EXPECT_EQ(items["before"], 9);
  EXPECT_EQ(items["rows"], 10);
  EXPECT_EQ(items["new"], 2);
  EXPECT_EQ(items["removed"], 1);
  EXPECT_EQ(items["kept"], 0);
  EXPECT_EQ(items["moved"].get<int>() + items["same"].get<int>(), 8);
  EXPECT_THAT(changed("delta", "items.changed.parquet"),
              ElementsAre("007", "new one", "c,c", "a", "nu", "g\xC3\xA9", "say \"d\""));
  EXPECT_EQ(items["moved"], 5);
  EXPECT_EQ(read_text(at("delta") / "items.removed.jsonl"), "\"gone\"\n");
  EXPECT_EQ(read_text(at("delta") / "users.removed.jsonl"), "\"of gone\"\n");
  EXPECT_THAT(changed("delta", "items.kept.parquet"), ElementsAre("line\nbreak", "tab\t", "bb"));
  EXPECT_EQ(items["movement"]["rows"], 8);
  EXPECT_GT(items["movement"]["share"]["largest"], 0.009);
  EXPECT_LT(items["movement"]["share"]["largest"], 0.011);
  EXPECT_EQ(items["movement"]["share"]["least"], 0);
  EXPECT_EQ(delta["since"]["manifest_hash"], manifest_of(at("old"))["manifest_hash"]);
  EXPECT_EQ(delta["since"]["model_hash"], "a1");
  EXPECT_EQ(delta["embeddings"]["model_hash"], "b2");
  EXPECT_EQ(delta["embeddings"]["data_hash"], data.hash);
  EXPECT_THAT(delta_text(delta), AllOf(HasSubstr("removed"), HasSubstr("moved: a bit")));
}

TEST_F(Delta, WhereTheOrderIsKeptItNeedsNoFile) {
  Dataset data = data_of(kOld);
  embed_to(model_of(data, old_numbers, "a1"), "old");
  std::vector<std::string> grown = kOld;
  grown.erase(grown.begin() + 4);
  grown.push_back("new one");
  grown.push_back("nu");
  data = data_of(grown);
  const Model model = model_of(data, new_numbers, "b2");
  const json delta = delta_to(model, "old", "delta");
  EXPECT_EQ(delta["entities"]["items"]["order"], "appended");
  EXPECT_FALSE(fs::exists(at("delta") / "items.order.npy"));
  embed_to(model, "full");
  apply_to("old", "delta", "applied");
  expect_same("full", "applied");
}

TEST_F(Delta, NothingMovedIsADeltaWithoutRows) {
  const Dataset data = data_of(kOld);
  const Model model = model_of(data, old_numbers, "a1");
  embed_to(model, "old");
  const json delta = delta_to(model, "old", "delta");
  EXPECT_EQ(delta["entities"]["users"]["same"], 9);
  EXPECT_THAT(changed("delta", "items.changed.parquet"), IsEmpty());
  apply_to("old", "delta", "applied");
  expect_same("old", "applied");
  apply_to("applied", "delta", "again");  // it leads to where it began
  expect_same("old", "again");
}

TEST_F(Delta, EveryBitCounts) {
  const Dataset data = data_of({"zero", "tiny"});
  const Numbers with_zero = [](const std::string& id) {
    return std::vector<float>{id == "zero" ? 0.0F : 1.0F, 1e-40F};
  };
  const Numbers with_sign = [&](const std::string& id) {
    return id == "zero" ? std::vector<float>{-0.0F, 1e-40F} : with_zero(id);
  };
  embed_to(model_of(data, with_zero, "a1"), "old");
  const Model model = model_of(data, with_sign, "b2");
  EXPECT_EQ(delta_to(model, "old", "delta")["entities"]["items"]["moved"], 1);
  embed_to(model, "full");
  apply_to("old", "delta", "applied");
  expect_same("full", "applied");
}

TEST_F(Delta, WhatMovedByLittleStaysAsItWas) {
  Dataset data = data_of(kOld);
  const EmbedOptions formats = {.formats = {EmbeddingFormat::npy, EmbeddingFormat::parquet}};
  embed_to(model_of(data, old_numbers, "a1"), "old", formats);
  data = data_of(kShuffled);
  // "a" moves far; others of odd length by 1 %.
  const Numbers numbers = [](const std::string& id) {
    return id == "a" || id == "of a" ? by_length(id, 2) : new_numbers(id);
  };
  const Model model = model_of(data, numbers, "b2");
  const json delta = delta_to(model, "old", "delta", 0.02);
  const json& items = delta["entities"]["items"];
  EXPECT_EQ(items["moved"], 1);
  EXPECT_EQ(items["kept"], 4);
  EXPECT_EQ(items["same"], 3);
  EXPECT_THAT(changed("delta", "items.changed.parquet"), ElementsAre("new one", "a", "nu"));
  EXPECT_THAT(delta_text(delta), HasSubstr("by more than 0.02"));
  apply_to("old", "delta", "applied");
  apply_to("old", "delta", "again");
  expect_same("applied", "again");
  EXPECT_EQ(manifest_of(at("applied"))["kept"]["items"], 4);
  EXPECT_EQ(manifest_of(at("applied"))["kept"]["moved"], 0.02);
  EXPECT_THAT(read_text(at("applied") / "items.parquet"), HasSubstr("penchant.kept_rows"));
  // Each row is the new one or the old one, as said.
  const Numbers wanted = [&](const std::string& id) {
    const bool is_new = id == "new one" || id == "nu" || id == "a" || id == "of a" ||
                        id == "of new one" || id == "of nu";
    return is_new ? numbers(id) : old_numbers(id);
  };
  embed_to(model_of(data, wanted, "b2"), "wanted", formats);
  for (const char* file : {"items.npy", "users.npy", "items.ids.jsonl"})
    EXPECT_TRUE(read_text(at("wanted") / file) == read_text(at("applied") / file)) << file;
  // What stayed is measured against what is there, so that small steps do not add up.
  const json next = delta_to(model, "applied", "next", 0.009);
  EXPECT_EQ(next["entities"]["items"]["moved"], 4);
  apply_to("applied", "next", "caught up");
  embed_to(model, "full", formats);
  EXPECT_FALSE(manifest_of(at("caught up")).contains("kept"));
  expect_same("full", "caught up");
}

TEST_F(Delta, RefusesOtherEmbeddings) {
  Dataset data = data_of(kOld);
  embed_to(model_of(data, old_numbers, "a1"), "old");
  embed_to(model_of(
               data, [](const std::string& id) { return by_length(id, 3); }, "c3"),
           "other");
  embed_to(model_of(data, old_numbers, "a1", 4), "wide");
  embed_to(model_of(data, old_numbers, "a1"), "half", {.type = EmbeddingType::float16});
  data = data_of(kShuffled);
  const Model model = model_of(data, new_numbers, "b2");
  delta_to(model, "old", "delta");
  EXPECT_THAT(input_error_of([&] { apply_to("other", "delta", "x"); }),
              AllOf(HasSubstr("model c3) are not those that"), HasSubstr("was made since"),
                    HasSubstr("model a1)")));
  EXPECT_THAT(input_error_of([&] { apply_to("half", "delta", "x"); }),
              AllOf(HasSubstr("half: dtype is \"float16\""), HasSubstr("is \"float32\"")));
  EXPECT_THAT(input_error_of([&] { apply_to("wide", "delta", "x"); }),
              HasSubstr("wide: dimension is 4"));
  EXPECT_THAT(input_error_of([&] { delta_to(model, "wide", "x"); }),
              AllOf(HasSubstr("wide: dimension is 4, and that of the model is 3"),
                    HasSubstr("write all of them with embed")));
  EXPECT_THAT(input_error_of([&] { delta_to(model, "old", "x", 2.5); }),
              HasSubstr("--moved is 2.5, expected a share of a row's length from 0 to 2"));
  EXPECT_THAT(input_error_of([&] { delta_to(model, "delta", "x"); }),
              HasSubstr("delta: is a delta, expected a embeddings"));
  EXPECT_THAT(input_error_of([&] { apply_to("old", "old", "x"); }),
              HasSubstr("old: is a embeddings, expected a delta"));
  EXPECT_FALSE(fs::exists(at("x")));
  apply_to("old", "delta", "applied");
  EXPECT_THAT(input_error_of([&] { apply_to("applied", "delta", "x"); }),
              HasSubstr("it was applied already"));
}

TEST_F(Delta, NormalisedRowsAreOfAnotherKind) {
  Dataset data = data_of(kOld);
  embed_to(model_of(data, old_numbers, "a1"), "old");
  Model::Parts parts;
  parts.vectors.users = backend_->matrix<float>(data.num_users(), kWidth);
  parts.vectors.items = backend_->matrix<float>(data.num_items(), kWidth);
  parts.vectors.layout.embedding_dim = kWidth;
  parts.vectors.layout.normalized = true;
  const Model model(data, std::move(parts), *backend_);
  EXPECT_THAT(input_error_of([&] { delta_to(model, "old", "x"); }),
              HasSubstr("old: normalized is false, and that of the model is true"));
}

TEST_F(Delta, DamageIsNamedAndTheOldStays) {
  Dataset data = data_of(kOld);
  embed_to(model_of(data, old_numbers, "a1"), "old");
  data = data_of(kShuffled);
  const Model model = model_of(data, new_numbers, "b2");
  delta_to(model, "old", "delta");
  const json before = manifest_of(at("old"));
  for (const auto& entry : fs::directory_iterator(at("delta"))) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string whole = read_text(entry.path());
    std::string broken = whole;
    broken[broken.size() / 2] ^= 1;
    write_text(entry.path(), broken);
    EXPECT_THAT(input_error_of([&] { apply_to("old", "delta", "old"); }), HasSubstr("damaged"));
    write_text(entry.path(), whole);
  }
  EXPECT_EQ(manifest_of(at("old")), before);
  const std::string whole = read_text(at("old") / "items.npy");
  std::string broken = whole;
  broken.back() = static_cast<char>(broken.back() ^ 1);
  write_text(at("old") / "items.npy", broken);
  EXPECT_THAT(input_error_of([&] { delta_to(model, "old", "d2"); }),
              AllOf(HasSubstr("items.npy"), HasSubstr("damaged")));
  EXPECT_THAT(input_error_of([&] { apply_to("old", "delta", "x"); }),
              AllOf(HasSubstr("items.npy"), HasSubstr("damaged")));
}

TEST_F(Delta, TakesThePlaceOfTheOld) {
  Dataset data = data_of(kOld);
  embed_to(model_of(data, old_numbers, "a1"), "old");
  write_text(at("old") / "mine.txt", "a file of somebody else");
  data = data_of(kShuffled);
  const Model model = model_of(data, new_numbers, "b2");
  delta_to(model, "old", "delta");
  const json before = manifest_of(at("old"));
  StopAfterUpdates stop(3);
  EXPECT_ANY_THROW(apply_delta(at("old"), at("delta"), at("old"), stop));
  EXPECT_EQ(manifest_of(at("old")), before);
  EXPECT_FALSE(fs::exists(at("old.unfinished")));
  apply_to("old", "delta", "old");
  embed_to(model, "full");
  expect_same("full", "old");
  EXPECT_TRUE(fs::exists(at("old") / "mine.txt"));
  EXPECT_TRUE(verify_vectors(model, at("old"), {}, silent_progress()).problems().empty());
  EXPECT_THAT(input_error_of([&] { apply_to("old", "delta", "old"); }),
              HasSubstr("it was applied already"));
  expect_same("full", "old");
}

}  // namespace
}  // namespace penchant::pipeline
