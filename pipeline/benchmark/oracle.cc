// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

using graph::CsrView;
using graph::EdgeOffset;
using graph::NodeId;
using kernels::ConstFloatView;

namespace {

constexpr double kEpsilon = 0x1.0p-24;

using graph::at;

double sum_bound(std::int64_t terms, double magnitude) {
  return (16.0 + 4.0 * std::sqrt(static_cast<double>(terms))) * kEpsilon * magnitude + 1e-30;
}

double value_at(const CsrView& a, EdgeOffset entry) {
  return a.values.empty() ? 1.0 : static_cast<double>(a.values[at(entry)]);
}

/// <u, p - n> of row b of a batch, and the sum of the terms' magnitudes.
struct Margin {
  double value = 0, magnitude = 0;
};
Margin margin_of(ConstFloatView final, const BprBatch& batch, std::size_t b) {
  Margin margin;
  for (std::int64_t k = 0; k < final.cols; ++k) {
    const double user = final(batch.users[b], k);
    const double positive = final(batch.positives[b], k);
    const double negative = final(batch.negatives[b], k);
    margin.value += user * (positive - negative);
    margin.magnitude += std::abs(user) * (std::abs(positive) + std::abs(negative));
  }
  return margin;
}

/// h_i = sum_j a_ij x_j + share * own_i.
Bounded multiply_add(const CsrView& a, const Bounded& x, double share, const Bounded& own) {
  Bounded h{std::vector<double>(at(a.num_rows)), std::vector<double>(at(a.num_rows))};
  for (std::int64_t i = 0; i < a.num_rows; ++i) {
    double sum = share * own.value[at(i)];
    double magnitude = std::abs(sum);
    double carried = std::abs(share) * own.bound[at(i)];
    for (EdgeOffset e = a.offsets[at(i)]; e < a.offsets[at(i) + 1]; ++e) {
      const double weight = value_at(a, e);
      const auto j = at(a.columns[at(e)]);
      sum += weight * x.value[j];
      magnitude += std::abs(weight * x.value[j]);
      carried += std::abs(weight) * x.bound[j];
    }
    h.value[at(i)] = sum;
    h.bound[at(i)] = carried + sum_bound(a.row_size(i), magnitude);
  }
  return h;
}

}  // namespace

std::vector<std::int64_t> sampled_rows(const CsrView& matrix, std::int64_t count) {
  if (matrix.num_rows == 0) return {};
  std::set<std::int64_t> rows;
  std::int64_t longest = 0;
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    if (matrix.row_size(row) > matrix.row_size(longest)) longest = row;
  }
  rows.insert(longest);
  for (std::int64_t k = 0; k < count; ++k)
    rows.insert(count == 1 ? 0 : k * (matrix.num_rows - 1) / (count - 1));
  return {rows.begin(), rows.end()};
}

Bounded column_of(ConstFloatView x, std::int64_t column) {
  Bounded result{std::vector<double>(at(x.rows)), std::vector<double>(at(x.rows), 0.0)};
  for (std::int64_t i = 0; i < x.rows; ++i) result.value[at(i)] = x(i, column);
  return result;
}

// By Horner's scheme, whose sums have the same terms as the definition's.
Bounded layer_mean(const CsrView& a, const Bounded& x, std::int64_t num_layers, double own_share) {
  if (num_layers == 0) return x;
  Bounded h = x;
  for (std::int64_t layer = 1; layer < num_layers; ++layer) h = multiply_add(a, h, 1.0, x);
  h = multiply_add(a, h, own_share, x);
  const double share = 1.0 / (static_cast<double>(num_layers) + own_share);
  for (std::size_t i = 0; i < h.value.size(); ++i) {
    h.value[i] *= share;
    h.bound[i] = h.bound[i] * share + 4 * kEpsilon * std::abs(h.value[i]);
  }
  return h;
}

Bounded product_row(const CsrView& a, ConstFloatView x, std::int64_t row) {
  Bounded result{std::vector<double>(at(x.cols)), std::vector<double>(at(x.cols))};
  for (std::int64_t k = 0; k < x.cols; ++k) {
    double sum = 0;
    double magnitude = 0;
    for (EdgeOffset e = a.offsets[at(row)]; e < a.offsets[at(row) + 1]; ++e) {
      const double term = value_at(a, e) * x(a.columns[at(e)], k);
      sum += term;
      magnitude += std::abs(term);
    }
    result.value[at(k)] = sum;
    result.bound[at(k)] = sum_bound(a.row_size(row), magnitude);
  }
  return result;
}

