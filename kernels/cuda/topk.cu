// SPDX-License-Identifier: Apache-2.0
// Ranking of the CUDA backend: the tiles of ranking.cuh, their products by cuBLASLt on the backend's
// stream, their merges on another.
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/ranking.cuh"

namespace penchant::kernels::cuda {

namespace {

struct DeviceRuntime {
  using Memory = Scratch;

  Backend& backend;
  Staging& staging;
  const RankingOrder& order;
  cudaStream_t stream;
  cudaStream_t merges = order.merges.get();

  void merges_wait_for_product(int tile) {
    const cudaEvent_t made = order.made[static_cast<std::size_t>(tile)].get();
    check(cudaEventRecord(made, stream));
    check(cudaStreamWaitEvent(merges, made));
  }
  void record_merge(int tile) {
    check(cudaEventRecord(order.merged[static_cast<std::size_t>(tile)].get(), merges));
  }
  void product_waits_for_merge(int tile) {
    check(cudaStreamWaitEvent(stream, order.merged[static_cast<std::size_t>(tile)].get()));
  }
  void join() noexcept {
    if (cudaEventRecord(order.joined.get(), merges) != cudaSuccess ||
        cudaStreamWaitEvent(stream, order.joined.get()) != cudaSuccess)
      static_cast<void>(cudaDeviceSynchronize());  // the next call tells of the device's error
  }
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

RankingOrder::RankingOrder()
    : made{make_event(), make_event()}, merged{make_event(), make_event()}, joined(make_event()) {
  check(cudaStreamCreateWithFlags(merges.receive(), cudaStreamNonBlocking));
}

const RankingOrder& CudaBackend::ranking_order() {
  if (ranking_order_ == nullptr) ranking_order_ = std::make_unique<RankingOrder>();
  return *ranking_order_;
}

void CudaBackend::topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                       MatrixView<graph::NodeId> ids, FloatView scores) {
  Ranking(DeviceRuntime{*this, staging_, ranking_order(), stream_.get()}, options_.ranking_tiles,
          ranking_)
      .topk(queries, items, excluded, ids, scores);
}

void CudaBackend::topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                              MatrixView<graph::NodeId> ids, FloatView scores) {
  Ranking(DeviceRuntime{*this, staging_, ranking_order(), stream_.get()}, options_.ranking_tiles,
          ranking_)
      .topk_scores(all_scores, excluded, ids, scores);
}

void CudaBackend::rank_counts(ConstFloatView queries, ConstFloatView items,
                              const graph::CsrView& excluded, const graph::CsrView& targets,
                              VectorView<graph::NodeId> higher, VectorView<graph::NodeId> equal) {
  Ranking(DeviceRuntime{*this, staging_, ranking_order(), stream_.get()}, options_.ranking_tiles,
          ranking_)
      .rank_counts(queries, items, excluded, targets, higher, equal);
}

void CudaBackend::rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                     const graph::CsrView& targets,
                                     VectorView<graph::NodeId> higher,
                                     VectorView<graph::NodeId> equal) {
  Ranking(DeviceRuntime{*this, staging_, ranking_order(), stream_.get()}, options_.ranking_tiles,
          ranking_)
      .rank_counts_scores(all_scores, excluded, targets, higher, equal);
}

}  // namespace penchant::kernels::cuda
