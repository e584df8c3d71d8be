// SPDX-License-Identifier: Apache-2.0
// Recommendations for someone who is not in the data: a list of raw ids, good and bad.
#include <cmath>
#include <numeric>
#include <optional>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/model/model.h"
#include "tests/pipeline/support/interest_scorers.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::HistoryScorer;
using penchant::testing::IngestTest;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class RecommendHistory : public IngestTest {
 protected:
  /// Six items a to f in a plane; vectors as given, row by row.
  void use(const std::vector<float>& items, bool popularity_column = false,
           std::unique_ptr<InterestScorer> interest = nullptr) {
    dataset_ = ingest_text(
        "user,item,time\n"
        "1,a,1\n1,b,2\n1,c,3\n2,d,1\n2,e,2\n2,f,3\n");
    const std::int64_t cols = static_cast<std::int64_t>(items.size()) / 6;
    FinishedVectors vectors;
    vectors.layout = {cols - (popularity_column ? 1 : 0), 0, popularity_column, false};
    vectors.items = backend_->matrix<float>(6, cols);
    vectors.users = backend_->matrix<float>(2, cols);
    backend_->copy(kernels::ConstFloatView(items.data(), 6, cols, cols, kernels::Device::cpu),
                   vectors.items.view());
    model_.emplace(dataset_,
                   Model::Parts{std::move(vectors), nullptr, std::move(interest), "test", "00"},
                   *backend_);
  }
  Lines recommended(const std::vector<std::string_view>& history, std::int64_t k) {
    Lines items;
    for (const ScoredItem& entry : model_->recommend_for_history(history, k)) {
      items.emplace_back(dataset_.items.raw(entry.item));
    }
    return items;
  }

  std::unique_ptr<kernels::Backend> backend_ =
      kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  Dataset dataset_;
  std::optional<Model> model_;
};

/// At 0, 20, 100, 180, 250 and 300 degrees.
const std::vector<float> kCircle = {1,  0, 0.9397F,  0.3420F,  -0.1736F, 0.9848F,
                                    -1, 0, -0.3420F, -0.9397F, 0.5F,     -0.8660F};

TEST_F(RecommendHistory, WithoutAnInterestModelVectorsAreFoldedIn) {
  use(kCircle);
  EXPECT_THAT(recommended({"a"}, 1), ElementsAre("b"));
  EXPECT_THAT(recommended({"d", "e"}, 4).back(), AnyOf("a", "b"));
  const std::vector<std::string_view> history = {"a", "a"};
  const auto best = model_->recommend_for_history(history, 5);
  EXPECT_LE(best[0].score, 1.0F) << "a vector of length 1";
  EXPECT_GT(best[0].score, 0.5F);
}

TEST_F(RecommendHistory, ThePopularityColumnCountsOnce) {
  std::vector<float> items;
  for (std::size_t i = 0; i < 6; ++i)
    items.insert(items.end(), {kCircle[2 * i], kCircle[2 * i + 1], i == 3 ? 2.5F : 0.0F});
  use(items, true);
  EXPECT_THAT(recommended({"a"}, 2), ElementsAre("d", "b"));
}

TEST_F(RecommendHistory, VectorsThatCancelHaveAListAsWell) {
  use(kCircle);
  EXPECT_EQ(recommended({"a", "d"}, 4).size(), 4U);
}

TEST_F(RecommendHistory, AnInterestModelGivesTheVector) {
  // Its vector is (last item, length): scores are 2 x + 3 y after a, b, c.
  use({1, 0, 0, 1, 2, 2, 1, 5, -1, 1, 9, .5F}, false,
      std::make_unique<HistoryScorer>([](std::span<const NodeId>, NodeId) { return 0.5F; }));
  EXPECT_THAT(recommended({"a", "b", "c"}, 3), ElementsAre("f", "d", "e"));
}

TEST_F(RecommendHistory, WherePeopleRepeatTheHistoryStays) {
  use(kCircle);
  dataset_.repeats_allowed = true;
  EXPECT_THAT(recommended({"c"}, 1), ElementsAre("c"));
}

TEST_F(RecommendHistory, OneItemAndTenThousand) {
  use(kCircle);
  EXPECT_EQ(recommended({"a"}, 3).size(), 3U);
  std::vector<std::string_view> history(10'000, "a");
  history.back() = "b";
  EXPECT_THAT(recommended(history, 1), ElementsAre("f"));
  history.push_back("a");
  EXPECT_THAT(input_error_of([&] { recommended(history, 1); }),
              AllOf(HasSubstr("10001 items"), HasSubstr("at most 10000")));
}

TEST_F(RecommendHistory, BadListsAreExplained) {
  use(kCircle);
  EXPECT_THAT(input_error_of([&] { recommended({}, 1); }), HasSubstr("--history is empty"));
  EXPECT_THAT(input_error_of([&] {
                recommended({"a", "zzz"}, 1);
              }),
              AllOf(HasSubstr("unknown item 'zzz'"), HasSubstr("6 known ids")));
  EXPECT_THAT(input_error_of([&] { recommended({"a"}, 7); }), HasSubstr("k is 7"));
  use({});
  EXPECT_THAT(input_error_of([&] { recommended({"a"}, 1); }), HasSubstr("no vectors"));
}

}  // namespace
}  // namespace penchant::pipeline
