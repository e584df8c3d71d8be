// SPDX-License-Identifier: Apache-2.0
// The sparse operand of the CUDA backend: one block of rows that stays on the device, or several
// that are streamed through two buffers (stream_plan.h). cuSPARSE's descriptors and workspaces are
// made by the first product of a shape and kept.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/handles.h"
#include "kernels/cuda/staging.h"
#include "kernels/cuda/stream_plan.h"

namespace penchant::kernels::cuda {

/// A block and the sizes of its plan.
struct SparseBlock {
  RowBlock rows;
  std::int64_t num_tasks = 0;
  std::int64_t num_segments = 0;
  std::int64_t num_medium = 0;
  std::int64_t num_long_rows = 0;
  std::int64_t num_table_rows = 0;  ///< that come with it; 0 where tables stay where they are
  BlockLayout layout;
  PinnedMemory host;  ///< of a streamed block; else empty
};

/// The matrix as cuSPARSE takes it, in device memory: offsets and columns of one width, and values.
struct CusparseArrays {
  std::int32_t* offsets = nullptr;  ///< null: own kernels multiply
  void* columns = nullptr;
  float* values = nullptr;
};

/// cuSPARSE's view of one product: shapes and strides decide descriptors and workspace. It has a
/// descriptor of the matrix of its own, because one descriptor remembers the workspace of its last
/// preprocessing only (cuSPARSE manual, cusparseSpMM: "active buffer").
struct CusparseProduct {
  SparseDescriptor a;
  DenseDescriptor x;
  DenseDescriptor y;
  std::unique_ptr<Scratch> workspace;
};
using CusparseKey = std::tuple<std::int64_t, std::int64_t, std::int64_t>;  ///< D, strides of x, y

/// What changes behind a const SparseMatrix: buffers and caches. Ordered on the backend's stream.
struct SparseState {
  explicit SparseState(const SharedStream& stream)
      : buffers{Scratch(stream), Scratch(stream)},
        tables{Scratch(stream), Scratch(stream)},
        int_offsets(stream),
        ones(stream) {}

  std::array<Scratch, kStreamBuffers> buffers;  ///< only the first where nothing is streamed
  std::array<Scratch, kStreamBuffers> tables;   ///< rows of x that a buffer's block needs
  StreamHandle copies;
  Event table_ready;
  std::array<Event, kStreamBuffers> copied;
  std::array<Event, kStreamBuffers> multiplied;

  Scratch int_offsets;  ///< of cusparse
  Scratch ones;         ///< values where the matrix has none
  CusparseArrays cusparse;
  std::map<CusparseKey, CusparseProduct> products;
};

class CudaSparseMatrix final : public SparseMatrix {
 public:
  /// Uploads or pins the matrix, whose arrays are free again afterwards; capacity in bytes.
  /// brings_tables: blocks of a streamed matrix bring their rows of x.
  CudaSparseMatrix(const graph::CsrView& matrix, std::int64_t capacity, bool brings_tables,
                   SpmmVariant variant, const SharedStream& stream, Staging& staging);
  ~CudaSparseMatrix() override;

  std::int64_t rows() const override { return rows_; }
  std::int64_t cols() const override { return cols_; }
  std::int64_t num_entries() const override { return entries_; }
  bool has_values() const { return has_values_ == HasValues::yes; }
  bool streamed() const { return static_cast<bool>(state_->copies); }
  bool brings_tables() const { return streamed() && brings_tables_; }
  std::int64_t most_table_rows() const { return most_table_rows_; }
  const std::vector<SparseBlock>& blocks() const { return blocks_; }
  std::int64_t most_segments() const { return most_segments_; }
  SparseState& state() const { return *state_; }

 private:
  void add_block(const graph::CsrView& matrix, const RowBlock& rows, bool pinned, Staging& staging);
  void prepare_cusparse(const graph::CsrView& matrix, Staging& staging);

  std::int64_t rows_, cols_, entries_;
  HasValues has_values_;
  bool brings_tables_;
  std::vector<SparseBlock> blocks_;
  std::int64_t most_segments_ = 0;
  std::int64_t most_table_rows_ = 0;
  std::unique_ptr<SparseState> state_;
};

/// The matrix as this backend's own. Throws InputError if another backend prepared it.
const CudaSparseMatrix& own_sparse(const SparseMatrix& matrix);

}  // namespace penchant::kernels::cuda
