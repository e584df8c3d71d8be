// SPDX-License-Identifier: Apache-2.0
// Offsets beyond 2^31 elements, which a product in 32 bits would wrap around: tables of 40 million
// rows of 64 and views whose rows lie 2^26 floats apart, in memory that exists where it is touched.
// The mapping reaches as far before its first element, so that a wrapped offset finds zeros and
// makes a wrong result instead of ending the process.
#include <cmath>
#include <vector>

#include <sys/mman.h>

#include <gtest/gtest.h>

#include "kernels/cuda/rank_counts.cuh"
#include "tests/simt/simt_backend.h"

namespace penchant::kernels::cuda {
namespace {

constexpr std::int64_t kManyRows = 40'000'000;
constexpr std::int64_t kCols = 64;
constexpr std::int64_t kFarStride = std::int64_t{1} << 26;
constexpr std::int64_t kFarRows = 40;
/// Of kManyRows x kCols, and of kFarRows x kFarStride.
constexpr std::int64_t kElements = kFarRows * kFarStride;
constexpr std::int64_t kBefore = std::int64_t{1} << 31;

class SparseMapping {
 public:
  SparseMapping()
      : memory_(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  ~SparseMapping() {
    if (made()) munmap(memory_, kBytes);
  }
  SparseMapping(const SparseMapping&) = delete;
  SparseMapping& operator=(const SparseMapping&) = delete;

  bool made() const { return memory_ != MAP_FAILED; }
  float* data() const { return static_cast<float*>(memory_) + kBefore; }
  FloatView many_rows() const { return {data(), kManyRows, kCols, kCols, Device::cuda}; }
  FloatView far_rows(std::int64_t cols) const {
    return {data(), kFarRows, cols, kFarStride, Device::cuda};
  }

 private:
  static constexpr std::size_t kBytes =
      static_cast<std::size_t>(kBefore + kElements) * sizeof(float);
  void* memory_;
};

/// Rows on both sides of 2^31 elements, and the last.
const std::vector<graph::NodeId> kRows = {3, 33'554'431, 33'554'432, kManyRows - 1};

float number_of(std::int64_t row, std::int64_t col) {
  return static_cast<float>(row % 1000) + static_cast<float>(col) / 64.0F;
}

class LargeIndex : public testing::Test {
 protected:
  void SetUp() override {
    if (!table_.made()) GTEST_SKIP() << "no address space for 18 GiB without reserve";
    for (const graph::NodeId row : kRows) {
      for (std::int64_t col = 0; col < kCols; ++col)
        table_.many_rows()(row, col) = number_of(row, col);
    }
  }
  SparseMapping table_;
  simt::SimtBackend backend_{simt::Schedule::ascending};
};

IdView ids() { return {kRows.data(), static_cast<std::int64_t>(kRows.size()), Device::cuda}; }

TEST_F(LargeIndex, GatherFindsTheLastRows) {
  FloatMatrix y = backend_.matrix<float>(ids().size, kCols);
  backend_.gather_rows(table_.many_rows(), ids(), y.view());
  for (std::int64_t i = 0; i < ids().size; ++i) {
    for (std::int64_t col = 0; col < kCols; ++col)
      ASSERT_EQ(y.view()(i, col), number_of(ids()[i], col)) << ids()[i] << ", " << col;
  }
}

TEST_F(LargeIndex, ScatterAddFindsTheLastRows) {
  FloatMatrix x = backend_.matrix<float>(ids().size, kCols);
  backend_.fill(x.view(), 2.0F);
  backend_.scatter_add_rows(0.5F, x.view(), ids(), table_.many_rows());
  for (const graph::NodeId row : kRows) {
    for (std::int64_t col = 0; col < kCols; ++col)
      ASSERT_EQ(table_.many_rows()(row, col), number_of(row, col) + 1.0F) << row << ", " << col;
  }
}

TEST_F(LargeIndex, SparseProductReadsAndWritesFarRows) {
  SparseMapping y, sum;
  if (!y.made() || !sum.made()) GTEST_SKIP() << "no address space";
  // Row i of y is the sum of four rows of the table, scaled.
  std::vector<graph::EdgeOffset> offsets = {0};
  std::vector<graph::NodeId> columns;
  std::vector<float> values;
  for (std::int64_t i = 0; i < kFarRows; ++i) {
    for (const graph::NodeId row : kRows) {
      columns.push_back(row);
      values.push_back(static_cast<float>(i + 1));
    }
    offsets.push_back(static_cast<graph::EdgeOffset>(columns.size()));
  }
  const auto sparse = backend_.sparse({kFarRows, kManyRows, offsets, columns, values});
  SpmmOptions options;
  options.layer_sum = sum.far_rows(kCols);
  options.addend = {sum.data() + kCols, kFarRows, kCols, kFarStride, Device::cuda};  // zeros
  backend_.spmm(*sparse, ConstFloatView(table_.many_rows()), y.far_rows(kCols), options);
  for (std::int64_t i = 0; i < kFarRows; ++i) {
    for (std::int64_t col = 0; col < kCols; ++col) {
      float want = 0.0F;
      for (const graph::NodeId row : kRows) want += number_of(row, col);
      want *= static_cast<float>(i + 1);
      ASSERT_NEAR(y.far_rows(kCols)(i, col), want, 1e-5F * want) << i << ", " << col;
      ASSERT_EQ(sum.far_rows(kCols)(i, col), y.far_rows(kCols)(i, col)) << i << ", " << col;
    }
  }
}

TEST_F(LargeIndex, ElementsOfFarRowsAreAllReached) {
  SparseMapping other;
  if (!other.made()) GTEST_SKIP() << "no address space";
  const FloatView a = other.far_rows(5);
  backend_.fill(a, 3.0F);
  backend_.activation(Activation::relu, ConstFloatView(a), a);
  FloatMatrix packed = backend_.matrix<float>(kFarRows, 5);
  backend_.copy(ConstFloatView(a), packed.view());
  Vector<float> norms = backend_.vector<float>(kFarRows);
  backend_.normalize_rows(ConstFloatView(a), a, norms.view());
  Vector<float> sums = backend_.vector<float>(5);
  backend_.add_column_sums(ConstFloatView(a), sums.view());
  const float unit = 1.0F / std::sqrt(5.0F);
  for (std::int64_t i = 0; i < kFarRows; ++i) {
    for (std::int64_t col = 0; col < 5; ++col) {
      ASSERT_EQ(packed.view()(i, col), 3.0F) << i;
      ASSERT_NEAR(a(i, col), unit, 1e-6F) << i;
    }
    ASSERT_EQ(a(i, 5), 0.0F) << i << ": beside the matrix";
  }
  for (std::int64_t col = 0; col < 5; ++col)
    ASSERT_NEAR(sums.view()[col], unit * kFarRows, 1e-5F * kFarRows);
}

TEST_F(LargeIndex, RankingReadsFarTiles) {
  SparseMapping tile;
  if (!tile.made()) GTEST_SKIP() << "no address space";
  constexpr std::int64_t kItems = 100;
  const FloatView scores = tile.far_rows(kItems);
  for (std::int64_t q = 0; q < kFarRows; ++q) {
    for (std::int64_t i = 0; i < kItems; ++i) scores(q, i) = static_cast<float>((i + q) % kItems);
  }
  simt::Machine machine(simt::Schedule::ascending);
  Matrix<graph::NodeId> best = backend_.matrix<graph::NodeId>(kFarRows, 2);
  FloatMatrix lists = backend_.matrix<float>(kFarRows, 2);
  // The best item of each query is masked.
  std::vector<std::int64_t> offsets = {0};
  std::vector<graph::NodeId> masked;
  for (std::int64_t q = 0; q < kFarRows; ++q) {
    masked.push_back(static_cast<graph::NodeId>(kItems - 1 - q));
    offsets.push_back(q + 1);
  }
  topk_clear(best.view(), lists.view(), &machine);
  mask_scores({offsets.data(), masked.data()}, 0, 0, scores, &machine);
  topk_merge(scores, 0, 0, best.view(), lists.view(), &machine);
  for (std::int64_t q = 0; q < kFarRows; ++q) {
    ASSERT_EQ(best.view()(q, 0), (2 * kItems - 2 - q) % kItems) << q;
    ASSERT_EQ(lists.view()(q, 0), static_cast<float>(kItems - 2)) << q;
  }
}

/// A row read at an offset in 32 bits.
__global__ void narrow_gather_kernel(const float* table, int row, float* y) {
  const int cols = static_cast<int>(kCols);
  const auto offset =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(row) * static_cast<std::uint32_t>(cols));
  y[threadIdx.x] = table[offset + static_cast<int>(threadIdx.x)];
}

TEST_F(LargeIndex, AnOffsetIn32BitsMakesAWrongResult) {
  simt::Machine machine(simt::Schedule::ascending);
  std::vector<float> y(kCols);
  const LaunchShape shape{dim3(1), dim3(kCols)};
  launch(narrow_gather_kernel, shape, &machine, table_.data(), kRows[1], y.data());
  EXPECT_EQ(y[1], number_of(kRows[1], 1));
  launch(narrow_gather_kernel, shape, &machine, table_.data(), kRows[2], y.data());
  EXPECT_EQ(y[1], 0.0F);
}

}  // namespace
}  // namespace penchant::kernels::cuda
