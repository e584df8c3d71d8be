// SPDX-License-Identifier: Apache-2.0
// Dense products by cuBLAS: cublasSgemm with 64-bit extents. cuBLAS stores by column, so a
// row-major c = op(a) op(b) is its c' = op(b)' op(a)' with the operands exchanged. float32 with
// float32 accumulation; TF32 only if CudaOptions::tf32 asks for it. cuBLAS gives the same bits in
// every run on one architecture with one stream and a fixed workspace (its manual, "Results
// reproducibility").
#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

void CudaBackend::gemm(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
                       ConstFloatView b, float beta, FloatView c) {
  const bool flip_a = transpose_a == Transpose::yes;
  const bool flip_b = transpose_b == Transpose::yes;
  const std::int64_t inner = flip_a ? a.rows : a.cols;
  require_shape("gemm", "a", a, flip_a ? inner : c.rows, flip_a ? c.rows : inner);
  require_shape("gemm", "b", b, flip_b ? c.cols : inner, flip_b ? inner : c.cols);
  require_device("gemm", "c", c);
  if (c.rows == 0 || c.cols == 0) return;
  if (inner == 0) {
    if (beta == 0.0F)
      fill(c, 0.0F);
    else
      axpby(beta, c, 0.0F, c);
    return;
  }
  const auto leading = [](std::int64_t stride) { return std::max<std::int64_t>(stride, 1); };
  check(cublasSgemm_64(blas_.get(), flip_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                       flip_a ? CUBLAS_OP_T : CUBLAS_OP_N, c.cols, c.rows, inner, &alpha, b.data,
                       leading(b.stride), a.data, leading(a.stride), &beta, c.data,
                       leading(c.stride)));
}

}  // namespace penchant::kernels::cuda
