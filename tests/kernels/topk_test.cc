// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <numeric>
#include <ostream>
#include <set>
#include <string>
#include <vector>

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

constexpr double kLowest = -std::numeric_limits<double>::infinity();

struct TopkCase {
  std::int64_t queries, items, width, k;
  std::int64_t mean_excluded = 0;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const TopkCase& c) {
  return out << c.queries << " queries, " << c.items << " items, D " << c.width << ", K " << c.k
             << ", excluded " << c.mean_excluded << ", seed " << c.seed;
}

// Around the tiles of 128 queries and 768 items of kernels/cpu/topk.cc, K below and beyond the
// number of items, and beyond what the device merges at once (kernels/cuda/topk.cuh).
const TopkCase kCases[] = {
    {1, 1, 1, 1},           {1, 1, 4, 3},          {3, 7, 8, 7, 2},         {5, 9, 3, 20, 3},
    {20, 767, 16, 10, 5},   {20, 768, 16, 10, 5},  {20, 769, 17, 10, 300},  {127, 100, 8, 1},
    {128, 100, 8, 100, 50}, {129, 100, 8, 99, 50}, {300, 50, 5, 5, 200},    {7, 3000, 24, 50, 900},
    {4, 2000, 64, 2000},    {9, 1600, 0, 5, 4},    {2, 3000, 4, 2500, 200},
};

class Topk : public support::BackendTest {
 protected:
  struct Result {
    Dense ids, scores;
  };
  Result topk(const Dense& queries, const Dense& items, const graph::CsrView& excluded,
              std::int64_t k, Placement placement = Placement::aligned) {
    const Guarded<float> query_table(backend(), queries, placement);
    const Guarded<float> item_table(backend(), items, placement);
    const Guarded<NodeId> ids(backend(), queries.rows, k, placement);
    const Guarded<float> scores(backend(), queries.rows, k, placement);
    backend().topk(query_table.view(), item_table.view(), excluded, ids.view(), scores.view());
    EXPECT_TRUE(ids.intact());
    EXPECT_TRUE(scores.intact());
    return {ids.dense(), scores.dense()};
  }
};
PENCHANT_INSTANTIATE_BACKENDS(Topk);

// Scores of small integers are exact, so that the oracle's order, with its many ties, is the only
// right one.
TEST_P(Topk, IsTheOraclesOrderTiesIncluded) {
  for (const TopkCase& c : kCases) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(c);
      const Dense queries = support::random_integers(c.queries, c.width, c.seed);
      const Dense items = support::random_integers(c.items, c.width, c.seed + 1);
      graph::Csr excluded = support::random_sets(c.queries, c.items, c.mean_excluded, c.seed + 2);
      if (c.mean_excluded == 0) excluded = {};
      const auto want = oracle::topk(oracle::scores(queries, items).value, excluded.view(), c.k);
      const Result got = topk(queries, items, excluded.view(), c.k, placement);
      EXPECT_TRUE(agrees(got.ids, want.ids, 0.0, origin(c.seed)));
      EXPECT_TRUE(agrees(got.scores, want.scores, 0.0, origin(c.seed)));
    }
  }
}

// The same scores as a table with one row an item.
TEST_P(Topk, OfAScoreTableIsTheOraclesOrder) {
  for (const TopkCase& c : kCases) {
    for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
      SCOPED_TRACE(c);
      const Dense table = support::random_integers(c.items, c.queries, c.seed);
      graph::Csr excluded = support::random_sets(c.queries, c.items, c.mean_excluded, c.seed + 2);
      if (c.mean_excluded == 0) excluded = {};
      const auto want = oracle::topk(oracle::transposed(table), excluded.view(), c.k);
      const Guarded<float> all_scores(backend(), table, placement);
      const Guarded<NodeId> ids(backend(), c.queries, c.k, placement);
      const Guarded<float> scores(backend(), c.queries, c.k, placement);
      backend().topk_scores(all_scores.view(), excluded.view(), ids.view(), scores.view());
      EXPECT_TRUE(ids.intact());
      EXPECT_TRUE(scores.intact());
      EXPECT_TRUE(agrees(ids.dense(), want.ids, 0.0, origin(c.seed)));
      EXPECT_TRUE(agrees(scores.dense(), want.scores, 0.0, origin(c.seed)));
    }
  }
}

// Whoever looks at one list of many sees the same scores.
TEST_P(Topk, AQueryHasTheSameBitsAloneAndAmongOthers) {
  if (backend().device() != Device::cpu) GTEST_SKIP() << "promised of the CPU only";
  for (const std::int64_t width : {5, 64, 130, 512}) {
    const std::int64_t num_queries = 130;
    const Dense queries = support::random_dense(num_queries, width, 3);
    const Dense items = support::random_dense(1000, width, 4);
    const Result all = topk(queries, items, {}, 20);
    for (const std::int64_t count : {1, 2, 7, 15, 16, 17, 31, 127, 129}) {
      Dense few = queries;
      few.rows = count;
      few.values.resize(static_cast<std::size_t>(count * width));
      const Result some = topk(few, items, {}, 20);
      for (std::int64_t q = 0; q < count; ++q) {
        for (std::int64_t j = 0; j < 20; ++j) {
          ASSERT_EQ(some.ids(q, j), all.ids(q, j)) << width << ", " << count << ", " << q;
          ASSERT_EQ(some.scores(q, j), all.scores(q, j)) << width << ", " << count << ", " << q;
        }
      }
    }
  }
}

