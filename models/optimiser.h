// SPDX-License-Identifier: Apache-2.0
// What a training step does with all parameters of a model or encoder: anything with
// visit_parameters (parameter.h).
#pragma once

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

}  // namespace penchant::models
