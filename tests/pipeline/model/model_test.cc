// SPDX-License-Identifier: Apache-2.0
// A finished model: its stored vectors against its weights, what a look-up reads, damaged vectors,
// and models of earlier programs.
#include "pipeline/model/model.h"

#include <cstring>
#include <fstream>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/npy.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/upgrade.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/old_model.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<float> values_of(kernels::ConstFloatView matrix) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < matrix.rows; ++i)
    values.insert(values.end(), matrix.row(i), matrix.row(i) + matrix.cols);
  return values;
}

void expect_same_list(const std::vector<ScoredItem>& got, const std::vector<ScoredItem>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t k = 0; k < got.size(); ++k) {
    EXPECT_EQ(got[k].item, want[k].item) << k;
    EXPECT_EQ(got[k].score, want[k].score) << k;
  }
}

class Models : public penchant::testing::SmallShopTest {
 protected:
  /// One of each kind, quickly.
  void train_kind(const std::string& kind, const std::string& name) {
    TrainOptions options = recipe();
    if (kind == "interest") {
      options = recipe_of(models::ModelKind::interest);
      options.model.interest.hidden_dim = 8;
      options.model.interest.mlp_dims = {8};
      options.batch_size = 1024;
      options.num_negatives = 64;
    }
    if (kind == "graph_filter") options.model.kind = models::ModelKind::graph_filter;
    if (kind == "auto") options.model.kind = models::ModelKind::automatic;
    if (kind == "filter beside") {
      options.blend_filter = true;
      options.learning_rate = 1e-6F;  // vectors that have learned nothing
      options.model.initializer = models::Initializer::normal;
    }
    if (kind == "columns") {
      options.calibrate_popularity = true;
      options.model.new_item_columns = 4;
    }
    options.model.embedding_dim = 8;
    options.filter.rank = 16;
    options.epochs = 1;
    train(options, name);
  }
  Model open(const std::string& name) { return Model::open(at(name), dataset(), backend()); }
  json manifest(const std::string& name) const { return read_manifest(at(name), kModelArtifact); }
  FinishedVectors derived(const std::string& name) {
    const Graphs merged = make_graphs(train_and_validation(dataset()), dataset(), graphs().options);
    return derive_vectors(at(name), manifest(name), dataset(),
                          manifest(name).at("trained_on") == "train" ? graphs() : merged,
                          backend());
  }
};

TEST_F(Models, StoredVectorsAreThoseOfTheWeights) {
  for (const char* kind :
       {"lightgcn", "columns", "filter beside", "interest", "graph_filter", "auto"}) {
    SCOPED_TRACE(kind);
    train_kind(kind, kind);
    const Model model = open(kind);
    const FinishedVectors want = derived(kind);
    EXPECT_EQ(model.layout(), want.layout);
    EXPECT_EQ(values_of(model.users()), values_of(want.users.view()));
    EXPECT_EQ(values_of(model.items()), values_of(want.items.view()));
    EXPECT_EQ(model.items().cols, model.layout().width());
    const json stored = manifest(kind);
    EXPECT_EQ(stored["format_version"], kModelFormat);
    for (const char* file : {"vectors/items.npy", "vectors/users.npy"})
      EXPECT_EQ(stored["files"][file], hash_file(at(kind) / file));
  }
}

