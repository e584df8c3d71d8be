// SPDX-License-Identifier: Apache-2.0
// Ranking without storing users x items: a tile of scores by a product (or out of a table), masked,
// then merged into running lists or counts by the kernels of topk.cuh and rank_counts.cuh. One
// source for the CUDA backend (topk.cu) and for the emulation (tests/simt/simt_ranking.cc), which
// differ in the Runtime:
//   Backend& backend                     fill and copy of device memory
//   Stream stream                        what all but merges is enqueued on
//   Stream merges                        what is done with a tile of scores: beside the product of
//                                        the next one
//   merges_wait_for_product(tile), record_merge(tile), product_waits_for_merge(tile)
//                                        order between the two; tile: 0 or 1
//   join() noexcept                      `stream` waits for all merges
//   using Memory                         reserve<T>(count): grown, kept until its next reserve
//   upload(from, to, count)              from host memory, which is free at return
//   zero(counts)                         a vector of int32
//   multiply(queries, items, tile)       tile = queries items'; equal rows of `items` give equal
//                                        bits within one call, and in calls with operands of one
//                                        shape, stride and alignment
// Lists of excluded items and targets come from host memory and are uploaded once a call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/rank_counts.cuh"
#include "kernels/cuda/ranking_memory.h"

namespace penchant::kernels::cuda {

/// Scores <query, item>. The last of several tiles is filled up with zero rows and starts at the
/// alignment of the others, so that equal items meet the same algorithm in every tile and tie.
template <typename Runtime>
class ProductScores {
 public:
  ProductScores(Runtime& runtime, const RankingTiles& tiles, ConstFloatView queries,
                ConstFloatView items, typename Runtime::Memory& memory)
      : runtime_(runtime), tile_items_(tiles.items), queries_(queries), items_(items) {
    const std::int64_t rest = items.rows % tile_items_;
    if (items.rows < tile_items_ || rest == 0 || items.cols == 0) return;
    const auto shift =
        static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(items.data) / sizeof(float) % 4);
    last_items_ = {memory.template reserve<float>(tile_items_ * items.stride + shift) + shift,
                   tile_items_, items.cols, items.stride, Device::cuda};
    runtime.backend.fill(last_items_.rows_of(rest, tile_items_ - rest), 0.0F);
    runtime.backend.copy(items.rows_of(items.rows - rest, rest), last_items_.rows_of(0, rest));
  }
  std::int64_t num_queries() const { return queries_.rows; }
  std::int64_t num_items() const { return items_.rows; }
  /// Columns of the tile that a fill of `count` items writes.
  std::int64_t width(std::int64_t count) const {
    return last_items_.data != nullptr && count < tile_items_ ? tile_items_ : count;
  }
  void fill(std::int64_t first_query, std::int64_t first, std::int64_t count, FloatView tile) {
    const ConstFloatView rows =
        width(count) == count ? items_.rows_of(first, count) : ConstFloatView(last_items_);
    runtime_.multiply(queries_.rows_of(first_query, tile.rows), rows, tile);
  }

 private:
  Runtime& runtime_;
  std::int64_t tile_items_;
  ConstFloatView queries_;
  ConstFloatView items_;
  FloatView last_items_;
};

/// Scores out of a table with one row an item and one column a query.
struct TableScores {
  ConstFloatView scores;
  Stream stream;

  std::int64_t num_queries() const { return scores.cols; }
  std::int64_t num_items() const { return scores.rows; }
  static std::int64_t width(std::int64_t count) { return count; }
  void fill(std::int64_t first_query, std::int64_t first, std::int64_t /*count*/,
            FloatView tile) const {
    transpose_scores(scores, first_query, first, tile, stream);
  }
};

template <typename Runtime>
class Ranking {
 public:
  using Memory = typename Runtime::Memory;

  Ranking(Runtime runtime, const RankingTiles& tiles, RankingMemory<Memory>& memory)
      : runtime_(runtime), tiles_(tiles), memory_(memory) {}

