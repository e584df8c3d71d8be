// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/linear.h"
#include "tests/oracle/ranking.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using support::Placement;

struct RankCase {
  std::int64_t queries, items, width, mean_excluded, mean_targets;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const RankCase& c) {
  return out << c.queries << " queries, " << c.items << " items, D " << c.width << ", excluded "
             << c.mean_excluded << ", targets " << c.mean_targets << ", seed " << c.seed;
}

const RankCase kRankCases[] = {
    {4, 1, 1, 0, 1},     {3, 9, 4, 3, 2},        {129, 30, 8, 5, 3},   {20, 767, 16, 20, 4},
    {20, 769, 17, 0, 4}, {6, 2500, 24, 700, 30}, {260, 20, 3, 10, 10},
};

class RankCounts : public support::BackendTest {
 protected:
  struct Result {
    Dense higher, equal;
  };
  Result rank_counts(const Dense& queries, const Dense& items, const graph::CsrView& excluded,
                     const graph::CsrView& targets, Placement placement = Placement::aligned) {
    const Guarded<float> query_table(backend(), queries, placement);
    const Guarded<float> item_table(backend(), items, placement);
    const Guarded<NodeId> higher(backend(), 1, targets.num_entries(), placement);
    const Guarded<NodeId> equal(backend(), 1, targets.num_entries(), placement);
    backend().rank_counts(query_table.view(), item_table.view(), excluded, targets, higher.vector(),
                          equal.vector());
    EXPECT_TRUE(higher.intact());
    EXPECT_TRUE(equal.intact());
    return {higher.dense(), equal.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(RankCounts);

TEST_P(RankCounts, IsExactWhereScoresAre) {
  for (const RankCase& c : kRankCases) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(c);
      const Dense queries = support::random_integers(c.queries, c.width, c.seed);
      const Dense items = support::random_integers(c.items, c.width, c.seed + 1);
      graph::Csr excluded = support::random_sets(c.queries, c.items, c.mean_excluded, c.seed + 2);
      if (c.mean_excluded == 0) excluded = {};
      // Targets may be excluded as well: their own score counts, other excluded items do not.
      const graph::Csr targets =
          support::random_sets(c.queries, c.items, c.mean_targets, c.seed + 3);
      const auto want =
          oracle::rank_counts(oracle::scores(queries, items).value, Dense(c.queries, c.items),
                              excluded.view(), targets.view());
      const Result got = rank_counts(queries, items, excluded.view(), targets.view(), placement);
      EXPECT_TRUE(agrees(got.higher, want.least, 0.0, origin(c.seed)));
      EXPECT_TRUE(agrees(got.equal, want.equal, 0.0, origin(c.seed)));
    }
  }
}

TEST_P(RankCounts, OfAScoreTableIsExact) {
  for (const RankCase& c : kRankCases) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(c);
      const Dense table = support::random_integers(c.items, c.queries, c.seed);
      const graph::Csr excluded =
          support::random_sets(c.queries, c.items, c.mean_excluded, c.seed + 2);
      const graph::Csr targets =
          support::random_sets(c.queries, c.items, c.mean_targets, c.seed + 3);
      const auto want = oracle::rank_counts(oracle::transposed(table), Dense(c.queries, c.items),
                                            excluded.view(), targets.view());
      const Guarded<float> scores(backend(), table, placement);
      const Guarded<NodeId> higher(backend(), 1, targets.view().num_entries(), placement);
      const Guarded<NodeId> equal(backend(), 1, targets.view().num_entries(), placement);
      backend().rank_counts_scores(scores.view(), excluded.view(), targets.view(), higher.vector(),
                                   equal.vector());
      EXPECT_TRUE(higher.intact());
      EXPECT_TRUE(equal.intact());
      EXPECT_TRUE(agrees(higher.dense(), want.least, 0.0, origin(c.seed)));
      EXPECT_TRUE(agrees(equal.dense(), want.equal, 0.0, origin(c.seed)));
    }
  }
}

TEST_P(RankCounts, OfRealNumbersLiesBetweenTheOraclesBounds) {
  for (const RankCase& c : kRankCases) {
    SCOPED_TRACE(c);
    const Dense queries = support::random_dense(c.queries, c.width, c.seed);
    const Dense items = support::random_dense(c.items, c.width, c.seed + 1);
    const graph::Csr excluded =
        support::random_sets(c.queries, c.items, c.mean_excluded, c.seed + 2);
    const graph::Csr targets = support::random_sets(c.queries, c.items, c.mean_targets, c.seed + 3);
    support::Sum scores = oracle::scores(queries, items);
    for (double& margin : scores.magnitude.values)
      margin *= (static_cast<double>(c.width) + 4) * support::kEps;
    const auto want =
        oracle::rank_counts(scores.value, scores.magnitude, excluded.view(), targets.view());
    const Result got = rank_counts(queries, items, excluded.view(), targets.view());
    ASSERT_GT(targets.num_cols, 0);
    for (std::int64_t t = 0; t < targets.view().num_entries(); ++t) {
      EXPECT_GE(got.higher(0, t), want.least(0, t)) << "target " << t;
      EXPECT_LE(got.higher(0, t) + got.equal(0, t), want.most(0, t)) << "target " << t;
    }
  }
}

