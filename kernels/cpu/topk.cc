// SPDX-License-Identifier: Apache-2.0
// Ranking over all items without storing users x items: tiles of scores, masks, running top-k and
// counts. The scores of a tile are a product of embeddings, or part of a table that a scorer
// filled.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/topk.cc"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/highway.h>

#include "kernels/cpu/cpu_backend.h"

HWY_BEFORE_NAMESPACE();
namespace penchant::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// First index >= from whose score is above the threshold, or count.
std::int64_t find_above(const float* HWY_RESTRICT scores, std::int64_t from, std::int64_t count,
                        float threshold) {
  const hn::ScalableTag<float> tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto limit = hn::Set(tag, threshold);
  std::int64_t i = from;
  for (; i + lanes <= count; i += lanes) {
    const auto found = hn::FindFirstTrue(tag, hn::Gt(hn::LoadU(tag, scores + i), limit));
    if (found >= 0) return i + found;
  }
  for (; i < count; ++i) {
    if (scores[i] > threshold) return i;
  }
  return count;
}

/// Adds the number of scores above and equal to the threshold to counts[0] and counts[1].
void count_against(const float* HWY_RESTRICT scores, std::int64_t count, float threshold,
                   std::int64_t* HWY_RESTRICT counts) {
  const hn::ScalableTag<float> tag;
  const hn::RebindToSigned<decltype(tag)> signed_tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto limit = hn::Set(tag, threshold);
  auto above = hn::Zero(signed_tag);
  auto equal = hn::Zero(signed_tag);
  std::int64_t i = 0;
  for (; i + lanes <= count;
       i += lanes) {  // a true lane is -1; a tile has far fewer than 2^31 scores
    const auto value = hn::LoadU(tag, scores + i);
    above = hn::Sub(above,
                    hn::VecFromMask(signed_tag, hn::RebindMask(signed_tag, hn::Gt(value, limit))));
    equal = hn::Sub(equal,
                    hn::VecFromMask(signed_tag, hn::RebindMask(signed_tag, hn::Eq(value, limit))));
  }
  counts[0] += hn::GetLane(hn::SumOfLanes(signed_tag, above));
  counts[1] += hn::GetLane(hn::SumOfLanes(signed_tag, equal));
  for (; i < count; ++i) {
    counts[0] += scores[i] > threshold ? 1 : 0;
    counts[1] += scores[i] == threshold ? 1 : 0;
  }
}

}  // namespace penchant::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "graph/parallel.h"
#include "kernels/cpu/check.h"

namespace penchant::kernels {

HWY_EXPORT(find_above);
HWY_EXPORT(count_against);

namespace {

using graph::NodeId;

/// Items of a tile of scores: with 128 queries 384 KiB, which stay in a core's L2 between the
/// product and the scan.
constexpr std::int64_t kTileItems = 768;
constexpr float kLowest = -std::numeric_limits<float>::infinity();
constexpr float kMasked = std::numeric_limits<float>::quiet_NaN();

struct Candidate {
  float score;
  NodeId item;
};

/// Heap order whose top is the worst candidate: the lowest score, among equals the highest id.
bool better(const Candidate& a, const Candidate& b) {
  return a.score != b.score ? a.score > b.score : a.item < b.item;
}

/// Sets the scores of the listed items (ascending) that fall into [first, first + count) to NaN,
/// which no comparison accepts; `next` walks along the list.
void mask(std::span<const NodeId> listed, std::size_t& next, std::int64_t first, std::int64_t count,
          float* scores) {
  for (; next < listed.size() && listed[next] < first + count; ++next)
    scores[listed[next] - first] = kMasked;
}

std::span<const NodeId> row_or_empty(const graph::CsrView& rows, std::int64_t b) {
  return rows.num_rows == 0 ? std::span<const NodeId>{} : rows.row(b);
}

/// Of two ascending lists without repeats.
std::int64_t size_of_union(std::span<const NodeId> a, std::span<const NodeId> b) {
  const auto in_a = [&](NodeId item) { return std::binary_search(a.begin(), a.end(), item); };
  return static_cast<std::int64_t>(a.size()) + std::count_if(b.begin(), b.end(), std::not_fn(in_a));
}

/// Memory of one thread.
struct TileBuffers {
  std::vector<float> scores;
  std::vector<float> last_items;
  std::vector<float> few_queries;
};

/// Scores <query, item>. The last tile is filled up with zero rows: BLAS rounds the edges of a
/// ragged tile differently, and equal items would no longer tie. So are few queries, for which BLAS
/// has another product that adds up in another order: a query's scores have the same bits alone and
/// among others.
struct Products {
  static constexpr std::int64_t kTileQueries = 128;
  static constexpr std::int64_t kFewQueries = 16;  ///< from here on oneDNN 2.6 takes the same one
  ConstFloatView queries;
  ConstFloatView items;

