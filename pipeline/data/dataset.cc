// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/dataset.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <ostream>
#include <streambuf>
#include <tuple>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/npy.h"
#include "graph/side_by_side.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/folder.h"
#include "pipeline/artifact/npy_file.h"
#include "pipeline/data/check_dataset.h"
#include "pipeline/data/content_files.h"
#include "pipeline/data/link_files.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;
using nlohmann::json;

namespace {

// --- writing ---

/// A file of the artefact: writes it and returns its hash.
struct OutputFile {
  std::string name;
  std::function<std::string(const fs::path&)> write;
  std::string hash;
};

template <typename T>
void add_column(const std::string& name, const std::vector<T>& values,
                std::vector<OutputFile>& files) {
  files.push_back(
      {name, [&values](const fs::path& path) { return write_hashed_npy_file(path, values); }, {}});
}

/// Makes a folder for a part and lists its files.
void add_part(const fs::path& root, const std::string& name, const graph::Interactions& part,
              std::vector<OutputFile>& files) {
  const fs::path folder = root / name;
  create_folder(folder);
  add_column(name + "/user.npy", part.user, files);
  add_column(name + "/item.npy", part.item, files);
  const auto add_optional = [&](const char* column, const auto& values) {
    if (!values.empty()) add_column(fmt::format("{}/{}.npy", name, column), values, files);
  };
  add_optional("weight", part.weight);
  add_optional("time_ms", part.time_ms);
  add_optional("event", part.event);
  add_optional("session", part.session);
}

/// links0.offsets.npy and so on.
void add_links(const std::vector<graph::UserLinks>& links, std::vector<OutputFile>& files) {
  for (std::size_t r = 0; r < links.size(); ++r) {
    const std::string name = links_file(r);
    add_column(name + ".offsets.npy", links[r].links.offsets, files);
    add_column(name + ".columns.npy", links[r].links.columns, files);
    add_column(name + ".values.npy", links[r].links.values, files);
  }
}

/// content0.landmarks.npy and so on, by the attribute's place.
void add_content_files(const Dataset& dataset, std::vector<OutputFile>& files) {
  for (std::size_t a = 0; a < dataset.catalog.attributes.size(); ++a) {
    const Attribute& attribute = dataset.catalog.attributes[a];
    if (attribute.content.width == 0) continue;
    const std::string name = content_file(a);
    files.push_back({name + ".items.npy",
                     [&](const fs::path& path) {
                       return write_hashed_npy_file(path, landmark_items(attribute, dataset.items));
                     },
                     {}});
    add_column(name + ".landmarks.npy", attribute.content.landmarks, files);
    if (attribute.content.columns.empty()) continue;
    add_column(name + ".pieces.npy", attribute.content.pieces, files);
    add_column(name + ".projection.npy", attribute.content.projection, files);
  }
}

std::vector<std::string_view> raw_ids(const graph::Dictionary& dictionary) {
  std::vector<std::string_view> raws;
  raws.reserve(static_cast<std::size_t>(dictionary.size()));
  for (std::int64_t id = 0; id < dictionary.size(); ++id)
    raws.push_back(dictionary.raw(static_cast<NodeId>(id)));
  return raws;
}

std::vector<OutputColumn> entity_columns(const graph::Dictionary& dictionary,
                                         const EntityStatistics& statistics) {
  constexpr std::int64_t kNever =
      std::numeric_limits<std::int64_t>::min() + 1;  // counts have no null
  const auto name = [](std::size_t column) { return std::string(kEntityColumns[column]); };
  return {{name(0), raw_ids(dictionary)},
          {name(1), Int64Column{statistics.count, kNever}},
          {name(2), Int64Column{statistics.first_time_ms, graph::kNoTime}},
          {name(3), Int64Column{statistics.last_time_ms, graph::kNoTime}}};
}

ColumnValues attribute_values(const Attribute& attribute) {
  if (attribute.kind == AttributeKind::numeric) return attribute.numbers;
  if (attribute.kind == AttributeKind::text) {
    return std::vector<std::string_view>(attribute.texts.begin(), attribute.texts.end());
  }
  ListColumn lists;
  lists.offsets = attribute.item_values.offsets;
  for (const NodeId value : attribute.item_values.columns)
    lists.elements.push_back(attribute.values.raw(value));
  if (attribute.kind == AttributeKind::list) return lists;
  std::vector<std::string_view> single;
  for (std::size_t item = 0; item + 1 < lists.offsets.size(); ++item) {
    const auto place = static_cast<std::size_t>(lists.offsets[item]);
    single.push_back(lists.offsets[item + 1] > lists.offsets[item] ? lists.elements[place]
                                                                   : std::string_view("", 0));
  }
  return single;
}

std::string write_table(const fs::path& path, std::int64_t num_rows,
                        const std::vector<OutputColumn>& columns) {
  ParquetWriter writer(path);
  writer.write(num_rows, columns);
  writer.close(graph::Flush::no);
  return hash_file(path);
}

// --- reading ---

/// Reads the columns of a part that the manifest names.
graph::Interactions read_part(const fs::path& directory, const char* name, const json& files) {
  const auto read = [&]<typename T>(const char* column, std::vector<T>& values) {
    const std::string file = fmt::format("{}/{}.npy", name, column);
    if (files.contains(file)) values = graph::read_npy<T>(directory / file);
  };
  graph::Interactions part;
  read("user", part.user);
  read("item", part.item);
  read("weight", part.weight);
  read("time_ms", part.time_ms);
  read("event", part.event);
  read("session", part.session);
  return part;
}

/// A file of entities, for messages about its cells.
struct EntityFile {
  fs::path path;
  std::vector<std::string> columns;

