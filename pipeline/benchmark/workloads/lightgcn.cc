// SPDX-License-Identifier: Apache-2.0
// The mean of A^l X (He et al. 2020), its gradient, and vectors of length 1.
#include "pipeline/benchmark/workloads.h"

#include <algorithm>
#include <cmath>

#include "models/lightgcn.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/workloads/graph_workload.h"

namespace penchant::pipeline {

using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

class LightGcnForward : public GraphWorkload {
 public:
  explicit LightGcnForward(const BenchContext& context)
      : GraphWorkload(context),
        x_(uniform_matrix(a_.num_rows, dim_, context, 0)),
        total_(backend_.matrix<float>(a_.num_rows, dim_)),
        mean_(context.options.layers, 1.0F, dim_, *context.sparse, backend_) {}
  void run() override { mean_.apply(backend_, x_.view(), total_.view()); }
  std::string verify() override {
    run();
    require_layer_mean("lightgcn_forward", x_.view(), total_.view());
    return one_column();
  }
  BenchWork work() const override {
    return propagation(static_cast<double>(context_.options.layers),
                       layer_tables(context_.options.layers));
  }

 protected:
  FloatMatrix x_, total_;
  models::LayerMean mean_;
};

class ForwardBackward final : public LightGcnForward {
 public:
  explicit ForwardBackward(const BenchContext& context)
      : LightGcnForward(context),
        d_total_(uniform_matrix(a_.num_rows, dim_, context, 1)),
        d_x_(backend_.matrix<float>(a_.num_rows, dim_)) {}
  void run() override {
    LightGcnForward::run();
    mean_.apply(backend_, d_total_.view(), d_x_.view());
  }
  std::string verify() override {
    run();
    require_layer_mean("the forward of forward_backward", x_.view(), total_.view());
    require_layer_mean("the backward of forward_backward", d_total_.view(), d_x_.view());
    return one_column() + ", forward and backward";
  }
  BenchWork work() const override {
    return propagation(2.0 * static_cast<double>(context_.options.layers),
                       2.0 * layer_tables(context_.options.layers));
  }

 private:
  FloatMatrix d_total_, d_x_;
};

class Embedding final : public LightGcnForward {
 public:
  explicit Embedding(const BenchContext& context)
      : LightGcnForward(context),
        unit_(backend_.matrix<float>(a_.num_rows, dim_)),
        norms_(backend_.vector<float>(a_.num_rows)) {}
  void run() override {
    LightGcnForward::run();
    backend_.normalize_rows(total_.view(), unit_.view(), norms_.view());
  }
  std::string verify() override {
    run();
    require_layer_mean("embedding", x_.view(), total_.view());
    const HostCopy total(total_.view(), backend_);
    const HostCopy unit(unit_.view(), backend_);
    const ConstFloatView vectors = total;
    for (const std::int64_t row : sampled_rows(a_, kSampledRows)) {
      double squares = 0;
      for (std::int64_t k = 0; k < dim_; ++k)
        squares += static_cast<double>(vectors(row, k)) * vectors(row, k);
      const double norm = std::max(std::sqrt(squares), 1e-12);
      Bounded want;
      for (std::int64_t k = 0; k < dim_; ++k) {
        want.value.push_back(vectors(row, k) / norm);
        want.bound.push_back(1e-5);
      }
      require_row("the unit vectors of embedding", unit, row, want);
    }
    return one_column() + fmt::format(", lengths of {} rows", kSampledRows);
  }
  BenchWork work() const override {
    BenchWork work = propagation(static_cast<double>(context_.options.layers),
                                 layer_tables(context_.options.layers) + 2.0);
    work.flops += 3.0 * static_cast<double>(a_.num_rows * dim_);
    return work;
  }

 private:
  FloatMatrix unit_;
  kernels::Vector<float> norms_;
};

}  // namespace

std::unique_ptr<Workload> make_lightgcn_forward(const BenchContext& context) {
  return std::make_unique<LightGcnForward>(context);
}

std::unique_ptr<Workload> make_forward_backward(const BenchContext& context) {
  return std::make_unique<ForwardBackward>(context);
}

std::unique_ptr<Workload> make_embedding(const BenchContext& context) {
  return std::make_unique<Embedding>(context);
}

}  // namespace penchant::pipeline