TEST_F(Models, ALookUpAnswersLikeTheWholeAndReadsLess) {
  fs::copy(data_path(), at("x.data"), fs::copy_options::recursive);
  for (const char* kind : {"columns", "filter beside", "graph_filter", "auto", "interest"}) {
    SCOPED_TRACE(kind);
    train_kind(kind, kind);
    const Model whole = open(kind);
    const Dataset known = read_dataset(at("x.data"), DatasetUse::lookup);
    EXPECT_TRUE(known.split.train.interactions.user.empty());
    EXPECT_TRUE(known.item_statistics.count.empty());
    const Model model = Model::open(at(kind), known, backend());
    EXPECT_EQ(model.hash(), whole.hash());
    EXPECT_EQ(model.name(), whole.name());
    for (const graph::NodeId dense : {0, 3, 77}) {
      const std::string_view user = dataset().users.raw(dense);
      for (const SeenItems seen : {SeenItems::mask, SeenItems::keep})
        expect_same_list(model.recommend(user, 10, seen), whole.recommend(user, 10, seen));
    }
    expect_same_list(model.similar("i3", 5), whole.similar("i3", 5));
    const std::vector<std::string_view> history = {"i1", "i2"};
    expect_same_list(model.recommend_for_history(history, 5),
                     whole.recommend_for_history(history, 5));
    for (graph::NodeId item = 0; item < known.num_items(); ++item)
      EXPECT_EQ(item_label(known, item), item_label(dataset(), item));
  }
  // Vectors alone need neither weights nor most of the columns.
  const auto want = open("columns").recommend("u3", 10);
  fs::remove(at("columns") / "weights.safetensors");
  fs::remove(at("x.data") / "train" / "weight.npy");
  const Dataset known = read_dataset(at("x.data"), DatasetUse::lookup);
  const Model model = Model::open(at("columns"), known, backend());
  expect_same_list(model.recommend("u3", 10), want);
  EXPECT_THAT(input_error_of([&] { open("columns"); }), HasSubstr("weights.safetensors"));
  // What they need is there and of one data set, or they say so.
  EXPECT_THAT(input_error_of([&] { read_known_rows(known); }), HasSubstr("train/weight.npy"));
  fs::rename(at("x.data") / "train" / "time_ms.npy", at("kept"));
  EXPECT_THAT(input_error_of([&] { model.recommend("u3", 10); }), HasSubstr("train/time_ms.npy"));
  fs::rename(at("kept"), at("x.data") / "train" / "time_ms.npy");
  write_manifest(at("x.data"), read_manifest(at("x.data"), kDataArtifact));
  EXPECT_THAT(input_error_of([&] { model.recommend("u3", 10); }),
              AllOf(HasSubstr(at("x.data").string()), HasSubstr("was replaced")));
}

TEST_F(Models, SaysWhatItsScoresAreMadeOf) {
  train_kind("columns", "columns");
  train_kind("graph_filter", "filter");
  train_kind("filter beside", "beside");
  const auto terms = [&](const std::string& name) {
    std::set<std::string> names;
    const Model model = open(name);
    for (const ScoreTerm& term : model.terms()) names.insert(enum_name(term.kind));
    EXPECT_EQ(model.has_scorer(), model.scorer() != nullptr);
    return names;
  };
  EXPECT_TRUE(terms("columns").contains("vectors"));
  EXPECT_EQ(terms("columns").contains("popularity"), open("columns").layout().popularity_column);
  EXPECT_EQ(terms("filter"), std::set<std::string>{"filter"});
  EXPECT_EQ(terms("beside"), (std::set<std::string>{"vectors", "filter"}));
}

TEST(VectorLayouts, AreReadBackOrRefused) {
  const VectorLayout layout = {16, 5, true, false};
  EXPECT_EQ(layout.width(), 22);
  EXPECT_EQ(VectorLayout::from_json(layout.to_json(), "m.json"), layout);
  const auto refused = [&](const char* key, const json& value) {
    json stored = layout.to_json();
    stored[key] = value;
    return input_error_of([&] { VectorLayout::from_json(stored, "m.json"); });
  };
  EXPECT_THAT(refused("version", 2), AllOf(HasSubstr("m.json"), HasSubstr("layout of version 2")));
  EXPECT_THAT(refused("width", 23), AllOf(HasSubstr("m.json"), HasSubstr("layout of 23 columns")));
  EXPECT_THAT(refused("popularity_column", false), HasSubstr("damaged"));
  EXPECT_THAT(refused("embedding_dim", -1), HasSubstr("damaged"));
  EXPECT_THAT(refused("embedding_dim", "wide"), HasSubstr("damaged"));
  EXPECT_THAT(refused("version", nullptr), HasSubstr("damaged"));
}

TEST_F(Models, DamagedVectorsAreRefusedAndMadeAgain) {
  train_kind("lightgcn", "m");
  const fs::path items = at("m") / "vectors" / "items.npy";
  const std::string good = read_text(items);
  const Dataset known = read_dataset(data_path(), DatasetUse::lookup);
  const auto look_up = [&] {
    return input_error_of([&] { Model::open(at("m"), known, backend()); });
  };
  const auto npy = [&](std::string_view descr, std::vector<std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) count *= extent;
    return graph::npy_header(descr, shape) +
           std::string(static_cast<std::size_t>(count) * (descr == "<f4" ? 4U : 8U), '\0');
  };
  const std::int64_t rows = dataset().num_items();
  std::string flipped = good;
  flipped[flipped.size() - 2] ^= 0x10;
  for (const auto& [bytes, words] :
       {std::pair<std::string, std::string>{good.substr(0, good.size() - 4), "cut off"},
        {good + "x", "more than"},
        {npy("<f4", {rows, 7}), "expected 91 x 8"},
        {npy("<f4", {rows - 1, 8}), "expected 91 x 8"},
        {npy("<f4", {rows * 8}), "expected 91 x 8"},
        {npy("<f8", {rows, 8}), "element type '<f8'"},
        {"", "not a .npy file"},
        {flipped, ""}}) {
    SCOPED_TRACE(words);
    write_text(items, bytes);
    if (!words.empty()) {  // a look-up compares no hashes
      EXPECT_THAT(look_up(), AllOf(HasSubstr(items.string()), HasSubstr(words),
                                   HasSubstr("penchant upgrade")));
    }
    EXPECT_THAT(input_error_of([&] { open("m"); }), HasSubstr(items.string()));
    EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
    EXPECT_EQ(read_text(items), good);
  }
  fs::remove(items);
  EXPECT_THAT(look_up(), AllOf(HasSubstr(items.string()), HasSubstr("penchant upgrade")));
  EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
  EXPECT_EQ(read_text(items), good);
  EXPECT_FALSE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
}

