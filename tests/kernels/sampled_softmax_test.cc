// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <ostream>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/loss.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using support::Placement;

struct SoftmaxCase {
  std::int64_t batch, negatives, width;
  float temperature = 0.5F;
  bool masks = false;
  bool has_positive_bias = false;
  bool has_negative_bias = false;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const SoftmaxCase& c) {
  return out << "B " << c.batch << ", M " << c.negatives << ", D " << c.width << ", temperature "
             << c.temperature << (c.masks ? ", masks" : "")
             << (c.has_positive_bias ? ", positive bias" : "")
             << (c.has_negative_bias ? ", negative bias" : "") << ", seed " << c.seed;
}

// Around the tiles of 32 batch rows and 512 negatives, and the vector widths of M; the last has
// more batch rows than the CPU keeps scores of at once.
const SoftmaxCase kSoftmaxCases[] = {
    {1, 1, 1},
    {3, 7, 8, 0.5F, true},
    {5, 8, 9, 1.0F, true, true, true},
    {2, 9, 16, 0.1F, false, true, false},
    {2, 15, 16, 0.1F, false, false, true},
    {63, 17, 7, 0.07F, true, false, true},
    {64, 33, 17, 2.0F, true, true, true},
    {65, 64, 33, 0.5F, true},
    {200, 100, 24, 0.5F, true, true, true},
    {10, 1025, 32, 0.2F, false, true, true},
    {31, 511, 5, 0.3F, true},
    {32, 512, 6, 0.3F, true, false, true},
    {33, 513, 7, 0.3F, true, true, false},
    {70, 1500, 9, 0.05F, true, true, true},
    {300, 33000, 2, 0.2F, true},
};

class SampledSoftmax : public support::BackendTest {
 protected:
  struct Result {
    Dense losses, d_users, d_positives, d_negatives;
  };
  struct Inputs {
    Dense users, positives, negatives;
    double temperature = 1.0;
    Dense positive_ids, negative_ids, positive_bias, negative_bias;  ///< one row, or empty
  };
  static Inputs inputs_of(const SoftmaxCase& c) {
    Inputs in{support::random_dense(c.batch, c.width, c.seed),
              support::random_dense(c.batch, c.width, c.seed + 1),
              support::random_dense(c.negatives, c.width, c.seed + 2),
              static_cast<double>(c.temperature),
              {},
              {},
              {},
              {}};
    if (c.masks) {
      in.positive_ids = support::random_ids(c.batch, 5, c.seed + 3);
      in.negative_ids = support::random_ids(c.negatives, 5, c.seed + 4);
    }
    if (c.has_positive_bias) in.positive_bias = support::random_dense(1, c.batch, c.seed + 5);
    if (c.has_negative_bias) in.negative_bias = support::random_dense(1, c.negatives, c.seed + 6);
    return in;
  }
  static oracle::LossResult expected(const Inputs& in) {
    Dense left_out(in.users.rows, in.negatives.rows);
    for (std::int64_t b = 0; b < left_out.rows; ++b) {
      for (std::int64_t m = 0; m < left_out.cols; ++m) {
        left_out(b, m) =
            !in.positive_ids.values.empty() && in.positive_ids(0, b) == in.negative_ids(0, m) ? 1.0
                                                                                              : 0.0;
      }
    }
    return oracle::sampled_softmax(in.users, in.positives, in.negatives, in.temperature, left_out,
                                   in.positive_bias, in.negative_bias);
  }
  Result run(const Inputs& in, Placement placement = Placement::aligned) {
    const Guarded<float> u(backend(), in.users, placement);
    const Guarded<float> p(backend(), in.positives, placement);
    const Guarded<float> n(backend(), in.negatives, placement);
    const Guarded<NodeId> positive_ids(backend(), in.positive_ids, placement);
    const Guarded<NodeId> negative_ids(backend(), in.negative_ids, placement);
    const Guarded<float> positive_bias(backend(), in.positive_bias, placement);
    const Guarded<float> negative_bias(backend(), in.negative_bias, placement);
    const Guarded<float> losses(backend(), 1, in.users.rows, placement);
    const Guarded<float> d_u(backend(), in.users.rows, in.users.cols, placement);
    const Guarded<float> d_p(backend(), in.users.rows, in.users.cols, placement);
    const Guarded<float> d_n(backend(), in.negatives.rows, in.users.cols, placement);
    SampledSoftmaxOptions options;
    options.temperature = static_cast<float>(in.temperature);
    if (!in.positive_ids.values.empty()) options.positive_ids = positive_ids.vector();
    if (!in.negative_ids.values.empty()) options.negative_ids = negative_ids.vector();
    if (!in.positive_bias.values.empty()) options.positive_bias = positive_bias.vector();
    if (!in.negative_bias.values.empty()) options.negative_bias = negative_bias.vector();
    backend().sampled_softmax(u.view(), p.view(), n.view(), options, losses.vector(), d_u.view(),
                              d_p.view(), d_n.view());
    EXPECT_TRUE(losses.intact() && d_u.intact() && d_p.intact() && d_n.intact());
    return {losses.dense(), d_u.dense(), d_p.dense(), d_n.dense()};
  }
  void expect_agreement(const Inputs& in, Placement placement = Placement::aligned) {
    const auto want = expected(in);
    const Result got = run(in, placement);
    const double c = static_cast<double>(in.negatives.rows + in.users.cols) + 16;
    EXPECT_TRUE(agrees(got.losses, want.losses, c, origin(1))) << "losses";
    EXPECT_TRUE(agrees(got.d_users, want.d_users, c, origin(1))) << "d_users";
    EXPECT_TRUE(agrees(got.d_positives, want.d_positives, c, origin(1))) << "d_positives";
    if (in.negatives.rows == 0) return;
    // A negative's gradient is a sum over the batch.
    EXPECT_TRUE(agrees(got.d_negatives, want.d_negatives, c + static_cast<double>(in.users.rows),
                       origin(1)))
        << "d_negatives";
  }
};
PENCHANT_INSTANTIATE_BACKENDS(SampledSoftmax);

