// SPDX-License-Identifier: Apache-2.0
// The benchmark's own parts: its oracle must refuse wrong results, its plan must bound what is
// taken, its quantities must follow from their definitions.
#include "pipeline/bench.h"

#include <cmath>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/normalize.h"
#include "graph/rmat.h"
#include "pipeline/bench_graph.h"
#include "pipeline/bench_oracle.h"
#include "pipeline/bench_output.h"
#include "pipeline/bench_workloads.h"
#include "pipeline/memory.h"

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
}

TEST(BenchPlan, ListsEveryArrayAndTheirSum) {
  BenchOptions options;
  options.scales = {10};
  options.edge_factors = {4};
  options.dims = {64};
  std::vector<std::string> skipped;
  const std::vector<BenchCase> cases = plan_bench(options, skipped);
  ASSERT_EQ(cases.size(), 1U);
  // N = 1024, E <= 2 * 4096: offsets, columns, values, x, y; 16 N while loading are fewer than x,
  // y.
  EXPECT_EQ(cases[0].total_bytes, 8 * 1025 + 2 * 4 * 8192 + 2 * 1024 * 64 * 4);
  EXPECT_NO_THROW(require_memory(cases, cases[0].total_bytes));
  try {
    require_memory(cases, cases[0].total_bytes - 1);
    FAIL() << "one byte too many was taken";
  } catch (const NotEnoughMemory& error) {
    EXPECT_THAT(error.what(), HasSubstr("spmm on rmat 2^10 x 4 at width 64 needs"));
  }
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
    if (row.what.workload != BenchWorkload::spmm) continue;
    const auto entries = static_cast<double>(row.num_entries);
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

TEST(BenchOutput, FormatsSayTheSame) {
  BenchRow row;
  row.what.workload = BenchWorkload::spmm;
  row.what.graph = "a \"graph\", mine";
  row.what.dim = 64;
  row.median_seconds = 0.25;
  row.rate = 4e6;
  row.unit = "edges";
  row.verified = "65 rows";
  row.rates = {2e10, 1e11};
  const auto all = [&](BenchFormat format) {
    BenchOutput output(format);
    const std::string first = output.add(row);
    const std::string second = output.add(row);
    return first + second + output.finish({"a reason"});
  };
  const nlohmann::json json = nlohmann::json::parse(all(BenchFormat::json));
  EXPECT_EQ(json["rows"].size(), 2U);
  EXPECT_EQ(json["rows"][0]["median_s"], 0.25);
  EXPECT_EQ(json["triad_gb_s"], 20.0);
  EXPECT_EQ(json["skipped"][0], "a reason");
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

TEST(Memory, ReadsSizes) {
  EXPECT_EQ(parse_bytes("12G", "--memory"), std::int64_t{12} << 30);
  EXPECT_EQ(parse_bytes("1.5K", "--memory"), 1536);
  EXPECT_EQ(parse_bytes("77", "--memory"), 77);
  for (const char* bad : {"", "G", "12X", "12GB", "-1", "0", "1e300"})
    EXPECT_THROW(parse_bytes(bad, "--memory"), InputError) << bad;
  EXPECT_EQ(bytes_text(1536), "1.50 KiB");
  EXPECT_GT(available_memory(), 0);
  EXPECT_GT(peak_memory(), 1 << 20);
}

}  // namespace
}  // namespace penchant::pipeline
