// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/forget.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/versions.h"
#include "pipeline/data/content_files.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/raw_ids.h"
#include "pipeline/data/tombstone.h"
#include "pipeline/ingest/ingest_steps.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Attribute;
using graph::AttributeKind;
using graph::Dictionary;
using graph::Interactions;
using graph::NodeId;
using nlohmann::json;

namespace {

/// One flag an id, or one a row.
using Flags = std::vector<bool>;

constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

std::array<Interactions*, 3> columns_by_part(Dataset& dataset) {
  return {&dataset.split.train.interactions, &dataset.split.validation, &dataset.split.test};
}

std::size_t place(NodeId id) { return static_cast<std::size_t>(id); }

std::int64_t count_set(const Flags& flags) { return std::count(flags.begin(), flags.end(), true); }

/// The ids of one kind that are to go. Throws InputError if some are given and none is known.
Flags asked_for(const fs::path& file, const std::optional<std::vector<std::string>>& list,
                const PseudonymKey* key, const Dictionary& known, const char* kind,
                const fs::path& data, std::int64_t& num_unknown, Progress& progress) {
  Flags goes(place(static_cast<NodeId>(known.size())), false);
  if (file.empty() && !list) return goes;
  const std::string name = list ? fmt::format("{}s", kind) : file.string();
  const IdFile found = list ? find_raw_ids(*list, known, kind, UnknownRawIds::skip, name, key)
                            : read_id_file(file, known, kind, UnknownRawIds::skip, key);
  if (found.ids.empty()) {
    throw InputError(
        fmt::format("{}: none of its {} ids is among the {}s of {}; nothing was forgotten", name,
                    found.num_unknown, kind, data.string()));
  }
  if (!found.repeated.empty()) progress.warn(found.repeated);
  num_unknown = found.num_unknown;
  for (const NodeId id : found.ids) goes[place(id)] = true;
  return goes;
}

/// Sets the flag of every user and item that has a row of those that `counts` says yes to.
template <typename Counts>
std::pair<Flags, Flags> with_rows(Dataset& dataset, Counts counts) {
  Flags users(place(static_cast<NodeId>(dataset.num_users())), false);
  Flags items(place(static_cast<NodeId>(dataset.num_items())), false);
  for (const Interactions* part : columns_by_part(dataset)) {
    for (std::size_t row = 0; row < part->user.size(); ++row) {
      if (!counts(part->user[row], part->item[row])) continue;
      users[place(part->user[row])] = true;
      items[place(part->item[row])] = true;
    }
  }
  return {std::move(users), std::move(items)};
}

bool says_something(const Attribute& attribute, NodeId item) {
  switch (attribute.kind) {
    case AttributeKind::numeric:
      return attribute.numbers[place(item)] == attribute.numbers[place(item)];
    case AttributeKind::text:
      return !attribute.texts[place(item)].empty();
    default:
      return !attribute.item_values.view().row(item).empty();
  }
}

bool had_item_table(const json& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [](const json& input) {
    const json role = input.value("role", json());
    return role == "items" || role == "attributes";
  });
}

bool has_attributes(const graph::Catalog& catalog, NodeId item) {
  return std::any_of(catalog.attributes.begin(), catalog.attributes.end(),
                     [&](const Attribute& one) { return says_something(one, item); });
}

/// Adds the items that lost all their rows and are known by these alone; returns how many. Where
/// there was an item table, an item that it gave nothing of cannot be told from one that it lacked.
std::int64_t add_items_of_theirs(const json& inputs, const graph::Catalog& catalog,
                                 const Flags& before, const Flags& after, Flags& items) {
  const bool had_table = had_item_table(inputs);
  std::int64_t added = 0;
  for (NodeId item = 0; place(item) < items.size(); ++item) {
    const std::size_t at = place(item);
    if (items[at] || !before[at] || after[at] || (had_table && has_attributes(catalog, item)))
      continue;
    items[at] = true;
    ++added;
  }
  return added;
}

