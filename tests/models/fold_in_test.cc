// SPDX-License-Identifier: Apache-2.0
#include "models/fold_in.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "kernels/transfer.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"
#include "tests/support/guarded.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using support::Guarded;

constexpr double kTemperature = 0.2;

/// The loss in fold_in.h, plain.
double folding_loss(const Dense& items, const Dense& shares, std::int64_t person,
                    const std::vector<double>& u, const std::vector<NodeId>& excluded) {
  double sum = 0.0, pull = 0.0, total = 0.0;
  for (std::int64_t i = 0; i < items.rows; ++i) {
    double score = 0.0;
    for (std::int64_t j = 0; j < items.cols; ++j)
      score += u[static_cast<std::size_t>(j)] * items(i, j) / kTemperature;
    pull += shares(person, i) * score;
    total += shares(person, i);
    if (std::find(excluded.begin(), excluded.end(), static_cast<NodeId>(i)) == excluded.end())
      sum += std::exp(score);
  }
  return std::log(sum) - pull / total;
}

class FoldIns : public support::BackendTest {
 protected:
  Dense fold(const Dense& items, float length, const graph::Csr& shares,
             const graph::CsrView& excluded) {
    const Guarded<float> table(backend(), items);
    const FoldIn fold_in(table.view(), static_cast<float>(kTemperature), length);
    const kernels::FloatMatrix vectors = fold_in.vectors(shares.view(), excluded, backend());
    kernels::Download<float> download;
    const kernels::ConstFloatView host = download(vectors.view(), backend());
    Dense result(host.rows, host.cols);
    for (std::int64_t b = 0; b < host.rows; ++b)
      for (std::int64_t j = 0; j < host.cols; ++j) result(b, j) = static_cast<double>(host(b, j));
    return result;
  }
};
PENCHANT_INSTANTIATE_BACKENDS(FoldIns);

// In a plane every direction can be tried.
TEST_P(FoldIns, NoDirectionIsBetter) {
  const Dense items = support::random_dense(11, 2, 5);
  // Two items; three, one of them twice; what is excluded is another item of the list's reach.
  const graph::Csr shares = {3, 11, {0, 2, 5, 6}, {1, 4, 0, 5, 9, 7}, {1, 1, 2, 1, 1, 3}};
  const graph::Csr excluded = {3, 11, {0, 0, 2, 3}, {3, 8, 2}, {}};
  const Dense got = fold(items, 1.5F, shares, excluded.view());
  Dense dense(3, 11);
  for (std::int64_t b = 0; b < 3; ++b)
    for (std::int64_t e = shares.offsets[static_cast<std::size_t>(b)];
         e < shares.offsets[static_cast<std::size_t>(b) + 1]; ++e)
      dense(b, shares.columns[static_cast<std::size_t>(e)]) =
          static_cast<double>(shares.values[static_cast<std::size_t>(e)]);
  for (std::int64_t b = 0; b < 3; ++b) {
    const auto row = excluded.view().row(b);
    const std::vector<NodeId> without(row.begin(), row.end());
    EXPECT_NEAR(std::hypot(got(b, 0), got(b, 1)), 1.5, 1e-5);
    const double loss = folding_loss(items, dense, b, {got(b, 0), got(b, 1)}, without);
    // Of all directions near it: there may be another valley.
    const double angle = std::atan2(got(b, 1), got(b, 0));
    for (int k = -100; k <= 100; ++k) {
      const double other = angle + 0.003 * k;
      EXPECT_LE(loss, folding_loss(items, dense, b, {1.5 * std::cos(other), 1.5 * std::sin(other)},
                                   without) +
                          2e-3)
          << b << ", " << k;
    }
  }
}

TEST_P(FoldIns, APersonDoesNotDependOnTheOthers) {
  const Dense items = support::random_dense(40, 6, 7);
  const graph::Csr people = support::random_sets(70, 40, 5, 11);  // more than one block
  const Dense together = fold(items, 1.0F, people, {});
  for (const NodeId person : {0, 5, 63, 64, 69}) {
    const graph::Csr one = graph::select_rows(people.view(), std::vector<NodeId>{person});
    const Dense alone = fold(items, 1.0F, one, {});
    for (std::int64_t j = 0; j < 6; ++j)
      EXPECT_NEAR(alone(0, j), together(person, j), 1e-4) << person << ", " << j;
  }
}

TEST_P(FoldIns, NothingGivesZeros) {
  const Dense items = support::random_dense(5, 3, 1);
  const Dense got = fold(items, 1.0F, {2, 5, {0, 0, 1}, {4}, {}}, {});
  for (std::int64_t j = 0; j < 3; ++j) EXPECT_EQ(got(0, j), 0.0);
  EXPECT_NEAR(std::hypot(got(1, 0), got(1, 1), got(1, 2)), 1.0, 1e-5);
}

TEST_P(FoldIns, WhatDoesNotFitIsRefused) {
  const Guarded<float> items(backend(), support::random_dense(5, 3, 1));
  EXPECT_THROW(FoldIn(items.view(), 0.0F, 1.0F), InputError);
  EXPECT_THROW(FoldIn(items.view(), 1.0F, std::nanf("")), InputError);
  const FoldIn fold_in(items.view(), 1.0F, 1.0F);
  const graph::Csr shares = {1, 6, {0, 1}, {5}, {}};
  EXPECT_THROW(fold_in.vectors(shares.view(), {}, backend()), InputError);
}

}  // namespace
}  // namespace penchant::models
