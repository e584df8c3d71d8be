// SPDX-License-Identifier: Apache-2.0
#include "graph/csr.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/graph/graphs.h"

namespace penchant::graph {
namespace {

using testing::HasSubstr;

/// The message of the InputError that validate() throws.
std::string complaint_about(const Csr& csr) {
  try {
    validate(csr.view());
  } catch (const InputError& error) {
    return error.what();
  }
  return "no complaint";
}

//      0    1    2
// 0 [  .   1.5   .  ]
// 1 [  2    .    3  ]
// 2 [  .    .    .  ]
Csr small() { return {3, 3, {0, 1, 3, 3}, {1, 0, 2}, {1.5F, 2.0F, 3.0F}}; }

TEST(Csr, FromEntriesSortsRowsAndColumns) {
  const std::vector<Entry> entries = {{1, 2, 3.0F}, {0, 1, 1.5F}, {1, 0, 2.0F}};
  const Csr csr = csr_from_entries(3, 3, entries);
  expect_equal(csr, small());
  validate(csr.view());
}

TEST(Csr, FromEntriesCombinesRepeats) {
  const std::vector<Entry> entries = {{0, 0, 1.0F}, {0, 1, 9.0F}, {0, 0, 4.0F}, {0, 0, 2.0F}};
  const auto first = [&](Duplicates duplicates) {
    return csr_from_entries(1, 2, entries, duplicates).values[0];
  };
  EXPECT_EQ(first(Duplicates::sum), 7.0F);
  EXPECT_EQ(first(Duplicates::keep_first), 1.0F);
  EXPECT_EQ(first(Duplicates::keep_last), 2.0F);
  EXPECT_EQ(first(Duplicates::maximum), 4.0F);
  EXPECT_EQ(csr_from_entries(1, 2, entries).num_rows, 1);
  EXPECT_EQ(csr_from_entries(1, 2, entries).columns, (std::vector<NodeId>{0, 1}));
}

TEST(Csr, FromEntriesAgreesWithAMap) {
  for (const std::int64_t count : {0, 1, 7, 5000, 200000}) {
    const std::vector<Entry> entries = random_entries(300, 170, count, 4);
    std::map<std::pair<NodeId, NodeId>, float> want;
    for (const Entry& entry : entries) want[{entry.row, entry.column}] += entry.value;
    const Csr csr = csr_from_entries(300, 170, entries);
    validate(csr.view());
    EXPECT_EQ(entries_of(csr.view()), want);
  }
}

TEST(Csr, FromEntriesRefusesIdsOutsideTheMatrix) {
  for (const Entry bad :
       {Entry{3, 0, 1.0F}, Entry{-1, 0, 1.0F}, Entry{0, 2, 1.0F}, Entry{0, -1, 1.0F}}) {
    const std::vector<Entry> entries = {{0, 0, 1.0F}, bad};
    EXPECT_THROW(csr_from_entries(3, 2, entries), InputError);
  }
  const std::vector<Entry> anything = {{0, 0, 1.0F}};
  EXPECT_THROW(csr_from_entries(0, 0, anything), InputError);
}

TEST(Csr, EmptyMatrixHasOneOffset) {
  const Csr csr = csr_from_entries(0, 0, {});
  validate(csr.view());
  EXPECT_EQ(csr.offsets, std::vector<EdgeOffset>{0});
  expect_equal(transpose(csr.view()), csr);
}

TEST(Csr, MergeDuplicatesKeepsMatricesWithoutValuesWithoutValues) {
  Csr csr{2, 3, {0, 4, 6}, {0, 0, 2, 2, 1, 1}, {}};
  merge_duplicates(csr, Duplicates::sum);
  expect_equal(csr, Csr{2, 3, {0, 2, 3}, {0, 2, 1}, {}});
}

TEST(Csr, TransposeSwapsRowsAndColumns) {
  expect_equal(transpose(small().view()), Csr{3, 3, {0, 1, 2, 3}, {1, 0, 1}, {2.0F, 1.5F, 3.0F}});
}

TEST(Csr, TransposeTwiceIsTheIdentity) {
  for (const auto& [rows, cols, count] :
       {std::tuple{1, 1, 1}, {1, 500, 300}, {500, 1, 300}, {300, 200, 0}, {250, 333, 150000}}) {
    for (const bool has_values : {true, false}) {
      Csr csr = random_csr(rows, cols, count, 9);
      if (!has_values) csr.values.clear();
      const Csr once = transpose(csr.view());
      validate(once.view());
      expect_equal(transpose(once.view()), csr);
    }
  }
}

TEST(Csr, SameResultAtAnyThreadCount) {
  const std::vector<Entry> entries = random_entries(4000, 2500, 400000, 12);
  ThreadCount one(1);
  const Csr csr = csr_from_entries(4000, 2500, entries);
  const Csr turned = transpose(csr.view());
  for (const int threads : {2, 3, 5}) {
    ThreadCount several(threads);
    expect_equal(csr_from_entries(4000, 2500, entries), csr);
    expect_equal(transpose(csr.view()), turned);
  }
}

TEST(Csr, ValidateNamesTheViolation) {
  EXPECT_EQ(complaint_about(small()), "no complaint");
  Csr csr = small();
  csr.offsets.pop_back();
  EXPECT_THAT(complaint_about(csr), HasSubstr("3 offsets for 3 rows, expected 4"));
  csr = small();
  csr.offsets = {0, 2, 1, 3};
  EXPECT_THAT(complaint_about(csr), HasSubstr("descend at row 1"));
  csr = small();
  csr.offsets.back() = 2;
  EXPECT_THAT(complaint_about(csr), HasSubstr("0 to 3"));
  csr = small();
  csr.offsets[1] = 100;
  EXPECT_THAT(complaint_about(csr), HasSubstr("row 0"));
  csr = small();
  csr.columns[0] = 3;
  EXPECT_THAT(complaint_about(csr), HasSubstr("row 0 has column 3, expected 0 to 2"));
  csr = small();
  csr.columns[1] = 2;
  EXPECT_THAT(complaint_about(csr), HasSubstr("columns of row 1 do not ascend"));
  csr = small();
  csr.values.pop_back();
  EXPECT_THAT(complaint_about(csr), HasSubstr("2 values for 3 columns"));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    csr = small();
    csr.values[2] = bad;
    EXPECT_THAT(complaint_about(csr), HasSubstr("row 1 is not finite"));
  }
}

TEST(Csr, SymmetryLooksAtPatternAndValues) {
  Csr symmetric{2, 2, {0, 1, 2}, {1, 0}, {0.5F, 0.5F}};
  EXPECT_TRUE(is_symmetric(symmetric.view()));
  symmetric.values[1] = 0.75F;
  EXPECT_FALSE(is_symmetric(symmetric.view()));
  EXPECT_TRUE(is_symmetric(symmetric.view(), 0.25F));
  symmetric.values[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(is_symmetric(symmetric.view(), 1.0F));
  EXPECT_FALSE(is_symmetric(small().view()));
  EXPECT_FALSE(is_symmetric(random_csr(3, 4, 5, 1).view()));
  EXPECT_TRUE(is_symmetric(CsrView{}));
  const Csr cycle{3, 3, {0, 1, 2, 3}, {1, 2, 0}, {}};  // as many entries in each row and column
  EXPECT_FALSE(is_symmetric(cycle.view()));
}

TEST(Csr, SymmetryIsEqualityWithTheTransposed) {
  int symmetric = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    // Small and full, so that some happen to be symmetric but for one entry.
    Csr csr = random_undirected(4, 6, seed);
    if (seed % 3 == 1) csr = random_csr(3, 3, 9, seed);
    if (seed % 3 == 2 && !csr.columns.empty()) {
      csr.columns.pop_back();
      for (EdgeOffset& offset : csr.offsets)
        offset = std::min(offset, static_cast<EdgeOffset>(csr.columns.size()));
    }
    const Csr other = transpose(csr.view());
    const bool want =
        csr.offsets == other.offsets && csr.columns == other.columns && csr.values == other.values;
    EXPECT_EQ(is_symmetric(csr.view()), want) << "seed " << seed;
    symmetric += want ? 1 : 0;
  }
  EXPECT_GE(symmetric, 100);
  EXPECT_LT(symmetric, 300);
}

}  // namespace
}  // namespace penchant::graph
