// SPDX-License-Identifier: Apache-2.0
// Audiences of a small shop with two kinds of people: who is in them, in which order, who is left
// out and why, and what is refused.
#include "pipeline/audience/audience.h"

#include <cmath>
#include <numeric>
#include <set>

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "pipeline/audience/behaviour.h"
#include "pipeline/audience/propensity_features.h"
#include "tests/pipeline/support/logs.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;
using penchant::testing::attribute;
using penchant::testing::input_error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int kPeople = 120;

/// Even people buy tea, odd people buy tools. A third of each kind have had the kind's gift, and
/// another sixth buys it first in the last tenth of the log, which validates.
class Audiences : public penchant::testing::IngestTest {
 protected:
  Audiences() : backend_(kernels::make_backend({kernels::DeviceChoice::cpu, 1})) {
    std::string log = "user,item,time\n", items = "item,kind\n";
    const auto add = [&](int user, const std::string& item, int hour) {
      log +=
          fmt::format("u{},{},2024-01-{:02}T{:02}:00:00Z\n", user, item, 1 + hour / 24, hour % 24);
    };
    for (int user = 0; user < kPeople; ++user) {
      const std::string kind = user % 2 == 0 ? "tea" : "tool";
      for (int k = 0; k < 9; ++k)
        add(user, fmt::format("{}{}", kind, (user / 2 + k) % 12), (user * 7 + k * 41) % 500);
      if (user % 6 < 2) add(user, kind + "gift", (user * 11) % 500);
      if (user % 6 == 2 || user % 12 == 3) add(user, kind + "gift", 540 + user % 40);
    }
    for (int user = 0; user < kPeople; ++user) add(user, "bread", 530 + user % 60);
    for (const char* kind : {"tea", "tool"}) {
      for (int k = 0; k < 12; ++k) items += fmt::format("{}{},{}\n", kind, k, kind);
      items += fmt::format("{}gift,{}gift\n", kind, kind);
    }
    items += "bread,food\nunsold,nothing\n";
    IngestOptions options;
    options.split_method = graph::SplitMethod::global_time;
    options.test_fraction = 0.0;
    options.validation_fraction = 0.13;
    options.item_table.emplace();
    options.item_table->files = {write("items.csv", items)};
    options.item_column = "item";
    options.attributes = {attribute("kind")};
    dataset_ = ingest_text(log, options);
    kernels::FloatMatrix users = backend_->matrix<float>(dataset_.num_users(), 2);
    kernels::FloatMatrix rows = backend_->matrix<float>(dataset_.num_items(), 2);
    const auto place = [](kernels::FloatView to, std::int64_t row, bool first) {
      to(row, 0) = first ? 1.0F : 0.1F;
      to(row, 1) = first ? 0.1F : 1.0F;
    };
    for (std::int64_t user = 0; user < dataset_.num_users(); ++user)
      place(users.view(), user, number_of(static_cast<NodeId>(user)) % 2 == 0);
    for (std::int64_t item = 0; item < dataset_.num_items(); ++item)
      place(rows.view(), item, dataset_.items.raw(static_cast<NodeId>(item)).starts_with("tea"));
    Model::Parts parts;
    parts.vectors = {std::move(users), std::move(rows), {2, 0, false, false}};
    parts.name = "test";
    parts.hash = "00";
    model_ = std::make_unique<Model>(dataset_, std::move(parts), *backend_);
  }

