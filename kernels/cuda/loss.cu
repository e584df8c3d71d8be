// SPDX-License-Identifier: Apache-2.0
// The losses of the CUDA backend: checks, then the launchers of loss.cuh and elementwise.cuh;
// sampled softmax is three products of gemm() around its kernel.
#include "kernels/cuda/loss.cuh"

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/elementwise.cuh"

namespace penchant::kernels::cuda {

void CudaBackend::bpr(ConstFloatView users, ConstFloatView positives, ConstFloatView negatives,
                      VectorView<float> losses, FloatView d_users, FloatView d_positives,
                      FloatView d_negatives) {
  require_device("bpr", "users", users);
  require_shape("bpr", "positives", positives, users.rows, users.cols);
  require_shape("bpr", "negatives", negatives, users.rows, users.cols);
  require_shape("bpr", "d_users", d_users, users.rows, users.cols);
  require_shape("bpr", "d_positives", d_positives, users.rows, users.cols);
  require_shape("bpr", "d_negatives", d_negatives, users.rows, users.cols);
  require_size("bpr", "losses", losses, users.rows);
  cuda::bpr(users, positives, negatives, losses, d_users, d_positives, d_negatives, stream_.get());
}

void CudaBackend::sampled_softmax(ConstFloatView users, ConstFloatView positives,
                                  ConstFloatView negatives, const SampledSoftmaxOptions& options,
                                  VectorView<float> losses, FloatView d_users,
                                  FloatView d_positives, FloatView d_negatives) {
  const std::int64_t batch = users.rows;
  const std::int64_t width = users.cols;
  const std::int64_t count = negatives.rows;
  const char* op = "sampled_softmax";
  require_device(op, "users", users);
  require_shape(op, "positives", positives, batch, width);
  require_shape(op, "negatives", negatives, count, width);
  require_shape(op, "d_users", d_users, batch, width);
  require_shape(op, "d_positives", d_positives, batch, width);
  require_shape(op, "d_negatives", d_negatives, count, width);
  require_size(op, "losses", losses, batch);
  if (options.positive_ids.size > 0 || options.negative_ids.size > 0) {
    require_size(op, "positive_ids", options.positive_ids, batch);
    require_size(op, "negative_ids", options.negative_ids, count);
  }
  if (options.positive_bias.size > 0)
    require_size(op, "positive_bias", options.positive_bias, batch);
  if (options.negative_bias.size > 0)
    require_size(op, "negative_bias", options.negative_bias, count);
  if (!(options.temperature > 0.0F))
    refuse(op, "temperature is " + std::to_string(options.temperature) + ", expected more than 0");
  if (batch == 0) {
    fill(d_negatives, 0.0F);
    return;
  }
  // Rows on 64-byte boundaries, as Backend::matrix makes them.
  const std::int64_t stride = padded_stride(count, sizeof(float));
  const FloatView scores(probabilities_.reserve<float>(batch * stride), batch, count, stride,
                         Device::cuda);
  gemm(Transpose::no, Transpose::yes, 1.0F, users, negatives, 0.0F, scores);
  sampled_softmax_rows(users, positives, options, scores, losses, d_users, d_positives,
                       stream_.get());
  if (count == 0) return;
  gemm(Transpose::no, Transpose::no, 1.0F, scores, negatives, 1.0F, d_users);
  gemm(Transpose::yes, Transpose::no, 1.0F, scores, users, 0.0F, d_negatives);
}

void CudaBackend::binary_cross_entropy(VectorView<const float> logits,
                                       VectorView<const float> labels, VectorView<float> losses,
                                       VectorView<float> d_logits) {
  const char* op = "binary_cross_entropy";
  require_device(op, "logits", logits);
  require_size(op, "labels", labels, logits.size);
  require_size(op, "losses", losses, logits.size);
  require_size(op, "d_logits", d_logits, logits.size);
  cuda::binary_cross_entropy(logits, labels, losses, d_logits, stream_.get());
}

void CudaBackend::squared_error(VectorView<const float> x, VectorView<const float> targets,
                                VectorView<float> losses, VectorView<float> d_x) {
  require_device("squared_error", "x", x);
  require_size("squared_error", "targets", targets, x.size);
  require_size("squared_error", "losses", losses, x.size);
  require_size("squared_error", "d_x", d_x, x.size);
  cuda::squared_error(x, targets, losses, d_x, stream_.get());
}

}  // namespace penchant::kernels::cuda
