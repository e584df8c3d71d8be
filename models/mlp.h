// SPDX-License-Identifier: Apache-2.0
// A multi-layer perceptron: hidden layers relu(norm(x W + b)) with dropout behind each, a linear
// last layer. norm is layer normalisation (Ba et al. 2016) or nothing.
#pragma once

#include <string>
#include <vector>

#include "models/sequence_encoder.h"
#include "models/workspace.h"

namespace penchant::models {

/// y = x W + b, and for hidden layers what follows it.
struct DenseLayer {
  Parameter weight;             ///< W [F x H]
  Parameter bias;               ///< b [1 x H]
  std::vector<Parameter> norm;  ///< gain and bias of the normalisation [1 x H] each, or empty

  struct Cache {
    Workspace output;                       ///< behind relu [B x H]
    Workspace dropped;                      ///< behind dropout [B x H]: the next layer's input
    Workspace unit;                         ///< normalised, before gain and bias [B x H]
    DeviceArray<float> inverse_deviations;  ///< [B]
    Workspace d_output;                     ///< dLoss/d(x W + b) [B x H]
  };
  Cache cache;
};

class Mlp {
 public:
  /// dims: F, hidden widths ..., H. `first_site` numbers its dropouts. Throws InputError for widths
  /// below 1.
  Mlp(const std::string& name, std::span<const std::int64_t> dims, bool layer_norm,
      std::uint64_t first_site, graph::Seed seed, std::uint64_t substream,
      kernels::Backend& backend);
  std::int64_t output_dim() const { return layers_.back().weight.value.cols(); }
  /// x [B x F], y [B x H].
  void forward(kernels::Backend& backend, kernels::ConstFloatView x, const StepDropout& dropout,
               kernels::FloatView y);
  /// For the x and the dropout of the last forward: d_x [B x F] is overwritten, parameter gradients
  /// accumulate.
  void backward(kernels::Backend& backend, kernels::ConstFloatView x, kernels::ConstFloatView d_y,
                kernels::FloatView d_x);
  void visit_parameters(const ParameterVisitor& visit);

 private:
  std::vector<DenseLayer> layers_;
  std::uint64_t first_site_;
  StepDropout dropout_;
};

}  // namespace penchant::models
