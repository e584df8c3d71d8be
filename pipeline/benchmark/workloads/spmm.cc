// SPDX-License-Identifier: Apache-2.0
// Y = A X.
#include "pipeline/benchmark/workloads.h"

#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/workloads/graph_workload.h"

namespace penchant::pipeline {

using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

class Spmm final : public GraphWorkload {
 public:
  explicit Spmm(const BenchContext& context)
      : GraphWorkload(context),
        x_(uniform_matrix(a_.num_cols, dim_, context, 0)),
        y_(backend_.matrix<float>(a_.num_rows, dim_)) {
    if (context.what.type == BenchType::f32) return;
    narrow_ = backend_.matrix<kernels::Bf16>(a_.num_cols, dim_);
    backend_.convert(ConstFloatView(x_.view()), narrow_.view());
    backend_.convert(kernels::MatrixView<const kernels::Bf16>(narrow_.view()), x_.view());
  }
  void run() override {
    if (context_.what.type == BenchType::bf16) {
      backend_.spmm(*context_.sparse, kernels::MatrixView<const kernels::Bf16>(narrow_.view()),
                    y_.view(), {});
    } else {
      backend_.spmm(*context_.sparse, ConstFloatView(x_.view()), y_.view(), {});
    }
  }
  std::string verify() override {
    run();
    const HostCopy x(x_.view(), backend_);
    const HostCopy y(y_.view(), backend_);
    const std::vector<std::int64_t> rows = sampled_rows(a_, kSampledRows);
    for (const std::int64_t row : rows) require_row("spmm", y, row, product_row(a_, x, row));
    return fmt::format("{} rows", rows.size());
  }
  BenchWork work() const override {
    const bool narrow = context_.what.type == BenchType::bf16;
    return propagation(1.0, narrow ? 1.5 : 2.0, narrow ? 2.0 : 4.0);
  }

 private:
  FloatMatrix x_, y_;
  kernels::Matrix<kernels::Bf16> narrow_;
};

}  // namespace

std::unique_ptr<Workload> make_spmm(const BenchContext& context) {
  return std::make_unique<Spmm>(context);
}

}  // namespace penchant::pipeline
