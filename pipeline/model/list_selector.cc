// SPDX-License-Identifier: Apache-2.0
// The best of the items that may be listed. Where only some may, they are made a table of their own,
// in ascending order, so that ties fall as among all. Where a value may come up only so often, the
// list is what a walk down the ranking takes: as much of the ranking is selected as the walk needs,
// four times as much whenever it was not enough.
#include <algorithm>
#include <limits>
#include <utility>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "pipeline/model/lists.h"

namespace penchant::pipeline {

using graph::Csr;
using graph::CsrView;
using graph::NodeId;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

constexpr std::int64_t kDeeper = 4;  ///< times as much of the ranking

/// One ranking of candidates after another, walked down.
class LimitedWalk {
 public:
  explicit LimitedWalk(const std::vector<ValueLimit>& limits) : limits_(limits) {
    for (const ValueLimit& limit : limits)
      counts_.emplace_back(static_cast<std::size_t>(limit.values.num_cols), 0);
  }

  /// Takes what the limits leave of a ranking, at most `most`; returns the places in it.
  const std::vector<std::int64_t>& take(std::span<const NodeId> items, std::int64_t most) {
    taken_.clear();
    for (auto& counts : counts_) std::fill(counts.begin(), counts.end(), 0);
    for (std::size_t j = 0; j < items.size() && std::cmp_less(taken_.size(), most); ++j) {
      if (items[j] == graph::kNoNode) break;
      if (fits(items[j])) taken_.push_back(static_cast<std::int64_t>(j));
    }
    return taken_;
  }

 private:
  bool fits(NodeId item) {
    for (std::size_t l = 0; l < limits_.size(); ++l) {
      for (const NodeId value : limits_[l].values.view().row(item)) {
        if (counts_[l][static_cast<std::size_t>(value)] == limits_[l].most) return false;
      }
    }
    for (std::size_t l = 0; l < limits_.size(); ++l) {
      for (const NodeId value : limits_[l].values.view().row(item))
        ++counts_[l][static_cast<std::size_t>(value)];
    }
    return true;
  }

  const std::vector<ValueLimit>& limits_;
  std::vector<std::vector<std::int64_t>> counts_;  ///< of each limit's values
  std::vector<std::int64_t> taken_;
};

}  // namespace

struct ListSelector::Impl {
  const ItemChoice choice;
  kernels::Backend& backend;
  std::int64_t num_items, k;
  FloatMatrix candidates = {};  ///< of a table that not all rows of may be listed
  const float* gathered = nullptr;
  Csr excluded = {};  ///< among the candidates
  kernels::Matrix<NodeId> ids = {};
  FloatMatrix scores = {};
  kernels::Download<NodeId> download_ids = {};
  kernels::Download<float> download_scores = {};
  std::vector<NodeId> items = {};  ///< of the lists, where they are not what was selected
  std::vector<float> item_scores = {};
  LimitedWalk walk = LimitedWalk(choice.limits);

  std::int64_t num_candidates() const {
    return choice.allowed ? static_cast<std::int64_t>(choice.allowed->size()) : num_items;
  }

  ConstFloatView candidates_of(ConstFloatView table) {
    if (!choice.allowed) return table;
    if (candidates.rows() != num_candidates() || candidates.cols() != table.cols)
      candidates = backend.matrix<float>(num_candidates(), table.cols);
    kernels::Upload<NodeId> upload;
    backend.gather_rows(table, upload(*choice.allowed, backend), candidates.view());
    backend.sync();
    return std::as_const(candidates).view();
  }

  CsrView excluded_candidates(const CsrView& from) {
    if (!choice.allowed || from.num_rows == 0) return from;
    const std::vector<NodeId>& allowed = *choice.allowed;
    excluded = {from.num_rows, num_candidates(), {0}, {}, {}};
    for (std::int64_t row = 0; row < from.num_rows; ++row) {
      for (const NodeId item : from.row(row)) {
        const auto found = std::lower_bound(allowed.begin(), allowed.end(), item);
        if (found != allowed.end() && *found == item)
          excluded.columns.push_back(static_cast<NodeId>(found - allowed.begin()));
      }
      excluded.offsets.push_back(static_cast<graph::EdgeOffset>(excluded.columns.size()));
    }
    return excluded.view();
  }

  struct Selected {
    kernels::MatrixView<const NodeId> ids;
    ConstFloatView scores;
  };

