// SPDX-License-Identifier: Apache-2.0
// binary_cross_entropy and squared_error.
#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/loss.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;
using support::Placement;

constexpr std::int64_t kSizes[] = {1, 7, 8, 9, 15, 16, 17, 1000};

class PointwiseLoss : public support::BackendTest {
 protected:
  struct Result {
    Dense losses, gradients;
  };
  using Op = void (Backend::*)(VectorView<const float>, VectorView<const float>, VectorView<float>,
                               VectorView<float>);
  Result run(Op op, const Dense& x, const Dense& targets,
             Placement placement = Placement::aligned) {
    const Guarded<float> from(backend(), x, placement);
    const Guarded<float> wanted(backend(), targets, placement);
    const Guarded<float> losses(backend(), 1, x.cols, placement);
    const Guarded<float> gradients(backend(), 1, x.cols, placement);
    (backend().*op)(from.vector(), wanted.vector(), losses.vector(), gradients.vector());
    EXPECT_TRUE(losses.intact() && gradients.intact());
    return {losses.dense(), gradients.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(PointwiseLoss);

Dense scaled(Dense values, double factor) {
  for (double& value : values.values) value *= factor;
  return support::round_to_float(std::move(values));
}

/// 0, 1 and everything in between.
Dense labels(std::int64_t size) {
  Dense result = support::random_dense(1, size, 92);
  for (std::int64_t b = 0; b < size; ++b)
    result(0, b) = b % 3 == 0 ? static_cast<double>(b % 2) : std::abs(result(0, b));
  return result;
}

TEST_P(PointwiseLoss, CrossEntropyAgreesWithTheOracle) {
  for (const std::int64_t size : kSizes) {
    for (const double scale : {0.1, 4.0, 90.0}) {  // up to logits whose sigmoid is 0 or 1
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        SCOPED_TRACE(testing::Message() << "B " << size << ", scale " << scale);
        const Dense logits = scaled(support::random_dense(1, size, 91), scale);
        const auto want = oracle::binary_cross_entropy(logits, labels(size));
        const Result got = run(&Backend::binary_cross_entropy, logits, labels(size), placement);
        EXPECT_TRUE(agrees(got.losses, want.losses, 8, origin(91)));
        EXPECT_TRUE(agrees(got.gradients, want.gradients, 8, origin(91)));
      }
    }
  }
}

TEST(PointwiseLossOracle, GradientsAgreeWithCentralDifferences) {
  const Dense x = scaled(support::random_dense(1, 20, 91), 3.0);
  for (const auto op : {&oracle::binary_cross_entropy, &oracle::squared_error}) {
    const auto want = op(x, labels(20));
    for (std::int64_t b = 0; b < 20; ++b) {
      Dense above = x;
      Dense below = x;
      above(0, b) += 1e-5;
      below(0, b) -= 1e-5;
      const double difference =
          op(above, labels(20)).losses.value(0, b) - op(below, labels(20)).losses.value(0, b);
      EXPECT_NEAR(want.gradients.value(0, b), difference / 2e-5 / 20.0, 1e-8);
    }
  }
}

// sigmoid(0) = 1/2: loss log 2, gradient -+1/2 over B = 2.
TEST_P(PointwiseLoss, CrossEntropyOfNoOpinion) {
  const Result got = run(&Backend::binary_cross_entropy, Dense(1, 2), Dense(1, 2, {1.0, 0.0}));
  EXPECT_TRUE(agrees(got.losses, Dense(1, 2, std::log(2.0)), 1e-7, origin(0)));
  EXPECT_TRUE(agrees(got.gradients, Dense(1, 2, {-0.25, 0.25}), 0.0, origin(0)));
}

TEST_P(PointwiseLoss, CrossEntropyOfExtremeLogitsStaysFinite) {
  const Result got = run(&Backend::binary_cross_entropy, Dense(1, 4, {1e4, -1e4, 1e4, -1e4}),
                         Dense(1, 4, {1.0, 0.0, 0.0, 1.0}));
  EXPECT_TRUE(agrees(got.losses, Dense(1, 4, {0.0, 0.0, 1e4, 1e4}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.gradients, Dense(1, 4, {0.0, 0.0, 0.25, -0.25}), 0.0, origin(0)));
}

TEST_P(PointwiseLoss, SquaredErrorAgreesWithTheOracle) {
  for (const std::int64_t size : kSizes) {
    const Dense x = scaled(support::random_dense(1, size, 93), 5.0);
    const Dense targets = support::random_dense(1, size, 94);
    const auto want = oracle::squared_error(x, targets);
    const Result got = run(&Backend::squared_error, x, targets, Placement::misaligned);
    EXPECT_TRUE(agrees(got.losses, want.losses, 8, origin(93)));
    EXPECT_TRUE(agrees(got.gradients, want.gradients, 8, origin(93)));
  }
}

TEST_P(PointwiseLoss, AnEmptyBatchIsNoError) {
  const Guarded<float> none(backend(), Dense(1, 0));
  const VectorView<float> v = none.vector();
  EXPECT_NO_THROW(backend().binary_cross_entropy(v, v, v, v));
  EXPECT_NO_THROW(backend().squared_error(v, v, v, v));
}

TEST_P(PointwiseLoss, RefusesWhatDoesNotFit) {
  const Guarded<float> three(backend(), Dense(1, 3, 1.0));
  const Guarded<float> four(backend(), Dense(1, 4, 1.0));
  const VectorView<float> a = three.vector();
  const VectorView<float> b = four.vector();
  for (const Op op : {&Backend::binary_cross_entropy, &Backend::squared_error}) {
    EXPECT_THROW((backend().*op)(a, b, a, a), InputError);
    EXPECT_THROW((backend().*op)(a, a, b, a), InputError);
    EXPECT_THROW((backend().*op)(a, a, a, b), InputError);
  }
  if (!on_cpu()) return;
  for (const double label : {-0.5, 1.5, std::nan("")}) {
    const Guarded<float> bad(backend(), Dense(1, 3, label));
    EXPECT_THROW(backend().binary_cross_entropy(a, bad.vector(), a, a), InputError) << label;
  }
}

}  // namespace
}  // namespace penchant::kernels
