// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/lists.h"

#include <algorithm>
#include <future>
#include <memory>
#include <string_view>
#include <vector>

#include "pipeline/artifact/interrupt.h"

namespace penchant::pipeline {

using graph::NodeId;

namespace {

constexpr std::size_t kRowsPerWrite = 65536;

/// Rows of lists as a file takes them, some at a time.
class RankedRowWriter {
 public:
  RankedRowWriter(RankedFile& file, const graph::Dictionary& owners, const graph::Dictionary& items)
      : file_(file), owner_ids_(owners), item_ids_(items) {}
  void add(const ListBlock& block) {
    for (std::size_t row = 0; row < block.owners.size(); ++row) {
      const auto list = static_cast<std::int64_t>(row);
      const std::string_view owner = owner_ids_.raw(block.owners[row]);
      for (std::int64_t j = 0; j < block.items.cols; ++j) {
        const NodeId item = block.items(list, j);
        if (item == graph::kNoNode) break;
        owners_.push_back(owner);
        items_.push_back(item_ids_.raw(item));
        scores_.push_back(block.scores(list, j));
        ranks_.push_back(static_cast<std::int32_t>(j + 1));
        if (owners_.size() == kRowsPerWrite) flush();
      }
    }
  }
  void flush() {
    if (owners_.empty()) return;
    file_.write({owners_, items_, scores_, ranks_});
    owners_.clear();
    items_.clear();
    scores_.clear();
    ranks_.clear();
  }

 private:
  RankedFile& file_;
  const graph::Dictionary& owner_ids_;
  const graph::Dictionary& item_ids_;
  std::vector<std::string_view> owners_, items_;
  std::vector<float> scores_;
  std::vector<std::int32_t> ranks_;
};

}  // namespace

ListCounts make_lists(ListMaker& lists, std::span<const NodeId> owners, const ListSink& sink,
                      Progress& progress) {
  ListCounts counts;
  const auto block_size = static_cast<std::size_t>(lists.block_size());
  for (std::size_t first = 0; first < owners.size(); first += block_size) {
    const ListBlock block =
        lists.make(owners.subspan(first, std::min(block_size, owners.size() - first)));
    sink(block);
    counts.lists += block.items.rows;
    for (std::int64_t row = 0; row < block.items.rows; ++row) {
      const NodeId* const list = block.items.row(row);
      const std::int64_t length = std::find(list, list + block.items.cols, graph::kNoNode) - list;
      counts.rows += length;
      counts.short_lists += length < block.items.cols ? 1 : 0;
    }
    progress.update(counts.lists, static_cast<std::int64_t>(owners.size()), "lists");
    stop_if_asked(progress);
  }
  return counts;
}

namespace {

/// A block that is written while the next one is made.
class BlockCopy {
 public:
  explicit BlockCopy(const ListBlock& block)
      : owners_(block.owners.begin(), block.owners.end()), k_(block.items.cols) {
    for (std::int64_t row = 0; row < block.items.rows; ++row) {
      items_.insert(items_.end(), block.items.row(row), block.items.row(row) + k_);
      scores_.insert(scores_.end(), block.scores.row(row), block.scores.row(row) + k_);
    }
  }
  ListBlock view() const {
    const auto rows = static_cast<std::int64_t>(owners_.size());
    return {owners_,
            {items_.data(), rows, k_, k_, kernels::Device::cpu},
            {scores_.data(), rows, k_, k_, kernels::Device::cpu}};
  }

 private:
  std::vector<NodeId> owners_, items_;
  std::vector<float> scores_;
  std::int64_t k_;
};

}  // namespace

ListCounts write_lists(ListMaker& lists, const ListOwners& owners, const graph::Dictionary& items,
                       RankedFile& file, Progress& progress) {
  RankedRowWriter writer(file, owners.raw_ids, items);
  std::future<void>
      written;  // one block at a time, so that rows stay in order; its end is waited for
  const auto write = [&](const ListBlock& block) {
    auto copy = std::make_shared<const BlockCopy>(block);
    if (written.valid()) written.get();
    written = std::async(std::launch::async, [&writer, copy] { writer.add(copy->view()); });
  };
  const ListCounts counts = make_lists(lists, owners.ids, write, progress);
  if (written.valid()) written.get();
  writer.flush();
  file.commit();
  return counts;
}

}  // namespace penchant::pipeline
