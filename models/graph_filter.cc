// SPDX-License-Identifier: Apache-2.0
#include "models/graph_filter.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <fmt/core.h>

#include "graph/degrees.h"
#include "graph/error.h"
#include "models/user_blocks.h"

namespace penchant::models {

using graph::Csr;
using graph::CsrView;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;
using kernels::Transpose;

namespace {

constexpr std::int64_t kLargestOrder = 64;
constexpr std::int64_t kLargestRank = 4096;

/// sum_k c_k T_k(x) by Clenshaw's recurrence.
double chebyshev_sum(const std::vector<double>& coefficients, double x) {
  double next = 0.0;
  double after_next = 0.0;
  for (std::size_t k = coefficients.size(); k-- > 1;) {
    const double value = coefficients[k] + 2.0 * x * next - after_next;
    after_next = next;
    next = value;
  }
  return coefficients.front() + x * next - after_next;
}

/// Coefficients of q with p(t) = p(0) + t q(t), both in T_k(1 - 2 t). From t = (1 - y) / 2 and
/// y T_k = (T_{k+1} + T_{|k-1|}) / 2, compared degree by degree from the highest down.
std::vector<float> quotient(const std::vector<double>& p) {
  std::vector<double> q(p.size() + 1, 0.0);  // q_K = q_{K+1} = 0
  for (std::size_t k = p.size() - 1; k >= 1; --k) {
    q[k - 1] = 2.0 * q[k] - q[k + 1] - 4.0 * p[k];
    if (k == 1) q[0] /= 2.0;
  }
  return {q.begin(), q.end() - 2};
}

/// The node x_j, j = 0..K, of interpolation of degree K, ascending.
double chebyshev_node(std::int64_t j, std::int64_t order) {
  return -std::cos((static_cast<double>(j) + 0.5) / static_cast<double>(order + 1) *
                   std::numbers::pi);
}

/// c_k = 2 / (K + 1) sum_j T_k(x_j) values_j, c_0 half of that.
std::vector<double> interpolate(const std::vector<double>& values) {
  const auto order = static_cast<std::int64_t>(values.size()) - 1;
  std::vector<double> coefficients(values.size(), 0.0);
  for (std::int64_t j = 0; j <= order; ++j) {
    const double angle = std::acos(chebyshev_node(j, order));
    for (std::int64_t k = 0; k <= order; ++k) {
      coefficients[static_cast<std::size_t>(k)] +=
          (k == 0 ? 1.0 : 2.0) / static_cast<double>(order + 1) *
          std::cos(static_cast<double>(k) * angle) * values[static_cast<std::size_t>(j)];
    }
  }
  return coefficients;
}

/// ChebyCF's target: falls from 1 at t = -1 to 0 at t = 1, the flatter around 0 the larger phi.
double plateau(double t, double flatness) {
  const double half = 0.5 * std::pow(std::abs(t), flatness);
  return t < 0.0 ? 0.5 + half : 0.5 - half;
}

/// What the sharpening does to an eigenvector of P with eigenvalue t: classical Runge-Kutta of
/// order 4 multiplies by 1 - z + z^2/2 - z^3/6 + z^4/24 a step, z = t * time / steps.
double sharpening_response(const FilterOptions& options, double t) {
  const auto steps = static_cast<double>(options.sharpening_steps);
  const double z = t * static_cast<double>(options.sharpening) / steps;
  return std::pow(1.0 - z * (1.0 - z / 2.0 * (1.0 - z / 3.0 * (1.0 - z / 4.0))), steps);
}

/// degree^power, or 0 for a node without neighbours.
double degree_power(double degree, double power) {
  return degree > 0.0 ? std::pow(degree, power) : 0.0;
}

/// From above: the largest (A x)_i / x_i of any positive x bounds the eigenvalues of the
/// non-negative A = R'R (Collatz and Wielandt; Horn and Johnson, "Matrix analysis", theorem 8.1.26),
/// and powers of A draw x to where it is least.
double largest_singular_value(const CsrView& rows) {
  constexpr int kPowers = 20;
  const auto num_items = static_cast<std::size_t>(rows.num_cols);
  std::vector<double> x(num_items, 1.0);
  for (int step = 0;; ++step) {
    std::vector<double> next(num_items, 0.0);
    for (std::int64_t user = 0; user < rows.num_rows; ++user) {
      const auto begin = rows.offsets[static_cast<std::size_t>(user)];
      const auto end = rows.offsets[static_cast<std::size_t>(user) + 1];
      double sum = 0.0;
      for (auto e = begin; e < end; ++e)
        sum += static_cast<double>(rows.value(e)) * x[graph::at(rows.columns[graph::at(e)])];
      for (auto e = begin; e < end; ++e)
        next[graph::at(rows.columns[graph::at(e)])] += static_cast<double>(rows.value(e)) * sum;
    }
    const double size = *std::max_element(next.begin(), next.end());
    if (!(size > 0.0)) return 1.0;
    if (step == kPowers) {
      double bound = 0.0;
      for (std::size_t i = 0; i < num_items; ++i) bound = std::max(bound, next[i] / x[i]);
      return std::sqrt(bound);
    }
    // Small parts of the graph fade; a floor keeps their quotients finite.
    for (std::size_t i = 0; i < num_items; ++i) x[i] = std::max(next[i] / size, 1e-12);
  }
}

/// Of all; each of the small whole degrees, which most are, is computed once.
std::vector<double> degree_powers(const std::vector<double>& degrees, double power) {
  std::vector<double> known(1024, -1.0);
  std::vector<double> powers;
  powers.reserve(degrees.size());
  for (const double degree : degrees) {
    const bool is_small =
        degree < static_cast<double>(known.size()) && degree == std::floor(degree);
    if (!is_small) {
      powers.push_back(degree_power(degree, power));
      continue;
    }
    double& value = known[static_cast<std::size_t>(degree)];
    if (value < 0.0) value = degree_power(degree, power);
    powers.push_back(value);
  }
  return powers;
}

}  // namespace

void check_filter_options(const FilterOptions& options) {
  const auto require = [](bool holds, const char* key, auto value, const std::string& expected) {
    if (!holds) throw InputError(fmt::format("filter.{} is {}, expected {}", key, value, expected));
  };
  require(options.ridge >= 0.0F && std::isfinite(options.ridge), "ridge", options.ridge,
          "a number that is not negative");
  require(options.power >= 0.0F && options.power <= 1.0F, "power", options.power,
          "a number from 0 to 1");
  const bool needs_rank = options.kind == FilterKind::ridge ||
                          (options.kind != FilterKind::linear && options.low_pass != 0.0F);
  require(options.rank >= (needs_rank ? 1 : 0) && options.rank <= kLargestRank, "rank",
          options.rank, fmt::format("{} to {}", needs_rank ? 1 : 0, kLargestRank));
  require(options.low_pass >= 0.0F && std::isfinite(options.low_pass), "low_pass", options.low_pass,
          "a number that is not negative");
  require(options.order >= 1 && options.order <= kLargestOrder, "order", options.order,
          fmt::format("1 to {}", kLargestOrder));
  require(options.flatness > 0.0F && std::isfinite(options.flatness), "flatness", options.flatness,
          "a number above 0");
  require(options.sharpening >= 0.0F && std::isfinite(options.sharpening), "sharpening",
          options.sharpening, "a number that is not negative");
  const std::int64_t largest_steps = (kLargestOrder - 1) / 4;
  require(options.sharpening_steps >= 1 && options.sharpening_steps <= largest_steps,
          "sharpening_steps", options.sharpening_steps, fmt::format("1 to {}", largest_steps));
}

std::vector<double> chebyshev_coefficients(const FilterOptions& options) {
  std::vector<double> values;
  switch (options.kind) {
    case FilterKind::ridge:
      return {0.0};
    case FilterKind::linear:
    case FilterKind::gfcf:
      return {0.5, -0.5};
    case FilterKind::chebycf:
      // The target's own grid, extremes of T_K, stands for the nodes, as in the authors' code.
      for (std::int64_t k = 0; k <= options.order; ++k) {
        const double t = -std::cos(static_cast<double>(k) / static_cast<double>(options.order) *
                                   std::numbers::pi);
        values.push_back(plateau(t, static_cast<double>(options.flatness)));
      }
      break;
    case FilterKind::bspm: {
      const std::int64_t order = 4 * options.sharpening_steps + 1;
      for (std::int64_t j = 0; j <= order; ++j) {
        const double t = (1.0 - chebyshev_node(j, order)) / 2.0;
        values.push_back(t * sharpening_response(options, t));
      }
      break;
    }
  }
  return interpolate(values);
}

FilterScaling scaling_of(FilterKind kind) {
  return kind == FilterKind::ridge ? FilterScaling::spectral : FilterScaling::degrees;
}

FilterGraph::FilterGraph(const CsrView& user_items, std::int64_t rank, graph::Seed seed,
                         Backend& backend, FilterScaling scaling)
    : FilterGraph(user_items, SingularVectors{}, backend, scaling) {
  singular_ = leading_singular_vectors(*sparse_, *sparse_transposed_, rank, seed, backend);
}

FilterGraph::FilterGraph(const CsrView& user_items, SingularVectors singular, Backend& backend,
                         FilterScaling scaling)
    : scaling_(scaling), singular_(std::move(singular)) {
  const auto copy = [](const CsrView& from) {
    return Csr{from.num_rows,
               from.num_cols,
               {from.offsets.begin(), from.offsets.end()},
               {from.columns.begin(), from.columns.end()},
               {from.values.begin(), from.values.end()}};
  };
  rows_ = copy(user_items);
  normalized_ = copy(user_items);
  normalized_.values.resize(normalized_.columns.size());
  const std::vector<double> user_degrees = graph::row_sums(user_items);
  item_degrees_ = graph::column_sums(user_items);
  std::vector<double> item_scale;
  std::vector<double> user_scale;
  if (scaling == FilterScaling::degrees) {
    item_scale = degree_powers(item_degrees_, -0.5);
    user_scale = degree_powers(user_degrees, -0.5);
  } else {
    largest_ = largest_singular_value(user_items);
    item_scale.assign(item_degrees_.size(), 1.0);
    user_scale.assign(user_degrees.size(), 1.0 / largest_);
  }
  for (std::int64_t user = 0; user < user_items.num_rows; ++user) {
    const double own = user_scale[static_cast<std::size_t>(user)];
    for (auto e = user_items.offsets[static_cast<std::size_t>(user)];
         e < user_items.offsets[static_cast<std::size_t>(user) + 1]; ++e) {
      const auto place = static_cast<std::size_t>(e);
      const auto item = static_cast<std::size_t>(user_items.columns[place]);
      normalized_.values[place] =
          static_cast<float>(own * static_cast<double>(user_items.value(e)) * item_scale[item]);
    }
  }
  transposed_ = graph::transpose(normalized_.view());
  sparse_ = backend.sparse(normalized_.view());
  sparse_transposed_ = backend.sparse(transposed_.view());
}

GraphFilter::GraphFilter(std::shared_ptr<const FilterGraph> graph, const FilterOptions& options,
                         Backend& backend)
    : graph_(std::move(graph)) {
  check_filter_options(options);
  const bool is_ridge = options.kind == FilterKind::ridge;
  if (graph_->scaling() != scaling_of(options.kind))
    throw InputError("graph filter: the matrix is not scaled as the kind needs it");
  const std::vector<double> coefficients = chebyshev_coefficients(options);
  if (!is_ridge) quotient_ = quotient(coefficients);
  // An exact zero where the kind's p(0) is 0: what is left there is rounding of the coefficients.
  at_zero_ = options.kind == FilterKind::chebycf
                 ? static_cast<float>(chebyshev_sum(coefficients, 1.0))
                 : 0.0F;
  const std::vector<float>& squared = graph_->singular().squared;
  const auto rank = std::min(static_cast<std::size_t>(options.rank), squared.size());
  const bool low_pass =
      is_ridge || (options.kind != FilterKind::linear && options.low_pass != 0.0F);
  const double lambda =
      static_cast<double>(options.ridge) / (graph_->largest() * graph_->largest());
  for (std::size_t j = 0; j < rank; ++j) {
    const auto t = static_cast<double>(squared[j]);
    double weight = low_pass ? static_cast<double>(options.low_pass) : 0.0;
    if (options.kind == FilterKind::bspm) weight *= sharpening_response(options, t);
    if (is_ridge) weight = t / (t + lambda);
    if (low_pass) weights_.push_back(static_cast<float>(weight));
    responses_.push_back(static_cast<float>(chebyshev_sum(coefficients, 1.0 - 2.0 * t) + weight));
  }
  const auto power = is_ridge ? 0.0 : static_cast<double>(options.power);
  for (const auto& [scales, exponent] :
       {std::pair(&item_scale_, power), std::pair(&item_unscale_, -power)}) {
    const std::vector<double> powers = degree_powers(graph_->item_degrees(), exponent);
    scales->assign(powers.begin(), powers.end());
  }
  const std::int64_t num_items = graph_->num_items();
  device_scale_ = backend.vector<float>(num_items);
  backend.copy({item_scale_.data(), num_items, kernels::Device::cpu}, device_scale_.view());
}

void GraphFilter::score(kernels::IdView users, Backend& backend, FloatView scores) {
  const CsrView rows = graph_->rows().view();
  const Csr histories = graph::select_rows(rows, {users.data, graph::at(users.size)});
  respond(histories.view(), backend, scores);
  mean_scores_.add_to_new_users(
      rows, {}, users,
      [&](const Csr& history, FloatView out) { respond(history.view(), backend, out); }, backend,
      scores);
}

void GraphFilter::respond(const CsrView& histories, Backend& backend, FloatView scores) {
  if (histories.num_cols != graph_->num_items() || scores.rows != graph_->num_items() ||
      scores.cols != histories.num_rows) {
    throw InputError(fmt::format("graph filter: histories are {} x {}, scores {} x {}, items {}",
                                 histories.num_rows, histories.num_cols, scores.rows, scores.cols,
                                 graph_->num_items()));
  }
  if (histories.num_rows == 0) return;
  const Csr scaled = signals(histories);
  if (quotient_.empty())
    backend.fill(scores, 0.0F);
  else
    apply_polynomial(scaled.view(), backend, scores);
  if (!weights_.empty()) add_low_pass(scaled.view(), backend, scores);
  backend.scale_rows(scores, device_scale_.view(), scores);
}

/// D_I^-b x for each row x.
Csr GraphFilter::signals(const CsrView& histories) const {
  Csr scaled{histories.num_rows,
             histories.num_cols,
             {histories.offsets.begin(), histories.offsets.end()},
             {histories.columns.begin(), histories.columns.end()},
             {histories.values.begin(), histories.values.end()}};
  if (scaled.values.empty()) scaled.values.assign(scaled.columns.size(), 1.0F);
  for (std::size_t e = 0; e < scaled.columns.size(); ++e)
    scaled.values[e] *= item_unscale_[static_cast<std::size_t>(scaled.columns[e])];
  return scaled;
}

// scores = p(0) x + R~' q(W) R~ x with W = R~ R~', since p(t) = p(0) + t q(t): the recurrence runs
// over users, of whom there are mostly fewer than items. With L y = y - 2 W y, y = R~ x:
// T_0 y = y, T_1 y = L y, T_{k+1} y = 2 L T_k y - T_{k-1} y = 2 T_k y - 4 W T_k y - T_{k-1} y.
// The second product of W adds both and the running sum of q(W) y in its one pass over the table.
void GraphFilter::apply_polynomial(const CsrView& signals, Backend& backend, FloatView scores) {
  const std::int64_t width = signals.num_rows <= kFewUsers ? kFewUsers : kBlockUsers;
  if (items_.cols() != width) {
    items_ = backend.matrix<float>(graph_->num_items(), width);
    for (FloatMatrix* table : {&previous_, &current_, &sum_})
      *table = backend.matrix<float>(graph_->num_users(), width);
  }
  const Csr by_item = graph::transpose(signals);
  const auto sparse = backend.sparse(by_item.view());  // [I x B]
  FloatMatrix unit = backend.matrix<float>(signals.num_rows, width);
  std::vector<float> host;
  for (std::int64_t first = 0; first < signals.num_rows; first += width) {
    const std::int64_t count = std::min(width, signals.num_rows - first);
    host.assign(static_cast<std::size_t>(signals.num_rows * width), 0.0F);
    for (std::int64_t b = 0; b < count; ++b)
      host[static_cast<std::size_t>((first + b) * width + b)] = 1.0F;
    backend.copy(ConstFloatView(host.data(), signals.num_rows, width, width, kernels::Device::cpu),
                 unit.view());
    backend.spmm(*sparse, unit.view(), items_.view(), {});  // x, dense
    backend.spmm(graph_->normalized(), items_.view(), current_.view(), {});
    backend.axpby(quotient_.front(), current_.view(), 0.0F, sum_.view());
    for (std::size_t k = 1; k < quotient_.size(); ++k) {
      backend.spmm(graph_->transposed(), current_.view(), items_.view(), {});
      kernels::SpmmOptions options;
      options.alpha = k == 1 ? -2.0F : -4.0F;
      options.beta = k == 1 ? 0.0F : -1.0F;
      options.addend = current_.view();
      options.delta = k == 1 ? 1.0F : 2.0F;
      options.layer_sum = sum_.view();
      options.gamma = quotient_[k];
      backend.spmm(graph_->normalized(), items_.view(), previous_.view(), options);
      std::swap(previous_, current_);
    }
    // A whole block goes straight to its columns of the result.
    const FloatView out = count == width ? scores.cols_of(first, width) : items_.view();
    kernels::SpmmOptions options;
    if (at_zero_ != 0.0F) {
      kernels::SpmmOptions start;
      start.alpha = at_zero_;
      backend.spmm(*sparse, unit.view(), out, start);
      options.beta = 1.0F;
    }
    backend.spmm(graph_->transposed(), sum_.view(), out, options);
    if (count < width)
      backend.copy(ConstFloatView(out.cols_of(0, count)), scores.cols_of(first, count));
  }
}

/// scores += V diag(w) V' x.
void GraphFilter::add_low_pass(const CsrView& signals, Backend& backend, FloatView scores) const {
  const ConstFloatView basis = graph_->singular().view().cols_of(0, rank());
  const auto sparse = backend.sparse(signals);
  FloatMatrix projections = backend.matrix<float>(signals.num_rows, rank());
  backend.spmm(*sparse, basis, projections.view(), {});
  scale_columns(projections.view(), weights_, backend);
  backend.gemm(Transpose::no, Transpose::yes, 1.0F, basis, projections.view(), 1.0F, scores);
}

FloatMatrix GraphFilter::vectors_of(const CsrView& histories, std::int64_t dimension,
                                    Backend& backend) const {
  const std::int64_t width = std::min(dimension, static_cast<std::int64_t>(responses_.size()));
  FloatMatrix vectors = backend.matrix<float>(histories.num_rows, width);
  std::vector<float> signed_roots(responses_.begin(), responses_.begin() + width);
  for (float& response : signed_roots)
    response = std::copysign(std::sqrt(std::abs(response)), response);
  const Csr scaled = signals(histories);
  backend.spmm(*backend.sparse(scaled.view()), graph_->singular().view().cols_of(0, width),
               vectors.view(), {});
  scale_columns(vectors.view(), signed_roots, backend);
  return vectors;
}

void GraphFilter::vectors(std::int64_t dimension, Backend& backend, FloatMatrix& users,
                          FloatMatrix& items) const {
  users = vectors_of(graph_->rows().view(), dimension, backend);
  const std::int64_t width = users.cols();
  items = backend.matrix<float>(graph_->num_items(), width);
  std::vector<float> roots(responses_.begin(), responses_.begin() + width);
  for (float& response : roots) response = std::sqrt(std::abs(response));
  backend.scale_rows(graph_->singular().view().cols_of(0, width), device_scale_.view(),
                     items.view());
  scale_columns(items.view(), roots, backend);
}

}  // namespace penchant::models
