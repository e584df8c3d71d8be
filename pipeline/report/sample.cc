// SPDX-License-Identifier: Apache-2.0
#include "pipeline/report/sample.h"

#include <algorithm>
#include <numeric>

#include "graph/sample.h"

namespace penchant::pipeline {

using graph::at;
using graph::NodeId;

namespace {

constexpr graph::Seed kSeed{42};

}  // namespace

std::vector<std::int64_t> draw_sample(std::int64_t size, std::int64_t count,
                                      std::uint64_t substream) {
  return graph::draw_sample<std::int64_t>(kSeed, graph::Stream::validation, substream, size, count);
}

std::vector<NodeId> most_frequent(std::span<const std::int64_t> rows, std::int64_t count) {
  std::vector<NodeId> ids(rows.size());
  std::iota(ids.begin(), ids.end(), NodeId{0});
  const auto kept =
      ids.begin() + std::clamp<std::int64_t>(count, 0, static_cast<std::int64_t>(ids.size()));
  std::partial_sort(ids.begin(), kept, ids.end(), [&](NodeId a, NodeId b) {
    return rows[at(a)] != rows[at(b)] ? rows[at(a)] > rows[at(b)] : a < b;
  });
  ids.erase(kept, ids.end());
  return ids;
}

std::vector<NodeId> frequent_and_drawn(std::span<const std::int64_t> rows, std::int64_t count,
                                       std::uint64_t substream) {
  const auto size = static_cast<std::int64_t>(rows.size());
  if (count >= size) return most_frequent(rows, size);
  const std::vector<NodeId> frequent = most_frequent(rows, (count + 1) / 2);
  std::vector<bool> taken(rows.size());
  for (const NodeId id : frequent) taken[at(id)] = true;
  const graph::Permutation shuffled(kSeed, graph::Stream::validation, substream,
                                    static_cast<std::uint64_t>(size));
  std::uint64_t position = 0;
  std::vector<NodeId> chosen;
  for (const NodeId id : frequent) {
    chosen.push_back(id);
    while (static_cast<std::int64_t>(chosen.size()) < count && chosen.size() % 2 == 1) {
      const std::uint64_t drawn = shuffled(position++);
      if (!taken[drawn]) chosen.push_back(static_cast<NodeId>(drawn));
    }
  }
  return chosen;
}

std::string shortened(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text + "...";
}

}  // namespace penchant::pipeline
