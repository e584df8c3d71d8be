// SPDX-License-Identifier: Apache-2.0
#include "pipeline/tags/tag_features.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "graph/hash.h"
#include "graph/parallel.h"

namespace penchant::pipeline {

using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;

namespace {

/// Marks are told apart by so many bits of their hash: 16 MB of counters, and of a catalogue with a
/// hundred thousand marks one in forty meets another.
constexpr std::uint64_t kHashBuckets = std::uint64_t{1} << 22;
/// Of an item: bounds what a long description costs.
constexpr std::size_t kMostMarks = 256;
constexpr std::size_t kRunLength = 4;
constexpr std::size_t kTenths = 10;

/// Kinds of marks; groups are attribute * kGroupsEach + kind, pairs of all attributes are one group.
enum MarkKind : std::int32_t { kValue, kWord, kRun, kGroupsEach };
constexpr std::int32_t kPairGroup = -1;

/// FNV-1a, with the bits mixed at the end.
std::uint64_t hash_of(std::string_view text, std::uint64_t salt) {
  std::uint64_t word = 0xCBF29CE484222325ULL ^ graph::mix_bits(salt + 1);
  for (const char c : text) word = (word ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return graph::mix_bits(word);
}

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

/// Words of a text and the runs of kRunLength bytes within each, lower case in ASCII.
void add_words(std::string_view text, std::int32_t attribute, std::vector<TagMark>& marks) {
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    // Words of any attribute mean the same: "MILK" of a type and of a description.
    marks.push_back({hash_of(word, kWord), attribute * kGroupsEach + kWord});
    const std::string framed = "^" + word + "$";
    for (std::size_t i = 0; i + kRunLength <= framed.size(); ++i)
      marks.push_back(
          {hash_of(std::string_view(framed).substr(i, kRunLength), 1000 + std::uint64_t{kRun}),
           attribute * kGroupsEach + kRun});
    word.clear();
  };
  for (const char c : text) {
    if (marks.size() > kMostMarks) return;
    if (is_word_char(c))
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else
      end_word();
  }
  end_word();
}

std::vector<float> tenth_bounds(const std::vector<float>& numbers) {
  std::vector<float> known;
  for (const float number : numbers) {
    if (!std::isnan(number)) known.push_back(number);
  }
  std::sort(known.begin(), known.end());
  std::vector<float> bounds;
  for (std::size_t tenth = 1; tenth < kTenths && !known.empty(); ++tenth)
    bounds.push_back(known[known.size() * tenth / kTenths]);
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  return bounds;
}

}  // namespace

TagMarks::TagMarks(const graph::Catalog& catalog, std::string_view target)
    : catalog_(catalog), target_(target) {
  if (catalog.attributes.size() > static_cast<std::size_t>(kRowsHidden))
    throw InputError(fmt::format("tag: the items have {} attributes, expected at most {}",
                                 catalog.attributes.size(), kRowsHidden));
  for (const Attribute& attribute : catalog.attributes)
    tenths_.push_back(attribute.kind == AttributeKind::numeric ? tenth_bounds(attribute.numbers)
                                                               : std::vector<float>());
}

bool TagMarks::has(std::size_t attribute, NodeId item) const {
  const Attribute& of = catalog_.attributes[attribute];
  if (of.kind == AttributeKind::numeric) return !std::isnan(of.numbers[graph::at(item)]);
  if (of.kind == AttributeKind::text) return !of.texts[graph::at(item)].empty();
  return of.item_values.view().row_size(item) > 0;
}

void TagMarks::add_values(std::size_t attribute, NodeId item, std::vector<std::uint64_t>& values,
                          std::vector<TagMark>& marks) const {
  const Attribute& of = catalog_.attributes[attribute];
  const std::uint64_t salt = graph::mix_bits(2000 + attribute);
  const auto place = static_cast<std::int32_t>(attribute);
  const auto add = [&](std::uint64_t hash) {
    values.push_back(hash);
    marks.push_back({hash, place * kGroupsEach + kValue});
  };
  if (of.kind == AttributeKind::numeric) {
    const auto& bounds = tenths_[attribute];
    const auto tenth = std::upper_bound(bounds.begin(), bounds.end(), of.numbers[graph::at(item)]) -
                       bounds.begin();
    return add(graph::mix_bits(salt + static_cast<std::uint64_t>(tenth)));
  }
  if (of.kind == AttributeKind::text) {
    const std::string& text = of.texts[graph::at(item)];
    add(hash_of(text, salt));
    return add_words(text, place, marks);
  }
  for (const NodeId value : of.item_values.view().row(item)) {
    const std::string_view name = of.values.raw(value);
    add(hash_of(name, salt));
    add_words(name, place, marks);
  }
}

std::vector<TagMark> TagMarks::of(NodeId item, HiddenParts hidden) const {
  std::vector<TagMark> marks;
  std::vector<std::uint64_t> firsts;  // the value of each attribute that has one
  for (std::size_t attribute = 0; attribute < catalog_.attributes.size(); ++attribute) {
    if (is_target(attribute) || (hidden >> attribute & 1) != 0 || !has(attribute, item)) continue;
    std::vector<std::uint64_t> values;
    add_values(attribute, item, values, marks);
    if (values.size() == 1 && catalog_.attributes[attribute].kind != AttributeKind::numeric)
      firsts.push_back(values.front());
  }
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    for (std::size_t j = i + 1; j < firsts.size() && marks.size() < 2 * kMostMarks; ++j)
      marks.push_back({graph::mix_bits(firsts[i] * 31 + firsts[j]), kPairGroup});
  }
  return marks;
}