  int number_of(NodeId user) const {
    return std::stoi(std::string(dataset_.users.raw(user).substr(1)));
  }
  std::set<int> numbers(const Audience& audience) const {
    std::set<int> found;
    for (const NodeId user : audience.users) found.insert(number_of(user));
    return found;
  }
  Audience make(const AudienceOptions& options) {
    return make_audience(*model_, options, silent_progress());
  }
  std::string refusal(const AudienceOptions& options) {
    return input_error_of([&] { make(options); });
  }
  static AudienceOptions of_interest(const std::string& where, std::int64_t size) {
    AudienceOptions options;
    options.interest.where = where;
    options.size = size;
    return options;
  }
  /// The first `count` people who buy tea.
  static AudienceOptions of_seed(int count, std::int64_t size) {
    AudienceOptions options;
    options.seed.emplace();
    for (int k = 0; k < count; ++k) options.seed->push_back(fmt::format("u{}", 2 * k));
    options.size = size;
    return options;
  }
  static std::int64_t left_out(const Audience& audience, const std::string& reason) {
    for (const auto& [name, count] : audience.report.left_out) {
      if (name == reason) return count;
    }
    ADD_FAILURE() << reason << " is no reason";
    return -1;
  }

  std::unique_ptr<kernels::Backend> backend_;
  Dataset dataset_;
  std::unique_ptr<Model> model_;
};

TEST_F(Audiences, OfAnInterestAreThoseWhoAreLikeItsBuyers) {
  const Audience audience = make(of_interest("kind = teagift", 20));
  // 20 of the even people had the gift before, 20 have it since the validation part.
  EXPECT_EQ(left_out(audience, "had_the_items"), 40);
  EXPECT_EQ(audience.report.considered, kPeople);
  EXPECT_EQ(audience.report.eligible, kPeople - 40);
  ASSERT_EQ(audience.users.size(), 20U);
  for (const int number : numbers(audience)) {
    EXPECT_EQ(number % 2, 0) << "buys tools";
    EXPECT_EQ(number % 6, 4) << "had the gift";
  }
  EXPECT_TRUE(std::is_sorted(audience.probability.rbegin(), audience.probability.rend()));
  EXPECT_GT(audience.lift.back(), 1.5F);
  const double sum = std::accumulate(audience.probability.begin(), audience.probability.end(), 0.0);
  EXPECT_NEAR(audience.report.expected, sum, 1e-6);
  EXPECT_NEAR(audience.lift.front() * audience.report.base_rate, audience.probability.front(),
              1e-6);
  EXPECT_GT(audience.report.period_days, 1.0);
}

TEST_F(Audiences, KeepThoseWhoHadTheItems) {
  AudienceOptions options = of_interest("kind = teagift", kPeople);
  options.known = KnownPeople::keep;
  const Audience audience = make(options);
  EXPECT_EQ(audience.users.size(), static_cast<std::size_t>(kPeople));
  const double sum = std::accumulate(audience.probability.begin(), audience.probability.end(), 0.0);
  EXPECT_NEAR(audience.report.base_rate, sum / kPeople, 1e-6) << "of everybody: lift 1 on average";
}

TEST_F(Audiences, ProbabilitiesAddUpToWhatTheyWereLearnedFrom) {
  // Newton's minimum has a gradient of 0 for the intercept: over the examples, expected = observed.
  const Audience audience = make(of_interest("kind in (teagift, toolgift)", 20));
  EXPECT_GT(audience.report.regression.positives, 20);
  EXPECT_GT(audience.report.base_rate, 0.02);
  EXPECT_LT(audience.report.base_rate, 0.6);
}

TEST_F(Audiences, AreAShareOfThoseWhoMayBeInThem) {
  AudienceOptions options = of_interest("kind = teagift", 0);
  options.share = parse_share("30%");
  EXPECT_EQ(make(options).users.size(), 24U);  // of 80
  EXPECT_DOUBLE_EQ(parse_share("0.05"), 0.05);
  for (const char* text : {"", "0", "0%", "101%", "1.5", "-5%", "five", "5 %", "%", "nan"})
    EXPECT_THAT(input_error_of([&] { parse_share(text); }), HasSubstr("--share")) << text;
}