  /// The best `depth` of owners [first, first + count); `topk(first, count, excluded, ids, scores)`
  /// selects candidates.
  template <typename Topk>
  Selected select(const CsrView& without, std::int64_t first, std::int64_t count,
                  std::int64_t depth, const Topk& topk) {
    if (ids.rows() < count || ids.cols() != depth) {
      ids = backend.matrix<NodeId>(count, depth);
      scores = backend.matrix<float>(count, depth);
    }
    std::vector<graph::EdgeOffset> offsets;
    CsrView rows;
    if (without.num_rows > 0) {
      const graph::EdgeOffset base = without.offsets[graph::at(first)];
      for (std::int64_t row = first; row <= first + count; ++row)
        offsets.push_back(without.offsets[graph::at(row)] - base);
      rows = {count,
              without.num_cols,
              offsets,
              without.columns.subspan(graph::at(base), graph::at(offsets.back())),
              {}};
    }
    const auto to_ids = ids.view().rows_of(0, count);
    const auto to_scores = scores.view().rows_of(0, count);
    topk(first, count, rows, to_ids, to_scores);
    return {download_ids(kernels::MatrixView<const NodeId>(to_ids), backend),
            download_scores(ConstFloatView(to_scores), backend)};
  }

  /// Dense ids of the items of one list.
  void name_items(std::span<NodeId> list) const {
    if (!choice.allowed) return;
    for (NodeId& item : list) {
      if (item != graph::kNoNode) item = (*choice.allowed)[static_cast<std::size_t>(item)];
    }
  }

  template <typename Topk>
  ListBlock lists(const CsrView& from, std::span<const NodeId> owners, const Topk& topk) {
    const auto count = static_cast<std::int64_t>(owners.size());
    const CsrView without = excluded_candidates(from);
    const bool limited = !choice.limits.empty();
    const std::int64_t all = num_candidates();
    std::int64_t depth = std::min(all, limited ? kDeeper * k : k);
    Selected selected = select(without, 0, count, depth, topk);
    if (!choice.allowed && !limited && depth == k) return {owners, selected.ids, selected.scores};

    items.assign(static_cast<std::size_t>(count * k), graph::kNoNode);
    item_scores.assign(items.size(), -std::numeric_limits<float>::infinity());
    std::vector<std::int64_t> unfinished;
    std::vector<NodeId> ranking;
    const auto write = [&](std::int64_t owner, std::int64_t row) {
      ranking.assign(selected.ids.row(row), selected.ids.row(row) + depth);
      name_items(ranking);
      const auto first = static_cast<std::size_t>(owner * k);
      const std::vector<std::int64_t>& taken = walk.take(ranking, k);
      for (std::size_t j = 0; j < taken.size(); ++j) {
        items[first + j] = ranking[static_cast<std::size_t>(taken[j])];
        item_scores[first + j] = selected.scores(row, taken[j]);
      }
      const bool whole =
          std::cmp_equal(taken.size(), k) || depth == all || ranking.back() == graph::kNoNode;
      if (!whole) unfinished.push_back(owner);
    };
    for (std::int64_t row = 0; row < count; ++row) write(row, row);
    while (!unfinished.empty()) {
      depth = std::min(all, kDeeper * depth);
      for (const std::int64_t owner : std::exchange(unfinished, {})) {
        selected = select(without, owner, 1, depth, topk);
        write(owner, 0);
      }
    }
    return {owners,
            {items.data(), count, k, k, kernels::Device::cpu},
            {item_scores.data(), count, k, k, kernels::Device::cpu}};
  }
};

ListSelector::ListSelector(std::int64_t num_items, std::int64_t k, ItemChoice choice,
                           kernels::Backend& backend)
    : impl_(new Impl{std::move(choice), backend, num_items, k}) {}

ListSelector::~ListSelector() = default;

ListBlock ListSelector::by_vectors(ConstFloatView queries, ConstFloatView items,
                                   const CsrView& excluded, std::span<const NodeId> owners) {
  Impl& impl = *impl_;
  if (impl.choice.allowed && impl.gathered != items.data) impl.candidates_of(items);
  impl.gathered = items.data;
  const ConstFloatView candidates =
      impl.choice.allowed ? std::as_const(impl.candidates).view() : items;
  return impl.lists(excluded, owners,
                    [&](std::int64_t first, std::int64_t count, const CsrView& rows,
                        kernels::MatrixView<NodeId> ids, kernels::FloatView scores) {
                      impl.backend.topk(queries.rows_of(first, count), candidates, rows, ids,
                                        scores);
                    });
}

ListBlock ListSelector::by_scores(ConstFloatView all_scores, const CsrView& excluded,
                                  std::span<const NodeId> owners) {
  Impl& impl = *impl_;
  const ConstFloatView candidates = impl.candidates_of(all_scores);
  return impl.lists(excluded, owners,
                    [&](std::int64_t first, std::int64_t count, const CsrView& rows,
                        kernels::MatrixView<NodeId> ids, kernels::FloatView scores) {
                      impl.backend.topk_scores(candidates.cols_of(first, count), rows, ids, scores);
                    });
}

}  // namespace penchant::pipeline
