// SPDX-License-Identifier: Apache-2.0
// The K best of all items for a batch of users.
#include "pipeline/benchmark/workloads.h"

#include <algorithm>

#include "graph/error.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/workloads/graph_workload.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

class Topk final : public Workload {
 public:
  explicit Topk(const BenchContext& context)
      : context_(context),
        backend_(context.backend),
        queries_(uniform_matrix(context.options.batch, context.what.dim, context, 0)),
        items_(uniform_matrix(num_items(context.graph), context.what.dim, context, 1)),
        ids_(backend_.matrix<NodeId>(context.options.batch, context.options.k)),
        scores_(backend_.matrix<float>(context.options.batch, context.options.k)) {
    if (context.options.k > items_.rows())
      throw InputError(
          fmt::format("bench: topk of {} among {} items", context.options.k, items_.rows()));
  }
  void run() override {
    backend_.topk(queries_.view(), items_.view(), {}, ids_.view(), scores_.view());
  }
  std::string verify() override {
    run();
    constexpr std::int64_t kQueries = 16;
    const std::int64_t count = std::min(kQueries, queries_.rows());
    const HostCopy queries(ConstFloatView(queries_.view()).rows_of(0, count), backend_);
    const HostCopy items(items_.view(), backend_);
    const HostCopy scores(ConstFloatView(scores_.view()).rows_of(0, count), backend_);
    kernels::Download<NodeId> download;
    require_topk(
        queries, items,
        download(kernels::MatrixView<const NodeId>(ids_.view()).rows_of(0, count), backend_),
        scores);
    return fmt::format("{} queries, all items", count);
  }
  BenchWork work() const override {
    const auto queries = static_cast<double>(queries_.rows());
    const auto items = static_cast<double>(items_.rows());
    const auto dim = static_cast<double>(context_.what.dim);
    return {"scores", queries * items, 2.0 * queries * items * dim, 0.0,
            4.0 * dim * (queries + items)};
  }
  std::string note() const override {
    return fmt::format("{} queries x {} items, K = {}", queries_.rows(), items_.rows(),
                       context_.options.k);
  }

 private:
  static std::int64_t num_items(const BenchGraph& graph) {
    return graph.is_item.empty()
               ? graph.adjacency.num_rows
               : std::count(graph.is_item.begin(), graph.is_item.end(), std::uint8_t{1});
  }

  const BenchContext context_;
  Backend& backend_;
  FloatMatrix queries_, items_;
  kernels::Matrix<NodeId> ids_;
  FloatMatrix scores_;
};

}  // namespace

std::unique_ptr<Workload> make_topk(const BenchContext& context) {
  return std::make_unique<Topk>(context);
}

}  // namespace penchant::pipeline
