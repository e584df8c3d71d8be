// SPDX-License-Identifier: Apache-2.0
// Ranking of the CUDA backend: the tiles of ranking.cuh, their products by cuBLASLt.
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/ranking.cuh"

namespace penchant::kernels::cuda {

namespace {

struct DeviceRuntime {
  using Memory = Scratch;

  Backend& backend;
  Staging& staging;
  cudaStream_t stream;

  template <typename T>
  void upload(const T* from, T* to, std::int64_t count) {
    staging.upload(from, to, count);
  }
  void zero(VectorView<graph::NodeId> counts) {
    check(cudaMemsetAsync(counts.data, 0,
                          static_cast<std::size_t>(counts.size) * sizeof(graph::NodeId), stream));
  }
  void multiply(ConstFloatView queries, ConstFloatView items, FloatView tile) {
    backend.gemm(Transpose::no, Transpose::yes, 1.0F, queries, items, 0.0F, tile);
  }
};

}  // namespace

void CudaBackend::topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                       MatrixView<graph::NodeId> ids, FloatView scores) {
  Ranking(DeviceRuntime{*this, staging_, stream_.get()}, {}, ranking_)
      .topk(queries, items, excluded, ids, scores);
}

void CudaBackend::topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                              MatrixView<graph::NodeId> ids, FloatView scores) {
  Ranking(DeviceRuntime{*this, staging_, stream_.get()}, {}, ranking_)
      .topk_scores(all_scores, excluded, ids, scores);
}

void CudaBackend::rank_counts(ConstFloatView queries, ConstFloatView items,
                              const graph::CsrView& excluded, const graph::CsrView& targets,
                              VectorView<graph::NodeId> higher, VectorView<graph::NodeId> equal) {
  Ranking(DeviceRuntime{*this, staging_, stream_.get()}, {}, ranking_)
      .rank_counts(queries, items, excluded, targets, higher, equal);
}

void CudaBackend::rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                     const graph::CsrView& targets,
                                     VectorView<graph::NodeId> higher,
                                     VectorView<graph::NodeId> equal) {
  Ranking(DeviceRuntime{*this, staging_, stream_.get()}, {}, ranking_)
      .rank_counts_scores(all_scores, excluded, targets, higher, equal);
}

}  // namespace penchant::kernels::cuda
