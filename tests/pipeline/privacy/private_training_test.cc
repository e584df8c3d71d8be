// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/private_training.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "kernels/transfer.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model.h"
#include "pipeline/privacy/gaussian_accounting.h"
#include "pipeline/privacy/ledger.h"
#include "pipeline/training/recipes.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using penchant::testing::input_error_of;
using penchant::testing::read_text;
using ::testing::HasSubstr;
using ::testing::Not;

class PrivateTraining : public penchant::testing::SmallShopTest {
 protected:
  void SetUp() override { fs::remove(ledger_file(data_path())); }
  static TrainOptions options(double epsilon, double delta = 1e-4) {
    TrainOptions options = recipe_of(models::ModelKind::private_items);
    options.privacy.epsilon = epsilon;
    options.privacy.delta = delta;
    return options;
  }
  TrainReport train(const TrainOptions& options, const std::string& name) {
    return train_private(dataset(), options, "", at(name), backend(), silent_progress());
  }
  /// The message, after which there is neither a model nor a ledger.
  std::string refusal(const TrainOptions& options) {
    const std::string message = input_error_of([&] { train(options, "refused"); });
    EXPECT_FALSE(fs::exists(at("refused")));
    EXPECT_FALSE(fs::exists(ledger_file(data_path())));
    return message;
  }
};

TEST_F(PrivateTraining, TheManifestSaysWhatIsGuaranteedAndByWhat) {
  train(options(4.0), "m");
  const json privacy = manifest("m")["privacy"];
  EXPECT_EQ(privacy["epsilon"], 4.0);
  EXPECT_EQ(privacy["delta"], 1e-4);
  ASSERT_EQ(privacy["mechanisms"].size(), 4U);  // popularity, two rounds, all items
  double squares = 0.0;
  for (const json& mechanism : privacy["mechanisms"]) {
    const double mu = mechanism["sensitivity"].get<double>() / mechanism["sigma"].get<double>();
    squares += mu * mu;
  }
  // By the formula itself, written out once more.
  const double mu = std::sqrt(squares);
  const auto cdf = [](double x) { return std::erfc(-x / std::sqrt(2.0)) / 2.0; };
  const double delta = cdf(mu / 2.0 - 4.0 / mu) - std::exp(4.0) * cdf(-mu / 2.0 - 4.0 / mu);
  EXPECT_NEAR(delta / 1e-4, 1.0, 1e-4);
}

TEST_F(PrivateTraining, NothingOfAUserAndNoOrderOfTheLogIsInTheFolder) {
  train(options(4.0), "m");
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(at("m"))) {
    if (!entry.is_regular_file()) continue;
    names.push_back(entry.path().filename().string());
    EXPECT_THAT(read_text(entry.path()), Not(HasSubstr(dataset().hash))) << entry.path();
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{"config.toml", "items.ids.jsonl", "manifest.json",
                                             "metrics.jsonl", "weights.safetensors"}));
  std::vector<std::string> ids;
  std::ifstream file(at("m") / "items.ids.jsonl");
  for (std::string line; std::getline(file, line);) ids.push_back(line);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  EXPECT_EQ(static_cast<std::int64_t>(ids.size()), dataset().num_items());
}

TEST_F(PrivateTraining, AnswersForUsersByTheirRowsAndForPeopleAlike) {
  train(options(1e6), "m");  // hardly any noise
  const Model model = Model::open(at("m"), dataset(), backend());
  EXPECT_TRUE(model.is_private());
  const std::string user(dataset().users.raw(3));
  EXPECT_EQ(model.recommend(user, 5).size(), 5U);
  // Somebody else with the same items has the same vector.
  const std::vector<graph::NodeId> own = known_items(dataset(), 3);
  std::vector<graph::NodeId> items(own);
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  Histories people;
  people.offsets = {0, static_cast<std::int64_t>(items.size())};
  people.items = items;
  const kernels::FloatMatrix vectors = model.history_vectors(people);
  for (std::int64_t j = 0; j < vectors.cols(); ++j)
    EXPECT_NEAR(vectors.view()(0, j), model.users()(3, j), 1e-6);
}