  void topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
            MatrixView<graph::NodeId> ids, FloatView scores) {
    require_device("topk", "queries", queries);
    require_shape("topk", "items", items, items.rows, queries.cols);
    select("topk", products(queries, items), excluded, ids, scores);
  }
  void topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                   MatrixView<graph::NodeId> ids, FloatView scores) {
    require_device("topk_scores", "all_scores", all_scores);
    select("topk_scores", TableScores{all_scores, runtime_.stream}, excluded, ids, scores);
  }
  void rank_counts(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                   const graph::CsrView& targets, VectorView<graph::NodeId> higher,
                   VectorView<graph::NodeId> equal) {
    require_device("rank_counts", "queries", queries);
    require_shape("rank_counts", "items", items, items.rows, queries.cols);
    count("rank_counts", products(queries, items), excluded, targets, higher, equal);
  }
  void rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                          const graph::CsrView& targets, VectorView<graph::NodeId> higher,
                          VectorView<graph::NodeId> equal) {
    require_device("rank_counts_scores", "all_scores", all_scores);
    count("rank_counts_scores", TableScores{all_scores, runtime_.stream}, excluded, targets, higher,
          equal);
  }

 private:
  ProductScores<Runtime> products(ConstFloatView queries, ConstFloatView items) {
    return {runtime_, tiles_, queries, items, memory_.last_items};
  }

  /// `stream` waits for what was enqueued beside it, also if a product throws.
  struct Joined {
    Runtime& runtime;
    ~Joined() { runtime.join(); }
  };

  /// Calls visit(first_query, first_item, tile of scores) for every tile, items inside. What it
  /// enqueues on runtime_.merges runs beside the product of the next tile.
  template <typename Source, typename Visit>
  void for_each_tile(Source& source, Visit visit) {
    const std::int64_t rows = std::min(tiles_.queries, source.num_queries());
    const std::int64_t stride = (std::min(tiles_.items, source.num_items()) + 15) / 16 * 16;
    auto* tiles = memory_.tiles.template reserve<float>(2 * rows * stride);
    const Joined joined{runtime_};
    std::int64_t made = 0;
    for (std::int64_t query = 0; query < source.num_queries(); query += tiles_.queries) {
      const std::int64_t count_queries = std::min(tiles_.queries, source.num_queries() - query);
      for (std::int64_t item = 0; item < source.num_items(); item += tiles_.items) {
        const std::int64_t count = std::min(tiles_.items, source.num_items() - item);
        const int tile = static_cast<int>(made % 2);
        float* scores = tiles + tile * rows * stride;
        if (made >= 2) runtime_.product_waits_for_merge(tile);
        source.fill(query, item, count,
                    FloatView(scores, count_queries, source.width(count), stride, Device::cuda));
        runtime_.merges_wait_for_product(tile);
        visit(query, item, FloatView(scores, count_queries, count, stride, Device::cuda));
        runtime_.record_merge(tile);
        ++made;
      }
    }
  }

  /// Lists from the host; num_rows 0: none.
  DeviceRows upload(const graph::CsrView& lists, Memory& to) {
    if (lists.num_rows == 0) return {};
    const std::int64_t first = lists.offsets.front();
    std::vector<std::int64_t> offsets(lists.offsets.begin(), lists.offsets.end());
    for (std::int64_t& offset : offsets) offset -= first;
    const auto num_offsets = static_cast<std::int64_t>(offsets.size());
    const std::int64_t entries = offsets.back();
    auto* device_offsets = reinterpret_cast<std::int64_t*>(to.template reserve<char>(
        num_offsets * 8 + entries * static_cast<std::int64_t>(sizeof(graph::NodeId))));
    auto* columns = reinterpret_cast<graph::NodeId*>(device_offsets + num_offsets);
    runtime_.upload(offsets.data(), device_offsets, num_offsets);
    if (entries > 0) runtime_.upload(lists.columns.data() + first, columns, entries);
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
    topk_clear(ids, scores, runtime_.stream);
    const DeviceRows lists = upload(excluded_items, memory_.excluded);
    for (std::int64_t place = 0; place < ids.cols; place += TopkConfig::kMaxList) {
      for_each_tile(source, [&](std::int64_t query, std::int64_t item, FloatView part) {
        mask_scores(lists, query, item, part, runtime_.merges);
        topk_merge(part, item, place, ids.rows_of(query, part.rows),
                   scores.rows_of(query, part.rows), runtime_.merges);
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
    runtime_.zero(higher);
    runtime_.zero(equal);
    const DeviceRows lists = upload(excluded_items, memory_.excluded);
    const DeviceRows wanted = upload(target_items, memory_.targets);
    const VectorView<float> scores(memory_.own.template reserve<float>(entries), entries,
                                   Device::cuda);
    for_each_tile(source, [&](std::int64_t query, std::int64_t item, FloatView part) {
      target_scores(wanted, query, item, part, scores, runtime_.merges);
    });
    for_each_tile(source, [&](std::int64_t query, std::int64_t item, FloatView part) {
      mask_scores(lists, query, item, part, runtime_.merges);
      mask_scores(wanted, query, item, part, runtime_.merges);
      count_ranks(wanted, query, part, scores, higher, equal, runtime_.merges);
    });
    rank_unscored(lists, wanted, source.num_queries(), source.num_items(), scores, higher, equal,
                  runtime_.stream);
  }

  Runtime runtime_;
  RankingTiles tiles_;
  RankingMemory<Memory>& memory_;
};

}  // namespace penchant::kernels::cuda
