// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/private_items.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/training/on_host.h"

namespace penchant::pipeline {

using graph::at;
using graph::Attribute;
using graph::Csr;
using graph::CsrView;
using graph::NodeId;
using kernels::Backend;

namespace {

/// Uses of Stream::initialization and Stream::validation that no other code has: their substreams are
/// hashes of raw ids.
std::uint64_t hash_of(std::string_view raw) {
  const std::string digits = hash_bytes(raw);
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

/// Rows of D numbers, in double: noise and its correction are told from what they are about.
struct Table {
  std::int64_t width = 0;
  std::vector<double> values;

  std::span<double> row(std::int64_t i) {
    return std::span(values).subspan(at(i * width), at(width));
  }
  std::span<const double> row(std::int64_t i) const {
    return std::span(values).subspan(at(i * width), at(width));
  }
  std::int64_t size() const { return static_cast<std::int64_t>(values.size()) / width; }
};

double sum_of_squares(std::span<const double> values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

/// Length 1, or nothing where there is nothing.
bool normalize(std::span<double> values) {
  const double squares = sum_of_squares(values);
  if (!(squares > 0.0) || !std::isfinite(squares)) return false;
  for (double& value : values) value /= std::sqrt(squares);
  return true;
}

/// What attributes say of a table's rows: a mean for each value, shrunk to 0 where few items have it,
/// one attribute after the other on what those before left over.
class AttributeMeans {
 public:
  AttributeMeans(const graph::Catalog& catalog, std::span<const NodeId> order)
      : catalog_(catalog), order_(order) {}

  Table of(const Table& table) const {
    // Items that a value must have before its mean counts half: without a measurement of its own a
    // value of one item would take that item's noise.
    constexpr double kPriorItems = 4.0;
    Table left = table;
    Table said{table.width, std::vector<double>(table.values.size(), 0.0)};
    for (const Attribute& attribute : catalog_.attributes) {
      if (attribute.item_values.num_rows == 0) continue;  // numbers and texts
      const CsrView values = attribute.item_values.view();
      Table means{table.width, std::vector<double>(at(values.num_cols * table.width), 0.0)};
      std::vector<double> counts(at(values.num_cols), 0.0);
      visit(values, [&](std::int64_t item, NodeId value, double share) {
        counts[at(value)] += share;
        add(share, left.row(item), means.row(value));
      });
      for (std::int64_t value = 0; value < values.num_cols; ++value) {
        for (double& mean : means.row(value)) mean /= counts[at(value)] + kPriorItems;
      }
      Table part{table.width, std::vector<double>(table.values.size(), 0.0)};
      visit(values, [&](std::int64_t item, NodeId value, double share) {
        add(share, means.row(value), part.row(item));
      });
      for (std::size_t k = 0; k < part.values.size(); ++k) {
        said.values[k] += part.values[k];
        left.values[k] -= part.values[k];
      }
    }
    return said;
  }

  /// The same of random directions for values: items with like attributes start alike.
  void add_starts(graph::Seed seed, Table& table) const {
    for (const Attribute& attribute : catalog_.attributes) {
      if (attribute.item_values.num_rows == 0) continue;
      visit(attribute.item_values.view(), [&](std::int64_t item, NodeId value, double share) {
        const graph::Random random(
            seed, graph::Stream::initialization,
            hash_of(attribute.name + "\n" + std::string(attribute.values.raw(value))));
        for (std::int64_t j = 0; j < table.width; ++j)
          table.row(item)[at(j)] += share * random.normal(static_cast<std::uint64_t>(j));
      });
    }
  }

 private:
  static void add(double share, std::span<const double> from, std::span<double> to) {
    for (std::size_t j = 0; j < to.size(); ++j) to[j] += share * from[j];
  }
  template <typename Visit>
  void visit(const CsrView& values, const Visit& visit) const {
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const auto item = static_cast<std::int64_t>(order_[k]);
      const std::int64_t size = values.row_size(item);
      for (auto e = values.offsets[at(item)]; e < values.offsets[at(item) + 1]; ++e) {
        visit(static_cast<std::int64_t>(k), values.columns[at(e)], 1.0 / static_cast<double>(size));
      }
    }
  }

  const graph::Catalog& catalog_;
  std::span<const NodeId> order_;
};

/// Towards `prior`, by the positive part of James and Stein's estimator: what is no longer than noise
/// of this standard deviation is noise.
void shrink(Table& table, const Table& prior, double sigma) {
  const double noise = static_cast<double>(table.width) * sigma * sigma;
  std::vector<double> difference(at(table.width));
  for (std::int64_t i = 0; i < table.size(); ++i) {
    const std::span<double> row = table.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) difference[j] = row[j] - prior.row(i)[j];
    const double squares = sum_of_squares(difference);
    const double kept = squares > noise ? 1.0 - noise / squares : 0.0;
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = prior.row(i)[j] + kept * difference[j];
  }
}

/// A V diag(1 / s), with A'A = V diag(s^2) V': no direction of taste counts more than another for being
/// more frequent. Directions below a tenth of the largest are what noise made, and are not blown up.
void whiten(Table& table, Backend& backend) {
  constexpr double kLeastSquared = 0.01;
  const std::int64_t width = table.width;
  std::vector<double> gram(at(width * width), 0.0);
  for (std::int64_t i = 0; i < table.size(); ++i) {
    const std::span<const double> row = table.row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      for (std::size_t k = 0; k <= j; ++k) gram[j * row.size() + k] += row[j] * row[k];
    }
  }
  const double largest = *std::max_element(gram.begin(), gram.end());
  if (!(largest > 0.0)) return;
  std::vector<float> scaled(gram.size());
  for (std::size_t k = 0; k < gram.size(); ++k) scaled[k] = static_cast<float>(gram[k] / largest);
  std::vector<float> squares(at(width));
  std::vector<float> directions(at(width * width));
  backend.symmetric_eigen({scaled.data(), width, width, width, kernels::Device::cpu},
                          {squares.data(), width, kernels::Device::cpu},
                          {directions.data(), width, width, width, kernels::Device::cpu});
  std::vector<double> turned(at(width));
  for (std::int64_t i = 0; i < table.size(); ++i) {
    std::fill(turned.begin(), turned.end(), 0.0);
    for (std::int64_t j = 0; j < width; ++j) {
      for (std::int64_t k = 0; k < width; ++k)
        turned[at(k)] += table.row(i)[at(j)] * static_cast<double>(directions[at(j * width + k)]);
    }
    for (std::int64_t k = 0; k < width; ++k) {
      const double square = std::max(static_cast<double>(squares[at(k)]),
                                     kLeastSquared * static_cast<double>(squares.front()));
      table.row(i)[at(k)] = turned[at(k)] / std::sqrt(square * largest);
    }
  }
}

/// The table of all items from which the head starts.
Table starts(const graph::Dictionary& raw_ids, std::span<const NodeId> order,
             const AttributeMeans& attributes, std::int64_t width, graph::Seed seed) {
  Table table{width, std::vector<double>(order.size() * at(width), 0.0)};
  for (std::size_t k = 0; k < order.size(); ++k) {
    const graph::Random random(seed, graph::Stream::initialization, hash_of(raw_ids.raw(order[k])));
    for (std::int64_t j = 0; j < width; ++j)
      table.row(static_cast<std::int64_t>(k))[at(j)] = random.normal(static_cast<std::uint64_t>(j));
  }
  attributes.add_starts(seed, table);
  return table;
}

/// How much of a released sum is what people's tastes share, over what is chance and noise. Where
/// tastes had nothing to do with items, the squares of the sum of all people would add up to their
/// number, 1 each; only what is above twice that counts, as tastes that differ in popularity alone
/// reach that, too. Noise adds its variance to each number. Of released and public numbers alone.
double signal_over_noise(const Table& sum, double sigma, std::int64_t num_users) {
  const auto people = static_cast<double>(num_users);
  const double noise = static_cast<double>(sum.values.size()) * sigma * sigma;
  return std::max(sum_of_squares(sum.values) - noise - 2.0 * people, 0.0) / (people + noise);
}

/// What a step of log popularity counts beside vectors of a mean length of .5: the more, the less the
/// vectors say. Its form was fitted once on public data sets (docs/privacy_differential.md).
double popularity_weight(double signal) {
  constexpr double kWeight = 0.05;
  constexpr double kPower = -0.6;
  constexpr double kMost = 3.0;
  return signal > 0.0 ? std::min(kWeight * std::pow(signal, kPower), kMost) : kMost;
}

/// Vectors of one mean length, and the column of popularity behind them.
PrivateItems finished(const Table& table, const std::vector<double>& popularity, double item_power,
                      double signal) {
  constexpr double kMeanLength = 0.5;
  const double weight = popularity_weight(signal);
  double lengths = 0.0;
  for (std::int64_t i = 0; i < table.size(); ++i)
    lengths += std::sqrt(sum_of_squares(table.row(i)));
  const double scale =
      lengths > 0.0 ? kMeanLength * static_cast<double>(table.size()) / lengths : 0.0;
  PrivateItems items;
  items.width = table.width;
  items.item_power = item_power;
  for (std::int64_t i = 0; i < table.size(); ++i) {
    for (const double value : table.row(i))
      items.vectors.push_back(static_cast<float>(value * scale));
    items.vectors.push_back(static_cast<float>(weight * std::log(popularity[at(i)])));
    items.popularity.push_back(static_cast<float>(popularity[at(i)]));
  }
  return items;
}

std::span<const NodeId> items_of(const CsrView& rows, std::int64_t user) {
  const auto begin = at(rows.offsets[at(user)]);
  return {rows.columns.data() + begin, at(rows.offsets[at(user) + 1]) - begin};
}

/// The sum with its noise, and the noise's standard deviation.
std::pair<Table, double> released(BoundedSum sum, std::int64_t width, RandomSource& random) {
  const double sigma = sum.sigma();
  return {Table{width, std::move(sum).release(random)}, sigma};
}

}  // namespace