TEST_F(PrivateTraining, WithLittleNoiseItIsBetterThanPopularity) {
  train(options(1e6), "m");
  const Model model = Model::open(at("m"), dataset(), backend());
  const json weights = manifest("m");
  EXPECT_LT(weights["privacy"]["mechanisms"].back()["sigma"], 0.01);
  // The vectors of two items of one category are more alike than those of two.
  const kernels::ConstFloatView items = model.items();
  const graph::Attribute& category = dataset().catalog.attributes.front();
  double same = 0.0, other = 0.0, same_pairs = 0.0, other_pairs = 0.0;
  const auto cosine = [&](graph::NodeId a, graph::NodeId b) {
    double product = 0.0, left = 0.0, right = 0.0;
    for (std::int64_t j = 0; j + 1 < items.cols; ++j) {
      product += static_cast<double>(items(a, j)) * static_cast<double>(items(b, j));
      left += static_cast<double>(items(a, j)) * static_cast<double>(items(a, j));
      right += static_cast<double>(items(b, j)) * static_cast<double>(items(b, j));
    }
    return left > 0.0 && right > 0.0 ? product / std::sqrt(left * right) : 0.0;
  };
  for (graph::NodeId a = 0; a < 80; ++a) {
    for (graph::NodeId b = 0; b < a; ++b) {
      const auto value = [&](graph::NodeId item) {
        const auto begin = category.item_values.offsets[static_cast<std::size_t>(item)];
        return category.item_values.offsets[static_cast<std::size_t>(item) + 1] > begin
                   ? category.item_values.columns[static_cast<std::size_t>(begin)]
                   : graph::kNoNode;
      };
      const bool alike = value(a) == value(b);
      (alike ? same : other) += cosine(a, b);
      (alike ? same_pairs : other_pairs) += 1.0;
    }
  }
  EXPECT_GT(same / same_pairs, other / other_pairs + 0.1);
}

TEST_F(PrivateTraining, TwoReleasesDifferInTheirNoise) {
  train(options(4.0), "a");
  TrainOptions second = options(4.0);
  second.privacy.total_epsilon = 100.0;
  train(second, "b");
  EXPECT_NE(manifest("a")["hash"], manifest("b")["hash"]);
}

TEST_F(PrivateTraining, ASecondReleaseThatTheBudgetDoesNotCoverLeavesTheFirst) {
  train(options(4.0), "m");
  const std::string before = read_text(at("m") / "manifest.json");
  const std::string ledger = read_text(ledger_file(data_path()));
  EXPECT_THAT(input_error_of([&] { train(options(0.5), "m"); }), HasSubstr("nothing is published"));
  EXPECT_EQ(read_text(at("m") / "manifest.json"), before);
  EXPECT_EQ(read_text(ledger_file(data_path())), ledger);
}

TEST_F(PrivateTraining, RefusesWhatGuaranteesNothing) {
  EXPECT_THAT(refusal(options(0.0)), HasSubstr("privacy.epsilon"));
  EXPECT_THAT(refusal(options(-1.0)), HasSubstr("privacy.epsilon"));
  EXPECT_THAT(refusal(options(std::nan(""))), HasSubstr("privacy.epsilon"));
  EXPECT_THAT(refusal(options(1.0, 0.0)), HasSubstr("privacy.delta"));
  const double one_user = 1.0 / static_cast<double>(dataset().num_users());
  EXPECT_THAT(refusal(options(1.0, one_user)), HasSubstr("below 1 /"));
  EXPECT_THAT(refusal(options(1e-9, 1e-12)), HasSubstr("nothing but noise"));
}

TEST_F(PrivateTraining, NoOtherTrainingMakesOne) {
  EXPECT_THAT(input_error_of([&] { SmallShopTest::train(options(4.0), "refused"); }),
              HasSubstr("`penchant train` alone"));
  EXPECT_FALSE(fs::exists(at("refused")));
}

TEST_F(PrivateTraining, AModelWithoutItsLedgerIsRefused) {
  train(options(4.0), "m");
  fs::remove(ledger_file(data_path()));
  EXPECT_THAT(input_error_of([&] { Model::open(at("m"), dataset(), backend()); }),
              HasSubstr("ledger"));
}

class PrivateCatalogue : public penchant::testing::IngestTest {
 protected:
  std::string refusal(const Dataset& dataset) {
    TrainOptions options = recipe_of(models::ModelKind::private_items);
    options.privacy.epsilon = 1.0;
    options.privacy.delta = 1e-3;
    return input_error_of([&] { check_private_training(dataset, options); });
  }
};

TEST_F(PrivateCatalogue, ItemsThatOnlyTheLogKnowsAreRefused) {
  const std::string log = "user,item,time\na,x,1\na,y,2\nb,x,1\n";
  EXPECT_THAT(refusal(ingest_text(log)), HasSubstr("item table"));
  IngestOptions options = penchant::testing::everything_in_train();
  options.item_table = TableSource{{write("items.csv", "item,category\nx,c\n")}, {}};
  options.attributes = {penchant::testing::attribute("category")};
  EXPECT_THAT(refusal(ingest_text(log, options)), HasSubstr("1 item of the log"));
}

}  // namespace
}  // namespace penchant::pipeline
