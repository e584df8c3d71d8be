// SPDX-License-Identifier: Apache-2.0
#include "models/graph_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/models/model_data.h"
#include "tests/oracle/filter.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

constexpr std::int64_t kUsers = 140;
constexpr std::int64_t kItems = 50;

/// User 3 has no history, item 7 no users.
graph::Csr ratings(support::Values values = support::Values::absent) {
  const graph::Csr random = support::random_sets(kUsers, kItems, 7, 21);
  graph::Csr result{kUsers, kItems, {0}, {}, {}};
  for (std::int64_t user = 0; user < kUsers; ++user) {
    for (const NodeId item : random.view().row(user)) {
      if (user == 3 || item == 7) continue;
      result.columns.push_back(item);
      if (values == support::Values::present)
        result.values.push_back(0.5F + 0.25F * static_cast<float>((user + item) % 5));
    }
    result.offsets.push_back(static_cast<graph::EdgeOffset>(result.columns.size()));
  }
  return result;
}

FilterOptions options(FilterKind kind) {
  FilterOptions result;
  result.kind = kind;
  result.rank = 6;
  return result;
}

const FilterKind kKinds[] = {FilterKind::linear, FilterKind::gfcf, FilterKind::chebycf,
                             FilterKind::bspm};

class GraphFilters : public support::BackendTest {
 protected:
  GraphFilter filter(const graph::Csr& matrix, const FilterOptions& chosen, std::int64_t rank = 6) {
    return GraphFilter(std::make_shared<FilterGraph>(matrix.view(), rank, graph::Seed{1}, backend(),
                                                     scaling_of(chosen.kind)),
                       chosen, backend());
  }
  /// By the oracle: those of leading_singular_vectors have an error of their own.
  SingularVectors exact_vectors(const Dense& dense, std::int64_t rank) {
    return exact_vectors_of(oracle::normalized(dense), rank);
  }
  /// Of R itself, as ridge takes it.
  std::shared_ptr<FilterGraph> exact_ridge_graph(const graph::Csr& matrix, std::int64_t rank) {
    const auto spectral = FilterScaling::spectral;
    const double largest =
        FilterGraph(matrix.view(), SingularVectors{}, backend(), spectral).largest();
    SingularVectors exact = exact_vectors_of(oracle::to_dense(matrix.view()), rank);
    EXPECT_GE(largest * largest, exact.squared.front() * 0.999999);
    EXPECT_LE(largest * largest, exact.squared.front() * 1.01);
    for (float& square : exact.squared) square = static_cast<float>(square / (largest * largest));
    return std::make_shared<FilterGraph>(matrix.view(), std::move(exact), backend(), spectral);
  }
  SingularVectors exact_vectors_of(const Dense& r, std::int64_t rank) {
    const oracle::Eigen eigen =
        oracle::symmetric_eigen(oracle::gemm(true, false, 1.0, r, r, 0.0, {}).value);
    SingularVectors result{backend().matrix<float>(kItems, rank), {}};
    Dense leading(kItems, rank);
    for (std::int64_t j = 0; j < rank; ++j) {
      result.squared.push_back(static_cast<float>(eigen.values(0, j)));
      for (std::int64_t i = 0; i < kItems; ++i) leading(i, j) = eigen.vectors(i, j);
    }
    upload(backend(), leading, result.vectors.view());
    return result;
  }
  /// Scores of users [0, count) as [I x count].
  Dense score(GraphFilter& scorer, std::int64_t count) {
    std::vector<NodeId> users(static_cast<std::size_t>(count));
    for (std::size_t u = 0; u < users.size(); ++u) users[u] = static_cast<NodeId>(u);
    const Guarded<float> scores(backend(), kItems, count);
    scorer.score({users.data(), count, kernels::Device::cpu}, backend(), scores.view());
    EXPECT_TRUE(scores.intact());
    return scores.dense();
  }
};
PENCHANT_INSTANTIATE_BACKENDS(GraphFilters);

Dense leading_rows(const Dense& a, std::int64_t count) {
  return {count, a.cols, std::vector<double>(a.values.begin(), a.values.begin() + count * a.cols)};
}

