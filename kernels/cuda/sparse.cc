// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/sparse.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

namespace {

std::size_t extent(std::int64_t count) { return static_cast<std::size_t>(count); }

cusparseSpMMAlg_t algorithm(SpmmVariant variant) {
  switch (variant) {
    case SpmmVariant::cusparse_alg1:
      return CUSPARSE_SPMM_CSR_ALG1;
    case SpmmVariant::cusparse_alg2:
      return CUSPARSE_SPMM_CSR_ALG2;
    default:
      return CUSPARSE_SPMM_CSR_ALG3;
  }
}

SparseDescriptor describe(const CudaSparseMatrix& matrix) {
  const CusparseArrays& arrays = matrix.state().cusparse;
  SparseDescriptor descriptor;
  check(cusparseCreateCsr(descriptor.receive(), matrix.rows(), matrix.cols(), matrix.num_entries(),
                          arrays.offsets, arrays.columns, arrays.values, CUSPARSE_INDEX_32I,
                          CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F));
  return descriptor;
}

DenseDescriptor describe(std::int64_t rows, std::int64_t cols, std::int64_t stride, void* data) {
  DenseDescriptor descriptor;
  check(cusparseCreateDnMat(descriptor.receive(), rows, cols, stride, data, CUDA_R_32F,
                            CUSPARSE_ORDER_ROW));
  return descriptor;
}

}  // namespace

CudaSparseMatrix::CudaSparseMatrix(const graph::CsrView& matrix, std::int64_t capacity,
                                   bool brings_tables, SpmmVariant variant,
                                   const SharedStream& stream, Staging& staging)
    : rows_(matrix.num_rows),
      cols_(matrix.num_cols),
      entries_(matrix.num_entries()),
      has_values_(matrix.values.empty() ? HasValues::no : HasValues::yes),
      brings_tables_(brings_tables),
      state_(std::make_unique<SparseState>(stream)) {
  if (most_block_bytes(rows_, entries_, has_values_) <= capacity) {
    add_block(matrix, {0, rows_, 0, entries_}, false, staging);
    if (variant != SpmmVariant::own && entries_ > 0) prepare_cusparse(matrix, staging);
    return;
  }
  check(cudaStreamCreateWithFlags(state_->copies.receive(), cudaStreamNonBlocking));
  for (int buffer = 0; buffer < kStreamBuffers; ++buffer) {
    state_->copied[extent(buffer)] = make_event();
    state_->multiplied[extent(buffer)] = make_event();
  }
  state_->table_ready = make_event();
  std::int64_t largest = 0;
  const std::int64_t share = capacity / kStreamBuffers;
  for (const RowBlock& rows : brings_tables_ ? cut_rows_with_tables(matrix, has_values_, share)
                                             : cut_rows(matrix.offsets, has_values_, share)) {
    add_block(matrix, rows, true, staging);
    largest = std::max(largest, blocks_.back().layout.bytes);
  }
  for (Scratch& buffer : state_->buffers) buffer.reserve<char>(largest);
  // The copies' stream may use the buffers as soon as they exist.
  check(cudaStreamSynchronize(stream.get()));
}

// Pinned blocks must not be freed under a copy, nor buffers under a product.
CudaSparseMatrix::~CudaSparseMatrix() {
  if (streamed()) static_cast<void>(cudaStreamSynchronize(state_->copies.get()));
}

void CudaSparseMatrix::add_block(const graph::CsrView& matrix, const RowBlock& rows, bool pinned,
                                 Staging& staging) {
  std::vector<graph::EdgeOffset> offsets;
  const graph::CsrView view = block_of(matrix, rows, offsets);
  const SpmmPlan plan = make_spmm_plan(view, segment_entries(entries_));
  SparseBlock block;
  block.rows = rows;
  block.num_tasks = static_cast<std::int64_t>(plan.tasks.size());
  block.num_segments = plan.num_segments;
  block.num_medium = plan.num_medium;
  block.num_long_rows = static_cast<std::int64_t>(plan.long_rows.size());
  TableRows table;
  if (pinned && brings_tables_) table = table_rows(view.columns);
  block.num_table_rows = static_cast<std::int64_t>(table.ids.size());
  block.layout = block_layout(block.num_tasks, block.num_long_rows, rows.num_entries, has_values_,
                              block.num_table_rows);
  most_segments_ = std::max(most_segments_, block.num_segments);
  most_table_rows_ = std::max(most_table_rows_, block.num_table_rows);

  char* memory = nullptr;
  if (pinned) {
    check(cudaMallocHost(block.host.receive(), extent(block.layout.bytes)));
    memory = static_cast<char*>(block.host.get());
  } else {
    memory = state_->buffers[0].reserve<char>(block.layout.bytes);
  }
  const auto put = [&](std::int64_t place, const auto& array) {
    using T = std::remove_cvref_t<decltype(array[0])>;
    if (array.empty()) return;
    if (pinned)
      std::memcpy(memory + place, array.data(), array.size() * sizeof(T));
    else
      staging.upload(array.data(), reinterpret_cast<T*>(memory + place),
                     static_cast<std::int64_t>(array.size()));
  };
  put(block.layout.tasks, plan.tasks);
  put(block.layout.long_rows, plan.long_rows);
  if (table.ids.empty())
    put(block.layout.columns, view.columns);
  else
    put(block.layout.columns, table.columns);
  put(block.layout.values, view.values);
  put(block.layout.table_ids, table.ids);
  blocks_.push_back(std::move(block));
}

