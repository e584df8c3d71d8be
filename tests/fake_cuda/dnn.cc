// SPDX-License-Identifier: Apache-2.0
// The stand-in for cuDNN's handles, tensors, dropout (of nothing) and errors.
#include "tests/fake_cuda/dnn.h"

#include <cstring>

using penchant::fake_cuda::dnn_reason;
using penchant::fake_cuda::refuse_dnn;

extern "C" {

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM"
                                          : "CUDNN_STATUS_OF_THE_STAND_IN";
}

void cudnnGetLastErrorString(char* message, std::size_t size) {
  std::strncpy(message, dnn_reason().c_str(), size - 1);
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *tensor = new cudnnTensorStruct;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete tensor;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t tensor, cudnnDataType_t type,
                                         int num_dims, const int dims[], const int strides[]) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (type != CUDNN_DATA_FLOAT || num_dims < 3 || strides[num_dims - 1] != 1)
    return refuse_dnn(CUDNN_STATUS_BAD_PARAM, "tensors have 3 dimensions or more, without gaps");
  tensor->dims.assign(dims, dims + num_dims);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t* dropout) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  *dropout = new cudnnDropoutStruct;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t dropout) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  delete dropout;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t dropout, cudnnHandle_t /*handle*/,
                                        float rate, void* /*states*/, std::size_t /*bytes*/,
                                        unsigned long long /*seed*/) {
  PENCHANT_FAKE_ANSWER(cudnnStatus_t);
  if (rate != 0.0F) return refuse_dnn(CUDNN_STATUS_NOT_SUPPORTED, "the stand-in drops nothing");
  dropout->set = true;
  return CUDNN_STATUS_SUCCESS;
}

}  // extern "C"
