// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/setting_uses.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/config/config_settings.h"
#include "tests/pipeline/support/folder.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Warnings final : public Progress {
 public:
  void begin(std::string_view) override {}
  void update(std::int64_t, std::int64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void warn(std::string_view message) override { lines.emplace_back(message); }
  Lines lines;
};

Config with(const Lines& settings) {
  Config config;
  for (const std::string& setting : settings) apply_setting(config, setting);
  return config;
}

/// What the check says of settings on a command line; "nothing" if it accepts them.
std::string refusal(const Lines& settings, std::string_view verb = "run") {
  try {
    check_settings(with(settings), verb, silent_progress());
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing";
}

TEST(SettingUses, AKeyWithoutEffectIsNamedWithWhatItGoesWith) {
  EXPECT_EQ(refusal({"data.format=s3rec", "data.split.test_fraction=0.3"}),
            "--set data.split.test_fraction=0.3: data.split.test_fraction has no effect: it goes "
            "with data.split.method global_time, random_per_user or hidden_items, and "
            "data.split.method is leave_one_out");
  EXPECT_THAT(refusal({"model.kind=graph_filter", "model.num_layers=2"}),
              AllOf(HasSubstr("model.num_layers has no effect"), HasSubstr("lightgcn, gcn"),
                    HasSubstr("model.kind is graph_filter")));
  EXPECT_THAT(refusal({"data.format=lightgcn", "data.columns.user=u"}),
              AllOf(HasSubstr("data.columns.user"), HasSubstr("data.format table or recbole"),
                    HasSubstr("data.format is lightgcn")));
}

TEST(SettingUses, EveryKindOfKeyIsChecked) {
  const struct {
    Lines settings;
    const char* key;
  } kCases[] = {
      {{"data.format=lightgcn", "data.log=a.csv"}, "data.log"},
      {{"data.format=lightgcn", "data.filters=[\"a > 1\"]"}, "data.filters"},
      {{"data.format=lightgcn", "data.missing=[\"x\"]"}, "data.missing"},
      {{"data.format=lightgcn", "data.items.table=a"}, "data.items.table"},
      {{"data.format=lightgcn", "data.max_user_count=3"}, "data.max_user_count"},
      {{"data.format=s3rec", "data.separator=;"}, "data.separator"},
      {{"data.format=s3rec", "data.header=false"}, "data.header"},
      {{"data.train=a"}, "data.train"},
      {{"data.sequences=a"}, "data.sequences"},
      {{"data.attributes_file=a"}, "data.attributes_file"},
      {{"data.prefix=a"}, "data.prefix"},
      {{"data.time_format=ms"}, "data.time_format"},
      {{"data.items.key=a"}, "data.items.key"},
      {{"data.items.separator=;"}, "data.items.separator"},
      {{"data.split.method=leave_one_out", "data.split.validation_fraction=0.1"},
       "data.split.validation_fraction"},
      {{"data.columns.time=t", "data.split.seed=3"}, "data.split.seed"},
      {{"data.format=lightgcn", "data.test=a", "data.split.method=random_per_user"}, "data.test"},
      {{"graph.cooccurrence=false", "graph.top_k=3"}, "graph.top_k"},
      {{"graph.max_basket=30"}, "graph.max_basket"},
      {{"graph.cooccurrence_scope=session", "graph.window=4"}, "graph.window"},
      {{"graph.use_attributes=false", "graph.attribute_weight=2"}, "graph.attribute_weight"},
      {{"model.kind=graph_filter", "graph.relation_weight=1"}, "graph.relation_weight"},
      {{"model.kind=graph_filter", "partition.parts=4"}, "partition.parts"},
      {{"model.activation=relu"}, "model.activation"},
      {{"model.kind=lightgcn", "model.loss=bpr", "model.temperature=0.2"}, "model.temperature"},
      {{"model.dropout=0.2"}, "model.dropout"},
      {{"model.kind=interest", "model.loss=bpr"}, "model.loss"},
      {{"model.kind=interest", "model.cnn_widths=[2]"}, "model.cnn_widths"},
      {{"model.kind=interest", "model.ranking_head=false", "model.ranking_weight=0.2"},
       "model.ranking_weight"},
      {{"model.kind=lightgcn", "filter.rank=20"}, "filter.rank"},
      {{"model.kind=graph_filter", "filter.kind=gfcf", "filter.order=4"}, "filter.order"},
      {{"model.kind=graph_filter", "train.epochs=4"}, "train.epochs"},
      {{"model.kind=auto", "train.epochs=4"}, "train.epochs"},
      {{"train.epochs=3", "train.budget=60s"}, "train.budget"},
      {{"model.loss=bpr", "train.num_negatives=64"}, "train.num_negatives"},
      {{"train.validate_every=0", "train.patience=3"}, "train.patience"},
      {{"embeddings.type=float16"}, "embeddings.type"},
  };
  for (const auto& [settings, key] : kCases)
    EXPECT_THAT(refusal(settings), HasSubstr(std::string(key) + " has no effect")) << key;
}

TEST(SettingUses, APageIsMadeByTheSettingsOfItsListsAndItsOwn) {
  EXPECT_EQ(refusal({"report.lookup_items=9", "evaluate.seen_items=keep", "evaluate.ranking=full"},
                    "report"),
            "nothing");
  EXPECT_THAT(refusal({"report.lookup_users=9"}), HasSubstr("it is for report"));
  EXPECT_THAT(refusal({"evaluate.cutoffs=[9]"}, "report"), HasSubstr("it is for evaluate"));
}

TEST(SettingUses, WhatHasAnEffectIsAccepted) {
  const Lines kCases[] = {
      {"data.format=lightgcn", "data.train=a", "data.test=b", "data.split.validation_fraction=0"},
      {"data.columns.time=t", "data.time_format=ms", "data.split.test_fraction=0.1"},
      {"data.time_format=order"},
      {"data.columns.event=e", "data.repeats=sum", "data.max_user_count=9"},
      {"data.items.table=a", "data.items.key=k", "data.items.separator=;"},
      {"graph.cooccurrence_scope=session", "graph.max_basket=3"},
      {"graph.use_attributes=false"},
      {"graph.attributes=[\"a\"]", "graph.max_value_share=0.2"},
      {"model.kind=interest", "model.num_layers=2", "train.num_negatives=64"},
      {"model.kind=auto", "filter.rank=3", "train.budget=5m"},
      {"model.kind=graph_filter", "train.validate_every=0", "train.refit=true"},
      {"embeddings.out=e", "embeddings.formats=both"}};
  for (const Lines& settings : kCases) EXPECT_EQ(refusal(settings), "nothing") << settings.back();
}

TEST(SettingUses, AVerbRefusesOnItsCommandLineWhatItDoesNotRead) {
  EXPECT_THAT(refusal({"data.min_user_count=5"}, "train"),
              AllOf(HasSubstr("data.min_user_count has no effect on train"),
                    HasSubstr("it is for ingest, replay, run")));
  EXPECT_THAT(refusal({"train.epochs=5"}, "evaluate"), HasSubstr("train.epochs"));
  EXPECT_THAT(refusal({"run.device=cpu"}, "ingest"), HasSubstr("run.device"));
  EXPECT_EQ(refusal({"run.threads=1"}, "ingest"), "nothing");
  EXPECT_THAT(refusal({"model.kind=gcn"}, "ablate"), HasSubstr("model.kind"));
  EXPECT_EQ(refusal({"partition.parts=4"}, "partition"), "nothing");
}

TEST(SettingUses, AFileMayServeManyModelsAndVerbs) {
  const penchant::testing::TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    penchant::testing::write_text(folder.path() / "c.toml", text);
    return read_config(folder.path() / "c.toml");
  };
  Warnings warnings;
  const Config filter = read("[model]\nkind = \"graph_filter\"\nnum_layers = 2\n");
  check_settings(filter, "train", warnings);
  EXPECT_THAT(warnings.lines,
              ElementsAre(AllOf(HasSubstr("c.toml:3:"), HasSubstr("model.num_layers"),
                                HasSubstr("model.kind is graph_filter"))));
  warnings.lines.clear();
  check_settings(filter, "evaluate", warnings);
  EXPECT_THAT(warnings.lines, IsEmpty()) << "a verb has no say on what others read";
  EXPECT_THAT(input_error_of([&] {
                check_settings(read("[data]\nformat = \"lightgcn\"\nlog = [\"a\"]\n"), "ingest",
                               warnings);
              }),
              AllOf(HasSubstr("c.toml:3:"), HasSubstr("data.log has no effect")));
  EXPECT_THAT(input_error_of([&] {
                check_settings(read("[data.event_weights]\nbuy = 3\n"), "ingest", warnings);
              }),
              HasSubstr("data.event_weights has no effect"));
  EXPECT_THAT(input_error_of([&] {
                check_settings(read("[data]\nformat = \"lightgcn\"\n[[data.attributes]]\n"
                                    "column = \"a\"\n"),
                               "ingest", warnings);
              }),
              HasSubstr("data.attributes has no effect"));
}

