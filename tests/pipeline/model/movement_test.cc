// SPDX-License-Identifier: Apache-2.0
// How far vectors moved, by hand-made rows.
#include "pipeline/model/movement.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"

namespace penchant::pipeline {
namespace {

/// Rows under ids.
struct Rows {
  graph::Dictionary ids;
  std::vector<float> numbers;
  std::int64_t cols;

  Rows(std::initializer_list<const char*> names, std::vector<float> values)
      : numbers(std::move(values)), cols(static_cast<std::int64_t>(numbers.size() / names.size())) {
    for (const char* name : names) ids.intern(name);
  }
  RowsById view() const {
    return {ids, {numbers.data(), ids.size(), cols, cols, kernels::Device::cpu}};
  }
};

TEST(Movement, OfOneRow) {
  const float a[] = {3, 4}, b[] = {-3, -4}, c[] = {6, 8}, zeros[] = {0, 0};
  const RowDistance opposite = row_distance(a, b, 2);
  EXPECT_DOUBLE_EQ(opposite.cosine, -1);
  EXPECT_DOUBLE_EQ(opposite.distance, 10);
  EXPECT_DOUBLE_EQ(opposite.share, 2);
  const RowDistance longer = row_distance(a, c, 2);
  EXPECT_DOUBLE_EQ(longer.cosine, 1);
  EXPECT_DOUBLE_EQ(longer.share, 0.5);
  EXPECT_DOUBLE_EQ(row_distance(c, a, 2).share, 0.5);  // the same from both sides
  const RowDistance born = row_distance(zeros, a, 2);
  EXPECT_EQ(born.cosine, 0);
  EXPECT_DOUBLE_EQ(born.share, 1);
  const RowDistance nothing = row_distance(zeros, zeros, 2);
  EXPECT_EQ(nothing.cosine, 1);
  EXPECT_EQ(nothing.share, 0);
}

TEST(Movement, RowsAreMatchedByRawId) {
  const Rows before({"a", "b", "gone"}, {1, 0, 0, 2, 5, 5});
  const Rows now({"new", "b", "a"}, {9, 9, 0, 2, 0, 1});
  EXPECT_EQ(rows_before(before.ids, now.ids), (std::vector<graph::NodeId>{graph::kNoNode, 1, 0}));
  const RowMovement moved = how_far_rows_moved(before.view(), now.view());
  EXPECT_EQ(moved.rows, 2);
  EXPECT_DOUBLE_EQ(moved.cosine.least, 0);
  EXPECT_DOUBLE_EQ(moved.cosine.largest, 1);
  EXPECT_DOUBLE_EQ(moved.distance.largest, std::sqrt(2));
  EXPECT_DOUBLE_EQ(moved.share.median, 0);
}

TEST(Movement, QuantilesAreByNearestRank) {
  Rows first({"x"}, {1}), second({"x"}, {1});
  first.numbers.clear();
  second.numbers.clear();
  first.ids = graph::Dictionary();
  second.ids = graph::Dictionary();
  for (int i = 1; i <= 200; ++i) {  // the distances are 1 to 200
    const std::string name = std::to_string(i);
    first.ids.intern(name);
    second.ids.intern(name);
    first.numbers.push_back(0);
    second.numbers.push_back(static_cast<float>(i));
  }
  const Quantiles distance = how_far_rows_moved(first.view(), second.view()).distance;
  EXPECT_EQ(distance.least, 1);
  EXPECT_EQ(distance.q01, 2);
  EXPECT_EQ(distance.q10, 20);
  EXPECT_EQ(distance.median, 100);
  EXPECT_EQ(distance.q90, 180);
  EXPECT_EQ(distance.q99, 198);
  EXPECT_EQ(distance.largest, 200);
}

TEST(Movement, OfNothingAndOfOtherWidths) {
  const Rows a({"a"}, {1, 2}), b({"b"}, {1, 2}), wide({"a"}, {1, 2, 3});
  const RowMovement none = how_far_rows_moved(a.view(), b.view());
  EXPECT_EQ(none.rows, 0);
  EXPECT_EQ(none.distance.largest, 0);
  EXPECT_EQ(movement_text(none), "no row is in both");
  EXPECT_EQ(movement_of(movement_json(none)).rows, 0);
  EXPECT_THROW(how_far_rows_moved(a.view(), wide.view()), InputError);
}

}  // namespace
}  // namespace penchant::pipeline