// With rounded scores near ties may swap: each place must hold a score as good as the oracle's, of
// the item that it names, and the list must be in its own order without repeats or excluded items.
TEST_P(Topk, OfRealNumbersIsAsGoodAsTheOracles) {
  for (const TopkCase& c : kCases) {
    SCOPED_TRACE(c);
    const Dense queries = support::random_dense(c.queries, c.width, c.seed);
    const Dense items = support::random_dense(c.items, c.width, c.seed + 1);
    const graph::Csr excluded =
        support::random_sets(c.queries, c.items, c.mean_excluded, c.seed + 2);
    const support::Sum scores = oracle::scores(queries, items);
    const auto want = oracle::topk(scores.value, excluded.view(), c.k);
    const Result got = topk(queries, items, excluded.view(), c.k);
    const double tolerance =
        (static_cast<double>(c.width) + 4) * support::kEps * static_cast<double>(c.width);
    EXPECT_TRUE(agrees(got.scores, want.scores, tolerance, origin(c.seed)));
    for (std::int64_t b = 0; b < c.queries; ++b) {
      std::set<std::int64_t> seen;
      for (std::int64_t place = 0; place < c.k; ++place) {
        const auto item = static_cast<std::int64_t>(got.ids(b, place));
        if (want.ids(b, place) == -1.0) {
          ASSERT_EQ(item, graph::kNoNode);
          continue;
        }
        ASSERT_GE(item, 0);
        ASSERT_LT(item, c.items);
        ASSERT_TRUE(seen.insert(item).second) << "item " << item << " twice";
        ASSERT_FALSE(oracle::contains(excluded.view(), b, item))
            << "item " << item << " is excluded";
        ASSERT_NEAR(scores.value(b, item), got.scores(b, place), tolerance);
        if (place == 0) continue;
        const double before = got.scores(b, place - 1);
        ASSERT_TRUE(before > got.scores(b, place) ||
                    (before == got.scores(b, place) && got.ids(b, place - 1) < got.ids(b, place)))
            << "order";
      }
    }
  }
}

// Copies of one item tie bit by bit wherever they stand in the catalogue.
TEST_P(Topk, EqualItemsTieByTheLowerId) {
  for (const std::int64_t num_items : {37, 800, 1541}) {
    const Dense one = support::random_dense(1, 48, 5);
    Dense items(num_items, 48);
    for (std::int64_t i = 0; i < num_items; ++i) {
      for (std::int64_t j = 0; j < 48; ++j) items(i, j) = one(0, j);
    }
    const Result got = topk(support::random_dense(130, 48, 6), items, {}, 30);
    Dense want(130, 30);
    for (std::int64_t b = 0; b < 130; ++b) {
      for (std::int64_t place = 0; place < 30; ++place) want(b, place) = static_cast<double>(place);
    }
    EXPECT_TRUE(agrees(got.ids, want, 0.0, origin(5))) << num_items << " copies of one item";
  }
}

// Several tiles of queries and of items on the device (1024 x 4096; 40 x 1100 in the emulation), the
// last of them narrow. Copies of a few items stand in every tile and must tie across them, bit by
// bit: the lists are then known from a few scores in double.
TEST_P(Topk, CopiesOfItemsTieAcrossTiles) {
  const bool emulated = backend().description().find("emulation") != std::string::npos;
  const std::int64_t num_queries = emulated ? 45 : 2100;
  const std::int64_t num_items = emulated ? 2500 : 9000;
  const std::int64_t k = emulated ? 420 : 1500;
  constexpr std::int64_t kKinds = 7;
  constexpr std::int64_t kWidth = 19;
  const Dense queries = support::random_dense(num_queries, kWidth, 31);
  const Dense kinds = support::random_dense(kKinds, kWidth, 32);
  Dense items(num_items, kWidth);
  for (std::int64_t i = 0; i < num_items; ++i) {
    for (std::int64_t j = 0; j < kWidth; ++j) items(i, j) = kinds(i % kKinds, j);
  }
  const Dense kind_scores = oracle::scores(queries, kinds).value;
  Dense want(num_queries, k);
  for (std::int64_t q = 0; q < num_queries; ++q) {
    std::vector<std::int64_t> order(kKinds);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return kind_scores(q, a) > kind_scores(q, b);
    });
    std::int64_t place = 0;
    for (const std::int64_t kind : order) {
      for (std::int64_t i = kind; i < num_items && place < k; i += kKinds)
        want(q, place++) = static_cast<double>(i);
    }
  }
  for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
    const Result got = topk(queries, items, {}, k, placement);
    EXPECT_TRUE(agrees(got.ids, want, 0.0, origin(31)));
  }
}

