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
/// Chosen on the validation part of Complete Journey among 20, 50 and 150 (docs/audience.md).
constexpr double kRidge = 50.0;
/// Half-life of a row's part in the activity, in periods; chosen among 0.5, 1.5 and 4 there.
constexpr double kHalfLife = 1.5;
/// Of a rate of first interest, beside the people it was seen of: one in twenty.
constexpr double kPriorBuyers = 1.0, kPriorPeople = 20.0;

constexpr std::array<const char*, kNumFeatures> kFeatureNames = {"log rows",
                                                                 "log decayed rows",
                                                                 "log rows of the last period",
                                                                 "recency",
                                                                 "tenure",
                                                                 "log distinct items",
                                                                 "log sessions",
                                                                 "log rate of the set",
                                                                 "log share of the set",
                                                                 "ridge on counts",
                                                                 "log ridge on counts",
                                                                 "log co-purchase",
                                                                 "log similarity",
                                                                 "mean similarity",
                                                                 "largest similarity",
                                                                 "log rows of the set",
                                                                 "recency of the set"};

float log1p_of(double value) { return static_cast<float>(std::log1p(value)); }

/// log(1 + age in periods), 0 where times say nothing.
float age_in_periods(const Period& period, std::int64_t time_ms) {
  if (period.length_ms == 0 || time_ms == graph::kNoTime) return 0.0F;
  const double age = static_cast<double>(std::max<std::int64_t>(period.cut_ms - time_ms, 0));
  return log1p_of(age / static_cast<double>(period.length_ms));
}

std::size_t count_distinct(std::vector<NodeId>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids.size();
}

}  // namespace

std::span<const char* const> feature_names() { return kFeatureNames; }

void UserFeatures::write(NodeId user, std::span<float> to) {
  items_.clear();
  sessions_.clear();
  const Period& period = behaviour_.period();
  const auto length = static_cast<double>(std::max<std::int64_t>(period.length_ms, 1));
  double rows = 0.0, decayed = 0.0, recent = 0.0;
  std::int64_t first_ms = graph::kNoTime, last_ms = graph::kNoTime;
  behaviour_.for_each_row(user, [&](NodeId item, std::int64_t time_ms, std::int32_t session) {
    rows += 1.0;
    items_.push_back(item);
    if (session != graph::kNoNode) sessions_.push_back(session);
    if (!behaviour_.has_times() || time_ms == graph::kNoTime) return;
    first_ms = first_ms == graph::kNoTime ? time_ms : std::min(first_ms, time_ms);
    last_ms = std::max(last_ms, time_ms);
    const double age = static_cast<double>(period.cut_ms - time_ms) / length;
    decayed += std::exp2(-age / kHalfLife);
    recent += age <= 1.0 ? 1.0 : 0.0;
  });
  to[0] = log1p_of(rows);
  to[1] = static_cast<float>(std::log(decayed + 0.05));
  to[2] = log1p_of(recent);
  to[3] = age_in_periods(period, last_ms);
  to[4] = age_in_periods(period, first_ms);
  to[5] = log1p_of(static_cast<double>(count_distinct(items_)));
  to[6] = log1p_of(static_cast<double>(count_distinct(sessions_)));
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
  std::vector<float> together;      ///< [I] cosine of owning the item and of owning any of the set
  std::vector<float> similar;       ///< [I] cosine of the item's vector with the set's centroid
  std::vector<float> weights;       ///< of the columns
  float log_rate = 0.0F, log_share = 0.0F;
};

namespace {

/// [I] cosines with the sum of the set's unit vectors, weighted by their owners.
std::vector<float> similarity_to(const ItemSet& set, const FeatureSource& source) {
  const kernels::ConstFloatView& vectors = source.item_vectors;
  std::vector<float> similar(at(source.dataset.num_items()), 0.0F);
  if (vectors.cols == 0) return similar;
  const auto length_of = [&](std::int64_t item) {
    double squares = 0.0;
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      squares += static_cast<double>(vectors(item, j)) * static_cast<double>(vectors(item, j));
    return std::sqrt(squares);
  };
  std::vector<double> centroid(at(vectors.cols), 0.0);
  for (const NodeId item : set.items) {
    const double length = length_of(item);
    if (!(length > 0.0)) continue;
    const double weight = (static_cast<double>(source.owners[at(item)]) + 0.01) / length;
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      centroid[at(j)] += weight * static_cast<double>(vectors(item, j));
  }
  double squares = 0.0;
  for (const double part : centroid) squares += part * part;
  if (!(squares > 0.0)) return similar;
  for (double& part : centroid) part /= std::sqrt(squares);
  for (std::int64_t item = 0; item < vectors.rows; ++item) {
    if (source.owners[at(item)] == 0) continue;  // in nobody's history
    const double length = length_of(item);
    if (!(length > 0.0)) continue;
    double product = 0.0;
    for (std::int64_t j = 0; j < vectors.cols; ++j)
      product += centroid[at(j)] * static_cast<double>(vectors(item, j));
    similar[at(item)] = static_cast<float>(product / length);
  }
  return similar;
}

}  // namespace

