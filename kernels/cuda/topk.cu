// SPDX-License-Identifier: Apache-2.0
// Ranking on the device without storing users x items: a tile of scores by gemm() (or out of a
// table), masked, then merged into running lists or counts by the kernels of topk.cuh. Lists of
// excluded items and targets come from host memory and are uploaded once a call.
#include "kernels/cuda/rank_counts.cuh"

#include <algorithm>
#include <vector>

#include "kernels/cuda/check.h"
#include "kernels/cuda/cuda_backend.h"

namespace penchant::kernels::cuda {

namespace {

/// A tile of 2048 x 4096 scores is 32 MiB: it stays in the 50 MB of an H100's L2 between the
/// product that writes it and the merge that reads it, and gives each SM 15 lists. Not yet
/// measured.
constexpr std::int64_t kTileQueries = 2048;
constexpr std::int64_t kTileItems = 4096;

/// Scores <query, item>. The last of several tiles is filled up with zero rows and starts at the
/// alignment of the others, so that equal items meet the same algorithm in every tile and tie.
struct Products {
  Backend& backend;
  ConstFloatView queries;
  ConstFloatView items;
  Scratch& memory;
  FloatView last_items;

  Products(Backend& on, ConstFloatView query_rows, ConstFloatView item_rows, Scratch& scratch)
      : backend(on), queries(query_rows), items(item_rows), memory(scratch) {
    const std::int64_t rest = items.rows % kTileItems;
    if (items.rows < kTileItems || rest == 0 || items.cols == 0) return;
    const auto shift =
        static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(items.data) / sizeof(float) % 4);
    last_items = {memory.reserve<float>(kTileItems * items.stride + shift) + shift, kTileItems,
                  items.cols, items.stride, Device::cuda};
    backend.fill(last_items.rows_of(rest, kTileItems - rest), 0.0F);
    backend.copy(items.rows_of(items.rows - rest, rest), last_items.rows_of(0, rest));
  }
  std::int64_t num_queries() const { return queries.rows; }
  std::int64_t num_items() const { return items.rows; }
  /// Columns of the tile that a fill of `count` items writes.
  std::int64_t width(std::int64_t count) const {
    return last_items.data != nullptr && count < kTileItems ? kTileItems : count;
  }
  void fill(std::int64_t first_query, std::int64_t first, std::int64_t count, FloatView tile) {
    const ConstFloatView rows =
        width(count) == count ? items.rows_of(first, count) : ConstFloatView(last_items);
    backend.gemm(Transpose::no, Transpose::yes, 1.0F, queries.rows_of(first_query, tile.rows), rows,
                 0.0F, tile);
  }
};

/// Scores out of a table with one row an item and one column a query.
struct Table {
  ConstFloatView scores;
  cudaStream_t stream;

  std::int64_t num_queries() const { return scores.cols; }
  std::int64_t num_items() const { return scores.rows; }
  static std::int64_t width(std::int64_t count) { return count; }
  void fill(std::int64_t first_query, std::int64_t first, std::int64_t /*count*/, FloatView tile) {
    transpose_scores(scores, first_query, first, tile, stream);
  }
};

/// Calls visit(first_query, first_item, tile of scores) for every tile, items inside.
template <typename Source, typename Visit>
void for_each_tile(Source& source, Scratch& memory, Visit visit) {
  const std::int64_t rows = std::min(kTileQueries, source.num_queries());
  const std::int64_t stride = (std::min(kTileItems, source.num_items()) + 15) / 16 * 16;
  auto* scores = memory.reserve<float>(rows * stride);
  for (std::int64_t query = 0; query < source.num_queries(); query += kTileQueries) {
    const std::int64_t count_queries = std::min(kTileQueries, source.num_queries() - query);
    for (std::int64_t item = 0; item < source.num_items(); item += kTileItems) {
      const std::int64_t count = std::min(kTileItems, source.num_items() - item);
      source.fill(query, item, count,
                  FloatView(scores, count_queries, source.width(count), stride, Device::cuda));
      visit(query, item, FloatView(scores, count_queries, count, stride, Device::cuda));
    }
  }
}

/// The work that the four ops share.
struct Ranking {
  RankingScratch& memory;
  Staging& staging;
  cudaStream_t stream;

  /// Lists from the host; num_rows 0: none.
  DeviceRows upload(const graph::CsrView& lists, Scratch& to) {
    if (lists.num_rows == 0) return {};
    const std::int64_t first = lists.offsets.front();
    std::vector<std::int64_t> offsets(lists.offsets.begin(), lists.offsets.end());
    for (std::int64_t& offset : offsets) offset -= first;
    const auto num_offsets = static_cast<std::int64_t>(offsets.size());
    const std::int64_t entries = offsets.back();
    auto* device_offsets = reinterpret_cast<std::int64_t*>(to.reserve<char>(
        num_offsets * 8 + entries * static_cast<std::int64_t>(sizeof(graph::NodeId))));
    auto* columns = reinterpret_cast<graph::NodeId*>(device_offsets + num_offsets);
    staging.upload(offsets.data(), device_offsets, num_offsets);
    if (entries > 0) staging.upload(lists.columns.data() + first, columns, entries);
    return {device_offsets, columns};
  }