BoundedSum popularity_sum(const CsrView& rows, std::int64_t bound) {
  BoundedSum sum(rows.num_cols, 1, bound);
  const double one = 1.0;
  std::vector<double> weights;
  for (std::int64_t user = 0; user < rows.num_rows; ++user) {
    const std::span<const NodeId> items = items_of(rows, user);
    weights.assign(items.size(), 1.0 / std::sqrt(static_cast<double>(items.size())));
    sum.add(items, weights, {&one, 1});
  }
  return sum;
}

BoundedSum taste_sum(const CsrView& rows, const TasteParts& parts) {
  BoundedSum sum(parts.num_rows, parts.width, parts.bound);
  std::vector<std::pair<NodeId, double>> own;
  std::vector<NodeId> places;
  std::vector<double> weights;
  std::vector<double> taste(at(parts.width));
  for (std::int64_t user = 0; user < rows.num_rows; ++user) {
    own.clear();
    std::fill(taste.begin(), taste.end(), 0.0);
    for (const NodeId item : items_of(rows, user)) {
      const double weight = parts.item_weights[at(item)];
      if (const NodeId place = parts.row[at(item)]; place != graph::kNoNode)
        own.emplace_back(place, weight);
      if (const NodeId place = parts.known_row[at(item)]; place != graph::kNoNode) {
        const auto vector = parts.known.subspan(at(place * parts.width), at(parts.width));
        for (std::size_t j = 0; j < taste.size(); ++j) taste[j] += weight * vector[j];
      }
    }
    std::sort(own.begin(), own.end());
    places.clear();
    weights.clear();
    for (const auto& [place, weight] : own) {
      places.push_back(place);
      weights.push_back(weight);
    }
    if (normalize(taste) && normalize(weights)) sum.add(places, weights, taste);
  }
  return sum;
}

