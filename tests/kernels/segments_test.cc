// SPDX-License-Identifier: Apache-2.0
// segment_max and running_sum.
#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/sequence.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using oracle::Offsets;
using support::Dense;
using support::Guarded;
using support::Placement;

// Empty sequences at both ends and in between, single steps, long ones.
const std::vector<std::vector<std::int64_t>> kLengths = {
    {1}, {5}, {0, 3, 0, 0, 1, 7, 0}, {20, 1, 19, 2, 18, 3}, {0}, {100, 41}};
constexpr std::int64_t kWidths[] = {1, 7, 8, 9, 15, 16, 17, 65};

class Segmented : public support::BackendTest {
 protected:
  struct MaxResult {
    Dense y, rows;
  };
  MaxResult segment_max(const Offsets& offsets, const Dense& x,
                        Placement placement = Placement::aligned) {
    const auto batch = static_cast<std::int64_t>(offsets.size()) - 1;
    const Guarded<float> from(backend(), x, placement);
    const Guarded<float> y(backend(), batch, x.cols, placement);
    const Guarded<NodeId> rows(backend(), batch, x.cols, placement);
    backend().segment_max({offsets}, from.view(), y.view(), rows.view());
    EXPECT_TRUE(y.intact() && rows.intact());
    return {y.dense(), rows.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Segmented);

TEST_P(Segmented, MaxAgreesWithTheOracleTiesIncluded) {
  for (const auto& lengths : kLengths) {
    for (const std::int64_t cols : kWidths) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(testing::Message() << lengths.size() << " sequences, H " << cols);
        const Offsets offsets = oracle::offsets_of(lengths);
        for (const Dense& x : {support::random_dense(offsets.back(), cols, 3),
                               support::random_integers(offsets.back(), cols, 4)}) {
          const auto want = oracle::segment_max(offsets, x);
          const MaxResult got = segment_max(offsets, x, placement);
          EXPECT_TRUE(agrees(got.y, want.y, 0.0, origin(3)));
          EXPECT_TRUE(agrees(got.rows, want.rows, 0.0, origin(3)));
        }
      }
    }
  }
}

// Negative values only: 0 must not win.
TEST_P(Segmented, MaxOfNegativeValuesIsNegative) {
  const MaxResult got = segment_max({0, 2, 2}, Dense(2, 2, {-3.0, -4.0, -5.0, -4.0}));
  EXPECT_TRUE(agrees(got.y, Dense(2, 2, {-3.0, -4.0, 0.0, 0.0}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.rows, Dense(2, 2, {0.0, 0.0, -1.0, -1.0}), 0.0, origin(0)));
}

TEST_P(Segmented, MaxBackwardGoesWhereTheMaximumWas) {
  const Offsets offsets = oracle::offsets_of({0, 3, 0, 1, 7});
  for (const std::int64_t cols : kWidths) {
    const Dense x = support::random_dense(offsets.back(), cols, 5);
    const auto forward = oracle::segment_max(offsets, x);
    const Dense d_y = support::random_dense(5, cols, 6);
    Dense want(x.rows, cols);
    for (std::int64_t b = 0; b < 5; ++b) {
      for (std::int64_t j = 0; j < cols; ++j) {
        if (forward.rows(b, j) >= 0.0)
          want(static_cast<std::int64_t>(forward.rows(b, j)), j) = d_y(b, j);
      }
    }
    const Guarded<NodeId> rows(backend(), forward.rows);
    const Guarded<float> gradient(backend(), d_y);
    const Guarded<float> d_x(backend(), x.rows, cols);
    backend().segment_max_backward(rows.view(), gradient.view(), d_x.view());
    EXPECT_TRUE(agrees(d_x.dense(), want, 0.0, origin(6)));
    EXPECT_TRUE(d_x.intact());
  }
}

TEST_P(Segmented, RunningSumAgreesWithTheOracleAlsoInPlace) {
  for (const auto& lengths : kLengths) {
    const Offsets offsets = oracle::offsets_of(lengths);
    if (offsets.back() == 0) continue;
    for (const std::int64_t cols : kWidths) {
      for (const float decay : {0.0F, 0.5F, 0.97F, 1.0F, -0.7F}) {
        for (const TimeOrder order : {TimeOrder::forward, TimeOrder::backward}) {
          SCOPED_TRACE(testing::Message()
                       << lengths.size() << " sequences, D " << cols << ", decay " << decay);
          const Dense x = support::random_dense(offsets.back(), cols, 7);
          const auto want = oracle::running_sum(order == TimeOrder::backward, offsets,
                                                static_cast<double>(decay), x);
          const Guarded<float> from(backend(), x, Placement::misaligned);
          const Guarded<float> y(backend(), x.rows, cols, Placement::misaligned);
          backend().running_sum(order, {offsets}, decay, from.view(), y.view());
          // A step is rounded twice, and a term passes through as many steps as its sequence has.
          const double c = 2.0 * 100 + 4;
          EXPECT_TRUE(agrees(y.dense(), want, c, origin(7)));
          EXPECT_TRUE(y.intact());
          backend().running_sum(order, {offsets}, decay, from.view(), from.view());
          EXPECT_TRUE(same_bits(from.dense(), y.dense(), origin(7))) << "in place";
        }
      }
    }
  }
}

// <running_sum forward x, z> = <x, running_sum backward z>: each is the backward of the other.
TEST_P(Segmented, RunningSumsAreAdjoint) {
  const Offsets offsets = oracle::offsets_of({4, 0, 9, 1});
  const Dense x = support::random_dense(14, 5, 8);
  const Dense z = support::random_dense(14, 5, 9);
  const Guarded<float> from(backend(), x);
  const Guarded<float> back(backend(), z);
  backend().running_sum(TimeOrder::forward, {offsets}, 0.8F, from.view(), from.view());
  backend().running_sum(TimeOrder::backward, {offsets}, 0.8F, back.view(), back.view());
  const Dense sum_x = from.dense();
  const Dense sum_z = back.dense();
  double left = 0.0;
  double right = 0.0;
  for (std::size_t k = 0; k < x.values.size(); ++k) {
    left += sum_x.values[k] * z.values[k];
    right += x.values[k] * sum_z.values[k];
  }
  EXPECT_NEAR(left, right, 1e-5);
}

TEST_P(Segmented, SameBitsAtOneAndTwoThreads) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t b = 0; b < 300; ++b) lengths.push_back(b % 37);
  const Offsets offsets = oracle::offsets_of(lengths);
  const Dense x = support::random_dense(offsets.back(), 33, 10);
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const Guarded<float> y(fresh, x);
    fresh.running_sum(TimeOrder::forward, {offsets}, 0.9F, y.view(), y.view());
    return y.dense();
  });
  expect_same_bits_at_any_thread_count([&](Backend&) { return segment_max(offsets, x).rows; });
}

