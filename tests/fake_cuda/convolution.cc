// SPDX-License-Identifier: Apache-2.0
// The stand-in for cuDNN's convolutions of one row of positions: batch and height 1, no padding,
// step 1, tensors [C x P], filters [H x C x width], without gaps.
#include <cstring>
#include <utility>

#include "tests/fake_cuda/dnn.h"

using penchant::fake_cuda::enqueue_dnn;
using penchant::fake_cuda::Operation;
using penchant::fake_cuda::refuse_dnn;
using penchant::fake_cuda::span;

struct cudnnConvolutionStruct {
  bool plain = false;
};

namespace {

constexpr std::size_t kWorkspaceBytes = 777;

struct Shape {
  std::int64_t inputs, positions, outputs, width;

  std::int64_t places() const { return positions - width + 1; }
};

/// visit(output, input, tap, place)
template <typename Visit>
void for_each_term(const Shape& s, Visit visit) {
  for (std::int64_t h = 0; h < s.outputs; ++h) {
    for (std::int64_t f = 0; f < s.inputs; ++f) {
      for (std::int64_t r = 0; r < s.width; ++r) {
        for (std::int64_t p = 0; p < s.places(); ++p)
          visit(h * s.places() + p, f * s.positions + p + r, (h * s.inputs + f) * s.width + r);
      }
    }
  }
}

bool fits(const cudnnTensorStruct& x, const cudnnFilterStruct& w, const cudnnTensorStruct& y) {
  return x.dims.size() == 4 && y.dims.size() == 4 && w.dims.size() == 4 && x.dims[1] == w.dims[1] &&
         y.dims[1] == w.dims[0] && y.dims[3] == x.dims[3] - w.dims[3] + 1 && y.dims[3] > 0;
}

cudnnStatus_t size_of(const cudnnTensorStruct& x, const cudnnFilterStruct& w,
                      const cudnnTensorStruct& y, std::size_t* bytes) {
  if (!fits(x, w, y)) return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "tensors and filter do not fit");
  *bytes = kWorkspaceBytes;
  return CUDNN_STATUS_SUCCESS;
}

/// `sums` get by_sum times sum of products of two of the three arrays, chosen by `visit`.
template <typename Terms>
cudnnStatus_t enqueue(cudnnHandle_t handle, const char* name, const cudnnTensorStruct& x,
                      const cudnnFilterStruct& w, const cudnnTensorStruct& y, const void* x_data,
                      const void* w_data, const void* y_data,
                      const cudnnConvolutionStruct& convolution, void* workspace,
                      std::size_t workspace_bytes, const void* alpha, const void* beta, float* sums,
                      std::int64_t size, Terms terms) {
  if (!fits(x, w, y) || !convolution.plain || workspace_bytes < kWorkspaceBytes)
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "tensors, filter and workspace do not fit");
  Operation operation;
  operation.name = name;
  operation.operands = {span(static_cast<const float*>(x_data), x.size()),
                        span(static_cast<const float*>(w_data), w.size()),
                        span(static_cast<const float*>(y_data), y.size()),
                        {workspace, workspace_bytes}};
  const Shape shape{x.dims[1], x.dims[3], w.dims[0], w.dims[3]};
  operation.run = [=, by_sum = *static_cast<const float*>(alpha),
                   by_before = *static_cast<const float*>(beta)] {
    std::memset(workspace, 0xFF, workspace_bytes);
    std::vector<double> exact(static_cast<std::size_t>(size), 0.0);
    terms(shape, exact);
    for (std::int64_t k = 0; k < size; ++k) {
      const float product = by_sum * static_cast<float>(exact[static_cast<std::size_t>(k)]);
      sums[k] = by_before == 0.0F ? product : product + by_before * sums[k];
    }
  };
  return enqueue_dnn(handle, std::move(operation));
}

double product(const void* a, std::int64_t i, const void* b, std::int64_t j) {
  return static_cast<double>(static_cast<const float*>(a)[i]) *
         static_cast<double>(static_cast<const float*>(b)[j]);
}

}  // namespace

