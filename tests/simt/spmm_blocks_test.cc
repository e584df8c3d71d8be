// SPDX-License-Identifier: Apache-2.0
// Sets of rows of a streamed matrix: blocks look their rows and columns up where they stand in the
// whole matrix, also where a block brings its table rows with it.
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/spmm.cuh"
#include "kernels/cuda/stream_plan.h"
#include "tests/simt/simt_backend.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels::cuda {
namespace {

using support::Dense;
using support::Guarded;

constexpr std::int64_t kMatrixRows = 300;
constexpr std::int64_t kMatrixCols = 200;
constexpr std::int64_t kTableWidth = 32;

/// Every `step`-th row.
Vector<std::uint32_t> every(simt::SimtBackend& backend, std::int64_t step, std::int64_t num_rows) {
  Dense ids(1, 0);
  for (std::int64_t i = 0; i < num_rows; i += step) {
    ids.values.push_back(static_cast<double>(i));
    ++ids.cols;
  }
  const Guarded<graph::NodeId> on_device(backend, ids);
  Vector<std::uint32_t> rows = backend.vector<std::uint32_t>(row_set_words(num_rows));
  const IdView lists[] = {on_device.vector()};
  backend.mark_rows(lists, num_rows, rows.view());
  return rows;
}

TEST(SpmmBlocks, LookSetsOfRowsUpInTheWholeMatrix) {
  simt::SimtBackend backend(simt::Schedule::ascending);
  simt::Machine machine(simt::Schedule::ascending);
  for (const std::int64_t mean : {4, 60}) {
    const graph::Csr matrix =
        support::random_sparse(kMatrixRows, kMatrixCols, mean, support::Values::present, 5);
    const Guarded<float> x(backend, support::random_dense(kMatrixCols, kTableWidth, 6));
    const Guarded<float> addend(backend, support::random_dense(kMatrixRows, kTableWidth, 7));
    const Vector<std::uint32_t> wanted = every(backend, 3, kMatrixRows);
    const Vector<std::uint32_t> nonzero = every(backend, 2, kMatrixCols);
    const Vector<std::uint32_t> nonzero_addend = every(backend, 5, kMatrixRows);
    SpmmOptions options;
    options.wanted = wanted.view();
    options.nonzero = nonzero.view();
    options.nonzero_addend = nonzero_addend.view();
    options.addend = addend.view();
    const Dense before(kMatrixRows, kTableWidth, 3.0);
    const Guarded<float> whole(backend, before);
    backend.spmm(*backend.sparse(matrix.view()), ConstFloatView(x.view()), whole.view(), options);

    for (const bool brings_tables : {false, true}) {
      SCOPED_TRACE(testing::Message() << "rows of " << mean << ", tables " << brings_tables);
      const Guarded<float> parts(backend, before);
      const std::int64_t capacity = brings_tables ? 24000 + mean * 3000 : mean * 1000;
      const auto blocks = brings_tables
                              ? cut_rows_with_tables(matrix.view(), HasValues::yes, capacity)
                              : cut_rows(matrix.offsets, HasValues::yes, capacity);
      EXPECT_GT(blocks.size(), 1U);
      for (const RowBlock& block : blocks) {
        std::vector<graph::EdgeOffset> offsets;
        graph::CsrView part = block_of(matrix.view(), block, offsets);
        const SpmmPlan plan = make_spmm_plan(part, segment_entries(matrix.view().num_entries()));
        SpmmOperand operand{plan.tasks.data(),
                            plan.long_rows.data(),
                            static_cast<std::int64_t>(plan.tasks.size()),
                            plan.num_segments,
                            plan.num_medium,
                            static_cast<std::int64_t>(plan.long_rows.size()),
                            part.columns.data(),
                            part.values.data()};
        operand.first_row = block.first_row;
        const TableRows rows = table_rows(part.columns);
        FloatMatrix table;
        ConstFloatView gathered = x.view();
        if (brings_tables) {
          const auto count = static_cast<std::int64_t>(rows.ids.size());
          table = backend.matrix<float>(count, kTableWidth);
          backend.gather_rows(x.view(), {rows.ids.data(), count, Device::cuda}, table.view());
          gathered = table.view();
          operand.columns = rows.columns.data();
          operand.table_ids = rows.ids.data();
        }
        SpmmOptions of_block = options;
        of_block.addend = addend.view().rows_of(block.first_row, block.num_rows);
        std::vector<float> scratch(
            static_cast<std::size_t>(spmm_scratch_size(operand, kTableWidth)));
        spmm_binned(
            operand, gathered, parts.view().rows_of(block.first_row, block.num_rows), of_block,
            {scratch.data(), static_cast<std::int64_t>(scratch.size()), Device::cuda}, &machine);
      }
      EXPECT_TRUE(same_bits(parts.dense(), whole.dense(), {"simt", 5}));
    }
  }
}

}  // namespace
}  // namespace penchant::kernels::cuda
