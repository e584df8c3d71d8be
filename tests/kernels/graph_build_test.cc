// SPDX-License-Identifier: Apache-2.0
// The device's graph building, on host vectors and, where there is a GPU, on the device: the very
// bits of graph/.
#include <gtest/gtest.h>
#include <thrust/host_vector.h>

#include "graph/normalize.h"
#include "graph/random.h"
#include "kernels/cuda/graph_build.cuh"
#include "kernels/cuda_loader.h"
#include "tests/support/data.h"

namespace penchant::kernels::cuda {
namespace {

using graph::Csr;
using graph::Duplicates;
using graph::Entry;

constexpr Duplicates kAllDuplicates[] = {Duplicates::sum, Duplicates::keep_first,
                                         Duplicates::keep_last, Duplicates::maximum};

struct BuildCase {
  std::int64_t rows, cols, entries;
};
constexpr BuildCase kCases[] = {{1, 1, 0}, {1, 1, 5}, {3, 2, 4}, {50, 7, 400}, {7, 500, 3000}};

/// Many entries meet at one place, and some rows stay empty.
std::vector<Entry> random_entries(const BuildCase& c) {
  const graph::Random random(graph::Seed{11}, graph::Stream::generator);
  std::vector<Entry> entries;
  for (std::int64_t e = 0; e < c.entries; ++e) {
    const auto at = static_cast<std::uint64_t>(3 * e);
    entries.push_back(
        {static_cast<graph::NodeId>(random.below(at, static_cast<std::uint64_t>(c.rows + 1) / 2)),
         static_cast<graph::NodeId>(random.below(at + 1, static_cast<std::uint64_t>(c.cols))),
         static_cast<float>(random.uniform(at + 2))});
  }
  return entries;
}

void expect_same(const Csr& got, const Csr& want) {
  EXPECT_EQ(got.num_rows, want.num_rows);
  EXPECT_EQ(got.num_cols, want.num_cols);
  EXPECT_EQ(got.offsets, want.offsets);
  EXPECT_EQ(got.columns, want.columns);
  EXPECT_EQ(got.values, want.values);
}

template <typename Build>
void expect_csr_of_entries(Build build) {
  for (const BuildCase& c : kCases) {
    const std::vector<Entry> entries = random_entries(c);
    for (const Duplicates duplicates : kAllDuplicates) {
      SCOPED_TRACE(testing::Message() << c.rows << " x " << c.cols << ", " << c.entries);
      expect_same(build(c.rows, c.cols, entries, duplicates),
                  graph::csr_from_entries(c.rows, c.cols, entries, duplicates));
    }
  }
  for (const Entry& outside : {Entry{3, 0, 1.0F}, Entry{0, 2, 1.0F}, Entry{-1, 0, 1.0F}}) {
    const std::vector<Entry> entries = {{0, 0, 1.0F}, outside};
    EXPECT_THROW(build(3, 2, entries, Duplicates::sum), InputError);
  }
}

template <typename Transpose>
void expect_transposes(Transpose turn) {
  for (const support::Values values : {support::Values::absent, support::Values::present}) {
    for (const std::int64_t rows : {1, 30, 300}) {
      const Csr matrix = support::random_sparse(rows, 40, 6, values, 21);
      expect_same(turn(matrix), graph::transpose(matrix.view()));
    }
  }
  const Csr empty{0, 4, {0}, {}, {}};
  expect_same(turn(empty), graph::transpose(empty.view()));
}

template <typename Normalize>
void expect_normalises(Normalize normalize) {
  Csr matrix = support::random_symmetric(120, 7, 31);
  for (float& value : matrix.values) value = value < 0.0F ? -value : value;
  expect_same(normalize(matrix), graph::normalize_symmetric(matrix.view(), graph::SelfLoops::no));
  matrix.values.clear();
  expect_same(normalize(matrix), graph::normalize_symmetric(matrix.view(), graph::SelfLoops::no));
  EXPECT_THROW(normalize(Csr{1, 2, {0, 0}, {}, {}}), InputError);
}

TEST(GraphBuildOnHostVectors, CsrIsThatOfTheHost) {
  expect_csr_of_entries([](std::int64_t rows, std::int64_t cols, const std::vector<Entry>& entries,
                           Duplicates duplicates) {
    const thrust::host_vector<Entry> copy(entries.begin(), entries.end());
    return download(build_csr(rows, cols, copy, duplicates));
  });
}

TEST(GraphBuildOnHostVectors, TransposeIsThatOfTheHost) {
  expect_transposes([](const Csr& matrix) {
    return download(transpose(upload<thrust::host_vector>(matrix.view())));
  });
}

TEST(GraphBuildOnHostVectors, NormalisationIsThatOfTheHost) {
  expect_normalises([](const Csr& matrix) {
    CsrArrays<thrust::host_vector> arrays = upload<thrust::host_vector>(matrix.view());
    normalize_symmetric(arrays);
    return download(arrays);
  });
}

class GraphBuildOnTheDevice : public testing::Test {
 protected:
  void SetUp() override {
    loaded_ = load_cuda_module();
    if (loaded_.status() == kCudaAvailable) return;
    const char* required = std::getenv("PENCHANT_REQUIRE_GPU");
    if (required != nullptr && std::string(required) == "1") FAIL() << loaded_.status();
    GTEST_SKIP() << loaded_.status();
  }
  LoadedCudaModule loaded_;
};

TEST_F(GraphBuildOnTheDevice, GivesTheHostsBits) {
  expect_csr_of_entries([this](std::int64_t rows, std::int64_t cols,
                               const std::vector<Entry>& entries, Duplicates duplicates) {
    return loaded_.module->csr_from_entries(rows, cols, entries, duplicates);
  });
  expect_transposes([this](const Csr& matrix) { return loaded_.module->transpose(matrix.view()); });
  expect_normalises(
      [this](const Csr& matrix) { return loaded_.module->normalize_symmetric(matrix.view()); });
}

}  // namespace
}  // namespace penchant::kernels::cuda