void require_near(const char* what, std::int64_t place, double got, double want, double bound) {
  if (std::abs(got - want) <= bound) return;
  throw DeviceError(fmt::format(
      "bench: {} is not that of the oracle at {}: {:.9g}, expected {:.9g} within {:.2g}", what,
      place, got, want, bound));
}

void require_row(const char* what, ConstFloatView got, std::int64_t row, const Bounded& want) {
  PENCHANT_ASSERT(at(got.cols) == want.value.size());
  for (std::int64_t k = 0; k < got.cols; ++k)
    require_near(what, row, got(row, k), want.value[at(k)], want.bound[at(k)]);
}

void require_column(const char* what, ConstFloatView got, std::int64_t column,
                    const Bounded& want) {
  PENCHANT_ASSERT(at(got.rows) == want.value.size());
  for (std::int64_t i = 0; i < got.rows; ++i)
    require_near(what, i, got(i, column), want.value[at(i)], want.bound[at(i)]);
}

Bounded dense_row(const Bounded& p, ConstFloatView weight, ConstFloatView bias) {
  constexpr double kSlope = 0.2;
  Bounded result{std::vector<double>(at(weight.cols)), std::vector<double>(at(weight.cols))};
  for (std::int64_t k = 0; k < weight.cols; ++k) {
    double sum = bias(0, k);
    double magnitude = std::abs(sum);
    double carried = 0;
    for (std::int64_t j = 0; j < weight.rows; ++j) {
      sum += p.value[at(j)] * weight(j, k);
      magnitude += std::abs(p.value[at(j)] * weight(j, k));
      carried += p.bound[at(j)] * std::abs(static_cast<double>(weight(j, k)));
    }
    result.value[at(k)] = sum > 0 ? sum : kSlope * sum;
    result.bound[at(k)] = carried + sum_bound(weight.rows, magnitude);
  }
  return result;
}

void require_bpr_loss(ConstFloatView final, const BprBatch& batch, double got) {
  double want = 0;
  double bound = 0;
  for (std::size_t b = 0; b < batch.users.size(); ++b) {
    const Margin margin = margin_of(final, batch, b);
    want += std::log1p(std::exp(-std::abs(margin.value))) + std::max(-margin.value, 0.0);
    bound += 1e-5 * (1.0 + margin.magnitude);
  }
  require_near("the sum of the BPR losses of a batch of",
               static_cast<std::int64_t>(batch.users.size()), got, want, bound);
}

// g_b = -sigmoid(-x_b) / B; d_u = g (p - n), d_p = g u, d_n = -g u, added up over the rows that
// name the node. sigmoid' <= 1/4 carries the margin's error.
Bounded bpr_gradient_row(ConstFloatView final, const BprBatch& batch, NodeId node) {
  Bounded row{std::vector<double>(at(final.cols)), std::vector<double>(at(final.cols))};
  std::vector<double> magnitude(at(final.cols));
  const double share = 1.0 / static_cast<double>(batch.users.size());
  std::int64_t terms = 0;
  for (std::size_t b = 0; b < batch.users.size(); ++b) {
    const NodeId user = batch.users[b];
    const NodeId positive = batch.positives[b];
    const NodeId negative = batch.negatives[b];
    if (node != user && node != positive && node != negative) continue;
    const Margin margin = margin_of(final, batch, b);
    const double g = -share / (1.0 + std::exp(margin.value));
    const double g_bound =
        share * (sum_bound(final.cols, margin.magnitude) / 4.0 + 16.0 * kEpsilon);
    const auto add = [&](std::int64_t k, double factor, double size) {
      row.value[at(k)] += g * factor;
      row.bound[at(k)] += g_bound * size;
      magnitude[at(k)] += std::abs(g) * size;
    };
    for (std::int64_t k = 0; k < final.cols; ++k) {
      const double u = final(user, k);
      const double p = final(positive, k);
      const double n = final(negative, k);
      if (node == user) add(k, p - n, std::abs(p) + std::abs(n));
      if (node == positive) add(k, u, std::abs(u));
      if (node == negative) add(k, -u, std::abs(u));
    }
    terms += (node == user ? 1 : 0) + (node == positive ? 1 : 0) + (node == negative ? 1 : 0);
  }
  for (std::int64_t k = 0; k < final.cols; ++k)
    row.bound[at(k)] += sum_bound(terms, magnitude[at(k)]);
  return row;
}

