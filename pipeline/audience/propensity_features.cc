// SPDX-License-Identifier: Apache-2.0
#include "pipeline/audience/propensity_features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "pipeline/audience/logistic.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

constexpr std::int64_t kMostColumns = 512;
/// Chosen on the validation part of Complete Journey among 50, 150 and 400 (docs/audience.md).
constexpr double kRidge = 50.0;
/// Half-life of a row's part in the activity, in periods. Of 15, 45 and 120 days, where a period has
/// 30.6, the middle one ranked best there as a feature by itself.
constexpr double kHalfLife = 1.5;
/// A prediction of nothing is as good as this one: 2 % of a first row's log.
constexpr double kLeastRidge = 0.02;
/// Of a rate of first interest, beside the people it was seen of: one in twenty.
constexpr double kPriorBuyers = 1.0, kPriorPeople = 20.0;

constexpr std::array<const char*, kNumFeatures> kFeatureNames = {
    "log decayed rows",    "log rows of the last period",
    "log rate of the set", "log share of the set",
    "ridge on counts",     "log ridge on counts",
    "log rows of the set", "recency of the set"};

float log1p_of(double value) { return static_cast<float>(std::log1p(value)); }

/// log(1 + age in periods), 0 where times say nothing.
float age_in_periods(const Period& period, std::int64_t time_ms) {
  if (period.length_ms == 0 || time_ms == graph::kNoTime) return 0.0F;
  const double age = static_cast<double>(std::max<std::int64_t>(period.cut_ms - time_ms, 0));
  return log1p_of(age / static_cast<double>(period.length_ms));
}

}  // namespace

std::span<const char* const> feature_names() { return kFeatureNames; }

void write_user_features(const Behaviour& behaviour, NodeId user, std::span<float> to) {
  const Period& period = behaviour.period();
  double decayed = 0.0, recent = 0.0;
  behaviour.for_each_row(user, [&](NodeId, std::int64_t time_ms, std::int32_t) {
    if (!behaviour.has_times() || time_ms == graph::kNoTime) {
      decayed += 1.0;
      return;
    }
    const double age =
        static_cast<double>(period.cut_ms - time_ms) / static_cast<double>(period.length_ms);
    decayed += std::exp2(-age / kHalfLife);
    recent += age <= 1.0 ? 1.0 : 0.0;
  });
  to[0] = static_cast<float>(std::log(decayed + 0.05));
  to[1] = log1p_of(recent);
}

std::vector<std::int64_t> owners_of_items(const Behaviour& behaviour, std::int64_t num_items) {
  std::vector<std::int64_t> owners(at(num_items), 0);
  std::vector<NodeId> last(owners.size(), graph::kNoNode);
  for (std::int64_t user = 0; user < behaviour.num_users(); ++user) {
    const auto id = static_cast<NodeId>(user);
    behaviour.for_each_row(id, [&](NodeId item, std::int64_t, std::int32_t) {
      if (std::exchange(last[at(item)], id) != id) ++owners[at(item)];
    });
  }
  return owners;
}