TEST_P(SampledSoftmax, AgreesWithTheOracle) {
  for (const SoftmaxCase& c : kSoftmaxCases) {
    SCOPED_TRACE(c);
    expect_agreement(inputs_of(c), Placement::aligned);
    expect_agreement(inputs_of(c), Placement::misaligned);
  }
}

// u = 1, p = 0, n = {0, 0, 0}: all scores equal, P = 1/4 each; loss = log 4; d_u = 0; d_p = -3/4;
// d_n = 1/4.
TEST_P(SampledSoftmax, EqualScoresShareEqually) {
  const Result got = run({Dense(1, 1, 1.0), Dense(1, 1), Dense(3, 1), 1.0, {}, {}, {}, {}});
  EXPECT_NEAR(got.losses(0, 0), std::log(4.0), 1e-6);
  EXPECT_TRUE(agrees(got.d_users, Dense(1, 1), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.d_positives, Dense(1, 1, -0.75), 1e-7, origin(0)));
  EXPECT_TRUE(agrees(got.d_negatives, Dense(3, 1, 0.25), 1e-7, origin(0)));
}

TEST_P(SampledSoftmax, LeavesOutTheRowsOwnPositive) {
  Inputs in = inputs_of({2, 3, 4});
  in.positive_ids = Dense(1, 2, {7, 8});
  in.negative_ids = Dense(1, 3, {7, 7, 7});
  const Result got = run(in);
  EXPECT_EQ(got.losses(0, 0), 0.0) << "nothing is left to compete with";
  EXPECT_GT(got.losses(0, 1), 0.0);
  for (std::int64_t j = 0; j < 4; ++j) EXPECT_EQ(got.d_users(0, j), 0.0);
  expect_agreement(in);
}

// Scores of some hundreds: shifted by the maximum, nothing overflows; a tiny loss keeps its
// gradient.
TEST_P(SampledSoftmax, ExtremeScoresStayFinite) {
  Inputs in = inputs_of({6, 20, 16, 0.01F, true, true, true});
  expect_agreement(in);
  const Result sure = run({Dense(1, 1, 1.0), Dense(1, 1, 20.0), Dense(1, 1), 1.0, {}, {}, {}, {}});
  EXPECT_NEAR(sure.d_positives(0, 0), -std::exp(-20.0), 1e-6 * std::exp(-20.0));
  const Result hopeless =
      run({Dense(1, 1, 1.0), Dense(1, 1), Dense(1, 1, 500.0), 1.0, {}, {}, {}, {}});
  EXPECT_NEAR(hopeless.losses(0, 0), 500.0, 1e-4);
  EXPECT_NEAR(hopeless.d_positives(0, 0), -1.0, 1e-6);
}

// Adding one number to every score changes nothing: positive and negative biases are the same kind
// of number.
TEST_P(SampledSoftmax, ACommonBiasCancels) {
  const Inputs in = inputs_of({20, 30, 8});
  Inputs biased = in;
  biased.positive_bias = Dense(1, 20, 2.0);
  biased.negative_bias = Dense(1, 30, 2.0);
  EXPECT_TRUE(agrees(run(biased).losses, run(in).losses, 1e-5, origin(1)));
  EXPECT_TRUE(agrees(run(biased).d_users, run(in).d_users, 1e-6, origin(1)));
}

