// SPDX-License-Identifier: Apache-2.0
// The losses of the CUDA backend: checks, then the launchers of loss.cuh.
#include "kernels/cuda/loss.cuh"

#include "kernels/cuda/cuda_backend.h"
#include "kernels/operands.h"

namespace penchant::kernels::cuda {

void CudaBackend::bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                      VectorView<float> losses, FloatView d_users, FloatView d_positives,
                      FloatView d_negatives) {
  check_bpr(Device::cuda, users, positives, negatives, losses, d_users, d_positives, d_negatives);
  cuda::bpr(users, positives, negatives, losses, d_users, d_positives, d_negatives, stream_.get());
}

void CudaBackend::sampled_softmax(ConstFloatView users, ConstFloatView positives,
                                  ConstFloatView negatives, const SampledSoftmaxOptions& options,
                                  VectorView<float> losses, FloatView d_users,
                                  FloatView d_positives, FloatView d_negatives) {
  check_sampled_softmax(Device::cuda, users, positives, negatives, options, losses, d_users,
                        d_positives, d_negatives);
  cuda::sampled_softmax(*this, probabilities_, users, positives, negatives, options, losses,
                        d_users, d_positives, d_negatives, stream_.get());
}

void CudaBackend::binary_cross_entropy(VectorView<const float> logits,
                                       VectorView<const float> labels, VectorView<float> losses,
                                       VectorView<float> d_logits) {
  check_pointwise(Device::cuda, "binary_cross_entropy", "logits", logits, "labels", labels, losses,
                  d_logits);
  cuda::binary_cross_entropy(logits, labels, losses, d_logits, stream_.get());
}

void CudaBackend::squared_error(VectorView<const float> x, VectorView<const float> targets,
                                VectorView<float> losses, VectorView<float> d_x) {
  check_pointwise(Device::cuda, "squared_error", "x", x, "targets", targets, losses, d_x);
  cuda::squared_error(x, targets, losses, d_x, stream_.get());
}

}  // namespace penchant::kernels::cuda
