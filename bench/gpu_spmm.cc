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

const std::map<SpmmVariant, const char*> kVendorVariants = {{SpmmVariant::cusparse_alg1, "alg1"},
                                                            {SpmmVariant::cusparse_alg2, "alg2"},
                                                            {SpmmVariant::cusparse_alg3, "alg3"}};

/// A variant's backend and its copy of the matrix, made once: planning a large one takes longer
/// than its products.
struct Prepared {
  Prepared(SpmmVariant variant, const Csr& matrix)
      : backend(gpu(options(variant))), sparse(backend->sparse(matrix.view())) {}
  static kernels::CudaOptions options(SpmmVariant variant) {
    kernels::CudaOptions options;
    options.spmm = variant;
    return options;
  }
  std::unique_ptr<kernels::Backend> backend;
  std::unique_ptr<kernels::SparseMatrix> sparse;
};

}  // namespace

bool spmm(const std::string& name, const Csr& matrix, std::span<const std::int64_t> widths) {
  bool agree = true;
  Prepared own(SpmmVariant::own, matrix);
  std::map<SpmmVariant, Prepared> vendors;
  for (const auto& [variant, label] : kVendorVariants)
    vendors.try_emplace(variant, variant, matrix);
  for (const std::int64_t width : widths) {
    json result = {{"part", "spmm"},
                   {"graph", name},
                   {"nodes", matrix.num_rows},
                   {"entries", matrix.columns.size()},
                   {"d", width}};
    const FloatMatrix x = random_matrix(matrix.num_cols, width, 1, *own.backend);
    FloatMatrix own_y = own.backend->matrix<float>(matrix.num_rows, width);
    result["own"] =
        time_ms(*own.backend, [&] { own.backend->spmm(*own.sparse, x.view(), own_y.view(), {}); });
    double best_vendor = 1e30;
    for (auto& [variant, vendor] : vendors) {
      const std::string label = kVendorVariants.at(variant);
      kernels::Backend& backend = *vendor.backend;
      const FloatMatrix table = random_matrix(matrix.num_cols, width, 1, backend);
      FloatMatrix y = backend.matrix<float>(matrix.num_rows, width);
      const json time =
          time_ms(backend, [&] { backend.spmm(*vendor.sparse, table.view(), y.view(), {}); });
      best_vendor = std::min(best_vendor, time["median"].get<double>());
      const double apart = disagreement(own_y.view(), *own.backend, y.view(), backend);
      result[label + "_disagreement"] = apart;
      if (!(apart < 1e-4)) agree = false;
      result[label] = time;
    }
    kernels::Matrix<kernels::Bf16> narrow =
        own.backend->matrix<kernels::Bf16>(matrix.num_cols, width);
    own.backend->convert(x.view(), narrow.view());
    const kernels::MatrixView<const kernels::Bf16> table = narrow.view();
    result["own_bf16"] =
        time_ms(*own.backend, [&] { own.backend->spmm(*own.sparse, table, own_y.view(), {}); });
    const double own_ms = result["own"]["median"].get<double>();
    const double terms = static_cast<double>(matrix.columns.size()) * static_cast<double>(width);
    result["gathered_tb_per_s"] = terms * 4.0 / (own_ms * 1e-3) / 1e12;
    result["speed_up"] = best_vendor / own_ms;
    result["bf16_speed_up"] = own_ms / result["own_bf16"]["median"].get<double>();
    std::fprintf(stderr, "spmm %s d=%d: own %.3f ms, best cuSPARSE %.3f ms, %.2fx\n", name.c_str(),
                 static_cast<int>(width), own_ms, best_vendor, best_vendor / own_ms);
    emit(std::move(result));
  }
  return agree;
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
