// SPDX-License-Identifier: Apache-2.0
// Convolutions of one row of positions by cuDNN, nothing padded: y_hp = sum_(f, r) w_(h, f, r)
// x_(f, p + r). What puts sequences into such a row is convolution.cuh.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "kernels/cuda/handles.h"

namespace penchant::kernels::cuda {

struct RowConvolution {
  std::int64_t inputs = 0;     ///< F channels
  std::int64_t outputs = 0;    ///< H
  std::int64_t width = 0;      ///< taps
  std::int64_t positions = 0;  ///< P of the inputs
  /// Of the outputs.
  std::int64_t places() const { return positions - width + 1; }

  auto operator<=>(const RowConvolution&) const = default;
};

/// Descriptors are made by the first convolution of a shape and kept. All arrays lie in device
/// memory without gaps: x, d_x [F x P], filter, d_filter [H x F x width], y, d_y [H x places].
class RowConvolutions {
 public:
  RowConvolutions(cudnnHandle_t dnn, const SharedStream& stream, bool tf32);
  void forward(const RowConvolution& shape, const float* x, const float* filter, float* y);
  void backward(const RowConvolution& shape, const float* x, const float* filter, const float* d_y,
                float* d_x, float* d_filter);

 private:
  struct Plan {
    TensorDescriptor x;
    TensorDescriptor y;
    FilterDescriptor filter;
    ConvolutionDescriptor convolution;
    std::size_t forward_bytes = 0;
    std::size_t data_bytes = 0;
    std::size_t filter_bytes = 0;
  };
  const Plan& plan(const RowConvolution& shape);

  cudnnHandle_t dnn_;
  bool tf32_;
  Scratch workspace_;
  std::map<RowConvolution, Plan> plans_;
};

}  // namespace penchant::kernels::cuda
