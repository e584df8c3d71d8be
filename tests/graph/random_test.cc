// SPDX-License-Identifier: Apache-2.0
#include "graph/random.h"

#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace penchant::graph {
namespace {

// Known answers of philox4x32-10 from Random123's own test vectors (tests/kat_vectors). Our counter
// is (position low, position high, stream name low, stream name high), the upper 8 bits of the name
// are the stream; our key is the seed, low word first.
TEST(Random, PhiloxGivesThePublishedVectors) {
  using Words = std::array<std::uint32_t, 4>;
  const Random zeros(Seed{0}, static_cast<Stream>(0), 0);
  EXPECT_EQ(zeros.words(0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const Random ones(Seed{0xFFFFFFFFFFFFFFFF}, static_cast<Stream>(0xFF), 0x00FFFFFFFFFFFFFF);
  EXPECT_EQ(ones.words(0xFFFFFFFFFFFFFFFF),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  const Random pi(Seed{0x299f31d0a4093822}, static_cast<Stream>(0x03), 0x0070734413198a2e);
  EXPECT_EQ(pi.words(0x85a308d3243f6a88), (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, SeedStreamSubstreamAndPositionAllMatter) {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {0ULL, 1ULL, 1ULL << 32}) {
    for (const Stream stream : {Stream::shuffle, Stream::negatives}) {
      for (const std::uint64_t substream : {0ULL, 1ULL, 1ULL << 40}) {
        const Random random(Seed{seed}, stream, substream);
        for (const std::uint64_t position : {0ULL, 1ULL, 1ULL << 50})
          seen.insert(random.bits(position));
      }
    }
  }
  EXPECT_EQ(seen.size(), 3U * 2U * 3U * 3U);
}

TEST(Random, UniformBelowAndNormalHaveTheirMoments) {
  const Random random(Seed{7}, Stream::split);
  constexpr int kCount = 100000;
  double sum = 0.0;
  double normal_sum = 0.0;
  double normal_squares = 0.0;
  std::vector<int> histogram(7, 0);
  for (int i = 0; i < kCount; ++i) {
    const auto position = static_cast<std::uint64_t>(i);
    const double uniform = random.uniform(position);
    ASSERT_GE(uniform, 0.0);
    ASSERT_LT(uniform, 1.0);
    sum += uniform;
    const double normal = random.normal(position);
    normal_sum += normal;
    normal_squares += normal * normal;
    ++histogram[random.below(position, 7)];
  }
  // Five standard errors each.
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(normal_sum / kCount, 0.0, 5 * std::sqrt(1.0 / kCount));
  EXPECT_NEAR(normal_squares / kCount, 1.0, 5 * std::sqrt(2.0 / kCount));
  for (const int count : histogram) EXPECT_NEAR(count, kCount / 7.0, 5 * std::sqrt(kCount / 7.0));
}

TEST(Random, BelowOneIsZero) { EXPECT_EQ(Random(Seed{1}, Stream::split).below(12345, 1), 0U); }

TEST(Permutation, IsABijectionOfEverySize) {
  std::vector<std::uint64_t> sizes = {255, 256, 257, 1000, 4095, 4096, 4097, 10007, 65537};
  for (std::uint64_t size = 0; size < 70; ++size) sizes.push_back(size);
  for (const std::uint64_t size : sizes) {
    const Permutation permutation(Seed{3}, Stream::shuffle, 1, size);
    EXPECT_EQ(permutation.size(), size);
    std::vector<bool> seen(size, false);
    for (std::uint64_t position = 0; position < size; ++position) {
      const std::uint64_t value = permutation(position);
      ASSERT_LT(value, size) << "size " << size;
      ASSERT_FALSE(seen[value]) << "size " << size << ", value " << value << " twice";
      seen[value] = true;
    }
  }
}

TEST(Permutation, OfALargeSizeStaysInRangeAndDiffersBySubstream) {
  const std::uint64_t size = (1ULL << 40) + 12345;
  const Permutation first(Seed{3}, Stream::shuffle, 1, size);
  const Permutation second(Seed{3}, Stream::shuffle, 2, size);
  std::set<std::uint64_t> values;
  int equal = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t position = i * (size / 1000);
    values.insert(first(position));
    ASSERT_LT(first(position), size);
    equal += first(position) == second(position);
  }
  EXPECT_EQ(values.size(), 1000U);
  EXPECT_EQ(equal, 0);
}

// A shuffle must not keep order: of n(n-1)/2 pairs about half are inverted; the standard deviation
// is about n^1.5 / 6.
TEST(Permutation, InvertsAboutHalfOfAllPairs) {
  constexpr std::uint64_t kSize = 1000;
  for (std::uint64_t substream = 0; substream < 5; ++substream) {
    const Permutation permutation(Seed{11}, Stream::shuffle, substream, kSize);
    std::int64_t inverted = 0;
    for (std::uint64_t i = 0; i < kSize; ++i) {
      for (std::uint64_t j = i + 1; j < kSize; ++j) inverted += permutation(i) > permutation(j);
    }
    EXPECT_NEAR(static_cast<double>(inverted), kSize * (kSize - 1) / 4.0,
                5 * std::pow(kSize, 1.5) / 6);
  }
}

TEST(PermutationDeathTest, RefusesAPositionBeyondItsSize) {
  const Permutation permutation(Seed{3}, Stream::shuffle, 1, 10);
  EXPECT_DEATH(permutation(10), "position < size_");
}

}  // namespace
}  // namespace penchant::graph
