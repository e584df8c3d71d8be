// SPDX-License-Identifier: Apache-2.0
// cuDNN's algorithms are fixed: those that sum products as they stand (no Winograd, no Fourier
// transform, whose errors are larger than the tests' tolerances) and give the same bits in every
// run (cudnn_ops.h marks the others).
#include "kernels/cuda/dnn_convolution.h"

#include <limits>
#include <string>

#include "graph/ids.h"
#include "kernels/cuda/check.h"

namespace penchant::kernels::cuda {

namespace {

constexpr cudnnConvolutionFwdAlgo_t kForward = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr cudnnConvolutionBwdDataAlgo_t kData = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;
constexpr cudnnConvolutionBwdFilterAlgo_t kFilter = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
constexpr float kOne = 1.0F;
constexpr float kZero = 0.0F;
/// As kMostPlans of gemm.cc.
constexpr std::size_t kMostPlans = 1024;

TensorDescriptor row_of_positions(std::int64_t channels, std::int64_t positions) {
  if (channels > std::numeric_limits<std::int32_t>::max() / positions)
    refuse("convolution", "cuDNN takes fewer than 2^31 elements, a row of " +
                              std::to_string(positions) + " positions has " +
                              std::to_string(channels) + " channels");
  TensorDescriptor tensor;
  check(cudnnCreateTensorDescriptor(tensor.receive()));
  check(cudnnSetTensor4dDescriptor(tensor.get(), CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1,
                                   static_cast<int>(channels), 1, static_cast<int>(positions)));
  return tensor;
}

std::int64_t bytes(std::size_t count) { return static_cast<std::int64_t>(count); }

}  // namespace

RowConvolutions::RowConvolutions(cudnnHandle_t dnn, const SharedStream& stream, bool tf32)
    : dnn_(dnn), tf32_(tf32), workspace_(stream) {}

const RowConvolutions::Plan& RowConvolutions::plan(const RowConvolution& shape) {
  if (const auto known = plans_.find(shape); known != plans_.end()) return known->second;
  if (plans_.size() >= kMostPlans) plans_.clear();
  Plan made;
  made.x = row_of_positions(shape.inputs, shape.positions);
  made.y = row_of_positions(shape.outputs, shape.places());
  check(cudnnCreateFilterDescriptor(made.filter.receive()));
  check(cudnnSetFilter4dDescriptor(made.filter.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW,
                                   static_cast<int>(shape.outputs), static_cast<int>(shape.inputs),
                                   1, graph::checked_cast<std::int32_t>(shape.width)));
  check(cudnnCreateConvolutionDescriptor(made.convolution.receive()));
  check(cudnnSetConvolution2dDescriptor(made.convolution.get(), 0, 0, 1, 1, 1, 1,
                                        CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
  check(cudnnSetConvolutionMathType(made.convolution.get(),
                                    tf32_ ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH));
  check(cudnnGetConvolutionForwardWorkspaceSize(dnn_, made.x.get(), made.filter.get(),
                                                made.convolution.get(), made.y.get(), kForward,
                                                &made.forward_bytes));
  check(cudnnGetConvolutionBackwardDataWorkspaceSize(dnn_, made.filter.get(), made.y.get(),
                                                     made.convolution.get(), made.x.get(), kData,
                                                     &made.data_bytes));
  check(cudnnGetConvolutionBackwardFilterWorkspaceSize(dnn_, made.x.get(), made.y.get(),
                                                       made.convolution.get(), made.filter.get(),
                                                       kFilter, &made.filter_bytes));
  return plans_.emplace(shape, std::move(made)).first->second;
}

void RowConvolutions::forward(const RowConvolution& shape, const float* x, const float* filter,
                              float* y) {
  const Plan& p = plan(shape);
  check(cudnnConvolutionForward(
      dnn_, &kOne, p.x.get(), x, p.filter.get(), filter, p.convolution.get(), kForward,
      workspace_.reserve<char>(bytes(p.forward_bytes)), p.forward_bytes, &kZero, p.y.get(), y));
}

void RowConvolutions::backward(const RowConvolution& shape, const float* x, const float* filter,
                               const float* d_y, float* d_x, float* d_filter) {
  const Plan& p = plan(shape);
  check(cudnnConvolutionBackwardFilter(dnn_, &kOne, p.x.get(), x, p.y.get(), d_y,
                                       p.convolution.get(), kFilter,
                                       workspace_.reserve<char>(bytes(p.filter_bytes)),
                                       p.filter_bytes, &kZero, p.filter.get(), d_filter));
  check(cudnnConvolutionBackwardData(
      dnn_, &kOne, p.filter.get(), filter, p.y.get(), d_y, p.convolution.get(), kData,
      workspace_.reserve<char>(bytes(p.data_bytes)), p.data_bytes, &kZero, p.x.get(), d_x));
}

}  // namespace penchant::kernels::cuda
