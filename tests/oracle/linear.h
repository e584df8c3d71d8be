// SPDX-License-Identifier: Apache-2.0
// The oracle: plain loops in double, straight from the equations in kernels/backend.h, never
// optimised and never shared with the code that they judge. `magnitude` of a Sum is the sum of the
// absolute values of the terms. This file: sparse, dense and indexing ops.
#pragma once

#include <vector>

#include "graph/csr.h"
#include "kernels/backend.h"
#include "tests/support/dense.h"

namespace penchant::oracle {

using support::Dense;
using support::Sum;

struct SpmmResult {
  Sum y;
  Sum layer_sum;
};
/// What comes behind a product's terms; empty matrices are left out.
struct SpmmEnd {
  double delta = 1.0;
  Dense addend;
  Dense bias;  ///< one row
  kernels::Activation activation = kernels::Activation::identity;
};
/// y = act(alpha diag(row_scale) a x + beta y0 + delta addend + bias) and layer_sum = layer_sum0 +
/// gamma y. An empty row_scale is ones; beta = 0 ignores y0.
SpmmResult spmm(const graph::CsrView& a, const Dense& x, double alpha,
                const std::vector<double>& row_scale, double beta, const Dense& y0, double gamma,
                const Dense& layer_sum0, const SpmmEnd& end = {});
/// The plain product.
Sum spmm(const graph::CsrView& a, const Dense& x);
Dense to_dense(const graph::CsrView& a);
Dense transposed(const Dense& a);

/// alpha op(a) op(b) + beta c0; beta = 0 ignores c0.
Sum gemm(bool transpose_a, bool transpose_b, double alpha, const Dense& a, const Dense& b,
         double beta, const Dense& c0);
/// act(x weight + bias), bias with one row.
Sum linear(const Dense& x, const Dense& weight, const Dense& bias, kernels::Activation act);
Sum axpby(double alpha, const Dense& x, double beta, const Dense& y0);
/// alpha x_ij y_ij + beta z0_ij; beta = 0 ignores z0.
Sum multiply(double alpha, const Dense& x, const Dense& y, double beta, const Dense& z0);
/// bias has one row.
Sum add_bias(const Dense& x, const Dense& bias);
Sum add_column_sums(const Dense& x, const Dense& sums0);
/// scale and dots have one row with an element for each row of x.
Sum scale_rows(const Dense& x, const Dense& scale);
Sum add_row_dots(const Dense& x, const Dense& y, const Dense& dots0);

/// ids has one row.
Dense gather_rows(const Dense& table, const Dense& ids);
Sum scatter_add_rows(double alpha, const Dense& x, const Dense& ids, const Dense& table0);

}  // namespace penchant::oracle