template <typename T>
void keep_rows(std::vector<T>& column, const Flags& stays) {
  if (column.empty()) return;
  std::size_t next = 0;
  for (std::size_t row = 0; row < stays.size(); ++row) {
    if (!stays[row]) continue;
    if (next != row) column[next] = std::move(column[row]);
    ++next;
  }
  column.resize(next);
}

/// New ids of the old ones, in their order; kNoNode for those that go.
std::vector<NodeId> closed_up(const Flags& goes) {
  std::vector<NodeId> ids(goes.size(), graph::kNoNode);
  NodeId next = 0;
  for (std::size_t id = 0; id < goes.size(); ++id) {
    if (!goes[id]) ids[id] = next++;
  }
  return ids;
}

/// Takes the rows out of a part; returns how many they were.
std::int64_t drop_rows(Interactions& part, const Flags& users, const Flags& items) {
  Flags stays(part.user.size());
  for (std::size_t row = 0; row < stays.size(); ++row)
    stays[row] = !users[place(part.user[row])] && !items[place(part.item[row])];
  const std::int64_t before = part.size();
  keep_rows(part.user, stays);
  keep_rows(part.item, stays);
  keep_rows(part.weight, stays);
  keep_rows(part.time_ms, stays);
  keep_rows(part.event, stays);
  keep_rows(part.session, stays);
  return before - part.size();
}

void renumber(std::vector<NodeId>& column, const std::vector<NodeId>& ids) {
  for (NodeId& id : column) id = ids[place(id)];
}

/// Sessions are numbered without gaps, as if the rows had never been there.
void close_up_sessions(Dataset& dataset) {
  Flags gone;
  for (const Interactions* part : columns_by_part(dataset)) {
    for (const std::int32_t session : part->session) {
      if (session == graph::kNoNode) continue;
      if (place(session) >= gone.size()) gone.resize(place(session) + 1, true);
      gone[place(session)] = false;
    }
  }
  const std::vector<NodeId> numbers = closed_up(gone);
  for (Interactions* part : columns_by_part(dataset)) {
    for (std::int32_t& session : part->session) {
      if (session != graph::kNoNode) session = numbers[place(session)];
    }
  }
}

Dictionary without(const Dictionary& all, const Flags& goes) {
  Dictionary rest;
  for (NodeId id = 0; id < all.size(); ++id) {
    if (!goes[place(id)]) rest.intern(all.raw(id));
  }
  return rest;
}

/// Values that no item is left with go as well, and landmarks that are not among `items`, those that
/// are left.
Attribute without(Attribute attribute, const Flags& goes, const Dictionary& items) {
  Flags stays = goes;
  stays.flip();
  keep_rows(attribute.numbers, stays);
  keep_rows(attribute.texts, stays);
  if (attribute.kind == AttributeKind::numeric || attribute.kind == AttributeKind::text)
    return attribute;
  Attribute rest;
  rest.name = attribute.name;
  rest.kind = attribute.kind;
  rest.is_path = attribute.is_path;
  for (NodeId item = 0; place(item) < goes.size(); ++item) {
    if (goes[place(item)]) continue;
    std::string joined;
    for (const NodeId value : attribute.item_values.view().row(item)) {
      const std::string_view raw = attribute.values.raw(value);
      if (attribute.content.width > 0 && items.find(raw) == graph::kNoNode) continue;
      if (!joined.empty()) joined += kListSeparator;
      joined += raw;
    }
    append_values(rest, joined);
  }
  finish_attribute(rest, items.size());
  if (attribute.content.width > 0) keep_landmarks(attribute, items, rest);
  return rest;
}

/// The end of the day of the latest row, so that it says nothing of a single one.
std::optional<std::int64_t> end_of_rows(Dataset& dataset) {
  std::optional<std::int64_t> latest;
  for (const Interactions* part : columns_by_part(dataset)) {
    for (const std::int64_t time : part->time_ms) latest = std::max(latest.value_or(time), time);
  }
  if (latest) latest = (*latest - ((*latest % kDayMs) + kDayMs) % kDayMs) + kDayMs - 1;
  return latest;
}

