// SPDX-License-Identifier: Apache-2.0
// The stand-in for cuSPARSE's product. A buffer that the matrix's descriptor was not prepared with
// last, for this very product, or that has been written over since, is a Violation; so are operands
// whose rows do not start at multiples of 16 bytes: accesses are that wide, and which algorithms
// look first is not documented.
#include <cusparse.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "tests/fake_cuda/world.h"

using penchant::fake_cuda::Operation;
using penchant::fake_cuda::span;
using penchant::fake_cuda::Span;
using penchant::fake_cuda::Violation;
using penchant::fake_cuda::World;

namespace {

/// What a prepared buffer is good for: algorithm, columns, strides.
using Preparation = std::tuple<int, std::int64_t, std::int64_t, std::int64_t>;

constexpr std::size_t kBufferBytes = 1000;
constexpr std::uint64_t kPrepared = 0x70657061726564;

}  // namespace

struct cusparseContext {
  cudaStream_t stream = nullptr;
};
struct cusparseSpMatDescr {
  std::int64_t rows, cols, entries;
  const std::int32_t* offsets;
  const std::int32_t* columns;
  const float* values;
  mutable void* active = nullptr;  ///< buffer of the last preparation
  mutable Preparation prepared{};
};
struct cusparseDnMatDescr {
  std::int64_t rows, cols, stride;
  float* data;

  Span span_of() const {
    return {data, static_cast<std::size_t>(cols) * sizeof(float), static_cast<std::size_t>(rows),
            static_cast<std::size_t>(stride) * sizeof(float)};
  }
};

namespace {

Preparation preparation(cusparseConstDnMatDescr_t x, cusparseDnMatDescr_t y,
                        cusparseSpMMAlg_t algorithm) {
  return {static_cast<int>(algorithm), x->cols, x->stride, y->stride};
}

bool fits(cusparseConstSpMatDescr_t a, cusparseConstDnMatDescr_t x, cusparseDnMatDescr_t y) {
  return a->cols == x->rows && a->rows == y->rows && x->cols == y->cols;
}

cusparseStatus_t enqueue(cusparseHandle_t handle, Operation operation) {
  World& world = World::get();
  return world.enqueue(world.stream_of(handle->stream), std::move(operation)) == cudaSuccess
             ? CUSPARSE_STATUS_SUCCESS
             : CUSPARSE_STATUS_EXECUTION_FAILED;
}

void require_aligned(const char* name, const void* data, std::int64_t stride) {
  if (reinterpret_cast<std::uintptr_t>(data) % 16 != 0 || stride % 4 != 0)
    throw Violation(std::string("misaligned address: rows of ") + name +
                    " of cusparseSpMM do not start at multiples of 16 bytes");
}

}  // namespace

extern "C" {

const char* cusparseGetErrorName(cusparseStatus_t status) {
  return status == CUSPARSE_STATUS_SUCCESS ? "CUSPARSE_STATUS_SUCCESS"
                                           : "CUSPARSE_STATUS_OF_THE_STAND_IN";
}
const char* cusparseGetErrorString(cusparseStatus_t status) { return cusparseGetErrorName(status); }

cusparseStatus_t cusparseCreate(cusparseHandle_t* handle) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  *handle = new cusparseContext;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDestroy(cusparseHandle_t handle) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  delete handle;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSetStream(cusparseHandle_t handle, cudaStream_t stream) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  handle->stream = stream;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseCreateCsr(cusparseSpMatDescr_t* made, std::int64_t rows, std::int64_t cols,
                                   std::int64_t entries, void* offsets, void* columns, void* values,
                                   cusparseIndexType_t offset_type, cusparseIndexType_t column_type,
                                   cusparseIndexBase_t base, cudaDataType type) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  if (offset_type != CUSPARSE_INDEX_32I || column_type != CUSPARSE_INDEX_32I ||
      base != CUSPARSE_INDEX_BASE_ZERO || type != CUDA_R_32F)
    return CUSPARSE_STATUS_NOT_SUPPORTED;
  *made = new cusparseSpMatDescr{rows,
                                 cols,
                                 entries,
                                 static_cast<const std::int32_t*>(offsets),
                                 static_cast<const std::int32_t*>(columns),
                                 static_cast<const float*>(values)};
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDestroySpMat(cusparseConstSpMatDescr_t descriptor) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  delete descriptor;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseCreateDnMat(cusparseDnMatDescr_t* made, std::int64_t rows,
                                     std::int64_t cols, std::int64_t stride, void* data,
                                     cudaDataType type, cusparseOrder_t order) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  if (type != CUDA_R_32F || order != CUSPARSE_ORDER_ROW || stride < cols)
    return CUSPARSE_STATUS_INVALID_VALUE;
  *made = new cusparseDnMatDescr{rows, cols, stride, static_cast<float*>(data)};
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDestroyDnMat(cusparseConstDnMatDescr_t descriptor) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  delete descriptor;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseDnMatSetValues(cusparseDnMatDescr_t descriptor, void* data) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  descriptor->data = static_cast<float*>(data);
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSpMM_bufferSize(cusparseHandle_t /*handle*/, cusparseOperation_t /*a_op*/,
                                         cusparseOperation_t /*x_op*/, const void* /*alpha*/,
                                         cusparseConstSpMatDescr_t a, cusparseConstDnMatDescr_t x,
                                         const void* /*beta*/, cusparseDnMatDescr_t y,
                                         cudaDataType /*compute*/, cusparseSpMMAlg_t /*algorithm*/,
                                         std::size_t* bytes) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  if (!fits(a, x, y)) return CUSPARSE_STATUS_INVALID_VALUE;
  *bytes = kBufferBytes;
  return CUSPARSE_STATUS_SUCCESS;
}

