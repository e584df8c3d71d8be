// SPDX-License-Identifier: Apache-2.0
// The CPU backend: Highway SIMD chosen at run time, OpenMP outside, single-threaded sgemm calls on
// fixed tiles inside. Its methods are defined by idea in cpu/*.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace penchant::kernels {

class CpuBackend final : public Backend {
 public:
  /// num_threads 0: all cores. Sets the thread count of OpenMP for the process.
  explicit CpuBackend(int num_threads);

  Device device() const override { return Device::cpu; }
  std::string description() const override;

  void copy(ConstFloatView from, FloatView to) override;
  void copy(VectorView<const float> from, VectorView<float> to) override;
  void copy(IdView from, VectorView<graph::NodeId> to) override;
  void convert(ConstFloatView from, MatrixView<Bf16> to) override;
  void convert(MatrixView<const Bf16> from, FloatView to) override;
  void fill(FloatView y, float value) override;
  void sync() override {}

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
  /// Grown, never shrunk: steady training steps allocate nothing.
  FloatMatrix& scratch(FloatMatrix& matrix, std::int64_t rows, std::int64_t cols);

  struct IdPlace {
    graph::NodeId id, place;
  };
  void sort_places(IdView ids);
  /// First of sorted_places_ with an id not below.
  std::size_t first_place(graph::NodeId id) const;

  int num_threads_;
  FloatMatrix softmax_scores_, softmax_maxima_, softmax_users_, softmax_weights_;
  std::vector<IdPlace> sorted_places_;  ///< of sampled_softmax's negative ids
  FloatMatrix gemm_parts_;
  FloatMatrix row_sums_;
  FloatMatrix convolution_rows_;
  std::vector<std::int64_t> scatter_order_;
};

/// One single-threaded sgemm on row-major views; the building block of every tiled op. beta = 0
/// does not read c.
void gemm_tile(Transpose transpose_a, Transpose transpose_b, float alpha, ConstFloatView a,
               ConstFloatView b, float beta, FloatView c);

}  // namespace penchant::kernels