/// Examples of rows that were rejected quote the log: whose they are cannot be known.
void drop_examples(json& reasons) {
  for (json& reason : reasons) {
    if (reason.contains("example")) reason["example"] = "";
  }
}

void drop_examples_of_rows(json& manifest) {
  for (const char* key : {"rejected", "remarks"}) {
    if (manifest.at("rows").contains(key)) drop_examples(manifest["rows"][key]);
  }
  if (!manifest.contains("files_read")) manifest["files_read"] = json::array();
  for (json& file : manifest["files_read"]) {
    if (file.contains("reasons")) drop_examples(file["reasons"]);
  }
}

/// Hashes of the data set as it was, and of what it has grown from.
std::set<std::string> hashes_before(const std::string& hash, const json& provenance) {
  std::set<std::string> hashes = {hash};
  for (const json& earlier : provenance.value("earlier", json::array()))
    hashes.insert(earlier.value("hash", std::string()));
  return hashes;
}

/// Whether an artefact is, or was made from, a data set of one of these hashes.
bool is_of(const json& manifest, const std::string& kind, const std::set<std::string>& hashes) {
  const auto known = [&](const json& object, const char* key) {
    const json value = object.is_object() ? object.value(key, json()) : json();
    return value.is_string() && hashes.contains(value.get<std::string>());
  };
  return known(manifest, kind == kDataArtifact ? "hash" : "data_hash") ||
         known(manifest.value("since", json()), "data_hash") ||  // of a delta
         known(manifest.value("embeddings", json()), "data_hash");
}

/// What may still hold what was forgotten, as far as it lies beside the data set.
std::vector<RemainingPlace> places_beside(const fs::path& data, const fs::path& out,
                                          const std::set<std::string>& hashes) {
  std::vector<RemainingPlace> places;
  std::error_code error;
  for (const fs::path& folder : {data, out}) {
    for (const std::string& name : files_below(folder)) {
      if (file_role(kDataArtifact, name) == FileRole::none)
        places.push_back({folder / name, "file"});
    }
    if (fs::equivalent(data, out, error)) break;
  }
  const fs::path named = data.has_filename() ? data : data.parent_path();
  const fs::path parent = named.has_parent_path() ? named.parent_path() : fs::path(".");
  std::error_code listing;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, listing)) {
    if (!entry.is_directory(error) || fs::equivalent(entry.path(), out, error)) continue;
    const std::string kind = manifest_kind(entry.path());
    if (kind.empty()) continue;
    const json manifest = read_json_if_good(entry.path() / kManifestName);
    if (!manifest.is_object()) continue;
    if (!is_of(manifest, kind, hashes)) continue;
    places.push_back({parent == "." ? entry.path().filename() : entry.path(), kind});
  }
  if (listing) places.push_back({parent, "folder that cannot be listed"});
  if (!fs::equivalent(data, out, error) &&
      std::none_of(places.begin(), places.end(), [&](const RemainingPlace& one) {
        return fs::equivalent(one.path, data, error);
      }))
    places.push_back({data, kDataArtifact});
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return places;
}

/// What `penchant run` made the data set of: it is still made of that, and not made again.
std::string stamp_of_run(const fs::path& data) {
  std::error_code error;
  return fs::exists(data / kStampName, error) ? graph::read_file(data / kStampName) : std::string();
}

/// The old version is thrown away by finish(), which may not be able to.
void require_removed(const fs::path& grown, const fs::path& out) {
  std::error_code error;
  if (!fs::exists(grown, error) || fs::equivalent(grown, out, error)) return;
  try {
    if (files_below(grown).empty()) return;
  } catch (const InputError&) {
    // A folder that cannot be listed holds what it held.
  }
  throw InputError(
      fmt::format("{}: holds files of the old version of {}, with all that was to be forgotten, "
                  "which could not be removed: remove them",
                  grown.string(), out.string()));
}

}  // namespace

