// SPDX-License-Identifier: Apache-2.0
// Scores of tables of pairs: every kind of model, raw ids in and out, unknown ids, files that are
// whole or absent.
#include "pipeline/export/score.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/model/model.h"
#include "pipeline/tables/tables.h"
#include "tests/pipeline/support/interest_scorers.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::HistoryScorer;
using penchant::testing::IngestTest;
using penchant::testing::input_error_of;
using penchant::testing::Lines;
using penchant::testing::read_text;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// scores_iu = 10 u + i.
class TableOfScores final : public models::Scorer {
 public:
  void score(kernels::IdView users, kernels::Backend&, kernels::FloatView scores) override {
    for (std::int64_t b = 0; b < users.size; ++b) {
      for (std::int64_t item = 0; item < scores.rows; ++item)
        scores(item, b) = static_cast<float>(10 * users[b] + item);
    }
  }
};

class Score : public IngestTest {
 protected:
  void SetUp() override {
    IngestOptions options;
    options.split_method = graph::SplitMethod::leave_one_out;
    // Users u, "v,1"; items a 0, b 1, c 2, d 3. Vectors: users (1, 2), (3, 4); items (i, 1).
    dataset_ = ingest_text(
        "user,item,time\n"
        "u,a,1\nu,b,2\nu,c,3\nu,d,4\n\"v,1\",a,1\n",
        options);
    model_.vectors.layout.embedding_dim = 2;
    model_.vectors.users = backend_->matrix<float>(2, 2);
    model_.vectors.items = backend_->matrix<float>(4, 2);
    for (std::int64_t i = 0; i < 2; ++i) {
      model_.vectors.users.view()(i, 0) = static_cast<float>(2 * i + 1);
      model_.vectors.users.view()(i, 1) = static_cast<float>(2 * i + 2);
    }
    for (std::int64_t i = 0; i < 4; ++i) {
      model_.vectors.items.view()(i, 0) = static_cast<float>(i);
      model_.vectors.items.view()(i, 1) = 1.0F;
    }
  }
  /// Of the parts as they are when it is first asked for.
  const Model& model() {
    if (!made_) made_.emplace(dataset_, std::move(model_), *backend_);
    return *made_;
  }
  std::string scored(std::string_view pairs, const ScoreOptions& options = {},
                     const std::string& name = "pairs.csv") {
    report_ =
        score_table(model(), write(name, pairs), at("scores.csv"), options, silent_progress());
    return read_text(at("scores.csv"));
  }
  bool nothing_written() const {
    return std::none_of(std::filesystem::directory_iterator(at("")), {}, [](const auto& entry) {
      return entry.path().filename().string().starts_with("scores");
    });
  }

  std::unique_ptr<kernels::Backend> backend_ =
      kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  Dataset dataset_;
  Model::Parts model_;
  std::optional<Model> made_;
  ScoreReport report_;
};

TEST_F(Score, AModelOfVectorsGivesInnerProducts) {
  EXPECT_EQ(scored("user,item\nu,a\nu,d\n\"v,1\",b\n"),
            "user,item,score\nu,a,2\nu,d,5\n\"v,1\",b,7\n");
  EXPECT_EQ(report_.score, "inner product");
  EXPECT_EQ(report_.rows_written, 3);
}

TEST_F(Score, AFilterGivesItsScoresWhereTheyAreAskedFor) {
  model_.scorer = std::make_unique<TableOfScores>();
  EXPECT_EQ(scored("user,item\n\"v,1\",c\nu,d\n\"v,1\",a\n", {.ranking = Ranking::full}),
            "user,item,score\n\"v,1\",c,12\nu,d,3\n\"v,1\",a,10\n");
  EXPECT_EQ(report_.score, "full score");
  EXPECT_EQ(scored("user,item\nu,d\n"), "user,item,score\nu,d,5\n");
  EXPECT_EQ(report_.score, "inner product");
}

TEST_F(Score, AnInterestModelGivesProbabilitiesByHistories) {
  // Train of u: a, b; validation: c. The test row d is not part of the history.
  model_.interest = std::make_unique<HistoryScorer>([](std::span<const NodeId> history, NodeId i) {
    return static_cast<float>(history.size()) / 8.0F + static_cast<float>(i) / 64.0F;
  });
  model_.scorer = std::make_unique<TableOfScores>();
  EXPECT_EQ(scored("user,item\nu,a\n\"v,1\",d\nu,d\n"),
            "user,item,score\nu,a,0.375\n\"v,1\",d,0.171875\nu,d,0.421875\n");
  EXPECT_EQ(report_.score, "probability");
}

TEST_F(Score, OtherColumnsAndNamesAreKept) {
  ScoreOptions options;
  options.user_column = "who";
  options.item_column = "what";
  EXPECT_EQ(scored("note,what,who\n\"a \"\"b\"\"\",a,u\n,b,u\n\n", options),
            "note,what,who,score\n\"a \"\"b\"\"\",a,u,2\n,b,u,3\n");
}

TEST_F(Score, ACsvWithSemicolonsIsRead) {
  EXPECT_EQ(scored("user;item\nu;a\n\"v,1\";b\n"), "user,item,score\nu,a,2\n\"v,1\",b,7\n");
}