// The scratch table is kept between calls: a smaller batch after a larger one must not see its
// numbers.
TEST_P(SampledSoftmax, CallsDoNotInfluenceEachOther) {
  const Inputs small = inputs_of({5, 9, 8, 0.5F, true});
  const Result before = run(small);
  run(inputs_of({100, 200, 8}));
  const Result after = run(small);
  EXPECT_TRUE(same_bits(after.losses, before.losses, origin(1)));
  EXPECT_TRUE(same_bits(after.d_negatives, before.d_negatives, origin(1)));
}

TEST_P(SampledSoftmax, WithoutNegativesNothingIsLost) {
  const Result got = run({support::random_dense(3, 8, 1),
                          support::random_dense(3, 8, 2),
                          Dense(0, 8),
                          0.1,
                          {},
                          {},
                          {},
                          {}});
  EXPECT_TRUE(agrees(got.losses, Dense(1, 3), 0.0, origin(1)));
  EXPECT_TRUE(agrees(got.d_users, Dense(3, 8), 0.0, origin(1)));
  EXPECT_TRUE(agrees(got.d_positives, Dense(3, 8), 0.0, origin(1)));
}

// The gradient of a mean over no rows is zero, and outputs are overwritten.
TEST_P(SampledSoftmax, AnEmptyBatchHasZeroGradients) {
  const Result got =
      run({Dense(0, 8), Dense(0, 8), support::random_dense(4, 8, 1), 0.1, {}, {}, {}, {}});
  EXPECT_TRUE(agrees(got.d_negatives, Dense(4, 8), 0.0, origin(1)));
}

TEST_P(SampledSoftmax, SameBitsAtOneAndTwoThreads) {
  const Inputs in = inputs_of({500, 300, 33, 0.5F, true, true, true});
  expect_same_bits_at_any_thread_count([&](Backend&) { return run(in).d_users; });
  expect_same_bits_at_any_thread_count([&](Backend&) { return run(in).d_negatives; });
}

TEST_P(SampledSoftmax, RefusesWhatDoesNotFit) {
  const Guarded<float> rows(backend(), Dense(4, 3, 1.0));
  const Guarded<float> shared(backend(), Dense(5, 3, 1.0));
  const Guarded<float> narrow(backend(), Dense(5, 2, 1.0));
  const Guarded<float> four(backend(), Dense(1, 4, 1.0));
  const Guarded<float> five(backend(), Dense(1, 5, 1.0));
  const Guarded<NodeId> ids(backend(), Dense(1, 5, 1.0));
  const FloatView u = rows.view();
  const FloatView n = shared.view();
  const auto run_with = [&](const SampledSoftmaxOptions& options) {
    backend().sampled_softmax(u, u, n, options, four.vector(), u, u, n);
  };
  EXPECT_NO_THROW(run_with({}));
  EXPECT_THROW(backend().sampled_softmax(u, n, n, {}, four.vector(), u, u, n), InputError);
  EXPECT_THROW(backend().sampled_softmax(u, u, narrow.view(), {}, four.vector(), u, u, n),
               InputError);
  EXPECT_THROW(backend().sampled_softmax(u, u, n, {}, five.vector(), u, u, n), InputError);
  EXPECT_THROW(backend().sampled_softmax(u, u, n, {}, four.vector(), n, u, n), InputError);
  EXPECT_THROW(backend().sampled_softmax(u, u, n, {}, four.vector(), u, n, n), InputError);
  EXPECT_THROW(backend().sampled_softmax(u, u, n, {}, four.vector(), u, u, u), InputError);
  SampledSoftmaxOptions options;
  options.positive_ids = ids.vector();
  options.negative_ids = ids.vector();
  EXPECT_THROW(run_with(options), InputError) << "five positive ids for four rows";
  options = {};
  options.negative_ids = ids.vector();
  EXPECT_THROW(run_with(options), InputError) << "negative ids without positive ids";
  options = {};
  options.positive_bias = five.vector();
  EXPECT_THROW(run_with(options), InputError);
  options = {};
  options.negative_bias = four.vector();
  EXPECT_THROW(run_with(options), InputError);
  for (const float temperature : {0.0F, -1.0F, std::nanf("")}) {
    options = {};
    options.temperature = temperature;
    EXPECT_THROW(run_with(options), InputError) << "temperature " << temperature;
  }
}

}  // namespace
}  // namespace penchant::kernels
