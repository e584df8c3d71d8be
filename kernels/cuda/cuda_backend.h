// SPDX-License-Identifier: Apache-2.0
// The CUDA backend: hand-written kernels (kernels/cuda/*.cuh), cuSPARSE, cuBLASLt, cuSOLVER, cuDNN
// and CUB on one stream. Its methods are defined by idea in kernels/cuda/*.cc (library calls) and
// *.cu (kernels). Every op enqueues and returns; only sync(), copies to the host and
// symmetric_eigen wait. Scratch memory is grown by the first calls and kept, so that steady steps
// allocate nothing.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/handles.h"
#include "kernels/cuda/ranking_memory.h"
#include "kernels/cuda/segments.h"
#include "kernels/cuda/staging.h"

namespace penchant::kernels::cuda {

class RowConvolutions;  // dnn_convolution.h

/// What cuBLAS recommends for Hopper; given to it once, so that no product allocates and equal
/// products have equal bits.
inline constexpr std::int64_t kBlasWorkspaceBytes = std::int64_t{32} << 20;

/// Of convolutions by cuDNN (convolution.cu).
struct ConvolutionScratch {
  explicit ConvolutionScratch(const SharedStream& stream)
      : inputs(stream), d_inputs(stream), outputs(stream), filter(stream), d_filter(stream) {}
  Scratch inputs;    ///< x in one row of positions
  Scratch d_inputs;  ///< and its gradient
  Scratch outputs;   ///< y, or its gradient
  Scratch filter;    ///< the weight as cuDNN has it
  Scratch d_filter;  ///< and its gradient
};

/// The second stream of ranking.cuh and its order with the backend's.
struct RankingOrder {
  RankingOrder();
  StreamHandle merges;
  std::array<Event, 2> made;    ///< of each tile: its scores
  std::array<Event, 2> merged;  ///< and their last use
  Event joined;
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const CudaOptions& options, int device_index);
  ~CudaBackend() override;

  Device device() const override { return Device::cuda; }
  /// The device, and how much of what was asked for it could not hold.
  std::string description() const override;

#include "kernels/backend_overrides.inc"
  void sync() override;
  std::unique_ptr<RepeatedStep> repeated_step() override;

 protected:
  Memory allocate(std::int64_t bytes) override;

 private:
  template <typename T>
  void copy_matrix(MatrixView<const T> from, MatrixView<T> to);
  /// Within the device, between strides, bit by bit.
  void copy_rows(ConstFloatView from, FloatView to);
  /// The library handles that only some programs need are made by the first call.
  cudnnHandle_t dnn();
  cusolverDnHandle_t solver();
  RowConvolutions& row_convolutions();
  const RankingOrder& ranking_order();
  /// False where cuBLASLt has no algorithm for the shape with its epilogue.
  bool multiply_dense(const ProductShape& shape, float alpha, ConstFloatView a, ConstFloatView b,
                      const float* bias, float beta, FloatView c);
  /// Of the device's memory pool.
  std::int64_t unused_pool_bytes() const;
  void spmm_cusparse(const SparseMatrix& a, ConstFloatView x, FloatView y,
                     const SpmmOptions& options);
  template <typename T>
  void spmm_own(const SparseMatrix& a, MatrixView<const T> x, FloatView y,
                const SpmmOptions& options);
  /// Device copy of the segments' offsets, valid until the next call.
  DeviceSegments upload(const Segments& segments);
  VectorView<float> column_sums_scratch(std::int64_t rows, std::int64_t cols);

  CudaOptions options_;
  int device_index_;
  std::string description_;
  std::int64_t overflow_bytes_ = 0;  ///< of memory on the host because the device had no more
  // The stream comes before all that is ordered on it.
  SharedStream stream_;
  Staging staging_;
  Scratch blas_workspace_;
  BlasHandle blas_;
  std::unique_ptr<ProductPlans> products_;
  SparseHandle sparse_;
  DnnHandle dnn_;
  SolverHandle solver_;
  std::unique_ptr<RowConvolutions> row_convolutions_;
  // Scratch memory by use.
  Scratch offsets_;        ///< of segments
  Scratch product_;        ///< spmm: partial rows, or the product before its row scale
  Scratch sums_;           ///< partial column sums
  Scratch probabilities_;  ///< sampled_softmax: [B x M]
  Scratch iota_;           ///< scatter_add_rows: 0, 1, 2, ...
  std::int64_t iota_size_ = 0;
  Scratch sort_;      ///< and its sorted ids, their positions, CUB's memory
  Scratch unfolded_;  ///< convolution: [S x width F]
  ConvolutionScratch convolution_;
  RankingMemory<Scratch> ranking_;  ///< topk and rank_counts
  std::unique_ptr<RankingOrder> ranking_order_;
};

}  // namespace penchant::kernels::cuda
