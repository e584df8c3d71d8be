// SPDX-License-Identifier: Apache-2.0
#include "models/optimiser.h"

#include <cmath>

#include <gtest/gtest.h>

namespace penchant::models {
namespace {

/// One parameter of two numbers.
struct TwoNumbers {
  Parameter parameter;
  explicit TwoNumbers(kernels::Backend& backend) : parameter("two", 1, 2, backend) {}
  void visit_parameters(const ParameterVisitor& visit) { visit(parameter); }
};

TEST(AverageParameters, LaterStepsWeighMore) {
  const auto backend = kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  TwoNumbers model(*backend);
  double sum[2] = {0.0, 0.0};
  double weights = 0.0;
  for (std::int64_t step = 1; step <= 50; ++step) {
    const double values[2] = {std::sin(0.3 * static_cast<double>(step)),
                              1.0 / static_cast<double>(step)};
    for (std::int64_t k = 0; k < 2; ++k) {
      model.parameter.value.view()(0, k) = static_cast<float>(values[k]);
      sum[k] += static_cast<double>(step) * values[k];
    }
    weights += static_cast<double>(step);
    average_parameters(model, step, *backend);
    for (std::int64_t k = 0; k < 2; ++k)
      EXPECT_NEAR(model.parameter.average.view()(0, k), sum[k] / weights, 1e-5) << step;
  }
  const float value = model.parameter.value.view()(0, 0);
  const float average = model.parameter.average.view()(0, 0);
  swap_averages(model);
  EXPECT_EQ(model.parameter.value.view()(0, 0), average);
  EXPECT_EQ(model.parameter.average.view()(0, 0), value);
}

}  // namespace
}  // namespace penchant::models