extern "C" {

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (format != CUDNN_TENSOR_NCHW || type != CUDNN_DATA_FLOAT || n != 1 || h != 1)
    return refuse_dnn(CUDNN_STATUS_NOT_SUPPORTED, "the stand-in convolves one row");
  tensor->dims = {n, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *filter = new cudnnFilterStruct;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete filter;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (format != CUDNN_TENSOR_NCHW || type != CUDNN_DATA_FLOAT || h != 1)
    return refuse_dnn(CUDNN_STATUS_NOT_SUPPORTED, "the stand-in convolves one row");
  filter->dims = {k, c, h, w};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* convolution) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *convolution = new cudnnConvolutionStruct;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete convolution;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h,
                                              int pad_w, int step_h, int step_w, int dilation_h,
                                              int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t type) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  convolution->plain = pad_h == 0 && pad_w == 0 && step_h == 1 && step_w == 1 && dilation_h == 1 &&
                       dilation_w == 1 && mode == CUDNN_CROSS_CORRELATION &&
                       type == CUDNN_DATA_FLOAT;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t /*convolution*/,
                                          cudnnMathType_t /*math*/) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(
    cudnnHandle_t /*handle*/, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
    cudnnConvolutionDescriptor_t /*convolution*/, cudnnTensorDescriptor_t y,
    cudnnConvolutionFwdAlgo_t /*algorithm*/, std::size_t* bytes) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return size_of(*x, *w, *y, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t /*handle*/, cudnnFilterDescriptor_t w, cudnnTensorDescriptor_t y,
    cudnnConvolutionDescriptor_t /*convolution*/, cudnnTensorDescriptor_t x,
    cudnnConvolutionBwdDataAlgo_t /*algorithm*/, std::size_t* bytes) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return size_of(*x, *w, *y, bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t /*handle*/, cudnnTensorDescriptor_t x, cudnnTensorDescriptor_t y,
    cudnnConvolutionDescriptor_t /*convolution*/, cudnnFilterDescriptor_t w,
    cudnnConvolutionBwdFilterAlgo_t /*algorithm*/, std::size_t* bytes) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return size_of(*x, *w, *y, bytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      cudnnTensorDescriptor_t x, const void* x_data,
                                      cudnnFilterDescriptor_t w, const void* w_data,
                                      cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t /*algorithm*/, void* workspace,
                                      std::size_t workspace_bytes, const void* beta,
                                      cudnnTensorDescriptor_t y, void* y_data) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return enqueue(handle, __func__, *x, *w, *y, x_data, w_data, y_data, *convolution, workspace,
                 workspace_bytes, alpha, beta, static_cast<float*>(y_data), y->size(),
                 [=](const Shape& shape, std::vector<double>& sums) {
                   for_each_term(shape, [&](std::int64_t out, std::int64_t in, std::int64_t tap) {
                     sums[static_cast<std::size_t>(out)] += product(x_data, in, w_data, tap);
                   });
                 });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t w, const void* w_data,
                                           cudnnTensorDescriptor_t y, const void* d_y,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t /*algorithm*/,
                                           void* workspace, std::size_t workspace_bytes,
                                           const void* beta, cudnnTensorDescriptor_t x, void* d_x) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return enqueue(handle, __func__, *x, *w, *y, d_x, w_data, d_y, *convolution, workspace,
                 workspace_bytes, alpha, beta, static_cast<float*>(d_x), x->size(),
                 [=](const Shape& shape, std::vector<double>& sums) {
                   for_each_term(shape, [&](std::int64_t out, std::int64_t in, std::int64_t tap) {
                     sums[static_cast<std::size_t>(in)] += product(d_y, out, w_data, tap);
                   });
                 });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(
    cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t x, const void* x_data,
    cudnnTensorDescriptor_t y, const void* d_y, cudnnConvolutionDescriptor_t convolution,
    cudnnConvolutionBwdFilterAlgo_t /*algorithm*/, void* workspace, std::size_t workspace_bytes,
    const void* beta, cudnnFilterDescriptor_t w, void* d_w) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  return enqueue(handle, __func__, *x, *w, *y, x_data, d_w, d_y, *convolution, workspace,
                 workspace_bytes, alpha, beta, static_cast<float*>(d_w), w->size(),
                 [=](const Shape& shape, std::vector<double>& sums) {
                   for_each_term(shape, [&](std::int64_t out, std::int64_t in, std::int64_t tap) {
                     sums[static_cast<std::size_t>(tap)] += product(d_y, out, x_data, in);
                   });
                 });
}

}  // extern "C"
