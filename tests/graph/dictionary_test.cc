// SPDX-License-Identifier: Apache-2.0
#include "graph/dictionary.h"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "graph/random.h"

namespace penchant::graph {
namespace {

using std::string_literals::operator""s;

TEST(Dictionary, NumbersIdsInOrderOfFirstInsertion) {
  Dictionary dictionary;
  EXPECT_EQ(dictionary.size(), 0);
  EXPECT_EQ(dictionary.intern("pear"), 0);
  EXPECT_EQ(dictionary.intern("apple"), 1);
  EXPECT_EQ(dictionary.intern("pear"), 0);
  EXPECT_EQ(dictionary.intern("fig"), 2);
  EXPECT_EQ(dictionary.size(), 3);
  EXPECT_EQ(dictionary.raw(1), "apple");
  EXPECT_EQ(dictionary.find("fig"), 2);
  EXPECT_EQ(dictionary.find("plum"), kNoNode);
  EXPECT_EQ(dictionary.size(), 3) << "find must not insert";
}

TEST(Dictionary, AnyBytesAreAnId) {
  const std::vector<std::string> raws = {"",
                                         "a,b",
                                         "\"quoted\"",
                                         "two\nlines",
                                         "\0"s,
                                         "\0\0"s,
                                         "\xFF\xFE",
                                         "Ü",
                                         " ",
                                         "0",
                                         "00",
                                         "a\0b"s,
                                         "a\0c"s,
                                         std::string(5000, 'x'),
                                         std::string(5001, 'x')};
  Dictionary dictionary;
  for (std::size_t i = 0; i < raws.size(); ++i)
    ASSERT_EQ(dictionary.intern(raws[i]), static_cast<NodeId>(i));
  for (std::size_t i = 0; i < raws.size(); ++i) {
    EXPECT_EQ(dictionary.find(raws[i]), static_cast<NodeId>(i));
    EXPECT_EQ(dictionary.raw(static_cast<NodeId>(i)), raws[i]);
  }
}

/// Ids of every length around the table's internal boundaries, with many repeats.
std::vector<std::string> many_ids(std::size_t count, std::uint64_t distinct) {
  const Random random(Seed{5}, Stream::generator);
  std::vector<std::string> raws;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t number = random.below(i, distinct);
    raws.push_back(std::string(number % 40, 'p') + std::to_string(number));
  }
  return raws;
}

TEST(Dictionary, AgreesWithAnUnorderedMap) {
  const std::vector<std::string> raws = many_ids(200000, 30000);
  Dictionary dictionary;
  std::unordered_map<std::string, NodeId> reference;
  for (const std::string& raw : raws) {
    const auto expected =
        reference.try_emplace(raw, static_cast<NodeId>(reference.size())).first->second;
    ASSERT_EQ(dictionary.intern(raw), expected) << raw;
  }
  ASSERT_EQ(dictionary.size(), static_cast<std::int64_t>(reference.size()));
  for (const auto& [raw, id] : reference) {
    ASSERT_EQ(dictionary.raw(id), raw);
    ASSERT_EQ(dictionary.find(raw), id);
  }
}

TEST(Dictionary, InternAllEqualsInternOneByOne) {
  for (const std::size_t count : {0U, 1U, 15U, 16U, 17U, 50000U}) {
    const std::vector<std::string> raws = many_ids(count, 7000);
    const std::vector<std::string_view> views(raws.begin(), raws.end());
    Dictionary one_by_one;
    std::vector<NodeId> want;
    for (const std::string& raw : raws) want.push_back(one_by_one.intern(raw));
    Dictionary batch;
    std::vector<NodeId> got(count, -7);
    batch.intern_all(views, got);
    EXPECT_EQ(got, want);
    EXPECT_EQ(batch.size(), one_by_one.size());
  }
}

TEST(Dictionary, ShortAndLongIdsOfAnyBytes) {
  // Few distinct bytes, NUL among them: many ids are prefixes of each other or differ in one byte.
  const Random random(Seed{5}, Stream::generator, 1);
  std::vector<std::string> raws;
  for (std::uint64_t i = 0; i < 60000; ++i) {
    std::string raw;
    for (std::uint64_t k = 0; k < random.below(i * 20, 19); ++k)
      raw += "\0a\xFF"[random.below(i * 20 + 1 + k, 3)];
    const std::uint64_t repeats = random.below(i * 20 + 19, 3);
    for (std::uint64_t k = 0; k <= repeats; ++k) raws.push_back(raw);
  }
  const std::vector<std::string_view> views(raws.begin(), raws.end());
  std::vector<NodeId> ids(raws.size(), -7);
  Dictionary dictionary;
  dictionary.intern_all(views, ids);
  std::unordered_map<std::string, NodeId> reference;
  for (std::size_t i = 0; i < raws.size(); ++i) {
    const auto want =
        reference.try_emplace(raws[i], static_cast<NodeId>(reference.size())).first->second;
    ASSERT_EQ(ids[i], want) << i;
    ASSERT_EQ(dictionary.find(raws[i]), want);
    ASSERT_EQ(dictionary.raw(want), raws[i]);
  }
}

// Numbers behind the first id's prefix are looked up by number: dense ones from the start, sparse
// ones that become dense on the way, ones that look like a number of the same value and are not.
TEST(Dictionary, NumberedIdsOfAnyKind) {
  const Random random(Seed{6}, Stream::generator, 2);
  for (const std::string prefix : {"", "u", "user-"}) {
    for (const std::uint64_t distinct : {10U, 20000U, 400000U, 4000000000U}) {
      std::vector<std::string> raws = {prefix + "12"};
      for (std::uint64_t i = 0; i < 100000; ++i) {
        const std::string number = std::to_string(random.below(2 * i, distinct));
        switch (random.below(2 * i + 1, 12)) {
          case 0:
            raws.push_back(prefix + "0" + number);
            break;
          case 1:
            raws.push_back("x" + number);
            break;
          case 2:
            raws.push_back(prefix + number + "a");
            break;
          case 3:
            raws.push_back(prefix.substr(0, random.below(i, prefix.size() + 1)));
            break;
          default:
            raws.push_back(prefix + number);
        }
      }
      const std::vector<std::string_view> views(raws.begin(), raws.end());
      std::vector<NodeId> ids(raws.size(), -7);
      Dictionary batch;
      batch.intern_all(views, ids);
      Dictionary one_by_one;
      std::unordered_map<std::string, NodeId> reference;
      for (std::size_t i = 0; i < raws.size(); ++i) {
        const auto want =
            reference.try_emplace(raws[i], static_cast<NodeId>(reference.size())).first->second;
        ASSERT_EQ(ids[i], want) << raws[i];
        ASSERT_EQ(one_by_one.intern(raws[i]), want) << raws[i];
      }
      for (const auto& [raw, id] : reference) {
        ASSERT_EQ(batch.find(raw), id) << raw;
        ASSERT_EQ(one_by_one.find(raw), id) << raw;
        ASSERT_EQ(batch.raw(id), raw);
      }
      EXPECT_EQ(batch.find(prefix + "99999999999"), kNoNode);
      EXPECT_EQ(batch.find(prefix + "012345678"), kNoNode);
    }
  }
}

TEST(Dictionary, ReserveChangesNothingButMemory) {
  Dictionary dictionary;
  dictionary.intern("a");
  dictionary.intern("");
  dictionary.reserve(100000);
  dictionary.reserve(3);
  EXPECT_EQ(dictionary.find("a"), 0);
  EXPECT_EQ(dictionary.find(""), 1);
  EXPECT_EQ(dictionary.intern("b"), 2);
}

TEST(Dictionary, CanBeMoved) {
  Dictionary first;
  first.intern("x");
  Dictionary second = std::move(first);
  EXPECT_EQ(second.find("x"), 0);
  first = Dictionary();
  EXPECT_EQ(first.size(), 0);
  EXPECT_EQ(first.intern("y"), 0);
}

TEST(DictionaryDeathTest, RefusesAnUnknownDenseId) {
  Dictionary dictionary;
  dictionary.intern("x");
  EXPECT_DEATH(static_cast<void>(dictionary.raw(1)), "internal error");
  EXPECT_DEATH(static_cast<void>(dictionary.raw(-1)), "internal error");
}

}  // namespace
}  // namespace penchant::graph