TagFeatures::TagFeatures(const TagMarks& marks, kernels::ConstFloatView vectors,
                         std::int64_t num_classes, std::span<const NodeId> sample,
                         std::span<const HiddenParts> hidden, std::int64_t most_marks)
    : marks_(marks), vectors_(vectors), num_classes_(num_classes) {
  std::vector<std::uint32_t> carriers(kHashBuckets);
  for (std::size_t i = 0; i < sample.size(); ++i) {
    std::vector<std::uint64_t> buckets;
    for (const TagMark& mark : marks.of(sample[i], hidden[i]))
      buckets.push_back(mark.hash % kHashBuckets);
    std::sort(buckets.begin(), buckets.end());
    buckets.erase(std::unique(buckets.begin(), buckets.end()), buckets.end());
    for (const std::uint64_t bucket : buckets) ++carriers[bucket];
  }
  std::uint32_t fewest = 2;  // what one item alone carries says nothing of another
  std::vector<std::uint32_t> sorted;
  for (const std::uint32_t count : carriers) {
    if (count >= fewest) sorted.push_back(count);
  }
  if (static_cast<std::int64_t>(sorted.size()) > most_marks) {
    std::nth_element(sorted.begin(), sorted.begin() + most_marks, sorted.end(), std::greater<>());
    fewest = sorted[graph::at(most_marks)] + 1;
  }
  columns_.assign(kHashBuckets, graph::kNoNode);
  for (std::uint64_t bucket = 0; bucket < kHashBuckets; ++bucket) {
    if (carriers[bucket] < fewest) continue;
    columns_[bucket] = static_cast<NodeId>(num_marks_++);
    idf_.push_back(static_cast<float>(std::log(1.0 + static_cast<double>(sample.size()) /
                                                         static_cast<double>(carriers[bucket]))));
  }
}

void TagFeatures::add_marks(NodeId item, HiddenParts hidden, Row& row) const {
  std::vector<TagMark> marks = marks_.of(item, hidden);
  std::erase_if(marks, [&](const TagMark& mark) {
    return columns_[mark.hash % kHashBuckets] == graph::kNoNode;
  });
  std::stable_sort(marks.begin(), marks.end(),
                   [](const TagMark& a, const TagMark& b) { return a.group < b.group; });
  for (std::size_t first = 0; first < marks.size();) {
    std::size_t last = first;
    float square = 0.0F;
    const auto weight = [&](const TagMark& mark) {
      return idf_[graph::at(columns_[mark.hash % kHashBuckets])];
    };
    for (; last < marks.size() && marks[last].group == marks[first].group; ++last)
      square += weight(marks[last]) * weight(marks[last]);
    for (std::size_t i = first; i < last; ++i)
      row.emplace_back(columns_[marks[i].hash % kHashBuckets],
                       weight(marks[i]) / std::sqrt(square));
    first = last;
  }
}

void TagFeatures::add_vector(NodeId item, Row& row) const {
  const float* const vector = vectors_.row(item);
  float square = 0.0F;
  for (std::int64_t d = 0; d < vectors_.cols; ++d) square += vector[d] * vector[d];
  if (square == 0.0F) return;
  const float scale = 1.0F / std::sqrt(square);
  for (std::int64_t d = 0; d < vectors_.cols; ++d)
    row.emplace_back(static_cast<NodeId>(num_marks_ + d), scale * vector[d]);
}

void TagFeatures::add_shares(const std::array<ValueWeights, TagNeighbours::kKinds>& near,
                             Row& row) const {
  for (std::size_t kind = 0; kind < near.size(); ++kind) {
    Row shares;
    float total = 0.0F;
    for (std::size_t v = 0; v < near[kind].values.size(); ++v) {
      total += near[kind].weights[v];
      shares.emplace_back(near[kind].values[v], near[kind].weights[v]);
    }
    std::stable_sort(shares.begin(), shares.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    if (shares.size() > kMostNeighbourValues) shares.resize(kMostNeighbourValues);
    const std::int64_t base =
        num_marks_ + vectors_.cols + static_cast<std::int64_t>(kind) * num_classes_;
    for (const auto& [value, weight] : shares)
      row.emplace_back(static_cast<NodeId>(base + value), weight / total);
  }
}

graph::Csr TagFeatures::rows(
    std::span<const NodeId> items, std::span<const HiddenParts> hidden,
    std::span<const std::array<ValueWeights, TagNeighbours::kKinds>> neighbours) const {
  std::vector<Row> rows(items.size());
  graph::parallel_for(static_cast<std::int64_t>(items.size()), 64, [&](const graph::Share& share) {
    for (const std::int64_t i : share) {
      const auto place = graph::at(i);
      Row& row = rows[place];
      add_marks(items[place], hidden[place], row);
      if ((hidden[place] >> kRowsHidden & 1) == 0) {
        add_vector(items[place], row);
        add_shares(neighbours[place], row);
      }
      std::stable_sort(row.begin(), row.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
    }
  });
  graph::Csr csr{static_cast<std::int64_t>(items.size()), num_columns(), {0}, {}, {}};
  for (const Row& row : rows) {
    for (const auto& [column, value] : row) {
      csr.columns.push_back(column);
      csr.values.push_back(value);
    }
    csr.offsets.push_back(static_cast<graph::EdgeOffset>(csr.columns.size()));
  }
  graph::merge_duplicates(csr, graph::Duplicates::sum);
  return csr;
}

}  // namespace penchant::pipeline
