// SPDX-License-Identifier: Apache-2.0
#include "models/sparse_scorer.h"

#include <gtest/gtest.h>

#include "graph/error.h"
#include "models/blended_scorer.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

// Users 0, 1, 2 and items 0 .. 3:
//   user 0: item 1 -> 2, item 3 -> .5;   user 1: nothing;   user 2: item 0 -> -1
graph::Csr three_users() { return {3, 4, {0, 2, 2, 3}, {1, 3, 0}, {2.0F, 0.5F, -1.0F}}; }

class SparseScorers : public support::BackendTest {
 protected:
  Dense score(Scorer& scorer, const std::vector<NodeId>& users) {
    const auto count = static_cast<std::int64_t>(users.size());
    const Guarded<float> scores(backend(), 4, count);
    scorer.score({users.data(), count, kernels::Device::cpu}, backend(), scores.view());
    EXPECT_TRUE(scores.intact());
    return scores.dense();
  }
};
PENCHANT_INSTANTIATE_BACKENDS(SparseScorers);

TEST_P(SparseScorers, AUsersRowIsAColumnAndTheRestIsZero) {
  SparseScorer scorer(three_users());
  const Dense got = score(scorer, {2, 0, 1, 0});
  const double want[4][4] = {{-1, 0, 0, 0}, {0, 2, 0, 2}, {0, 0, 0, 0}, {0, 0.5, 0, 0.5}};
  for (std::int64_t i = 0; i < 4; ++i) {
    for (std::int64_t b = 0; b < 4; ++b) EXPECT_EQ(got(i, b), want[i][b]) << i << ", " << b;
  }
}

TEST_P(SparseScorers, ThreeTermsOfABlendAddUp) {
  const Dense user_vectors = support::random_dense(3, 5, 51);
  const Dense item_vectors = support::random_dense(4, 5, 52);
  const Guarded<float> users(backend(), user_vectors);
  const Guarded<float> items(backend(), item_vectors);
  const auto first = std::make_shared<SparseScorer>(three_users());
  graph::Csr other = three_users();
  other.columns = {0, 3, 0};
  other.values = {1.0F, 4.0F, 2.0F};
  const auto second = std::make_shared<SparseScorer>(other);
  const auto third = std::make_shared<SparseScorer>(three_users());
  BlendedScorer blend(users.view(), items.view(), {{first, 3.0F}, {second, 0.25F}, {third, -1.0F}});
  const Dense got = score(blend, {0, 2});
  for (std::int64_t b = 0; b < 2; ++b) {
    const std::int64_t user = b == 0 ? 0 : 2;
    const double sparse[2][4] = {{0.25, 4.0, 0.0, 2.0}, {-1.5, 0.0, 0.0, 0.0}};
    for (std::int64_t i = 0; i < 4; ++i) {
      double want = sparse[b][i];
      for (std::int64_t k = 0; k < 5; ++k) want += user_vectors(user, k) * item_vectors(i, k);
      EXPECT_NEAR(got(i, b), want, 1e-5);
    }
  }
}

TEST_P(SparseScorers, ATableOfAnotherShapeIsRefused) {
  const Guarded<float> narrow(backend(), 4, 2);
  EXPECT_THROW(write_columns(three_users().view(), backend(), narrow.view()), InputError);
}

}  // namespace
}  // namespace penchant::models