SetFeatures::SetFeatures(const ItemSet& set, const FeatureSource& source)
    : source_(source), counter_(source.behaviour, source.columns) {
  const auto made = std::make_shared<Made>();
  const std::size_t num_items = at(source.dataset.num_items());
  made->is_in.assign(num_items, 0);
  for (const NodeId item : set.items) made->is_in[at(item)] = 1;
  made->together.assign(num_items, 0.0F);
  const Behaviour& behaviour = source.behaviour;
  const std::int64_t recent_ms = behaviour.period().cut_ms - behaviour.period().length_ms;
  std::vector<NodeId> own;
  double num_owners = 0.0, num_before = 0.0;
  for (std::int64_t user = 0; user < behaviour.num_users(); ++user) {
    own.clear();
    bool owns = false, before = false;
    behaviour.for_each_row(static_cast<NodeId>(user),
                           [&](NodeId item, std::int64_t time_ms, std::int32_t) {
                             own.push_back(item);
                             if (made->is_in[at(item)] == 0) return;
                             owns = true;
                             before |= time_ms < recent_ms;
                           });
    if (!owns) continue;
    num_owners += 1.0;
    num_before += before ? 1.0 : 0.0;
    count_distinct(own);
    for (const NodeId item : own) made->together[at(item)] += 1.0F;
  }
  for (std::size_t item = 0; item < num_items; ++item) {
    made->together[item] = static_cast<float>(
        static_cast<double>(made->together[item]) /
        std::sqrt((static_cast<double>(source.owners[item]) + 1.0) * (num_owners + 1.0)));
  }
  const auto num_users = static_cast<double>(behaviour.num_users());
  made->log_share = static_cast<float>(std::log(num_owners / num_users + 1e-3));
  const double first_interest = behaviour.has_times() ? num_owners - num_before : 0.0;
  const double open_to_it = behaviour.has_times() ? num_users - num_before : 0.0;
  made->log_rate =
      static_cast<float>(std::log((first_interest + kPriorBuyers) / (open_to_it + kPriorPeople)));
  made->similar = similarity_to(set, source);
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
  items_.clear();
  double rows_in_set = 0.0;
  std::int64_t last_ms = graph::kNoTime;
  source_.behaviour.for_each_row(user, [&](NodeId item, std::int64_t time_ms, std::int32_t) {
    if (made_->is_in[at(item)] == 0) {
      items_.push_back(item);
    } else {
      rows_in_set += 1.0;
      last_ms = std::max(last_ms, time_ms);
    }
  });
  count_distinct(items_);
  double together = 0.0, similar = 0.0, sum = 0.0, largest = 0.0;
  for (const NodeId item : items_) {
    const auto similarity = static_cast<double>(made_->similar[at(item)]);
    together += static_cast<double>(made_->together[at(item)]);
    sum += similarity;
    similar += std::max(similarity, 0.0);
    largest = std::max(largest, similarity);
  }
  const double ridge = predict(
      counter_.of(user, [&](NodeId item) { return made_->is_in[at(item)] == 0; }), made_->weights);
  to[0] = made_->log_rate;
  to[1] = made_->log_share;
  to[2] = static_cast<float>(ridge);
  to[3] = static_cast<float>(std::log(std::max(ridge, 0.0) + 0.02));
  to[4] = log1p_of(together);
  to[5] = log1p_of(similar);
  to[6] = items_.empty() ? 0.0F : static_cast<float>(sum / static_cast<double>(items_.size()));
  to[7] = static_cast<float>(largest);
  to[8] = log1p_of(rows_in_set);
  to[9] = age_in_periods(source_.behaviour.period(), last_ms);
}

std::int64_t SetFeatures::memory(std::int64_t num_items, std::int64_t num_columns) {
  return num_items * 9 + num_columns * num_columns * 8;
}

}  // namespace penchant::pipeline
