// SPDX-License-Identifier: Apache-2.0
// Sparse products: the own kernels beside the best of cuSPARSE.
#include <algorithm>
#include <cstdio>
#include <map>

#include "bench/gpu_bench.h"

namespace penchant::bench {

using graph::Csr;
using kernels::FloatMatrix;
using kernels::SpmmVariant;

namespace {

const std::map<SpmmVariant, const char*> kVariants = {{SpmmVariant::own, "own"},
                                                      {SpmmVariant::cusparse_alg1, "alg1"},
                                                      {SpmmVariant::cusparse_alg2, "alg2"},
                                                      {SpmmVariant::cusparse_alg3, "alg3"}};

}  // namespace

json spmm(const std::string& name, const Csr& matrix, bool& agree) {
  json results = json::array();
  for (const std::int64_t width : {32, 64, 128, 256}) {
    json result = {{"graph", name},
                   {"nodes", matrix.num_rows},
                   {"entries", matrix.columns.size()},
                   {"d", width}};
    const auto own = gpu();
    const auto own_sparse = own->sparse(matrix.view());
    const FloatMatrix x = random_matrix(matrix.num_cols, width, 1, *own);
    FloatMatrix own_y = own->matrix<float>(matrix.num_rows, width);
    double best_vendor = 1e30;
    for (const auto& [variant, label] : kVariants) {
      const auto backend = gpu({variant});
      const auto sparse = backend->sparse(matrix.view());
      const FloatMatrix table = random_matrix(matrix.num_cols, width, 1, *backend);
      FloatMatrix y = backend->matrix<float>(matrix.num_rows, width);
      const json time =
          time_ms(*backend, [&] { backend->spmm(*sparse, table.view(), y.view(), {}); });
      if (variant == SpmmVariant::own) {
        own->spmm(*own_sparse, x.view(), own_y.view(), {});
      } else {
        best_vendor = std::min(best_vendor, time["median"].get<double>());
        const double apart = disagreement(own_y.view(), *own, y.view(), *backend);
        result[label + std::string("_disagreement")] = apart;
        if (!(apart < 1e-4)) agree = false;
      }
      result[label] = time;
    }
    kernels::Matrix<kernels::Bf16> narrow = own->matrix<kernels::Bf16>(matrix.num_cols, width);
    own->convert(x.view(), narrow.view());
    const kernels::MatrixView<const kernels::Bf16> table = narrow.view();
    result["own_bf16"] = time_ms(*own, [&] { own->spmm(*own_sparse, table, own_y.view(), {}); });
    const double own_ms = result["own"]["median"].get<double>();
    const double terms = static_cast<double>(matrix.columns.size()) * static_cast<double>(width);
    result["gathered_tb_per_s"] = terms * 4.0 / (own_ms * 1e-3) / 1e12;
    result["speed_up"] = best_vendor / own_ms;
    result["bf16_speed_up"] = own_ms / result["own_bf16"]["median"].get<double>();
    std::fprintf(stderr, "spmm %s d=%d: own %.3f ms, best cuSPARSE %.3f ms, %.2fx\n", name.c_str(),
                 static_cast<int>(width), own_ms, best_vendor, best_vendor / own_ms);
    results.push_back(result);
  }
  return results;
}

void profile_spmm(const Csr& matrix) {
  const auto backend = gpu();
  const auto sparse = backend->sparse(matrix.view());
  const FloatMatrix x = random_matrix(matrix.num_cols, 64, 1, *backend);
  FloatMatrix y = backend->matrix<float>(matrix.num_rows, 64);
  for (int repeat = 0; repeat < 2; ++repeat) backend->spmm(*sparse, x.view(), y.view(), {});
  backend->sync();
}

}  // namespace penchant::bench