cusparseStatus_t cusparseSpMM_preprocess(cusparseHandle_t handle, cusparseOperation_t /*a_op*/,
                                         cusparseOperation_t /*x_op*/, const void* /*alpha*/,
                                         cusparseConstSpMatDescr_t a, cusparseConstDnMatDescr_t x,
                                         const void* /*beta*/, cusparseDnMatDescr_t y,
                                         cudaDataType /*compute*/, cusparseSpMMAlg_t algorithm,
                                         void* buffer) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  if (buffer == nullptr || !fits(a, x, y)) return CUSPARSE_STATUS_INVALID_VALUE;
  a->active = buffer;
  a->prepared = preparation(x, y, algorithm);
  Operation operation;
  operation.name = __func__;
  operation.operands = {{buffer, kBufferBytes}};
  operation.run = [buffer] { std::memcpy(buffer, &kPrepared, sizeof kPrepared); };
  return enqueue(handle, std::move(operation));
}

cusparseStatus_t cusparseSpMM(cusparseHandle_t handle, cusparseOperation_t a_op,
                              cusparseOperation_t x_op, const void* alpha,
                              cusparseConstSpMatDescr_t a, cusparseConstDnMatDescr_t x,
                              const void* beta, cusparseDnMatDescr_t y, cudaDataType compute,
                              cusparseSpMMAlg_t algorithm, void* buffer) {
  PENCHANT_FAKE_ANSWER(cusparseStatus_t);
  if (!fits(a, x, y) || a_op != CUSPARSE_OPERATION_NON_TRANSPOSE ||
      x_op != CUSPARSE_OPERATION_NON_TRANSPOSE || compute != CUDA_R_32F)
    return CUSPARSE_STATUS_INVALID_VALUE;
  if (a->active != buffer || buffer == nullptr || a->prepared != preparation(x, y, algorithm))
    throw Violation("cusparseSpMM with a buffer that was not prepared for this product");
  require_aligned("x", x->data, x->stride);
  require_aligned("y", y->data, y->stride);
  require_aligned("the columns", a->columns, 0);
  require_aligned("the values", a->values, 0);
  Operation operation;
  operation.name = __func__;
  operation.operands = {span(a->offsets, a->rows + 1),
                        span(a->columns, a->entries),
                        span(a->values, a->entries),
                        x->span_of(),
                        y->span_of(),
                        {buffer, kBufferBytes}};
  operation.run = [matrix = *a, table = *x, out = *y, buffer,
                   by_product = *static_cast<const float*>(alpha),
                   by_y = *static_cast<const float*>(beta)] {
    std::uint64_t prepared = 0;
    std::memcpy(&prepared, buffer, sizeof prepared);
    if (prepared != kPrepared) throw Violation("cusparseSpMM with a buffer that was written over");
    for (std::int64_t row = 0; row < out.rows; ++row) {
      for (std::int64_t j = 0; j < out.cols; ++j) {
        float sum = 0.0F;
        for (std::int64_t e = matrix.offsets[row]; e < matrix.offsets[row + 1]; ++e)
          sum += matrix.values[e] * table.data[matrix.columns[e] * table.stride + j];
        float& to = out.data[row * out.stride + j];
        to = by_product * sum + (by_y == 0.0F ? 0.0F : by_y * to);
      }
    }
  };
  return enqueue(handle, std::move(operation));
}

}  // extern "C"
