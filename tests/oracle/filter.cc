// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/filter.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "tests/oracle/linear.h"

namespace penchant::oracle {

namespace {

using models::FilterKind;

Dense product(const Dense& a, const Dense& b, bool transpose_a = false, bool transpose_b = false) {
  return gemm(transpose_a, transpose_b, 1.0, a, b, 0.0, {}).value;
}

Dense sum(double alpha, const Dense& x, double beta, const Dense& y) {
  return axpby(alpha, x, beta, y).value;
}

std::vector<double> column_sums(const Dense& a) {
  std::vector<double> sums(static_cast<std::size_t>(a.cols), 0.0);
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t j = 0; j < a.cols; ++j) sums[static_cast<std::size_t>(j)] += a(i, j);
  }
  return sums;
}

/// Columns scaled by degree^power; without a degree they become zero.
Dense scaled_by_degree(Dense x, const std::vector<double>& degrees, double power) {
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const double degree = degrees[static_cast<std::size_t>(j)];
      x(i, j) *= degree > 0.0 ? std::pow(degree, power) : 0.0;
    }
  }
  return x;
}

/// ChebyCF's polynomial of rows x: nodes, target and coefficients as its authors state them.
Dense plateau_filter(const Dense& x, const Dense& p, std::int64_t order, double flatness) {
  const auto k_max = static_cast<double>(order);
  std::vector<double> target;
  std::vector<double> nodes;
  for (std::int64_t k = 0; k <= order; ++k) {
    const double t = std::cos((k_max - static_cast<double>(k)) / k_max * std::numbers::pi);
    target.push_back(t < 0 ? 0.5 * std::pow(-t, flatness) + 0.5
                           : -0.5 * std::pow(t, flatness) + 0.5);
    nodes.push_back(
        std::cos((k_max + 0.5 - static_cast<double>(k)) / (k_max + 1.0) * std::numbers::pi));
  }
  Dense previous = x;
  Dense current = sum(1.0, x, -2.0, product(x, p));
  Dense result(x.rows, x.cols);
  for (std::int64_t k = 0; k <= order; ++k) {
    double coefficient = 0.0;
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      std::vector<double> polynomial = {1.0, nodes[j]};
      for (std::int64_t d = 2; d <= k; ++d) {
        const double value = 2.0 * nodes[j] * polynomial[static_cast<std::size_t>(d - 1)] -
                             polynomial[static_cast<std::size_t>(d - 2)];
        polynomial.push_back(value);
      }
      coefficient += 2.0 / (k_max + 1.0) * polynomial[static_cast<std::size_t>(k)] * target[j];
    }
    if (k == 0) coefficient /= 2.0;
    result = sum(1.0, result, coefficient, previous);
    const Dense next = sum(2.0, sum(1.0, current, -2.0, product(current, p)), -1.0, previous);
    previous = current;
    current = next;
  }
  return result;
}

/// Classical Runge-Kutta steps of dy/dt = -y P over the given time.
Dense sharpen(Dense y, const Dense& p, double time, std::int64_t steps) {
  const double h = time / static_cast<double>(steps);
  const auto slope = [&p](const Dense& at) { return sum(-1.0, product(at, p), 0.0, at); };
  for (std::int64_t step = 0; step < steps; ++step) {
    const Dense k1 = slope(y);
    const Dense k2 = slope(sum(1.0, y, h / 2, k1));
    const Dense k3 = slope(sum(1.0, y, h / 2, k2));
    const Dense k4 = slope(sum(1.0, y, h, k3));
    y = sum(1.0, y, h / 6, sum(1.0, sum(1.0, k1, 1.0, k4), 2.0, sum(1.0, k2, 1.0, k3)));
  }
  return y;
}

}  // namespace

Eigen symmetric_eigen(Dense a) {
  const std::int64_t n = a.rows;
  Dense v(n, n);
  for (std::int64_t i = 0; i < n; ++i) v(i, i) = 1.0;
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (std::int64_t p = 0; p < n; ++p) {
      for (std::int64_t q = p + 1; q < n; ++q) {
        if (a(p, q) == 0.0) continue;
        const double theta = 0.5 * std::atan2(2.0 * a(p, q), a(q, q) - a(p, p));
        const double c = std::cos(theta);
        const double s = std::sin(theta);
        const auto rotate = [c, s](double& x, double& y) {
          const double old = x;
          x = c * old - s * y;
          y = s * old + c * y;
        };
        for (std::int64_t k = 0; k < n; ++k) rotate(a(k, p), a(k, q));
        for (std::int64_t k = 0; k < n; ++k) rotate(a(p, k), a(q, k));
        for (std::int64_t k = 0; k < n; ++k) rotate(v(k, p), v(k, q));
      }
    }
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&a](std::int64_t i, std::int64_t j) { return a(i, i) > a(j, j); });
  Eigen result{Dense(1, n), Dense(n, n)};
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t from = order[static_cast<std::size_t>(j)];
    result.values(0, j) = a(from, from);
    for (std::int64_t i = 0; i < n; ++i) result.vectors(i, j) = v(i, from);
  }
  return result;
}

Dense normalized(const Dense& ratings) {
  const Dense by_item = scaled_by_degree(ratings, column_sums(ratings), -0.5);
  const Dense turned = transposed(by_item);
  return transposed(scaled_by_degree(turned, column_sums(transposed(ratings)), -0.5));
}

Dense filter_scores(const Dense& ratings, const models::FilterOptions& options,
                    const Dense& histories) {
  const Dense r = normalized(ratings);
  const Dense p = product(r, r, true);
  const std::vector<double> degrees = column_sums(ratings);
  const auto power = static_cast<double>(options.power);
  const Dense x = scaled_by_degree(histories, degrees, -power);

  const Dense basis = symmetric_eigen(p).vectors;
  Dense low(x.cols, std::min(options.rank, x.cols));
  for (std::int64_t i = 0; i < low.rows; ++i) {
    for (std::int64_t j = 0; j < low.cols; ++j) low(i, j) = basis(i, j);
  }
  const Dense ideal = product(product(x, low), low, false, true);
  const auto alpha = static_cast<double>(options.low_pass);
  Dense y;
  switch (options.kind) {
    case FilterKind::ridge: {
      const Eigen eigen = symmetric_eigen(product(ratings, ratings, true));
      Dense leading(x.cols, std::min(options.rank, x.cols));
      Dense weighted = leading;
      for (std::int64_t j = 0; j < leading.cols; ++j) {
        const double value = eigen.values(0, j);
        for (std::int64_t i = 0; i < leading.rows; ++i) {
          leading(i, j) = eigen.vectors(i, j);
          weighted(i, j) = leading(i, j) * value / (value + static_cast<double>(options.ridge));
        }
      }
      return product(product(histories, leading), weighted, false, true);
    }
    case FilterKind::linear:
      y = product(x, p);
      break;
    case FilterKind::gfcf:
      y = sum(1.0, product(x, p), alpha, ideal);
      break;
    case FilterKind::chebycf:
      y = sum(1.0, plateau_filter(x, p, options.order, static_cast<double>(options.flatness)),
              alpha, ideal);
      break;
    case FilterKind::bspm:
      y = sharpen(sum(1.0, product(x, p), alpha, ideal), p, static_cast<double>(options.sharpening),
                  options.sharpening_steps);
      break;
  }
  return scaled_by_degree(y, degrees, power);
}

}  // namespace penchant::oracle
