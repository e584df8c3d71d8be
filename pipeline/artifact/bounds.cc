// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/bounds.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

/// Ids are 32 bits wide, so no count of users, items or nodes is larger.
constexpr double kIds = 2147483647.0;
/// Weights beyond it would leave nothing of the others in a sum of floats.
constexpr double kWeight = 1e9;
/// Each thread has a stack and, in some stages, tables of its own.
constexpr double kThreads = 1024.0;
/// 64 KiB of floats a row.
constexpr double kWidth = 16384.0;

struct Entry {
  std::string_view key;
  Bounds bounds;
};

constexpr Bounds from(double low, double high) { return {low, high, false, false}; }
constexpr Bounds above(double low, double high) { return {low, high, true, false}; }
constexpr Bounds below(double low, double high) { return {low, high, false, true}; }

constexpr Entry kTable[] = {
    {"data.min_user_count", from(0, kIds)},
    {"data.min_item_count", from(0, kIds)},
    {"data.max_user_count", from(0, kIds)},
    {"data.min_value_users", from(0, kIds)},
    {"data.event_weights", above(0, kWeight)},
    {"data.split.validation_fraction", below(0, 1)},
    {"data.split.test_fraction", below(0, 1)},
    {"graph.window", from(1, 1'000'000)},
    {"graph.top_k", from(1, 100'000)},
    {"graph.max_basket", from(2, 1'000'000)},
    {"graph.cooccurrence_weight", from(0, kWeight)},
    {"graph.attribute_weight", from(0, kWeight)},
    {"graph.relation_weight", from(0, kWeight)},
    {"graph.max_value_share", from(0, 1)},
    {"partition.parts", from(1, kIds)},
    {"partition.imbalance", from(1, 1000)},
    {"model.embedding_dim", from(1, kWidth)},
    {"model.num_layers", from(0, 64)},
    {"model.temperature", above(0, 1e6)},
    {"model.new_item_columns", from(0, kWidth)},
    {"model.own_share", from(0, kWeight)},
    {"model.hidden_dim", from(1, kWidth)},
    {"model.sequence_layers", from(1, 8)},  // the streams of dropout have room for so many
    {"model.cnn_widths", from(1, 10'000)},
    {"model.max_length", from(1, 100'000)},
    {"model.history_decay", above(0, 1)},
    {"model.dropout", below(0, 1)},
    {"model.mlp_dims", from(1, kWidth)},
    {"model.ranking_weight", from(0, kWeight)},
    {"model.initial_scale", from(0, 1e6)},
    {"filter.power", from(0, 1)},
    {"filter.rank", from(0, 4096)},
    {"filter.low_pass", from(0, kWeight)},
    {"filter.order", from(1, 64)},
    {"filter.flatness", above(0, 1e6)},
    {"filter.sharpening", from(0, 1e6)},
    {"filter.sharpening_steps", from(1, 15)},
    {"filter.ridge", from(0, kWeight)},
    {"filter.selection_users", from(0, kIds)},
    {"privacy.epsilon", from(0, 1e6)},
    {"privacy.delta", below(0, 1)},
    {"privacy.total_epsilon", from(0, 1e9)},
    {"privacy.max_rows_per_user", from(1, 100'000)},
    {"privacy.head_items", from(1, kIds)},
    {"privacy.rounds", from(1, 100)},
    {"privacy.item_power", from(0, 1)},
    {"train.budget", above(0, 31'536'000)},  // a year
    {"train.epochs", from(1, 1'000'000)},
    {"train.batch_size", from(0, 16'777'216)},
    {"train.num_negatives", from(1, 16'777'216)},
    {"train.negative_power", from(0, 10)},
    {"train.negative_correction", from(0, 1)},
    {"train.learning_rate", above(0, 1000)},
    {"train.l2", from(0, 1e6)},
    {"train.validate_every", from(0, 1'000'000)},
    {"train.patience", from(0, 1'000'000)},
    {"train.checkpoint_every", from(1, 1'000'000)},
    {"evaluate.cutoffs", from(1, kIds)},
    {"report.lookup_items", from(0, kIds)},
    {"report.lookup_users", from(0, kIds)},
    {"run.device_index", from(0, 1023)},
    {"run.threads", from(0, kThreads)},
};

/// As one writes it: 16384, not 16384.0; 1e+09 as 1000000000.
std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{}", value);
}

[[noreturn]] void refuse(std::string_view key, std::string_view value, const Bounds& bounds,
                         std::string_view place) {
  throw InputError(fmt::format("{}{}{} is {}, expected {}", place, place.empty() ? "" : ": ", key,
                               value, bounds.text()));
}

}  // namespace

bool Bounds::hold(double value) const {
  return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
}

std::string Bounds::text() const {
  if (!low_open && !high_open) return fmt::format("{} to {}", number_text(low), number_text(high));
  return fmt::format("{} {}, {} {}", low_open ? "above" : "at least", number_text(low),
                     high_open ? "below" : "at most", number_text(high));
}

std::optional<Bounds> bounds_of(std::string_view key) {
  const auto* found = std::find_if(std::begin(kTable), std::end(kTable),
                                   [&](const Entry& entry) { return entry.key == key; });
  if (found == std::end(kTable)) return std::nullopt;
  return found->bounds;
}

void check_bounds(std::string_view key, std::int64_t value, std::string_view place) {
  const auto bounds = bounds_of(key);
  // Where the conversion rounds, the value is far out of every bound.
  if (bounds && !bounds->hold(static_cast<double>(value)))
    refuse(key, fmt::format("{}", value), *bounds, place);
}

void check_bounds(std::string_view key, double value, std::string_view place) {
  const auto bounds = bounds_of(key);
  if (bounds && !bounds->hold(value)) refuse(key, fmt::format("{}", value), *bounds, place);
}

void check_option(std::string_view option, std::string_view key, std::int64_t value) {
  const auto bounds = bounds_of(key);
  if (bounds && !bounds->hold(static_cast<double>(value)))
    refuse(option, fmt::format("{}", value), *bounds, {});
}

}  // namespace penchant::pipeline
