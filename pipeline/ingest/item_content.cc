// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/item_content.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <omp.h>

#include "graph/error.h"
#include "graph/random.h"
#include "kernels/backend.h"
#include "pipeline/ingest/item_vectors.h"
#include "pipeline/ingest/text_space.h"

namespace penchant::pipeline {

using graph::Attribute;
using graph::AttributeKind;
using graph::Catalog;
using graph::ContentSpace;
using graph::NodeId;

namespace {

constexpr std::int64_t kMostLandmarks = 8192;
constexpr std::int64_t kItemsPerLandmark = 2;
constexpr std::int64_t kNearest = 4;  ///< landmarks of an item
constexpr std::int64_t kTileOfItems = 4096;
/// Substreams of Stream::content, beside that of text_space.cc: this one and on.
constexpr std::uint64_t kLandmarksSubstream = 1;

std::unique_ptr<kernels::Backend> host_backend() {
  return kernels::make_backend(
      {.device = kernels::DeviceChoice::cpu, .num_threads = omp_get_max_threads()});
}

/// What the columns say of an item, one after the other.
std::string text_of(const std::vector<const Attribute*>& columns, std::int64_t item) {
  std::string text;
  for (const Attribute* column : columns) {
    if (column->kind == AttributeKind::text) {
      text += " " + column->texts[static_cast<std::size_t>(item)];
      continue;
    }
    for (const NodeId value : column->item_values.view().row(static_cast<NodeId>(item)))
      text += fmt::format(" {}", column->values.raw(value));
  }
  return text;
}

std::vector<const Attribute*> columns_of(const Catalog& catalog, const std::string& name,
                                         const std::vector<std::string>& columns) {
  std::vector<const Attribute*> found;
  for (const std::string& column : columns) {
    const Attribute* attribute = catalog.find(column);
    if (attribute == nullptr || attribute->kind == AttributeKind::numeric) {
      throw InputError(fmt::format(
          "ingest: data.items.vectors '{}' is made of the text of '{}', {}, expected the name of a "
          "text, categorical or list attribute ([[data.attributes]])",
          name, column, attribute == nullptr ? "which is no attribute" : "which is numeric"));
    }
    found.push_back(attribute);
  }
  return found;
}

/// Vectors of the items of whose text a piece is known.
ItemVectors vectors_of_texts(const std::vector<std::string>& texts, const ContentSpace& space) {
  ItemVectors vectors;
  vectors.width = space.width;
  for (std::size_t item = 0; item < texts.size() && space.width > 0; ++item) {
    const std::size_t before = vectors.numbers.size();
    append_text_vector(texts[item], space, vectors.numbers);
    if (to_unit_length(vectors.numbers.data() + before, space.width))
      vectors.items.push_back(static_cast<NodeId>(item));
    else
      vectors.numbers.resize(before);
  }
  return vectors;
}

/// So many of [first, last), at random.
void draw(std::size_t first, std::size_t last, std::size_t count, graph::Seed seed,
          std::vector<std::size_t>& drawn) {
  if (count == 0) return;
  const graph::Permutation order(seed, graph::Stream::content, kLandmarksSubstream + first,
                                 last - first);
  for (std::size_t i = 0; i < count; ++i) drawn.push_back(first + order(i));
}

/// Rows of `vectors` that are landmarks, ascending.
std::vector<std::size_t> choose_landmarks(const ItemVectors& vectors, std::int64_t num_in_log,
                                          graph::Seed seed) {
  const auto all = vectors.items.size();
  const auto wanted = std::min(static_cast<std::size_t>(kMostLandmarks),
                               all / static_cast<std::size_t>(kItemsPerLandmark));
  const auto in_log =
      static_cast<std::size_t>(std::lower_bound(vectors.items.begin(), vectors.items.end(),
                                                static_cast<NodeId>(num_in_log)) -
                               vectors.items.begin());
  const std::size_t others = std::min(wanted - std::min(in_log, wanted / 2), all - in_log);
  const std::size_t of_log = std::min(in_log, wanted - std::min(wanted / 2, others));
  std::vector<std::size_t> drawn;
  draw(0, in_log, of_log, seed, drawn);
  draw(in_log, all, wanted - of_log, seed, drawn);
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

/// Each item's nearest landmarks, by place, nearest first: [N x kNearest], kNoNode where there are
/// fewer landmarks.
kernels::Matrix<NodeId> nearest_landmarks(const ItemVectors& vectors, const ContentSpace& space,
                                          kernels::Backend& host) {
  const auto num_items = static_cast<std::int64_t>(vectors.items.size());
  const auto num_landmarks = static_cast<std::int64_t>(space.landmarks.size()) / space.width;
  auto nearest = host.matrix<NodeId>(num_items, std::min(kNearest, num_landmarks));
  auto scores = host.matrix<float>(std::min(kTileOfItems, num_items), nearest.cols());
  const auto view = [&](const std::vector<float>& numbers, std::int64_t rows) {
    return kernels::ConstFloatView{numbers.data(), rows, space.width, space.width,
                                   kernels::Device::cpu};
  };
  const kernels::ConstFloatView landmarks = view(space.landmarks, num_landmarks);
  const kernels::ConstFloatView items = view(vectors.numbers, num_items);
  for (std::int64_t first = 0; first < num_items; first += kTileOfItems) {
    const std::int64_t count = std::min(kTileOfItems, num_items - first);
    host.topk(items.rows_of(first, count), landmarks, {}, nearest.view().rows_of(first, count),
              scores.view().rows_of(0, count));
  }
  return nearest;
}

/// The item_values of an attribute whose values are landmarks already, over `num_items` items.
void set_values(const ItemVectors& vectors, const ContentSpace& space, std::int64_t num_items,
                kernels::Backend& host, Attribute& attribute) {
  const auto nearest = nearest_landmarks(vectors, space, host);
  graph::Csr& links = attribute.item_values;
  links = {};
  std::size_t row = 0;
  for (std::int64_t item = 0; item < num_items; ++item) {
    if (row < vectors.items.size() && vectors.items[row] == item) {
      const NodeId* first = nearest.view().row(static_cast<std::int64_t>(row++));
      const auto begin = static_cast<std::ptrdiff_t>(links.columns.size());
      links.columns.insert(links.columns.end(), first, first + nearest.cols());
      std::sort(links.columns.begin() + begin, links.columns.end());
    }
    links.offsets.push_back(static_cast<graph::EdgeOffset>(links.columns.size()));
  }
  links.num_rows = num_items;
  links.num_cols = attribute.values.size();
}

Attribute landmark_attribute(const std::string& name, const ItemVectors& vectors,
                             ContentSpace space, const graph::Dictionary& items,
                             std::int64_t num_in_log, graph::Seed seed, kernels::Backend& host) {
  Attribute attribute;
  attribute.name = name;
  attribute.kind = AttributeKind::list;
  const auto width = static_cast<std::ptrdiff_t>(vectors.width);
  for (const std::size_t row : choose_landmarks(vectors, num_in_log, seed)) {
    attribute.values.intern(items.raw(vectors.items[row]));
    const auto first = vectors.numbers.begin() + static_cast<std::ptrdiff_t>(row) * width;
    space.landmarks.insert(space.landmarks.end(), first, first + width);
  }
  space.width = vectors.width;
  attribute.content = std::move(space);
  set_values(vectors, attribute.content, items.size(), host, attribute);
  return attribute;
}

}  // namespace

void add_content(const IngestOptions& options, const graph::Dictionary& items,
                 std::int64_t num_in_log, Catalog& catalog, ReadResult& read, Progress& progress) {
  if (options.vectors.empty()) return;
  const auto host = host_backend();
  for (const VectorSource& source : options.vectors) {
    if (catalog.find(source.name) != nullptr) {
      throw InputError(fmt::format(
          "ingest: data.items.vectors: '{}' is the name of another attribute", source.name));
    }
    ContentSpace space;
    ItemVectors vectors;
    if (source.text.empty()) {
      vectors = read_item_vectors(source, items, 0, options, read.vector_files.emplace_back());
    } else {
      const auto columns = columns_of(catalog, source.name, source.text);
      std::vector<std::string> texts;
      for (std::int64_t item = 0; item < items.size(); ++item)
        texts.push_back(text_of(columns, item));
      space.columns = source.text;
      fit_text_space(texts, options.seed, *host, space);
      vectors = vectors_of_texts(texts, space);
    }
    const auto num_vectors = static_cast<std::int64_t>(vectors.items.size());
    if (num_vectors < 2 * kItemsPerLandmark) {
      throw InputError(fmt::format(
          "ingest: data.items.vectors '{}': {} of {} items have a vector, expected at least {}",
          source.name, num_vectors, items.size(), 2 * kItemsPerLandmark));
    }
    progress.note(fmt::format("vectors '{}': {} of {} items, {} numbers each", source.name,
                              num_vectors, items.size(), vectors.width));
    catalog.attributes.push_back(landmark_attribute(source.name, vectors, std::move(space), items,
                                                    num_in_log, options.seed, *host));
  }
}

void add_later_content(const IngestOptions& options, const Catalog& known,
                       const graph::Dictionary& items, Catalog& fresh, ReadResult& read) {
  for (const VectorSource& source : options.vectors) {
    const Attribute* attribute = known.find(source.name);
    if (attribute != nullptr && attribute->content.width > 0 && attribute->content.columns.empty())
      continue;
    throw InputError(fmt::format(
        "append: vectors '{}': the data set has no attribute of that name that is made of a file "
        "of vectors",
        source.name));
  }
  const auto host = host_backend();
  for (const Attribute& attribute : known.attributes) {
    const ContentSpace& space = attribute.content;
    if (space.width == 0) continue;
    ItemVectors vectors;
    if (space.columns.empty()) {
      for (const VectorSource& source : options.vectors) {
        if (source.name == attribute.name)
          vectors = read_item_vectors(source, items, space.width, options,
                                      read.vector_files.emplace_back());
      }
    } else {
      std::vector<const Attribute*> columns;
      for (const std::string& column : space.columns) {
        const Attribute* found = fresh.find(column);
        if (found != nullptr) columns.push_back(found);
      }
      std::vector<std::string> texts(static_cast<std::size_t>(items.size()));
      for (std::int64_t item = 0; item < items.size(); ++item) {
        const bool has_values = item < known.num_items && attribute.item_values.view().row_size(
                                                              static_cast<NodeId>(item)) > 0;
        if (!has_values) texts[static_cast<std::size_t>(item)] = text_of(columns, item);
      }
      vectors = vectors_of_texts(texts, space);
    }
    if (vectors.items.empty()) continue;
    Attribute later;
    later.name = attribute.name;
    later.kind = AttributeKind::list;
    for (std::int64_t value = 0; value < attribute.values.size(); ++value)
      later.values.intern(attribute.values.raw(static_cast<NodeId>(value)));
    set_values(vectors, space, items.size(), *host, later);
    fresh.attributes.push_back(std::move(later));
  }
}

}  // namespace penchant::pipeline
