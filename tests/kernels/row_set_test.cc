// SPDX-License-Identifier: Apache-2.0
// Sets of rows: made, filled, and as what a sparse product leaves out. What it computes is compared
// with the oracle and, bit by bit, with the whole product of a table with zeros; what it leaves out
// must be unread (NaN) or untouched.
#include <limits>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/elementwise.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using support::Placement;
using support::Values;

/// Rows of a table that are in a set, and the set on a backend. A share below 0: no set, all rows.
class ChosenRows {
 public:
  ChosenRows(Backend& backend, std::int64_t num_rows, double share, std::uint64_t seed)
      : in_(static_cast<std::size_t>(num_rows), share < 0.0), given_(share >= 0.0) {
    if (!given_) return;
    const Dense draws = support::random_dense(1, num_rows, seed);
    Dense ids(1, 0);
    for (std::int64_t i = 0; i < num_rows; ++i) {
      if ((draws(0, i) + 1.0) / 2.0 >= share) continue;
      in_[static_cast<std::size_t>(i)] = true;
      ids.values.push_back(static_cast<double>(i));
      ++ids.cols;
    }
    const Guarded<NodeId> on_device(backend, ids);
    words_ = backend.vector<std::uint32_t>(row_set_words(num_rows));
    const IdView lists[] = {on_device.vector()};
    backend.mark_rows(lists, num_rows, words_.view());
    backend.sync();
  }
  bool has(std::int64_t i) const { return in_[static_cast<std::size_t>(i)]; }
  RowSet view() const { return given_ ? words_.view() : RowSet(); }
  /// `table` with another value in the rows that are not in the set.
  Dense with_others(Dense table, double value) const {
    for (std::int64_t i = 0; i < table.rows; ++i) {
      for (std::int64_t j = 0; j < table.cols && !has(i); ++j) table(i, j) = value;
    }
    return table;
  }

 private:
  std::vector<bool> in_;
  bool given_;
  Vector<std::uint32_t> words_;
};

struct Case {
  std::int64_t rows, cols, mean_row_size, width;
  Values values = Values::present;
  double wanted = -1.0, nonzero = -1.0, nonzero_addend = -1.0;  ///< shares; below 0: no set
  float beta = 0.0F;
  bool has_addend = false;
  Activation activation = Activation::identity;
  Placement placement = Placement::aligned;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.rows << " x " << c.cols << ", D " << c.width << ", row size " << c.mean_row_size
             << (c.values == Values::present ? ", values" : "") << ", wanted " << c.wanted
             << ", nonzero " << c.nonzero << ", nonzero addend " << c.nonzero_addend << ", beta "
             << c.beta << (c.has_addend ? ", addend" : "") << ", activation "
             << enum_name(c.activation)
             << (c.placement == Placement::misaligned ? ", misaligned" : "");
}

std::vector<Case> cases() {
  std::vector<Case> result;
  struct Shares {
    double wanted, nonzero;
  };
  for (const auto& [wanted, nonzero] : {Shares{0.3, -1.0}, Shares{-1.0, 0.2}, Shares{0.5, 0.5},
                                        Shares{0.0, 0.2}, Shares{0.2, 0.0}, Shares{1.0, 1.0}}) {
    // Widths around the vector widths and blocks of the CPU and the layouts of the device, over
    // short, medium and long rows.
    for (const std::int64_t width : {1, 4, 7, 8, 16, 31, 32, 64, 100, 129, 256, 520}) {
      for (const std::int64_t mean : {3, 60, 900}) {
        Case c{.rows = mean == 900 ? 6 : 40, .cols = 70, .mean_row_size = mean, .width = width};
        c.wanted = wanted;
        c.nonzero = nonzero;
        c.nonzero_addend = mean == 60 ? 0.4 : -1.0;
        c.has_addend = mean != 3;
        c.beta = width % 3 == 1 ? 0.5F : 0.0F;
        c.values = width % 2 == 0 ? Values::present : Values::absent;
        c.placement = width == 31 ? Placement::misaligned : Placement::aligned;
        c.activation = mean == 900 ? Activation::leaky_relu : Activation::identity;
        result.push_back(c);
      }
    }
  }
  // Many chunks of the CPU, and one row longer than a chunk.
  Case many{.rows = 3000, .cols = 700, .mean_row_size = 40, .width = 12};
  many.wanted = 0.2;
  many.nonzero = 0.3;
  result.push_back(many);
  Case one{.rows = 1, .cols = 400, .mean_row_size = 9000, .width = 64};
  one.nonzero = 0.2;
  result.push_back(one);
  return result;
}