TEST_F(Models, OfAnEarlierProgramAreUpgraded) {
  for (const char* kind : {"lightgcn", "columns", "graph_filter", "auto", "interest"}) {
    SCOPED_TRACE(kind);
    train_kind(kind, kind);
    write_text(at(kind) / "evaluation.json", "{}");
    write_text(at(kind) / "run.json", "made of");
    write_text(at(kind) / "notes.txt", "mine");
    std::vector<std::string> files;
    std::vector<std::string> texts;
    for (const std::string& name : files_below(at(kind))) {
      if (name.ends_with("manifest.json")) continue;
      files.push_back(name);
      texts.push_back(read_text(at(kind) / name));
    }
    const std::string hash = open(kind).hash();
    penchant::testing::make_old(at(kind), hash_bytes);
    EXPECT_THAT(input_error_of([&] { open(kind); }),
                AllOf(HasSubstr(at(kind).string()), HasSubstr("format version 2"),
                      HasSubstr("penchant upgrade X.data " + at(kind).string())));
    const UpgradeReport report = upgrade_model(at(kind), dataset(), backend(), silent_progress());
    EXPECT_EQ(report.from_format, 2);
    EXPECT_TRUE(report.written);
    for (std::size_t k = 0; k < files.size(); ++k)
      EXPECT_EQ(read_text(at(kind) / files[k]), texts[k]) << files[k];
    EXPECT_EQ(open(kind).hash(), hash);
    EXPECT_FALSE(fs::exists(at(kind) / "vectors" / "manifest.json"));
    EXPECT_FALSE(fs::exists(at(std::string(kind) + ".unfinished")));
  }
}

TEST_F(Models, AFailedUpgradeLeavesTheOldModel) {
  train_kind("lightgcn", "m");
  penchant::testing::make_old(at("m"), hash_bytes);
  const auto refused = [&] {
    const std::vector<std::string> before = files_below(at("m"));
    const std::string text = read_text(at("m") / "manifest.json");
    const std::string message =
        input_error_of([&] { upgrade_model(at("m"), dataset(), backend(), silent_progress()); });
    EXPECT_EQ(files_below(at("m")), before);
    EXPECT_EQ(read_text(at("m") / "manifest.json"), text);
    EXPECT_FALSE(fs::exists(at("m.unfinished") / "manifest.json"));
    return message;
  };
  const fs::path weights = at("m") / "weights.safetensors";
  const std::string good = read_text(weights);
  write_text(weights, good.substr(0, good.size() - 8));
  EXPECT_THAT(refused(), HasSubstr(weights.string()));
  write_text(weights, good);

  fs::create_directory(at("m.unfinished"));
  write_text(at("m.unfinished") / "unfinished", R"({"kind": "model", "program": "penchant"})");
  write_text(at("m.unfinished") / "checkpoint.safetensors", "of a training");
  EXPECT_THAT(refused(), HasSubstr("interrupted training"));
  EXPECT_EQ(read_text(at("m.unfinished") / "checkpoint.safetensors"), "of a training");
  fs::remove_all(at("m.unfinished"));
  EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
}

TEST_F(Models, OfANewerProgramAreRefused) {
  train_kind("lightgcn", "m");
  json stored = manifest("m");
  stored["layout"]["version"] = 2;
  write_manifest(at("m"), stored);
  EXPECT_THAT(input_error_of([&] { open("m"); }),
              AllOf(HasSubstr((at("m") / "manifest.json").string()), HasSubstr("version 2")));
  EXPECT_THAT(
      input_error_of([&] { upgrade_model(at("m"), dataset(), backend(), silent_progress()); }),
      HasSubstr("layout of version 2"));
}

}  // namespace
}  // namespace penchant::pipeline