// item   0 1 2 3 4 5    item 0 is excluded, 1 and 3 are targets: 2, 4 and 5 are left to compare
// with score  9 2 2 1 5 0    target 1: above is 4, equal is 2;  target 3: above are 2 and 4
TEST_P(RankCounts, SmallExampleByHand) {
  const graph::Csr excluded{1, 6, {0, 1}, {0}, {}};
  const graph::Csr targets{1, 6, {0, 2}, {1, 3}, {}};
  const Result got = rank_counts(Dense(1, 1, 1.0), Dense(6, 1, {9, 2, 2, 1, 5, 0}), excluded.view(),
                                 targets.view());
  EXPECT_TRUE(agrees(got.higher, Dense(1, 2, {1, 2}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.equal, Dense(1, 2, {1, 0}), 0.0, origin(0)));
}

// A constant model must not look good: every other item ties.
TEST_P(RankCounts, CopiesOfOneItemAllTie) {
  for (const std::int64_t num_items : {37, 800, 1541}) {
    const Dense one = support::random_dense(1, 48, 5);
    Dense items(num_items, 48);
    for (std::int64_t i = 0; i < num_items; ++i) {
      for (std::int64_t j = 0; j < 48; ++j) items(i, j) = one(0, j);
    }
    graph::Csr targets{130, num_items, {0}, {}, {}};
    for (NodeId b = 0; b < 130; ++b) {
      targets.columns.push_back(static_cast<NodeId>((b * 7) % num_items));
      targets.offsets.push_back(b + 1);
    }
    const Result got = rank_counts(support::random_dense(130, 48, 6), items, {}, targets.view());
    EXPECT_TRUE(agrees(got.higher, Dense(1, 130, 0.0), 0.0, origin(5))) << num_items;
    EXPECT_TRUE(
        agrees(got.equal, Dense(1, 130, static_cast<double>(num_items - 1)), 0.0, origin(5)))
        << num_items;
  }
}

// A model that computes nothing but NaN must not rank first.
TEST_P(RankCounts, NanRanksLast) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double lowest = -std::numeric_limits<double>::infinity();
  for (const std::int64_t width : {std::int64_t{6}, std::int64_t{2000}}) {
    // Item 0 is excluded, 1, 3 and 4 are targets, of which 4 is excluded as well; 2 has no score.
    const graph::Csr excluded{2, width, {0, 2, 4}, {0, 4, 0, 4}, {}};
    const graph::Csr targets{2, width, {0, 3, 6}, {1, 3, 4, 1, 3, 4}, {}};
    Dense table(width, 2, 1.0);
    for (std::int64_t i = 0; i < width; ++i) table(i, 1) = nan;
    table(0, 0) = 9.0;
    table(1, 0) = nan;
    table(2, 0) = nan;
    table(3, 0) = lowest;
    const auto others = static_cast<double>(width - 4);
    const Dense want_higher(1, 6, {others, others - 1, 0, others, others, others});
    const Dense want_equal(1, 6, {0, 0, others - 1, 0, 0, 0});
    const auto want = oracle::rank_counts(oracle::transposed(table), Dense(2, width),
                                          excluded.view(), targets.view());
    EXPECT_TRUE(agrees(want.least, want_higher, 0.0, origin(0)));
    const Guarded<float> scores(backend(), table);
    const Guarded<NodeId> higher(backend(), 1, 6);
    const Guarded<NodeId> equal(backend(), 1, 6);
    backend().rank_counts_scores(scores.view(), excluded.view(), targets.view(), higher.vector(),
                                 equal.vector());
    EXPECT_TRUE(agrees(higher.dense(), want_higher, 0.0, origin(0))) << width;
    EXPECT_TRUE(agrees(equal.dense(), want_equal, 0.0, origin(0))) << width;

    Dense items(width, 1, 1.0);
    items(1, 0) = nan;
    const Result got = rank_counts(Dense(2, 1, {1.0, nan}), items, excluded.view(), targets.view());
    EXPECT_TRUE(
        agrees(got.higher, Dense(1, 6, {others, 0, 0, others, others, others}), 0.0, origin(0)));
    EXPECT_TRUE(agrees(got.equal, Dense(1, 6, {0, others, others, 0, 0, 0}), 0.0, origin(0)));
  }
}

