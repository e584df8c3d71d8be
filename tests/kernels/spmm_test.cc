// SPDX-License-Identifier: Apache-2.0
// Sparse times dense against the oracle, with float32 and with bf16 tables.
#include <bit>
#include <limits>
#include <type_traits>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/elementwise.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"
#include "tests/support/spmm_case.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;
using support::SpmmCase;
using support::Values;

std::vector<SpmmCase> cases() {
  std::vector<SpmmCase> result;
  // Widths around the vector widths of SSE4, AVX2 and AVX-512 and around the register blocks of 4
  // and 8 vectors.
  for (const std::int64_t width :
       {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129, 200}) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      result.push_back({.rows = 41,
                        .cols = 37,
                        .width = width,
                        .mean_row_size = 6,
                        .alpha = -0.75F,
                        .beta = 0.5F,
                        .gamma = 0.25F,
                        .has_row_scale = true,
                        .has_layer_sum = true,
                        .placement = placement,
                        .seed = 11});
      result.push_back({.rows = 23,
                        .cols = 50,
                        .width = width,
                        .mean_row_size = 3,
                        .values = Values::absent,
                        .placement = placement,
                        .seed = 12});
    }
  }
  for (const Values values : {Values::absent, Values::present}) {
    for (const float beta : {0.0F, 1.0F, -2.0F}) {
      for (const bool option : {false, true}) {
        SpmmCase c{.rows = 30,
                   .cols = 20,
                   .width = 24,
                   .mean_row_size = 5,
                   .values = values,
                   .alpha = 1.5F,
                   .beta = beta,
                   .gamma = -0.5F,
                   .has_row_scale = option,
                   .has_layer_sum = !option,
                   .seed = 13};
        result.push_back(c);
        c.alpha = c.gamma = 0.0F;
        c.has_layer_sum = option;
        result.push_back(c);
      }
    }
  }
  // Every layout of a table row among a warp's lanes (kernels/cuda/spmm.cuh), over rows of its
  // three bins; 520 and 1030 columns take more than one tile.
  for (const std::int64_t width : {4, 8, 16, 32, 64, 128, 256, 264, 512, 520, 1030}) {
    SpmmCase c{.rows = 9, .cols = 30, .width = width, .has_row_scale = true, .has_layer_sum = true};
    c.mean_row_size = 3;
    c.values = Values::absent;
    result.push_back(c);
    c.rows = 3;
    c.cols = 90;
    c.mean_row_size = 900;
    c.values = Values::present;
    result.push_back(c);
    result.push_back(
        {.rows = 9, .cols = 30, .width = width, .mean_row_size = 60, .alpha = 0.5F, .beta = 1.0F});
  }
  // Every ending, over widths in packs and with a tail, and over short, medium and long rows.
  for (const std::int64_t width : {1, 7, 16, 33, 64}) {
    for (const Activation act : {Activation::identity, Activation::relu, Activation::leaky_relu,
                                 Activation::sigmoid, Activation::tanh}) {
      for (const std::int64_t mean : {4, 80, 900}) {
        const bool rich = mean == 80;
        SpmmCase c{.rows = 5, .cols = 40, .width = width, .mean_row_size = mean};
        c.activation = act;
        c.placement = width == 33 ? Placement::misaligned : Placement::aligned;
        c.values = Values::absent;
        c.has_addend = !rich;
        c.has_bias = rich;
        result.push_back(c);
        c.values = Values::present;
        c.alpha = c.gamma = 0.5F;
        c.beta = rich ? -0.5F : 0.0F;
        c.has_row_scale = c.has_layer_sum = c.has_addend = rich;
        c.has_bias = true;
        result.push_back(c);
      }
    }
  }
  SpmmCase whole{.has_row_scale = true, .has_layer_sum = true};
  const auto of_shape = [&](std::int64_t rows, std::int64_t cols, std::int64_t width,
                            std::int64_t mean) {
    whole.rows = rows;
    whole.cols = cols;
    whole.width = width;
    whole.mean_row_size = mean;
    return whole;
  };
  result.push_back(of_shape(1, 1, 1, 1));
  result.push_back(of_shape(1, 400, 64, 9000));  // one row longer than a chunk of work
  result.push_back(of_shape(50, 30, 16, 0));     // every row empty
  whole.beta = 1.0F;
  result.push_back(of_shape(3000, 700, 12, 40));  // many chunks, repeated columns
  return result;
}

