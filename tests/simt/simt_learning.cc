// SPDX-License-Identifier: Apache-2.0
// Sparse products, indexing and losses of the emulated backend, and what it leaves to the host.
#include <algorithm>
#include <numeric>

#include "kernels/cuda/check.h"
#include "kernels/cuda/indexing.cuh"
#include "kernels/cuda/loss.cuh"
#include "kernels/cuda/spmm.cuh"
#include "kernels/operands.h"
#include "tests/simt/on_host.h"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;
using cuda::require_device;
using cuda::require_shape;
using cuda::require_size;
using graph::NodeId;
using kernels::Transpose;

namespace {

/// The device's copy of a matrix: exactly as large as it must be.
class SimtSparseMatrix final : public kernels::SparseMatrix {
 public:
  explicit SimtSparseMatrix(const graph::CsrView& matrix)
      : plan_(cuda::make_spmm_plan(matrix)),
        rows_(matrix.num_rows),
        cols_(matrix.num_cols),
        tasks_(plan_.tasks.begin(), plan_.tasks.end()),
        long_rows_(plan_.long_rows.begin(), plan_.long_rows.end()),
        columns_(matrix.columns.begin(), matrix.columns.end()),
        values_(matrix.values.begin(), matrix.values.end()) {}
  std::int64_t rows() const override { return rows_; }
  std::int64_t cols() const override { return cols_; }
  std::int64_t num_entries() const override { return static_cast<std::int64_t>(columns_.size()); }
  cuda::SpmmOperand operand() const {
    return {tasks_.data(),
            long_rows_.data(),
            static_cast<std::int64_t>(tasks_.size()),
            plan_.num_segments,
            plan_.num_medium,
            static_cast<std::int64_t>(long_rows_.size()),
            columns_.data(),
            values_.empty() ? nullptr : values_.data()};
  }

 private:
  cuda::SpmmPlan plan_;
  std::int64_t rows_, cols_;
  std::vector<cuda::SpmmTask> tasks_;
  std::vector<cuda::SpmmLongRow> long_rows_;
  std::vector<NodeId> columns_;
  std::vector<float> values_;
};

template <typename T>
const SimtSparseMatrix& checked_product(const kernels::SparseMatrix& a, MatrixView<const T> x,
                                        FloatView y, const kernels::SpmmOptions& options) {
  const auto* sparse = dynamic_cast<const SimtSparseMatrix*>(&a);
  if (sparse == nullptr) cuda::refuse("spmm", "the sparse matrix was prepared by another backend");
  kernels::check_product(kernels::Device::cuda, a, x, y, options);
  return *sparse;
}

}  // namespace

std::unique_ptr<kernels::SparseMatrix> SimtBackend::sparse(const graph::CsrView& matrix) {
  return std::make_unique<SimtSparseMatrix>(matrix);
}

void SimtBackend::spmm(const kernels::SparseMatrix& a, ConstFloatView x, FloatView y,
                       const kernels::SpmmOptions& options) {
  const cuda::SpmmOperand operand = checked_product(a, x, y, options).operand();
  Scratch memory = scratch();
  const VectorView<float> segments = memory.floats(cuda::spmm_scratch_size(operand, y.cols));
  cuda::spmm_binned(operand, x, y, options, segments, &machine_);
}

void SimtBackend::spmm(const kernels::SparseMatrix& a, MatrixView<const kernels::Bf16> x,
                       FloatView y, const kernels::SpmmOptions& options) {
  const cuda::SpmmOperand operand = checked_product(a, x, y, options).operand();
  Scratch memory = scratch();
  const VectorView<float> segments = memory.floats(cuda::spmm_scratch_size(operand, y.cols));
  cuda::spmm_binned(operand, x, y, options, segments, &machine_);
}

void SimtBackend::gemm(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
                       ConstFloatView b, float beta, FloatView c) {
  require_device("gemm", "a", a);
  require_device("gemm", "b", b);
  require_device("gemm", "c", c);
  host_.gemm(transpose_a, transpose_b, alpha, on_host(a), on_host(b), beta, on_host(c));
}

