// SPDX-License-Identifier: Apache-2.0
// Convolutions over time as a sequence encoder. Equations: models/sequence_encoder.h.
#pragma once

#include "models/sequence_encoder.h"
#include "models/workspace.h"

namespace penchant::models {

class ConvolutionEncoder final : public SequenceEncoder {
 public:
  ConvolutionEncoder(const InterestOptions& options, std::int64_t input_dim, graph::Seed seed,
                     kernels::Backend& backend);
  std::int64_t output_dim() const override { return hidden_dim_; }
  void forward(kernels::Backend& backend, const SequenceBatch& batch, kernels::ConstFloatView x,
               const StepDropout& dropout, kernels::FloatView y) override;
  void backward(kernels::Backend& backend, const SequenceBatch& batch, kernels::ConstFloatView d_y,
                kernels::FloatView d_x) override;
  void visit_parameters(const ParameterVisitor& visit) override;

 private:
  struct Filters {
    std::int64_t width;   ///< events that a filter sees
    std::int64_t column;  ///< of their first output
    Parameter weight;     ///< [width F x its share of H]
    Parameter bias;       ///< [1 x its share of H]
  };
  /// Rows of the last kPoolingWindow events of each event, one window after another.
  void make_windows(const kernels::Segments& segments);

  std::int64_t input_dim_, hidden_dim_;
  std::vector<Filters> filters_;
  std::vector<std::int64_t> window_offsets_;  ///< [S + 1]
  std::vector<graph::NodeId> window_rows_;
  DeviceArray<graph::NodeId> device_window_rows_;
  kernels::IdView windows_;
  Workspace input_, convolved_, windowed_, d_windowed_, d_convolved_, d_input_;
  MatrixWorkspace<graph::NodeId> largest_;  ///< [S x H] window row of each maximum
};

}  // namespace penchant::models