// As Topk.CopiesOfItemsTieAcrossTiles: a target's rank is counted by tiles in which its copies must
// tie with it.
TEST_P(RankCounts, CopiesOfItemsTieAcrossTiles) {
  const bool emulated = backend().description().find("emulation") != std::string::npos;
  const std::int64_t num_queries = emulated ? 45 : 2100;
  const std::int64_t num_items = emulated ? 2500 : 9000;
  constexpr std::int64_t kKinds = 7;
  constexpr std::int64_t kWidth = 19;
  const Dense queries = support::random_dense(num_queries, kWidth, 31);
  const Dense kinds = support::random_dense(kKinds, kWidth, 32);
  Dense items(num_items, kWidth);
  for (std::int64_t i = 0; i < num_items; ++i) {
    for (std::int64_t j = 0; j < kWidth; ++j) items(i, j) = kinds(i % kKinds, j);
  }
  const Dense scores = oracle::scores(queries, kinds).value;
  const graph::Csr targets = support::random_sets(num_queries, num_items, 2, 33);
  const graph::CsrView lists = targets.view();
  // Items of one kind, without the query's targets.
  const auto others = [&](std::int64_t q, std::int64_t kind) {
    std::int64_t count = (num_items - kind + kKinds - 1) / kKinds;
    for (const NodeId item : lists.row(q)) count -= item % kKinds == kind ? 1 : 0;
    return static_cast<double>(count);
  };
  Dense want_higher(1, lists.num_entries());
  Dense want_equal(1, lists.num_entries());
  std::int64_t entry = 0;
  for (std::int64_t q = 0; q < num_queries; ++q) {
    for (const NodeId item : lists.row(q)) {
      for (std::int64_t kind = 0; kind < kKinds; ++kind) {
        if (scores(q, kind) > scores(q, item % kKinds)) want_higher(0, entry) += others(q, kind);
      }
      want_equal(0, entry++) = others(q, item % kKinds);
    }
  }
  const Result got = rank_counts(queries, items, {}, lists);
  EXPECT_TRUE(agrees(got.higher, want_higher, 0.0, origin(31)));
  EXPECT_TRUE(agrees(got.equal, want_equal, 0.0, origin(31)));
}

TEST_P(RankCounts, WithoutTargetsTouchesNothing) {
  const graph::Csr targets{3, 6, {0, 0, 0, 0}, {}, {}};
  rank_counts(Dense(3, 2, 1.0), Dense(6, 2, 1.0), {}, targets.view());
  rank_counts(Dense(0, 2), Dense(6, 2, 1.0), {}, graph::Csr{0, 6, {0}, {}, {}}.view());
}

TEST_P(RankCounts, SameBitsAtOneAndTwoThreads) {
  const Dense queries = support::random_dense(400, 24, 16);
  const Dense items = support::random_dense(1700, 24, 17);
  const graph::Csr targets = support::random_sets(400, 1700, 5, 18);
  expect_same_bits_at_any_thread_count(
      [&](Backend&) { return rank_counts(queries, items, {}, targets.view()).higher; });
}

TEST_P(RankCounts, RefusesShapesThatDoNotFit) {
  const Guarded<float> queries(backend(), Dense(4, 3, 1.0));
  const Guarded<float> items(backend(), Dense(6, 3, 1.0));
  const Guarded<float> narrow(backend(), Dense(6, 2, 1.0));
  const graph::Csr targets = support::random_sets(4, 6, 2, 1);
  const graph::Csr wrong = support::random_sets(4, 7, 2, 1);
  const Guarded<NodeId> counts(backend(), 1, targets.view().num_entries());
  const Guarded<NodeId> more(backend(), 1, targets.view().num_entries() + 1);
  const auto run = [&](ConstFloatView table, const graph::CsrView& excluded,
                       const graph::CsrView& wanted, VectorView<NodeId> higher,
                       VectorView<NodeId> equal) {
    backend().rank_counts(queries.view(), table, excluded, wanted, higher, equal);
  };
  EXPECT_NO_THROW(run(items.view(), {}, targets.view(), counts.vector(), counts.vector()));
  EXPECT_THROW(run(narrow.view(), {}, targets.view(), counts.vector(), counts.vector()),
               InputError);
  EXPECT_THROW(run(items.view(), wrong.view(), targets.view(), counts.vector(), counts.vector()),
               InputError);
  EXPECT_THROW(run(items.view(), {}, wrong.view(), counts.vector(), counts.vector()), InputError);
  EXPECT_THROW(run(items.view(), {}, targets.view(), more.vector(), counts.vector()), InputError);
  EXPECT_THROW(run(items.view(), {}, targets.view(), counts.vector(), more.vector()), InputError);
  const Guarded<float> table(backend(), Dense(6, 4, 1.0));
  EXPECT_THROW(backend().rank_counts_scores(table.view(), {}, wrong.view(), counts.vector(),
                                            counts.vector()),
               InputError);
  EXPECT_THROW(backend().rank_counts_scores(table.view(), {}, targets.view(), counts.vector(),
                                            more.vector()),
               InputError);
}

}  // namespace
}  // namespace penchant::kernels