CountedColumns counted_columns(const Dataset& dataset, const Behaviour& behaviour,
                               const std::vector<std::int64_t>& owners) {
  struct Source {
    graph::CsrView values;
    std::int64_t first;  ///< of its columns among all candidates; items come first
  };
  std::vector<Source> sources;
  std::int64_t num_candidates = dataset.num_items();
  for (const graph::Attribute& attribute : dataset.catalog.attributes) {
    if (attribute.kind != graph::AttributeKind::categorical &&
        attribute.kind != graph::AttributeKind::list)
      continue;
    sources.push_back({attribute.item_values.view(), num_candidates});
    num_candidates += attribute.values.size();
  }
  std::vector<std::int64_t> candidates = owners;
  candidates.resize(at(num_candidates), 0);
  std::vector<NodeId> last(candidates.size(), graph::kNoNode);
  for (std::int64_t user = 0; user < behaviour.num_users(); ++user) {
    const auto id = static_cast<NodeId>(user);
    behaviour.for_each_row(id, [&](NodeId item, std::int64_t, std::int32_t) {
      for (const Source& source : sources) {
        for (const NodeId value : source.values.row(item)) {
          const std::size_t candidate = at(source.first + value);
          if (std::exchange(last[candidate], id) != id) ++candidates[candidate];
        }
      }
    });
  }
  std::vector<std::int64_t> order(candidates.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto kept = std::min<std::int64_t>(kMostColumns, num_candidates);
  std::partial_sort(order.begin(), order.begin() + kept, order.end(),
                    [&](std::int64_t a, std::int64_t b) {
                      return std::pair(candidates[at(b)], a) < std::pair(candidates[at(a)], b);
                    });
  order.resize(at(kept));
  while (!order.empty() && candidates[at(order.back())] == 0) order.pop_back();
  std::vector<NodeId> column_of(candidates.size(), graph::kNoNode);
  for (std::size_t column = 0; column < order.size(); ++column)
    column_of[at(order[column])] = static_cast<NodeId>(column);

  CountedColumns columns;
  columns.num_columns = static_cast<std::int64_t>(order.size());
  graph::Csr& of_items = columns.of_items;
  of_items.num_rows = dataset.num_items();
  of_items.num_cols = columns.num_columns;
  for (std::int64_t item = 0; item < dataset.num_items(); ++item) {
    const auto add = [&](std::int64_t candidate) {
      const NodeId column = column_of[at(candidate)];
      if (column != graph::kNoNode) of_items.columns.push_back(column);
    };
    add(item);
    for (const Source& source : sources) {
      for (const NodeId value : source.values.row(item)) add(source.first + value);
    }
    of_items.offsets.push_back(static_cast<graph::EdgeOffset>(of_items.columns.size()));
  }
  return columns;
}

void ColumnCounter::take_logs() {
  std::sort(found_.columns.begin(), found_.columns.end());
  found_.logs.clear();
  for (const NodeId column : found_.columns)
    found_.logs.push_back(log1p_of(std::exchange(rows_[at(column)], 0)));
}

void ColumnRidge::add(const ColumnCounts& counts, double target) {
  const std::size_t size = target_.size();
  for (std::size_t i = 0; i < counts.columns.size(); ++i) {
    const std::size_t row = at(counts.columns[i]);
    const auto value = static_cast<double>(counts.logs[i]);
    target_[row] += value * target;
    for (std::size_t j = 0; j <= i; ++j)
      gram_[row * size + at(counts.columns[j])] += value * static_cast<double>(counts.logs[j]);
  }
}

std::vector<float> ColumnRidge::solve() {
  for (std::size_t i = 0; i < target_.size(); ++i) gram_[i * target_.size() + i] += kRidge;
  const bool solved = solve_in_place(gram_, target_);
  PENCHANT_ASSERT(solved);
  return {target_.begin(), target_.end()};
}

double predict(const ColumnCounts& counts, const std::vector<float>& weights) {
  double sum = 0.0;
  for (std::size_t i = 0; i < counts.columns.size(); ++i)
    sum +=
        static_cast<double>(counts.logs[i]) * static_cast<double>(weights[at(counts.columns[i])]);
  return sum;
}

struct SetFeatures::Made {
  std::vector<std::uint8_t> is_in;  ///< [I]
  std::vector<float> weights;       ///< of the columns
  float log_rate = 0.0F, log_share = 0.0F;
};

SetFeatures::SetFeatures(const ItemSet& set, const FeatureSource& source)
    : source_(source), counter_(source.behaviour, source.columns) {
  const auto made = std::make_shared<Made>();
  const std::size_t num_items = at(source.dataset.num_items());
  made->is_in.assign(num_items, 0);
  for (const NodeId item : set.items) made->is_in[at(item)] = 1;
  const Behaviour& behaviour = source.behaviour;
  const std::int64_t recent_ms = behaviour.period().cut_ms - behaviour.period().length_ms;
  double num_owners = 0.0, num_before = 0.0;
  for (std::int64_t user = 0; user < behaviour.num_users(); ++user) {
    bool owns = false, before = false;
    behaviour.for_each_row(static_cast<NodeId>(user),
                           [&](NodeId item, std::int64_t time_ms, std::int32_t) {
                             if (made->is_in[at(item)] == 0) return;
                             owns = true;
                             before |= time_ms < recent_ms;
                           });
    num_owners += owns ? 1.0 : 0.0;
    num_before += before ? 1.0 : 0.0;
  }
  const auto num_users = static_cast<double>(behaviour.num_users());
  made->log_share = static_cast<float>(std::log(num_owners / num_users + 1e-3));
  const double first_interest = behaviour.has_times() ? num_owners - num_before : 0.0;
  const double open_to_it = behaviour.has_times() ? num_users - num_before : 0.0;
  made->log_rate =
      static_cast<float>(std::log((first_interest + kPriorBuyers) / (open_to_it + kPriorPeople)));
  ColumnRidge ridge(source.columns.num_columns);
  for (const NodeId user : source.learners) {
    double in_set = 0.0;
    const ColumnCounts& counts = counter_.of(user, [&](NodeId item) {
      const bool inside = made->is_in[at(item)] != 0;
      in_set += inside ? 1.0 : 0.0;
      return !inside;
    });
    ridge.add(counts, std::log1p(in_set));
  }
  made->weights = ridge.solve();
  made_ = made;
}

SetFeatures::SetFeatures(const FeatureSource& source, std::shared_ptr<const Made> made)
    : source_(source), made_(std::move(made)), counter_(source.behaviour, source.columns) {}

bool SetFeatures::has(NodeId user) const {
  bool found = false;
  source_.behaviour.for_each_row(
      user, [&](NodeId item, std::int64_t, std::int32_t) { found |= made_->is_in[at(item)] != 0; });
  return found;
}

void SetFeatures::write(NodeId user, std::span<float> to) {
  double rows_in_set = 0.0;
  std::int64_t last_ms = graph::kNoTime;
  source_.behaviour.for_each_row(user, [&](NodeId item, std::int64_t time_ms, std::int32_t) {
    if (made_->is_in[at(item)] == 0) return;
    rows_in_set += 1.0;
    last_ms = std::max(last_ms, time_ms);
  });
  const double ridge = predict(
      counter_.of(user, [&](NodeId item) { return made_->is_in[at(item)] == 0; }), made_->weights);
  to[0] = made_->log_rate;
  to[1] = made_->log_share;
  to[2] = static_cast<float>(ridge);
  to[3] = static_cast<float>(std::log(std::max(ridge, 0.0) + kLeastRidge));
  to[4] = log1p_of(rows_in_set);
  to[5] = age_in_periods(source_.behaviour.period(), last_ms);
}

std::int64_t SetFeatures::memory(std::int64_t num_items, std::int64_t num_columns) {
  return num_items + num_columns * num_columns * 8;
}

}  // namespace penchant::pipeline
