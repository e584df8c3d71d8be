// SPDX-License-Identifier: Apache-2.0
// A finished model: its stored vectors against its weights, what a look-up reads, damaged vectors,
// and models of earlier programs.
#include "pipeline/model/model.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/npy.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/stored_vectors.h"
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
using ::testing::Not;
using ::testing::StartsWith;

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
  static KnownPart known_of(const Model& model) {
    return model.saw_validation() ? KnownPart::train_and_validation : KnownPart::train;
  }
  Model open(const std::string& name) { return Model::open(at(name), dataset(), backend()); }
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
      for (const SeenItems seen : {SeenItems::mask, SeenItems::keep}) {
        for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
          expect_same_list(model.recommend(user, 10, seen, ranking),
                           whole.recommend(user, 10, seen, ranking));
        }
      }
    }
    expect_same_list(model.similar("i3", 5), whole.similar("i3", 5));
    const std::vector<std::string_view> history = {"i1", "i2"};
    for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
      expect_same_list(model.recommend_for_history(history, 5, SeenItems::automatic, ranking),
                       whole.recommend_for_history(history, 5, SeenItems::automatic, ranking));
    }
    for (graph::NodeId item = 0; item < known.num_items(); ++item)
      EXPECT_EQ(item_label(known, item), item_label(dataset(), item));
  }
  // Vectors alone need neither weights nor most of the columns, nor a graph.
  const std::vector<std::string> kinds = {"columns", "filter beside", "graph_filter", "auto"};
  std::vector<std::vector<ScoredItem>> want;
  for (const std::string& kind : kinds) {
    want.push_back(open(kind).recommend("u3", 10));
    fs::remove(at(kind) / "weights.safetensors");
  }
  for (const char* column : {"weight", "event"})
    fs::remove(at("x.data") / "train" / (std::string(column) + ".npy"));
  const Dataset known = read_dataset(at("x.data"), DatasetUse::lookup);
  for (std::size_t k = 0; k < kinds.size(); ++k)
    expect_same_list(Model::open(at(kinds[k]), known, backend()).recommend("u3", 10), want[k]);
  const Model model = Model::open(at("columns"), known, backend());
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

TEST_F(Models, AUsersRowsAsAHistoryAreTheUser) {
  train_kind("graph_filter", "filter");
  train_kind("columns", "columns");
  for (const graph::NodeId user : {0, 3, 77}) {
    const Model filter = open("filter");
    std::vector<std::string_view> history;
    for (const graph::NodeId item : known_items(dataset(), user, known_of(filter)))
      history.push_back(dataset().items.raw(item));
    for (const Ranking ranking : {Ranking::vectors, Ranking::full}) {
      const auto want = filter.recommend(dataset().users.raw(user), 10, SeenItems::keep, ranking);
      const auto got = filter.recommend_for_history(history, 10, SeenItems::keep, ranking);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t k = 0; k < got.size(); ++k)
        EXPECT_NEAR(got[k].score, want[k].score, 1e-5F * std::abs(want[k].score) + 1e-6F) << k;
    }
    // Vectors that were trained are folded in; the columns behind them are the user's.
    const Model columns = open("columns");
    const VectorLayout& layout = columns.layout();
    ASSERT_GT(layout.new_item_columns, 0);
    const kernels::FloatMatrix vector =
        columns.history_vectors(history_of_items(known_items(dataset(), user, known_of(columns))));
    ASSERT_EQ(vector.cols(), layout.width());
    for (std::int64_t j = layout.embedding_dim; j < layout.width(); ++j)
      EXPECT_NEAR(vector.view()(0, j), columns.users()(user, j), 1e-5F) << j;
  }
}

TEST_F(Models, VectorsThatWereTaughtRankAHistoryAsTheMixtureDoes) {
  TrainOptions options;
  options.model.kind = models::ModelKind::automatic;
  options.model.embedding_dim = 12;
  options.filter.rank = 16;
  train(options, "m");
  ASSERT_TRUE(manifest("m")["model"].contains("distillation"));
  const Model model = open("m");
  const std::vector<std::string_view> history = {"i1", "i2", "i30"};
  const auto ids = [&](Ranking ranking) {
    std::set<graph::NodeId> items;
    for (const ScoredItem& entry :
         model.recommend_for_history(history, 20, SeenItems::automatic, ranking))
      items.insert(entry.item);
    return items;
  };
  const std::set<graph::NodeId> full = ids(Ranking::full);
  std::int64_t shared = 0;
  for (const graph::NodeId item : ids(Ranking::vectors)) shared += full.contains(item) ? 1 : 0;
  EXPECT_GE(shared, 12);  // by chance 5
}