template <typename T>
class Table;
template <>
class Table<float> {
 public:
  Table(Backend& backend, const Dense& values, Placement placement)
      : table_(backend, values, placement) {}
  ConstFloatView view() const { return table_.view(); }
  static Dense stored(const Dense& values) { return values; }

 private:
  Guarded<float> table_;
};
template <>
class Table<Bf16> {
 public:
  Table(Backend& backend, const Dense& values, Placement placement)
      : memory_(backend.vector<Bf16>(values.rows * (values.cols + 3) + 1)),
        view_(memory_.view().data + (placement == Placement::aligned ? 0 : 1), values.rows,
              values.cols, values.cols + (placement == Placement::aligned ? 0 : 3),
              backend.device()) {
    backend.convert(Guarded<float>(backend, values).view(), view_);
  }
  MatrixView<const Bf16> view() const { return view_; }
  static Dense stored(Dense values) {
    for (double& value : values.values) value = oracle::round_to_bf16(value);
    return values;
  }

 private:
  Vector<Bf16> memory_;
  MatrixView<Bf16> view_;
};

class Spmm : public support::BackendTest {
 protected:
  template <typename T>
  void expect_agreement(const SpmmCase& c) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, testing::PrintToString(c));
    const graph::Csr a = support::random_sparse(c.rows, c.cols, c.mean_row_size, c.values, c.seed);
    const Dense x = Table<T>::stored(support::random_dense(c.cols, c.width, c.seed + 1));
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const Dense y0 = c.beta == 0.0F ? Dense(c.rows, c.width, nan)
                                    : support::random_dense(c.rows, c.width, c.seed + 2);
    const Dense total0 =
        c.has_layer_sum ? support::random_dense(c.rows, c.width, c.seed + 3) : Dense();
    const Dense scale =
        c.has_row_scale ? support::random_dense(1, c.rows, c.seed + 4) : Dense(1, 0);

    oracle::SpmmEnd end;
    end.delta = -0.25;
    if (c.has_addend) end.addend = support::random_dense(c.rows, c.width, c.seed + 5);
    if (c.has_bias) end.bias = support::random_dense(1, c.width, c.seed + 6);
    end.activation = c.activation;

    const Table<T> table(backend(), x, c.placement);
    const Guarded<float> y(backend(), y0, c.placement);
    const Guarded<float> total(backend(), total0, c.placement);
    const Guarded<float> row_scale(backend(), scale, c.placement);
    SpmmOptions options;
    options.alpha = c.alpha;
    options.beta = c.beta;
    if (c.has_row_scale) options.row_scale = row_scale.vector();
    if (c.has_layer_sum) options.layer_sum = total.view();
    options.gamma = c.gamma;
    const Guarded<float> addend(backend(), end.addend, c.placement);
    const Guarded<float> bias(backend(), c.has_bias ? end.bias : Dense(1, 0), c.placement);
    if (c.has_addend) options.addend = addend.view();
    options.delta = static_cast<float>(end.delta);
    if (c.has_bias) options.bias = bias.vector();
    options.activation = c.activation;
    const auto sparse = backend().sparse(a.view());
    backend().spmm(*sparse, table.view(), y.view(), options);
    backend().sync();

    const auto want =
        oracle::spmm(a.view(), x, c.alpha, scale.values, c.beta, y0, c.gamma, total0, end);
    const bool plain = !c.has_addend && !c.has_bias && c.activation == Activation::identity;
    std::vector<double> bound;
    for (std::int64_t i = 0; i < c.rows; ++i)
      bound.push_back(static_cast<double>(a.view().row_size(i)) + (plain ? 4 : 8));
    EXPECT_TRUE(agrees(y.dense(), want.y, bound, origin(c.seed)));
    EXPECT_TRUE(y.intact());
    if (c.has_layer_sum) {
      EXPECT_TRUE(agrees(total.dense(), want.layer_sum, bound, origin(c.seed))) << "layer_sum";
      EXPECT_TRUE(total.intact());
    }
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Spmm);

TEST_P(Spmm, AgreesWithTheOracle) {
  for (const SpmmCase& c : cases()) expect_agreement<float>(c);
}

TEST_P(Spmm, AgreesWithTheOracleOnABf16Table) {
  for (const SpmmCase& c : cases()) expect_agreement<Bf16>(c);
}