  std::int64_t num_queries() const { return queries.rows; }
  std::int64_t num_items() const { return items.rows; }
  /// scores [count_queries x kTileItems], of which the first `count` columns count.
  void fill(std::int64_t first_query, std::int64_t first, std::int64_t count, TileBuffers& buffers,
            FloatView scores) const {
    ConstFloatView tile_items = items.rows_of(first, count);
    if (count < kTileItems) {
      buffers.last_items.assign(static_cast<std::size_t>(kTileItems * items.cols), 0.0F);
      const FloatView padded(buffers.last_items.data(), kTileItems, items.cols, items.cols,
                             Device::cpu);
      for (std::int64_t i = 0; i < count; ++i)
        std::copy_n(tile_items.row(i), items.cols, padded.row(i));
      tile_items = padded;
    }
    ConstFloatView tile_queries = queries.rows_of(first_query, scores.rows);
    if (scores.rows < kFewQueries) {  // the tile's memory has room for all kTileQueries
      tile_queries = filled_up(tile_queries, buffers);
      scores.rows = kFewQueries;
    }
    gemm_tile(Transpose::no, Transpose::yes, 1.0F, tile_queries, tile_items, 0.0F, scores);
  }
  static ConstFloatView filled_up(ConstFloatView few, TileBuffers& buffers) {
    buffers.few_queries.assign(static_cast<std::size_t>(kFewQueries * few.cols), 0.0F);
    const FloatView padded(buffers.few_queries.data(), kFewQueries, few.cols, few.cols,
                           Device::cpu);
    for (std::int64_t q = 0; q < few.rows; ++q) std::copy_n(few.row(q), few.cols, padded.row(q));
    return padded;
  }
};

/// Scores out of a table with one row an item and one column a query.
struct Table {
  /// Small, so that the few hundred queries of a table keep several threads busy.
  static constexpr std::int64_t kTileQueries = 32;
  ConstFloatView scores;

