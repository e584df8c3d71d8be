// SPDX-License-Identifier: Apache-2.0
// A sparse matrix that is larger than its share of device memory: cut in blocks of rows, which are
// copied from pinned memory into two buffers in turn, the copy of one block behind the product of
// the block before. Blocks are consecutive rows: in METIS order (train.node_order) they are parts,
// whose gathers stay together. Where the tables of node vectors do not fit either, a block brings
// the table rows that its columns name with it (TableRows), and its columns count among those.
// Host code without CUDA, so that cuts and schedule are tested where
// there is no GPU.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/csr.h"
#include "graph/ids.h"
#include "kernels/cuda/spmm_plan.h"

namespace penchant::kernels::cuda {

/// Where the arrays of a block lie in its one piece of memory, each at a multiple of 256 bytes.
struct BlockLayout {
  std::int64_t tasks = 0;
  std::int64_t long_rows = 0;
  std::int64_t columns = 0;
  std::int64_t values = 0;
  std::int64_t table_ids = 0;
  std::int64_t bytes = 0;
};

enum class HasValues : bool { no, yes };

inline BlockLayout block_layout(std::int64_t num_tasks, std::int64_t num_long_rows,
                                std::int64_t num_entries, HasValues has_values,
                                std::int64_t num_table_rows = 0) {
  BlockLayout layout;
  const auto append = [&layout](std::int64_t bytes) {
    const std::int64_t place = layout.bytes;
    layout.bytes += (bytes + 255) / 256 * 256;
    return place;
  };
  layout.tasks = append(num_tasks * static_cast<std::int64_t>(sizeof(SpmmTask)));
  layout.long_rows = append(num_long_rows * static_cast<std::int64_t>(sizeof(SpmmLongRow)));
  layout.columns = append(num_entries * static_cast<std::int64_t>(sizeof(graph::NodeId)));
  layout.values = append(
      has_values == HasValues::yes ? num_entries * static_cast<std::int64_t>(sizeof(float)) : 0);
  layout.table_ids = append(num_table_rows * static_cast<std::int64_t>(sizeof(graph::NodeId)));
  return layout;
}

struct RowBlock {
  std::int64_t first_row = 0;
  std::int64_t num_rows = 0;
  std::int64_t first_entry = 0;
  std::int64_t num_entries = 0;
};

/// The most that a block of so many rows and entries can take, whatever its rows' lengths; long ones
/// are cut in segments of `segment` entries.
inline std::int64_t most_block_bytes(std::int64_t num_rows, std::int64_t num_entries,
                                     HasValues has_values, std::int64_t segment) {
  const std::int64_t segments = num_entries / segment;
  return block_layout(num_rows + segments, segments, num_entries, has_values).bytes;
}

inline std::int64_t most_block_bytes(std::int64_t num_rows, std::int64_t num_entries,
                                     HasValues has_values) {
  return most_block_bytes(num_rows, num_entries, has_values, segment_entries(num_entries));
}

/// Consecutive blocks of whole rows of at most `capacity` bytes each, as long as they go; a row
/// that alone exceeds it is a block of its own.
inline std::vector<RowBlock> cut_rows(std::span<const graph::EdgeOffset> offsets,
                                      HasValues has_values, std::int64_t capacity) {
  std::vector<RowBlock> blocks;
  const auto num_rows = static_cast<std::int64_t>(offsets.size()) - 1;
  const std::int64_t segment = segment_entries(offsets.back());
  RowBlock block;
  for (std::int64_t row = 0; row < num_rows; ++row) {
    const std::int64_t end = offsets[static_cast<std::size_t>(row) + 1];
    if (block.num_rows > 0 && most_block_bytes(block.num_rows + 1, end - block.first_entry,
                                               has_values, segment) > capacity) {
      blocks.push_back(block);
      block = {row, 0, offsets[static_cast<std::size_t>(row)], 0};
    }
    ++block.num_rows;
    block.num_entries = end - block.first_entry;
  }
  if (block.num_rows > 0) blocks.push_back(block);
  return blocks;
}

/// Floats a table row that blocks with table rows are cut for; wider tables take more than their
/// share of device memory.
inline constexpr std::int64_t kTableColumns = 128;

/// cut_rows for blocks that bring their table rows: `capacity` holds a block's arrays and its rows
/// of a table of kTableColumns floats.
inline std::vector<RowBlock> cut_rows_with_tables(const graph::CsrView& matrix,
                                                  HasValues has_values, std::int64_t capacity) {
  constexpr auto kRowBytes =
      static_cast<std::int64_t>(kTableColumns * sizeof(float) + sizeof(graph::NodeId));
  std::vector<RowBlock> blocks;
  std::vector<std::int64_t> block_of_column(static_cast<std::size_t>(matrix.num_cols), -1);
  const std::int64_t segment = segment_entries(matrix.num_entries());
  RowBlock block;
  std::int64_t num_table_rows = 0;
  const auto mark = [&](std::int64_t row) {
    std::int64_t marked = 0;
    for (const graph::NodeId column : matrix.row(row)) {
      std::int64_t& last = block_of_column[static_cast<std::size_t>(column)];
      if (last == static_cast<std::int64_t>(blocks.size())) continue;
      last = static_cast<std::int64_t>(blocks.size());
      ++marked;
    }
    return marked;
  };
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    const std::int64_t end = matrix.offsets[static_cast<std::size_t>(row) + 1];
    num_table_rows += mark(row);
    if (block.num_rows > 0 &&
        most_block_bytes(block.num_rows + 1, end - block.first_entry, has_values, segment) +
                num_table_rows * kRowBytes + 256 >
            capacity) {
      blocks.push_back(block);
      block = {row, 0, matrix.offsets[static_cast<std::size_t>(row)], 0};
      num_table_rows = mark(row);
    }
    ++block.num_rows;
    block.num_entries = end - block.first_entry;
  }
  if (block.num_rows > 0) blocks.push_back(block);
  return blocks;
}