TEST_F(Audiences, OfASeedAreLikeIt) {
  const Audience audience = make(of_seed(30, 30));
  EXPECT_EQ(left_out(audience, "seed"), 30);
  for (const int number : numbers(audience)) {
    EXPECT_EQ(number % 2, 0) << number;
    EXPECT_GE(number, 60) << "of the seed";
  }
  AudienceOptions kept = of_seed(30, 60);
  kept.known = KnownPeople::keep;
  const std::set<int> both = numbers(make(kept));
  EXPECT_TRUE(std::all_of(both.begin(), both.end(), [](int number) { return number % 2 == 0; }));
}

TEST_F(Audiences, LeaveOutWhoIsExcludedAndWhomATableDoesNotName) {
  AudienceOptions options = of_seed(30, 20);
  options.exclude = {"u60", "u62", "u0"};
  std::string table = "who,income\n";
  for (int user = 0; user < kPeople; ++user) {
    if (user != 64) table += fmt::format("u{},{}\n", user, user < 66 ? "low" : "high");
  }
  options.user_table = write("users.csv", table + "stranger,high\n");
  options.user_key = "who";
  options.where_users = "income = high";
  const Audience audience = make(options);
  EXPECT_EQ(left_out(audience, "exclude"), 3);
  EXPECT_EQ(left_out(audience, "not_in_user_table"), 1);
  EXPECT_EQ(left_out(audience, "where_users"), 66 - 3 - 1);
  EXPECT_EQ(left_out(audience, "seed"), 0) << "the seed's incomes are low";
  EXPECT_EQ(audience.report.eligible, kPeople - 66);
  EXPECT_EQ(audience.report.unknown_rows, 1);
  for (const int number : numbers(audience)) EXPECT_GE(number, 66);
}

TEST_F(Audiences, RefuseASeedThatSaysNothing) {
  EXPECT_THAT(refusal(of_seed(3, 20)),
              AllOf(HasSubstr("--seed"), HasSubstr("3 known users"), HasSubstr("at least 20")));
  AudienceOptions strangers = of_seed(30, 20);
  strangers.seed->push_back("stranger");
  EXPECT_THAT(refusal(strangers), AllOf(HasSubstr("seed[30]"), HasSubstr("'stranger'")));
  strangers.unknown = UnknownRawIds::skip;
  EXPECT_EQ(make(strangers).report.unknown_ids, 1);
  AudienceOptions all = of_seed(30, 20);
  all.seed->clear();
  for (int user = 0; user < kPeople; ++user) all.seed->push_back(fmt::format("u{}", user));
  EXPECT_THAT(refusal(all), HasSubstr("nobody is left"));
}

TEST_F(Audiences, RefuseAnInterestInNothing) {
  EXPECT_THAT(refusal(of_interest("kind = tea and kind = tool", 20)), HasSubstr("no item passes"));
  EXPECT_THAT(refusal(of_interest("kind = teagft", 20)),
              AllOf(HasSubstr("--interest, column 8"), HasSubstr("did you mean 'teagift'")));
  AudienceOptions unknown = of_interest("", 20);
  unknown.interest.items = {"tea1", "nobody's"};
  EXPECT_THAT(refusal(unknown), HasSubstr("interest_items[1]"));
  unknown.interest.unknown = UnknownRawIds::skip;
  EXPECT_EQ(make(unknown).report.unknown_ids, 1);
  unknown.interest.items = {"nobody's"};
  EXPECT_THAT(refusal(unknown), HasSubstr("none of the ids"));
}

TEST_F(Audiences, RefuseSizes) {
  EXPECT_THAT(refusal(of_interest("kind = tea", kPeople + 1)),
              AllOf(HasSubstr("--size is 121"), HasSubstr("120 users")));
  EXPECT_THAT(refusal(of_interest("kind = tea", 3)), HasSubstr("--min-size"));
  EXPECT_THAT(refusal(of_interest("kind = tea", -5)), HasSubstr("at least 1"));
  EXPECT_THAT(refusal(of_interest("kind = tea", 0)), HasSubstr("either --size or --share"));
  AudienceOptions both = of_interest("kind = tea", 20);
  both.share = 0.5;
  EXPECT_THAT(refusal(both), HasSubstr("found both"));
}

