// SPDX-License-Identifier: Apache-2.0
// Who trains by the library and says nothing gets what the command line gives.
#include "pipeline/training/recipes.h"

#include <gtest/gtest.h>

#include "pipeline/config/config_settings.h"
#include "pipeline/training/node_order.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using penchant::testing::read_text;

void expect_equal_settings(const TrainOptions& got, const TrainOptions& want) {
  Config got_config, want_config;
  got_config.train = got;
  want_config.train = want;
  for (const Setting& setting : all_settings())
    EXPECT_EQ(setting.write(got_config), setting.write(want_config)) << setting.key;
}

TEST(Recipes, AreTheCommandLinesSettingsOfEveryKind) {
  for (const auto& [kind, name] : enum_words(models::ModelKind{})) {
    SCOPED_TRACE(name);
    Config config;
    apply_setting(config, "model.kind=" + std::string(name));
    expect_equal_settings(recipe_of(kind), config.train);
    // And back: nothing of the kind before is left.
    apply_setting(config, "model.kind=auto");
    expect_equal_settings(TrainOptions{}, config.train);
  }
  expect_equal_settings(recipe_of(models::ModelKind::automatic), TrainOptions{});
  expect_equal_settings(Config{}.train, TrainOptions{});
}

TEST(Recipes, ASettingOfTrainingInStepsMeansAModelThatDoesSo) {
  Config config;
  apply_setting(config, "train.budget=60s");
  EXPECT_EQ(config.train.model.kind, models::ModelKind::automatic);
  Config steps;
  apply_setting(steps, "train.epochs=3");
  EXPECT_EQ(steps.train.model.kind, models::ModelKind::lightgcn);
  Config named;
  apply_setting(named, "train.epochs=3");
  apply_setting(named, "model.kind=auto");
  EXPECT_EQ(named.train.model.kind, models::ModelKind::automatic);
  Config filter;
  apply_setting(filter, "train.learning_rate=0.1");
  EXPECT_EQ(filter.train.model.kind, models::ModelKind::automatic) << "auto trains vectors too";
}

class RecipesOnAShop : public penchant::testing::SmallShopTest {};

TEST_F(RecipesOnAShop, GiveTheVectorsOfTheCommandLine) {
  for (const auto kind : {models::ModelKind::lightgcn, models::ModelKind::interest}) {
    TrainOptions library = recipe_of(kind);
    library.epochs = 2;
    train(library, "library");
    Config config;
    apply_setting(config, "model.kind=" + enum_name(kind));
    apply_setting(config, "train.epochs=2");
    load_metis_order(data_path(), dataset(), graphs(), config.partition, config.train,
                     silent_progress());
    EXPECT_EQ(config.train.metis_order.empty(), kind == models::ModelKind::interest);
    train(config.train, "command_line");
    EXPECT_EQ(read_text(at("library/weights.safetensors")),
              read_text(at("command_line/weights.safetensors")));
  }
}

}  // namespace
}  // namespace penchant::pipeline
