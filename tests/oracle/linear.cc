// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/linear.h"

#include <cmath>

#include "tests/oracle/elementwise.h"

namespace penchant::oracle {

namespace {

void add(Sum& sum, std::int64_t i, std::int64_t j, double term) {
  sum.value(i, j) += term;
  sum.magnitude(i, j) += std::abs(term);
}

/// No activation is steeper than 1, so an error of the argument stays below its bound; that of the
/// activation itself is relative to the value.
void activate_sum(kernels::Activation act, Sum& sum, std::int64_t i, std::int64_t j) {
  if (act == kernels::Activation::identity) return;
  sum.value(i, j) = activate(act, sum.value(i, j));
  sum.magnitude(i, j) += std::abs(sum.value(i, j));
}

Sum from(const Dense& start) {
  Sum sum(start.rows, start.cols);
  for (std::int64_t i = 0; i < start.rows; ++i) {
    for (std::int64_t j = 0; j < start.cols; ++j) add(sum, i, j, start(i, j));
  }
  return sum;
}

}  // namespace

SpmmResult spmm(const graph::CsrView& a, const Dense& x, double alpha,
                const std::vector<double>& row_scale, double beta, const Dense& y0, double gamma,
                const Dense& layer_sum0, const SpmmEnd& end) {
  SpmmResult result{Sum(a.num_rows, x.cols), Sum(a.num_rows, x.cols)};
  for (std::int64_t i = 0; i < a.num_rows; ++i) {
    const double scale = row_scale.empty() ? 1.0 : row_scale[static_cast<std::size_t>(i)];
    for (std::int64_t d = 0; d < x.cols; ++d) {
      for (std::int64_t k = 0; k < a.row_size(i); ++k) {
        const double value = a.values.empty() ? 1.0 : a.row_values(i)[static_cast<std::size_t>(k)];
        add(result.y, i, d, alpha * scale * value * x(a.row(i)[static_cast<std::size_t>(k)], d));
      }
      if (beta != 0.0) add(result.y, i, d, beta * y0(i, d));
      if (!end.addend.values.empty()) add(result.y, i, d, end.delta * end.addend(i, d));
      if (!end.bias.values.empty()) add(result.y, i, d, end.bias(0, d));
      activate_sum(end.activation, result.y, i, d);
      if (layer_sum0.values.empty()) continue;
      result.layer_sum.value(i, d) = layer_sum0(i, d) + gamma * result.y.value(i, d);
      result.layer_sum.magnitude(i, d) =
          std::abs(layer_sum0(i, d)) + std::abs(gamma) * result.y.magnitude(i, d);
    }
  }
  return result;
}

Sum spmm(const graph::CsrView& a, const Dense& x) {
  return spmm(a, x, 1.0, {}, 0.0, {}, 0.0, {}).y;
}

Dense to_dense(const graph::CsrView& a) {
  Dense result(a.num_rows, a.num_cols);
  for (std::int64_t i = 0; i < a.num_rows; ++i) {
    for (std::int64_t k = 0; k < a.row_size(i); ++k) {
      const double value = a.values.empty() ? 1.0 : a.row_values(i)[static_cast<std::size_t>(k)];
      result(i, a.row(i)[static_cast<std::size_t>(k)]) += value;
    }
  }
  return result;
}

Dense transposed(const Dense& a) {
  Dense result(a.cols, a.rows);
  for (std::int64_t i = 0; i < a.rows; ++i) {
    for (std::int64_t j = 0; j < a.cols; ++j) result(j, i) = a(i, j);
  }
  return result;
}

Sum gemm(bool transpose_a, bool transpose_b, double alpha, const Dense& a, const Dense& b,
         double beta, const Dense& c0) {
  const std::int64_t rows = transpose_a ? a.cols : a.rows;
  const std::int64_t cols = transpose_b ? b.rows : b.cols;
  const std::int64_t inner = transpose_a ? a.rows : a.cols;
  Sum sum(rows, cols);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      for (std::int64_t k = 0; k < inner; ++k) {
        add(sum, i, j,
            alpha * (transpose_a ? a(k, i) : a(i, k)) * (transpose_b ? b(j, k) : b(k, j)));
      }
      if (beta != 0.0) add(sum, i, j, beta * c0(i, j));
    }
  }
  return sum;
}

Sum linear(const Dense& x, const Dense& weight, const Dense& bias, kernels::Activation act) {
  Sum sum = gemm(false, false, 1.0, x, weight, 0.0, {});
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < weight.cols; ++j) {
      add(sum, i, j, bias(0, j));
      activate_sum(act, sum, i, j);
    }
  }
  return sum;
}

Sum axpby(double alpha, const Dense& x, double beta, const Dense& y0) {
  Sum sum(x.rows, x.cols);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      add(sum, i, j, alpha * x(i, j));
      if (beta != 0.0) add(sum, i, j, beta * y0(i, j));
    }
  }
  return sum;
}

Sum multiply(double alpha, const Dense& x, const Dense& y, double beta, const Dense& z0) {
  Sum sum(x.rows, x.cols);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      add(sum, i, j, alpha * x(i, j) * y(i, j));
      if (beta != 0.0) add(sum, i, j, beta * z0(i, j));
    }
  }
  return sum;
}

Sum add_bias(const Dense& x, const Dense& bias) {
  Sum sum = from(x);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) add(sum, i, j, bias(0, j));
  }
  return sum;
}

Sum add_column_sums(const Dense& x, const Dense& sums0) {
  Sum sum = from(sums0);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) add(sum, 0, j, x(i, j));
  }
  return sum;
}

Sum scale_rows(const Dense& x, const Dense& scale) {
  Sum sum(x.rows, x.cols);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) add(sum, i, j, scale(0, i) * x(i, j));
  }
  return sum;
}

Sum add_row_dots(const Dense& x, const Dense& y, const Dense& dots0) {
  Sum sum = from(dots0);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) add(sum, 0, i, x(i, j) * y(i, j));
  }
  return sum;
}

Dense gather_rows(const Dense& table, const Dense& ids) {
  Dense result(ids.cols, table.cols);
  for (std::int64_t i = 0; i < ids.cols; ++i) {
    for (std::int64_t j = 0; j < table.cols; ++j)
      result(i, j) = table(static_cast<std::int64_t>(ids(0, i)), j);
  }
  return result;
}

Sum scatter_add_rows(double alpha, const Dense& x, const Dense& ids, const Dense& table0) {
  Sum sum = from(table0);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j)
      add(sum, static_cast<std::int64_t>(ids(0, i)), j, alpha * x(i, j));
  }
  return sum;
}

}  // namespace penchant::oracle