TEST_F(Models, VectorsThatWereTaughtNothingGiveAHistoryThoseOfTheFirstMember) {
  TrainOptions options;
  options.model.kind = models::ModelKind::automatic;
  options.model.embedding_dim = 12;
  options.filter.rank = 16;
  options.distil = false;
  train(options, "m");
  const Model model = open("m");
  ASSERT_TRUE(has_term({model.terms().begin(), model.terms().end()}, TermKind::vectors));
  ASSERT_FALSE(manifest("m")["model"].contains("distillation"));
  const Model first = open("m/trained");
  const Histories people = history_of_items(std::vector<graph::NodeId>{1, 2, 30});
  const kernels::FloatMatrix got = model.history_vectors(people);
  const kernels::FloatMatrix own = first.history_vectors(people);
  ASSERT_EQ(got.cols(), model.layout().width());
  double size = 0.0;
  for (std::int64_t j = 0; j < 12; ++j) {
    EXPECT_EQ(got.view()(0, j), own.view()(0, j)) << j;
    size += std::abs(static_cast<double>(got.view()(0, j)));
  }
  EXPECT_GT(size, 0.1);
  for (std::int64_t j = 12; j < got.cols(); ++j) EXPECT_EQ(got.view()(0, j), 1.0F) << "popularity";
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
  EXPECT_EQ(VectorLayout::from_json(layout.to_json()), layout);
  const auto refused = [&](const char* key, const json& value) {
    json stored = layout.to_json();
    stored[key] = value;
    return input_error_of([&] { take_values("m.json", [&] { VectorLayout::from_json(stored); }); });
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
  const std::string cure =
      "`penchant upgrade " + data_path().string() + " " + at("m").string() + "` writes the vectors";
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
      EXPECT_THAT(look_up(), AllOf(HasSubstr(items.string()), HasSubstr(words), HasSubstr(cure)));
    }
    EXPECT_THAT(input_error_of([&] { open("m"); }),
                AllOf(HasSubstr(items.string()), HasSubstr(cure), Not(HasSubstr("run the stage"))));
    EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
    EXPECT_EQ(read_text(items), good);
  }
  fs::remove(items);
  EXPECT_THAT(look_up(), AllOf(HasSubstr(items.string()), HasSubstr(cure)));
  EXPECT_THAT(input_error_of([&] { open("m"); }), HasSubstr(cure));
  EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
  EXPECT_EQ(read_text(items), good);
  EXPECT_FALSE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
}

TEST_F(Models, DamageInTheTrainedModelOfAMixtureIsNoticed) {
  TrainOptions options;
  options.model.kind = models::ModelKind::automatic;
  options.model.embedding_dim = 12;
  options.filter.rank = 16;
  train(options, "m");
  const auto upgrade = [&] {
    return upgrade_model(at("m"), dataset(), backend(), silent_progress()).written;
  };
  for (const char* name : {"weights.safetensors", "manifest.json", "vectors/users.npy"}) {
    const fs::path file = at("m") / "trained" / name;
    const std::string good = read_text(file);
    std::string flipped = good;
    flipped[flipped.size() / 2] ^= 0x10;
    write_text(file, flipped);
    EXPECT_THAT(input_error_of([&] { open("m"); }), HasSubstr(file.string()));
    if (name == std::string("vectors/users.npy")) {
      EXPECT_TRUE(upgrade());
      EXPECT_EQ(read_text(file), good);
    } else {
      EXPECT_THAT(input_error_of(upgrade), HasSubstr(file.string()));
      write_text(file, good);
    }
  }
  EXPECT_FALSE(upgrade());
}

