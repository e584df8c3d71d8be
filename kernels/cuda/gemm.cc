// SPDX-License-Identifier: Apache-2.0
// Dense products by cuBLASLt. It stores by column, so a row-major c = op(a) op(b) is its
// c' = op(b)' op(a)' with the operands exchanged; its bias, one number a row of c', is then one a
// column of c. float32 with float32 accumulation; TF32 only if CudaOptions::tf32 asks for it. A
// plan's algorithm and workspace are fixed, so that equal products have equal bits. The batches of a
// recurrent model all differ in their rows, and the heuristic takes longer than a small product:
// shapes whose rows differ little share a plan.
#include "kernels/cuda/gemm.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

namespace {

/// Beyond so many plans all are made anew.
constexpr std::size_t kMostPlans = 4096;

/// Plans are made for the rows of batches in steps of so many; for fewer rows exactly.
constexpr std::int64_t kRowStep = 64;

/// Up to this inner dimension an element is one chain of sums: scores of equal items tie, in
/// whichever column they stand (topk.cu), and there is nothing to gain from cutting.
constexpr std::int64_t kWholeSums = 256;
/// Of the widest access. cuBLASLt's epilogues assume it of the bias.
constexpr std::uint32_t kWidestBytes = 16;

std::uint32_t alignment(const float* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return static_cast<std::uint32_t>(
      std::min<std::uintptr_t>(address & (~address + 1), kWidestBytes));
}

void describe(std::int64_t rows, std::int64_t cols, std::int64_t stride,
              cublasLtMatrixLayoutOpaque_t& layout) {
  check(cublasLtMatrixLayoutInit(&layout, CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                 static_cast<std::uint64_t>(cols), stride));
}

/// The shape whose plan a product takes. A dimension is rounded only where it is no matrix's
/// contiguous one: what an algorithm assumes of alignments and whole packs stays true.
ProductShape family(ProductShape shape) {
  const auto rounded = [](std::int64_t count) {
    return count < kRowStep ? count : (count + kRowStep - 1) / kRowStep * kRowStep;
  };
  if (!shape.flip_a)
    shape.rows = rounded(shape.rows);
  else if (!shape.flip_b)
    shape.inner = rounded(shape.inner);
  return shape;
}
static_assert(kWholeSums % kRowStep == 0, "a family is on one side of it");

template <typename T>
void set(const ProductDescriptor& product, cublasLtMatmulDescAttributes_t attribute,
         const T& value) {
  check(cublasLtMatmulDescSetAttribute(product.get(), attribute, &value, sizeof value));
}

template <typename T>
void set(const ProductPreference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value));
}

}  // namespace

ProductPlans::ProductPlans(std::size_t workspace_bytes, bool tf32)
    : workspace_bytes_(workspace_bytes), tf32_(tf32) {
  check(cublasLtCreate(handle_.receive()));
}

ProductLayouts::ProductLayouts(const ProductShape& shape) {
  const auto [a_stride, b_stride, c_stride] = shape.strides;
  describe(shape.flip_a ? shape.rows : shape.inner, shape.flip_a ? shape.inner : shape.rows,
           a_stride, a);
  describe(shape.flip_b ? shape.inner : shape.cols, shape.flip_b ? shape.cols : shape.inner,
           b_stride, b);
  describe(shape.cols, shape.rows, c_stride, c);
}

const ProductPlan& ProductPlans::plan(const ProductShape& shape, const float* bias) {
  const ProductShape shared = family(shape);
  ProductPlan& of_family = known_or_made(shared, bias);
  if (shared == shape || (of_family.supported && fits(of_family, shape))) return of_family;
  return known_or_made(shape, bias);
}

bool ProductPlans::fits(ProductPlan& plan, const ProductShape& shape) const {
  if (plan.checked == shape) return true;
  ProductLayouts layouts(shape);
  cublasLtMatmulHeuristicResult_t result{};
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(handle_.get(), plan.product.get(), &layouts.b, &layouts.a, &layouts.c,
                              &layouts.c, &plan.algorithm, &result);
  if (status != CUBLAS_STATUS_SUCCESS || result.workspaceSize > workspace_bytes_) return false;
  plan.checked = shape;
  return true;
}

