// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tables/block_stages.h"

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "tests/graph/graphs.h"

namespace penchant::pipeline {
namespace {

using graph::ThreadCount;

constexpr int kBlocks = 200;

/// Numbers each block; stages write down what they saw.
struct Recorder {
  explicit Recorder(std::size_t num_slots) : slots(num_slots, -1), ordered(2) {}
  BlockStages stages() {
    BlockStages result;
    result.fetch = [this](std::size_t slot) {
      if (fetched == kBlocks) return false;
      slots[slot] = fetched++;
      return true;
    };
    result.encode = [this](std::size_t slot) {
      ++encoded;
      if (slots[slot] == fails_in_encode) throw std::runtime_error("encode");
    };
    for (std::size_t s = 0; s < ordered.size(); ++s) {
      result.ordered.emplace_back([this, s](std::size_t slot) {
        ordered[s].push_back(slots[slot]);
        if (s == 1 && slots[slot] == fails_in_stage) throw std::runtime_error("stage 1");
        if (s == 0 && slots[slot] == fails_in_stage) throw std::runtime_error("stage 0");
      });
    }
    result.commit = [this](std::size_t slot) { committed.push_back(slots[slot]); };
    return result;
  }
  std::vector<int> slots;
  std::vector<std::vector<int>> ordered;
  std::vector<int> committed;
  std::atomic<int> encoded = 0;
  int fetched = 0;
  int fails_in_encode = -1;
  int fails_in_stage = -1;
};

std::vector<int> first_numbers(int count) {
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

std::string error_of(Recorder& recorder, std::size_t num_slots) {
  try {
    run_block_stages(recorder.stages(), num_slots);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

TEST(BlockStages, OrderedStagesAndCommitSeeEveryBlockInOrder) {
  for (const int threads : {1, 2, 5}) {
    const ThreadCount scope(threads);
    for (const std::size_t num_slots : {1U, 2U, 4U}) {
      Recorder recorder(num_slots);
      EXPECT_EQ(error_of(recorder, num_slots), "none");
      EXPECT_EQ(recorder.encoded, kBlocks);
      EXPECT_EQ(recorder.ordered[0], first_numbers(kBlocks));
      EXPECT_EQ(recorder.ordered[1], first_numbers(kBlocks));
      EXPECT_EQ(recorder.committed, first_numbers(kBlocks));
    }
  }
}

TEST(BlockStages, TheFirstFailureInOrderIsThrownBehindAllBlocksBeforeIt) {
  for (const int threads : {1, 2, 5}) {
    const ThreadCount scope(threads);
    Recorder late(4);
    late.fails_in_encode = 61;
    late.fails_in_stage = 60;
    EXPECT_EQ(error_of(late, 4), "stage 0");
    EXPECT_EQ(late.committed, first_numbers(60));
    Recorder same(4);
    same.fails_in_encode = 60;
    same.fails_in_stage = 60;
    EXPECT_EQ(error_of(same, 4), "encode");
    EXPECT_EQ(same.committed, first_numbers(60));
  }
}

TEST(BlockStages, NoBlocks) {
  Recorder recorder(3);
  recorder.fetched = kBlocks;
  EXPECT_EQ(error_of(recorder, 3), "none");
  EXPECT_TRUE(recorder.committed.empty());
}

}  // namespace
}  // namespace penchant::pipeline