TEST_P(Segmented, NoOffsetsAreNoSequences) {
  const Guarded<float> none(backend(), 0, 3);
  const Guarded<NodeId> rows(backend(), 0, 3);
  EXPECT_NO_THROW(backend().segment_max({}, none.view(), none.view(), rows.view()));
  EXPECT_NO_THROW(backend().running_sum(TimeOrder::forward, {}, 0.5F, none.view(), none.view()));
  const Guarded<float> one(backend(), Dense(1, 3, 1.0));
  EXPECT_THROW(backend().running_sum(TimeOrder::forward, {}, 0.5F, one.view(), one.view()),
               InputError);
}

TEST_P(Segmented, RefusesWhatDoesNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> y(backend(), Dense(2, 3, 1.0));
  const Guarded<NodeId> rows(backend(), Dense(2, 3, 1.0));
  const Guarded<NodeId> beyond(backend(), Dense(2, 3, 4.0));
  const Guarded<NodeId> below(backend(), Dense(2, 3, -2.0));
  Backend& b = backend();
  const Offsets good = {0, 1, 4};
  for (const Offsets& offsets : {Offsets{1, 2, 4}, Offsets{0, 2, 3}, Offsets{0, 5, 4}, Offsets{}}) {
    EXPECT_THROW(b.segment_max({offsets}, x.view(), y.view(), rows.view()), InputError);
    EXPECT_THROW(b.running_sum(TimeOrder::forward, {offsets}, 1.0F, x.view(), x.view()),
                 InputError);
  }
  EXPECT_NO_THROW(b.segment_max({good}, x.view(), y.view(), rows.view()));
  EXPECT_THROW(b.segment_max({Offsets{0, 4}}, x.view(), y.view(), rows.view()), InputError);
  EXPECT_THROW(b.segment_max_backward(rows.view(), x.view(), x.view()), InputError);
  EXPECT_THROW(b.running_sum(TimeOrder::forward, {good}, 1.0F, x.view(), y.view()), InputError);
  if (on_cpu()) {
    EXPECT_THROW(b.segment_max_backward(beyond.view(), y.view(), x.view()), InputError);
    EXPECT_THROW(b.segment_max_backward(below.view(), y.view(), x.view()), InputError);
  }
}

}  // namespace
}  // namespace penchant::kernels