class RowSets : public support::BackendTest {
 protected:
  /// A table on the backend: as it is, or rounded to bf16.
  template <typename T>
  void expect_agreement(const Case& c) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, testing::PrintToString(c));
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    constexpr double kBefore = 17.0;  // in rows that are not wanted
    const graph::Csr a = support::random_sparse(c.rows, c.cols, c.mean_row_size, c.values, 31);
    const ChosenRows wanted(backend(), c.rows, c.wanted, 32);
    const ChosenRows nonzero(backend(), c.cols, c.nonzero, 33);
    const ChosenRows nonzero_addend(backend(), c.rows, c.nonzero_addend, 34);
    Dense x = support::random_dense(c.cols, c.width, 35);
    if (std::is_same_v<T, Bf16>) {
      for (double& value : x.values) value = oracle::round_to_bf16(value);
    }
    const Dense addend = support::random_dense(c.rows, c.width, 36);
    const Dense y0 = wanted.with_others(support::random_dense(c.rows, c.width, 37), kBefore);
    const Dense total0 = support::random_dense(c.rows, c.width, 38);

    const auto product = [&](const Dense& table, const Dense& added, bool restricted,
                             Dense& total) {
      const Guarded<float> wide(backend(), table, c.placement);
      Matrix<Bf16> narrow = backend().matrix<Bf16>(c.cols, c.width);
      const Guarded<float> addend_on(backend(), added, c.placement);
      const Guarded<float> y(backend(), y0, c.placement);
      const Guarded<float> total_on(backend(), total0, c.placement);
      SpmmOptions options;
      options.alpha = 0.75F;
      options.beta = c.beta;
      options.gamma = -0.5F;
      options.layer_sum = total_on.view();
      if (c.has_addend) options.addend = addend_on.view();
      options.activation = c.activation;
      if (restricted) {
        options.wanted = wanted.view();
        options.nonzero = nonzero.view();
        options.nonzero_addend = nonzero_addend.view();
      }
      const auto sparse = backend().sparse(a.view());
      if constexpr (std::is_same_v<T, Bf16>) {
        backend().convert(wide.view(), narrow.view());
        backend().spmm(*sparse, MatrixView<const Bf16>(narrow.view()), y.view(), options);
      } else {
        backend().spmm(*sparse, ConstFloatView(wide.view()), y.view(), options);
      }
      EXPECT_TRUE(y.intact());
      EXPECT_TRUE(total_on.intact());
      total = total_on.dense();
      return y.dense();
    };
    Dense got_total;
    const Dense got = product(nonzero.with_others(x, kNan),
                              nonzero_addend.with_others(addend, kNan), true, got_total);
    Dense whole_total;
    const Dense zeros = nonzero.with_others(x, 0.0);
    const Dense zeros_addend = nonzero_addend.with_others(addend, 0.0);
    const Dense whole = product(zeros, zeros_addend, false, whole_total);

    oracle::SpmmEnd end;
    if (c.has_addend) end.addend = zeros_addend;
    end.activation = c.activation;
    auto want = oracle::spmm(a.view(), zeros, 0.75, {}, c.beta, y0, -0.5, total0, end);
    Dense same = whole;
    Dense same_total = whole_total;
    std::vector<double> bound;
    for (std::int64_t i = 0; i < c.rows; ++i) {
      bound.push_back(static_cast<double>(a.view().row_size(i)) + 8);
      for (std::int64_t j = 0; j < c.width; ++j) {
        // Rows that are not wanted are as before; the sign of a zero is left open.
        if (!wanted.has(i)) {
          want.y.value(i, j) = same(i, j) = kBefore;
          want.layer_sum.value(i, j) = total0(i, j);
          same_total(i, j) = got_total(i, j);
        }
        if (same(i, j) == 0.0 && got(i, j) == 0.0) same(i, j) = got(i, j);
      }
    }
    EXPECT_TRUE(agrees(got, want.y, bound, origin(31)));
    EXPECT_TRUE(agrees(got_total, want.layer_sum, bound, origin(31))) << "layer_sum";
    EXPECT_TRUE(same_bits(got, same, origin(31)));
    EXPECT_TRUE(same_bits(got_total, same_total, origin(31))) << "layer_sum";
  }
};
PENCHANT_INSTANTIATE_BACKENDS(RowSets);

TEST_P(RowSets, ProductsAgreeWithTheOracleAndTheWhole) {
  for (const Case& c : cases()) expect_agreement<float>(c);
}

TEST_P(RowSets, ProductsOfABf16TableAgreeWithTheOracleAndTheWhole) {
  for (const Case& c : cases()) expect_agreement<Bf16>(c);
}

TEST_P(RowSets, ProductsHaveTheSameBitsAtOneAndTwoThreads) {
  const graph::Csr a = support::random_sparse(6000, 900, 30, Values::present, 21);
  const Dense x = support::random_dense(900, 37, 22);
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const ChosenRows nonzero(fresh, a.num_cols, 0.2, 23);
    const Guarded<float> table(fresh, x);
    const Guarded<float> y(fresh, a.num_rows, x.cols);
    SpmmOptions options;
    options.nonzero = nonzero.view();
    fresh.spmm(*fresh.sparse(a.view()), table.view(), y.view(), options);
    return y.dense();
  });
}

