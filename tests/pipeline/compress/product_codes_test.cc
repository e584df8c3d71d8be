// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/product_codes.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/host_threads.h"
#include "pipeline/compress/code_fit.h"
#include "pipeline/compress/query_fit.h"
#include "pipeline/compress/score_space.h"
#include "tests/support/data.h"

namespace penchant::pipeline {
namespace {

using kernels::ConstFloatView;

/// Fixed numbers around a few centres, as float32.
std::vector<float> clustered(std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  const support::Dense noise = support::random_dense(rows, cols, seed);
  const support::Dense centres = support::random_dense(20, cols, seed + 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j)
      values.push_back(static_cast<float>(centres(i * i % 20, j) + 0.2 * noise(i, j)));
  }
  return values;
}

ConstFloatView rows_in(const std::vector<float>& values, std::int64_t cols) {
  return {values.data(), static_cast<std::int64_t>(values.size()) / cols, cols, cols,
          kernels::Device::cpu};
}

std::vector<float> decoded(const ProductCodes& codes) {
  std::vector<float> values(static_cast<std::size_t>(codes.rows * codes.width), NAN);
  codes.decode({values.data(), codes.rows, codes.width, codes.width, kernels::Device::cpu});
  return values;
}

TEST(ProductCodes, EachSubVectorHasItsNearestCentroid) {
  const std::vector<float> values = clustered(300, 6, 1);
  const ProductCodes codes = learn_codes(rows_in(values, 6), {3, 4}, graph::Seed{1});
  ASSERT_EQ(codes.sub_width(), 2);
  for (std::int64_t i = 0; i < codes.rows; ++i) {
    for (std::int64_t m = 0; m < 3; ++m) {
      const auto distance = [&](std::int64_t choice) {
        double sum = 0.0;
        for (std::int64_t j = 0; j < 2; ++j) {
          const double gap =
              values[static_cast<std::size_t>(i * 6 + m * 2 + j)] - codes.centroid(m, choice)[j];
          sum += gap * gap;
        }
        return sum;
      };
      const double chosen = distance(codes.chosen[static_cast<std::size_t>(i * 3 + m)]);
      for (std::int64_t other = 0; other < 16; ++other) EXPECT_LE(chosen, distance(other) + 1e-5);
    }
  }
}

TEST(ProductCodes, BitsArePackedFromTheLowestOn) {
  ProductCodes codes{{3, 4}, 2, 3, std::vector<float>(3 * 16), {1, 2, 3, 15, 0, 7}};
  EXPECT_EQ(codes.shape.code_bytes(), 2);
  EXPECT_EQ(codes.packed(), (std::vector<std::uint8_t>{0x21, 0x03, 0x0f, 0x07}));
  codes = {{2, 8}, 1, 2, std::vector<float>(2 * 256), {200, 7}};
  EXPECT_EQ(codes.packed(), (std::vector<std::uint8_t>{200, 7}));
}

TEST(ProductCodes, AThreadMoreDoesNotChangeABit) {
  const std::vector<float> values = clustered(3000, 8, 3);
  std::vector<ProductCodes> both;
  for (const int threads : {1, 2}) {
    const kernels::ThreadScope scope(threads);
    both.push_back(learn_codes(rows_in(values, 8), {2, 8}, graph::Seed{5}));
  }
  EXPECT_EQ(both[0].codebooks, both[1].codebooks);
  EXPECT_EQ(both[0].chosen, both[1].chosen);
}

/// Sum over users of what QueryFit and CodeFit make small, by plain loops.
double objective(ConstFloatView users, ConstFloatView items, const FittedUsers& fitted,
                 const std::vector<float>& queries, const std::vector<float>& stand_for,
                 std::int64_t width) {
  const auto product = [](const float* a, const float* b, std::int64_t count) {
    double sum = 0.0;
    for (std::int64_t j = 0; j < count; ++j) sum += static_cast<double>(a[j]) * b[j];
    return sum;
  };
  double all = 0.0;
  for (std::int64_t u = 0; u < users.rows; ++u) {
    const auto gap = [&](std::int64_t item) {
      return product(queries.data() + u * width, stand_for.data() + item * width, width) -
             product(users.row(u), items.row(item), users.cols);
    };
    for (std::int64_t k = 0; k < fitted.list_length; ++k) {
      const double off = gap(fitted.list(u)[k]);
      all += off * off / static_cast<double>(fitted.list_length);
    }
    for (std::int64_t item = 0; item < items.rows; ++item) {
      const double off = gap(item);
      all += kOthersWeight * off * off / static_cast<double>(items.rows);
    }
  }
  return all;
}

struct Fitting {
  static constexpr std::int64_t kUsers = 40, kItems = 400, kCols = 10, kLength = 15;
  std::vector<float> user_rows = clustered(kUsers, kCols, 11);
  std::vector<float> item_rows = clustered(kItems, kCols, 13);
  ConstFloatView users = rows_in(user_rows, kCols);
  ConstFloatView items = rows_in(item_rows, kCols);
  std::unique_ptr<kernels::Backend> backend = kernels::make_backend({});
  ScoreSpace space = score_space(users, items, 3, *backend);
  FittedUsers fitted{users, kLength, {}, {}};

