// SPDX-License-Identifier: Apache-2.0
// A trainable matrix with everything that belongs to it. Vectors (biases, node weights) are
// matrices of one row.
#pragma once

#include <functional>
#include <string>

#include "kernels/backend.h"

namespace penchant::models {

struct Parameter {
  std::string name;
  kernels::FloatMatrix value;
  kernels::FloatMatrix
      gradient;  ///< accumulates over backward calls; the optimiser's caller clears it
  kernels::FloatMatrix first_moment;  ///< of Adam
  kernels::FloatMatrix second_moment;
  kernels::FloatMatrix average;  ///< of the values so far (average_parameters), or no rows

  Parameter(std::string parameter_name, std::int64_t rows, std::int64_t cols,
            kernels::Backend& backend);
  kernels::VectorView<float> value_vector() {
    return {value.view().data, value.cols(), value.device()};
  }
  kernels::VectorView<const float> value_vector() const {
    return {value.view().data, value.cols(), value.device()};
  }
  kernels::VectorView<float> gradient_vector() {
    return {gradient.view().data, gradient.cols(), gradient.device()};
  }
};

using ParameterVisitor = std::function<void(Parameter&)>;

}  // namespace penchant::models
