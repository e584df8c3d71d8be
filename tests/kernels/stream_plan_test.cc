// SPDX-License-Identifier: Apache-2.0
// Streaming of sparse matrices without a GPU: the cuts, the equality of a block's plan wherever it
// lies, and the schedule, which is run on two simulated queues in many interleavings.
#include "kernels/cuda/stream_plan.h"

#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/data.h"

namespace penchant::kernels::cuda {
namespace {

TEST(StreamPlan, BlocksCoverAllRowsInOrderAndFit) {
  const graph::Csr matrix = support::random_sparse(2000, 500, 20, support::Values::present, 7);
  for (const std::int64_t capacity : {1, 2048, 4096, 20000, 1 << 30}) {
    const std::vector<RowBlock> blocks = cut_rows(matrix.offsets, HasValues::yes, capacity);
    std::int64_t row = 0;
    for (const RowBlock& block : blocks) {
      EXPECT_EQ(block.first_row, row);
      EXPECT_EQ(block.first_entry, matrix.offsets[static_cast<std::size_t>(row)]);
      row += block.num_rows;
      EXPECT_EQ(block.first_entry + block.num_entries,
                matrix.offsets[static_cast<std::size_t>(row)]);
      const bool fits =
          most_block_bytes(block.num_rows, block.num_entries, HasValues::yes) <= capacity;
      EXPECT_TRUE(fits || block.num_rows == 1);
    }
    EXPECT_EQ(row, matrix.num_rows);
  }
  EXPECT_EQ(cut_rows(matrix.offsets, HasValues::yes, 1 << 30).size(), 1U);
  EXPECT_TRUE(cut_rows(std::vector<graph::EdgeOffset>{0}, HasValues::no, 100).empty());
}

// The bound that cuts are made by holds for the real plan, long rows included.
TEST(StreamPlan, ABlockTakesNoMoreThanItsBound) {
  for (const std::int64_t mean : {0, 3, 40, 600, 3000}) {
    const graph::Csr matrix = support::random_sparse(60, 4000, mean, support::Values::absent, 3);
    const SpmmPlan plan = make_spmm_plan(matrix.view());
    const auto entries = static_cast<std::int64_t>(matrix.columns.size());
    const BlockLayout layout =
        block_layout(static_cast<std::int64_t>(plan.tasks.size()),
                     static_cast<std::int64_t>(plan.long_rows.size()), entries, HasValues::no);
    EXPECT_LE(layout.bytes, most_block_bytes(matrix.num_rows, entries, HasValues::no)) << mean;
  }
}

// With table rows: the block's arrays and its rows of a table of 128 floats fit together.
TEST(StreamPlan, BlocksWithTableRowsCoverAllRowsInOrderAndFit) {
  const graph::Csr matrix = support::random_sparse(2000, 500, 20, support::Values::present, 7);
  std::size_t cuts = 0;
  for (const std::int64_t capacity : {1, 40000, 100000, 1 << 30}) {
    const auto blocks = cut_rows_with_tables(matrix.view(), HasValues::yes, capacity);
    std::int64_t row = 0;
    for (const RowBlock& block : blocks) {
      ASSERT_EQ(block.first_row, row);
      row += block.num_rows;
      std::vector<graph::EdgeOffset> offsets;
      const graph::CsrView part = block_of(matrix.view(), block, offsets);
      const SpmmPlan plan = make_spmm_plan(part);
      const auto rows = static_cast<std::int64_t>(table_rows(part.columns).ids.size());
      const BlockLayout layout = block_layout(static_cast<std::int64_t>(plan.tasks.size()),
                                              static_cast<std::int64_t>(plan.long_rows.size()),
                                              block.num_entries, HasValues::yes, rows);
      const bool fits = layout.bytes + rows * kTableColumns * 4 <= capacity;
      EXPECT_TRUE(fits || block.num_rows == 1) << capacity;
    }
    EXPECT_EQ(row, matrix.num_rows);
    cuts += blocks.size() > 1 && blocks.size() < 1000 ? 1 : 0;
  }
  EXPECT_EQ(cuts, 2U) << "some capacity must cut between rows";
}

//  columns 9 4 | 7 4 4 9  of a block: rows 4, 7, 9 of the table come with it
TEST(StreamPlan, ColumnsCountAmongTheTableRowsOfTheBlock) {
  const std::vector<graph::NodeId> columns = {9, 4, 7, 4, 4, 9};
  const TableRows rows = table_rows(columns);
  EXPECT_EQ(rows.ids, (std::vector<graph::NodeId>{4, 7, 9}));
  EXPECT_EQ(rows.columns, (std::vector<graph::NodeId>{2, 0, 1, 0, 0, 2}));
  EXPECT_TRUE(table_rows({}).ids.empty());
}

TEST(StreamPlan, ArraysOfABlockDoNotOverlap) {
  const BlockLayout layout = block_layout(5, 3, 1000, HasValues::yes, 77);
  EXPECT_EQ(layout.tasks, 0);
  EXPECT_GE(layout.long_rows, 5 * 16);
  EXPECT_GE(layout.columns, layout.long_rows + 3 * 16);
  EXPECT_GE(layout.values, layout.columns + 4000);
  EXPECT_GE(layout.table_ids, layout.values + 4000);
  EXPECT_GE(layout.bytes, layout.table_ids + 77 * 4);
  for (const std::int64_t place :
       {layout.long_rows, layout.columns, layout.values, layout.table_ids})
    EXPECT_EQ(place % 256, 0);
}

/// Two queues of operations, as two CUDA streams: each runs in order, a wait holds its queue until
/// the record that was the last before it has run.
class SimulatedQueues {
 public:
  enum class Kind { wait, record, copy, multiply };
  struct Operation {
    Kind kind;
    std::int64_t number;  ///< of copy and multiply: block; else: of the record, -1 for none
    int buffer;
  };

