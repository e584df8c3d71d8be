// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/check_dataset.h"

#include <cmath>
#include <functional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/side_by_side.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/link_files.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Interactions;
using graph::NodeId;
using nlohmann::json;

namespace {

/// Differences of two times cannot overflow.
constexpr std::int64_t kLargestTime = std::int64_t{1} << 61;
/// Interactions::event is an int8.
constexpr std::size_t kMostEventNames = 127;

struct Part {
  const char* name;
  const Interactions& rows;
};

[[noreturn]] void refuse(const fs::path& file, const std::string& what) {
  throw InputError(
      fmt::format("{}: damaged: {}; run the stage that writes it again", file.string(), what));
}

template <typename T, typename Holds>
void check_column(const fs::path& file, const std::vector<T>& column, const char* expected,
                  Holds holds) {
  for (std::size_t row = 0; row < column.size(); ++row) {
    if (!holds(row, column[row]))
      refuse(file, fmt::format("row {} is {}, expected {}", row, column[row], expected));
  }
}

void check_part(const fs::path& directory, const Part& part, const Dataset& dataset) {
  const Interactions& rows = part.rows;
  const auto file = [&](const char* column) {
    return directory / part.name / fmt::format("{}.npy", column);
  };
  const auto check_length = [&](const char* column, std::size_t length) {
    if (length != rows.user.size())
      refuse(file(column),
             fmt::format("{} rows, expected {} as in user.npy", length, rows.user.size()));
  };
  check_length("item", rows.item.size());
  check_length("weight", rows.weight.size());
  if (!rows.time_ms.empty()) check_length("time_ms", rows.time_ms.size());
  if (!rows.event.empty()) check_length("event", rows.event.size());
  if (!rows.session.empty()) check_length("session", rows.session.size());

  const std::int64_t num_users = dataset.num_users();
  const std::int64_t num_items = dataset.num_items();
  const auto num_events = static_cast<std::int64_t>(dataset.event_names.size());
  check_column(file("user"), rows.user, "a user of the data set, none before the last row's",
               [&](std::size_t row, NodeId user) {
                 return user >= 0 && user < num_users && (row == 0 || rows.user[row - 1] <= user);
               });
  check_column(file("item"), rows.item, "an item of the data set",
               [&](std::size_t, NodeId item) { return item >= 0 && item < num_items; });
  check_column(file("weight"), rows.weight, "a finite number above 0",
               [](std::size_t, float weight) { return weight > 0.0F && std::isfinite(weight); });
  check_column(
      file("time_ms"), rows.time_ms, "a time, a user's in ascending order",
      [&](std::size_t row, std::int64_t time) {
        return time >= -kLargestTime && time <= kLargestTime &&
               (row == 0 || rows.user[row - 1] != rows.user[row] || rows.time_ms[row - 1] <= time);
      });
  check_column(file("event"), rows.event, "an event type of the manifest",
               [&](std::size_t, std::int8_t event) { return event >= 0 && event < num_events; });
  check_column(file("session"), rows.session, "a session's number, or -1",
               [](std::size_t, std::int32_t session) { return session >= graph::kNoNode; });
}

/// Names of the columns that a log has or not.
std::string optional_columns(const Interactions& rows) {
  std::string names;
  for (const auto& [name, there] : {std::pair{"time_ms", !rows.time_ms.empty()},
                                    {"event", !rows.event.empty()},
                                    {"session", !rows.session.empty()}}) {
    if (there) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return names.empty() ? "none" : names;
}

void check_statistics(const fs::path& file, const EntityStatistics& stored,
                      const EntityStatistics& counted) {
  const auto compare = [&](const char* column, const std::vector<std::int64_t>& found,
                           const std::vector<std::int64_t>& expected) {
    for (std::size_t row = 0; row < found.size(); ++row) {
      if (found[row] == expected[row]) continue;
      refuse(file,
             fmt::format("row {} of column {} is not what the training rows give", row, column));
    }
  };
  compare("count", stored.count, counted.count);
  compare("first_time_ms", stored.first_time_ms, counted.first_time_ms);
  compare("last_time_ms", stored.last_time_ms, counted.last_time_ms);
}

}  // namespace

void check_dataset(const fs::path& directory, const json& manifest, const Dataset& dataset) {
  const fs::path manifest_file = directory / kManifestName;
  const Interactions& train = dataset.split.train.interactions;
  const Part parts[] = {
      {"train", train}, {"validation", dataset.split.validation}, {"test", dataset.split.test}};
  const auto check_size = [&](const char* key, std::int64_t found) {
    const auto expected = manifest.at(key).get<std::int64_t>();
    if (found != expected)
      refuse(manifest_file, fmt::format("{} is {}, but the files hold {}", key, expected, found));
  };
  check_size("num_users", dataset.num_users());
  check_size("num_items", dataset.num_items());
  check_size("num_train", train.size());
  check_size("num_validation", dataset.split.validation.size());
  check_size("num_test", dataset.split.test.size());
  if (dataset.event_names.size() > kMostEventNames)
    refuse(manifest_file, fmt::format("{} event types", dataset.event_names.size()));
  if (!(dataset.repeated_share >= 0.0 && dataset.repeated_share <= 1.0))
    refuse(manifest_file, "repeated_share is not between 0 and 1");
  if (dataset.hash != dataset_hash(manifest.at("files"), manifest.at("attributes"),
                                   manifest.value("links", json::array())))
    refuse(manifest_file, "hash is not that of its files, attributes and links");
  for (const graph::Attribute& attribute : dataset.catalog.attributes) {
    if (is_entity_column(attribute.name) || dataset.catalog.find(attribute.name) != &attribute)
      refuse(manifest_file, fmt::format("two columns are named '{}'", attribute.name));
  }
  for (const Part& part : parts) {
    if (part.rows.empty() || train.empty()) continue;
    const std::string found = optional_columns(part.rows);
    const std::string expected = optional_columns(train);
    if (found != expected) {
      refuse(directory / part.name,
             fmt::format("its columns beside user, item and weight are {}, in train they are {}",
                         found, expected));
    }
  }
  std::vector<std::function<void()>> tasks;
  for (const Part& part : parts)
    tasks.emplace_back([&, part] { check_part(directory, part, dataset); });
  graph::run_side_by_side(tasks);
  // Only now are the ids known to be in range.
  graph::run_side_by_side(
      {[&] {
         check_statistics(directory / "users.parquet", dataset.user_statistics,
                          count_entities(train.user, train.time_ms, dataset.num_users()));
       },
       [&] {
         check_statistics(directory / "items.parquet", dataset.item_statistics,
                          count_entities(train.item, train.time_ms, dataset.num_items()));
       }});
}

}  // namespace penchant::pipeline
