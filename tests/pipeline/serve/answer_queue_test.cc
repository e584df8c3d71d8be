// SPDX-License-Identifier: Apache-2.0
// Requests before a model: each is answered once and by its own answer, whatever waits beside it, and
// what is wrong with one says nothing about another.
#include "pipeline/serve/answer_queue.h"

#include <atomic>
#include <future>
#include <map>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class AnswerQueueTest : public penchant::testing::SmallShopTest {
 protected:
  static void SetUpTestSuite() {
    SmallShopTest::SetUpTestSuite();
    models_ = std::make_unique<penchant::testing::TemporaryFolder>();
    for (const int epochs : {1, 2}) {
      TrainOptions options = recipe();
      options.model.embedding_dim = 8;
      options.epochs = epochs;
      pipeline::train(dataset(), graphs(), options, "", model_path(epochs), backend(),
                      silent_progress());
    }
  }
  static void TearDownTestSuite() {
    models_.reset();
    SmallShopTest::TearDownTestSuite();
  }
  static std::filesystem::path model_path(int epochs) {
    return models_->path() / fmt::format("{}.model", epochs);
  }
  static std::shared_ptr<ServedModel> served(int epochs) {
    return std::make_shared<ServedModel>(Config{}, data_path().string(),
                                         model_path(epochs).string());
  }

  void SetUp() override { queue_.emplace(served(1), limits_, 1, posted_, nullptr, metrics_); }
  void use_log() {
    queue_.reset();
    log_.emplace(at("log"), posted_, [](const std::string&) {});
    queue_.emplace(served(1), limits_, 1, posted_, &*log_, metrics_);
  }
  HttpResponse ask(Question question, std::string body) {
    std::promise<HttpResponse> answer;
    queue_->ask(question, std::move(body),
                [&](HttpResponse response) { answer.set_value(std::move(response)); });
    return answer.get_future().get();
  }
  /// "422 filter".
  std::string status_and_code(Question question, std::string body) {
    const HttpResponse response = ask(question, std::move(body));
    if (response.status == 200) return "200";
    const json error = json::parse(response.body).at("error");
    EXPECT_EQ(error.at("status"), response.status);
    EXPECT_NE(error.at("message"), "");
    return fmt::format("{} {}", response.status, error.at("code").get<std::string>());
  }

  RequestLimits limits_{10, 50};
  PostedEvents posted_{10, 20};
  ServeMetrics metrics_;
  std::optional<EventLog> log_;
  std::optional<AnswerQueue> queue_;

 private:
  static std::unique_ptr<penchant::testing::TemporaryFolder> models_;
};
std::unique_ptr<penchant::testing::TemporaryFolder> AnswerQueueTest::models_;

TEST_F(AnswerQueueTest, EachIsAnsweredOnceAndByItsOwn) {
  constexpr int kEach = 40;
  std::map<std::string, std::string> alone;
  std::vector<std::pair<Question, std::string>> asked;
  for (int k = 0; k < kEach; ++k) {
    asked.emplace_back(Question::recommend,
                       fmt::format(R"({{"user": "u{}", "k": {}}})", k, 1 + k % 7));
    asked.emplace_back(
        Question::recommend,
        fmt::format(R"({{"user": "u{}", "k": 3, "where": "category != c{}"}})", k, k % 3));
    asked.emplace_back(Question::recommend, fmt::format(R"({{"history": ["i{}", "i1"]}})", k));
    asked.emplace_back(Question::similar, fmt::format(R"({{"item": "i{}", "k": 4}})", k));
    asked.emplace_back(Question::score,
                       fmt::format(R"({{"pairs": [{{"user": "u{}", "item": "i2"}}]}})", k));
    asked.emplace_back(Question::vectors, fmt::format(R"({{"users": ["u{}"]}})", k));
    asked.emplace_back(Question::recommend, fmt::format(R"({{"user": "nobody {}"}})", k));
    asked.emplace_back(Question::recommend, fmt::format("no JSON {}", k));
  }
  for (const auto& [question, body] : asked) alone[body] = ask(question, body).body;
  std::vector<std::string> answers(asked.size());
  std::vector<std::atomic<int>> times(asked.size());
  for (std::size_t k = 0; k < asked.size(); ++k) {
    queue_->ask(asked[k].first, asked[k].second, [&, k](const HttpResponse& response) {
      answers[k] = response.body;
      ++times[k];
    });
  }
  queue_.reset();  // it answers what waits
  for (std::size_t k = 0; k < asked.size(); ++k) {
    EXPECT_EQ(times[k], 1) << asked[k].second;
    EXPECT_EQ(answers[k], alone[asked[k].second]) << asked[k].second;
  }
}