std::vector<std::uint32_t> words_of(Backend& backend, const Vector<std::uint32_t>& words) {
  // Copies know float32; bits survive them.
  Vector<float> host = support::backend_by_name("cpu")->vector<float>(words.size());
  const auto* bits = reinterpret_cast<const float*>(words.view().data);
  backend.copy(VectorView<const float>(bits, words.size(), backend.device()), host.view());
  backend.sync();
  const auto* got = reinterpret_cast<const std::uint32_t*>(host.view().data);
  return {got, got + words.size()};
}

// Lists with repeated ids, empty ones, and more of them than one launch takes, at sizes around a
// word; a second call forgets the first.
TEST_P(RowSets, MarkTheRowsOfAllLists) {
  for (const std::int64_t num_rows : {1, 31, 32, 33, 64, 1000}) {
    for (const std::size_t num_lists : {0U, 1U, 3U, 4U, 5U, 9U}) {
      SCOPED_TRACE(testing::Message() << num_rows << " rows, " << num_lists << " lists");
      std::vector<Guarded<NodeId>> memory;
      std::vector<IdView> lists;
      std::vector<std::uint32_t> want(static_cast<std::size_t>(row_set_words(num_rows)), 0);
      for (std::size_t list = 0; list < num_lists; ++list) {
        const Dense ids = support::random_ids(list == 2 ? 0 : 40, num_rows, 41 + list);
        for (const NodeId id : support::ids_of(ids))
          want[static_cast<std::size_t>(id / 32)] |= 1U << (id % 32);
        lists.push_back(memory.emplace_back(backend(), ids).vector());
      }
      Vector<std::uint32_t> words = backend().vector<std::uint32_t>(row_set_words(num_rows));
      const Guarded<NodeId> all(backend(), support::random_ids(200, num_rows, 40));
      const IdView before[] = {all.vector()};
      backend().mark_rows(before, num_rows, words.view());
      backend().mark_rows(lists, num_rows, words.view());
      EXPECT_EQ(words_of(backend(), words), want);
    }
  }
}

TEST_P(RowSets, FillTheirRowsOnly) {
  for (const std::int64_t width : {1, 4, 33, 64}) {
    for (const double share : {-1.0, 0.0, 0.4, 1.0}) {
      const Placement placement = width == 33 ? Placement::misaligned : Placement::aligned;
      const ChosenRows rows(backend(), 70, share, 51);
      const Dense before = support::random_dense(70, width, 52);
      const Guarded<float> y(backend(), before, placement);
      backend().fill_rows(rows.view(), 2.5F, y.view());
      Dense want(70, width, 2.5);
      for (std::int64_t i = 0; i < 70; ++i) {
        for (std::int64_t j = 0; j < width && !rows.has(i); ++j) want(i, j) = before(i, j);
      }
      EXPECT_TRUE(same_bits(y.dense(), want, origin(52))) << width << ", share " << share;
      EXPECT_TRUE(y.intact());
    }
  }
}

TEST_P(RowSets, RefuseWhatDoesNotFit) {
  const graph::Csr a = support::random_sparse(70, 30, 2, Values::present, 3);
  const auto sparse = backend().sparse(a.view());
  const Guarded<float> x(backend(), Dense(30, 4, 1.0));
  const Guarded<float> y(backend(), Dense(70, 4, 1.0));
  const ChosenRows of_rows(backend(), 70, 0.5, 61);  // three words
  const ChosenRows of_cols(backend(), 30, 0.5, 62);  // one word
  SpmmOptions options;
  options.wanted = of_rows.view();
  options.nonzero = of_cols.view();
  EXPECT_NO_THROW(backend().spmm(*sparse, x.view(), y.view(), options));
  options.wanted = of_cols.view();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "wanted";
  options = {};
  options.nonzero = of_rows.view();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "nonzero";
  options = {};
  options.nonzero_addend = of_cols.view();
  EXPECT_THROW(backend().spmm(*sparse, x.view(), y.view(), options), InputError) << "addend";
  EXPECT_THROW(backend().fill_rows(of_cols.view(), 0.0F, y.view()), InputError);
  Vector<std::uint32_t> words = backend().vector<std::uint32_t>(1);
  EXPECT_THROW(backend().mark_rows({}, 70, words.view()), InputError);
  if (!on_cpu()) return;
  const NodeId beyond[] = {3, 30};
  const IdView lists[] = {{beyond, 2, Device::cpu}};
  EXPECT_THROW(backend().mark_rows(lists, 30, words.view()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