/// Rows without an entry become the mean of the others.
Dense with_mean_history(Dense dense) {
  Dense sum(1, dense.cols);
  std::vector<bool> is_new(static_cast<std::size_t>(dense.rows), true);
  std::int64_t num_known = 0;
  for (std::int64_t u = 0; u < dense.rows; ++u) {
    for (std::int64_t j = 0; j < dense.cols; ++j) {
      sum(0, j) += dense(u, j);
      if (dense(u, j) != 0.0) is_new[static_cast<std::size_t>(u)] = false;
    }
    if (!is_new[static_cast<std::size_t>(u)]) ++num_known;
  }
  for (std::int64_t u = 0; u < dense.rows; ++u) {
    for (std::int64_t j = 0; j < dense.cols && is_new[static_cast<std::size_t>(u)]; ++j)
      dense(u, j) = sum(0, j) / static_cast<double>(num_known);
  }
  return dense;
}

// Around blocks of 64 users; powers 0, 1/2 and 1; weighted and unweighted rows.
TEST_P(GraphFilters, ScoreAsTheOracleDoes) {
  for (const auto values : {support::Values::absent, support::Values::present}) {
    const graph::Csr matrix = ratings(values);
    const Dense dense = oracle::to_dense(matrix.view());
    for (const FilterKind kind : kKinds) {
      for (const float power : {0.0F, 0.4F, 1.0F}) {
        FilterOptions chosen = options(kind);
        chosen.power = power;
        chosen.order = power == 0.0F ? 3 : 8;
        chosen.sharpening_steps = power == 1.0F ? 3 : 1;
        const Dense of_everyone =
            oracle::filter_scores(dense, chosen, leading_rows(with_mean_history(dense), 130));
        GraphFilter scorer(std::make_shared<FilterGraph>(
                               matrix.view(), exact_vectors(dense, chosen.rank), backend()),
                           chosen, backend());
        for (const std::int64_t count : {1, 16, 17, 63, 64, 65, 130}) {
          SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(kind) << ", power "
                                          << power << ", users " << count);
          const Dense want = oracle::transposed(leading_rows(of_everyone, count));
          EXPECT_TRUE(
              agrees(score(scorer, count), want, 4e-6 * support::largest(want), origin(21)));
        }
      }
    }
  }
}

// What a look-up computes, in narrower tables, is what an evaluation ranks by.
TEST_P(GraphFilters, OneUserScoresAsInATile) {
  for (const FilterKind kind : kKinds) {
    GraphFilter tile = filter(ratings(), options(kind));
    GraphFilter alone = filter(ratings(), options(kind));
    const Dense of_all = score(tile, 130);
    const Dense of_one = score(alone, 1);
    const double size = largest(of_all);
    for (std::int64_t i = 0; i < kItems; ++i)
      EXPECT_NEAR(of_one(i, 0), of_all(i, 0), 1e-6 * size) << "kind " << static_cast<int>(kind);
  }
}

// Without the low pass nothing but rounding is left.
TEST_P(GraphFilters, PolynomialsAreExact) {
  const graph::Csr matrix = ratings();
  const Dense dense = oracle::to_dense(matrix.view());
  for (const FilterKind kind : kKinds) {
    for (const std::int64_t order : {1, 2, 5, 12}) {
      FilterOptions chosen = options(kind);
      chosen.low_pass = 0.0F;
      chosen.order = order;
      GraphFilter scorer = filter(matrix, chosen, 0);
      const Dense want = oracle::transposed(
          oracle::filter_scores(dense, chosen, leading_rows(with_mean_history(dense), 30)));
      EXPECT_TRUE(agrees(score(scorer, 30), want, 4e-6 * support::largest(want), origin(21)))
          << static_cast<int>(kind) << " order " << order;
    }
  }
}

TEST_P(GraphFilters, WithoutLowPassGfcfIsLinear) {
  FilterOptions plain = options(FilterKind::gfcf);
  plain.low_pass = 0.0F;
  GraphFilter gfcf = filter(ratings(), plain);
  GraphFilter linear = filter(ratings(), options(FilterKind::linear));
  EXPECT_TRUE(same_bits(score(gfcf, 70), score(linear, 70), origin(1)));
}

