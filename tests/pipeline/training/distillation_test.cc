// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/distillation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "kernels/host_threads.h"
#include "models/graph_filter.h"
#include "pipeline/artifact/progress.h"
#include "tests/pipeline/support/shop.h"

namespace penchant::pipeline {
namespace {

using graph::NodeId;

/// A filter over the shop as teacher, and its leading singular vectors to start from.
class Distil : public penchant::testing::SmallShopTest {
 protected:
  static constexpr std::int64_t kTop = 10;
  static constexpr std::int64_t kWidth = 4;

  static std::unique_ptr<models::GraphFilter> teacher(kernels::Backend& on) {
    models::FilterOptions options;
    options.kind = models::FilterKind::gfcf;
    options.rank = 32;
    return std::make_unique<models::GraphFilter>(
        std::make_shared<models::FilterGraph>(graphs().user_item.user_items.view(), options.rank,
                                              graph::Seed{1}, on),
        options, on);
  }
  static Vectors start(kernels::Backend& on) {
    Vectors vectors;
    teacher(on)->vectors(kWidth, on, vectors.users, vectors.items);
    return vectors;
  }
  static std::vector<NodeId> all_users() {
    std::vector<NodeId> users(static_cast<std::size_t>(dataset().num_users()));
    std::iota(users.begin(), users.end(), NodeId{0});
    return users;
  }
  static bool distil(models::Scorer& teacher, bool ranks_seen, std::vector<NodeId> users,
                     const DistillationOptions& options, kernels::Backend& on, Progress& progress,
                     Vectors& vectors) {
    const std::optional<TaughtLists> taught = read_lists(teacher, graphs().user_item, ranks_seen,
                                                         std::move(users), options, on, progress);
    return taught && learn_lists(*taught, graphs().user_item, options, on, progress, vectors);
  }
  /// How many of the teacher's first items of unseen ones are among the vectors', of kTop.
  static double agreement(const Vectors& vectors) {
    const auto scorer = teacher(backend());
    const graph::CsrView seen = graphs().user_item.user_items.view();
    kernels::FloatMatrix scores = backend().matrix<float>(dataset().num_items(), 1);
    double sum = 0.0;
    int count = 0;
    for (NodeId user = 0; user < dataset().num_users(); user += 7) {
      if (seen.row_size(user) == 0) continue;
      scorer->score({&user, 1, kernels::Device::cpu}, backend(), scores.view());
      const auto top = [&](const auto& score) {
        std::vector<NodeId> items;
        for (NodeId i = 0; i < dataset().num_items(); ++i) {
          if (!std::binary_search(seen.row(user).begin(), seen.row(user).end(), i))
            items.push_back(i);
        }
        std::stable_sort(items.begin(), items.end(),
                         [&](NodeId a, NodeId b) { return score(a) > score(b); });
        return std::set<NodeId>(items.begin(), items.begin() + kTop);
      };
      const auto want = top([&](NodeId i) { return scores.view()(i, 0); });
      const auto got = top([&](NodeId i) {
        float product = 0.0F;
        for (std::int64_t j = 0; j < vectors.users.cols(); ++j)
          product += vectors.users.view()(user, j) * vectors.items.view()(i, j);
        return product;
      });
      for (const NodeId item : want) sum += got.contains(item) ? 1.0 : 0.0;
      ++count;
    }
    return sum / count;
  }
  static std::vector<float> numbers(const Vectors& vectors) {
    std::vector<float> all;
    for (const kernels::FloatMatrix* matrix : {&vectors.users, &vectors.items}) {
      for (std::int64_t i = 0; i < matrix->rows(); ++i)
        all.insert(all.end(), matrix->view().row(i), matrix->view().row(i) + matrix->cols());
    }
    return all;
  }
};

TEST_F(Distil, VectorsComeToRankAsTheTeacher) {
  Vectors vectors = start(backend());
  const double before = agreement(vectors);
  ASSERT_TRUE(
      distil(*teacher(backend()), false, all_users(), {}, backend(), silent_progress(), vectors));
  const double after = agreement(vectors);
  EXPECT_LT(before, 7.0) << "nothing to learn";
  EXPECT_GT(after, before + 0.3);
  EXPECT_EQ(vectors.users.cols(), kWidth);
}

TEST_F(Distil, RanksWhatAUserHasWhereThatIsRanked) {
  const auto share_of_seen = [&](bool ranks_seen) {
    Vectors vectors = start(backend());
    EXPECT_TRUE(distil(*teacher(backend()), ranks_seen, all_users(), {}, backend(),
                       silent_progress(), vectors));
    const graph::CsrView seen = graphs().user_item.user_items.view();
    int found = 0;
    for (NodeId user = 0; user < dataset().num_users(); ++user) {
      std::vector<std::pair<float, NodeId>> scores;
      for (NodeId item = 0; item < dataset().num_items(); ++item) {
        float product = 0.0F;
        for (std::int64_t j = 0; j < kWidth; ++j)
          product += vectors.users.view()(user, j) * vectors.items.view()(item, j);
        scores.emplace_back(-product, item);
      }
      std::partial_sort(scores.begin(), scores.begin() + kTop, scores.end());
      for (int k = 0; k < kTop; ++k) {
        found += std::binary_search(seen.row(user).begin(), seen.row(user).end(), scores[k].second)
                     ? 1
                     : 0;
      }
    }
    return found;
  };
  // A filter ranks what a user has highest: lists with these items pull them up.
  EXPECT_GT(share_of_seen(true), share_of_seen(false));
}

TEST(DistillationSteps, MoveAllItemsWhereListsAndNegativesMayHoldThem) {
  const DistillationOptions options;
  EXPECT_EQ(moved_items(options, 30'000, 40'981), 40'981);
  EXPECT_LT(moved_items(options, 2'469, 92'332), 92'332 / 5);
}

TEST(DistillationSteps, BringFewUsersMoreOften) {
  const DistillationOptions options;
  EXPECT_EQ(distillation_epochs(options, 30'000), options.epochs);
  EXPECT_EQ(distillation_epochs(options, 8'192), 4 * options.epochs);
  EXPECT_EQ(distillation_epochs(options, 2'048), 16 * options.epochs);
}

/// One user's list of one item, and no negatives but the most popular: what no step holds stays.
TEST_F(Distil, MovesOnlyWhatAStepHoldsOfALargeCatalogue) {
  DistillationOptions options;
  options.list_size = 1;
  options.num_negatives = 1;
  const Vectors before = start(backend());
  ASSERT_LT(moved_items(options, 1, dataset().num_items()), dataset().num_items());
  Vectors after = start(backend());
  const std::optional<TaughtLists> taught = read_lists(
      *teacher(backend()), graphs().user_item, false, {0}, options, backend(), silent_progress());
  ASSERT_TRUE(
      learn_lists(*taught, graphs().user_item, options, backend(), silent_progress(), after));
  const NodeId listed = taught->lists.view()(0, 0);
  // Lengths are made 1 on average first: a row that did not move keeps its direction.
  const auto turned = [&](NodeId item) {
    double product = 0.0;
    double lengths[2] = {0.0, 0.0};
    for (std::int64_t j = 0; j < kWidth; ++j) {
      const double a = static_cast<double>(before.items.view()(item, j));
      const double b = static_cast<double>(after.items.view()(item, j));
      product += a * b;
      lengths[0] += a * a;
      lengths[1] += b * b;
    }
    return product < (1.0 - 1e-6) * std::sqrt(lengths[0] * lengths[1]);
  };
  EXPECT_TRUE(turned(listed));
  const auto cosine = [&](const Vectors& vectors) {
    const float* user = vectors.users.view().row(0);
    const float* item = vectors.items.view().row(listed);
    const auto product = [](const float* x, const float* y) {
      return std::inner_product(x, x + kWidth, y, 0.0F);
    };
    return product(user, item) / std::sqrt(product(user, user) * product(item, item));
  };
  EXPECT_GT(cosine(after), cosine(before));
  const graph::CsrView items = graphs().user_item.item_users.view();
  int never_drawn = 0;
  for (NodeId item = 0; item < dataset().num_items(); ++item) {
    if (items.row_size(item) > 0) continue;  // negatives are drawn by their number of users
    EXPECT_FALSE(turned(item)) << item;
    ++never_drawn;
  }
  EXPECT_GT(never_drawn, 0);
}

TEST_F(Distil, DoesNotDependOnThreads) {
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2}) {
    const kernels::ThreadScope scope(threads);
    const auto own =
        kernels::make_backend({.device = kernels::DeviceChoice::cpu, .num_threads = threads});
    Vectors vectors = start(*own);
    DistillationOptions options;
    options.list_size = 20;
    distil(*teacher(*own), false, all_users(), options, *own, silent_progress(), vectors);
    results.push_back(numbers(vectors));
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(Distil, OtherUsersKeepTheirDirection) {
  const Vectors before = start(backend());
  Vectors vectors = start(backend());
  ASSERT_TRUE(
      distil(*teacher(backend()), false, {0, 1, 2}, {}, backend(), silent_progress(), vectors));
  const auto cosine = [&](NodeId user) {
    double product = 0.0;
    double a = 0.0;
    double b = 0.0;
    for (std::int64_t j = 0; j < kWidth; ++j) {
      const auto x = static_cast<double>(before.users.view()(user, j));
      const auto y = static_cast<double>(vectors.users.view()(user, j));
      product += x * y;
      a += x * x;
      b += y * y;
    }
    return product / std::sqrt(a * b);
  };
  EXPECT_NEAR(cosine(5), 1.0, 1e-6);
  EXPECT_LT(cosine(1), 0.999);
}

TEST_F(Distil, WhoGoesOnMovesUsersAndNewItemsRatherThanKnownOnes) {
  Vectors vectors = start(backend());
  const GoesOn how = {0.5, 0.01F, {2, 3}};
  DistillationOptions options;
  options.goes_on = &how;
  const Vectors before = start(backend());
  ASSERT_TRUE(distil(*teacher(backend()), false, all_users(), options, backend(), silent_progress(),
                     vectors));
  const auto moved = [&](NodeId item) {
    double squared = 0.0;
    for (std::int64_t j = 0; j < kWidth; ++j)
      squared += std::pow(vectors.items.view()(item, j) - before.items.view()(item, j), 2);
    return std::sqrt(squared);
  };
  double known = 0.0;
  for (const NodeId item : {0, 1, 4, 5}) known += moved(item) / 4.0;
  const double of_new = (moved(2) + moved(3)) / 2.0;
  EXPECT_GT(known, 0.0);
  EXPECT_LT(5.0 * known, of_new) << "a hundredth of the rate";
  EXPECT_GT(agreement(vectors), agreement(before) + 0.1) << "users follow";
  EXPECT_LT(2 * distillation_epochs(options, 100), distillation_epochs({}, 100) + 2);
}

TEST_F(Distil, AgreementIsTheShareOfTheListsThatVectorsRankFirst) {
  constexpr NodeId kNone = graph::kNoNode;
  TaughtLists taught;
  taught.users = {0, 2};  // user 1 is not taught
  taught.lists = backend().matrix<NodeId>(2, 2);
  const NodeId lists[] = {0, 1, 3, kNone};
  std::copy_n(lists, 2, taught.lists.view().row(0));
  std::copy_n(lists + 2, 2, taught.lists.view().row(1));
  taught.ranks_seen = true;
  taught.seen.num_cols = 4;
  Vectors vectors;
  vectors.users = backend().matrix<float>(3, 4);
  vectors.items = backend().matrix<float>(4, 4);
  for (std::int64_t i = 0; i < 4; ++i) vectors.items.view()(i, i) = 1.0F;
  const float scores[3][4] = {
      {1.0F, 3.0F, 2.0F, 0.0F}, {9.0F, 9.0F, 9.0F, 9.0F}, {2.0F, 1.0F, 0.0F, 3.0F}};
  for (std::int64_t u = 0; u < 3; ++u) std::copy_n(scores[u], 4, vectors.users.view().row(u));
  // {1, 2} of {0, 1}; {3, 0} of {3}.
  EXPECT_DOUBLE_EQ(list_agreement(taught, vectors, backend()), 2.0 / 3.0);

  // What a user has is left out: {0, 2} of {0, 1}, {0, 1} of {3}.
  taught.ranks_seen = false;
  taught.seen = {2, 4, {0, 1, 2}, {1, 3}, {}};
  EXPECT_DOUBLE_EQ(list_agreement(taught, vectors, backend()), 1.0 / 3.0);
}

TEST_F(Distil, VectorsThatLearnAgreeMore) {
  Vectors vectors = start(backend());
  const std::optional<TaughtLists> taught =
      read_lists(*teacher(backend()), graphs().user_item, false, all_users(), {}, backend(),
                 silent_progress());
  const double before = list_agreement(*taught, vectors, backend());
  ASSERT_TRUE(learn_lists(*taught, graphs().user_item, {}, backend(), silent_progress(), vectors));
  EXPECT_GT(list_agreement(*taught, vectors, backend()), before + 0.01);
}

TEST_F(Distil, AnInterruptedOneLeavesTheVectorsAsTheyWere) {
  Vectors vectors = start(backend());
  const std::vector<float> before = numbers(vectors);
  penchant::testing::StopAfter progress(3);
  progress.begin("train");
  EXPECT_FALSE(distil(*teacher(backend()), false, all_users(), {}, backend(), progress, vectors));
  EXPECT_EQ(numbers(vectors), before);
}

}  // namespace
}  // namespace penchant::pipeline