TEST_F(Audiences, RefuseToBeOfFewPeople) {
  AudienceOptions options = of_seed(30, 20);
  std::string table = "who,income\n";
  for (int user = 0; user < kPeople; ++user)
    table += fmt::format("u{},{}\n", user, user == 61 ? "high" : "low");
  options.user_table = write("users.csv", table);
  options.user_key = "who";
  options.where_users = "income = high";
  EXPECT_THAT(refusal(options), AllOf(HasSubstr("1 people"), HasSubstr("fewer than 20"),
                                      HasSubstr("where_users 119")));
  options.min_size = 1;
  options.size = 1;
  EXPECT_EQ(numbers(make(options)), std::set<int>{61});
  options.where_users = "income = high and income = low";
  EXPECT_THAT(refusal(options), HasSubstr("0 people")) << "nobody";
  options.where_users = "salary = high";
  EXPECT_THAT(refusal(options), HasSubstr("the users have no attribute 'salary'"));
  options.user_key = "";
  EXPECT_THAT(refusal(options), HasSubstr("go together"));
}

TEST_F(Audiences, RefuseToLearnWithoutAValidationPart) {
  dataset_.split.validation = {};
  EXPECT_THAT(refusal(of_interest("kind = tea", 20)), HasSubstr("validation part"));
  EXPECT_NO_THROW(make(of_seed(30, 20)));
}

TEST_F(Audiences, RefuseBothAndNeither) {
  AudienceOptions options = of_seed(30, 20);
  options.interest.where = "kind = tea";
  EXPECT_THAT(refusal(options), HasSubstr("found both"));
  EXPECT_THAT(refusal(of_interest("", 20)), HasSubstr("found neither"));
}

TEST_F(Audiences, UserFeaturesAreTheSumsByHand) {
  const Behaviour past(dataset_, KnownPart::train), now(dataset_, KnownPart::train_and_validation);
  const NodeId user = dataset_.users.find("u2");
  EXPECT_EQ(past.num_rows(user), 9);
  EXPECT_EQ(now.num_rows(user), 11) << "the gift and bread";
  std::vector<float> features(kNumUserFeatures);
  write_user_features(past, user, features);
  // Hours (14 + 41 k) mod 500 of the rows; halved every 1.5 periods before the cut.
  double decayed = 0.05;
  int recent = 0;
  const double cut = static_cast<double>(past.period().cut_ms - 1704067200000) / 3.6e6;
  const double length = static_cast<double>(past.period().length_ms) / 3.6e6;
  for (int k = 0; k < 9; ++k) {
    const double age = (cut - (14 + k * 41) % 500) / length;
    decayed += std::exp2(-age / 1.5);
    recent += age <= 1.0 ? 1 : 0;
  }
  EXPECT_NEAR(features[0], std::log(decayed), 1e-5);
  EXPECT_FLOAT_EQ(features[1], std::log1p(static_cast<float>(recent)));
}

TEST(ColumnRidge, SolvesItsNormalEquations) {
  ColumnRidge ridge(2);
  ridge.add({{0, 1}, {1.0F, 2.0F}}, 3.0);
  ridge.add({{1}, {1.0F}}, 1.0);
  const std::vector<float> weights = ridge.solve();
  // (1 + 50) a + 2 b = 3, 2 a + (5 + 50) b = 7
  EXPECT_NEAR(51.0 * weights[0] + 2.0 * weights[1], 3.0, 1e-4);
  EXPECT_NEAR(2.0 * weights[0] + 55.0 * weights[1], 7.0, 1e-4);
  EXPECT_NEAR(predict({{1}, {2.0F}}, weights), 2.0 * weights[1], 1e-6);
}

}  // namespace
}  // namespace penchant::pipeline
