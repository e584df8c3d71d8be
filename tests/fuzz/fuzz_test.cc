// SPDX-License-Identifier: Apache-2.0
// Every target: its seeds, the inputs that were findings once, and a second of mutations.
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/fuzz/engine.h"

namespace penchant::fuzz {
namespace {

class Fuzz : public ::testing::TestWithParam<Target> {};

TEST_P(Fuzz, FindsNothing) {
  EXPECT_GT(replay(GetParam(), PENCHANT_FUZZ_CORPUS), 0U);
  Options options;
  const char* seconds = std::getenv("PENCHANT_FUZZ_SECONDS");
  options.seconds = seconds == nullptr ? 1.0 : std::atof(seconds);
  EXPECT_GT(fuzz(GetParam(), options).executions, 0U);
}

/// Arrow's reader of Parquet is not ours: what it does with damage is for `make fuzz` to look at.
std::vector<Target> our_own() {
  std::vector<Target> own;
  for (const Target& target : targets()) {
    if (std::string_view(target.name) != "parquet") own.push_back(target);
  }
  return own;
}

INSTANTIATE_TEST_SUITE_P(Targets, Fuzz, ::testing::ValuesIn(our_own()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace penchant::fuzz