// As where cuBLASLt has no epilogue: a product, then one pass.
void SimtBackend::linear(ConstFloatView x, ConstFloatView weight, VectorView<const float> bias,
                         Activation act, FloatView y) {
  require_device("linear", "x", x);
  require_shape("linear", "weight", weight, x.cols, weight.cols);
  require_size("linear", "bias", bias, weight.cols);
  require_shape("linear", "y", y, x.rows, weight.cols);
  gemm(Transpose::no, Transpose::no, 1.0F, x, weight, 0.0F, y);
  cuda::bias_activation(y, bias, act, y, &machine_);
}

void SimtBackend::symmetric_eigen(ConstFloatView a, VectorView<float> values, FloatView vectors) {
  require_device("symmetric_eigen", "a", a);
  host_.symmetric_eigen(on_host(a), on_host(values), on_host(vectors));
}

void SimtBackend::gather_rows(ConstFloatView table, IdView ids, FloatView y) {
  require_device("gather_rows", "table", table);
  require_device("gather_rows", "ids", ids);
  require_shape("gather_rows", "y", y, ids.size, table.cols);
  cuda::gather_rows(table, ids, y, &machine_);
}

void SimtBackend::scatter_add_rows(float alpha, ConstFloatView x, IdView ids, FloatView table) {
  require_shape("scatter_add_rows", "x", x, ids.size, table.cols);
  require_device("scatter_add_rows", "ids", ids);
  require_device("scatter_add_rows", "table", table);
  std::vector<std::int32_t> positions(static_cast<std::size_t>(ids.size));
  std::iota(positions.begin(), positions.end(), 0);
  std::stable_sort(positions.begin(), positions.end(),
                   [&](std::int32_t a, std::int32_t b) { return ids[a] < ids[b]; });
  std::vector<NodeId> sorted;
  for (const std::int32_t position : positions) sorted.push_back(ids[position]);
  sorted.shrink_to_fit();
  cuda::scatter_add_rows(
      alpha, x, IdView(sorted.data(), ids.size, kernels::Device::cuda),
      VectorView<const std::int32_t>(positions.data(), ids.size, kernels::Device::cuda), table,
      &machine_);
}

void SimtBackend::scatter_add_rows_atomic(float alpha, ConstFloatView x, IdView ids,
                                          FloatView table) {
  cuda::scatter_add_rows_atomic(alpha, x, ids, table, &machine_);
}

void SimtBackend::bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                      VectorView<float> losses, FloatView d_users, FloatView d_positives,
                      FloatView d_negatives) {
  kernels::check_bpr(kernels::Device::cuda, users, positives, negatives, losses, d_users,
                     d_positives, d_negatives);
  cuda::bpr(users, positives, negatives, losses, d_users, d_positives, d_negatives, &machine_);
}

void SimtBackend::sampled_softmax(ConstFloatView users, ConstFloatView positives,
                                  ConstFloatView negatives,
                                  const kernels::SampledSoftmaxOptions& options,
                                  VectorView<float> losses, FloatView d_users,
                                  FloatView d_positives, FloatView d_negatives) {
  kernels::check_sampled_softmax(kernels::Device::cuda, users, positives, negatives, options,
                                 losses, d_users, d_positives, d_negatives);
  Scratch memory = scratch();
  cuda::sampled_softmax(*this, memory, users, positives, negatives, options, losses, d_users,
                        d_positives, d_negatives, &machine_);
}

void SimtBackend::binary_cross_entropy(VectorView<const float> logits,
                                       VectorView<const float> labels, VectorView<float> losses,
                                       VectorView<float> d_logits) {
  kernels::check_pointwise(kernels::Device::cuda, "binary_cross_entropy", "logits", logits,
                           "labels", labels, losses, d_logits);
  cuda::binary_cross_entropy(logits, labels, losses, d_logits, &machine_);
}

void SimtBackend::squared_error(VectorView<const float> x, VectorView<const float> targets,
                                VectorView<float> losses, VectorView<float> d_x) {
  kernels::check_pointwise(kernels::Device::cuda, "squared_error", "x", x, "targets", targets,
                           losses, d_x);
  cuda::squared_error(x, targets, losses, d_x, &machine_);
}

}  // namespace penchant::simt