TEST_P(Topk, EverythingExcludedLeavesNothing) {
  const graph::Csr excluded{2, 3, {0, 3, 5}, {0, 1, 2, 0, 2}, {}};
  const Result got = topk(Dense(2, 1, 1.0), Dense(3, 1, {1, 2, 3}), excluded.view(), 2);
  EXPECT_TRUE(agrees(got.ids, Dense(2, 2, {-1, -1, 1, -1}), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.scores, Dense(2, 2, {kLowest, kLowest, 2, kLowest}), 0.0, origin(0)));
}

TEST_P(Topk, NoItemsGiveEmptyLists) {
  const Result got = topk(Dense(2, 4, 1.0), Dense(0, 4), {}, 3);
  EXPECT_TRUE(agrees(got.ids, Dense(2, 3, -1.0), 0.0, origin(0)));
  EXPECT_TRUE(agrees(got.scores, Dense(2, 3, kLowest), 0.0, origin(0)));
}

TEST_P(Topk, NanScoresAreNeverChosen) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Dense items(4, 1, {nan, 1, nan, 2});
  const Result got = topk(Dense(1, 1, 1.0), items, {}, 3);
  EXPECT_TRUE(agrees(got.ids, Dense(1, 3, {3, 1, -1}), 0.0, origin(0)));
  const auto want = oracle::topk(oracle::transposed(items), {}, 3);
  EXPECT_TRUE(agrees(got.ids, want.ids, 0.0, origin(0)));
  const Result none = topk(Dense(1, 1, nan), items, {}, 3);
  EXPECT_TRUE(agrees(none.ids, Dense(1, 3, -1.0), 0.0, origin(0)));
  EXPECT_TRUE(agrees(none.scores, Dense(1, 3, kLowest), 0.0, origin(0)));
}

TEST_P(Topk, ZeroSizesTouchNothing) {
  topk(Dense(0, 4), Dense(5, 4, 1.0), {}, 3);
  topk(Dense(2, 4, 1.0), Dense(5, 4, 1.0), {}, 0);
}

TEST_P(Topk, SameBitsAtOneAndTwoThreads) {
  const Dense queries = support::random_dense(400, 24, 16);
  const Dense items = support::random_dense(1700, 24, 17);
  const graph::Csr excluded = support::random_sets(400, 1700, 60, 18);
  expect_same_bits_at_any_thread_count([&](Backend&) {
    Result result = topk(queries, items, excluded.view(), 20);
    result.ids.values.insert(result.ids.values.end(), result.scores.values.begin(),
                             result.scores.values.end());
    return Dense(800, 20, result.ids.values);
  });
}

TEST_P(Topk, RefusesShapesThatDoNotFit) {
  const Guarded<float> queries(backend(), Dense(4, 3, 1.0));
  const Guarded<float> items(backend(), Dense(6, 3, 1.0));
  const Guarded<float> narrow(backend(), Dense(6, 2, 1.0));
  const Guarded<NodeId> ids(backend(), 4, 2);
  const Guarded<NodeId> few_ids(backend(), 3, 2);
  const Guarded<float> scores(backend(), 4, 2);
  const Guarded<float> many_scores(backend(), 4, 3);
  const graph::Csr fits = support::random_sets(4, 6, 2, 1);
  const graph::Csr too_wide = support::random_sets(4, 7, 2, 1);
  const graph::Csr too_short = support::random_sets(3, 6, 2, 1);
  EXPECT_NO_THROW(
      backend().topk(queries.view(), items.view(), fits.view(), ids.view(), scores.view()));
  EXPECT_THROW(backend().topk(queries.view(), narrow.view(), {}, ids.view(), scores.view()),
               InputError);
  EXPECT_THROW(
      backend().topk(queries.view(), items.view(), too_wide.view(), ids.view(), scores.view()),
      InputError);
  EXPECT_THROW(
      backend().topk(queries.view(), items.view(), too_short.view(), ids.view(), scores.view()),
      InputError);
  EXPECT_THROW(backend().topk(queries.view(), items.view(), {}, few_ids.view(), scores.view()),
               InputError);
  EXPECT_THROW(backend().topk(queries.view(), items.view(), {}, ids.view(), many_scores.view()),
               InputError);
  const Guarded<float> table(backend(), Dense(6, 4, 1.0));
  EXPECT_NO_THROW(backend().topk_scores(table.view(), fits.view(), ids.view(), scores.view()));
  EXPECT_THROW(backend().topk_scores(table.view(), too_wide.view(), ids.view(), scores.view()),
               InputError);
  EXPECT_THROW(backend().topk_scores(table.view(), {}, few_ids.view(), scores.view()), InputError);
  EXPECT_THROW(backend().topk_scores(table.view(), {}, ids.view(), many_scores.view()), InputError);
}

}  // namespace
}  // namespace penchant::kernels