TEST_P(GraphFilters, WithoutSharpeningBspmIsGfcf) {
  FilterOptions blurred = options(FilterKind::bspm);
  blurred.sharpening = 0.0F;
  GraphFilter bspm = filter(ratings(), blurred);
  GraphFilter gfcf = filter(ratings(), options(FilterKind::gfcf));
  const Dense want = score(gfcf, 70);
  EXPECT_TRUE(agrees(score(bspm, 70), want, 2e-6 * support::largest(want), origin(1)));
}

TEST_P(GraphFilters, RidgeScoresAsTheOracleDoes) {
  for (const auto values : {support::Values::absent, support::Values::present}) {
    const graph::Csr matrix = ratings(values);
    const Dense dense = oracle::to_dense(matrix.view());
    for (const float lambda : {0.0F, 3.0F, 100.0F}) {
      FilterOptions chosen = options(FilterKind::ridge);
      chosen.ridge = lambda;
      chosen.rank = 20;
      chosen.power = 1.0F;  // is of no consequence
      GraphFilter scorer(exact_ridge_graph(matrix, 20), chosen, backend());
      const Dense want = oracle::transposed(
          oracle::filter_scores(dense, chosen, leading_rows(with_mean_history(dense), 70)));
      EXPECT_TRUE(agrees(score(scorer, 70), want, 4e-6 * support::largest(want), origin(21)))
          << lambda;
      // The vectors are the score.
      kernels::FloatMatrix users;
      kernels::FloatMatrix items;
      scorer.vectors(20, backend(), users, items);
      const Dense product = oracle::gemm(false, true, 1.0, download(backend(), items.view()),
                                         download(backend(), users.view()), 0.0, {})
                                .value;
      for (std::int64_t i = 0; i < kItems; ++i)
        EXPECT_NEAR(product(i, 5), want(i, 5), 4e-6 * support::largest(want));
    }
  }
}

TEST_P(GraphFilters, RefuseAMatrixThatIsScaledForAnotherKind) {
  const auto plain = std::make_shared<FilterGraph>(ratings().view(), 6, graph::Seed{1}, backend());
  EXPECT_THROW(GraphFilter(plain, options(FilterKind::ridge), backend()), InputError);
  const auto spectral = std::make_shared<FilterGraph>(ratings().view(), 6, graph::Seed{1},
                                                      backend(), FilterScaling::spectral);
  EXPECT_THROW(GraphFilter(spectral, options(FilterKind::gfcf), backend()), InputError);
}

TEST_P(GraphFilters, ItemsWithoutUsersScoreZero) {
  for (const FilterKind kind : {FilterKind::linear, FilterKind::gfcf, FilterKind::chebycf,
                                FilterKind::bspm, FilterKind::ridge}) {
    GraphFilter scorer = filter(ratings(), options(kind));
    const Dense scores = score(scorer, 10);
    for (std::int64_t user = 0; user < 10; ++user) EXPECT_EQ(scores(7, user), 0.0);
    EXPECT_GT(support::largest(scores), 0.0);
  }
}

// With every singular vector the inner products are the filter itself, and of a linear one as well.
TEST_P(GraphFilters, VectorsOfFullLengthGiveTheScores) {
  for (const FilterKind kind : kKinds) {
    FilterOptions chosen = options(kind);
    chosen.rank = kItems;
    GraphFilter scorer = filter(ratings(), chosen, kItems);
    kernels::FloatMatrix users;
    kernels::FloatMatrix items;
    scorer.vectors(kItems, backend(), users, items);
    graph::UserItemGraph graph{kUsers, kItems, ratings(), {}};
    fill_new_users(graph, UnitLength::no, backend(), users.view());
    const Dense product = oracle::gemm(false, true, 1.0, download(backend(), items.view()),
                                       download(backend(), users.view()), 0.0, {})
                              .value;
    const Dense want = score(scorer, kUsers);
    EXPECT_TRUE(agrees(product, want, 2e-4 * support::largest(want), origin(1)))
        << static_cast<int>(kind);
    scorer.vectors(4, backend(), users, items);
    EXPECT_EQ(users.cols(), 4);
    EXPECT_EQ(items.rows(), kItems);
  }
}

