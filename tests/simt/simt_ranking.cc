// SPDX-License-Identifier: Apache-2.0
// Ranking ops of the emulated backend: tiles of scores as the CUDA backend makes them, small, so
// that the tests' catalogues take several.
#include <algorithm>
#include <vector>

#include "kernels/cuda/check.h"
#include "kernels/cuda/rank_counts.cuh"
#include "tests/simt/simt_backend.h"

namespace penchant::simt {

namespace cuda = kernels::cuda;
using cuda::require_device;
using cuda::require_shape;
using cuda::require_size;
using graph::NodeId;

namespace {

constexpr std::int64_t kTileQueries = 96;
constexpr std::int64_t kTileItems = 1100;

/// The device's copy of rows of ids.
class DeviceLists {
 public:
  explicit DeviceLists(const graph::CsrView& lists)
      : offsets_(lists.offsets.begin(), lists.offsets.end()),
        columns_(lists.columns.begin(), lists.columns.end()),
        empty_(lists.num_rows == 0) {}
  cuda::DeviceRows rows() const {
    return empty_ ? cuda::DeviceRows{} : cuda::DeviceRows{offsets_.data(), columns_.data()};
  }

 private:
  std::vector<std::int64_t> offsets_;
  std::vector<NodeId> columns_;
  bool empty_;
};

/// Scores <query, item>: one chain of sums each, so that equal items tie.
struct Products {
  ConstFloatView queries, items;

  std::int64_t num_queries() const { return queries.rows; }
  std::int64_t num_items() const { return items.rows; }
  void fill(std::int64_t first_query, std::int64_t first_item, FloatView tile, Machine*) const {
    for (std::int64_t q = 0; q < tile.rows; ++q) {
      for (std::int64_t i = 0; i < tile.cols; ++i) {
        float sum = 0.0F;
        for (std::int64_t j = 0; j < queries.cols; ++j)
          sum += queries(first_query + q, j) * items(first_item + i, j);
        tile(q, i) = sum;
      }
    }
  }
};

struct Table {
  ConstFloatView scores;

  std::int64_t num_queries() const { return scores.cols; }
  std::int64_t num_items() const { return scores.rows; }
  void fill(std::int64_t first_query, std::int64_t first_item, FloatView tile,
            Machine* machine) const {
    cuda::transpose_scores(scores, first_query, first_item, tile, machine);
  }
};

/// Calls visit(first_query, first_item, tile) for every tile, items ascending.
template <typename Source, typename Visit>
void for_each_tile(const Source& source, Machine* machine, Visit visit) {
  for (std::int64_t query = 0; query < source.num_queries(); query += kTileQueries) {
    const std::int64_t rows = std::min(kTileQueries, source.num_queries() - query);
    for (std::int64_t item = 0; item < source.num_items(); item += kTileItems) {
      const std::int64_t cols = std::min(kTileItems, source.num_items() - item);
      std::vector<float> memory(static_cast<std::size_t>(rows * cols));
      const FloatView tile(memory.data(), rows, cols, cols, kernels::Device::cuda);
      source.fill(query, item, tile, machine);
      visit(query, item, tile);
    }
  }
}

template <typename Source>
void select_topk(const char* op, const Source& source, const graph::CsrView& excluded,
                 MatrixView<NodeId> ids, FloatView scores, Machine* machine) {
  const std::int64_t queries = source.num_queries();
  require_shape(op, "ids", ids, queries, ids.cols);
  require_shape(op, "scores", scores, queries, ids.cols);
  if (excluded.num_rows != 0)
    cuda::require_rows(op, "excluded", excluded, queries, source.num_items());
  const DeviceLists lists(excluded);
  cuda::topk_clear(ids, scores, machine);
  for (std::int64_t place = 0; place < ids.cols; place += cuda::TopkConfig::kMaxList) {
    for_each_tile(source, machine, [&](std::int64_t query, std::int64_t item, FloatView tile) {
      cuda::mask_scores(lists.rows(), query, item, tile, machine);
      cuda::topk_merge(tile, item, place, ids.rows_of(query, tile.rows),
                       scores.rows_of(query, tile.rows), machine);
    });
  }
}

template <typename Source>
void count(const char* op, const Source& source, const graph::CsrView& excluded,
           const graph::CsrView& targets, VectorView<NodeId> higher, VectorView<NodeId> equal,
           Machine* machine) {
  const std::int64_t queries = source.num_queries();
  if (excluded.num_rows != 0)
    cuda::require_rows(op, "excluded", excluded, queries, source.num_items());
  cuda::require_rows(op, "targets", targets, queries, source.num_items());
  require_size(op, "higher", higher, targets.num_entries());
  require_size(op, "equal", equal, targets.num_entries());
  const DeviceLists masked(excluded);
  const DeviceLists wanted(targets);
  std::vector<float> memory(static_cast<std::size_t>(targets.num_entries()));
  const VectorView<float> own(memory.data(), targets.num_entries(), kernels::Device::cuda);
  std::fill_n(higher.data, higher.size, 0);
  std::fill_n(equal.data, equal.size, 0);
  for_each_tile(source, machine, [&](std::int64_t query, std::int64_t item, FloatView tile) {
    cuda::target_scores(wanted.rows(), query, item, tile, own, machine);
  });
  for_each_tile(source, machine, [&](std::int64_t query, std::int64_t item, FloatView tile) {
    cuda::mask_scores(masked.rows(), query, item, tile, machine);
    cuda::mask_scores(wanted.rows(), query, item, tile, machine);
    cuda::count_ranks(wanted.rows(), query, tile, own, higher, equal, machine);
  });
  cuda::rank_unscored(masked.rows(), wanted.rows(), queries, source.num_items(), own, higher, equal,
                      machine);
}

}  // namespace

void SimtBackend::topk(ConstFloatView queries, ConstFloatView items, const graph::CsrView& excluded,
                       MatrixView<NodeId> ids, FloatView scores) {
  require_device("topk", "queries", queries);
  require_shape("topk", "items", items, items.rows, queries.cols);
  select_topk("topk", Products{queries, items}, excluded, ids, scores, &machine_);
}

void SimtBackend::topk_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                              MatrixView<NodeId> ids, FloatView scores) {
  require_device("topk_scores", "all_scores", all_scores);
  select_topk("topk_scores", Table{all_scores}, excluded, ids, scores, &machine_);
}

void SimtBackend::rank_counts(ConstFloatView queries, ConstFloatView items,
                              const graph::CsrView& excluded, const graph::CsrView& targets,
                              VectorView<NodeId> higher, VectorView<NodeId> equal) {
  require_device("rank_counts", "queries", queries);
  require_shape("rank_counts", "items", items, items.rows, queries.cols);
  count("rank_counts", Products{queries, items}, excluded, targets, higher, equal, &machine_);
}

void SimtBackend::rank_counts_scores(ConstFloatView all_scores, const graph::CsrView& excluded,
                                     const graph::CsrView& targets, VectorView<NodeId> higher,
                                     VectorView<NodeId> equal) {
  require_device("rank_counts_scores", "all_scores", all_scores);
  count("rank_counts_scores", Table{all_scores}, excluded, targets, higher, equal, &machine_);
}

}  // namespace penchant::simt
