// SPDX-License-Identifier: Apache-2.0
#include "models/ranking_loss.h"

#include <cmath>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using support::Dense;
using support::Guarded;

constexpr std::int64_t kNodes = 60;
constexpr std::int64_t kLossWidth = 11;

ModelOptions options_of(LossKind loss, bool normalize) {
  ModelOptions options;
  options.loss = loss;
  options.normalize = normalize;
  options.temperature = 0.5F;
  return options;
}

oracle::Batch batch_of(LossKind loss, std::int64_t size, std::int64_t num_negatives,
                       bool has_bias = false) {
  const std::int64_t count = loss == LossKind::bpr ? size : num_negatives;
  oracle::Batch batch{support::ids_of(support::random_ids(size, kNodes, 141)),
                      support::ids_of(support::random_ids(size, kNodes, 142)),
                      support::ids_of(support::random_ids(count, kNodes, 143)),
                      {},
                      {}};
  if (has_bias) {
    batch.positive_bias = support::random_dense(1, size, 144);
    batch.negative_bias = support::random_dense(1, count, 145);
  }
  return batch;
}

class RankingLossOp : public support::BackendTest {
 protected:
  struct Result {
    double sum;
    Dense d_final;
  };
  Result run(RankingLoss& loss, const Dense& final, const oracle::Batch& batch,
             const Dense& d_final0) {
    const DeviceBatch on_device(backend(), batch);
    const Guarded<float> table(backend(), final);
    const Guarded<float> gradient(backend(), d_final0);
    const double sum =
        add_gradients(backend(), loss, table.view(), on_device.view(), gradient.view());
    EXPECT_TRUE(gradient.intact());
    return {sum, gradient.dense()};
  }
  void expect_agreement(RankingLoss& loss, const ModelOptions& options,
                        const oracle::Batch& batch) {
    const Dense final = support::random_dense(kNodes, kLossWidth, 146);
    const Dense d_final0 = support::random_dense(kNodes, kLossWidth, 147);
    const Result got = run(loss, final, batch, d_final0);
    Dense want;
    const double mean = oracle::mean_loss(options, final, batch, &want);
    const auto size = static_cast<double>(batch.users.size());
    EXPECT_NEAR(got.sum, mean * size, 1e-5 * mean * size) << "the sum of the rows' losses";
    for (std::size_t k = 0; k < want.values.size(); ++k) want.values[k] += d_final0.values[k];
    EXPECT_TRUE(agrees(got.d_final, want, 2e-6, origin(146)));
  }
};
PENCHANT_INSTANTIATE_BACKENDS(RankingLossOp);

TEST_P(RankingLossOp, AgreesWithTheOracleAndAddsToTheGradient) {
  for (const LossKind kind : {LossKind::bpr, LossKind::sampled_softmax}) {
    for (const bool normalize : {false, true}) {
      for (const bool has_bias : {false, true}) {
        if (has_bias && kind == LossKind::bpr) continue;
        SCOPED_TRACE(testing::Message() << (kind == LossKind::bpr ? "bpr" : "sampled_softmax")
                                        << ", normalize " << normalize << ", bias " << has_bias);
        const ModelOptions options = options_of(kind, normalize);
        RankingLoss loss(options);
        expect_agreement(loss, options, batch_of(kind, 100, 40, has_bias));
      }
    }
  }
}

// The last batch of an epoch is smaller; buffers are kept.
TEST_P(RankingLossOp, BatchesOfAnySizeMayFollowEachOther) {
  for (const LossKind kind : {LossKind::bpr, LossKind::sampled_softmax}) {
    const ModelOptions options = options_of(kind, true);
    RankingLoss loss(options);
    for (const std::int64_t size : {50, 7, 1, 120, 50}) {
      SCOPED_TRACE(size);
      expect_agreement(loss, options, batch_of(kind, size, size / 2 + 1));
    }
  }
}

// u = (3, 4), p = (0, 2), n = (5, 0). Unit rows: (0.6, 0.8), (0, 1), (1, 0): cosines 0.8 and 0.6;
// BPR's loss is log(1 + e^-0.2).
TEST_P(RankingLossOp, NormalizedScoresAreCosines) {
  RankingLoss loss(options_of(LossKind::bpr, true));
  const Result got =
      run(loss, Dense(3, 2, {3, 4, 0, 2, 5, 0}), {{0}, {1}, {2}, {}, {}}, Dense(3, 2));
  EXPECT_NEAR(got.sum, std::log1p(std::exp(-0.2)), 1e-6);
  // A step along an embedding does not change its direction: gradients are orthogonal to their
  // rows.
  EXPECT_NEAR(3 * got.d_final(0, 0) + 4 * got.d_final(0, 1), 0.0, 1e-6);
  EXPECT_NEAR(got.d_final(1, 1), 0.0, 1e-6);
  EXPECT_NEAR(got.d_final(2, 0), 0.0, 1e-6);
}

TEST_P(RankingLossOp, AnEmptyBatchAddsNothing) {
  for (const LossKind kind : {LossKind::bpr, LossKind::sampled_softmax}) {
    RankingLoss loss(options_of(kind, true));
    const Dense final = support::random_dense(kNodes, kLossWidth, 148);
    run(loss, final, batch_of(kind, 20, 10),
        Dense(kNodes, kLossWidth));  // leaves numbers in the buffers
    oracle::Batch empty = batch_of(kind, 0, 10);
    const Result got = run(loss, final, empty, Dense(kNodes, kLossWidth, 1.0));
    EXPECT_EQ(got.sum, 0.0);
    EXPECT_TRUE(agrees(got.d_final, Dense(kNodes, kLossWidth, 1.0), 0.0, origin(148)))
        << (kind == LossKind::bpr ? "bpr" : "sampled_softmax");
  }
}

TEST_P(RankingLossOp, RefusesBatchesThatDoNotFit) {
  const Dense final = support::random_dense(kNodes, kLossWidth, 149);
  const Dense zero(kNodes, kLossWidth);
  RankingLoss bpr(options_of(LossKind::bpr, false));
  RankingLoss softmax(options_of(LossKind::sampled_softmax, false));
  EXPECT_THROW(run(bpr, final, {{0, 1}, {2, 3}, {4}, {}, {}}, zero), InputError)
      << "BPR has a negative for each row";
  for (RankingLoss* loss : {&bpr, &softmax}) {
    EXPECT_THROW(run(*loss, final, {{0, 1}, {2}, {4, 5}, {}, {}}, zero), InputError)
        << "one positive for two users";
    if (!on_cpu()) continue;  // ids are checked on the CPU only
    EXPECT_THROW(run(*loss, final, {{0}, {kNodes}, {4}, {}, {}}, zero), InputError) << "id";
  }
}

}  // namespace
}  // namespace penchant::models
