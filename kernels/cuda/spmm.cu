// SPDX-License-Identifier: Apache-2.0
// The product of the CUDA backend: the own kernels (spmm.cuh), block by block where the matrix is
// streamed, or cuSPARSE (sparse.cc).
#include "kernels/cuda/spmm.cuh"

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/indexing.cuh"
#include "kernels/cuda/sparse.h"
#include "kernels/operands.h"

namespace penchant::kernels::cuda {

namespace {

SpmmOperand operand(const SparseBlock& block, const char* memory, bool has_values) {
  SpmmOperand operand;
  operand.tasks = reinterpret_cast<const SpmmTask*>(memory + block.layout.tasks);
  operand.long_rows = reinterpret_cast<const SpmmLongRow*>(memory + block.layout.long_rows);
  operand.num_tasks = block.num_tasks;
  operand.num_segments = block.num_segments;
  operand.num_medium = block.num_medium;
  operand.num_long_rows = block.num_long_rows;
  operand.columns = reinterpret_cast<const graph::NodeId*>(memory + block.layout.columns);
  if (has_values) operand.values = reinterpret_cast<const float*>(memory + block.layout.values);
  operand.first_row = block.rows.first_row;
  if (block.num_table_rows > 0)
    operand.table_ids = reinterpret_cast<const graph::NodeId*>(memory + block.layout.table_ids);
  return operand;
}

/// The operands of a block of rows; sets of rows stay the whole matrix's.
SpmmOptions rows_of(const SpmmOptions& options, const RowBlock& rows) {
  SpmmOptions part = options;
  if (part.row_scale.data != nullptr)
    part.row_scale = part.row_scale.sub(rows.first_row, rows.num_rows);
  if (part.layer_sum.data != nullptr)
    part.layer_sum = part.layer_sum.rows_of(rows.first_row, rows.num_rows);
  if (part.addend.data != nullptr) part.addend = part.addend.rows_of(rows.first_row, rows.num_rows);
  return part;
}

/// stream_blocks() on two CUDA streams.
template <typename T>
struct Products {
  const CudaSparseMatrix& a;
  MatrixView<const T> x;
  FloatView y;
  const SpmmOptions& options;
  VectorView<float> scratch;
  cudaStream_t stream;
  std::int64_t table_stride = 0;  ///< elements from row to row of the tables that blocks bring

  char* memory(int buffer) {
    return a.state().buffers[static_cast<std::size_t>(buffer)].template data<char>();
  }
  T* table(int buffer) {
    return a.state().tables[static_cast<std::size_t>(buffer)].template data<T>();
  }
  void copies_wait_for_table() {
    if (!a.brings_tables()) return;
    check(cudaEventRecord(a.state().table_ready.get(), stream));
    check(cudaStreamWaitEvent(a.state().copies.get(), a.state().table_ready.get()));
  }
  void copies_wait_for_product(int buffer) {
    check(cudaStreamWaitEvent(a.state().copies.get(), event(a.state().multiplied, buffer)));
  }
  void copy(std::int64_t block, int buffer) {
    const SparseBlock& part = a.blocks()[static_cast<std::size_t>(block)];
    check(cudaMemcpyAsync(memory(buffer), part.host.get(),
                          static_cast<std::size_t>(part.layout.bytes), cudaMemcpyHostToDevice,
                          a.state().copies.get()));
    if (part.num_table_rows == 0) return;
    // Rows in host memory come over the bus, each once a block.
    const auto* ids =
        reinterpret_cast<const graph::NodeId*>(memory(buffer) + part.layout.table_ids);
    gather_rows(
        x, IdView(ids, part.num_table_rows, Device::cuda),
        MatrixView<T>(table(buffer), part.num_table_rows, x.cols, table_stride, Device::cuda),
        a.state().copies.get());
  }
  void record_copy(int buffer) {
    check(cudaEventRecord(event(a.state().copied, buffer), a.state().copies.get()));
  }
  void product_waits_for_copy(int buffer) {
    check(cudaStreamWaitEvent(stream, event(a.state().copied, buffer)));
  }
  void multiply(std::int64_t block, int buffer) {
    const SparseBlock& part = a.blocks()[static_cast<std::size_t>(block)];
    MatrixView<const T> rows = x;
    if (part.num_table_rows > 0)
      rows = {table(buffer), part.num_table_rows, x.cols, table_stride, Device::cuda};
    spmm_binned(operand(part, memory(buffer), a.has_values()), rows,
                y.rows_of(part.rows.first_row, part.rows.num_rows), rows_of(options, part.rows),
                scratch, stream);
  }
  void record_product(int buffer) {
    check(cudaEventRecord(event(a.state().multiplied, buffer), stream));
  }
  static cudaEvent_t event(const std::array<Event, kStreamBuffers>& events, int buffer) {
    return events[static_cast<std::size_t>(buffer)].get();
  }
};

}  // namespace

template <typename T>
void CudaBackend::spmm_own(const SparseMatrix& a, MatrixView<const T> x, FloatView y,
                           const SpmmOptions& options) {
  const CudaSparseMatrix& sparse = own_sparse(a);
  const std::int64_t scratch = sparse.most_segments() * y.cols;
  Products<T> products{
      sparse,       x, y, options, {product_.reserve<float>(scratch), scratch, Device::cuda},
      stream_.get()};
  if (sparse.streamed()) {
    require_no_recording(stream_.get());
    if (sparse.brings_tables()) {
      products.table_stride = padded_stride(x.cols, sizeof(T));
      for (Scratch& table : sparse.state().tables)
        table.reserve<T>(sparse.most_table_rows() * products.table_stride);
    }
    stream_blocks(static_cast<std::int64_t>(sparse.blocks().size()), products);
  } else {
    products.multiply(0, 0);
  }
}

void CudaBackend::spmm(const SparseMatrix& a, ConstFloatView x, FloatView y,
                       const SpmmOptions& options) {
  check_product(Device::cuda, a, x, y, options);
  if (y.rows == 0 || y.cols == 0) return;
  // cuSPARSE multiplies all rows by all entries. Its accesses are of 16 bytes, and which operands it
  // checks for that is not documented.
  const bool whole = options.wanted.data == nullptr && options.nonzero.data == nullptr &&
                     options.nonzero_addend.data == nullptr;
  if (whole && own_sparse(a).state().cusparse.offsets != nullptr && packs_fit(x, 4) &&
      packs_fit(y, 4))
    spmm_cusparse(a, x, y, options);
  else
    spmm_own(a, x, y, options);
}

void CudaBackend::spmm(const SparseMatrix& a, MatrixView<const Bf16> x, FloatView y,
                       const SpmmOptions& options) {
  check_product(Device::cuda, a, x, y, options);
  if (y.rows == 0 || y.cols == 0) return;
  spmm_own(a, x, y, options);
}

}  // namespace penchant::kernels::cuda
