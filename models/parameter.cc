// SPDX-License-Identifier: Apache-2.0
#include "models/parameter.h"

namespace penchant::models {

Parameter::Parameter(std::string parameter_name, std::int64_t rows, std::int64_t cols,
                     kernels::Backend& backend)
    : name(std::move(parameter_name)),
      value(backend.matrix<float>(rows, cols)),
      gradient(backend.matrix<float>(rows, cols)),
      first_moment(backend.matrix<float>(rows, cols)),
      second_moment(backend.matrix<float>(rows, cols)) {}

}  // namespace penchant::models