TEST_F(Score, UnknownIdsAreAnErrorWithTheirLine) {
  EXPECT_THAT(
      input_error_of([&] { scored("user,item\nu,a\nu,zz\n"); }),
      AllOf(HasSubstr("pairs.csv:3"), HasSubstr("unknown item 'zz'"), HasSubstr("--unknown skip")));
  EXPECT_THAT(input_error_of([&] { scored("user,item\nw,a\n"); }),
              AllOf(HasSubstr("pairs.csv:2"), HasSubstr("unknown user 'w'")));
  EXPECT_THAT(input_error_of([&] { scored("user,item\n,a\n"); }), HasSubstr("unknown user ''"));
  EXPECT_TRUE(nothing_written());
}

TEST_F(Score, UnknownIdsCanBeLeftOutOrScoreZero) {
  constexpr const char* kPairs = "user,item\nw,a\nu,b\nu,zz\n";
  EXPECT_EQ(scored(kPairs, {.unknown = UnknownIds::skip}), "user,item,score\nu,b,3\n");
  EXPECT_EQ(report_.rows_read, 3);
  EXPECT_EQ(report_.rows_unknown, 2);
  EXPECT_EQ(report_.rows_written, 1);
  EXPECT_EQ(scored(kPairs, {.unknown = UnknownIds::zero}),
            "user,item,score\nw,a,0\nu,b,3\nu,zz,0\n");
  EXPECT_EQ(scored("user,item\nw,a\n", {.unknown = UnknownIds::skip}), "user,item,score\n");
}

TEST_F(Score, QuotesOfPlainTextAreText) {
  EXPECT_EQ(scored("user,item,note\nu,b,\"half open\nu,b,7\" disc\nu,b,x\n"),
            "user,item,note,score\nu,b,\"\"\"half open\",3\nu,b,\"7\"\" disc\",3\nu,b,x,3\n");
  ScoreOptions options;
  options.text.quote = '\'';
  EXPECT_EQ(scored("user,item,note\nu,'b','x, y'\n", options),
            "user,item,note,score\nu,b,\"x, y\",3\n");
}

TEST_F(Score, ATableWithoutRowsGivesOne) {
  EXPECT_EQ(scored("user,item\n"), "user,item,score\n");
  score_table(model(), at("pairs.csv"), at("scores.parquet"), {}, silent_progress());
  EXPECT_THAT(table_columns(at("scores.parquet"), {}), ElementsAre("user", "item", "score"));
}

TEST_F(Score, ParquetInAndOut) {
  std::vector<std::string> texts;
  std::vector<std::string_view> users;
  std::vector<std::string_view> items;
  constexpr std::int64_t kRows = 40'000;  // several batches
  for (std::int64_t row = 0; row < kRows; ++row) {
    users.emplace_back(row % 3 == 0 ? "v,1" : "u");
    items.emplace_back(std::string_view("abcd").substr(static_cast<std::size_t>(row % 4), 1));
  }
  {
    ParquetWriter writer(at("pairs.parquet"));
    writer.write(kRows, {{"user", users}, {"item", items}});
    writer.close();
  }
  const ScoreReport report =
      score_table(model(), at("pairs.parquet"), at("scores.parquet"), {}, silent_progress());
  EXPECT_EQ(report.rows_written, kRows);
  const std::vector<std::string> columns = {"user", "item", "score"};
  TableReader reader(at("scores.parquet"), {}, columns);
  TextBatch batch;
  std::int64_t row = 0;
  while (reader.next(batch)) {
    for (std::size_t r = 0; r < static_cast<std::size_t>(batch.num_rows); ++r, ++row) {
      ASSERT_EQ(batch.columns[0][r], users[static_cast<std::size_t>(row)]);
      ASSERT_EQ(batch.columns[1][r], items[static_cast<std::size_t>(row)]);
      const auto item = row % 4;
      ASSERT_EQ(batch.columns[2][r], fmt::format("{}", row % 3 == 0 ? 3 * item + 4 : item + 2));
    }
  }
  EXPECT_EQ(row, kRows);
}

TEST_F(Score, BadFilesAreExplained) {
  const auto run = [&](const std::string& pairs, const std::string& out) {
    return input_error_of([&] { score_table(model(), at(pairs), at(out), {}, silent_progress()); });
  };
  write("pairs.csv", "customer,item\nu,a\n");
  EXPECT_THAT(run("pairs.csv", "scores.csv"),
              AllOf(HasSubstr("no column 'user'"), HasSubstr("customer, item")));
  EXPECT_THAT(run("pairs.csv", "scores.json"), HasSubstr(".csv or .parquet"));
  EXPECT_THAT(run("nowhere.csv", "scores.csv"), HasSubstr("no such file"));
  write("pairs.csv", "user,item,score\nu,a,1\n");
  EXPECT_THAT(run("pairs.csv", "scores.csv"), HasSubstr("already has a column 'score'"));
  write("pairs.csv", "user,item\nu,a\nu,a,b\n");
  EXPECT_THAT(run("pairs.csv", "scores.csv"),
              AllOf(HasSubstr("pairs.csv:3"), HasSubstr("3 fields, expected 2")));
  EXPECT_THAT(run("pairs.csv", "missing/scores.csv"), HasSubstr("cannot write"));
  EXPECT_TRUE(nothing_written());
}

}  // namespace
}  // namespace penchant::pipeline
