// SPDX-License-Identifier: Apache-2.0
// H' = leaky_relu(A H W + b) (Kipf and Welling 2017).
#include "pipeline/benchmark/workloads.h"

#include "models/gcn.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/workloads/graph_workload.h"

namespace penchant::pipeline {

using kernels::FloatMatrix;

namespace {

class GcnLayerWork final : public GraphWorkload {
 public:
  explicit GcnLayerWork(const BenchContext& context)
      : GraphWorkload(context),
        x_(uniform_matrix(a_.num_rows, dim_, context, 0)),
        layer_{models::Parameter("weight", dim_, dim_, backend_),
               models::Parameter("bias", 1, dim_, backend_), kernels::Activation::leaky_relu},
        cache_{backend_.matrix<float>(a_.num_rows, dim_),
               backend_.matrix<float>(a_.num_rows, dim_),
               {},
               {}} {
    fill_uniform(layer_.weight.value.view(), context.options.seed, 1, backend_);
    fill_uniform(layer_.bias.value.view(), context.options.seed, 2, backend_);
  }
  void run() override { layer_.forward(backend_, *context_.sparse, x_.view(), cache_); }
  std::string verify() override {
    run();
    const HostCopy x(x_.view(), backend_);
    const HostCopy output(cache_.output.view(), backend_);
    const HostCopy weight(layer_.weight.value.view(), backend_);
    const HostCopy bias(layer_.bias.value.view(), backend_);
    const std::vector<std::int64_t> rows = sampled_rows(a_, kSampledRows);
    for (const std::int64_t row : rows)
      require_row("gcn_layer", output, row, dense_row(product_row(a_, x, row), weight, bias));
    return fmt::format("{} rows", rows.size());
  }
  // The sparse product, and the GEMM that ends its tiles with bias and activation: each reads a
  // table and writes one.
  BenchWork work() const override {
    BenchWork work = propagation(1.0, 4.0);
    work.compulsory_bytes += 4.0 * static_cast<double>(dim_ * dim_ + dim_);
    work.flops += 2.0 * static_cast<double>(a_.num_rows) * static_cast<double>(dim_ * dim_);
    return work;
  }

 private:
  FloatMatrix x_;
  models::GcnLayer layer_;
  models::GcnLayer::Cache cache_;
};

}  // namespace

std::unique_ptr<Workload> make_gcn_layer(const BenchContext& context) {
  return std::make_unique<GcnLayerWork>(context);
}

}  // namespace penchant::pipeline
