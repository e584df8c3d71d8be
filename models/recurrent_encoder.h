// SPDX-License-Identifier: Apache-2.0
// RNN and LSTM as sequence encoders. Equations and gate order (i, f, g, o; one bias):
// kernels/backend.h.
#pragma once

#include <string>

#include "models/sequence_encoder.h"
#include "models/workspace.h"

namespace penchant::models {

/// First dropout site between the layers (StepDropout::at).
inline constexpr std::uint64_t kLayerSite = 8;

struct RecurrentLayer {
  kernels::RecurrentOptions options;
  Parameter input;   ///< W_x [F x G]
  Parameter hidden;  ///< W_h [H x G]
  Parameter bias;    ///< b [1 x G]
  std::unique_ptr<kernels::RecurrentState> state;

  RecurrentLayer(const std::string& name, const kernels::RecurrentOptions& shape,
                 kernels::Backend& backend);
  kernels::RecurrentWeights weights() {
    return {input.value.view(), hidden.value.view(), bias.value_vector()};
  }
  kernels::RecurrentGradients gradients() {
    return {input.gradient.view(), hidden.gradient.view(), bias.gradient_vector()};
  }
};

class RecurrentEncoder final : public SequenceEncoder {
 public:
  RecurrentEncoder(const InterestOptions& options, std::int64_t input_dim, graph::Seed seed,
                   kernels::Backend& backend);
  std::int64_t output_dim() const override { return hidden_dim_; }
  void forward(kernels::Backend& backend, const SequenceBatch& batch, kernels::ConstFloatView x,
               const StepDropout& dropout, kernels::FloatView y) override;
  void backward(kernels::Backend& backend, const SequenceBatch& batch, kernels::ConstFloatView d_y,
                kernels::FloatView d_x) override;
  void visit_parameters(const ParameterVisitor& visit) override;
  void infer(kernels::Backend& backend, const SequenceBatch& batch, kernels::ConstFloatView x,
             kernels::FloatView y) override;
  void widen_ranges(kernels::Backend& backend,
                    std::vector<kernels::RecurrentRanges>& ranges) override;
  void quantize(kernels::Backend& backend,
                std::span<const kernels::RecurrentRanges> ranges) override;

 private:
  std::int64_t hidden_dim_;
  std::vector<RecurrentLayer> layers_;
  std::vector<kernels::QuantizedRecurrent> quantized_;  ///< the layers; empty: not quantised
  std::int64_t last_rows_ = 0;                          ///< of the last forward
  StepDropout dropout_;                                 ///< of the last forward
  std::vector<Workspace> inputs_;                       ///< of each layer, packed [S x F or H]
  std::vector<Workspace> outputs_;                      ///< of each layer, packed [S x H]
  Workspace d_output_, d_hidden_input_, d_input_;
};

}  // namespace penchant::models