void require_topk(ConstFloatView queries, ConstFloatView items,
                  kernels::MatrixView<const NodeId> ids, ConstFloatView scores) {
  for (std::int64_t q = 0; q < queries.rows; ++q) {
    std::vector<double> want(at(items.rows));
    std::vector<double> bound(at(items.rows));
    for (std::int64_t i = 0; i < items.rows; ++i) {
      double magnitude = 0;
      for (std::int64_t k = 0; k < items.cols; ++k) {
        const double term = static_cast<double>(queries(q, k)) * items(i, k);
        want[at(i)] += term;
        magnitude += std::abs(term);
      }
      bound[at(i)] = sum_bound(items.cols, magnitude);
    }
    std::set<NodeId> kept;
    double least = std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k < ids.cols; ++k) {
      const NodeId id = ids(q, k);
      if (id < 0 || id >= items.rows || !kept.insert(id).second)
        throw DeviceError(
            fmt::format("bench: topk gave query {} the item {} at rank {}", q, id, k + 1));
      require_near("topk's score", q, scores(q, k), want[at(id)], bound[at(id)]);
      if (k > 0 && !(scores(q, k) <= scores(q, k - 1)))
        throw DeviceError(
            fmt::format("bench: topk gave query {} the score {:.9g} at rank {} behind {:.9g}", q,
                        scores(q, k), k + 1, scores(q, k - 1)));
      least = std::min(least, want[at(id)] + bound[at(id)]);
    }
    for (std::int64_t i = 0; i < items.rows; ++i) {
      if (kept.count(static_cast<NodeId>(i)) == 0 && !(want[at(i)] - bound[at(i)] <= least))
        throw DeviceError(fmt::format(
            "bench: topk left out item {} of query {}: score {:.9g}, the last kept {:.9g}", i, q,
            want[at(i)], least));
    }
  }
}

void require_events(const std::string& user, std::vector<TimedItem> got,
                    std::vector<TimedItem> want) {
  std::sort(got.begin(), got.end());
  std::sort(want.begin(), want.end());
  if (got == want) return;
  const auto [here, there] = std::mismatch(got.begin(), got.end(), want.begin(), want.end());
  const auto text = [](const auto& place, const auto& end) {
    return place == end ? std::string("none")
                        : fmt::format("{} at {} ms", place->item, place->time_ms);
  };
  throw DeviceError(fmt::format(
      "bench: user {} has {} events in the data set, {} in the log; the first that differs is {}, "
      "expected {}",
      user, got.size(), want.size(), text(here, got.end()), text(there, want.end())));
}

void require_user_row(const graph::Interactions& events, const graph::UserItemGraph& graph,
                      NodeId user) {
  std::set<NodeId> want;
  for (std::size_t row = 0; row < events.user.size(); ++row) {
    if (events.user[row] == user) want.insert(events.item[row]);
  }
  const auto got = graph.user_items.view().row(user);
  if (!std::equal(got.begin(), got.end(), want.begin(), want.end()))
    throw DeviceError(fmt::format("bench: user {} has {} items in the graph, {} in the log", user,
                                  got.size(), want.size()));
}

void require_cooccurrence(const graph::Interactions& events, const CsrView& cooccurrence,
                          NodeId item, std::int64_t window, std::int64_t top_k) {
  std::map<NodeId, double> raw;
  std::map<NodeId, double> count;
  const auto size = static_cast<std::int64_t>(events.item.size());
  for (const NodeId id : events.item) ++count[id];
  for (std::int64_t place = 0; place < size; ++place) {
    if (events.item[at(place)] != item) continue;
    for (std::int64_t other = std::max<std::int64_t>(0, place - window);
         other <= std::min(size - 1, place + window); ++other) {
      if (events.user[at(other)] == events.user[at(place)] && events.item[at(other)] != item)
        raw[events.item[at(other)]] += 1.0 / static_cast<double>(std::abs(other - place));
    }
  }
  std::vector<double> strengths;
  for (auto& [neighbour, weight] : raw) {
    weight /= std::sqrt(count[item] * count[neighbour]);
    strengths.push_back(weight);
  }
  std::sort(strengths.rbegin(), strengths.rend());
  const double least = at(top_k) < strengths.size() ? strengths[at(top_k - 1)] : 0.0;
  std::set<NodeId> kept;
  const auto row = cooccurrence.row(item);
  const auto values = cooccurrence.row_values(item);
  for (std::size_t k = 0; k < row.size(); ++k) {
    kept.insert(row[k]);
    require_near("the co-occurrence weight", item, values[k], raw[row[k]], 1e-5 * raw[row[k]]);
  }
  for (const auto& [neighbour, weight] : raw) {
    if (weight > least * (1 + 1e-5) && kept.count(neighbour) == 0)
      throw DeviceError(fmt::format("bench: item {} lacks its neighbour {}", item, neighbour));
  }
}

}  // namespace penchant::pipeline
