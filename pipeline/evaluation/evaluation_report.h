// SPDX-License-Identifier: Apache-2.0
// Evaluations as JSON and as a table for people.
#pragma once

#include <map>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include "pipeline/evaluation/baselines.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

/// num_users, seconds, seen_items_masked, metrics and, where there are any, full and pairs.
nlohmann::json evaluation_to_json(const EvaluateReport& report);
EvaluateReport evaluation_from_json(const nlohmann::json& stored);

/// One column of a table of metrics.
struct MetricColumn {
  std::string name;
  int width;
  const std::map<std::string, double>& metrics;
};
/// The names of the columns.
std::string metric_header(const std::string& title, std::span<const MetricColumn> columns);
/// One line for each metric of the first column.
std::string metric_lines(std::span<const MetricColumn> columns);

/// One line a metric: the values by the model's vectors and, where it is there, by its full score,
/// then those of the baselines; the pairs below. `part`: "test" or "validation".
std::string evaluation_table(const EvaluateReport& model, std::span<const Baseline> baselines,
                             const std::string& part);

}  // namespace penchant::pipeline
