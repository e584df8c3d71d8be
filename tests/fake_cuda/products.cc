// SPDX-License-Identifier: Apache-2.0
// The stand-in for cuBLASLt's products and cuBLAS's geam. The heuristic picks an algorithm that
// needs every alignment that it was told of (of the bias: that of the pointer which the description
// holds at that moment; null is aligned to anything, which no bias is), and one that adds up
// neighbours in different orders unless reductions are masked; a product that does not keep what
// was said is a Violation. It relies on whole packs of contiguous extents: another shape must have
// the same, and must have been checked.
#include <cublasLt.h>
#include <cublas_v2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

#include "tests/fake_cuda/world.h"

using penchant::fake_cuda::Operation;
using penchant::fake_cuda::Span;
using penchant::fake_cuda::Violation;
using penchant::fake_cuda::World;

struct cublasContext {
  cudaStream_t stream = nullptr;
  Span workspace;
};

namespace {

struct Description {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasOperation_t first = CUBLAS_OP_N;
  cublasOperation_t second = CUBLAS_OP_N;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
};
struct Layout {
  std::int64_t rows, cols, stride;
};
struct Preference {
  std::size_t workspace_bytes = 0;
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::array<std::uint32_t, 4> alignments{256, 256, 256, 256};
};
/// Of a product: D is rows x cols.
struct Extents {
  std::int64_t rows, cols, inner;
  auto operator<=>(const Extents&) const = default;
};
/// What an algorithm relies on.
struct Algorithm {
  std::array<std::uint32_t, 5> alignments;  ///< of A, B, C, D and the bias
  std::uint16_t split;
  std::uint16_t number;
  Extents extents;  ///< for which it was chosen
  std::uint64_t workspace_bytes;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));

/// Other shapes that algorithms were checked for.
std::set<std::pair<std::uint16_t, Extents>>& checked_extents() {
  static std::set<std::pair<std::uint16_t, Extents>> extents;
  return extents;
}

template <typename T, typename Handle>
T& as(Handle handle) {
  return *reinterpret_cast<T*>(handle);
}
template <typename T, typename Handle>
const T& as_const(Handle handle) {
  return *reinterpret_cast<const T*>(handle);
}

/// An alignment that no pointer has here: of a bias that the heuristic did not see.
constexpr std::uint32_t kUnseen = 256;

std::uint32_t alignment(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  return address == 0
             ? 16
             : static_cast<std::uint32_t>(std::min<std::uintptr_t>(address & (~address + 1), 16));
}

bool has_bias(cublasLtEpilogue_t epilogue) {
  return epilogue == CUBLASLT_EPILOGUE_BIAS || epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
}

Span span_of(const float* data, const Layout& layout) {
  return {data, static_cast<std::size_t>(layout.rows) * sizeof(float),
          static_cast<std::size_t>(layout.cols),
          static_cast<std::size_t>(layout.stride) * sizeof(float)};
}

/// Of op(A) op(B); false where they do not fit each other.
bool extents_of(const Description& description, const Layout& a, const Layout& b, const Layout& d,
                Extents& extents) {
  const bool first_plain = description.first == CUBLAS_OP_N;
  const bool second_plain = description.second == CUBLAS_OP_N;
  extents = {d.rows, d.cols, first_plain ? a.cols : a.rows};
  return (first_plain ? a.rows : a.cols) == d.rows &&
         (second_plain ? b.rows : b.cols) == extents.inner &&
         (second_plain ? b.cols : b.rows) == d.cols;
}

/// Whether the extents that are contiguous in a matrix are those that the algorithm was chosen for.
bool has_same_packs(const Description& description, const Extents& chosen, const Extents& given) {
  const bool inner_contiguous =
      description.first != CUBLAS_OP_N || description.second == CUBLAS_OP_N;
  const bool cols_contiguous = description.second != CUBLAS_OP_N;
  return chosen.rows == given.rows && (!inner_contiguous || chosen.inner == given.inner) &&
         (!cols_contiguous || chosen.cols == given.cols);
}

struct Product {
  Description description;
  Layout a, b, c;
  const float* a_data;
  const float* b_data;
  const float* c_data;
  float* d_data;
  float alpha, beta;
  Algorithm algorithm;
  Extents extents;