  void copies_wait_for_table() {
    record(kProducts, table_event_);
    wait(kCopies, table_event_);
  }
  void copies_wait_for_product(int buffer) { wait(kCopies, product_event_[buffer]); }
  void product_waits_for_copy(int buffer) { wait(kProducts, copy_event_[buffer]); }
  void copy(std::int64_t block, int buffer) {
    queues_[kCopies].push_back({Kind::copy, block, buffer});
  }
  void multiply(std::int64_t block, int buffer) {
    queues_[kProducts].push_back({Kind::multiply, block, buffer});
  }
  void record_copy(int buffer) { record(kCopies, copy_event_[buffer]); }
  void record_product(int buffer) { record(kProducts, product_event_[buffer]); }

  /// Runs everything; `choose` says which queue goes on where both can. Returns what the products
  /// read, in order; -1 where a copy was overwriting it.
  template <typename Choose>
  std::vector<std::int64_t> run(Choose choose) const {
    std::vector<bool> recorded(static_cast<std::size_t>(num_records_), false);
    std::size_t next[2] = {0, 0};
    std::int64_t content[kStreamBuffers] = {-1, -1};
    std::vector<std::int64_t> read;
    const auto ready = [&](int queue) {
      if (next[queue] == queues_[queue].size()) return false;
      const Operation& first = queues_[queue][next[queue]];
      return first.kind != Kind::wait || first.number < 0 ||
             recorded[static_cast<std::size_t>(first.number)];
    };
    while (ready(kCopies) || ready(kProducts)) {
      int queue = ready(kCopies) ? kCopies : kProducts;
      if (ready(kCopies) && ready(kProducts)) queue = choose() ? kCopies : kProducts;
      const Operation operation = queues_[queue][next[queue]++];
      if (operation.kind == Kind::record)
        recorded[static_cast<std::size_t>(operation.number)] = true;
      if (operation.kind == Kind::copy) content[operation.buffer] = operation.number;
      if (operation.kind == Kind::multiply) read.push_back(content[operation.buffer]);
    }
    EXPECT_EQ(next[kCopies], queues_[kCopies].size()) << "a queue waits for ever";
    EXPECT_EQ(next[kProducts], queues_[kProducts].size()) << "a queue waits for ever";
    return read;
  }

 private:
  static constexpr int kCopies = 0;
  static constexpr int kProducts = 1;
  void wait(int queue, std::int64_t event) { queues_[queue].push_back({Kind::wait, event, 0}); }
  void record(int queue, std::int64_t& event) {
    event = num_records_++;
    queues_[queue].push_back({Kind::record, event, 0});
  }

  std::vector<Operation> queues_[2];
  std::int64_t num_records_ = 0;
  std::int64_t table_event_ = -1;
  std::int64_t copy_event_[kStreamBuffers] = {-1, -1};
  std::int64_t product_event_[kStreamBuffers] = {-1, -1};
};

TEST(StreamSchedule, EveryProductReadsItsOwnBlockInAnyInterleaving) {
  for (const std::int64_t blocks : {0, 1, 2, 3, 4, 7}) {
    SimulatedQueues queues;
    std::vector<std::int64_t> want;
    for (int product = 0; product < 3; ++product) {  // buffers go round from product to product
      stream_blocks(blocks, queues);
      for (std::int64_t block = 0; block < blocks; ++block) want.push_back(block);
    }
    EXPECT_EQ(queues.run([] { return true; }), want) << "copies as early as they can";
    EXPECT_EQ(queues.run([] { return false; }), want) << "copies as late as they can";
    std::mt19937 random(5);
    for (int trial = 0; trial < 200; ++trial)
      EXPECT_EQ(queues.run([&] { return random() % 2 == 0; }), want) << blocks << " blocks";
  }
}

/// Counts how many copies can have run before the first product does.
TEST(StreamSchedule, CopiesRunAheadOfProducts) {
  struct Order {
    std::vector<char> enqueued;
    void copies_wait_for_table() {}
    void copies_wait_for_product(int) {}
    void product_waits_for_copy(int) {}
    void copy(std::int64_t, int) { enqueued.push_back('c'); }
    void multiply(std::int64_t, int) { enqueued.push_back('m'); }
    void record_copy(int) {}
    void record_product(int) {}
  } order;
  stream_blocks(4, order);
  EXPECT_EQ(std::string(order.enqueued.begin(), order.enqueued.end()), "ccmcmcmm");
}

}  // namespace
}  // namespace penchant::kernels::cuda
