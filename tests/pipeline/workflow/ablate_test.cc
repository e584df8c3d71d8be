// SPDX-License-Identifier: Apache-2.0
// Variants of one recipe on a small shop: each trained with its settings, skipped when it is done,
// gone on with after an interruption.
#include "pipeline/workflow/ablate.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using penchant::testing::SmallShopTest;
using penchant::testing::write_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Ablate : public SmallShopTest {
 protected:
  void SetUp() override {
    apply_setting(config_, "model.kind=lightgcn");
    config_.train = recipe();
    config_.train.epochs = 2;
    config_.train.refit = false;
    config_.backend = {kernels::DeviceChoice::cpu, 1};
    config_.evaluate.cutoffs = {10, 20, 1000};
  }
  AblationReport run(Progress& progress = silent_progress()) {
    return ablate(data_path(), config_, variants_, at("ablation"), progress);
  }

  Config config_;
  std::vector<Variant> variants_ = {{"two_layers", {"model.num_layers=2"}},
                                    {"one_layer", {"model.num_layers=1", "train.epochs=1"}}};
};

TEST_F(Ablate, TrainsEachVariantAndSkipsWhatIsDone) {
  const AblationReport first = run();
  EXPECT_THAT(first.done, ElementsAre("two_layers", "one_layer"));
  EXPECT_THAT(first.skipped, IsEmpty());
  ASSERT_EQ(first.rows.size(), 2U);
  EXPECT_EQ(first.rows[0].epochs_run, 2);
  EXPECT_EQ(first.rows[1].epochs_run, 1);
  for (const AblationRow& row : first.rows) {
    EXPECT_GT(row.best_validation, 0.0);
    EXPECT_GT(row.epoch_seconds, 0.0);
    EXPECT_LT(row.epoch_seconds, row.seconds);
    EXPECT_TRUE(row.test.metrics.contains("ndcg@20"));
    EXPECT_FALSE(row.test.metrics.contains("ndcg@1000")) << "the catalogue has 91 items";
  }
  EXPECT_NE(first.rows[0].best_validation, first.rows[1].best_validation);
  const json manifest = json::parse(read_text(at("ablation/one_layer.model/manifest.json")));
  EXPECT_EQ(manifest["model"]["num_layers"], 1);

  const AblationReport second = run();
  EXPECT_THAT(second.done, IsEmpty());
  EXPECT_EQ(ablation_to_json(second)["variants"], ablation_to_json(first)["variants"]);
  EXPECT_THAT(ablation_table(second),
              AllOf(HasSubstr("two_layers"), HasSubstr("one_layer"), HasSubstr("s/epoch")));

  // Another setting concerns both; a damaged result concerns one.
  write_text(at("ablation/one_layer.json"), "{");
  EXPECT_THAT(run().done, ElementsAre("one_layer"));
  config_.train.learning_rate *= 0.5F;
  EXPECT_THAT(run().done, ElementsAre("two_layers", "one_layer"));
}

TEST_F(Ablate, GoesOnAfterAnInterruption) {
  const AblationReport whole = run();
  std::filesystem::remove_all(at("ablation"));
  penchant::testing::StopAfter stop(3);
  const AblationReport cut = run(stop);
  EXPECT_TRUE(cut.interrupted);
  EXPECT_THAT(cut.rows, IsEmpty());
  EXPECT_TRUE(ablation_to_json(cut)["interrupted"].get<bool>());
  const AblationReport resumed = run();
  EXPECT_FALSE(resumed.interrupted);
  ASSERT_EQ(resumed.rows.size(), 2U);
  for (std::size_t v = 0; v < 2; ++v)
    EXPECT_EQ(resumed.rows[v].test.metrics, whole.rows[v].test.metrics);
}

TEST_F(Ablate, AWrongSettingIsFoundBeforeAnyTraining) {
  variants_[1].settings = {"model.num_layer=1"};
  EXPECT_THAT(input_error_of([&] { run(); }), HasSubstr("model.num_layer"));
  EXPECT_FALSE(std::filesystem::exists(at("ablation/two_layers.model")));
}

TEST(InterestVariants, HaveDistinctNamesAndOneSettingOfEachKind) {
  std::set<std::string> names;
  std::set<std::vector<std::string>> settings;
  for (const Variant& variant : interest_variants()) {
    EXPECT_TRUE(names.insert(variant.name).second) << variant.name;
    EXPECT_TRUE(settings.insert(variant.settings).second) << variant.name;
    EXPECT_EQ(variant.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos);
    EXPECT_EQ(variant.settings.size(), 4U);
  }
  EXPECT_TRUE(names.contains("fused_lstm") && names.contains("graph_only") &&
              names.contains("sequence_only"));
}

}  // namespace
}  // namespace penchant::pipeline