ProductPlan& ProductPlans::known_or_made(const ProductShape& shape, const float* bias) {
  if (const auto known = plans_.find(shape); known != plans_.end()) return known->second;
  if (plans_.size() >= kMostPlans) plans_.clear();
  ProductPlan made;
  check(cublasLtMatmulDescCreate(made.product.receive(),
                                 tf32_ ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F));
  const cublasOperation_t first = shape.flip_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = shape.flip_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  set(made.product, CUBLASLT_MATMUL_DESC_TRANSA, first);
  set(made.product, CUBLASLT_MATMUL_DESC_TRANSB, second);
  set(made.product, CUBLASLT_MATMUL_DESC_EPILOGUE, shape.epilogue);
  // The heuristic reads the bias's alignment from its pointer, of which null has every.
  if (bias != nullptr) set(made.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  ProductLayouts layouts(shape);

  ProductPreference preference;
  check(cublasLtMatmulPreferenceCreate(preference.receive()));
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes_);
  if (shape.inner <= kWholeSums)
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_NONE));
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.alignments[1]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.alignments[0]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.alignments[2]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.alignments[2]);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle_.get(), made.product.get(), &layouts.b, &layouts.a,
                                     &layouts.c, &layouts.c, preference.get(), 1, &best, &found);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status);
  made.supported = found > 0 && best.state == CUBLAS_STATUS_SUCCESS;
  made.algorithm = best.algo;
  return plans_.emplace(shape, std::move(made)).first->second;
}

bool CudaBackend::multiply_dense(const ProductShape& shape, float alpha, ConstFloatView a,
                                 ConstFloatView b, const float* bias, float beta, FloatView c) {
  const ProductPlan& plan = products_->plan(shape, bias);
  if (!plan.supported) return false;
  if (bias != nullptr) set(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  ProductLayouts layouts(shape);
  check(cublasLtMatmul(products_->handle(), plan.product.get(), &alpha, b.data, &layouts.b, a.data,
                       &layouts.a, &beta, c.data, &layouts.c, c.data, &layouts.c, &plan.algorithm,
                       blas_workspace_.data<char>(), static_cast<std::size_t>(kBlasWorkspaceBytes),
                       stream_.get()));
  return true;
}

namespace {

ProductShape shape_of(bool flip_a, bool flip_b, std::int64_t inner, ConstFloatView a,
                      ConstFloatView b, FloatView c) {
  const auto leading = [](std::int64_t stride) { return std::max<std::int64_t>(stride, 1); };
  return {flip_a,
          flip_b,
          c.rows,
          c.cols,
          inner,
          {leading(a.stride), leading(b.stride), leading(c.stride)},
          {alignment(a.data), alignment(b.data), alignment(c.data)}};
}

}  // namespace

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
  if (!multiply_dense(shape_of(flip_a, flip_b, inner, a, b, c), alpha, a, b, nullptr, beta, c))
    throw DeviceError("cuBLASLt has no algorithm for a product of " + shape(c.rows, c.cols) +
                      " with inner dimension " + std::to_string(inner));
}

void CudaBackend::linear(ConstFloatView x, ConstFloatView weight, VectorView<const float> bias,
                         Activation act, FloatView y) {
  require_device("linear", "x", x);
  require_shape("linear", "weight", weight, x.cols, weight.cols);
  require_size("linear", "bias", bias, weight.cols);
  require_shape("linear", "y", y, x.rows, weight.cols);
  if (y.rows == 0 || y.cols == 0) return;
  const bool relu = act == Activation::relu;
  bool fused = false;
  if (x.cols > 0 && alignment(bias.data) == kWidestBytes) {
    ProductShape product = shape_of(false, false, x.cols, x, weight, y);
    product.epilogue = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
    fused = multiply_dense(product, 1.0F, x, weight, bias.data, 0.0F, y);
  }
  if (!fused) {
    gemm(Transpose::no, Transpose::no, 1.0F, x, weight, 0.0F, y);
    add_bias(y, bias, y);
  }
  if (act != Activation::identity && !(fused && relu)) activation(act, y, y);
}

}  // namespace penchant::kernels::cuda
