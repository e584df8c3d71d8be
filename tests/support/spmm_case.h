// SPDX-License-Identifier: Apache-2.0
// One product of a sparse matrix: what the test compares with the oracle and the benchmark times.
#pragma once

#include <cstdint>
#include <ostream>

#include "kernels/backend.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::support {

struct SpmmCase {
  std::int64_t rows = 0, cols = 0, width = 0, mean_row_size = 0;
  Values values = Values::present;
  float alpha = 1.0F, beta = 0.0F, gamma = 1.0F;
  bool has_row_scale = false, has_layer_sum = false, has_addend = false, has_bias = false;
  kernels::Activation activation = kernels::Activation::identity;
  Placement placement = Placement::aligned;
  std::uint64_t seed = 1;
};

inline std::ostream& operator<<(std::ostream& out, const SpmmCase& c) {
  return out << c.rows << " x " << c.cols << ", D " << c.width << ", row size " << c.mean_row_size
             << (c.values == Values::present ? ", values" : "") << ", alpha " << c.alpha
             << ", beta " << c.beta << (c.has_row_scale ? ", row_scale" : "")
             << (c.has_layer_sum ? ", layer_sum" : "") << ", gamma " << c.gamma
             << (c.placement == Placement::misaligned ? ", misaligned" : "") << ", seed " << c.seed
             << (c.has_addend ? ", addend" : "") << (c.has_bias ? ", bias" : "") << ", activation "
             << enum_name(c.activation);
}

}  // namespace penchant::support