  std::int64_t num_queries() const { return scores.cols; }
  std::int64_t num_items() const { return scores.rows; }
  void fill(std::int64_t first_query, std::int64_t first, std::int64_t count, TileBuffers&,
            FloatView tile) const {
    constexpr std::int64_t kBlock = 16;  // a cache line of either side
    for (std::int64_t q = 0; q < tile.rows; q += kBlock) {
      const std::int64_t last_q = std::min(q + kBlock, tile.rows);
      for (std::int64_t i = 0; i < count; i += kBlock) {
        const std::int64_t last_i = std::min(i + kBlock, count);
        for (std::int64_t row = q; row < last_q; ++row) {
          for (std::int64_t column = i; column < last_i; ++column)
            tile(row, column) = scores(first + column, first_query + row);
        }
      }
    }
  }
};

/// Calls visit(query, first_item, count, scores) for every query row of the tile and every tile of
/// items, in ascending item order.
template <typename Source, typename Visit>
void for_each_score_tile(const Source& source, std::int64_t first_query, std::int64_t count_queries,
                         TileBuffers& buffers, Visit visit) {
  buffers.scores.resize(static_cast<std::size_t>(Source::kTileQueries * kTileItems));
  const FloatView scores(buffers.scores.data(), count_queries, kTileItems, kTileItems, Device::cpu);
  for (std::int64_t first = 0; first < source.num_items(); first += kTileItems) {
    const std::int64_t count = std::min(kTileItems, source.num_items() - first);
    source.fill(first_query, first, count, buffers, scores);
    for (std::int64_t q = 0; q < count_queries; ++q) visit(q, first, count, scores.row(q));
  }
}

// topk: the K best unmasked items of each query, best first.
// Computes    s_bi = <query_b, item_i> for i not in excluded row b; ids_b = the K largest, ties by
//             the lower i
// Shapes      queries [B x D], items [N x D] float32 row-major; excluded CSR [B x N]; ids int32,
//             scores float32 [B x K]
// Mapping     a thread owns a tile of 128 queries and walks the items in tiles of 768
// Memory      2 D flops a score, 4 bytes a score written to and read from L2: bound by sgemm
// Regime      D >= 16; K up to a few thousand (a binary heap a query)
// Numerics    scores are sgemm's float32, the same bits whatever else is in the tile; strict
//             comparison in ascending item order makes ties deterministic
// Edge cases  fewer than K unmasked items: kNoNode and -infinity; a NaN score is never chosen
// Source      own; blocks of 128 x 768 chosen so that the scan reads L2
// Measured    docs/benchmarks.md#evaluation
template <typename Source>
void select_topk(const char* op, const Source& source, const graph::CsrView& excluded,
                 MatrixView<NodeId> ids, FloatView scores) {
  const std::int64_t k = ids.cols;
  const std::int64_t num_queries = source.num_queries();
  require_shape(op, "ids", ids, num_queries, k);
  require_shape(op, "scores", scores, num_queries, k);
  if (excluded.num_rows != 0)
    require_rows(op, "excluded", excluded, num_queries, source.num_items());
  if (num_queries == 0 || k == 0) return;
  const auto find = &HWY_DYNAMIC_DISPATCH(find_above);
  const std::int64_t tile_size = Source::kTileQueries;
  const std::int64_t tiles = (num_queries + tile_size - 1) / tile_size;
  graph::parallel_for(tiles, 1, [&](const graph::Share& share) {
    TileBuffers buffers;
    std::vector<std::vector<Candidate>> heaps(static_cast<std::size_t>(tile_size));
    std::vector<std::size_t> next(static_cast<std::size_t>(tile_size));
    for (const std::int64_t tile : share) {
      const std::int64_t first_query = tile * tile_size;
      const std::int64_t count_queries = std::min(tile_size, num_queries - first_query);
      for (auto& heap : heaps) heap.clear();
      std::fill(next.begin(), next.end(), 0);
      for_each_score_tile(
          source, first_query, count_queries, buffers,
          [&](std::int64_t q, std::int64_t first, std::int64_t count, float* row) {
            auto& heap = heaps[static_cast<std::size_t>(q)];
            mask(row_or_empty(excluded, first_query + q), next[static_cast<std::size_t>(q)], first,
                 count, row);
            const auto full = [&] { return static_cast<std::int64_t>(heap.size()) == k; };
            std::int64_t i = find(row, 0, count, full() ? heap.front().score : kLowest);
            while (i < count) {
              if (full()) {
                std::pop_heap(heap.begin(), heap.end(), better);
                heap.pop_back();
              }
              heap.push_back({row[i], static_cast<NodeId>(first + i)});
              std::push_heap(heap.begin(), heap.end(), better);
              i = find(row, i + 1, count, full() ? heap.front().score : kLowest);
            }
          });
      for (std::int64_t q = 0; q < count_queries; ++q) {
        auto& heap = heaps[static_cast<std::size_t>(q)];
        std::sort(heap.begin(), heap.end(), better);
        for (std::int64_t j = 0; j < k; ++j) {
          const bool there = j < static_cast<std::int64_t>(heap.size());
          ids(first_query + q, j) = there ? heap[static_cast<std::size_t>(j)].item : graph::kNoNode;
          scores(first_query + q, j) = there ? heap[static_cast<std::size_t>(j)].score : kLowest;
        }
      }
    }
  });
}

// rank_counts: how many unmasked other items score above, and equal to, each target item.
// Computes    for target (b, t): higher = #{i : s_bi > s_bt}, equal = #{i : s_bi = s_bt}, i in
//             neither excluded nor targets of row b
// Shapes      as topk; targets CSR [B x N]; higher, equal [targets.num_entries()] int32
// Mapping     as topk; the items are walked twice, first for the targets' own scores, then to
//             count, so that both compare the same bits
// Memory      twice topk's product; one compare a score and target
// Regime      few targets a query
// Numerics    exact integers on sgemm's float32 scores; deterministic
// Edge cases  a query without targets costs its product only; a NaN score ranks last: as a target
//             behind all others, as another behind all targets
// Source      own
// Measured    docs/benchmarks.md#evaluation
template <typename Source>
void count_ranks(const char* op, const Source& source, const graph::CsrView& excluded,
                 const graph::CsrView& targets, VectorView<NodeId> higher,
                 VectorView<NodeId> equal) {
  const std::int64_t num_queries = source.num_queries();
  require_rows(op, "targets", targets, num_queries, source.num_items());
  if (excluded.num_rows != 0)
    require_rows(op, "excluded", excluded, num_queries, source.num_items());
  require_size(op, "higher", higher, targets.num_entries());
  require_size(op, "equal", equal, targets.num_entries());
  const auto count_scores = &HWY_DYNAMIC_DISPATCH(count_against);
  const std::int64_t tile_size = Source::kTileQueries;
  const std::int64_t tiles = (num_queries + tile_size - 1) / tile_size;
  graph::parallel_for(tiles, 1, [&](const graph::Share& share) {
    TileBuffers buffers;
    std::vector<std::size_t> next_excluded(static_cast<std::size_t>(tile_size));
    std::vector<std::size_t> next_target(static_cast<std::size_t>(tile_size));
    std::vector<float> own;            // scores of the tile's targets
    std::vector<std::int64_t> counts;  // above and equal, a pair per target
    for (const std::int64_t tile : share) {
      const std::int64_t first_query = tile * tile_size;
      const std::int64_t count_queries = std::min(tile_size, num_queries - first_query);
      const graph::EdgeOffset first_entry = targets.offsets[static_cast<std::size_t>(first_query)];
      const graph::EdgeOffset last_entry =
          targets.offsets[static_cast<std::size_t>(first_query + count_queries)];
      own.assign(static_cast<std::size_t>(last_entry - first_entry), 0.0F);
      counts.assign(own.size() * 2, 0);
      const auto own_place = [&](std::int64_t q) {
        return static_cast<std::size_t>(targets.offsets[static_cast<std::size_t>(first_query + q)] -
                                        first_entry);
      };
      std::fill(next_target.begin(), next_target.end(), 0);
      for_each_score_tile(source, first_query, count_queries, buffers,
                          [&](std::int64_t q, std::int64_t first, std::int64_t count, float* row) {
                            const auto listed = targets.row(first_query + q);
                            std::size_t& next = next_target[static_cast<std::size_t>(q)];
                            for (; next < listed.size() && listed[next] < first + count; ++next)
                              own[own_place(q) + next] = row[listed[next] - first];
                          });
      std::fill(next_target.begin(), next_target.end(), 0);
      std::fill(next_excluded.begin(), next_excluded.end(), 0);
      for_each_score_tile(source, first_query, count_queries, buffers,
                          [&](std::int64_t q, std::int64_t first, std::int64_t count, float* row) {
                            const auto listed = targets.row(first_query + q);
                            mask(row_or_empty(excluded, first_query + q),
                                 next_excluded[static_cast<std::size_t>(q)], first, count, row);
                            mask(listed, next_target[static_cast<std::size_t>(q)], first, count,
                                 row);
                            for (std::size_t t = 0; t < listed.size(); ++t) {
                              const std::size_t place = own_place(q) + t;
                              count_scores(row, count, own[place], counts.data() + 2 * place);
                            }
                          });
      for (std::int64_t q = 0; q < count_queries; ++q) {
        const auto listed = targets.row(first_query + q);
        for (std::size_t t = own_place(q); t < own_place(q) + listed.size(); ++t) {
          if (std::isnan(own[t])) {
            counts[2 * t] =
                source.num_items() - size_of_union(row_or_empty(excluded, first_query + q), listed);
            counts[2 * t + 1] = 0;
          }
          const std::int64_t entry = first_entry + static_cast<std::int64_t>(t);
          higher[entry] = static_cast<NodeId>(counts[2 * t]);
          equal[entry] = static_cast<NodeId>(counts[2 * t + 1]);
        }
      }
    }
  });
}

}  // namespace

void CpuBackend::topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                      MatrixView<NodeId> ids, FloatView scores) {
  const ThreadScope threads(num_threads_);
  require_host("topk", "queries", queries);
  require_shape("topk", "items", items, items.rows, queries.cols);
  select_topk("topk", Products{queries, items}, excluded, ids, scores);
}

void CpuBackend::topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                             MatrixView<NodeId> ids, FloatView scores) {
  const ThreadScope threads(num_threads_);
  require_host("topk_scores", "all_scores", all_scores);
  select_topk("topk_scores", Table{all_scores}, excluded, ids, scores);
}

void CpuBackend::rank_counts(ConstFloatView queries, ConstFloatView items,
                             const graph::CsrView& excluded, const graph::CsrView& targets,
                             VectorView<NodeId> higher, VectorView<NodeId> equal) {
  const ThreadScope threads(num_threads_);
  require_host("rank_counts", "queries", queries);
  require_shape("rank_counts", "items", items, items.rows, queries.cols);
  count_ranks("rank_counts", Products{queries, items}, excluded, targets, higher, equal);
}

void CpuBackend::rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                    const graph::CsrView& targets, VectorView<NodeId> higher,
                                    VectorView<NodeId> equal) {
  const ThreadScope threads(num_threads_);
  require_host("rank_counts_scores", "all_scores", all_scores);
  count_ranks("rank_counts_scores", Table{all_scores}, excluded, targets, higher, equal);
}

}  // namespace penchant::kernels
#endif  // HWY_ONCE