/// The table rows that a block needs, ascending, and its columns as places among them: the order of
/// a row's sum stays what it was.
struct TableRows {
  std::vector<graph::NodeId> ids;
  std::vector<graph::NodeId> columns;
};
inline TableRows table_rows(std::span<const graph::NodeId> columns) {
  TableRows rows{{columns.begin(), columns.end()}, {}};
  std::sort(rows.ids.begin(), rows.ids.end());
  rows.ids.erase(std::unique(rows.ids.begin(), rows.ids.end()), rows.ids.end());
  rows.columns.reserve(columns.size());
  for (const graph::NodeId column : columns) {
    const auto place = std::lower_bound(rows.ids.begin(), rows.ids.end(), column);
    rows.columns.push_back(static_cast<graph::NodeId>(place - rows.ids.begin()));
  }
  return rows;
}

/// A block as a matrix of its own, so that its plan, and with it the order of its sums, does not
/// depend on where it lies. `offsets` is filled and must outlive the view.
inline graph::CsrView block_of(const graph::CsrView& matrix, const RowBlock& block,
                               std::vector<graph::EdgeOffset>& offsets) {
  offsets.clear();
  for (std::int64_t row = 0; row <= block.num_rows; ++row) {
    offsets.push_back(matrix.offsets[static_cast<std::size_t>(block.first_row + row)] -
                      block.first_entry);
  }
  const auto part = [&block](auto array) {
    return array.empty() ? array
                         : array.subspan(static_cast<std::size_t>(block.first_entry),
                                         static_cast<std::size_t>(block.num_entries));
  };
  return {block.num_rows, matrix.num_cols, offsets, part(matrix.columns), part(matrix.values)};
}

inline constexpr int kStreamBuffers = 2;

/// Enqueues the copies and products of all blocks. `queues` has two queues, of copies and of
/// products, and for each buffer an event of either; a wait for an event that was never recorded
/// passes. Buffers are free for the next call when their last product's event has come. Copies that
/// read the table wait for what the queue of products held before this call.
///   copies_wait_for_table()
///   copies_wait_for_product(buffer)  product_waits_for_copy(buffer)
///   copy(block, buffer)              multiply(block, buffer)
///   record_copy(buffer)              record_product(buffer)
template <typename Queues>
void stream_blocks(std::int64_t num_blocks, Queues& queues) {
  const auto copy = [&queues](std::int64_t block) {
    const int buffer = static_cast<int>(block % kStreamBuffers);
    queues.copies_wait_for_product(buffer);
    queues.copy(block, buffer);
    queues.record_copy(buffer);
  };
  queues.copies_wait_for_table();
  for (std::int64_t block = 0; block < std::min<std::int64_t>(kStreamBuffers, num_blocks); ++block)
    copy(block);
  for (std::int64_t block = 0; block < num_blocks; ++block) {
    const int buffer = static_cast<int>(block % kStreamBuffers);
    queues.product_waits_for_copy(buffer);
    queues.multiply(block, buffer);
    queues.record_product(buffer);
    if (block + kStreamBuffers < num_blocks) copy(block + kStreamBuffers);
  }
}

}  // namespace penchant::kernels::cuda