Csr bounded_rows(const CsrView& user_items, const graph::Dictionary& users,
                 const graph::Dictionary& items, std::int64_t most, graph::Seed seed) {
  const std::vector<NodeId> order = by_raw_id(items);
  std::vector<NodeId> column(order.size());
  std::vector<std::uint64_t> item_hashes(order.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    column[at(order[k])] = static_cast<NodeId>(k);
    item_hashes[k] = hash_of(items.raw(order[k]));
  }
  Csr rows{user_items.num_rows, user_items.num_cols, {0}, {}, {}};
  std::vector<std::pair<std::uint64_t, NodeId>> drawn;
  std::vector<NodeId> kept;
  for (std::int64_t user = 0; user < user_items.num_rows; ++user) {
    drawn.clear();
    kept.clear();
    const graph::Random random(seed, graph::Stream::validation,
                               hash_of(users.raw(static_cast<NodeId>(user))));
    for (auto e = user_items.offsets[at(user)]; e < user_items.offsets[at(user) + 1]; ++e) {
      const NodeId k = column[at(user_items.columns[at(e)])];
      drawn.emplace_back(random.bits(item_hashes[at(k)]), k);
    }
    std::sort(drawn.begin(), drawn.end());
    if (static_cast<std::int64_t>(drawn.size()) > most) drawn.resize(at(most));
    for (const auto& [bits, k] : drawn) kept.push_back(k);
    std::sort(kept.begin(), kept.end());
    rows.columns.insert(rows.columns.end(), kept.begin(), kept.end());
    rows.offsets.push_back(static_cast<graph::EdgeOffset>(rows.columns.size()));
  }
  return rows;
}

