// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/graph_stage.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "pipeline/artifact/manifest.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::write_text;

class GraphStage : public penchant::testing::SmallShopTest {
 protected:
  void expect_same(const Graphs& got, const Graphs& want) {
    ASSERT_EQ(got.item.relations.size(), want.item.relations.size());
    for (std::size_t r = 0; r < want.item.relations.size(); ++r) {
      const graph::Relation& a = got.item.relations[r];
      const graph::Relation& b = want.item.relations[r];
      EXPECT_EQ(a.name, b.name);
      EXPECT_EQ(a.rows, b.rows);
      EXPECT_EQ(a.columns, b.columns);
      EXPECT_EQ(a.weight, b.weight);
      EXPECT_EQ(a.num_hubs, b.num_hubs);
      EXPECT_EQ(a.hub_values, b.hub_values);
      EXPECT_EQ(a.edges.columns, b.edges.columns);
      EXPECT_EQ(a.edges.values, b.edges.values);
    }
  }
};

TEST_F(GraphStage, ReadsWhatItStored) {
  const Graphs built = build_graphs(at("data"), dataset(), {}, silent_progress());
  const graph::Relation& last = built.item.relations.back();
  ASSERT_EQ(last.columns, graph::NodeKind::hub);
  ASSERT_EQ(static_cast<std::int64_t>(last.hub_values.size()), last.num_hubs);
  const graph::Attribute* attribute = dataset().catalog.find(last.name);
  ASSERT_NE(attribute, nullptr);
  for (const graph::NodeId value : last.hub_values)
    EXPECT_LT(value, attribute->item_values.num_cols);
  expect_same(load_or_build_graphs(at("data"), dataset(), {}, silent_progress()), built);
}

TEST_F(GraphStage, BuildsThoseOfAnEarlierProgramAgain) {
  const Graphs built = build_graphs(at("data"), dataset(), {}, silent_progress());
  const fs::path file = at("data") / "graph" / "manifest.json";
  json manifest = json::parse(read_text(file));
  for (json& relation : manifest["statistics"]["item_relations"]) relation.erase("columns");
  write_text(file, manifest.dump());
  expect_same(load_or_build_graphs(at("data"), dataset(), {}, silent_progress()), built);
  EXPECT_TRUE(json::parse(read_text(file))["statistics"]["item_relations"][0].contains("columns"));
}

TEST_F(GraphStage, AnUnknownWordInTheManifestNamesIt) {
  build_graphs(at("data"), dataset(), {}, silent_progress());
  json manifest = read_manifest(at("data") / "graph", kGraphArtifact);
  manifest["statistics"]["item_relations"][0]["rows"] = "x";
  write_manifest(at("data") / "graph", manifest);
  EXPECT_THAT(
      input_error_of([&] { load_or_build_graphs(at("data"), dataset(), {}, silent_progress()); }),
      ::testing::StartsWith((at("data") / "graph" / "manifest.json").string() + ": rows is 'x'"));
}

}  // namespace
}  // namespace penchant::pipeline