TEST_F(Models, NumbersThatAreNotFiniteAreRefused) {
  train_kind("columns", "m");
  const Dataset known = read_dataset(data_path(), DatasetUse::lookup);
  const auto put = [&](const fs::path& file, std::int64_t row, float value) {
    std::string bytes = read_text(file);
    const std::int64_t rows =
        file.filename() == "items.npy" ? dataset().num_items() : dataset().num_users();
    const std::size_t width = bytes.size() / static_cast<std::size_t>(rows) / sizeof value;
    std::memcpy(
        bytes.data() + bytes.size() - static_cast<std::size_t>(rows - row) * width * sizeof value,
        &value, sizeof value);
    write_text(file, bytes);
  };
  const std::vector<std::string_view> history = {"i1", "i2"};
  const std::vector<std::function<void(const Model&)>> look_ups = {
      [](const Model& model) { model.recommend("u3", 5); },
      [](const Model& model) { model.similar("i3", 5); },
      [&](const Model& model) { model.recommend_for_history(history, 5); }};
  const fs::path items = at("m") / "vectors" / "items.npy";
  const fs::path users = at("m") / "vectors" / "users.npy";
  const std::string good_items = read_text(items), good_users = read_text(users);
  const graph::NodeId user = dataset().users.find("u3");
  for (const float value : {std::nanf(""), -INFINITY}) {
    put(items, 5, value);
    for (const auto& look_up : look_ups) {
      EXPECT_THAT(input_error_of([&] { look_up(Model::open(at("m"), known, backend())); }),
                  AllOf(HasSubstr(items.string()), HasSubstr("row 5 "), HasSubstr("upgrade")));
    }
    write_text(items, good_items);
    put(users, user, value);
    const Model model = Model::open(at("m"), known, backend());
    EXPECT_THAT(input_error_of([&] { model.recommend("u3", 5); }),
                AllOf(HasSubstr(users.string()), HasSubstr(fmt::format("row {} ", user))));
    EXPECT_EQ(model.recommend("u4", 5).size(), 5U);
    EXPECT_EQ(model.similar("i3", 5).size(), 5U);
    json stored = manifest("m");
    const json good = stored;
    stored["files"]["vectors/users.npy"] = hash_file(users);
    write_manifest(at("m"), stored);
    EXPECT_THAT(input_error_of([&] { open("m"); }), HasSubstr(users.string()));
    EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
    EXPECT_EQ(read_text(users), good_users);
  }
  FinishedVectors bad = {backend().matrix<float>(2, 1), backend().matrix<float>(2, 1), {}};
  backend().fill(bad.items.view(), 1.0F);
  backend().fill(bad.users.view(), INFINITY);
  EXPECT_THAT(input_error_of([&] { store_vectors(at("x"), bad, backend()); }),
              AllOf(HasSubstr("users.npy"), HasSubstr("row 0 ")));

  TrainOptions options;
  options.model.kind = models::ModelKind::graph_filter;
  options.filter.kind = models::FilterKind::gfcf;
  options.filter.low_pass = 0.5F;
  options.filter.rank = 16;
  train(options, "filter");
  const fs::path weights = at("filter") / "weights.safetensors";
  std::string bytes = read_text(weights);
  const float nan = std::nanf("");
  std::memcpy(bytes.data() + bytes.size() / 8 * 4, &nan, sizeof nan);
  write_text(weights, bytes);
  EXPECT_THAT(input_error_of([&] {
                Model::open(at("filter"), known, backend())
                    .recommend("u3", 5, SeenItems::automatic, Ranking::full);
              }),
              HasSubstr(weights.string()));
}

TEST_F(Models, AManifestThatNoVerbReadsIsNamed) {
  const auto refused = [&](const std::string& name, const json::json_pointer& key,
                           const json& value) {
    SCOPED_TRACE(key.to_string());
    const json good = manifest(name);
    json stored = good;
    stored[key] = value;
    write_manifest(at(name), stored);
    for (const std::string& message : {input_error_of([&] { open(name); }), input_error_of([&] {
                                         upgrade_model(at(name), dataset(), backend(),
                                                       silent_progress());
                                       })})
      EXPECT_THAT(message, StartsWith((at(name) / "manifest.json").string() + ": "));
    write_manifest(at(name), good);
  };
  using Key = json::json_pointer;
  train_kind("lightgcn", "m");
  refused("m", Key("/model/kind"), "x");
  refused("m", Key("/model/activation"), "x");
  refused("m", Key("/model/embedding_dim"), 0);
  refused("m", Key("/graph_options/user_item_weight"), "x");
  refused("m", Key("/graph_options/cooccurrence_window"), 0);
  refused("m", Key("/popularity_weight"), -1);
  refused("m", Key("/blend/weight"), -1);
  refused("m", Key("/trained_on"), 3);
  refused("m", Key("/data_hash"), 3);
  refused("m", Key("/layout/width"), 9);
  train_kind("graph_filter", "filter");
  refused("filter", Key("/model/filter/kind"), "x");
  refused("filter", Key("/model/filter/rank"), -1);
  train_kind("auto", "auto");
  refused("auto", Key("/model/mixture/popularity_weight"), -1);
  train_kind("interest", "interest");
  refused("interest", Key("/calibration/logits"), json::array({1.0}));

  json stored = manifest("m");
  stored["layout"]["width"] = stored["layout"]["embedding_dim"] = 9;
  write_manifest(at("m"), stored);
  EXPECT_THAT(input_error_of([&] { open("m"); }), HasSubstr("expected 91 x 9"));
  EXPECT_TRUE(upgrade_model(at("m"), dataset(), backend(), silent_progress()).written);
  EXPECT_EQ(open("m").layout().width(), 8);
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
    EXPECT_THAT(
        input_error_of([&] { open(kind); }),
        AllOf(HasSubstr(at(kind).string()), HasSubstr("format version 2"),
              HasSubstr("penchant upgrade " + data_path().string() + " " + at(kind).string())));
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
