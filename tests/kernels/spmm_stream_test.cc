// SPDX-License-Identifier: Apache-2.0
// A streamed matrix gives the bits of one that lies in device memory whole: its blocks one by one
// on the emulation of the kernels, and the stream itself on a GPU.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "kernels/cuda/stream_plan.h"
#include "tests/simt/simt_backend.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using support::Dense;
using support::Guarded;

struct StreamCase {
  std::int64_t rows, cols, mean, width;
  support::Values values;
};
/// Short, medium and long rows; long ones are cut in segments.
constexpr StreamCase kCases[] = {{300, 200, 4, 32, support::Values::present},
                                 {120, 900, 60, 64, support::Values::absent},
                                 {40, 3000, 700, 16, support::Values::present},
                                 {25, 3000, 900, 7, support::Values::absent}};
constexpr std::int64_t kCapacities[] = {3000, 20000, std::int64_t{1} << 40};

TEST(SpmmInBlocks, HasTheBitsOfTheWhole) {
  simt::SimtBackend backend(simt::Schedule::ascending);
  for (const StreamCase& c : kCases) {
    const graph::Csr matrix = support::random_sparse(c.rows, c.cols, c.mean, c.values, 5);
    const Guarded<float> x(backend, support::random_dense(c.cols, c.width, 6));
    const Guarded<float> whole(backend, c.rows, c.width);
    backend.spmm(*backend.sparse(matrix.view()), x.view(), whole.view(), {});
    const auto has_values = matrix.values.empty() ? cuda::HasValues::no : cuda::HasValues::yes;
    for (const std::int64_t capacity : kCapacities) {
      SCOPED_TRACE(testing::Message() << c.rows << " rows of " << c.mean << ", " << capacity);
      const Guarded<float> parts(backend, c.rows, c.width);
      for (const cuda::RowBlock& block : cuda::cut_rows(matrix.offsets, has_values, capacity)) {
        std::vector<graph::EdgeOffset> offsets;
        const auto sparse = backend.sparse(cuda::block_of(matrix.view(), block, offsets));
        backend.spmm(*sparse, x.view(), parts.view().rows_of(block.first_row, block.num_rows), {});
      }
      EXPECT_TRUE(same_bits(parts.dense(), whole.dense(), {"simt", 5}));
      EXPECT_TRUE(parts.intact());
    }
  }
}

// Blocks that bring their table rows: gathered, and named by their places among them.
TEST(SpmmInBlocks, WithTheirTableRowsHasTheBitsOfTheWhole) {
  simt::SimtBackend backend(simt::Schedule::descending);
  for (const StreamCase& c : kCases) {
    const graph::Csr matrix = support::random_sparse(c.rows, c.cols, c.mean, c.values, 5);
    const Guarded<float> x(backend, support::random_dense(c.cols, c.width, 6));
    const Guarded<float> whole(backend, c.rows, c.width);
    backend.spmm(*backend.sparse(matrix.view()), x.view(), whole.view(), {});
    const auto has_values = matrix.values.empty() ? cuda::HasValues::no : cuda::HasValues::yes;
    for (const std::int64_t capacity : {20000, 200000, 1 << 30}) {
      SCOPED_TRACE(testing::Message() << c.rows << " rows of " << c.mean << ", " << capacity);
      const Guarded<float> parts(backend, c.rows, c.width);
      for (const cuda::RowBlock& block :
           cuda::cut_rows_with_tables(matrix.view(), has_values, capacity)) {
        std::vector<graph::EdgeOffset> offsets;
        graph::CsrView part = cuda::block_of(matrix.view(), block, offsets);
        const cuda::TableRows rows = cuda::table_rows(part.columns);
        part.columns = rows.columns;
        part.num_cols = static_cast<std::int64_t>(rows.ids.size());
        FloatMatrix table = backend.matrix<float>(part.num_cols, c.width);
        backend.gather_rows(x.view(), {rows.ids.data(), part.num_cols, Device::cuda}, table.view());
        backend.spmm(*backend.sparse(part), table.view(),
                     parts.view().rows_of(block.first_row, block.num_rows), {});
      }
      EXPECT_TRUE(same_bits(parts.dense(), whole.dense(), {"simt", 5}));
      EXPECT_TRUE(parts.intact());
    }
  }
}

TEST(SpmmStreamed, OnTheDeviceHasTheBitsOfTheWhole) {
  BackendOptions options;
  options.device = DeviceChoice::cuda;
  std::unique_ptr<Backend> backend;
  try {
    backend = make_backend(options);
  } catch (const DeviceError& error) {
    const char* required = std::getenv("PENCHANT_REQUIRE_GPU");
    if (required != nullptr && std::string(required) == "1") FAIL() << error.what();
    GTEST_SKIP() << error.what();
  }
  for (const StreamCase& c : kCases) {
    const graph::Csr matrix = support::random_sparse(c.rows, c.cols, c.mean, c.values, 5);
    const Dense table = support::random_dense(c.cols, c.width, 6);
    // By a float32 table, then, below it, by a bf16 one.
    const auto product = [&](Backend& on) {
      const Guarded<float> x(on, table);
      const Guarded<float> y(on, 2 * c.rows, c.width);
      Matrix<Bf16> narrow = on.matrix<Bf16>(c.cols, c.width);
      on.convert(x.view(), narrow.view());
      const MatrixView<const Bf16> narrow_view = narrow.view();
      const auto sparse = on.sparse(matrix.view());
      for (int repeat = 0; repeat < 3; ++repeat) {
        on.spmm(*sparse, x.view(), y.view().rows_of(0, c.rows), {});
        on.spmm(*sparse, narrow_view, y.view().rows_of(c.rows, c.rows), {});
      }
      EXPECT_TRUE(y.intact());
      return y.dense();
    };
    const Dense whole = product(*backend);
    for (const std::int64_t capacity : kCapacities) {
      BackendOptions streamed = options;
      streamed.cuda = cuda_options_from_environment();
      streamed.cuda->sparse_bytes = capacity;
      EXPECT_TRUE(same_bits(product(*make_backend(streamed)), whole, {"cuda", 5})) << capacity;
      // Tables in host memory, whose rows the blocks bring.
      streamed.cuda->table_bytes = 1;
      streamed.cuda->table_streaming = TableStreaming::on;
      EXPECT_TRUE(same_bits(product(*make_backend(streamed)), whole, {"cuda", 5}))
          << capacity << ", tables in host memory";
    }
  }
}

}  // namespace
}  // namespace penchant::kernels