// The one place where cuSPARSE's index widths are chosen: 32 bits for both arrays. Whether it takes
// 64-bit offsets with 32-bit columns is not known, and 64-bit columns would double what it reads.
void CudaSparseMatrix::prepare_cusparse(const graph::CsrView& matrix, Staging& staging) {
  if (entries_ > std::numeric_limits<std::int32_t>::max())
    refuse("spmm", "cuSPARSE is used with 32-bit offsets; this matrix has " +
                       std::to_string(entries_) + " entries");
  const std::vector<std::int32_t> offsets(matrix.offsets.begin(), matrix.offsets.end());
  auto* device_offsets = state_->int_offsets.reserve<std::int32_t>(rows_ + 1);
  staging.upload(offsets.data(), device_offsets, rows_ + 1);
  const BlockLayout& layout = blocks_.front().layout;
  char* memory = state_->buffers[0].data<char>();
  auto* values = reinterpret_cast<float*>(memory + layout.values);
  if (!has_values()) {
    values = state_->ones.reserve<float>(entries_);
    const std::vector<float> ones(extent(entries_), 1.0F);
    staging.upload(ones.data(), values, entries_);
  }
  state_->cusparse = {device_offsets, memory + layout.columns, values};
}

const CudaSparseMatrix& own_sparse(const SparseMatrix& matrix) {
  const auto* sparse = dynamic_cast<const CudaSparseMatrix*>(&matrix);
  if (sparse == nullptr) refuse("spmm", "the sparse matrix was prepared by another backend");
  return *sparse;
}

std::unique_ptr<SparseMatrix> CudaBackend::sparse(const graph::CsrView& matrix) {
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  check(cudaMemGetInfo(&free_bytes, &all_bytes));
  const std::int64_t capacity =
      options_.sparse_bytes > 0 ? options_.sparse_bytes
                                : (static_cast<std::int64_t>(free_bytes) + unused_pool_bytes()) / 2;
  // A model has about eight tables: vectors, gradients, moments, layers.
  constexpr std::int64_t kModelRowBytes = 8 * 64 * sizeof(float);
  const bool tables_fit = matrix.num_rows <= static_cast<std::int64_t>(all_bytes) / kModelRowBytes;
  const bool brings_tables = options_.table_streaming == TableStreaming::on ||
                             (options_.table_streaming == TableStreaming::automatic && !tables_fit);
  return std::make_unique<CudaSparseMatrix>(matrix, capacity, brings_tables, options_.spmm, stream_,
                                            staging_);
}

// What the pool keeps is not free to the device, but to this process.
std::int64_t CudaBackend::unused_pool_bytes() const {
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, device_index_));
  std::uint64_t reserved = 0;
  std::uint64_t used = 0;
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved));
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used));
  return static_cast<std::int64_t>(reserved - std::min(used, reserved));
}

// cuSPARSE computes alpha A x + beta y; what else SpmmOptions asks for takes passes of its own.
void CudaBackend::spmm_cusparse(const SparseMatrix& a, ConstFloatView x, FloatView y,
                                const SpmmOptions& options) {
  const CudaSparseMatrix& sparse = own_sparse(a);
  SparseState& state = sparse.state();
  const bool scaled = options.row_scale.data != nullptr;
  // A row scale comes before beta y: the product goes to memory of its own.
  FloatView product = y;
  if (scaled)
    product = {product_.reserve<float>(y.rows * padded_stride(y.cols, sizeof(float))), y.rows,
               y.cols, padded_stride(y.cols, sizeof(float)), Device::cuda};
  const float alpha = options.alpha;
  const float beta = scaled ? 0.0F : options.beta;
  CusparseProduct& cached = state.products[{x.cols, x.stride, product.stride}];
  void* x_data = const_cast<float*>(x.data);  // the API has no const descriptor for both uses
  const auto multiply = [&](auto call) {
    return call(sparse_.get(), CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE,
                &alpha, cached.a.get(), cached.x.get(), &beta, cached.y.get(), CUDA_R_32F,
                algorithm(options_.spmm));
  };
  if (cached.workspace == nullptr) {
    cached.a = describe(sparse);
    cached.x = describe(x.rows, x.cols, x.stride, x_data);
    cached.y = describe(product.rows, product.cols, product.stride, product.data);
    auto memory = std::make_unique<Scratch>(stream_);
    std::size_t bytes = 0;
    check(
        multiply([&](auto... arguments) { return cusparseSpMM_bufferSize(arguments..., &bytes); }));
    char* workspace = memory->reserve<char>(static_cast<std::int64_t>(bytes));
    check(multiply(
        [&](auto... arguments) { return cusparseSpMM_preprocess(arguments..., workspace); }));
    cached.workspace = std::move(memory);  // last: it says that the descriptors are prepared
  } else {
    check(cusparseDnMatSetValues(cached.x.get(), x_data));
    check(cusparseDnMatSetValues(cached.y.get(), product.data));
  }
  char* workspace = cached.workspace->data<char>();
  check(multiply([&](auto... arguments) { return cusparseSpMM(arguments..., workspace); }));
  if (scaled) {
    scale_rows(product, options.row_scale, product);
    axpby(1.0F, product, options.beta, y);
  }
  if (options.addend.data != nullptr) axpby(options.delta, options.addend, 1.0F, y);
  if (options.bias.data != nullptr) add_bias(y, options.bias, y);
  if (options.activation != Activation::identity) activation(options.activation, y, y);
  if (options.layer_sum.data != nullptr) axpby(options.gamma, y, 1.0F, options.layer_sum);
}

}  // namespace penchant::kernels::cuda