  template <typename T>
  T parse(const TextBatch& batch, std::size_t column, std::size_t row, std::int64_t first_row,
          T missing) const {
    const std::string_view cell = batch.columns[column][row];
    if (cell.data() == nullptr) return missing;
    T value{};
    const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
    if (error != std::errc() || end != cell.data() + cell.size()) {
      throw InputError(fmt::format("{}: damaged: row {} of column {} is no number", path.string(),
                                   first_row + static_cast<std::int64_t>(row), columns[column]));
    }
    return value;
  }
};

/// The statistics are read where the file's columns name them.
void read_entities(const EntityFile& file, const TextBatch& batch, graph::Dictionary& dictionary,
                   EntityStatistics& statistics) {
  const bool counted = file.columns.size() > 1 && file.columns[1] == kEntityColumns[1];
  for (std::size_t row = 0; row < static_cast<std::size_t>(batch.num_rows); ++row) {
    const std::int64_t first = dictionary.size() - static_cast<std::int64_t>(row);
    const auto expected = static_cast<std::int64_t>(dictionary.size());
    const std::string_view raw = batch.columns[0][row];
    if (raw.data() == nullptr || dictionary.intern(raw) != expected) {
      throw InputError(fmt::format(
          "{}: damaged: row {} {}", file.path.string(), expected,
          raw.data() == nullptr ? "has no raw_id" : "has the raw_id of an earlier row"));
    }
    if (!counted) continue;
    // A count is never missing.
    statistics.count.push_back(file.parse<std::int64_t>(batch, 1, row, first, -1));
    statistics.first_time_ms.push_back(file.parse(batch, 2, row, first, graph::kNoTime));
    statistics.last_time_ms.push_back(file.parse(batch, 3, row, first, graph::kNoTime));
  }
}

void read_attribute(const EntityFile& file, const TextBatch& batch, std::size_t column,
                    std::int64_t first_row, Attribute& attribute) {
  const std::vector<std::string_view>& cells = batch.columns[column];
  for (std::size_t row = 0; row < cells.size(); ++row) {
    switch (attribute.kind) {
      case AttributeKind::numeric:
        attribute.numbers.push_back(
            file.parse(batch, column, row, first_row, std::numeric_limits<float>::quiet_NaN()));
        break;
      case AttributeKind::text:
        attribute.texts.emplace_back(cells[row]);
        break;
      case AttributeKind::categorical:
      case AttributeKind::list:
        append_values(attribute, cells[row]);
        break;
    }
  }
}

}  // namespace

