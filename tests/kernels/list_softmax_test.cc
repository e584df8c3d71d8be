// SPDX-License-Identifier: Apache-2.0
#include "kernels/list_softmax.h"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <vector>

#include <gtest/gtest.h>

#include "graph/error.h"
#include "kernels/host_threads.h"
#include "tests/support/backends.h"
#include "tests/support/data.h"
#include "tests/support/dense.h"

namespace penchant::kernels {
namespace {

using graph::NodeId;
using support::Dense;

struct ListCase {
  std::int64_t batch, items, list, negatives, width;
  bool excludes = false;
  std::uint64_t seed = 1;
};

std::ostream& operator<<(std::ostream& out, const ListCase& c) {
  return out << "B " << c.batch << ", I " << c.items << ", K " << c.list << ", M " << c.negatives
             << ", D " << c.width << (c.excludes ? ", excludes" : "") << ", seed " << c.seed;
}

const ListCase kListCases[] = {
    {1, 3, 1, 1, 1},        {2, 9, 3, 4, 5, true},        {7, 20, 20, 20, 8, true},
    {33, 40, 5, 17, 12},    {64, 200, 30, 100, 16, true}, {65, 1000, 100, 513, 33, true},
    {5, 30, 4, 0, 9, true},
};

/// Lists of different lengths, from none to K; shares add up to 1; every third item of a row is
/// excluded, whether it is a negative or in a list or neither.
struct Inputs {
  std::int64_t list = 0;
  Dense users, items, shares;
  std::vector<std::vector<NodeId>> lists, excluded;
  std::vector<NodeId> negatives;
  double temperature = 0.3;
};

Inputs inputs_of(const ListCase& c) {
  Inputs in;
  in.list = c.list;
  in.users = support::random_dense(c.batch, c.width, c.seed);
  in.items = support::random_dense(c.items, c.width, c.seed + 1);
  in.shares = support::random_dense(c.batch, c.list, c.seed + 2);
  for (std::int64_t b = 0; b < c.batch; ++b) {
    std::vector<NodeId> list;
    const std::int64_t length = (b * 7 + c.list) % (c.list + 1);
    for (std::int64_t k = 0; k < length; ++k)
      list.push_back(static_cast<NodeId>((b + 3 + k) % c.items));
    double sum = 0.0;
    for (std::int64_t k = 0; k < c.list; ++k) {
      in.shares(b, k) = k < length ? std::abs(in.shares(b, k)) + 0.01 : 0.0;
      sum += in.shares(b, k);
    }
    for (std::int64_t k = 0; k < length; ++k) in.shares(b, k) /= sum;
    in.lists.push_back(list);
    std::vector<NodeId> excluded;
    for (NodeId i = static_cast<NodeId>(b % 3); c.excludes && i < c.items; i += 3)
      excluded.push_back(i);
    in.excluded.push_back(excluded);
  }
  for (std::int64_t m = 0; m < c.negatives; ++m)
    in.negatives.push_back(
        static_cast<NodeId>(m * c.items / std::max<std::int64_t>(1, c.negatives)));
  return in;
}

struct Result {
  Dense losses, d_users, d_items;
};

/// By the equations of the kernel's comment, in float64, one pair at a time.
Result expected(const Inputs& in) {
  const std::int64_t batch = in.users.rows;
  const std::int64_t width = in.users.cols;
  Result want{Dense(1, batch), Dense(batch, width), Dense(in.items.rows, width)};
  const auto has = [](const std::vector<NodeId>& list, NodeId item) {
    return std::find(list.begin(), list.end(), item) != list.end();
  };
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::vector<NodeId>& list = in.lists[graph::at(b)];
    if (list.empty()) continue;
    const auto score = [&](NodeId item) {
      double sum = 0.0;
      for (std::int64_t j = 0; j < width; ++j) sum += in.users(b, j) * in.items(item, j);
      return sum / in.temperature;
    };
    std::vector<std::pair<NodeId, double>> pulls;  // item, share
    for (std::size_t k = 0; k < list.size(); ++k)
      pulls.emplace_back(list[k], in.shares(b, static_cast<std::int64_t>(k)));
    for (const NodeId item : in.negatives) {
      if (!has(list, item) && !has(in.excluded[graph::at(b)], item)) pulls.emplace_back(item, 0.0);
    }
    double total = 0.0;
    for (const auto& [item, share] : pulls) total += std::exp(score(item));
    want.losses(0, b) = std::log(total);
    for (const auto& [item, share] : pulls) {
      want.losses(0, b) -= share * score(item);
      const double pull =
          (std::exp(score(item)) / total - share) / (in.temperature * static_cast<double>(batch));
      for (std::int64_t j = 0; j < width; ++j) {
        want.d_users(b, j) += pull * in.items(item, j);
        want.d_items(item, j) += pull * in.users(b, j);
      }
    }
  }
  return want;
}

FloatMatrix matrix_of(const Dense& dense, Backend& backend) {
  FloatMatrix matrix = backend.matrix<float>(dense.rows, dense.cols);
  for (std::int64_t i = 0; i < dense.rows; ++i) {
    for (std::int64_t j = 0; j < dense.cols; ++j)
      matrix.view()(i, j) = static_cast<float>(dense(i, j));
  }
  return matrix;
}

Dense dense_of(ConstFloatView view) {
  Dense dense(view.rows, view.cols);
  for (std::int64_t i = 0; i < view.rows; ++i) {
    for (std::int64_t j = 0; j < view.cols; ++j) dense(i, j) = static_cast<double>(view(i, j));
  }
  return dense;
}

/// Into a gradient that holds 2 everywhere, which must stay.
Result run(const Inputs& in, Backend& backend, ListSoftmax& softmax) {
  const FloatMatrix users = matrix_of(in.users, backend);
  const FloatMatrix items = matrix_of(in.items, backend);
  const FloatMatrix shares = matrix_of(in.shares, backend);
  Matrix<NodeId> lists = backend.matrix<NodeId>(in.users.rows, in.list);
  std::vector<graph::Entry> excluded;
  for (std::int64_t b = 0; b < in.users.rows; ++b) {
    std::fill_n(lists.view().row(b), in.list, graph::kNoNode);
    std::copy(in.lists[graph::at(b)].begin(), in.lists[graph::at(b)].end(), lists.view().row(b));
    for (const NodeId item : in.excluded[graph::at(b)])
      excluded.push_back({static_cast<NodeId>(b), item, 1.0F});
  }
  const graph::Csr csr = graph::csr_from_entries(in.users.rows, in.items.rows, excluded);
  FloatMatrix losses = backend.matrix<float>(1, in.users.rows);
  FloatMatrix d_users = backend.matrix<float>(in.users.rows, in.users.cols);
  FloatMatrix d_items = backend.matrix<float>(in.items.rows, in.items.cols);
  backend.fill(d_users.view(), 7.0F);
  backend.fill(d_items.view(), 2.0F);
  const IdView negatives(in.negatives.data(), static_cast<std::int64_t>(in.negatives.size()),
                         Device::cpu);
  ListSoftmaxBatch batch = {users.view(), lists.view(), shares.view(), negatives, {}};
  if (!excluded.empty()) batch.excluded = csr.view();
  softmax.add_gradients(batch, items.view(), static_cast<float>(in.temperature),
                        {losses.view().data, in.users.rows, Device::cpu}, d_users.view(),
                        d_items.view());
  Result got{dense_of(losses.view()), dense_of(d_users.view()), dense_of(d_items.view())};
  for (double& value : got.d_items.values) value -= 2.0;
  return got;
}

void expect_near(const Dense& got, const Dense& want, double tolerance, const char* what) {
  ASSERT_EQ(got.values.size(), want.values.size());
  for (std::size_t i = 0; i < got.values.size(); ++i)
    ASSERT_LE(std::abs(got.values[i] - want.values[i]), tolerance) << what << " " << i;
}

TEST(ListSoftmax, AgreesWithTheEquations) {
  const auto backend = support::backend_by_name("cpu");
  ListSoftmax softmax(*backend);  // one for all: what a batch leaves behind must not matter
  for (const ListCase& c : kListCases) {
    SCOPED_TRACE(c);
    const Inputs in = inputs_of(c);
    const Result want = expected(in);
    const Result got = run(in, *backend, softmax);
    expect_near(got.losses, want.losses, 1e-4, "losses");
    expect_near(got.d_users, want.d_users, 1e-5, "d_users");
    expect_near(got.d_items, want.d_items, 1e-5, "d_items");
  }
}

// Two items in the list with shares 3/4 and 1/4, no negatives, equal scores: P = 1/2 each, loss =
// log 2, pulls -1/4 and 1/4.
TEST(ListSoftmax, PullsTowardsTheShares) {
  const auto backend = support::backend_by_name("cpu");
  ListSoftmax softmax(*backend);
  Inputs in;
  in.list = 2;
  in.users = Dense(1, 1, 1.0);
  in.items = Dense(2, 1);
  in.shares = Dense(1, 2);
  in.shares(0, 0) = 0.75;
  in.shares(0, 1) = 0.25;
  in.lists = {{0, 1}};
  in.excluded = {{}};
  in.temperature = 1.0;
  const Result got = run(in, *backend, softmax);
  EXPECT_NEAR(got.losses(0, 0), std::log(2.0), 1e-6);
  EXPECT_NEAR(got.d_items(0, 0), -0.25, 1e-6);
  EXPECT_NEAR(got.d_items(1, 0), 0.25, 1e-6);
}

TEST(ListSoftmax, HasTheSameBitsAtAnyThreadCount) {
  std::vector<Result> results;
  for (const int threads : {1, 2, 2}) {
    const ThreadScope scope(threads);  // of its own loops
    const auto backend = support::backend_by_name("cpu", threads);
    ListSoftmax softmax(*backend);
    results.push_back(run(inputs_of(kListCases[5]), *backend, softmax));
  }
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_EQ(results[i].losses.values, results[0].losses.values);
    EXPECT_EQ(results[i].d_users.values, results[0].d_users.values);
    EXPECT_EQ(results[i].d_items.values, results[0].d_items.values);
  }
}

TEST(ListSoftmax, RefusesWhatDoesNotFit) {
  const auto backend = support::backend_by_name("cpu");
  ListSoftmax softmax(*backend);
  Inputs in = inputs_of(kListCases[1]);
  in.temperature = 0.0;
  EXPECT_THROW(run(in, *backend, softmax), InputError);
  in = inputs_of(kListCases[1]);
  in.lists[1] = {9};
  EXPECT_THROW(run(in, *backend, softmax), InputError);
  in = inputs_of(kListCases[1]);
  in.shares = Dense(2, 2);
  EXPECT_THROW(run(in, *backend, softmax), InputError);
  in = inputs_of(kListCases[1]);
  in.negatives = {0, 9};
  EXPECT_THROW(run(in, *backend, softmax), InputError);
}

}  // namespace
}  // namespace penchant::kernels
