// SPDX-License-Identifier: Apache-2.0
// What a training step does with all parameters of a model or encoder: anything with
// visit_parameters (parameter.h).
#pragma once

#include <utility>

#include "kernels/backend.h"
#include "models/parameter.h"

namespace penchant::models {

template <typename Model>
void clear_gradients(Model& model, kernels::Backend& backend) {
  model.visit_parameters(
      [&](Parameter& parameter) { backend.fill(parameter.gradient.view(), 0.0F); });
}

template <typename Model>
void adam_steps(Model& model, const kernels::AdamOptions& options, kernels::Backend& backend) {
  model.visit_parameters([&](Parameter& parameter) {
    backend.adam_step(options, parameter.gradient.view(), parameter.value.view(),
                      parameter.first_moment.view(), parameter.second_moment.view());
  });
}

/// Adds the values after step t = 1, 2, ... to their average sum_s s value_s / sum_s s, which reaches
/// back about a third of the way (Shamir and Zhang 2013, "Stochastic gradient descent for non-smooth
/// optimization", section 4: polynomial-decay averaging, eta = 1).
template <typename Model>
void average_parameters(Model& model, std::int64_t step, kernels::Backend& backend) {
  const float share = 2.0F / static_cast<float>(step + 1);
  model.visit_parameters([&](Parameter& parameter) {
    const kernels::FloatMatrix& value = parameter.value;
    const bool begins = parameter.average.rows() == 0;
    if (begins) parameter.average = backend.matrix<float>(value.rows(), value.cols());
    const float added = begins ? 1.0F : share;
    backend.axpby(added, value.view(), 1.0F - added, parameter.average.view());
  });
}

/// Exchanges all values with their averages.
template <typename Model>
void swap_averages(Model& model) {
  model.visit_parameters(
      [](Parameter& parameter) { std::swap(parameter.value, parameter.average); });
}

}  // namespace penchant::models