void append_values(Attribute& attribute, std::string_view joined) {
  std::vector<NodeId> values;
  std::size_t first = 0;
  while (first < joined.size()) {
    const std::size_t last = attribute.kind == AttributeKind::list
                                 ? std::min(joined.find(kListSeparator, first), joined.size())
                                 : joined.size();
    if (last > first) values.push_back(attribute.values.intern(joined.substr(first, last - first)));
    first = last + 1;
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  attribute.item_values.columns.insert(attribute.item_values.columns.end(), values.begin(),
                                       values.end());
  attribute.item_values.offsets.push_back(
      static_cast<graph::EdgeOffset>(attribute.item_values.columns.size()));
}

void finish_attribute(Attribute& attribute, std::int64_t num_items) {
  if (attribute.kind != AttributeKind::categorical && attribute.kind != AttributeKind::list) return;
  attribute.item_values.num_rows = num_items;
  attribute.item_values.num_cols = attribute.values.size();
  PENCHANT_ASSERT(static_cast<std::int64_t>(attribute.item_values.offsets.size()) == num_items + 1);
}

EntityStatistics count_entities(const std::vector<NodeId>& ids,
                                const std::vector<std::int64_t>& times, std::int64_t size) {
  EntityStatistics statistics;
  const auto count = static_cast<std::size_t>(size);
  statistics.count.assign(count, 0);
  statistics.first_time_ms.assign(count, graph::kNoTime);
  statistics.last_time_ms.assign(count, graph::kNoTime);
  for (std::size_t row = 0; row < ids.size(); ++row) {
    const auto id = static_cast<std::size_t>(ids[row]);
    ++statistics.count[id];
    if (times.empty()) continue;
    auto& first = statistics.first_time_ms[id];
    first = first == graph::kNoTime ? times[row] : std::min(first, times[row]);
    statistics.last_time_ms[id] = std::max(statistics.last_time_ms[id], times[row]);
  }
  return statistics;
}

void write_dataset(ArtifactWriter& writer, Dataset& dataset, const std::string& provenance_json,
                   const RowCounts& rows, const std::vector<FileAccount>& accounts,
                   const std::string& earlier_files_json) {
  writer.clear();
  const fs::path& directory = writer.folder();
  const graph::Interactions& train = dataset.split.train.interactions;
  json attributes = json::array();
  for (const Attribute& attribute : dataset.catalog.attributes) {
    attributes.push_back({{"name", attribute.name}, {"kind", enum_name(attribute.kind)}});
    if (attribute.is_path) attributes.back()["path"] = true;
    if (attribute.content.width > 0) attributes.back()["content"] = content_to_json(attribute);
  }

  // The longest first: they are written side by side.
  std::vector<OutputFile> files;
  files.push_back({"users.parquet",
                   [&](const fs::path& path) {
                     dataset.user_statistics =
                         count_entities(train.user, train.time_ms, dataset.num_users());
                     return write_table(path, dataset.num_users(),
                                        entity_columns(dataset.users, dataset.user_statistics));
                   },
                   {}});
  files.push_back({"items.parquet",
                   [&](const fs::path& path) {
                     dataset.item_statistics =
                         count_entities(train.item, train.time_ms, dataset.num_items());
                     auto columns = entity_columns(dataset.items, dataset.item_statistics);
                     for (const Attribute& attribute : dataset.catalog.attributes)
                       columns.push_back({attribute.name, attribute_values(attribute)});
                     return write_table(path, dataset.num_items(), columns);
                   },
                   {}});
  add_part(directory, "train", train, files);
  add_part(directory, "validation", dataset.split.validation, files);
  add_part(directory, "test", dataset.split.test, files);
  add_links(dataset.links, files);
  add_content_files(dataset, files);
  std::vector<std::function<void()>> tasks;
  for (OutputFile& file : files)
    tasks.emplace_back([&] { file.hash = file.write(directory / file.name); });
  graph::run_side_by_side(tasks);

  json manifest = {{"num_users", dataset.num_users()},
                   {"num_items", dataset.num_items()},
                   {"num_train", train.size()},
                   {"num_validation", dataset.split.validation.size()},
                   {"num_test", dataset.split.test.size()},
                   {"event_names", dataset.event_names},
                   {"repeated_share", dataset.repeated_share},
                   {"repeats_allowed", dataset.repeats_allowed},
                   {"attributes", attributes},
                   {"provenance", json::parse(provenance_json)},
                   {"rows", to_json(rows)},
                   {"files_read", json::parse(earlier_files_json)}};
  for (json& account : to_json(accounts)) manifest["files_read"].push_back(std::move(account));
  json hashes = json::object();
  for (const OutputFile& file : files) hashes[file.name] = file.hash;
  const json links = links_to_json(dataset.links);
  if (!links.empty()) manifest["links"] = links;
  dataset.hash = dataset_hash(hashes, attributes, links);
  manifest["hash"] = dataset.hash;
  writer.finish(std::move(manifest), std::move(hashes));
}

namespace {

/// The text that names items, or null.
const Attribute* label_text(const graph::Catalog& catalog) {
  for (const char* name : {"name", "title"}) {
    const Attribute* attribute = catalog.find(name);
    if (attribute != nullptr && attribute->kind == AttributeKind::text) return attribute;
  }
  const auto& all = catalog.attributes;
  const auto first = std::find_if(
      all.begin(), all.end(), [](const Attribute& one) { return one.kind == AttributeKind::text; });
  return first == all.end() ? nullptr : &*first;
}

bool names_items(const Attribute& attribute) {
  return attribute.kind == AttributeKind::categorical || attribute.is_path;
}

/// Leaves the attributes that item_label() reads.
void keep_label(graph::Catalog& catalog) {
  const Attribute* const text = label_text(catalog);
  const std::string name = text != nullptr ? text->name : "";
  std::erase_if(catalog.attributes, [&](const Attribute& attribute) {
    return !names_items(attribute) && !(text != nullptr && attribute.name == name);
  });
}

/// The attributes that a manifest names, without values.
graph::Catalog named_attributes(const fs::path& directory, const json& manifest) {
  graph::Catalog catalog;
  for (const json& entry : manifest.at("attributes")) {
    Attribute attribute;
    attribute.name = entry.at("name").get<std::string>();
    attribute.kind =
        parse_enum<AttributeKind>(entry.at("kind").get<std::string>(),
                                  (directory / kManifestName).string() + ": an attribute's kind");
    attribute.is_path = entry.value("path", false);
    if (entry.contains("content"))
      attribute.content.width = entry["content"].at("width").get<std::int64_t>();
    catalog.attributes.push_back(std::move(attribute));
  }
  return catalog;
}

Dataset read_files(const fs::path& directory, DatasetUse use) {
  Dataset dataset;
  dataset.identity = manifest_identity(directory);
  const json manifest = read_manifest(directory, kDataArtifact);
  const bool everything = use == DatasetUse::everything;
  dataset.directory = directory;
  dataset.use = use;
  try {
    if (everything) check_files(directory, kDataArtifact, manifest);
    const json& files = manifest.at("files");
    for (const auto& [file, hash] : files.items()) dataset.files.insert(file);
    dataset.hash = manifest.at("hash").get<std::string>();
    dataset.event_names = manifest.at("event_names").get<std::vector<std::string>>();
    dataset.repeated_share = manifest.value("repeated_share", 0.0);  // older programs wrote none
    dataset.repeats_allowed = manifest.at("repeats_allowed").get<bool>();
    const std::vector<std::string> entity(
        kEntityColumns.begin(), everything ? kEntityColumns.end() : kEntityColumns.begin() + 1);
    const EntityFile user_file{directory / "users.parquet", entity};
    TextBatch batch;
    TableReader users(user_file.path, {}, user_file.columns);
    while (users.next(batch))
      read_entities(user_file, batch, dataset.users, dataset.user_statistics);
    EntityFile item_file{directory / "items.parquet", entity};
    dataset.catalog = named_attributes(directory, manifest);
    if (!everything) keep_label(dataset.catalog);
    for (const Attribute& attribute : dataset.catalog.attributes)
      item_file.columns.push_back(attribute.name);
    TableReader items(item_file.path, {}, item_file.columns);
    while (items.next(batch)) {
      const std::int64_t first_row = dataset.num_items();
      read_entities(item_file, batch, dataset.items, dataset.item_statistics);
      for (std::size_t a = 0; a < dataset.catalog.attributes.size(); ++a) {
        read_attribute(item_file, batch, entity.size() + a, first_row,
                       dataset.catalog.attributes[a]);
      }
    }
    dataset.catalog.num_items = dataset.num_items();
    for (Attribute& attribute : dataset.catalog.attributes)
      finish_attribute(attribute, dataset.num_items());
    if (!everything) {
      for (const auto& [file, key, size] :
           {std::tuple("users.parquet", "num_users", dataset.num_users()),
            std::tuple("items.parquet", "num_items", dataset.num_items())}) {
        if (manifest.at(key) != size) {
          throw InputError(fmt::format("{}: damaged: {} rows, the manifest says {}",
                                       (directory / file).string(), size, manifest.at(key).dump()));
        }
      }
      return dataset;
    }
    dataset.split.train.interactions = read_part(directory, "train", files);
    dataset.split.validation = read_part(directory, "validation", files);
    dataset.split.test = read_part(directory, "test", files);
    dataset.links = read_links(directory, manifest, dataset.num_users());
    read_content(directory, manifest.at("attributes"), dataset.items, dataset.catalog);
    check_dataset(directory, manifest, dataset);
  } catch (const json::exception& error) {
    throw InputError(
        fmt::format("{}/manifest.json: damaged: {}", directory.string(), error.what()));
  }
  return dataset;
}

}  // namespace

Dataset read_dataset(const fs::path& directory, DatasetUse use) {
  return read_whole(directory, [&] { return read_files(directory, use); });
}

void require_same(const Dataset& dataset) {
  if (manifest_identity(dataset.directory) != dataset.identity) {
    throw InputError(
        fmt::format("{}: was replaced while it was in use", dataset.directory.string()));
  }
}

graph::Catalog read_catalog(const Dataset& dataset) {
  const fs::path& directory = dataset.directory;
  graph::Catalog catalog;
  try {
    catalog = named_attributes(directory, read_manifest(directory, kDataArtifact));
  } catch (const json::exception& error) {
    throw InputError(
        fmt::format("{}/manifest.json: damaged: {}", directory.string(), error.what()));
  }
  catalog.num_items = dataset.num_items();
  EntityFile file{directory / "items.parquet", {}};
  for (const Attribute& attribute : catalog.attributes) file.columns.push_back(attribute.name);
  if (!file.columns.empty()) {
    TextBatch batch;
    TableReader items(file.path, {}, file.columns);
    std::int64_t num_rows = 0;
    for (; items.next(batch); num_rows += batch.num_rows) {
      for (std::size_t a = 0; a < catalog.attributes.size(); ++a)
        read_attribute(file, batch, a, num_rows, catalog.attributes[a]);
    }
    if (num_rows != catalog.num_items) {
      throw InputError(fmt::format("{}: damaged: {} rows, expected {}", file.path.string(),
                                   num_rows, catalog.num_items));
    }
  }
  for (Attribute& attribute : catalog.attributes) finish_attribute(attribute, catalog.num_items);
  require_same(dataset);
  return catalog;
}

graph::SplitInteractions read_known_rows(const Dataset& dataset) {
  graph::SplitInteractions split;
  for (const auto& [name, part] : {std::pair("train", &split.train.interactions),
                                   std::pair("validation", &split.validation)}) {
    const fs::path folder = dataset.directory / name;
    part->user = graph::read_npy<NodeId>(folder / "user.npy");
    part->item = graph::read_npy<NodeId>(folder / "item.npy");
    part->weight = graph::read_npy<float>(folder / "weight.npy");
    if (dataset.files.contains(std::string(name) + "/time_ms.npy"))
      part->time_ms = graph::read_npy<std::int64_t>(folder / "time_ms.npy");
    const std::size_t rows = part->user.size();
    const auto known = [](const std::vector<NodeId>& ids, std::int64_t size) {
      return std::all_of(ids.begin(), ids.end(), [&](NodeId id) { return id >= 0 && id < size; });
    };
    if (part->item.size() != rows || part->weight.size() != rows ||
        (!part->time_ms.empty() && part->time_ms.size() != rows) ||
        !std::is_sorted(part->user.begin(), part->user.end()) ||
        !known(part->user, dataset.num_users()) || !known(part->item, dataset.num_items()))
      throw InputError(fmt::format("{}: damaged: its columns do not agree", folder.string()));
  }
  require_same(dataset);
  return split;
}

std::vector<graph::UserLinks> read_user_links(const Dataset& dataset) {
  if (dataset.use == DatasetUse::everything) return dataset.links;
  const fs::path& directory = dataset.directory;
  try {
    std::vector<graph::UserLinks> links =
        read_links(directory, read_manifest(directory, kDataArtifact), dataset.num_users());
    require_same(dataset);
    return links;
  } catch (const json::exception& error) {
    throw InputError(
        fmt::format("{}/manifest.json: damaged: {}", directory.string(), error.what()));
  }
}

std::string item_label(const Dataset& dataset, NodeId item) {
  const auto place = static_cast<std::size_t>(item);
  const Attribute* const text = label_text(dataset.catalog);
  if (text != nullptr && !text->texts[place].empty()) return text->texts[place];
  std::string label;
  for (const Attribute& attribute : dataset.catalog.attributes) {
    if (!names_items(attribute)) continue;
    // Of a path's prefixes the last is the path itself: each has its id after the shorter ones.
    const auto values = attribute.item_values.view().row(item);
    if (!values.empty())
      label += (label.empty() ? "" : " / ") + std::string(attribute.values.raw(values.back()));
  }
  return label.empty() ? std::string(dataset.items.raw(item)) : label;
}

}  // namespace penchant::pipeline