//        0  1  2
// A = 0 [.  2  .]   x = [1 10; 2 20; 3 30]
//     1 [.  .  .]   y = [4 40; 0 0; 2*1+3 20+30] = A x
//     2 [2  .  1]
TEST_P(Spmm, SmallExampleByHand) {
  const graph::Csr a{3, 3, {0, 1, 1, 3}, {1, 0, 2}, {2.0F, 2.0F, 1.0F}};
  const Guarded<float> x(backend(), Dense(3, 2, {1, 10, 2, 20, 3, 30}));
  const Guarded<float> y(backend(), 3, 2);
  const auto sparse = backend().sparse(a.view());
  EXPECT_EQ(sparse->rows(), 3);
  EXPECT_EQ(sparse->cols(), 3);
  EXPECT_EQ(sparse->num_entries(), 3);
  backend().spmm(*sparse, x.view(), y.view(), {});
  EXPECT_TRUE(agrees(y.dense(), Dense(3, 2, {4, 40, 0, 0, 5, 50}), 0.0, origin(0)));
}

TEST_P(Spmm, ZeroSizesTouchNothing) {
  struct Shape {
    std::int64_t rows, cols, width;
  };
  for (const auto& [rows, cols, width] : {Shape{0, 0, 0}, Shape{0, 5, 8}, Shape{4, 5, 0}}) {
    const graph::Csr a = support::random_sparse(rows, cols, 2, Values::present, 3);
    const Guarded<float> x(backend(), Dense(cols, width, 1.0));
    const Guarded<float> y(backend(), rows, width);
    backend().spmm(*backend().sparse(a.view()), x.view(), y.view(), {});
    EXPECT_TRUE(y.intact());
  }
}

// A [4 x 0] matrix has rows to write: they are zero.
TEST_P(Spmm, NoColumnsGiveZeroRows) {
  const graph::Csr a{4, 0, {0, 0, 0, 0, 0}, {}, {}};
  const Guarded<float> x(backend(), Dense(0, 9));
  const Guarded<float> y(backend(), 4, 9);
  backend().spmm(*backend().sparse(a.view()), x.view(), y.view(), {});
  EXPECT_TRUE(agrees(y.dense(), Dense(4, 9), 0.0, origin(0)));
  EXPECT_TRUE(y.intact());
}

TEST_P(Spmm, SameBitsAtOneAndTwoThreads) {
  const graph::Csr a = support::random_sparse(6000, 900, 30, Values::present, 21);
  const Dense x = support::random_dense(900, 37, 22);
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const Guarded<float> table(fresh, x);
    const Guarded<float> y(fresh, a.num_rows, x.cols);
    fresh.spmm(*fresh.sparse(a.view()), table.view(), y.view(), {});
    return y.dense();
  });
}

TEST_P(Spmm, RefusesOperandsThatDoNotFit) {
  const graph::Csr a = support::random_sparse(6, 5, 2, Values::present, 3);
  const auto sparse = backend().sparse(a.view());
  const Guarded<float> x(backend(), Dense(5, 4, 1.0));
  const Guarded<float> y(backend(), 6, 4);
  const Guarded<float> wide(backend(), 6, 5);
  const Guarded<float> five(backend(), Dense(1, 5, 1.0));
  EXPECT_NO_THROW(backend().spmm(*sparse, x.view(), y.view(), {}));
  EXPECT_THROW(backend().spmm(*sparse, y.view(), y.view(), {}), InputError) << "rows of x";
  EXPECT_THROW(backend().spmm(*sparse, x.view(), wide.view(), {}), InputError) << "columns of y";
  EXPECT_THROW(backend().spmm(*sparse, x.view(), x.view(), {}), InputError) << "rows of y";
  SpmmOptions options;
  options.row_scale = five.vector();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "row_scale";
  options = {};
  options.layer_sum = wide.view();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "layer_sum";
  options = {};
  options.addend = wide.view();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "addend";
  options = {};
  options.bias = five.vector();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "bias";
}

class ForeignMatrix final : public SparseMatrix {
 public:
  std::int64_t rows() const override { return 6; }
  std::int64_t cols() const override { return 5; }
  std::int64_t num_entries() const override { return 0; }
};

TEST_P(Spmm, RefusesAMatrixThatAnotherBackendPrepared) {
  const Guarded<float> x(backend(), Dense(5, 4, 1.0));
  const Guarded<float> y(backend(), 6, 4);
  EXPECT_THROW(backend().spmm(ForeignMatrix(), x.view(), y.view(), {}), InputError);
}

}  // namespace
}  // namespace penchant::kernels