TEST(SettingUses, DefaultsInAFileAreNamedTogether) {
  const penchant::testing::TemporaryFolder folder;
  penchant::testing::write_text(folder.path() / "all.toml", effective_toml(Config()));
  Warnings warnings;
  check_settings(read_config(folder.path() / "all.toml"), "run", warnings);
  ASSERT_EQ(warnings.lines.size(), 1U);
  EXPECT_THAT(warnings.lines[0], AllOf(HasSubstr("given their default"), HasSubstr("data.train"),
                                       HasSubstr("model.activation")));
}

TEST(SettingUses, TheExamplesHoldNothingWithoutEffect) {
  setenv("PENCHANT_DEMO_DATA", "/demo", 1);
  const std::filesystem::path examples =
      std::filesystem::path(PENCHANT_TEST_SOURCE_DIR) / "examples";
  for (const auto& entry : std::filesystem::directory_iterator(examples)) {
    if (entry.path().extension() != ".toml") continue;  // notebooks
    Warnings warnings;
    check_settings(read_config(entry.path()), "run", warnings);
    EXPECT_THAT(warnings.lines, IsEmpty()) << entry.path();
  }
}

TEST(SettingUses, EveryConditionNamesAKey) {
  for (const Setting& setting : all_settings()) {
    Config config = with({});
    mark_given(config, setting.key, "--it");
    const char* verb = setting.key.starts_with("report.") ? "report" : "run";
    try {
      check_settings(config, verb, silent_progress());
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(setting.key + " has no effect"));
      EXPECT_NE(goes_with(setting.key), "");
    }
  }
}

}  // namespace
}  // namespace penchant::pipeline