PrivateItems make_private_items(const CsrView& rows, const graph::Dictionary& raw_ids,
                                std::span<const NodeId> order, const graph::Catalog& catalog,
                                const PrivateItemsPlan& plan, graph::Seed seed,
                                RandomSource& random, Backend& backend) {
  const OnHost host(backend);
  const AttributeMeans attributes(catalog, order);
  BoundedSum counts = popularity_sum(rows, plan.popularity_bound);
  // At least its noise: below nothing is told from nothing.
  constexpr double kLeastPopularity = 0.5;
  const double least = std::max(counts.sigma(), kLeastPopularity);
  std::vector<double> popularity = std::move(counts).release(random);
  for (double& count : popularity) count = std::max(count, least);
  std::vector<double> weights;
  for (const double count : popularity) weights.push_back(std::pow(count, -plan.item_power));

  // Ties stand in the order of raw ids.
  std::vector<NodeId> ranked(popularity.size());
  std::iota(ranked.begin(), ranked.end(), NodeId{0});
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](NodeId a, NodeId b) { return popularity[at(a)] > popularity[at(b)]; });
  const std::int64_t num_head = std::min(plan.head_items, rows.num_cols);
  std::vector<NodeId> head_row(popularity.size(), graph::kNoNode);
  std::vector<NodeId> head_order;
  Table head{plan.width, {}};
  const Table start = starts(raw_ids, order, attributes, plan.width, seed);
  for (std::int64_t k = 0; k < num_head; ++k) {
    const NodeId item = ranked[at(k)];
    head_row[at(item)] = static_cast<NodeId>(k);
    head_order.push_back(order[at(item)]);
    head.values.insert(head.values.end(), start.row(item).begin(), start.row(item).end());
  }
  const AttributeMeans head_attributes(catalog, head_order);
  for (const std::int64_t bound : plan.head_bounds) {
    auto [sum, sigma] = released(
        taste_sum(rows, {weights, head_row, num_head, head_row, head.values, plan.width, bound}),
        plan.width, random);
    shrink(sum, head_attributes.of(sum), sigma);
    whiten(sum, host.backend());
    head = std::move(sum);
  }
  std::vector<NodeId> all_rows(popularity.size());
  std::iota(all_rows.begin(), all_rows.end(), NodeId{0});
  auto [all, sigma] = released(taste_sum(rows, {weights, all_rows, rows.num_cols, head_row,
                                                head.values, plan.width, plan.all_bound}),
                               plan.width, random);
  const double signal = signal_over_noise(all, sigma, rows.num_rows);
  shrink(all, attributes.of(all), sigma);
  whiten(all, host.backend());
  return finished(all, popularity, plan.item_power, signal);
}

}  // namespace penchant::pipeline