TEST_F(AnswerQueueTest, EveryRefusalHasAStatusAndACode) {
  const auto recommend = [&](const std::string& more) {
    return status_and_code(Question::recommend, "{\"user\": \"u1\"" + more + "}");
  };
  EXPECT_EQ(recommend(""), "200");
  EXPECT_EQ(recommend(R"(, "k": 51)"), "400 too_many");
  EXPECT_EQ(recommend(R"(, "where": "category =")"), "422 filter");
  EXPECT_EQ(recommend(R"(, "where": "colour = red")"), "422 filter");
  EXPECT_EQ(recommend(R"(, "where": "category = nothing")"), "422 filter");
  EXPECT_EQ(recommend(R"(, "at_most": ["colour=1"])"), "422 filter");
  EXPECT_EQ(recommend(R"(, "only_items": ["i1", "nothing"])"), "404 unknown_item");
  EXPECT_EQ(recommend(R"(, "exclude": ["nothing"])"), "404 unknown_item");
  EXPECT_EQ(recommend(R"(, "exclude": ["nothing"], "unknown": "skip")"), "200");
  EXPECT_EQ(status_and_code(Question::recommend, R"({"user": "nobody"})"), "404 unknown_user");
  EXPECT_EQ(status_and_code(Question::recommend, R"({"history": ["nothing"]})"),
            "404 unknown_item");
  EXPECT_EQ(status_and_code(Question::similar, R"({"item": "nothing"})"), "404 unknown_item");
  EXPECT_EQ(status_and_code(Question::score, R"({"pairs": [{"user": "u1", "item": "nothing"}]})"),
            "404 unknown_item");
  EXPECT_EQ(status_and_code(Question::vectors, R"({"users": ["nobody"]})"), "404 unknown_user");
  EXPECT_EQ(status_and_code(Question::events, R"({"events": [{"user": "u1", "item": "i1"}]})"),
            "404 no_event_log");
}

TEST_F(AnswerQueueTest, AFilterThatNothingPassesLeavesAnEmptyList) {
  for (const char* body :
       {R"({"user": "u1", "only_items": []})",
        R"({"user": "u1", "ranking": "full", "only_items": []})",
        R"({"history": ["i1"], "only_items": ["nothing"], "unknown": "skip"})"}) {
    const HttpResponse response = ask(Question::recommend, body);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(json::parse(response.body).at("items"), json::array()) << body;
  }
  EXPECT_EQ(status_and_code(Question::recommend, R"({"user": "nobody", "only_items": []})"),
            "404 unknown_user");
  const HttpResponse near = ask(Question::similar, R"({"item": "i1", "only_items": ["i1"]})");
  EXPECT_EQ(near.status, 200) << near.body;
  EXPECT_EQ(json::parse(near.body).at("items"), json::array());
}

TEST_F(AnswerQueueTest, AnotherModelAnswersFromThenOn) {
  const std::string body = R"({"user": "u1"})";
  const std::string first = ask(Question::recommend, body).body;
  const auto other = served(2);
  queue_->exchange(other);
  EXPECT_EQ(queue_->model(), other);
  EXPECT_NE(ask(Question::recommend, body).body, first);
  queue_->exchange(served(1));
  EXPECT_EQ(ask(Question::recommend, body).body, first);
}

TEST_F(AnswerQueueTest, EventsCountOnceTheyAreOnDisk) {
  use_log();
  const std::string question = R"({"user": "u1"})";
  const std::string before = ask(Question::recommend, question).body;
  const HttpResponse response = ask(
      Question::events,
      R"({"events": [{"user": "u1", "item": "i3"}, {"user": "new", "item": "i4"}, {"user": "u1", "item": "nothing"}]})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json::parse(response.body),
            (json{{"accepted", 3}, {"unknown_users", 1}, {"unknown_items", 1}}));
  EXPECT_THAT(penchant::testing::read_text(at("log") / "events-000001.csv"),
              AllOf(HasSubstr("\nu1,i3,,"), HasSubstr("\nnew,i4,,"), HasSubstr("\nu1,nothing,,")));
  EXPECT_NE(ask(Question::recommend, question).body, before);
  EXPECT_EQ(status_and_code(Question::recommend, R"({"user": "new"})"), "200");
  EXPECT_THAT(metrics_.text({}), HasSubstr("penchant_events_total 3\n"));
}

TEST_F(AnswerQueueTest, NoMoreEventsThanAreHeld) {
  use_log();
  const auto post = [&](const std::string& user) {
    std::string events;
    for (int k = 0; k < 8; ++k)
      events += fmt::format(R"({}{{"user": "{}", "item": "i1"}})", k == 0 ? "" : ",", user);
    return status_and_code(Question::events, "{\"events\": [" + events + "]}");
  };
  EXPECT_EQ(post("a"), "200");
  EXPECT_EQ(post("b"), "200");
  EXPECT_EQ(post("c"), "503 too_many_events");
  EXPECT_EQ(posted_.num_events(), 16);
}

}  // namespace
}  // namespace penchant::pipeline
