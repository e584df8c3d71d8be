// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;
using support::Placement;

class Indexing : public support::BackendTest {};
PENCHANT_INSTANTIATE_BACKENDS(Indexing);

constexpr std::int64_t kWidths[] = {1, 7, 8, 9, 17, 64};
constexpr std::int64_t kCounts[] = {1, 2, 31, 1000};

TEST_P(Indexing, GatherCopiesRows) {
  for (const std::int64_t width : kWidths) {
    for (const std::int64_t count : kCounts) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        const Dense table = support::random_dense(23, width, 91);
        const Dense ids = support::random_ids(count, 23, 92);
        const Guarded<float> from(backend(), table, placement);
        const Guarded<NodeId> which(backend(), ids, placement);
        const Guarded<float> y(backend(), count, width, placement);
        backend().gather_rows(from.view(), which.vector(), y.view());
        EXPECT_TRUE(same_bits(y.dense(), oracle::gather_rows(table, ids), origin(91)));
        EXPECT_TRUE(y.intact());
      }
    }
  }
}

TEST_P(Indexing, ScatterAccumulatesRepeatedIds) {
  for (const std::int64_t width : kWidths) {
    for (const std::int64_t count : kCounts) {
      for (const Placement placement : {Placement::aligned, Placement::misaligned}) {
        const Dense x = support::random_dense(count, width, 93);
        const Dense ids = support::random_ids(count, 23, 94);
        const Dense table0 = support::random_dense(23, width, 95);
        const Guarded<float> from(backend(), x, placement);
        const Guarded<NodeId> which(backend(), ids, placement);
        const Guarded<float> table(backend(), table0, placement);
        backend().scatter_add_rows(-0.5F, from.view(), which.vector(), table.view());
        std::vector<double> c(23, 4.0);
        for (const NodeId id : support::ids_of(ids)) c[static_cast<std::size_t>(id)] += 1;
        EXPECT_TRUE(
            agrees(table.dense(), oracle::scatter_add_rows(-0.5, x, ids, table0), c, origin(93)));
        EXPECT_TRUE(table.intact());
      }
    }
  }
}

// In float32 (1e8 - 1e8) + 1 is 1, in any other order of position it is 0.
TEST_P(Indexing, ScatterAddsInAscendingPosition) {
  const Guarded<float> x(backend(), Dense(4, 1, {1e8, 5, -1e8, 1}));
  const Guarded<NodeId> ids(backend(), Dense(1, 4, {2, 0, 2, 2}));
  const Guarded<float> table(backend(), Dense(3, 1));
  backend().scatter_add_rows(1.0F, x.view(), ids.vector(), table.view());
  EXPECT_TRUE(agrees(table.dense(), Dense(3, 1, {5, 0, 1}), 0.0, origin(0)));
}

// <gather(table), x> = <table, scatter(x)>.
TEST_P(Indexing, ScatterIsTheAdjointOfGather) {
  const Dense table = support::random_integers(40, 9, 96);
  const Dense x = support::random_integers(200, 9, 97);
  const Dense ids = support::random_ids(200, 40, 98);
  const Guarded<float> from(backend(), table);
  const Guarded<float> gathered(backend(), 200, 9);
  const Guarded<float> rows(backend(), x);
  const Guarded<float> scattered(backend(), Dense(40, 9));
  const Guarded<NodeId> which(backend(), ids);
  backend().gather_rows(from.view(), which.vector(), gathered.view());
  backend().scatter_add_rows(1.0F, rows.view(), which.vector(), scattered.view());
  const auto dot = [](const Dense& a, const Dense& b) {
    double sum = 0.0;
    for (std::size_t k = 0; k < a.values.size(); ++k) sum += a.values[k] * b.values[k];
    return sum;
  };
  EXPECT_EQ(dot(gathered.dense(), x), dot(table, scattered.dense()));
}

TEST_P(Indexing, ZeroSizesTouchNothing) {
  const Guarded<NodeId> none(backend(), 1, 0);
  const Guarded<NodeId> two(backend(), Dense(1, 2, {0, 1}));
  const Dense values = support::random_dense(3, 5, 99);
  const Guarded<float> table(backend(), values);
  const Guarded<float> no_rows(backend(), 0, 5);
  const Guarded<float> no_cols(backend(), 2, 0);
  backend().gather_rows(table.view(), none.vector(), no_rows.view());
  backend().gather_rows(no_cols.view(), two.vector(), no_cols.view());
  backend().scatter_add_rows(1.0F, no_rows.view(), none.vector(), table.view());
  backend().scatter_add_rows(1.0F, no_cols.view(), two.vector(), no_cols.view());
  EXPECT_TRUE(no_rows.intact());
  EXPECT_TRUE(no_cols.intact());
  EXPECT_TRUE(same_bits(table.dense(), values, origin(99)));
}

TEST_P(Indexing, SameBitsAtOneAndTwoThreads) {
  const Dense x = support::random_dense(5000, 19, 100);
  const Dense ids = support::random_ids(5000, 60, 101);
  expect_same_bits_at_any_thread_count([&](Backend& fresh) {
    const Guarded<float> rows(fresh, x);
    const Guarded<NodeId> which(fresh, ids);
    const Guarded<float> table(fresh, Dense(60, 19));
    fresh.scatter_add_rows(0.1F, rows.view(), which.vector(), table.view());
    return table.dense();
  });
}

TEST_P(Indexing, RefusesShapesThatDoNotFit) {
  const Guarded<float> table(backend(), Dense(5, 3, 1.0));
  const Guarded<NodeId> ids(backend(), Dense(1, 2, {0, 4}));
  const Guarded<float> fits(backend(), 2, 3);
  const Guarded<float> tall(backend(), 3, 3);
  const Guarded<float> wide(backend(), 2, 4);
  EXPECT_NO_THROW(backend().gather_rows(table.view(), ids.vector(), fits.view()));
  EXPECT_THROW(backend().gather_rows(table.view(), ids.vector(), tall.view()), InputError);
  EXPECT_THROW(backend().gather_rows(table.view(), ids.vector(), wide.view()), InputError);
  EXPECT_THROW(backend().scatter_add_rows(1.0F, tall.view(), ids.vector(), table.view()),
               InputError);
  EXPECT_THROW(backend().scatter_add_rows(1.0F, wide.view(), ids.vector(), table.view()),
               InputError);
}

TEST_P(Indexing, RefusesIdsOutsideTheTable) {
  if (!on_cpu()) GTEST_SKIP() << "ids are checked on the CPU only";
  for (const double bad : {-1.0, 5.0}) {
    const Guarded<float> table(backend(), Dense(5, 3, 1.0));
    const Guarded<NodeId> ids(backend(), Dense(1, 2, {0, bad}));
    const Guarded<float> rows(backend(), Dense(2, 3, 1.0));
    EXPECT_THROW(backend().gather_rows(table.view(), ids.vector(), rows.view()), InputError);
    EXPECT_THROW(backend().scatter_add_rows(1.0F, rows.view(), ids.vector(), table.view()),
                 InputError);
    EXPECT_TRUE(agrees(table.dense(), Dense(5, 3, 1.0), 0.0, origin(0)))
        << "checked before anything is written";
  }
}

}  // namespace
}  // namespace penchant::kernels
