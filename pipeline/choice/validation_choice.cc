// SPDX-License-Identifier: Apache-2.0
#include "pipeline/choice/validation_choice.h"

#include <algorithm>
#include <string_view>

#include "graph/error.h"
#include "pipeline/evaluation/evaluate.h"

namespace penchant::pipeline {

namespace {

constexpr double kTolerance = 0.01;

}  // namespace

Judgement judgement(const std::map<std::string, double>& metrics, const std::string& metric) {
  Judgement result;
  result.value = validation_value(metrics, metric);
  for (const auto& [name, value] : metrics) {
    if (std::string_view(name).starts_with("popularity@")) result.popularity = value;
  }
  return result;
}

double popularity_tolerance(const graph::SplitInteractions& split) {
  const graph::Interactions& train = split.train.interactions;
  const graph::Interactions& held_out = split.validation;
  if (train.time_ms.empty() || held_out.time_ms.empty()) return kTolerance;
  std::int64_t later = 0;
  std::size_t end = 0;  // of the user's training rows, which are in the order of time
  for (std::size_t row = 0; row < held_out.user.size(); ++row) {
    while (end < train.user.size() && train.user[end] <= held_out.user[row]) ++end;
    const bool has_train = end > 0 && train.user[end - 1] == held_out.user[row];
    if (!has_train || held_out.time_ms[row] >= train.time_ms[end - 1]) ++later;
  }
  return 2 * later > held_out.size() ? 0.0 : kTolerance;
}

std::size_t choose(std::span<const Judgement> tried, double tolerance) {
  PENCHANT_ASSERT(!tried.empty());
  double best = 0.0;
  for (const Judgement& one : tried) best = std::max(best, one.value);
  std::size_t chosen = tried.size();
  for (std::size_t i = 0; i < tried.size(); ++i) {
    if (tried[i].value < (1.0 - tolerance) * best) continue;
    // With no tolerance the value alone decides, by the first of equals.
    if (chosen == tried.size() ||
        (tolerance > 0.0 && tried[i].popularity > tried[chosen].popularity))
      chosen = i;
  }
  return chosen;
}

}  // namespace penchant::pipeline
