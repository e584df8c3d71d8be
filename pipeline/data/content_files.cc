// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/content_files.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/npy.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Attribute;
using graph::ContentSpace;
using graph::NodeId;
using nlohmann::json;

namespace {

/// Copies the row of each value of `part` from that of the same name in `whole`.
void copy_rows(const Attribute& whole, Attribute& part) {
  const auto width = static_cast<std::ptrdiff_t>(whole.content.width);
  for (std::int64_t value = 0; value < part.values.size(); ++value) {
    const NodeId from = whole.values.find(part.values.raw(static_cast<NodeId>(value)));
    PENCHANT_ASSERT(from != graph::kNoNode);
    const auto first = whole.content.landmarks.begin() + from * width;
    part.content.landmarks.insert(part.content.landmarks.end(), first, first + width);
  }
}

bool all_finite(const std::vector<float>& numbers) {
  return std::all_of(numbers.begin(), numbers.end(),
                     [](float number) { return std::isfinite(number); });
}

}  // namespace

std::string content_file(std::size_t attribute) { return fmt::format("content{}", attribute); }

json content_to_json(const Attribute& attribute) {
  json facts = {{"width", attribute.content.width}};
  if (!attribute.content.columns.empty()) facts["columns"] = attribute.content.columns;
  return facts;
}

std::vector<NodeId> landmark_items(const Attribute& attribute, const graph::Dictionary& items) {
  std::vector<NodeId> landmarks;
  for (std::int64_t value = 0; value < attribute.values.size(); ++value)
    landmarks.push_back(items.find(attribute.values.raw(static_cast<NodeId>(value))));
  return landmarks;
}

void read_content(const fs::path& directory, const json& attributes, const graph::Dictionary& items,
                  graph::Catalog& catalog) {
  for (std::size_t a = 0; a < catalog.attributes.size(); ++a) {
    const json& facts = attributes.at(a);
    if (!facts.contains("content")) continue;
    const fs::path stem = directory / content_file(a);
    const auto refuse = [&](const std::string& why) {
      throw InputError(fmt::format("{}.*.npy: damaged: {}", stem.string(), why));
    };
    Attribute& attribute = catalog.attributes[a];
    Attribute stored;  // rows in the order of the file
    stored.content.width = facts.at("content").at("width").get<std::int64_t>();
    stored.content.landmarks = graph::read_npy<float>(stem.string() + ".landmarks.npy");
    const auto landmarks = graph::read_npy<NodeId>(stem.string() + ".items.npy");
    if (attribute.kind != graph::AttributeKind::list || stored.content.width < 1 ||
        static_cast<std::int64_t>(landmarks.size()) * stored.content.width !=
            static_cast<std::int64_t>(stored.content.landmarks.size()))
      refuse(fmt::format("{} numbers of {} landmarks, expected {} each",
                         stored.content.landmarks.size(), landmarks.size(), stored.content.width));
    if (!all_finite(stored.content.landmarks)) refuse("a number is not finite");
    for (const NodeId item : landmarks) {
      if (item < 0 || item >= items.size()) refuse(fmt::format("landmark {} is no item", item));
      if (stored.values.intern(items.raw(item)) + 1 != stored.values.size())
        refuse(fmt::format("item {} is a landmark twice", item));
      attribute.values.intern(items.raw(item));
    }
    if (attribute.values.size() != stored.values.size())
      refuse(fmt::format("{} landmarks, and items have {}", stored.values.size(),
                         attribute.values.size()));
    attribute.item_values.num_cols = attribute.values.size();
    attribute.content.width = stored.content.width;
    copy_rows(stored, attribute);
    if (!facts["content"].contains("columns")) continue;
    ContentSpace& space = attribute.content;
    space.columns = facts["content"]["columns"].get<std::vector<std::string>>();
    space.pieces = graph::read_npy<std::int32_t>(stem.string() + ".pieces.npy");
    space.projection = graph::read_npy<float>(stem.string() + ".projection.npy");
    if (!std::is_sorted(space.pieces.begin(), space.pieces.end()))
      refuse("pieces are not in ascending order");
    if (static_cast<std::int64_t>(space.pieces.size()) * space.width !=
        static_cast<std::int64_t>(space.projection.size()))
      refuse(fmt::format("{} numbers of {} pieces, expected {} each", space.projection.size(),
                         space.pieces.size(), space.width));
    if (!all_finite(space.projection)) refuse("a number is not finite");
  }
}

void keep_landmarks(const Attribute& whole, const graph::Dictionary& items, Attribute& part) {
  part.content = whole.content;
  part.content.landmarks.clear();
  for (std::int64_t value = 0; value < whole.values.size(); ++value) {
    const std::string_view raw = whole.values.raw(static_cast<NodeId>(value));
    if (items.find(raw) != graph::kNoNode) part.values.intern(raw);
  }
  part.item_values.num_cols = part.values.size();
  copy_rows(whole, part);
}

}  // namespace penchant::pipeline