ForgetReport forget(const ForgetOptions& options, const fs::path& data, const fs::path& out,
                    Progress& progress) {
  if (options.users_file.empty() && options.items_file.empty() && !options.users && !options.items)
    throw InputError("forget: nothing to forget was given (--users FILE, --items FILE)");
  ArtifactWriter writer(Destination(out, stamp_of_run(data)), kDataArtifact);
  progress.begin("forget");
  const auto start = std::chrono::steady_clock::now();
  auto [dataset, manifest] = read_whole(
      data, [&] { return std::pair(read_dataset(data), read_manifest(data, kDataArtifact)); });
  json& provenance = manifest.at("provenance");
  const std::set<std::string> hashes = hashes_before(dataset.hash, provenance);

  ForgetReport report;
  const Flags users = asked_for(options.users_file, options.users, options.key.get(), dataset.users,
                                "user", data, report.num_unknown_users, progress);
  Flags items = asked_for(options.items_file, options.items, options.key.get(), dataset.items,
                          "item", data, report.num_unknown_items, progress);
  report.num_forgotten_users = count_set(users);
  report.num_forgotten_items = count_set(items);
  stop_if_asked(progress);

  const auto before = with_rows(dataset, [](NodeId, NodeId) { return true; });
  const auto after = with_rows(dataset, [&](NodeId user, NodeId item) {
    return !users[place(user)] && !items[place(item)];
  });
  report.num_items_of_theirs =
      add_items_of_theirs(provenance.value("inputs", json::array()), dataset.catalog, before.second,
                          after.second, items);
  for (std::size_t user = 0; user < users.size(); ++user)
    report.num_users_left_without_rows += !users[user] && before.first[user] && !after.first[user];

  const auto parts = columns_by_part(dataset);
  for (std::size_t part = 0; part < parts.size(); ++part)
    report.rows[part] = drop_rows(*parts[part], users, items);
  if (parts[0]->empty()) {
    throw InputError(fmt::format(
        "forget: no training row of {} would be left; to be rid of all of it remove the folder",
        data.string()));
  }
  const std::vector<NodeId> user_ids = closed_up(users);
  const std::vector<NodeId> item_ids = closed_up(items);
  for (Interactions* part : parts) {
    renumber(part->user, user_ids);
    renumber(part->item, item_ids);
  }
  close_up_sessions(dataset);
  dataset.users = without(dataset.users, users);
  dataset.items = without(dataset.items, items);
  for (Attribute& attribute : dataset.catalog.attributes)
    attribute = without(std::move(attribute), items, dataset.items);
  dataset.catalog.num_items = dataset.num_items();
  for (graph::UserLinks& kind : dataset.links)
    kind = graph::renumbered(kind, user_ids, dataset.num_users());
  judge_repeats(dataset, graph::Repeats::allowed);
  report.num_users = dataset.num_users();
  report.num_items = dataset.num_items();
  stop_if_asked(progress);

  const std::int64_t num_rows = report.rows[0] + report.rows[1] + report.rows[2];
  provenance["forgotten"].push_back(to_json(Tombstone{
      time_now_text(), report.num_forgotten_users,
      report.num_forgotten_items + report.num_items_of_theirs, num_rows, end_of_rows(dataset)}));
  // Its ids are no longer those of what it has grown from, whose hashes would tell of it.
  provenance.erase("earlier");
  provenance["version"] = version_of(provenance) + 1;
  provenance["resources"] = resources_since(start);
  drop_examples_of_rows(manifest);
  RowCounts rows;
  add_earlier(manifest.at("rows"), rows);
  const fs::path grown = writer.folder();
  write_dataset(writer, dataset, provenance.dump(), rows, {}, manifest.at("files_read").dump());
  require_removed(grown, out);
  report.remaining = places_beside(data, out, hashes);
  progress.end(fmt::format("{} users, {} items, {} rows forgotten; {} users, {} items left",
                           report.num_forgotten_users,
                           report.num_forgotten_items + report.num_items_of_theirs, num_rows,
                           report.num_users, report.num_items));
  return report;
}

}  // namespace penchant::pipeline
