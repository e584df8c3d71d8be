// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/privacy.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/ids.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/ingest/id_rules.h"

namespace penchant::pipeline {

using graph::at;
using graph::Attribute;
using graph::AttributeKind;
using graph::NodeId;
using nlohmann::json;

namespace {

constexpr std::int64_t kSecondMs = 1000;
constexpr std::int64_t kMinuteMs = 60 * kSecondMs;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;
constexpr std::int64_t kDayMs = 24 * kHourMs;

/// Length of a unit, and a time at which one begins.
struct Unit {
  std::int64_t length_ms, start_ms;
};
Unit unit_of(TimeResolution resolution) {
  constexpr std::array<Unit, 6> kUnits = {{{1, 0},
                                           {kSecondMs, 0},
                                           {kMinuteMs, 0},
                                           {kHourMs, 0},
                                           {kDayMs, 0},
                                           {7 * kDayMs, 4 * kDayMs}}};  // Monday, 5 January 1970
  return kUnits[static_cast<std::size_t>(resolution)];
}

/// The users that touched each value; `train` is in order of users.
std::vector<std::int64_t> users_of_values(const Attribute& attribute,
                                          const graph::Interactions& train) {
  std::vector<std::int64_t> users(at(attribute.values.size()), 0);
  std::vector<NodeId> latest(users.size(), graph::kNoNode);
  const graph::CsrView values = attribute.item_values.view();
  for (std::size_t row = 0; row < train.user.size(); ++row) {
    for (const NodeId value : values.row(train.item[row])) {
      if (std::exchange(latest[at(value)], train.user[row]) != train.user[row]) ++users[at(value)];
    }
  }
  return users;
}

RareValues merge_rare(Attribute& attribute, const graph::Interactions& train, std::int64_t least,
                      std::int64_t num_known) {
  RareValues found{attribute.name};
  const std::vector<std::int64_t> users = users_of_values(attribute, train);
  std::vector<bool> is_rare(users.size());
  for (std::size_t value = at(num_known); value < users.size(); ++value) {
    is_rare[value] =
        users[value] < least && attribute.values.raw(static_cast<NodeId>(value)) != kRareValue;
    found.values += is_rare[value] ? 1 : 0;
  }
  if (found.values == 0) return found;
  graph::Dictionary kept;
  std::vector<NodeId> new_id(users.size(), graph::kNoNode);
  for (std::size_t value = 0; value < users.size(); ++value) {
    if (!is_rare[value])
      new_id[value] = kept.intern(attribute.values.raw(static_cast<NodeId>(value)));
  }
  graph::Csr merged;
  const graph::CsrView values = attribute.item_values.view();
  for (std::int64_t item = 0; item < values.num_rows; ++item) {
    bool had_rare = false;
    const std::size_t first = merged.columns.size();
    for (const NodeId value : values.row(static_cast<NodeId>(item))) {
      had_rare = had_rare || is_rare[at(value)];
      if (!is_rare[at(value)]) merged.columns.push_back(new_id[at(value)]);
    }
    found.items += had_rare ? 1 : 0;
    const bool has_broader = attribute.is_path && merged.columns.size() > first;
    if (had_rare && !has_broader) {
      const NodeId rare = kept.intern(kRareValue);
      if (std::find(merged.columns.begin() + static_cast<std::ptrdiff_t>(first),
                    merged.columns.end(), rare) == merged.columns.end())
        merged.columns.push_back(rare);
    }
    merged.offsets.push_back(static_cast<graph::EdgeOffset>(merged.columns.size()));
  }
  const std::int64_t num_items = values.num_rows;
  attribute.item_values = std::move(merged);
  attribute.values = std::move(kept);
  finish_attribute(attribute, num_items);
  return found;
}

bool has_values(const Attribute& attribute) {
  return (attribute.kind == AttributeKind::categorical || attribute.kind == AttributeKind::list) &&
         attribute.content.width == 0;
}

const char* entities_in_words(Entity entity) {
  constexpr std::array<const char*, kNumEntities> kWords = {"users", "items", "sessions"};
  return kWords[static_cast<std::size_t>(entity)];
}

}  // namespace

void prepare_privacy(IngestOptions& options) {
  const PrivacyOptions& privacy = options.privacy;
  if (privacy.time_resolution != TimeResolution::exact && options.columns.time.empty()) {
    throw InputError(fmt::format(
        "data.time_resolution is \"{}\", and the log has no column of times (data.columns.time)",
        enum_name(privacy.time_resolution)));
  }
  if (privacy.drop_repeats && options.format == InputFormat::s3rec)
    throw InputError(
        "data.drop_repeats does not go with format s3rec, in whose sequences no two rows are "
        "equal");
  options.ids = id_rules(options);
  if (options.ids == nullptr || !options.ids->withholds_cells()) return;
  options.log.text.withhold_names = true;
  if (options.item_table) options.item_table->text.withhold_names = true;
  for (LinkTable& links : options.links) links.source.text.withhold_names = true;
}

std::int64_t coarsen_times(std::span<std::int64_t> times_ms, TimeResolution resolution) {
  const Unit unit = unit_of(resolution);
  std::int64_t changed = 0;
  for (std::int64_t& time : times_ms) {
    const std::int64_t behind =
        ((time - unit.start_ms) % unit.length_ms + unit.length_ms) % unit.length_ms;
    // The week of 1 January 1970 begins before the first time there is.
    const std::int64_t start = std::max<std::int64_t>(0, time - behind);
    changed += start != time ? 1 : 0;
    time = start;
  }
  return changed;
}

std::vector<RareValues> merge_rare_values(graph::Catalog& catalog, const graph::Interactions& train,
                                          std::int64_t least,
                                          std::span<const std::int64_t> num_known_values) {
  std::vector<RareValues> rare;
  if (least <= 1) return rare;
  for (std::size_t a = 0; a < catalog.attributes.size(); ++a) {
    Attribute& attribute = catalog.attributes[a];
    if (!has_values(attribute)) continue;
    const std::int64_t num_known = a < num_known_values.size() ? num_known_values[a] : 0;
    if (RareValues found = merge_rare(attribute, train, least, num_known); found.values > 0)
      rare.push_back(std::move(found));
  }
  return rare;
}

json privacy_json(const IngestOptions& options, const PrivacyCounts& counts, const json& before) {
  const PrivacyOptions& privacy = options.privacy;
  json facts = json::object();
  const auto earlier = [&](const char* part, const char* key) -> std::int64_t {
    return before.is_object() && before.contains(part) ? before[part].value(key, std::int64_t{0})
                                                       : std::int64_t{0};
  };
  if (options.ids != nullptr && options.ids->key() != nullptr) {
    json& made = facts["pseudonyms"];
    made = {{"method", "HMAC-SHA-256, 128 bits"}, {"key", options.ids->key()->fingerprint()}};
    for (const Entity entity : privacy.pseudonymise) {
      json& ids = made["of"][entities_in_words(entity)];
      if (entity == Entity::user) ids = counts.num_users;
      if (entity == Entity::item) ids = counts.num_items;
    }
  }
  if (options.ids != nullptr && !privacy.same_user.empty()) {
    facts["same_user"] = {{"file", hide_environment(privacy.same_user.filename().string())},
                          {"accounts", options.ids->num_accounts()},
                          {"accounts_met", options.ids->num_accounts_met()}};
  }
  if (privacy.time_resolution != TimeResolution::exact) {
    facts["time_resolution"] = {
        {"unit", enum_name(privacy.time_resolution)},
        {"times_changed", counts.times_changed + earlier("time_resolution", "times_changed")}};
  }
  if (privacy.min_value_users > 1) {
    json& rare = facts["rare_values"];
    rare = before.is_object() ? before.value("rare_values", json::object()) : json::object();
    rare["min_value_users"] = privacy.min_value_users;
    rare["name"] = kRareValue;
    if (!rare.contains("attributes")) rare["attributes"] = json::object();
    for (const RareValues& one : counts.rare) {
      json& of = rare["attributes"][one.attribute];
      of = {{"values", one.values + (of.is_object() ? of.value("values", std::int64_t{0}) : 0)},
            {"items", one.items + (of.is_object() ? of.value("items", std::int64_t{0}) : 0)}};
    }
  }
  if (privacy.drop_repeats)
    facts["drop_repeats"] = {{"rows", counts.repeats_dropped + earlier("drop_repeats", "rows")}};
  return facts;
}

void tell_privacy(const IngestOptions& options, const PrivacyCounts& counts, Progress& progress) {
  const PrivacyOptions& privacy = options.privacy;
  if (options.ids != nullptr && options.ids->key() != nullptr) {
    std::vector<std::string_view> names;
    for (const Entity entity : privacy.pseudonymise) names.emplace_back(entities_in_words(entity));
    progress.note(fmt::format("ids of {} are pseudonyms by the key with the fingerprint {}",
                              fmt::join(names, " and "), options.ids->key()->fingerprint()));
  }
  if (options.ids != nullptr && !privacy.same_user.empty()) {
    progress.note(fmt::format("{} of {} accounts that are another's were met (data.same_user)",
                              options.ids->num_accounts_met(), options.ids->num_accounts()));
  }
  if (privacy.time_resolution != TimeResolution::exact) {
    progress.note(fmt::format("{} times were set to the start of their {} (UTC)",
                              counts.times_changed, enum_name(privacy.time_resolution)));
  }
  for (const RareValues& one : counts.rare) {
    progress.note(
        fmt::format("attribute '{}': {} values that fewer than {} users touched are '{}' now, of "
                    "{} items",
                    one.attribute, one.values, privacy.min_value_users, kRareValue, one.items));
  }
  if (privacy.min_value_users > 1 && counts.rare.empty()) {
    progress.note(fmt::format("no value of an attribute was touched by fewer than {} users",
                              privacy.min_value_users));
  }
  if (privacy.drop_repeats)
    progress.note(fmt::format("{} exact repeats of a row were dropped", counts.repeats_dropped));
}

void check_same_key(const IngestOptions& options, const json& provenance,
                    const std::filesystem::path& data) {
  const json privacy = provenance.value("privacy", json::object());
  const json pseudonyms = privacy.value("pseudonyms", json::object());
  const std::string kept = pseudonyms.value("key", std::string());
  const PseudonymKey* key = options.ids == nullptr ? nullptr : options.ids->key();
  const std::string given = key == nullptr ? std::string() : key->fingerprint();
  if (kept == given) return;
  const json of = pseudonyms.value("of", json::object());
  if (!of.contains("users") && !of.contains("items") && !kept.empty()) return;  // none is stored
  const auto words = [](const std::string& fingerprint) {
    return fingerprint.empty() ? std::string("none")
                               : fmt::format("that with the fingerprint {}", fingerprint);
  };
  throw InputError(
      fmt::format("{}: the key of its pseudonyms is {}, and the one given is {}: expected the same "
                  "(data.pseudonym_key, --key), or the same people would be others",
                  data.string(), words(kept), words(given)));
}

}  // namespace penchant::pipeline
