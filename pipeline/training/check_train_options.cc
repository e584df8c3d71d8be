// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/check_train_options.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <span>
#include <string_view>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/evaluation/metrics.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/filter_search.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

constexpr std::int64_t kLargestCutoff = 1'000'000;

/// Names of all metrics of one user, at cut-off 1 where they have one.
std::map<std::string, double> metrics_of_one_user() {
  const std::int64_t counts[] = {1};
  const NodeId ranked[] = {0};
  const double above[] = {0.0};
  MetricSums sums({1}, counts);
  sums.add(ranked, ranked);
  sums.add_ranks(above, 1);
  return sums.averages();
}

bool is_metric(const std::string& metric) {
  const std::map<std::string, double> names = metrics_of_one_user();
  const auto at = metric.find('@');
  if (at == std::string::npos) return names.contains(metric);
  std::int64_t cutoff = 0;
  std::from_chars(metric.data() + at + 1, metric.data() + metric.size(), cutoff);
  return cutoff >= 1 && cutoff <= kLargestCutoff &&
         metric == fmt::format("{}@{}", metric.substr(0, at), cutoff) &&
         names.contains(metric.substr(0, at) + "@1");
}

}  // namespace

void check_train_options(const TrainOptions& options) {
  check_model_options(options.model);
  check_filter_choice(options);
  check_bounds("train.epochs", options.epochs);
  check_bounds("train.batch_size", options.batch_size);
  check_bounds("train.num_negatives", options.num_negatives);
  check_bounds("train.negative_power", options.negative_power);
  check_bounds("train.negative_correction", options.negative_correction);
  check_bounds("train.learning_rate", static_cast<double>(options.learning_rate));
  check_bounds("train.l2", static_cast<double>(options.l2));
  check_bounds("train.validate_every", options.validate_every);
  check_bounds("train.patience", options.patience);
  check_bounds("train.checkpoint_every", options.checkpoint_every);
  if (!is_metric(options.validation_metric)) {
    throw InputError(fmt::format(
        "train.validation_metric is '{}', expected a name such as ndcg@20, recall@10 or auc",
        options.validation_metric));
  }
}

}  // namespace penchant::pipeline