  template <typename Source>
  void select(const char* op, Source source, const graph::CsrView& excluded_items,
              MatrixView<graph::NodeId> ids, FloatView scores) {
    require_shape(op, "ids", ids, source.num_queries(), ids.cols);
    require_shape(op, "scores", scores, source.num_queries(), ids.cols);
    if (excluded_items.num_rows != 0)
      require_rows(op, "excluded", excluded_items, source.num_queries(), source.num_items());
    if (ids.rows == 0 || ids.cols == 0) return;
    topk_clear(ids, scores, stream);
    const DeviceRows lists = upload(excluded_items, memory.excluded);
    for (std::int64_t place = 0; place < ids.cols; place += TopkConfig::kMaxList) {
      for_each_tile(source, memory.tile,
                    [&](std::int64_t query, std::int64_t item, FloatView part) {
                      mask_scores(lists, query, item, part, stream);
                      topk_merge(part, item, place, ids.rows_of(query, part.rows),
                                 scores.rows_of(query, part.rows), stream);
                    });
    }
  }

  // The tiles are made twice, first for the targets' own scores, then to count, so that both
  // compare the same bits.
  template <typename Source>
  void count(const char* op, Source source, const graph::CsrView& excluded_items,
             const graph::CsrView& target_items, VectorView<graph::NodeId> higher,
             VectorView<graph::NodeId> equal) {
    require_rows(op, "targets", target_items, source.num_queries(), source.num_items());
    if (excluded_items.num_rows != 0)
      require_rows(op, "excluded", excluded_items, source.num_queries(), source.num_items());
    const std::int64_t entries = target_items.num_entries();
    require_size(op, "higher", higher, entries);
    require_size(op, "equal", equal, entries);
    if (entries == 0) return;
    for (const VectorView<graph::NodeId>& counts : {higher, equal}) {
      check(cudaMemsetAsync(counts.data, 0,
                            static_cast<std::size_t>(entries) * sizeof(graph::NodeId), stream));
    }
    const DeviceRows lists = upload(excluded_items, memory.excluded);
    const DeviceRows wanted = upload(target_items, memory.targets);
    const VectorView<float> scores(memory.own.reserve<float>(entries), entries, Device::cuda);
    for_each_tile(source, memory.tile, [&](std::int64_t query, std::int64_t item, FloatView part) {
      target_scores(wanted, query, item, part, scores, stream);
    });
    for_each_tile(source, memory.tile, [&](std::int64_t query, std::int64_t item, FloatView part) {
      mask_scores(lists, query, item, part, stream);
      mask_scores(wanted, query, item, part, stream);
      count_ranks(wanted, query, part, scores, higher, equal, stream);
    });
    rank_unscored(lists, wanted, source.num_queries(), source.num_items(), scores, higher, equal,
                  stream);
  }
};

}  // namespace

void CudaBackend::topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                       MatrixView<graph::NodeId> ids, FloatView scores) {
  require_device("topk", "queries", queries);
  require_shape("topk", "items", items, items.rows, queries.cols);
  Ranking{ranking_, staging_, stream_.get()}.select(
      "topk", Products(*this, queries, items, ranking_.last_items), excluded, ids, scores);
}

void CudaBackend::topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                              MatrixView<graph::NodeId> ids, FloatView scores) {
  require_device("topk_scores", "all_scores", all_scores);
  Ranking{ranking_, staging_, stream_.get()}.select("topk_scores", Table{all_scores, stream_.get()},
                                                    excluded, ids, scores);
}

void CudaBackend::rank_counts(ConstFloatView queries, ConstFloatView items,
                              const graph::CsrView& excluded, const graph::CsrView& targets,
                              VectorView<graph::NodeId> higher, VectorView<graph::NodeId> equal) {
  require_device("rank_counts", "queries", queries);
  require_shape("rank_counts", "items", items, items.rows, queries.cols);
  Ranking{ranking_, staging_, stream_.get()}.count(
      "rank_counts", Products(*this, queries, items, ranking_.last_items), excluded, targets,
      higher, equal);
}

void CudaBackend::rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                     const graph::CsrView& targets,
                                     VectorView<graph::NodeId> higher,
                                     VectorView<graph::NodeId> equal) {
  require_device("rank_counts_scores", "all_scores", all_scores);
  Ranking{ranking_, staging_, stream_.get()}.count(
      "rank_counts_scores", Table{all_scores, stream_.get()}, excluded, targets, higher, equal);
}

}  // namespace penchant::kernels::cuda
