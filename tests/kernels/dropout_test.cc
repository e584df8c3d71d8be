// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "graph/random.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

class Dropout : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Dropout);

/// Word for word from DropoutOptions' comment.
Dense expected(const DropoutOptions& options, const Dense& x) {
  const graph::Random random(options.seed, graph::Stream::dropout, options.substream);
  Dense y(x.rows, x.cols);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const auto place = static_cast<std::uint64_t>(i * x.cols + j);
      const std::uint32_t word = random.words(place / 4)[place % 4];
      const bool dropped = word < static_cast<double>(options.rate) * 4294967296.0;
      y(i, j) = dropped ? 0.0 : x(i, j) / (1.0 - static_cast<double>(options.rate));
    }
  }
  return y;
}

TEST_P(Dropout, DropsTheDocumentedPositionsAlsoInPlace) {
  for (const std::int64_t cols : {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 63, 64, 65, 257}) {
    for (const float rate : {0.1F, 0.5F, 0.9F, 0.99999994F}) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(testing::Message() << "D " << cols << ", rate " << rate);
        const DropoutOptions options{rate, graph::Seed{(std::uint64_t{7} << 32) + 5},
                                     (std::uint64_t{3} << 40) + 1};
        const Dense x = support::random_dense(21, cols, 71);
        const Dense want = expected(options, x);
        const Guarded<float> from(backend(), x, placement);
        const Guarded<float> y(backend(), 21, cols, placement);
        backend().dropout(options, from.view(), y.view());
        const Dense got = y.dense();
        Dense tolerance = want;
        for (double& value : tolerance.values) value = 4 * support::kEps * std::abs(value);
        EXPECT_TRUE(agrees(got, want, tolerance, origin(71)));
        EXPECT_TRUE(y.intact());
        backend().dropout(options, from.view(), from.view());
        EXPECT_TRUE(same_bits(from.dense(), got, origin(71))) << "in place";
      }
    }
  }
}

TEST_P(Dropout, RateZeroCopies) {
  const Dense x = support::random_dense(5, 9, 72);
  const Guarded<float> from(backend(), x);
  const Guarded<float> y(backend(), 5, 9);
  backend().dropout({0.0F, graph::Seed{1}, 0}, from.view(), y.view());
  EXPECT_TRUE(same_bits(y.dense(), x, origin(72)));
}

// 256,000 elements: the share of zeros within four standard deviations, sqrt(r (1 - r) / n) each.
TEST_P(Dropout, DropsTheStatedShareAndKeepsTheMean) {
  const Guarded<float> x(backend(), Dense(1000, 256, 1.0));
  const Guarded<float> y(backend(), 1000, 256);
  for (const float rate : {0.2F, 0.5F}) {
    backend().dropout({rate, graph::Seed{11}, 4}, x.view(), y.view());
    double zeros = 0.0;
    for (const double value : y.dense().values) zeros += value == 0.0 ? 1.0 : 0.0;
    const auto share = static_cast<double>(rate);
    EXPECT_NEAR(zeros / 256000.0, share, 4.0 * std::sqrt(share * (1.0 - share) / 256000.0));
  }
}

TEST_P(Dropout, SeedsAndSubstreamsDiffer) {
  const Guarded<float> x(backend(), Dense(10, 64, 1.0));
  const auto mask = [&](const DropoutOptions& options) {
    const Guarded<float> y(backend(), 10, 64);
    backend().dropout(options, x.view(), y.view());
    return y.dense();
  };
  const Dense first = mask({0.5F, graph::Seed{1}, 0});
  EXPECT_TRUE(same_bits(mask({0.5F, graph::Seed{1}, 0}), first, origin(0)));
  EXPECT_FALSE(same_bits(mask({0.5F, graph::Seed{2}, 0}), first, origin(0)));
  EXPECT_FALSE(same_bits(mask({0.5F, graph::Seed{1}, 1}), first, origin(0)));
}

TEST_P(Dropout, SameBitsAtOneAndTwoThreads) {
  const Dense x = support::random_dense(3000, 37, 73);
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const Guarded<float> y(fresh, x);
    fresh.dropout({0.3F, graph::Seed{1}, 0}, y.view(), y.view());
    return y.dense();
  });
}

TEST_P(Dropout, RefusesWhatDoesNotFit) {
  const Guarded<float> x(backend(), Dense(4, 3, 1.0));
  const Guarded<float> turned(backend(), Dense(3, 4, 1.0));
  EXPECT_THROW(backend().dropout({0.5F, graph::Seed{1}, 0}, x.view(), turned.view()), InputError);
  for (const float rate : {-0.1F, 1.0F, 1.5F, std::nanf("")})
    EXPECT_THROW(backend().dropout({rate, graph::Seed{1}, 0}, x.view(), x.view()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
