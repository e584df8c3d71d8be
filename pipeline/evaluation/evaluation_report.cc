// SPDX-License-Identifier: Apache-2.0
#include "pipeline/evaluation/evaluation_report.h"

#include <map>
#include <vector>

#include <fmt/core.h>

namespace penchant::pipeline {

using nlohmann::json;

namespace {

json pairs_to_json(const PairReport& pairs) {
  json bins = json::array();
  for (const ReliabilityBin& bin : pairs.metrics.bins) {
    bins.push_back({{"lower", bin.lower},
                    {"upper", bin.upper},
                    {"num_pairs", bin.num_pairs},
                    {"mean_probability", bin.mean_probability},
                    {"share_positive", bin.share_positive}});
  }
  return {{"num_pairs", pairs.num_pairs},
          {"metrics", pairs.metrics.values},
          {"popularity_metrics",
           {{"auc", pairs.popularity_auc}, {"user_auc", pairs.popularity_user_auc}}},
          {"calibration", bins}};
}

PairReport pairs_from_json(const json& stored) {
  PairReport pairs;
  pairs.num_pairs = stored.at("num_pairs").get<std::int64_t>();
  pairs.metrics.values = stored.at("metrics").get<std::map<std::string, double>>();
  pairs.popularity_auc = stored.at("popularity_metrics").at("auc").get<double>();
  pairs.popularity_user_auc = stored.at("popularity_metrics").at("user_auc").get<double>();
  for (const json& bin : stored.at("calibration")) {
    pairs.metrics.bins.push_back({bin.at("lower").get<double>(), bin.at("upper").get<double>(),
                                  bin.at("num_pairs").get<std::int64_t>(),
                                  bin.at("mean_probability").get<double>(),
                                  bin.at("share_positive").get<double>()});
  }
  return pairs;
}

json ratings_to_json(const RatingReport& ratings) {
  return {{"num_ratings", ratings.num_ratings},
          {"metrics", ratings.metrics},
          {"item_mean_metrics", ratings.item_mean_metrics}};
}

RatingReport ratings_from_json(const json& stored) {
  return {stored.at("metrics").get<std::map<std::string, double>>(),
          stored.at("item_mean_metrics").get<std::map<std::string, double>>(),
          stored.at("num_ratings").get<std::int64_t>()};
}

std::string ratings_table(const RatingReport& ratings, const std::string& part) {
  std::string text = fmt::format("\n{:<18}{:>12}{:>17}\n", part + " ratings", "model", "item mean");
  for (const auto& [name, value] : ratings.metrics)
    text +=
        fmt::format("{:<18}{:>12.4f}{:>17.4f}\n", name, value, ratings.item_mean_metrics.at(name));
  return text + fmt::format("{} held-out rows\n", ratings.num_ratings);
}

std::string pairs_table(const PairReport& pairs, const std::string& part) {
  std::string text = fmt::format("\n{:<18}{:>12}{:>14}\n", part + " pairs", "model", "popularity");
  for (const auto& [name, value] : pairs.metrics.values) {
    text += fmt::format("{:<18}{:>12.4f}", name, value);
    if (name == "auc") text += fmt::format("{:>17.4f}", pairs.popularity_auc);
    if (name == "user_auc") text += fmt::format("{:>17.4f}", pairs.popularity_user_auc);
    text += "\n";
  }
  text += fmt::format("\n{:<18}{:>12}{:>17}{:>12}\n", "probability", "mean", "positive", "pairs");
  for (const ReliabilityBin& bin : pairs.metrics.bins) {
    if (bin.num_pairs == 0) continue;
    text += fmt::format("{:<18}{:>12.4f}{:>17.4f}{:>12}\n",
                        fmt::format("{:.1f} to {:.1f}", bin.lower, bin.upper), bin.mean_probability,
                        bin.share_positive, bin.num_pairs);
  }
  return text +
         fmt::format("{} pairs: each user's next item and an item that the user does not have\n",
                     pairs.num_pairs);
}

}  // namespace

json evaluation_to_json(const EvaluateReport& report) {
  json result = {{"num_users", report.num_users},
                 {"num_new_users", report.num_new_users},
                 {"seconds", report.seconds},
                 {"seen_items_masked", report.seen_items_masked},
                 {"trained_on_part", report.trained_on_part},
                 {"metrics", report.metrics}};
  if (!report.full.empty()) result["full"] = report.full;
  if (report.pairs) result["pairs"] = pairs_to_json(*report.pairs);
  if (report.ratings) result["ratings"] = ratings_to_json(*report.ratings);
  return result;
}

EvaluateReport evaluation_from_json(const json& stored) {
  EvaluateReport report;
  report.num_users = stored.at("num_users").get<std::int64_t>();
  report.num_new_users = stored.value("num_new_users", std::int64_t{0});
  report.seconds = stored.at("seconds").get<double>();
  report.seen_items_masked = stored.at("seen_items_masked").get<bool>();
  report.trained_on_part = stored.value("trained_on_part", false);
  report.metrics = stored.at("metrics").get<std::map<std::string, double>>();
  if (stored.contains("full")) report.full = stored.at("full").get<std::map<std::string, double>>();
  if (stored.contains("pairs")) report.pairs = pairs_from_json(stored.at("pairs"));
  if (stored.contains("ratings")) report.ratings = ratings_from_json(stored.at("ratings"));
  return report;
}

std::string metric_header(const std::string& title, std::span<const MetricColumn> columns) {
  std::string text = fmt::format("{:<18}", title);
  for (const MetricColumn& column : columns)
    text += fmt::format("{:>{}}", column.name, column.width);
  return text + "\n";
}

std::string metric_lines(std::span<const MetricColumn> columns) {
  std::string text;
  for (const auto& [name, first] : columns.front().metrics) {
    const int digits = name.starts_with("popularity") || name == "mean_rank" ? 1 : 4;
    text += fmt::format("{:<18}", name);
    for (const MetricColumn& column : columns)
      text += fmt::format("{:>{}.{}f}", column.metrics.at(name), column.width, digits);
    text += "\n";
  }
  return text;
}

std::string evaluation_table(const EvaluateReport& model, std::span<const Baseline> baselines,
                             const std::string& part) {
  std::vector<MetricColumn> columns;
  if (!model.metrics.empty()) columns.push_back({"vectors", 12, model.metrics});
  if (!model.full.empty()) columns.push_back({"full", 12, model.full});
  for (const Baseline& baseline : baselines)
    columns.push_back({baseline.name, 17, baseline.report.metrics});
  std::string text = metric_header(part + " metric", columns) + metric_lines(columns);
  text += fmt::format(
      "{} users, all items ranked, {}\n", model.num_users,
      model.seen_items_masked ? "seen items masked" : "seen items too (held-out rows repeat some)");
  if (model.pairs) text += pairs_table(*model.pairs, part);
  if (model.ratings) text += ratings_table(*model.ratings, part);
  return text;
}

}  // namespace penchant::pipeline
