// SPDX-License-Identifier: Apache-2.0
// Convolution by cuDNN without cuDNN: the kernels that lay sequences into one row and back around
// plain loops of what cuDNN's manual says its convolutions compute.
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/convolution.cuh"
#include "tests/oracle/sequence.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"

namespace penchant::kernels::cuda {
namespace {

using oracle::Offsets;
using support::Dense;

/// A matrix in the emulation's device memory, exactly as large as it must be; NaN at first.
class Rows2d {
 public:
  Rows2d(std::int64_t rows, std::int64_t cols)
      : rows_(rows),
        cols_(cols),
        values_(static_cast<std::size_t>(rows * cols), std::numeric_limits<float>::quiet_NaN()) {}
  explicit Rows2d(const Dense& from) : Rows2d(from.rows, from.cols) {
    values_.assign(from.values.begin(), from.values.end());
  }
  FloatView view() { return {values_.data(), rows_, cols_, cols_, Device::cuda}; }
  float* data() { return values_.data(); }
  float& at(std::int64_t i, std::int64_t j) {
    return values_[static_cast<std::size_t>(i * cols_ + j)];
  }
  Dense dense() const { return {rows_, cols_, {values_.begin(), values_.end()}}; }

 private:
  std::int64_t rows_, cols_;
  std::vector<float> values_;
};

struct RowCase {
  std::vector<std::int64_t> lengths;
  std::int64_t width, inputs, outputs;
  std::int64_t spare = 0;  ///< positions behind the last sequence
};
const RowCase kCases[] = {
    {{1}, 1, 1, 1},
    {{4}, 3, 2, 1},
    {{0, 2, 0, 5, 1, 0}, 4, 7, 8, 3},
    {{9, 3, 12}, 2, 8, 9, 40},
    {{1, 1, 1, 1}, 5, 3, 16, 1},
    {{0, 0, 31, 2}, 1, 5, 33, 7},
    {{70, 0, 11, 33}, 3, 35, 40, 29},
};

class ConvolutionRows : public testing::TestWithParam<simt::Schedule> {};
INSTANTIATE_TEST_SUITE_P(Order, ConvolutionRows,
                         testing::Values(simt::Schedule::ascending, simt::Schedule::descending),
                         [](const testing::TestParamInfo<simt::Schedule>& schedule) {
                           return schedule.param == simt::Schedule::ascending ? "ascending"
                                                                              : "descending";
                         });

TEST_P(ConvolutionRows, AgreeWithTheOracleAroundPlainLoops) {
  for (const RowCase& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.lengths.size() << " sequences, width " << c.width << ", F "
                                    << c.inputs << ", H " << c.outputs);
    const Offsets offsets = oracle::offsets_of(c.lengths);
    const auto batch = static_cast<std::int64_t>(c.lengths.size());
    const std::int64_t rows = offsets.back();
    const Dense x = support::random_dense(rows, c.inputs, 1);
    const Dense weight = support::random_dense(c.width * c.inputs, c.outputs, 2);
    const Dense bias = support::random_dense(1, c.outputs, 3);
    const Dense d_y = support::random_dense(rows, c.outputs, 4);
    const Dense d_weight0 = support::random_dense(c.width * c.inputs, c.outputs, 5);
    simt::Machine machine(GetParam());
    const DeviceSegments segments{offsets.data(), batch};
    const std::int64_t positions = spread_size(rows, batch, c.width) + c.spare;
    const std::int64_t places = positions - c.width + 1;

    Rows2d table(x), weights(weight), biases(bias), gradient(d_y);
    Rows2d inputs(c.inputs, positions), filter(c.outputs, c.inputs * c.width);
    Rows2d outputs(c.outputs, places), y(rows, c.outputs);
    spread(segments, c.width, c.width - 1, table.view(), inputs.view(), &machine);
    to_filter(c.width, weights.view(), filter.data(), &machine);
    for (std::int64_t h = 0; h < c.outputs; ++h) {
      for (std::int64_t p = 0; p < places; ++p) {
        double sum = 0.0;
        for (std::int64_t f = 0; f < c.inputs; ++f) {
          for (std::int64_t r = 0; r < c.width; ++r)
            sum += static_cast<double>(filter.at(h, f * c.width + r)) *
                   static_cast<double>(inputs.at(f, p + r));
        }
        outputs.at(h, p) = static_cast<float>(sum);
      }
    }
    const VectorView<const float> added(biases.data(), c.outputs, Device::cuda);
    collect(segments, c.width, 0, outputs.view(), added, y.view(), &machine);
    EXPECT_TRUE(agrees(y.dense(), oracle::convolution(offsets, c.width, x, weight, bias), 4.0,
                       {"simt", 1}));

    Rows2d d_outputs(c.outputs, places), d_inputs(c.inputs, positions), d_x(rows, c.inputs);
    Rows2d d_filter(c.outputs, c.inputs * c.width), d_weight(d_weight0);
    spread(segments, c.width, 0, gradient.view(), d_outputs.view(), &machine);
    for (std::int64_t f = 0; f < c.inputs; ++f) {
      for (std::int64_t p = 0; p < positions; ++p) {
        double sum = 0.0;
        for (std::int64_t h = 0; h < c.outputs; ++h) {
          for (std::int64_t r = 0; r < c.width; ++r) {
            if (p - r >= 0 && p - r < places)
              sum += static_cast<double>(filter.at(h, f * c.width + r)) *
                     static_cast<double>(d_outputs.at(h, p - r));
          }
        }
        d_inputs.at(f, p) = static_cast<float>(sum);
      }
    }
    for (std::int64_t h = 0; h < c.outputs; ++h) {
      for (std::int64_t j = 0; j < c.inputs * c.width; ++j) {
        double sum = 0.0;
        for (std::int64_t p = 0; p < places; ++p)
          sum += static_cast<double>(inputs.at(j / c.width, p + j % c.width)) *
                 static_cast<double>(d_outputs.at(h, p));
        d_filter.at(h, j) = static_cast<float>(sum);
      }
    }
    collect(segments, c.width, c.width - 1, d_inputs.view(), {}, d_x.view(), &machine);
    add_filter(c.width, d_filter.data(), d_weight.view(), &machine);
    const auto want = oracle::convolution_backward(offsets, c.width, x, weight, d_y, d_weight0,
                                                   Dense(1, c.outputs));
    EXPECT_TRUE(agrees(d_x.dense(), want.d_x, 4.0, {"simt", 1})) << "d_x";
    EXPECT_TRUE(agrees(d_weight.dense(), want.d_weight, 4.0, {"simt", 1})) << "d_weight";
  }
}

}  // namespace
}  // namespace penchant::kernels::cuda
