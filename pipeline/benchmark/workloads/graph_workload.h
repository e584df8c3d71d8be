// SPDX-License-Identifier: Apache-2.0
// What workloads over a graph and a table of embeddings share.
#pragma once

#include <cstdint>
#include <string>

#include <fmt/core.h>

#include "graph/random.h"
#include "kernels/transfer.h"
#include "pipeline/benchmark/workloads.h"

namespace penchant::pipeline {

/// Rows that are compared with the oracle where all would take too long.
inline constexpr std::int64_t kSampledRows = 64;

/// Uniform in [-1, 1); element (i, j) depends on seed and place only.
void fill_uniform(kernels::FloatView x, graph::Seed seed, std::uint64_t substream,
                  kernels::Backend& backend);
kernels::FloatMatrix uniform_matrix(std::int64_t rows, std::int64_t cols,
                                    const BenchContext& context, std::uint64_t substream);

/// Host copies for the oracle.
class HostCopy {
 public:
  HostCopy(kernels::ConstFloatView x, kernels::Backend& backend) : view_(download_(x, backend)) {}
  operator kernels::ConstFloatView() const { return view_; }  // NOLINT(google-explicit-constructor)

 private:
  kernels::Download<float> download_;
  kernels::ConstFloatView view_;
};

/// Base of the workloads over a graph and a table of embeddings.
class GraphWorkload : public Workload {
 public:
  explicit GraphWorkload(const BenchContext& context)
      : context_(context),
        backend_(context.backend),
        a_(context.graph.adjacency.view()),
        dim_(context.what.dim) {}

 protected:
  /// `products` of the matrix with a table, each reading and writing `tables` tables of float32 in
  /// all, `x_bytes` an element gathered.
  BenchWork propagation(double products, double tables, double x_bytes = 4.0) const;
  std::int64_t checked_column() const { return dim_ / 2; }
  /// Throws DeviceError if the checked column of `got` is not that of the mean of the layers of x.
  void require_layer_mean(const char* what, kernels::ConstFloatView x,
                          kernels::ConstFloatView got) const;
  std::string one_column() const {
    return fmt::format("all {} rows of column {}", a_.num_rows, checked_column());
  }

  const BenchContext context_;
  kernels::Backend& backend_;
  graph::CsrView a_;
  std::int64_t dim_;
};

/// Tables that the layers of one LayerMean::apply read and write: x, addends, outputs.
double layer_tables(std::int64_t layers);

}  // namespace penchant::pipeline