  Fitting() {
    for (std::int64_t u = 0; u < kUsers; ++u) {
      std::vector<std::pair<float, graph::NodeId>> scores;
      for (std::int64_t i = 0; i < kItems; ++i) {
        float sum = 0.0F;
        for (std::int64_t j = 0; j < kCols; ++j) sum += users(u, j) * items(i, j);
        scores.emplace_back(sum, static_cast<graph::NodeId>(i));
      }
      std::sort(scores.rbegin(), scores.rend());
      for (std::int64_t k = 0; k < kLength; ++k) {
        fitted.lists.push_back(scores[static_cast<std::size_t>(k)].second);
        fitted.scores.push_back(scores[static_cast<std::size_t>(k)].first);
      }
    }
  }
  static std::vector<float> rows_of(const kernels::FloatMatrix& matrix) {
    std::vector<float> values;
    const ConstFloatView view = matrix.view();
    for (std::int64_t i = 0; i < view.rows; ++i)
      values.insert(values.end(), view.row(i), view.row(i) + view.cols);
    return values;
  }
};

TEST(ScoreSpace, ProductsOfUsersAndItemsStay) {
  const Fitting f;
  const std::vector<float> q = Fitting::rows_of(mapped_rows(f.users, f.space.user_map, *f.backend));
  const std::vector<float> z = Fitting::rows_of(mapped_rows(f.items, f.space.item_map, *f.backend));
  const std::int64_t width = f.space.item_map.rows();
  EXPECT_EQ(width, 12);  // 10 numbers are no multiple of 3 sub-vectors
  for (std::int64_t u = 0; u < Fitting::kUsers; u += 7) {
    for (std::int64_t i = 0; i < Fitting::kItems; i += 13) {
      double before = 0.0, after = 0.0;
      for (std::int64_t j = 0; j < Fitting::kCols; ++j)
        before += static_cast<double>(f.users(u, j)) * f.items(i, j);
      for (std::int64_t j = 0; j < width; ++j) {
        after += static_cast<double>(q[static_cast<std::size_t>(u * width + j)]) *
                 z[static_cast<std::size_t>(i * width + j)];
      }
      EXPECT_NEAR(before, after, 1e-4);
    }
  }
}

// Each half of the fit makes the same sum smaller, or leaves it.
TEST(CodeFit, EachStepMakesTheErrorsOfScoresSmaller) {
  const Fitting f;
  const kernels::FloatMatrix z = mapped_rows(f.items, f.space.item_map, *f.backend);
  ProductCodes codes = learn_codes(z.view(), {3, 4}, graph::Seed{1});
  kernels::FloatMatrix queries = mapped_rows(f.users, f.space.user_map, *f.backend);
  const auto now = [&] {
    return objective(f.users, f.items, f.fitted, Fitting::rows_of(queries), decoded(codes),
                     codes.width);
  };
  const double start = now();
  double before = start;
  CodeFit fit(f.items, f.fitted, *f.backend);
  for (int round = 0; round < 3; ++round) {
    const std::vector<float> stand_for = decoded(codes);
    const QueryFit of_users(f.items, rows_in(stand_for, codes.width), *f.backend);
    of_users.fit(f.users,
                 {{},
                  {f.fitted.lists.data(), Fitting::kUsers, Fitting::kLength, Fitting::kLength,
                   kernels::Device::cpu},
                  rows_in(f.fitted.scores, Fitting::kLength)},
                 queries.view());
    double after = now();
    EXPECT_LE(after, before * (1.0 + 1e-5)) << "users, round " << round;
    before = after;
    fit.fit(queries.view(), codes);
    after = now();
    EXPECT_LE(after, before * (1.0 + 1e-5)) << "codes, round " << round;
    before = after;
  }
  EXPECT_LT(before, 0.5 * start);
}

}  // namespace
}  // namespace penchant::pipeline
