// SPDX-License-Identifier: Apache-2.0
// Sequence operations of the CUDA backend apart from recurrent layers and convolutions: maxima and
// running sums of segments. Checks, then the launchers of sequence.cuh.
#include "kernels/cuda/sequence.cuh"

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

void CudaBackend::segment_max(const Segments& segments, ConstFloatView x, FloatView y,
                              MatrixView<graph::NodeId> rows) {
  require_device("segment_max", "x", x);
  const std::int64_t batch = require_segments("segment_max", segments, x.rows);
  require_shape("segment_max", "y", y, batch, x.cols);
  require_shape("segment_max", "rows", rows, batch, x.cols);
  if (y.rows == 0 || y.cols == 0) return;
  cuda::segment_max(upload(segments), x, y, rows, stream_.get());
}

void CudaBackend::segment_max_backward(MatrixView<const graph::NodeId> rows, ConstFloatView d_y,
                                       FloatView d_x) {
  require_device("segment_max_backward", "d_y", d_y);
  require_shape("segment_max_backward", "rows", rows, d_y.rows, d_y.cols);
  require_shape("segment_max_backward", "d_x", d_x, d_x.rows, d_y.cols);
  cuda::segment_max_backward(rows, d_y, d_x, stream_.get());
}

void CudaBackend::running_sum(TimeOrder order, const Segments& segments, float decay,
                              ConstFloatView x, FloatView y) {
  require_device("running_sum", "x", x);
  require_segments("running_sum", segments, x.rows);
  require_shape("running_sum", "y", y, x.rows, x.cols);
  if (y.rows == 0 || y.cols == 0) return;
  cuda::running_sum(order, upload(segments), decay, x, y, stream_.get());
}

}  // namespace penchant::kernels::cuda
