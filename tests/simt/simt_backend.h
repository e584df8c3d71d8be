// SPDX-License-Identifier: Apache-2.0
// The kernels of kernels/cuda/ as a backend of the test suites, named "simt": every op runs its own
// kernels on the emulation, so that the op cases, oracles and tolerances of the CPU judge them.
// What the CUDA backend leaves to vendor libraries (products, eigenvectors, recurrence, sorting) is
// done on the host. Device memory is host memory of exactly the size asked for, which
// AddressSanitizer watches; scratch starts as NaN, so that a read before a write shows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cpu/cpu_backend.h"
#include "tests/simt/machine.h"

namespace penchant::simt {

using kernels::ConstFloatView;
using kernels::FloatView;
using kernels::IdView;
using kernels::MatrixView;
using kernels::VectorView;

class SimtBackend final : public kernels::Backend {
 public:
  explicit SimtBackend(Schedule schedule) : machine_(schedule), host_(1) {}

  kernels::Device device() const override { return kernels::Device::cuda; }
  std::string description() const override { return "SIMT emulation"; }

  void copy(ConstFloatView from, FloatView to) override;
  void copy(VectorView<const float> from, VectorView<float> to) override;
  void copy(IdView from, VectorView<graph::NodeId> to) override;
  void convert(ConstFloatView from, MatrixView<kernels::Bf16> to) override;
  void convert(MatrixView<const kernels::Bf16> from, FloatView to) override;
  void fill(FloatView y, float value) override;
  void sync() override {}

  std::unique_ptr<kernels::SparseMatrix> sparse(const graph::CsrView& matrix) override;
  void spmm(const kernels::SparseMatrix& a, ConstFloatView x, FloatView y,
            const kernels::SpmmOptions& options) override;
  void spmm(const kernels::SparseMatrix& a, MatrixView<const kernels::Bf16> x, FloatView y,
            const kernels::SpmmOptions& options) override;

  void gemm(kernels::Transpose transpose_a, kernels::Transpose transpose_b, float alpha,
            ConstFloatView a, ConstFloatView b, float beta, FloatView c) override;
  void symmetric_eigen(ConstFloatView a, VectorView<float> values, FloatView vectors) override;
  void axpby(float alpha, ConstFloatView x, float beta, FloatView y) override;
  void multiply(float alpha, ConstFloatView x, ConstFloatView y, float beta, FloatView z) override;
  void add_bias(ConstFloatView x, VectorView<const float> bias, FloatView y) override;
  void add_column_sums(ConstFloatView x, VectorView<float> sums) override;
  void scale_rows(ConstFloatView x, VectorView<const float> scale, FloatView y) override;
  void add_row_dots(ConstFloatView x, ConstFloatView y, VectorView<float> dots) override;
  void activation(kernels::Activation act, ConstFloatView x, FloatView y) override;
  void activation_backward(kernels::Activation act, ConstFloatView y, ConstFloatView d_y,
                           FloatView d_x) override;
  void normalize_rows(ConstFloatView x, FloatView y, VectorView<float> inverse_norms) override;
  void normalize_rows_backward(ConstFloatView y, VectorView<const float> inverse_norms,
                               ConstFloatView d_y, FloatView d_x) override;
  void dropout(const kernels::DropoutOptions& options, ConstFloatView x, FloatView y) override;
  void layer_norm(ConstFloatView x, VectorView<const float> gain, VectorView<const float> bias,
                  FloatView unit, VectorView<float> inverse_deviations, FloatView y) override;
  void layer_norm_backward(ConstFloatView unit, VectorView<const float> inverse_deviations,
                           VectorView<const float> gain, ConstFloatView d_y, FloatView d_x,
                           VectorView<float> d_gain, VectorView<float> d_bias) override;

  void gather_rows(ConstFloatView table, IdView ids, FloatView y) override;
  void scatter_add_rows(float alpha, ConstFloatView x, IdView ids, FloatView table) override;
  /// The opt-in variant of the CUDA backend; here its order is the schedule's.
  void scatter_add_rows_atomic(float alpha, ConstFloatView x, IdView ids, FloatView table);

  void bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
           VectorView<float> losses, FloatView d_users, FloatView d_positives,
           FloatView d_negatives) override;
  void sampled_softmax(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                       const kernels::SampledSoftmaxOptions& options, VectorView<float> losses,
                       FloatView d_users, FloatView d_positives, FloatView d_negatives) override;
  void binary_cross_entropy(VectorView<const float> logits, VectorView<const float> labels,
                            VectorView<float> losses, VectorView<float> d_logits) override;
  void squared_error(VectorView<const float> x, VectorView<const float> targets,
                     VectorView<float> losses, VectorView<float> d_x) override;
  void adam_step(const kernels::AdamOptions& options, ConstFloatView gradient, FloatView parameter,
                 FloatView first_moment, FloatView second_moment) override;

  std::unique_ptr<kernels::RecurrentState> recurrent_state(
      const kernels::RecurrentOptions& options) override;
  void recurrent_forward(kernels::RecurrentState& state, const kernels::PackedSequences& sequences,
                         ConstFloatView x, const kernels::RecurrentWeights& weights,
                         FloatView h) override;
  void recurrent_backward(kernels::RecurrentState& state, const kernels::PackedSequences& sequences,
                          ConstFloatView x, const kernels::RecurrentWeights& weights,
                          ConstFloatView h, ConstFloatView d_h, FloatView d_x,
                          const kernels::RecurrentGradients& gradients) override;
  void convolution_forward(const kernels::Segments& segments, std::int64_t width, ConstFloatView x,
                           ConstFloatView weight, VectorView<const float> bias,
                           FloatView y) override;
  void convolution_backward(const kernels::Segments& segments, std::int64_t width, ConstFloatView x,
                            ConstFloatView weight, ConstFloatView d_y, FloatView d_x,
                            FloatView d_weight, VectorView<float> d_bias) override;
  void segment_max(const kernels::Segments& segments, ConstFloatView x, FloatView y,
                   MatrixView<graph::NodeId> rows) override;
  void segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                            FloatView d_x) override;
  void running_sum(kernels::TimeOrder order, const kernels::Segments& segments, float decay,
                   ConstFloatView x, FloatView y) override;

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
  kernels::Release release() const override;

 private:
  /// Scratch of one call, all NaN; the vector owns it.
  static std::vector<float> scratch(std::int64_t size);
  static VectorView<float> view(std::vector<float>& memory);

  Machine machine_;
  kernels::CpuBackend host_;
};

}  // namespace penchant::simt
