// SPDX-License-Identifier: Apache-2.0
#include "pipeline/benchmark/workloads/graph_workload.h"

#include <algorithm>
#include <vector>

#include "pipeline/benchmark/oracle.h"

namespace penchant::pipeline {

using graph::CsrView;
using kernels::Backend;
using kernels::ConstFloatView;
using kernels::FloatMatrix;
using kernels::FloatView;

void fill_uniform(FloatView x, graph::Seed seed, std::uint64_t substream, Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, substream);
  std::vector<float> memory;
  FloatView host = x;
  if (x.device != kernels::Device::cpu) {
    memory.resize(static_cast<std::size_t>(x.rows * x.cols));
    host = {memory.data(), x.rows, x.cols, x.cols, kernels::Device::cpu};
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < host.rows; ++i) {
    for (std::int64_t j = 0; j < host.cols; j += 4) {
      const auto word = random.words(static_cast<std::uint64_t>((i * host.cols + j) / 4));
      for (std::int64_t k = j; k < std::min(j + 4, host.cols); ++k)
        host(i, k) =
            static_cast<float>(static_cast<std::int32_t>(word[static_cast<std::size_t>(k - j)])) *
            0x1.0p-31F;
    }
  }
  if (x.device != kernels::Device::cpu) backend.copy(ConstFloatView(host), x);
}

FloatMatrix uniform_matrix(std::int64_t rows, std::int64_t cols, const BenchContext& context,
                           std::uint64_t substream) {
  FloatMatrix x = context.backend.matrix<float>(rows, cols);
  fill_uniform(x.view(), context.options.seed, substream, context.backend);
  return x;
}

namespace {

double csr_bytes(const CsrView& a) {
  return 8.0 * static_cast<double>(a.offsets.size()) + 4.0 * static_cast<double>(a.columns.size()) +
         4.0 * static_cast<double>(a.values.size());
}

}  // namespace

BenchWork GraphWorkload::propagation(double products, double tables, double x_bytes) const {
  const auto terms = static_cast<double>(a_.num_entries()) * static_cast<double>(dim_);
  const double table = 4.0 * static_cast<double>(a_.num_rows) * static_cast<double>(dim_);
  return {"edges", products * static_cast<double>(a_.num_entries()), 2.0 * products * terms,
          products * terms * x_bytes, products * csr_bytes(a_) + tables * table};
}

void GraphWorkload::require_layer_mean(const char* what, ConstFloatView x,
                                       ConstFloatView got) const {
  const HostCopy host_x(x, backend_);
  const HostCopy host_got(got, backend_);
  require_column(what, host_got, checked_column(),
                 layer_mean(a_, column_of(host_x, checked_column()), context_.options.layers, 1.0));
}

double layer_tables(std::int64_t layers) {
  // The first layer gathers x and adds it, the others gather one table and add x; each writes one.
  return layers == 0 ? 2.0 : 2.0 + 3.0 * static_cast<double>(layers - 1);
}

}  // namespace penchant::pipeline
