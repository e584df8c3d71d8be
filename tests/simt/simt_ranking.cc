// SPDX-License-Identifier: Apache-2.0
// Ranking ops of the emulated backend: the tiles of kernels/cuda/ranking.cuh, small, so that the
// tests' catalogues take several.
#include "kernels/cuda/ranking.cuh"

#include <algorithm>
#include <cstdint>

#include "tests/simt/scratch.h"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;
using graph::NodeId;

namespace {

constexpr kernels::RankingTiles kTiles{.queries = 40, .items = 1100};

struct SimtRuntime {
  using Memory = Scratch;

  kernels::Backend& backend;
  cuda::Stream stream;
  cuda::Stream merges = stream;  // launches run where they are enqueued

  void merges_wait_for_product(int /*tile*/) {}
  void record_merge(int /*tile*/) {}
  void product_waits_for_merge(int /*tile*/) {}
  void join() noexcept {}
  template <typename T>
  void upload(const T* from, T* to, std::int64_t count) {
    std::copy_n(from, count, to);
  }
  void zero(VectorView<NodeId> counts) { std::fill_n(counts.data, counts.size, 0); }

  /// As a library that chooses an algorithm by shape, stride and alignment: its bits depend on them
  /// (here the place where each chain of sums begins), so that tiles that are not alike do not tie.
  void multiply(ConstFloatView queries, ConstFloatView items, FloatView tile) {
    const std::int64_t width = queries.cols;
    cuda::require_shape("multiply", "items", items, tile.cols, width);
    cuda::require_shape("multiply", "tile", tile, queries.rows, items.rows);
    const auto alignment =
        static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(items.data) / sizeof(float) % 4);
    const std::int64_t start = items.rows + items.stride + alignment;
    for (std::int64_t q = 0; q < tile.rows; ++q) {
      for (std::int64_t i = 0; i < tile.cols; ++i) {
        float sum = 0.0F;
        for (std::int64_t j = 0; j < width; ++j) {
          const std::int64_t place = (start + j) % width;
          sum += queries(q, place) * items(i, place);
        }
        tile(q, i) = sum;
      }
    }
  }
};

}  // namespace

void SimtBackend::topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                       MatrixView<NodeId> ids, FloatView scores) {
  cuda::RankingMemory<Scratch> memory(machine_.memory());
  cuda::Ranking(SimtRuntime{*this, &machine_}, kTiles, memory)
      .topk(queries, items, excluded, ids, scores);
}

void SimtBackend::topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                              MatrixView<NodeId> ids, FloatView scores) {
  cuda::RankingMemory<Scratch> memory(machine_.memory());
  cuda::Ranking(SimtRuntime{*this, &machine_}, kTiles, memory)
      .topk_scores(all_scores, excluded, ids, scores);
}

void SimtBackend::rank_counts(ConstFloatView queries, ConstFloatView items,
                              const graph::CsrView& excluded, const graph::CsrView& targets,
                              VectorView<NodeId> higher, VectorView<NodeId> equal) {
  cuda::RankingMemory<Scratch> memory(machine_.memory());
  cuda::Ranking(SimtRuntime{*this, &machine_}, kTiles, memory)
      .rank_counts(queries, items, excluded, targets, higher, equal);
}

void SimtBackend::rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                     const graph::CsrView& targets, VectorView<NodeId> higher,
                                     VectorView<NodeId> equal) {
  cuda::RankingMemory<Scratch> memory(machine_.memory());
  cuda::Ranking(SimtRuntime{*this, &machine_}, kTiles, memory)
      .rank_counts_scores(all_scores, excluded, targets, higher, equal);
}

}  // namespace penchant::simt
