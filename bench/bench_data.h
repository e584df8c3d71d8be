// SPDX-License-Identifier: Apache-2.0
// Inputs of the benchmarks.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "graph/csr.h"
#include "graph/npy.h"
#include "graph/random.h"
#include "graph/rmat.h"
#include "kernels/backend.h"

namespace penchant::bench {

/// A matrix of independent standard normal numbers.
inline kernels::FloatMatrix normal_matrix(std::int64_t rows, std::int64_t cols, std::uint64_t seed,
                                          kernels::Backend& backend) {
  kernels::FloatMatrix matrix = backend.matrix<float>(rows, cols);
  const graph::Random random(graph::Seed{seed}, graph::Stream::generator);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      matrix.view()(i, j) =
          static_cast<float>(random.normal(static_cast<std::uint64_t>(i * cols + j)));
    }
  }
  return matrix;
}

/// The matrix in the folder that PENCHANT_BENCH_GRAPH names (offsets.npy, columns.npy, values.npy;
/// square), else an R-MAT graph of 2^16 nodes and about 1.6 M entries.
inline graph::Csr sparse_matrix() {
  const char* folder = std::getenv("PENCHANT_BENCH_GRAPH");
  if (folder == nullptr) {
    graph::RmatOptions options;
    options.scale = 16;
    options.edge_factor = 12;
    return graph::generate_rmat(options);
  }
  const std::filesystem::path path = folder;
  graph::Csr matrix;
  matrix.offsets = graph::read_npy<graph::EdgeOffset>(path / "offsets.npy");
  matrix.columns = graph::read_npy<graph::NodeId>(path / "columns.npy");
  matrix.values = graph::read_npy<float>(path / "values.npy");
  matrix.num_rows = static_cast<std::int64_t>(matrix.offsets.size()) - 1;
  matrix.num_cols = matrix.num_rows;
  return matrix;
}

}  // namespace penchant::bench
