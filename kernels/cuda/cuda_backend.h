// SPDX-License-Identifier: Apache-2.0
// The CUDA backend: hand-written kernels (kernels/cuda/*.cuh), cuSPARSE, cuBLAS, cuSOLVER, cuDNN
// and CUB on one stream. Its methods are defined by idea in kernels/cuda/*.cc (library calls) and
// *.cu (kernels). Every op enqueues and returns; only sync(), copies to the host and
// symmetric_eigen wait. Scratch memory is grown by the first calls and kept, so that steady steps
// allocate nothing.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/handles.h"
#include "kernels/cuda/staging.h"

namespace penchant::kernels::cuda {

/// Of topk and rank_counts (topk.cu).
struct RankingScratch {
  explicit RankingScratch(cudaStream_t stream)
      : tile(stream), last_items(stream), excluded(stream), targets(stream), own(stream) {}
  Scratch tile;        ///< scores [queries x items]
  Scratch last_items;  ///< the last tile of items, filled up
  Scratch excluded;    ///< CSR of excluded items
  Scratch targets;     ///< and of targets
  Scratch own;         ///< the targets' scores
};

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options);
  ~CudaBackend() override;

  Device device() const override { return Device::cuda; }
  std::string description() const override { return description_; }

  void copy(ConstFloatView from, FloatView to) override;
  void copy(VectorView<const float> from, VectorView<float> to) override;
  void copy(IdView from, VectorView<graph::NodeId> to) override;
  void convert(ConstFloatView from, MatrixView<Bf16> to) override;
  void convert(MatrixView<const Bf16> from, FloatView to) override;
  void fill(FloatView y, float value) override;
  void sync() override;

  std::unique_ptr<SparseMatrix> sparse(const graph::CsrView& matrix) override;
  void spmm(const SparseMatrix& a, ConstFloatView x, FloatView y,
            const SpmmOptions& options) override;
  void spmm(const SparseMatrix& a, MatrixView<const Bf16> x, FloatView y,
            const SpmmOptions& options) override;

  void gemm(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
            ConstFloatView b, float beta, FloatView c) override;
  void symmetric_eigen(ConstFloatView a, VectorView<float> values, FloatView vectors) override;
  void axpby(float alpha, ConstFloatView x, float beta, FloatView y) override;
  void add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y) override;
  void add_column_sums(ConstFloatView x, VectorView<float> sums) override;
  void scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y) override;
  void add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots) override;
  void activation(Activation act, ConstFloatView x, FloatView y) override;
  void activation_backward(Activation act, ConstFloatView y, ConstFloatView d_y,
                           FloatView d_x) override;
  void normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms) override;
  void normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                               ConstFloatView d_y, FloatView d_x) override;

  std::unique_ptr<RecurrentState> recurrent_state(const RecurrentOptions& options) override;
  void recurrent_forward(RecurrentState& state, const PackedSequences& sequences, ConstFloatView x,
                         const RecurrentWeights& weights, FloatView h) override;
  void recurrent_backward(RecurrentState& state, const PackedSequences& sequences, ConstFloatView x,
                          const RecurrentWeights& weights, ConstFloatView h, ConstFloatView d_h,
                          FloatView d_x, const RecurrentGradients& gradients) override;
  void convolution_forward(const Segments& segments, std::int64_t width, ConstFloatView x,
                           ConstFloatView weight, VectorView<const float> bias,
                           FloatView y) override;
  void convolution_backward(const Segments& segments, std::int64_t width, ConstFloatView x,
                            ConstFloatView weight, ConstFloatView d_y, FloatView d_x,
                            FloatView d_weight, VectorView<float> d_bias) override;
  void segment_max(const Segments& segments, ConstFloatView x, FloatView y,
                   MatrixView<graph::NodeId> rows) override;
  void segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                            FloatView d_x) override;
  void running_sum(TimeOrder order, const Segments& segments, float decay, ConstFloatView x,
                   FloatView y) override;
  void dropout(const DropoutOptions& options, ConstFloatView x, FloatView y) override;
  void layer_norm(ConstFloatView x, VectorView<const float> gain, VectorView<const float> bias,
                  FloatView unit, VectorView<float> inverse_deviations, FloatView y) override;
  void layer_norm_backward(ConstFloatView unit, VectorView<const float> inverse_deviations,
                           VectorView<const float> gain, ConstFloatView d_y, FloatView d_x,
                           VectorView<float> d_gain, VectorView<float> d_bias) override;
  void multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta, FloatView z) override;

  void gather_rows(ConstFloatView table, IdView ids, FloatView y) override;
  void scatter_add_rows(float alpha, ConstFloatView x, IdView ids, FloatView table) override;

  void bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
           VectorView<float> losses, FloatView d_users, FloatView d_positives,
           FloatView d_negatives) override;
  void sampled_softmax(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                       const SampledSoftmaxOptions& options, VectorView<float> losses,
                       FloatView d_users, FloatView d_positives, FloatView d_negatives) override;
  void binary_cross_entropy(VectorView<const float> logits, VectorView<const float> labels,
                            VectorView<float> losses, VectorView<float> d_logits) override;
  void squared_error(VectorView<const float> x, VectorView<const float> targets,
                     VectorView<float> losses, VectorView<float> d_x) override;

  void adam_step(const AdamOptions& options, ConstFloatView gradient, FloatView parameter,
                 FloatView first_moment, FloatView second_moment) override;

  void topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
            MatrixView<graph::NodeId> ids, FloatView scores) override;
  void rank_counts(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                   const graph::CsrView& targets, VectorView<graph::NodeId> higher,
                   VectorView<graph::NodeId> equal) override;
  void topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                   MatrixView<graph::NodeId> ids, FloatView scores) override;
  void rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                          const graph::CsrView& targets, VectorView<graph::NodeId> higher,
                          VectorView<graph::NodeId> equal) override;

 protected:
  void* allocate_bytes(std::int64_t bytes) override;
  Release release() const override;

 private:
  template <typename T>
  void copy_matrix(MatrixView<const T> from, MatrixView<T> to);
  /// The library handles that only some programs need are made by the first call.
  cudnnHandle_t dnn();
  void spmm_cusparse(const SparseMatrix& a, ConstFloatView x, FloatView y,
                     const SpmmOptions& options);
  template <typename T>
  void spmm_own(const SparseMatrix& a, MatrixView<const T> x, FloatView y,
                const SpmmOptions& options);
  /// Device copy of the segments' offsets, valid until the next call.
  VectorView<const std::int64_t> upload(const Segments& segments);
  VectorView<float> column_sums_scratch(std::int64_t rows, std::int64_t cols);

  CudaOptions options_;
  std::string description_;
  // The stream comes before all that is ordered on it. It is a blocking one, so that memory given
  // back on the legacy default stream (release()) is given back behind its work.
  StreamHandle stream_;
  Staging staging_;
  Scratch blas_workspace_;
  BlasHandle blas_;
  SparseHandle sparse_;
  DnnHandle dnn_;
  // Scratch memory by use.
  Scratch offsets_;        ///< of segments
  Scratch product_;        ///< spmm: partial rows, or the product before its row scale
  Scratch sums_;           ///< partial column sums
  Scratch probabilities_;  ///< sampled_softmax: [B x M]
  Scratch iota_;           ///< scatter_add_rows: 0, 1, 2, ...
  std::int64_t iota_size_ = 0;
  Scratch sort_;            ///< and its sorted ids, their positions, CUB's memory
  Scratch unfolded_;        ///< convolution: [S x width F]
  RankingScratch ranking_;  ///< topk and rank_counts: tiles and lists
};

}  // namespace penchant::kernels::cuda
