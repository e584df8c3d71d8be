// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/isotonic_map.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "graph/random.h"

namespace penchant::pipeline {
namespace {

/// Probabilities that come true by another law.
template <typename Law>
std::vector<ToldProbability> drawn(std::int64_t count, Law law) {
  const graph::Random random(graph::Seed{7}, graph::Stream::generator, 3);
  std::vector<ToldProbability> pairs;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto place = static_cast<std::uint64_t>(i);
    const double p = random.uniform(2 * place);
    pairs.push_back({static_cast<float>(p), random.uniform(2 * place + 1) < law(p)});
  }
  return pairs;
}

TEST(IsotonicMap, TellsHowOftenAProbabilityCameTrue) {
  const auto law = [](double p) { return p < 0.3 ? 1.2 * p : 0.36 + 0.7 * (p - 0.3); };
  const IsotonicMap map(drawn(100'000, law));
  EXPECT_GT(map.num_points(), 20);
  for (const double p : {0.05, 0.1, 0.3, 0.5, 0.7, 0.9})
    EXPECT_NEAR(map(static_cast<float>(p)), law(p), 0.03) << p;
}

TEST(IsotonicMap, KeepsTheOrderAlsoWhereSharesFall) {
  const IsotonicMap map(drawn(20'000, [](double p) { return p < 0.5 ? p : 1.0 - p; }));
  float last = -1.0F;
  for (int i = 0; i <= 1000; ++i) {
    const float mapped = map(static_cast<float>(i) / 1000.0F);
    EXPECT_GE(mapped, 0.0F);
    EXPECT_LE(mapped, 1.0F);
    if (i > 0 && i < 1000) {
      EXPECT_GT(mapped, last) << i;
    }
    last = mapped;
  }
  // By hand: shares rise as p up to m, and all above are pooled to their mean, m as well:
  // (1/4 - m^2 / 2) / (1 - m) = m at m = 1 - sqrt(1/2).
  EXPECT_NEAR(map(0.6F), 1.0 - std::sqrt(0.5), 0.02);
}

TEST(IsotonicMap, ChangesNothingOfAFew) {
  for (const IsotonicMap& map :
       {IsotonicMap(), IsotonicMap(drawn(300, [](double) { return .5; }))}) {
    EXPECT_EQ(map.num_points(), 0);
    for (const float p : {0.0F, 0.2F, 1.0F}) EXPECT_EQ(map(p), p);
  }
}

}  // namespace
}  // namespace penchant::pipeline