TEST_P(GraphFilters, ARankBeyondTheMatrixIsCut) {
  FilterOptions chosen = options(FilterKind::gfcf);
  chosen.rank = 400;
  GraphFilter scorer = filter(ratings(), chosen, 400);
  kernels::FloatMatrix users;
  kernels::FloatMatrix items;
  scorer.vectors(400, backend(), users, items);
  EXPECT_LE(users.cols(), kItems - 1);
  EXPECT_GT(users.cols(), kItems / 2);
}

TEST_P(GraphFilters, NobodyToScoreTouchesNothing) {
  GraphFilter scorer = filter(ratings(), options(FilterKind::chebycf));
  const Guarded<float> scores(backend(), kItems, 0);
  scorer.score({nullptr, 0, kernels::Device::cpu}, backend(), scores.view());
  EXPECT_TRUE(scores.intact());
}

TEST_P(GraphFilters, SameBitsAtOneAndTwoThreads) {
  expect_same_bits_at_any_thread_count([&](kernels::Backend&) {
    GraphFilter scorer = filter(ratings(), options(FilterKind::chebycf));
    return score(scorer, 130);
  });
}

TEST_P(GraphFilters, RefuseShapesThatDoNotFit) {
  GraphFilter scorer = filter(ratings(), options(FilterKind::linear));
  const graph::Csr narrow = support::random_sets(2, kItems - 1, 2, 1);
  const graph::Csr fits = support::random_sets(2, kItems, 2, 1);
  const Guarded<float> scores(backend(), kItems, 2);
  const Guarded<float> wide(backend(), kItems, 3);
  EXPECT_NO_THROW(scorer.respond(fits.view(), backend(), scores.view()));
  EXPECT_THROW(scorer.respond(narrow.view(), backend(), scores.view()), InputError);
  EXPECT_THROW(scorer.respond(fits.view(), backend(), wide.view()), InputError);
}

TEST(FilterOptionsCheck, NamesTheKeyAndWhatItMayBe) {
  const auto message = [](auto change) {
    FilterOptions wrong;
    change(wrong);
    try {
      check_filter_options(wrong);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  using testing::HasSubstr;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(message([](FilterOptions&) {}), "no error");
  EXPECT_THAT(message([](FilterOptions& o) { o.power = 1.5F; }),
              HasSubstr("filter.power is 1.5, expected a number from 0 to 1"));
  EXPECT_THAT(message([&](FilterOptions& o) { o.power = nan; }), HasSubstr("filter.power"));
  EXPECT_THAT(message([](FilterOptions& o) { o.rank = 0; }),
              HasSubstr("filter.rank is 0, expected 1 to 4096"));
  EXPECT_THAT(message([](FilterOptions& o) { o.rank = 5000; }), HasSubstr("filter.rank"));
  EXPECT_THAT(message([](FilterOptions& o) { o.low_pass = -1.0F; }), HasSubstr("filter.low_pass"));
  EXPECT_THAT(message([](FilterOptions& o) { o.order = 0; }),
              HasSubstr("filter.order is 0, expected 1 to 64"));
  EXPECT_THAT(message([](FilterOptions& o) { o.flatness = 0.0F; }), HasSubstr("filter.flatness"));
  EXPECT_THAT(message([&](FilterOptions& o) { o.sharpening = nan; }),
              HasSubstr("filter.sharpening"));
  EXPECT_THAT(message([](FilterOptions& o) { o.ridge = -1.0F; }), HasSubstr("filter.ridge"));
  EXPECT_THAT(message([](FilterOptions& o) { o.sharpening_steps = 0; }),
              HasSubstr("filter.sharpening_steps is 0, expected 1 to 15"));
  EXPECT_EQ(message([](FilterOptions& o) {
              o.rank = 0;
              o.kind = FilterKind::linear;
            }),
            "no error");
}

}  // namespace
}  // namespace penchant::models
