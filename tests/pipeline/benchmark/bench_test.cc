// SPDX-License-Identifier: Apache-2.0
// The benchmark's own parts: its oracle must refuse wrong results, its plan must bound what is
// taken, its quantities must follow from their definitions.
#include "pipeline/benchmark/bench.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/item_graph.h"
#include "graph/normalize.h"
#include "graph/read_graph.h"
#include "graph/rmat.h"
#include "models/ranking_loss.h"
#include "pipeline/artifact/memory.h"
#include "pipeline/benchmark/graph.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/output.h"
#include "pipeline/benchmark/workloads.h"
#include "pipeline/training/train_options.h"
#include "tests/pipeline/support/folder.h"

namespace penchant::pipeline {
namespace {

using ::testing::HasSubstr;

/// A small graph, a table and its product by the CPU backend.
class BenchOracle : public ::testing::Test {
 protected:
  void SetUp() override {
    matrix_ = graph::generate_rmat({.scale = 8, .edge_factor = 8});
    graph::normalize_symmetric_in_place(matrix_);
    sparse_ = backend_->sparse(matrix_.view());
    for (std::int64_t i = 0; i < 256; ++i) {
      for (std::int64_t k = 0; k < 20; ++k)
        x_.view()(i, k) = static_cast<float>(std::sin(static_cast<double>(i * 20 + k)));
    }
    backend_->spmm(*sparse_, kernels::ConstFloatView(x_.view()), y_.view(), {});
  }
  std::unique_ptr<kernels::Backend> backend_ = kernels::make_backend({kernels::DeviceChoice::cpu});
  graph::Csr matrix_;
  std::unique_ptr<kernels::SparseMatrix> sparse_;
  kernels::FloatMatrix x_ = backend_->matrix<float>(256, 20);
  kernels::FloatMatrix y_ = backend_->matrix<float>(256, 20);
};

TEST_F(BenchOracle, TakesARightProductAndRefusesAWrongOne) {
  for (std::int64_t row = 0; row < 256; ++row) {
    const Bounded want = product_row(matrix_.view(), x_.view(), row);
    EXPECT_NO_THROW(require_row("y", y_.view(), row, want));
    if (matrix_.view().row_size(row) == 0) continue;
    const float right = y_.view()(row, 7);
    // Sums of terms of up to 1 in float32 are right to some 1e-6.
    for (const float wrong :
         {right + 1e-4F, right - 1e-4F, std::numeric_limits<float>::quiet_NaN()}) {
      y_.view()(row, 7) = wrong;
      EXPECT_THROW(require_row("y", y_.view(), row, want), DeviceError) << wrong;
    }
    y_.view()(row, 7) = right;
  }
}

TEST_F(BenchOracle, LayerMeanIsTheMeanOfThePowers) {
  // (x + A x + A^2 x) / 3 by products of single rows.
  kernels::FloatMatrix z = backend_->matrix<float>(256, 20);
  backend_->spmm(*sparse_, kernels::ConstFloatView(y_.view()), z.view(), {});
  const Bounded mean = layer_mean(matrix_.view(), column_of(x_.view(), 3), 2, 1.0);
  for (std::int64_t i = 0; i < 256; ++i) {
    const double want =
        (static_cast<double>(x_.view()(i, 3)) + y_.view()(i, 3) + z.view()(i, 3)) / 3;
    EXPECT_NEAR(mean.value[static_cast<std::size_t>(i)], want, 1e-6);
    EXPECT_LT(mean.bound[static_cast<std::size_t>(i)], 1e-4);
    z.view()(i, 3) = static_cast<float>(want);
  }
  EXPECT_NO_THROW(require_column("mean", z.view(), 3, mean));
  z.view()(200, 3) += 1e-3F;
  EXPECT_THROW(require_column("mean", z.view(), 3, mean), DeviceError);
}

TEST_F(BenchOracle, RefusesATopkThatLeftOutABetterItem) {
  const auto queries = kernels::ConstFloatView(x_.view()).rows_of(0, 4);
  auto ids = backend_->matrix<graph::NodeId>(4, 5);
  auto scores = backend_->matrix<float>(4, 5);
  backend_->topk(queries, x_.view(), {}, ids.view(), scores.view());
  EXPECT_NO_THROW(require_topk(queries, x_.view(), ids.view(), scores.view()));
  // The best item replaced by one that is not among the best, with its right score.
  std::set<graph::NodeId> best;
  for (std::int64_t k = 0; k < 5; ++k) best.insert(ids.view()(2, k));
  graph::NodeId other = 0;
  while (best.count(other) > 0) ++other;
  ids.view()(2, 0) = other;
  double score = 0;
  for (std::int64_t k = 0; k < 20; ++k)
    score += static_cast<double>(x_.view()(2, k)) * x_.view()(other, k);
  scores.view()(2, 0) = static_cast<float>(score);
  EXPECT_THROW(require_topk(queries, x_.view(), ids.view(), scores.view()), DeviceError);
  ids.view()(2, 0) = ids.view()(2, 1);
  scores.view()(2, 0) = scores.view()(2, 1);
  EXPECT_THROW(require_topk(queries, x_.view(), ids.view(), scores.view()), DeviceError)
      << "an item twice";
  backend_->topk(queries, x_.view(), {}, ids.view(), scores.view());
  for (const float wrong : {scores.view()(3, 4) + 1e-3F, std::numeric_limits<float>::quiet_NaN()}) {
    const float right = std::exchange(scores.view()(3, 4), wrong);
    EXPECT_THROW(require_topk(queries, x_.view(), ids.view(), scores.view()), DeviceError) << wrong;
    scores.view()(3, 4) = right;
  }
}

TEST_F(BenchOracle, RefusesATopkInTheWrongOrder) {
  const auto queries = kernels::ConstFloatView(x_.view()).rows_of(0, 4);
  auto ids = backend_->matrix<graph::NodeId>(4, 5);
  auto scores = backend_->matrix<float>(4, 5);
  backend_->topk(queries, x_.view(), {}, ids.view(), scores.view());
  ASSERT_GT(scores.view()(1, 2), scores.view()(1, 3));
  std::swap(ids.view()(1, 2), ids.view()(1, 3));
  std::swap(scores.view()(1, 2), scores.view()(1, 3));
  EXPECT_THROW(require_topk(queries, x_.view(), ids.view(), scores.view()), DeviceError);
}

TEST_F(BenchOracle, DenseRowIsTheLayerAndRefusesAnother) {
  auto weight = backend_->matrix<float>(20, 6);
  auto bias = backend_->matrix<float>(1, 6);
  for (std::int64_t k = 0; k < 6; ++k) {
    bias.view()(0, k) = 0.1F * static_cast<float>(k - 3);
    for (std::int64_t j = 0; j < 20; ++j)
      weight.view()(j, k) = static_cast<float>(std::cos(static_cast<double>(j * 6 + k)));
  }
  auto got = backend_->matrix<float>(256, 6);
  backend_->linear(y_.view(), weight.view(), {bias.view().data, 6, kernels::Device::cpu},
                   kernels::Activation::leaky_relu, got.view());
  for (const std::int64_t row : sampled_rows(matrix_.view(), 16)) {
    const Bounded want =
        dense_row(product_row(matrix_.view(), x_.view(), row), weight.view(), bias.view());
    EXPECT_NO_THROW(require_row("layer", got.view(), row, want));
    const float right = got.view()(row, 2);
    for (const float wrong : {right + 1e-3F, right - 1e-3F, -right}) {
      got.view()(row, 2) = wrong;
      EXPECT_THROW(require_row("layer", got.view(), row, want), DeviceError) << wrong;
    }
    got.view()(row, 2) = right;
  }
}

TEST_F(BenchOracle, SampledRowsAreSpreadAndHaveTheLongest) {
  const std::vector<std::int64_t> rows = sampled_rows(matrix_.view(), 8);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  EXPECT_THAT(rows, ::testing::IsSupersetOf({std::int64_t{0}, std::int64_t{255}}));
  std::int64_t longest = 0;
  for (std::int64_t row = 0; row < 256; ++row) {
    if (matrix_.view().row_size(row) > matrix_.view().row_size(longest)) longest = row;
  }
  EXPECT_THAT(rows, ::testing::Contains(longest));
  EXPECT_GE(rows.size(), 8U);
}

/// A batch whose rows share users, positives and negatives, and one node in two roles.
class BprOracle : public BenchOracle {
 protected:
  void SetUp() override {
    BenchOracle::SetUp();
    const auto ids = [&](const std::vector<graph::NodeId>& nodes) {
      return kernels::IdView(nodes.data(), static_cast<std::int64_t>(nodes.size()),
                             kernels::Device::cpu);
    };
    models::ModelOptions options;
    options.loss = models::LossKind::bpr;
    options.normalize = false;
    models::RankingLoss(options).add_gradients(
        *backend_, x_.view(), {ids(users_), ids(positives_), ids(negatives_), {}, {}},
        gradient_.view(), losses_.view());
    for (std::int64_t b = 0; b < 6; ++b) sum_ += static_cast<double>(losses_.view()[b]);
  }
  std::vector<graph::NodeId> users_ = {1, 1, 3, 4, 5, 7};
  std::vector<graph::NodeId> positives_ = {10, 11, 10, 12, 4, 13};
  std::vector<graph::NodeId> negatives_ = {20, 20, 11, 10, 21, 13};
  BprBatch batch_{users_, positives_, negatives_};
  kernels::FloatMatrix gradient_ = backend_->matrix<float>(256, 20);
  kernels::Vector<float> losses_ = backend_->vector<float>(6);
  double sum_ = 0;
};

TEST_F(BprOracle, TakesTheLossAndRefusesAnother) {
  EXPECT_NO_THROW(require_bpr_loss(x_.view(), batch_, sum_));
  for (const double wrong :
       {sum_ + 0.01, sum_ - 0.01, sum_ / 6, std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(require_bpr_loss(x_.view(), batch_, wrong), DeviceError) << wrong;
}

TEST_F(BprOracle, GradientIsThatOfTheMeanLoss) {
  // Central differences of the sum that require_bpr_loss takes, computed here by itself.
  const auto mean_loss = [&](graph::NodeId node, std::int64_t column, double step) {
    double sum = 0;
    const auto at = [&](graph::NodeId row, std::int64_t k) {
      return static_cast<double>(x_.view()(row, k)) + (row == node && k == column ? step : 0.0);
    };
    for (std::size_t b = 0; b < users_.size(); ++b) {
      double margin = 0;
      for (std::int64_t k = 0; k < 20; ++k)
        margin += at(users_[b], k) * (at(positives_[b], k) - at(negatives_[b], k));
      sum += std::log1p(std::exp(-margin));
    }
    return sum / 6;
  };
  for (const graph::NodeId node : {1, 4, 10, 11, 13, 20}) {
    const Bounded want = bpr_gradient_row(x_.view(), batch_, node);
    for (std::int64_t k = 0; k < 20; ++k) {
      const double slope = (mean_loss(node, k, 1e-5) - mean_loss(node, k, -1e-5)) / 2e-5;
      EXPECT_NEAR(want.value[static_cast<std::size_t>(k)], slope, 1e-8) << node << ' ' << k;
    }
  }
}

TEST_F(BprOracle, TakesTheGradientAndRefusesAnother) {
  for (const graph::NodeId node : {1, 4, 10, 11, 13, 20, 100}) {
    const Bounded want = bpr_gradient_row(x_.view(), batch_, node);
    EXPECT_NO_THROW(require_row("gradient", gradient_.view(), node, want));
    const float right = gradient_.view()(node, 9);
    for (const float wrong :
         {right + 1e-4F, right - 1e-4F, std::numeric_limits<float>::quiet_NaN()}) {
      gradient_.view()(node, 9) = wrong;
      EXPECT_THROW(require_row("gradient", gradient_.view(), node, want), DeviceError)
          << node << ' ' << wrong;
    }
    gradient_.view()(node, 9) = right;
  }
}

TEST(BenchOracleOfEvents, RefusesALostAMovedAndAnotherEvent) {
  const std::vector<TimedItem> log = {{100, "i7"}, {200, "i8"}, {200, "i7"}, {300, "i7"}};
  EXPECT_NO_THROW(require_events("u1", {log[3], log[1], log[0], log[2]}, log));
  for (const std::vector<TimedItem>& wrong :
       {std::vector<TimedItem>{log[0], log[1], log[2]},
        std::vector<TimedItem>{log[0], log[1], log[2], {301, "i7"}},
        std::vector<TimedItem>{log[0], log[1], log[2], {300, "i8"}},
        std::vector<TimedItem>{log[0], log[1], log[2], log[3], log[3]}, std::vector<TimedItem>{}})
    EXPECT_THROW(require_events("u1", wrong, log), DeviceError) << wrong.size();
  try {
    require_events("u1", {log[0], log[1], log[2], {301, "i7"}}, log);
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("user u1 has 4 events in the data set, 4 in the log; the "
                                        "first that differs is i7 at 301 ms, expected i7 at 300"));
  }
}

/// Two users' sequences; 0 .. 4 are items.
class GraphBuildOracle : public ::testing::Test {
 protected:
  GraphBuildOracle() {
    events_.interactions.user = {0, 0, 0, 0, 1, 1, 1};
    events_.interactions.item = {0, 1, 2, 1, 2, 0, 4};
    events_.interactions.weight.assign(7, 1.0F);
    events_.interactions.time_ms = {1, 2, 3, 4, 1, 2, 3};
  }
  graph::TrainingPart events_;
};

TEST_F(GraphBuildOracle, RefusesAUserRowThatLacksAnItemOrHasAnother) {
  graph::UserItemGraph built = graph::build_user_item_graph(events_, 2, 5);
  for (const graph::NodeId user : {0, 1})
    EXPECT_NO_THROW(require_user_row(events_.interactions, built, user));
  const graph::Csr right = built.user_items;
  built.user_items.columns[1] = 3;  // instead of 1
  EXPECT_THROW(require_user_row(events_.interactions, built, 0), DeviceError);
  EXPECT_NO_THROW(require_user_row(events_.interactions, built, 1));
  built.user_items = right;
  built.user_items.columns.erase(built.user_items.columns.begin());
  for (std::size_t row = 1; row < built.user_items.offsets.size(); ++row)
    --built.user_items.offsets[row];
  EXPECT_THROW(require_user_row(events_.interactions, built, 0), DeviceError);
}

TEST_F(GraphBuildOracle, RefusesAWrongWeightAndALostNeighbour) {
  graph::CooccurrenceOptions options;
  options.window = 2;
  options.top_k = 3;
  graph::Csr built = graph::build_cooccurrence(events_, 5, options);
  const auto verify = [&](graph::NodeId item) {
    require_cooccurrence(events_.interactions, built.view(), item, options.window, options.top_k);
  };
  for (graph::NodeId item = 0; item < 5; ++item) EXPECT_NO_THROW(verify(item)) << item;
  const graph::Csr right = built;
  // 0 and 1 are one place apart: 1 / sqrt(2 * 2).
  ASSERT_EQ(built.columns[0], 1);
  EXPECT_NEAR(built.values[0], 0.5, 1e-6);
  for (const float wrong : {0.501F, 0.499F, std::numeric_limits<float>::quiet_NaN()}) {
    built.values[0] = wrong;
    EXPECT_THROW(verify(0), DeviceError) << wrong;
  }
  built = right;
  built.columns.erase(built.columns.begin());
  built.values.erase(built.values.begin());
  for (std::size_t row = 1; row < built.offsets.size(); ++row) --built.offsets[row];
  EXPECT_THROW(verify(0), DeviceError);
}

TEST(BenchOracleOfNumbers, RequireNearRefusesWhatIsBeyondTheBound) {
  EXPECT_NO_THROW(require_near("it", 0, 1.0, 1.5, 0.5));
  EXPECT_THROW(require_near("it", 0, 1.0, 1.5, 0.49), DeviceError);
  EXPECT_THROW(require_near("it", 0, std::numeric_limits<double>::quiet_NaN(), 1.5, 1e300),
               DeviceError);
  EXPECT_THROW(require_near("it", 0, 1.0, std::numeric_limits<double>::quiet_NaN(), 1e300),
               DeviceError);
}

TEST(BenchPlan, ListsEveryArrayAndTheirSum) {
  BenchOptions options;
  options.scales = {20};
  options.edge_factors = {4};
  options.dims = {64};
  std::vector<std::string> skipped;
  std::vector<BenchCase> cases = plan_bench(options, skipped);
  ASSERT_EQ(cases.size(), 1U);
  const BenchCase what = cases[0];
  ASSERT_EQ(what.arrays[0].phase, BenchPhase::program);
  const std::int64_t program = what.arrays[0].bytes;
  EXPECT_GE(program, resident_memory() / 2);  // of another moment
  // N = 2^20, E <= 2^23: offsets, columns, values, x, y; 16 N while loading are fewer than x, y.
  const std::int64_t nodes = 1 << 20;
  const std::int64_t graph = 8 * (nodes + 1) + 2 * 4 * (std::int64_t{1} << 23);
  EXPECT_EQ(what.total_bytes, program + graph + 2 * nodes * 64 * 4);
  EXPECT_EQ(what.export_bytes, program + graph + 16 * nodes);
  EXPECT_THAT(take_out_too_large(cases, what.total_bytes), ::testing::IsEmpty());
  EXPECT_EQ(cases.size(), 1U);
  EXPECT_THAT(take_out_too_large(cases, what.total_bytes - 1),
              ::testing::ElementsAre(HasSubstr("spmm on rmat 2^20 x 4 at width 64 needs")));
  EXPECT_THAT(cases, ::testing::IsEmpty()) << "one byte too many was taken";
  EXPECT_NO_THROW(require_export(what, what.export_bytes));
  EXPECT_THROW(require_export(what, what.export_bytes - 1), NotEnoughMemory);
}

TEST(BenchPlan, MeasuringTheMachineIsAPhaseThatShrinksToWhatThereIs) {
  BenchOptions options;
  options.scales = {4};
  std::vector<std::string> skipped;
  const BenchCase all = plan_bench(options, skipped).at(0);
  const std::int64_t program = all.arrays[0].bytes;
  constexpr std::int64_t kMebibyte = 1 << 20;
  EXPECT_EQ(all.total_bytes, program + 3 * 128 * kMebibyte);
  options.memory = program + 100 * kMebibyte;
  const BenchCase some = plan_bench(options, skipped).at(0);
  EXPECT_EQ(some.rates.triad_elements, 16 * kMebibyte / 2);  // 96 MiB, whole huge pages an array
  EXPECT_LE(some.total_bytes, some.arrays[0].bytes + 96 * kMebibyte);
  options.memory = program + 40 * kMebibyte;  // too little for the product
  const BenchCase none = plan_bench(options, skipped).at(0);
  EXPECT_EQ(none.total_bytes, none.arrays[0].bytes + 48 * kMebibyte);
  EXPECT_GT(none.total_bytes, options.memory);
}

TEST(BenchPlan, WhatDoesNotFitIsLeftOutAndTheOthersStay) {
  BenchOptions options;
  options.scales = {4, 20};
  options.dims = {64, 128};
  std::vector<std::string> skipped;
  std::vector<BenchCase> cases = plan_bench(options, skipped);
  ASSERT_EQ(cases.size(), 4U);
  const std::vector<std::string> reasons = take_out_too_large(cases, cases[2].total_bytes);
  EXPECT_THAT(reasons, ::testing::ElementsAre(HasSubstr("rmat 2^20 x 16 at width 128 needs")));
  EXPECT_EQ(cases.size(), 3U);
}

TEST(BenchPlan, PartitionRunsOnTheCpuOnceWhateverTheDevice) {
  BenchOptions options;
  options.workloads = {BenchWorkload::partition, BenchWorkload::spmm};
  options.devices = {kernels::DeviceChoice::cpu, kernels::DeviceChoice::cuda};
  options.scales = {4};
  options.parts = {2, 3};
  std::vector<std::string> skipped;
  std::vector<kernels::DeviceChoice> devices;
  for (const BenchCase& what : plan_bench(options, skipped)) {
    if (what.workload == BenchWorkload::partition) devices.push_back(what.device);
  }
  EXPECT_THAT(devices,
              ::testing::ElementsAre(kernels::DeviceChoice::cpu, kernels::DeviceChoice::cpu))
      << "one for each number of parts";
  EXPECT_THAT(skipped, ::testing::IsEmpty());
}

TEST(BenchPlan, RefusesATimeThatIsNone) {
  BenchOptions options;
  std::vector<std::string> skipped;
  for (const double seconds : {std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN(), 1e30, -1.0}) {
    options.min_seconds = seconds;
    try {
      plan_bench(options, skipped);
      ADD_FAILURE() << seconds << " was taken";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("--min-time is"));
    }
  }
  options.min_seconds = 3600;
  EXPECT_NO_THROW(plan_bench(options, skipped));
}

TEST(BenchPlan, SweepsWhatHasAMeaning) {
  BenchOptions options;
  options.workloads = {BenchWorkload::spmm, BenchWorkload::lightgcn_forward};
  options.scales = {4, 5};
  options.dims = {8, 16, 32};
  options.types = {BenchType::f32, BenchType::bf16};
  std::vector<std::string> skipped;
  EXPECT_EQ(plan_bench(options, skipped).size(), 2U * 3U * (2U + 1U));
  EXPECT_THAT(skipped, ::testing::ElementsAre(HasSubstr("lightgcn_forward has no bf16 form")));
  options.dims = {0};
  EXPECT_THROW(plan_bench(options, skipped), InputError);
  options = {};
  options.variants = {kernels::SpmmVariant::cusparse_alg2};
  EXPECT_THROW(plan_bench(options, skipped), InputError) << "nothing is left";
}

TEST(BenchRun, EveryWorkloadIsVerifiedAndCounted) {
  BenchOptions options;
  options.workloads = {BenchWorkload::spmm,
                       BenchWorkload::gcn_layer,
                       BenchWorkload::lightgcn_forward,
                       BenchWorkload::forward_backward,
                       BenchWorkload::training_step,
                       BenchWorkload::embedding,
                       BenchWorkload::topk,
                       BenchWorkload::ingest,
                       BenchWorkload::graph_build,
                       BenchWorkload::partition};
  options.graphs = {"rmat", "bipartite", "lattice"};
  options.scales = {8};
  options.edge_factors = {4};
  options.dims = {20};
  options.devices = {kernels::DeviceChoice::cpu};
  options.orders = {NodeOrder::none, NodeOrder::degree, NodeOrder::metis};
  options.layers = 2;
  options.batch = 50;
  options.events = 2000;
  options.repetitions = 3;
  options.min_seconds = 0;
  std::vector<std::string> skipped;
  const std::vector<BenchCase> cases = plan_bench(options, skipped);
  EXPECT_EQ(cases.size(), 3U * 3U * 8U + 2U);
  std::vector<BenchRow> rows;
  EXPECT_TRUE(run_bench(
      options, cases, [&](const BenchRow& row) { rows.push_back(row); }, silent_progress()));
  ASSERT_EQ(rows.size(), cases.size());
  for (const BenchRow& row : rows) {
    EXPECT_NE(row.verified, "");
    EXPECT_LE(row.minimum_seconds, row.median_seconds);
    EXPECT_LE(row.median_seconds, row.maximum_seconds);
    EXPECT_EQ(row.repetitions, 3);
    EXPECT_GT(row.rate, 0);
    EXPECT_EQ(row.order_seconds > 0, row.what.order != NodeOrder::none);
    EXPECT_EQ(row.ran_on, kernels::Device::cpu);
    const auto entries = static_cast<double>(row.num_entries);
    if (row.what.workload == BenchWorkload::gcn_layer) {
      // The matrix; H, A H twice, H'; W and b.
      EXPECT_NEAR(row.compulsory_bytes * row.median_seconds,
                  8 * 257 + 8 * entries + 4 * 256 * 20 * 4 + 4 * (20 * 20 + 20), 1e-3);
    }
    if (row.what.workload == BenchWorkload::training_step) {
      EXPECT_THAT(row.verified, HasSubstr("gradient of the loss in"));
    } else if (row.what.workload == BenchWorkload::ingest) {
      EXPECT_THAT(row.verified, HasSubstr("2000 rows counted, all events of"));
    }
    if (row.what.workload != BenchWorkload::spmm) continue;
    EXPECT_LE(row.num_entries, row.what.num_entries) << "the plan is an upper bound";
    EXPECT_NEAR(row.rate * row.median_seconds, entries, 1e-6 * entries);
    EXPECT_NEAR(row.flops, 2 * 20 * row.rate, 1e-6 * row.flops);
    EXPECT_NEAR(row.gathered_bytes, 4 * 20 * row.rate, 1e-6 * row.gathered_bytes);
    EXPECT_NEAR(row.compulsory_bytes * row.median_seconds, 8 * 257 + 8 * entries + 2 * 256 * 20 * 4,
                1e-3);
  }
}

TEST(BenchRun, OrderMovesTheNodesWithTheirKind) {
  BenchOptions options;
  options.graphs = {"bipartite"};
  options.scales = {9};
  const GraphSource source = graph_sources(options).at(0);
  for (const NodeOrder order : {NodeOrder::degree, NodeOrder::metis}) {
    BenchGraph graph = load_graph(source, options);
    order_nodes(graph, order, 4, graph::Seed{1});
    graph::validate(graph.adjacency.view());
    EXPECT_TRUE(graph::is_symmetric(graph.adjacency.view()));
    for (std::int64_t row = 0; row < graph.adjacency.num_rows; ++row) {
      for (const graph::NodeId column : graph.adjacency.view().row(row))
        ASSERT_NE(graph.is_item[static_cast<std::size_t>(row)],
                  graph.is_item[static_cast<std::size_t>(column)]);
    }
  }
}

TEST(BenchExport, WritesTheGraphThatIsTimedInItsOrder) {
  BenchOptions options;
  options.graphs = {"bipartite"};
  options.scales = {8};
  options.parts = {4};
  const graph::Csr plain = load_graph(graph_sources(options).at(0), options).adjacency;
  for (const NodeOrder order : {NodeOrder::none, NodeOrder::degree, NodeOrder::metis}) {
    options.orders = {order};
    const penchant::testing::TemporaryFolder folder;
    export_graph(options, folder.path() / "csr");
    const graph::Csr got = graph::read_graph(folder.path() / "csr");
    BenchGraph want = load_graph(graph_sources(options).at(0), options);
    order_nodes(want, order, 4, options.seed);
    EXPECT_EQ(got.offsets, want.adjacency.offsets);
    EXPECT_EQ(got.columns, want.adjacency.columns);
    EXPECT_EQ(got.values, want.adjacency.values);
    EXPECT_EQ(got.columns == plain.columns, order == NodeOrder::none);
    if (order != NodeOrder::degree) continue;
    for (std::int64_t row = 1; row < got.num_rows; ++row)
      ASSERT_GE(got.view().row_size(row - 1), got.view().row_size(row));
  }
}

TEST(BenchOutput, FormatsSayTheSame) {
  BenchRow row;
  row.what.workload = BenchWorkload::spmm;
  row.what.graph = "a \"graph\", mine";
  row.what.dim = 64;
  row.median_seconds = 0.25;
  row.rate = 4e6;
  row.unit = "edges";
  row.verified = "65 rows";
  row.rates = {2e10, 1e11, {}};
  const auto all = [&](BenchFormat format) {
    BenchOutput output(format);
    const std::string first = output.add(row);
    const std::string second = output.add(row);
    return first + second + output.finish({"a reason"});
  };
  const nlohmann::json whole = nlohmann::json::parse(all(BenchFormat::json));
  EXPECT_EQ(whole["rows"].size(), 2U);
  EXPECT_EQ(whole["rows"][0]["median_s"], 0.25);
  EXPECT_EQ(whole["triad_gb_s"], 20.0);
  EXPECT_EQ(whole["skipped"][0], "a reason");
  const std::string lines = all(BenchFormat::jsonl);
  const nlohmann::json line = nlohmann::json::parse(lines.substr(0, lines.find('\n')));
  EXPECT_EQ(line["graph"], row.what.graph);
  EXPECT_EQ(line["gemm_gflop_s"], 100.0);
  const std::string csv = all(BenchFormat::csv);
  EXPECT_EQ(csv.rfind("workload,graph,", 0), 0U);
  EXPECT_THAT(csv, HasSubstr("spmm,\"a \"\"graph\"\", mine\","));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_THAT(all(BenchFormat::md), HasSubstr("| 250.000 ms |"));
  EXPECT_THAT(all(BenchFormat::table), HasSubstr("verified before timing: 65 rows"));
}

TEST(BenchOutput, RowsOfASweepCanBeToldApart) {
  BenchRow row;
  row.what.workload = BenchWorkload::spmm;
  row.what.graph = "rmat";
  row.what.dim = 64;
  row.device = "CPU, 2 threads";
  row.verified = "65 rows";
  for (const BenchFormat format : {BenchFormat::table, BenchFormat::md}) {
    BenchOutput output(format);
    const std::string cpu = output.add(row);
    EXPECT_THAT(cpu, HasSubstr("device"));
    EXPECT_THAT(cpu, HasSubstr(" cpu "));
    EXPECT_THAT(cpu, HasSubstr("CPU, 2 threads"));
    EXPECT_THAT(cpu, HasSubstr("penchant "));
    EXPECT_THAT(cpu, HasSubstr("triad"));
    EXPECT_THAT(output.add(row), ::testing::Not(HasSubstr("triad"))) << "once a device";
    BenchRow other = row;
    other.device = "a GPU";
    other.ran_on = kernels::Device::cuda;
    const std::string own = output.add(other);
    EXPECT_THAT(own, HasSubstr("a GPU"));
    EXPECT_THAT(own, HasSubstr("cuda own"));
    other.what.variant = kernels::SpmmVariant::cusparse_alg2;
    EXPECT_THAT(output.add(other), HasSubstr("cuda cusparse"));
    BenchRow parts = row;
    parts.what.workload = BenchWorkload::partition;
    parts.what.dim = 0;
    parts.what.parts = 8;
    EXPECT_THAT(output.add(parts), HasSubstr("8 parts"));
    if (format == BenchFormat::md) {
      EXPECT_THAT(output.finish({}),
                  HasSubstr("Verified before timing: spmm 65 rows; partition 65"));
    }
  }
}

TEST(BenchOutput, PlanNamesDeviceVariantAndParts) {
  BenchOptions options;
  options.workloads = {BenchWorkload::spmm, BenchWorkload::partition};
  options.devices = {kernels::DeviceChoice::cuda};
  options.variants = {kernels::SpmmVariant::cusparse_alg2};
  options.parts = {8};
  std::vector<std::string> skipped;
  const std::vector<BenchCase> cases = plan_bench(options, skipped);
  const std::string text = plan_text(cases, 1 << 30, BenchFormat::table);
  EXPECT_THAT(text, HasSubstr("f32 64, device cuda, variant cusparse: "));
  EXPECT_THAT(text, HasSubstr("partition on rmat 2^16 x 16, order none, 8 parts, device cpu: "));
  const nlohmann::json planned =
      nlohmann::json::parse(plan_text(cases, 1 << 30, BenchFormat::json))["cases"];
  EXPECT_EQ(planned[0]["device"], "cuda");
  EXPECT_EQ(planned[0]["variant"], "cusparse");
  EXPECT_EQ(planned[1]["device"], "cpu");
  EXPECT_EQ(planned[1]["parts"], 8);
  for (const BenchFormat format : {BenchFormat::csv, BenchFormat::md})
    EXPECT_THROW(plan_text(cases, 1 << 30, format), InputError);
}

TEST(Memory, ReadsSizes) {
  EXPECT_EQ(parse_bytes("12G", "--memory"), std::int64_t{12} << 30);
  EXPECT_EQ(parse_bytes("1.5K", "--memory"), 1536);
  EXPECT_EQ(parse_bytes("77", "--memory"), 77);
  EXPECT_EQ(parse_bytes("8388607T", "--memory"), std::int64_t{8388607} << 40);
  for (const char* bad : {"", "G", "12X", "12GB", "-1", "0", "1e300", "8388608T", "1e15T", "1e19",
                          "0.5", "inf", "nan"})
    EXPECT_THROW(parse_bytes(bad, "--memory"), InputError) << bad;
  EXPECT_EQ(bytes_text(1536), "1.50 KiB");
  EXPECT_GT(available_memory(), 0);
  EXPECT_GT(peak_memory(), 1 << 20);
}

TEST(Memory, IsTheLeastThatNestedControlGroupsLeave) {
  const testing::TemporaryFolder folder;
  const auto write = [&](const std::string& name, std::string_view text) {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    testing::write_text(folder.path() / name, text);
  };
  const auto left = [&] { return left_in_control_groups(folder.path()); };
  constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(left(), kNoLimit) << "no such file";

  write("proc/self/cgroup", "0::/outer/inner\n");
  const std::string outer = "sys/fs/cgroup/outer/";
  const std::string inner = outer + "inner/";
  write(inner + "memory.max", "max\n");
  write(inner + "memory.current", "100\n");
  EXPECT_EQ(left(), kNoLimit);
  write(outer + "memory.max", "1000\n");
  write(outer + "memory.current", "600\n");
  EXPECT_EQ(left(), 400) << "of the group around it";
  write(outer + "memory.stat", "anon 550\ninactive_file 50\n");
  EXPECT_EQ(left(), 450);
  write(inner + "memory.max", "300\n");
  EXPECT_EQ(left(), 200);
  write(inner + "memory.current", "301\n");
  EXPECT_EQ(left(), 0);

  write("proc/self/cgroup", "5:memory:/box\n1:name=systemd:/\n0::/\n");
  const std::string box = "sys/fs/cgroup/memory/box/";
  write(box + "memory.limit_in_bytes", "1000\n");
  write(box + "memory.usage_in_bytes", "900\n");
  write(box + "memory.stat", "inactive_file 1\ntotal_inactive_file 20\n");
  EXPECT_EQ(left(), 120);
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "90\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "20\n");
  EXPECT_EQ(left(), 70) << "of the root";
}

}  // namespace
}  // namespace penchant::pipeline
