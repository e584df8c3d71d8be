// SPDX-License-Identifier: Apache-2.0
// The opt-in scatter-add whose order of sums is not fixed: no op of Backend, so no suite runs it.
#include <gtest/gtest.h>

#include "tests/oracle/linear.h"
#include "tests/simt/simt_backend.h"
#include "tests/support/compare.h"
#include "tests/support/data.h"
#include "tests/support/guarded.h"

namespace penchant::simt {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

// Sums of small integers are exact in every order.
TEST(ScatterAddAtomic, AddsEveryRowInEitherOrder) {
  for (const Schedule schedule : {Schedule::ascending, Schedule::descending}) {
    for (const std::int64_t width : {1, 9, 64}) {
      SimtBackend backend(schedule);
      const Dense x = support::random_integers(300, width, 161);
      const Dense ids = support::random_ids(300, 23, 162);
      const Dense table0 = support::random_integers(23, width, 163);
      const Guarded<float> rows(backend, x);
      const Guarded<NodeId> which(backend, ids);
      const Guarded<float> table(backend, table0);
      backend.scatter_add_rows_atomic(2.0F, rows.view(), which.vector(), table.view());
      const Dense want = oracle::scatter_add_rows(2.0, x, ids, table0).value;
      EXPECT_TRUE(agrees(table.dense(), want, 0.0, {"simt", 161}));
      EXPECT_TRUE(table.intact());
    }
  }
}

TEST(ScatterAddAtomic, ZeroSizesTouchNothing) {
  SimtBackend backend(Schedule::ascending);
  const Guarded<float> none(backend, 0, 5);
  const Guarded<NodeId> no_ids(backend, 1, 0);
  const Dense values = support::random_dense(3, 5, 164);
  const Guarded<float> table(backend, values);
  backend.scatter_add_rows_atomic(1.0F, none.view(), no_ids.vector(), table.view());
  EXPECT_TRUE(same_bits(table.dense(), values, {"simt", 164}));
}

}  // namespace
}  // namespace penchant::simt