  float a_at(std::int64_t i, std::int64_t k) const {
    return a_data[description.first == CUBLAS_OP_N ? i + k * a.stride : k + i * a.stride];
  }
  float b_at(std::int64_t k, std::int64_t j) const {
    return b_data[description.second == CUBLAS_OP_N ? k + j * b.stride : j + k * b.stride];
  }
  void run() const {
    const std::int64_t inner = extents.inner;
    for (std::int64_t j = 0; j < c.cols; ++j) {
      for (std::int64_t i = 0; i < c.rows; ++i) {
        const std::int64_t start = algorithm.split != 0 && (i + j) % 2 == 1 ? inner / 2 : 0;
        float sum = 0.0F;
        for (std::int64_t k = start; k < inner; ++k) sum += a_at(i, k) * b_at(k, j);
        for (std::int64_t k = 0; k < start; ++k) sum += a_at(i, k) * b_at(k, j);
        float value = alpha * sum;
        if (beta != 0.0F) value += beta * c_data[i + j * c.stride];
        if (has_bias(description.epilogue)) value += description.bias[i];
        if (description.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS && value < 0.0F) value = 0.0F;
        d_data[i + j * c.stride] = value;
      }
    }
  }
};

}  // namespace

extern "C" {

const char* cublasGetStatusName(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS"
                                         : "CUBLAS_STATUS_OF_THE_STAND_IN";
}

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

/// Forgets the workspace, as cuBLAS does.
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  handle->stream = stream;
  handle->workspace = {};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  handle->workspace = {workspace, bytes};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t /*handle*/, cublasMath_t /*mode*/) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgeam_64(cublasHandle_t handle, cublasOperation_t a_operation,
                              cublasOperation_t b_operation, std::int64_t rows, std::int64_t cols,
                              const float* alpha, const float* a, std::int64_t a_stride,
                              const float* beta, const float* b, std::int64_t b_stride, float* c,
                              std::int64_t c_stride) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  const bool a_turned = a_operation != CUBLAS_OP_N;
  if (c_stride < rows || a_stride < (a_turned ? cols : rows) || b_operation != CUBLAS_OP_N ||
      b_stride < rows)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (a == c) throw Violation("cublasSgeam turns a matrix in place");
  if (handle->workspace.data == nullptr) throw Violation("cuBLAS has no workspace of its own");
  World& world = World::get();
  Operation operation;
  operation.name = __func__;
  operation.operands = {
      span_of(a, a_turned ? Layout{cols, rows, a_stride} : Layout{rows, cols, a_stride}),
      span_of(c, {rows, cols, c_stride}), handle->workspace};
  const float by_a = *alpha;
  const float by_b = *beta;
  if (by_b != 0.0F) operation.operands.push_back(span_of(b, {rows, cols, b_stride}));
  operation.run = [=] {
    for (std::int64_t j = 0; j < cols; ++j) {
      for (std::int64_t i = 0; i < rows; ++i) {
        const float turned = a[a_turned ? j + i * a_stride : i + j * a_stride];
        c[i + j * c_stride] = by_a * turned + (by_b == 0.0F ? 0.0F : by_b * b[i + j * b_stride]);
      }
    }
  };
  return world.enqueue(world.stream_of(handle->stream), std::move(operation)) == cudaSuccess
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  *handle = reinterpret_cast<cublasLtHandle_t>(new char);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  delete reinterpret_cast<char*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute,
                                        cudaDataType_t /*scale*/) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new Description{compute});
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  delete &as<Description>(description);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t made,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, std::size_t bytes) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  auto& description = as<Description>(made);
  const auto take = [&](auto& to) {
    if (bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, sizeof to);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(description.first);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(description.second);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(description.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(description.bias);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t made, std::size_t bytes,
                                                 cudaDataType type, std::uint64_t rows,
                                                 std::uint64_t cols, std::int64_t stride) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  if (type != CUDA_R_32F || stride < static_cast<std::int64_t>(rows) || bytes < sizeof(Layout))
    return CUBLAS_STATUS_INVALID_VALUE;
  as<Layout>(made) = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(cols), stride};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  delete &as<Preference>(preference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t made,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, std::size_t bytes) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  auto& preference = as<Preference>(made);
  const auto take = [&](auto& to) {
    if (bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, sizeof to);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return take(preference.workspace_bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return take(preference.reductions);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return take(preference.alignments[0]);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return take(preference.alignments[1]);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return take(preference.alignments[2]);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return take(preference.alignments[3]);
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t made, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t /*c*/, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t wanted, int /*most*/, cublasLtMatmulHeuristicResult_t results[],
    int* found) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  const auto& description = as_const<Description>(made);
  const auto& preference = as_const<Preference>(wanted);
  Algorithm algorithm{};
  if (!extents_of(description, as_const<Layout>(a), as_const<Layout>(b), as_const<Layout>(d),
                  algorithm.extents))
    return CUBLAS_STATUS_INVALID_VALUE;
  static std::uint16_t number = 0;
  algorithm.number = number++;
  for (std::size_t k = 0; k < 4; ++k)
    algorithm.alignments[k] = std::min<std::uint32_t>(preference.alignments[k], 16);
  if (!has_bias(description.epilogue))
    algorithm.alignments[4] = 1;
  else
    algorithm.alignments[4] = description.bias == nullptr ? kUnseen : alignment(description.bias);
  algorithm.split = preference.reductions != CUBLASLT_REDUCTION_SCHEME_NONE ? 1 : 0;
  algorithm.workspace_bytes = std::min<std::size_t>(preference.workspace_bytes, 1 << 20);
  results[0] = {};
  std::memcpy(results[0].algo.data, &algorithm, sizeof algorithm);
  results[0].workspaceSize = algorithm.workspace_bytes;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t made,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t /*c*/, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* chosen,
                                       cublasLtMatmulHeuristicResult_t* result) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  Algorithm algorithm{};
  std::memcpy(&algorithm, chosen->data, sizeof algorithm);
  const auto& description = as_const<Description>(made);
  Extents extents{};
  if (!extents_of(description, as_const<Layout>(a), as_const<Layout>(b), as_const<Layout>(d),
                  extents) ||
      !has_same_packs(description, algorithm.extents, extents))
    return CUBLAS_STATUS_INVALID_VALUE;
  checked_extents().insert({algorithm.number, extents});
  *result = {};
  result->workspaceSize = algorithm.workspace_bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t /*handle*/, cublasLtMatmulDesc_t made,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout,
                              const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t /*c_layout*/, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* chosen,
                              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  PENCHANT_FAKE_ANSWER(cublasStatus_t);
  Product product{as_const<Description>(made),
                  as_const<Layout>(a_layout),
                  as_const<Layout>(b_layout),
                  as_const<Layout>(d_layout),
                  static_cast<const float*>(a),
                  static_cast<const float*>(b),
                  static_cast<const float*>(c),
                  static_cast<float*>(d),
                  *static_cast<const float*>(alpha),
                  *static_cast<const float*>(beta),
                  {},
                  {}};
  Algorithm& algorithm = product.algorithm;
  std::memcpy(&algorithm, chosen->data, sizeof algorithm);
  if (!extents_of(product.description, product.a, product.b, product.c, product.extents) ||
      workspace_bytes < algorithm.workspace_bytes)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (product.extents != algorithm.extents &&
      !checked_extents().contains({algorithm.number, product.extents}))
    throw Violation(
        "the algorithm of cublasLtMatmul was neither chosen nor checked for a product of "
        "this shape");
  const bool biased = has_bias(product.description.epilogue);
  const void* pointers[] = {a, b, c, d, biased ? product.description.bias : nullptr};
  constexpr const char* kNames[] = {"A", "B", "C", "D", "the bias"};
  for (std::size_t k = 0; k < 5; ++k) {
    if (alignment(pointers[k]) < algorithm.alignments[k])
      throw Violation(
          std::string("misaligned address: the algorithm of cublasLtMatmul was chosen for ") +
          kNames[k] + " aligned to " + std::to_string(algorithm.alignments[k]) +
          " bytes, it is aligned to " + std::to_string(alignment(pointers[k])));
  }
  if (biased && product.description.bias == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  World& world = World::get();
  Operation operation;
  operation.name = __func__;
  operation.operands = {span_of(product.a_data, product.a),
                        span_of(product.b_data, product.b),
                        span_of(product.d_data, product.c),
                        {workspace, workspace_bytes}};
  if (biased)
    operation.operands.push_back(
        penchant::fake_cuda::span(product.description.bias, product.c.rows));
  operation.run = [product] { product.run(); };
  return world.enqueue(world.stream_of(stream), std::move(operation)) == cudaSuccess
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // extern "C"
