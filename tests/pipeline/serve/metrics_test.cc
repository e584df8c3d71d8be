// SPDX-License-Identifier: Apache-2.0
// What Prometheus reads: each metric under its own HELP and TYPE, buckets that add up, labels escaped.
#include "pipeline/serve/metrics.h"

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penchant::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ServeGauges served_gauges() {
  ServeGauges gauges;
  gauges.model = "interest";
  gauges.model_hash = "0123";
  gauges.data_hash = "4567";
  gauges.num_users = 300;
  gauges.num_items = 150;
  return gauges;
}

/// Values by metric and labels, in a text that follows the format line by line.
std::map<std::string, double> samples_of(const std::string& text) {
  static const std::regex kSample(
      R"re(([a-z_]+)(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? ([0-9.e+-]+|\+Inf))re");
  std::map<std::string, double> samples;
  std::set<std::string> told;
  std::string type_of, line;
  std::istringstream lines(text);
  EXPECT_TRUE(text.ends_with('\n'));
  while (std::getline(lines, line)) {
    std::smatch match;
    if (std::regex_match(line, match, std::regex("# HELP ([a-z_]+) (.+)"))) {
      type_of = match[1];
      EXPECT_TRUE(told.insert(type_of).second) << type_of << " comes twice";
      std::getline(lines, line);
      EXPECT_TRUE(
          std::regex_match(line, std::regex("# TYPE " + type_of + " (counter|gauge|histogram)")))
          << line;
      EXPECT_EQ(line.ends_with("counter"), type_of.ends_with("_total")) << line;
      continue;
    }
    if (!std::regex_match(line, match, kSample)) {
      ADD_FAILURE() << line;
      continue;
    }
    EXPECT_TRUE(match[1].str().starts_with(type_of)) << line << " under " << type_of;
    EXPECT_TRUE(samples.emplace(line.substr(0, line.rfind(' ')), std::stod(match[5])).second)
        << line << " comes twice";
  }
  return samples;
}

TEST(ServeMetricsTest, NothingHasHappened) {
  auto samples = samples_of(ServeMetrics().text(served_gauges()));
  EXPECT_EQ(samples.at("penchant_users"), 300);
  EXPECT_EQ(samples.at("penchant_items"), 150);
  EXPECT_EQ(samples.at("penchant_draining"), 0);
  EXPECT_EQ(samples.at("penchant_connections"), 0);
  EXPECT_EQ(samples.at("penchant_reloads_total{result=\"failed\"}"), 0);
  EXPECT_EQ(samples.at("penchant_model_info{name=\"interest\",hash=\"0123\",data_hash=\"4567\"}"),
            1);
  EXPECT_GT(samples.at("process_resident_memory_bytes"), 1e6);
}

TEST(ServeMetricsTest, CountsWhatHappened) {
  ServeMetrics metrics;
  metrics.connected(1);
  metrics.connected(1);
  metrics.connected(-1);
  metrics.add_events(5);
  metrics.add_events(2);
  metrics.add_reload(true);
  metrics.add_reload(false);
  metrics.add_reload(false);
  metrics.answered("/recommend", 200, 0.0005);  // a bucket has its upper end
  metrics.answered("/recommend", 200, 0.0006);
  metrics.answered("/recommend", 404, 9.0);
  metrics.answered("", 400, 0.0);
  ServeGauges gauges = served_gauges();
  gauges.users_with_events = 3;
  gauges.events_held = 6;
  gauges.draining = true;
  auto samples = samples_of(metrics.text(gauges));
  EXPECT_EQ(samples.at("penchant_connections"), 1);
  EXPECT_EQ(samples.at("penchant_events_total"), 7);
  EXPECT_EQ(samples.at("penchant_events_held"), 6);
  EXPECT_EQ(samples.at("penchant_users_with_events"), 3);
  EXPECT_EQ(samples.at("penchant_reloads_total{result=\"ok\"}"), 1);
  EXPECT_EQ(samples.at("penchant_reloads_total{result=\"failed\"}"), 2);
  EXPECT_EQ(samples.at("penchant_draining"), 1);
  EXPECT_EQ(samples.at("penchant_requests_total{path=\"/recommend\",status=\"200\"}"), 2);
  EXPECT_EQ(samples.at("penchant_requests_total{path=\"/recommend\",status=\"404\"}"), 1);
  EXPECT_EQ(samples.at("penchant_requests_total{path=\"other\",status=\"400\"}"), 1);
  const auto below = [&](const char* bound) {
    return samples.at(std::string("penchant_request_seconds_bucket{path=\"/recommend\",le=\"") +
                      bound + "\"}");
  };
  EXPECT_EQ(below("0.0005"), 1);
  EXPECT_EQ(below("0.001"), 2);
  EXPECT_EQ(below("2.5"), 2);
  EXPECT_EQ(below("+Inf"), 3);
  EXPECT_EQ(samples.at("penchant_request_seconds_count{path=\"/recommend\"}"), 3);
  EXPECT_NEAR(samples.at("penchant_request_seconds_sum{path=\"/recommend\"}"), 9.0011, 1e-6);
}

TEST(ServeMetricsTest, LabelsAreEscaped) {
  ServeGauges gauges = served_gauges();
  gauges.model = "a \"b\" \\c\nd";
  const std::string text = ServeMetrics().text(gauges);
  samples_of(text);
  EXPECT_THAT(text, HasSubstr(R"(penchant_model_info{name="a \"b\" \\c\nd",hash=)"));
}

}  // namespace
}  // namespace penchant::pipeline
