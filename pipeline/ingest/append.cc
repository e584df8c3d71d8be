// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/append.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/hash.h"
#include "graph/random.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/versions.h"
#include "pipeline/data/sort_log.h"
#include "pipeline/data/split_warnings.h"
#include "pipeline/data/tombstone.h"
#include "pipeline/ingest/build_catalog.h"
#include "pipeline/ingest/check_ingest_options.h"
#include "pipeline/ingest/column_roles.h"
#include "pipeline/ingest/extend_catalog.h"
#include "pipeline/ingest/ingest_steps.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/ingest/item_content.h"
#include "pipeline/ingest/item_table.h"
#include "pipeline/ingest/log_rows.h"
#include "pipeline/ingest/privacy.h"
#include "pipeline/ingest/read_table_log.h"
#include "pipeline/tables/frames.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Interactions;
using graph::NodeId;
using graph::Part;
using nlohmann::json;

namespace {

std::array<Interactions*, 3> parts_of(graph::SplitInteractions& split) {
  return {&split.train.interactions, &split.validation, &split.test};
}

/// Rows that are there stay, so what would take some of them away or change them cannot be kept.
void check_appendable(const IngestOptions& options) {
  const auto refuse = [](std::string_view what) {
    throw InputError(fmt::format(
        "append: the data set was read with {}, which rows that come later cannot keep to without "
        "changing what is there; ingest all files together instead",
        what));
  };
  if (options.format != InputFormat::table)
    refuse(fmt::format("data.format = \"{}\"", enum_name(options.format)));
  if (options.repeats != RepeatPolicy::keep_all)
    refuse(fmt::format("data.repeats = \"{}\"", enum_name(options.repeats)));
  if (options.min_user_count > 1 || options.min_item_count > 1 || options.max_user_count > 0)
    refuse("limits of counts (data.min_user_count, data.min_item_count, data.max_user_count)");
  if (options.time_format == kOrderOfRows) refuse("data.time_format = \"order\"");
  if (!options.columns.part.empty()) refuse("data.columns.part");
  if (!options.item_time.empty()) refuse("an item table with times (data.items.time)");
  if (options.split_method == graph::SplitMethod::hidden_items)
    refuse("data.split.method = \"hidden_items\"");
}

/// Takes files out whose bytes the data set has; returns their names.
std::vector<std::string> leave_known_out(const json& inputs, std::vector<fs::path>& files,
                                         const TableReadOptions& text) {
  std::set<std::string> known;
  for (const json& input : inputs) known.insert(input.value("hash", std::string()));
  std::vector<std::string> names;
  std::erase_if(files, [&](const fs::path& file) {
    if (frame_of(file, text) != nullptr || !known.contains(hash_file(file))) return false;
    names.push_back(file.string());
    return true;
  });
  return names;
}

/// What makes two rows the same thing, and whether they agree in all.
struct RowKey {
  NodeId item;
  std::int64_t time;
  std::int8_t event;
  float weight;
  auto thing() const { return std::tuple(item, time, event); }
  auto content() const { return std::tuple(item, time, event, weight); }
};

RowKey key_of(const Interactions& rows, std::size_t in_order, std::size_t row) {
  return {rows.item[in_order], rows.time_ms.empty() ? 0 : rows.time_ms[in_order],
          rows.event.empty() ? std::int8_t{0} : rows.event[row], rows.weight[row]};
}

/// The rows of a data set, a user at a time.
class KnownThings {
 public:
  explicit KnownThings(graph::SplitInteractions& split) : parts_(parts_of(split)) {}

  void choose(NodeId user) {
    rows_.clear();
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      const std::vector<NodeId>& users = parts_[part]->user;
      const auto [first, last] = std::equal_range(users.begin(), users.end(), user);
      for (auto at = first; at != last; ++at) {
        const auto row = static_cast<std::size_t>(at - users.begin());
        rows_.emplace_back(key_of(*parts_[part], row, row), static_cast<Part>(part));
      }
    }
    std::sort(rows_.begin(), rows_.end(),
              [](const auto& a, const auto& b) { return a.first.content() < b.first.content(); });
  }

  /// The part of the user's row that is the same thing; sets `exact` if one agrees in all.
  std::optional<Part> find(const RowKey& key, bool& exact) const {
    auto at = std::lower_bound(
        rows_.begin(), rows_.end(), key,
        [](const auto& row, const RowKey& to) { return row.first.thing() < to.thing(); });
    std::optional<Part> part;
    exact = false;
    for (; at != rows_.end() && at->first.thing() == key.thing(); ++at) {
      if (!part) part = at->second;
      exact = exact || at->first.weight == key.weight;
    }
    return part;
  }

 private:
  std::array<Interactions*, 3> parts_;
  std::vector<std::pair<RowKey, Part>> rows_;
};

/// Draws the part of each event of new rows by a hash, so that it does not hang on a row's place.
class DrawnParts {
 public:
  DrawnParts(const OrderedLog& log, const RawLog& raw, const graph::SplitOptions& options)
      : log_(log), raw_(raw), options_(options), random_(options.seed, graph::Stream::later_rows) {
    if (log.rows.session.empty() || log.rows.time_ms.empty()) return;
    for (std::size_t row = 0; row < log.parts.size(); ++row) {
      const NodeId session = log.rows.session[log.row_of(row)];
      if (session == graph::kNoNode) continue;
      const auto [place, is_new] = session_start_.emplace(session, log.rows.time_ms[row]);
      if (!is_new) place->second = std::min(place->second, log.rows.time_ms[row]);
    }
  }

  Part of(std::size_t row) const {
    const std::uint64_t user = hash(raw_.users.raw(log_.rows.user[row]));
    const double drawn = random_.uniform(graph::mix_bits(user ^ graph::mix_bits(event_of(row))));
    const double test = options_.test_fraction;
    if (drawn < test) return Part::test;
    return drawn < test + (1.0 - test) * options_.validation_fraction ? Part::validation
                                                                      : Part::train;
  }

 private:
  static std::uint64_t hash(std::string_view raw) { return XXH3_64bits(raw.data(), raw.size()); }

  std::uint64_t event_of(std::size_t row) const {
    if (log_.rows.time_ms.empty()) return hash(raw_.items.raw(log_.rows.item[row]));
    if (!log_.rows.session.empty()) {
      const auto start = session_start_.find(log_.rows.session[log_.row_of(row)]);
      if (start != session_start_.end()) return static_cast<std::uint64_t>(start->second);
    }
    return static_cast<std::uint64_t>(log_.rows.time_ms[row]);
  }

  const OrderedLog& log_;
  const RawLog& raw_;
  const graph::SplitOptions& options_;
  graph::Random random_;
  std::map<NodeId, std::int64_t> session_start_;
};

/// How the new rows are divided.
graph::SplitOptions split_of(const IngestOptions& options, const json& inputs, bool timed) {
  const bool parts_by_files = std::any_of(inputs.begin(), inputs.end(), [](const json& input) {
    return input.at("role") == "test" || input.at("role") == "validation";
  });
  graph::SplitOptions split;
  split.method = parts_by_files ? graph::SplitMethod::given
                                : options.split_method.value_or(default_split(options));
  split.validation_fraction = options.validation_fraction;
  split.test_fraction = options.test_fraction;
  split.seed = options.seed;
  if (split.method == graph::SplitMethod::given) {
    split.validation_fraction = split.test_fraction = 0.0;
  } else if (split.method != graph::SplitMethod::random_per_user && timed) {
    split.method = graph::SplitMethod::global_time;
    split.test_fraction = 0.0;
  } else {
    split.method = graph::SplitMethod::random_per_user;
  }
  return split;
}

void divide_new_rows(OrderedLog& log, const RawLog& raw, const graph::SplitOptions& split,
                     bool drop_repeats, KnownThings& known, LeftOutRows& left_out) {
  std::vector<std::optional<Part>> as_before(log.parts.size());
  NodeId user = graph::kNoNode;
  for (std::size_t row = 0; row < log.parts.size(); ++row) {
    if (log.rows.user[row] != user) {
      user = log.rows.user[row];
      known.choose(user);
    }
    bool exact = false;
    as_before[row] = known.find(key_of(log.rows, row, log.row_of(row)), exact);
    if (exact && (!log.rows.time_ms.empty() || drop_repeats)) log.parts[row] = Part::left_out;
  }
  left_out.add(kExactRepeat, RowFate::merged);
  if (split.method == graph::SplitMethod::global_time) {
    const auto is_new = [&](Part part) { return part != Part::left_out; };
    if (std::any_of(log.parts.begin(), log.parts.end(), is_new))
      graph::assign_parts(log.rows, split, log.parts, log.order);
    // A model learns from what is new, however little that is.
    bool learns = false;
    for (std::size_t row = 0; row < log.parts.size(); ++row)
      learns = learns || (!as_before[row] && log.parts[row] == Part::train);
    if (!learns) std::replace(log.parts.begin(), log.parts.end(), Part::validation, Part::train);
  } else {
    const DrawnParts drawn(log, raw, split);
    for (std::size_t row = 0; row < log.parts.size(); ++row) {
      if (log.parts[row] == Part::train) log.parts[row] = drawn.of(row);
    }
  }
  // What is the same thing as a row that is there stands beside it, or what is held out would leak.
  for (std::size_t row = 0; row < log.parts.size(); ++row) {
    if (as_before[row] && log.parts[row] != Part::left_out) log.parts[row] = *as_before[row];
  }
}

/// The rows of each part, of which each may be empty.
graph::SplitInteractions rows_by_part(const OrderedLog& log) {
  graph::SplitInteractions split;
  const auto parts = parts_of(split);
  const Interactions& rows = log.rows;
  for (std::size_t i = 0; i < log.parts.size(); ++i) {
    if (log.parts[i] == Part::left_out) continue;
    Interactions& part = *parts[static_cast<std::size_t>(log.parts[i])];
    const std::size_t row = log.row_of(i);
    part.user.push_back(rows.user[i]);
    part.item.push_back(rows.item[i]);
    part.weight.push_back(rows.weight[row]);
    if (!rows.time_ms.empty()) part.time_ms.push_back(rows.time_ms[i]);
    if (!rows.event.empty()) part.event.push_back(rows.event[row]);
    if (!rows.session.empty()) part.session.push_back(rows.session[row]);
  }
  return split;
}

template <typename T>
void add_column(std::vector<T>& column, const std::vector<T>& more) {
  column.insert(column.end(), more.begin(), more.end());
}

/// Adds rows to a part and puts it in order; of equal times those that were there come first.
void add_rows(Interactions& part, const Interactions& more, std::int64_t num_users) {
  add_column(part.user, more.user);
  add_column(part.item, more.item);
  add_column(part.weight, more.weight);
  add_column(part.time_ms, more.time_ms);
  add_column(part.event, more.event);
  add_column(part.session, more.session);
  sort_log(part, num_users);
}

/// Sessions are told apart by files: new ones are numbered behind those that are there.
void number_sessions(graph::SplitInteractions& split, Interactions& rows) {
  if (!split.train.interactions.session.empty() && rows.session.empty())
    rows.session.assign(rows.user.size(), graph::kNoNode);
  std::int32_t next = 0;
  for (const Interactions* part : parts_of(split)) {
    for (const std::int32_t session : part->session) next = std::max(next, session + 1);
  }
  for (std::int32_t& session : rows.session) {
    if (session != graph::kNoNode) session += next;
  }
}

std::int64_t latest_time(graph::SplitInteractions& split) {
  std::int64_t latest = graph::kNoTime;
  for (const Interactions* part : parts_of(split)) {
    for (const std::int64_t time : part->time_ms) latest = std::max(latest, time);
  }
  return latest;
}

/// Counts the users and items that are new to a data set by rows from before it forgot some. Without
/// times any row may be from before.
void count_from_before(std::span<const Tombstone> tombstones, const graph::SplitInteractions& added,
                       std::int64_t num_users, std::int64_t num_items, AppendReport& report) {
  if (tombstones.empty()) return;
  std::int64_t until = std::numeric_limits<std::int64_t>::min();
  for (const Tombstone& tombstone : tombstones)
    until = std::max(until, tombstone.rows_until_ms.value_or(until));
  std::set<NodeId> users, items;
  for (const Interactions* part : {&added.train.interactions, &added.validation, &added.test}) {
    for (std::size_t row = 0; row < part->user.size(); ++row) {
      if (!part->time_ms.empty() && part->time_ms[row] > until) continue;
      if (part->user[row] >= num_users) users.insert(part->user[row]);
      if (part->item[row] >= num_items) items.insert(part->item[row]);
    }
  }
  report.num_users_from_before = static_cast<std::int64_t>(users.size());
  report.num_items_from_before = static_cast<std::int64_t>(items.size());
}

void tell_from_before(const fs::path& data, std::span<const Tombstone> tombstones,
                      const AppendReport& report, Progress& progress) {
  if (report.num_users_from_before == 0 && report.num_items_from_before == 0) return;
  progress.warn(fmt::format(
      "{} {}; {} new users and {} new items come with rows from before: if what was forgotten is "
      "among them, forget it again (penchant forget)",
      data.string(), told(tombstones), report.num_users_from_before, report.num_items_from_before));
}

/// What was read is of the columns that the data set has.
void check_columns(const Dataset& dataset, const ReadResult& read, const fs::path& data) {
  const Interactions& train = dataset.split.train.interactions;
  const Interactions& rows = read.log.rows;
  if (read.event_names != dataset.event_names) {
    throw InputError(fmt::format(
        "append: the event types are now {}, and {} has {}: expected the same (data.event_weights)",
        fmt::join(read.event_names, ", "), data.string(), fmt::join(dataset.event_names, ", ")));
  }
  if (train.time_ms.empty() != rows.time_ms.empty() ||
      (train.session.empty() && !rows.session.empty())) {
    const bool times = train.time_ms.empty() != rows.time_ms.empty();
    throw InputError(fmt::format(
        "append: {} {} a column of {}, and the new log {}, expected the same", data.string(),
        (times ? train.time_ms.empty() : train.session.empty()) ? "lacks" : "has",
        times ? "times (data.columns.time)" : "sessions (data.columns.session)",
        (times ? rows.time_ms.empty() : rows.session.empty()) ? "lacks it" : "has one"));
  }
}

/// New users have no links.
void keep_links(Dataset& dataset) {
  for (graph::UserLinks& kind : dataset.links) {
    graph::Csr& links = kind.links;
    links.num_rows = links.num_cols = dataset.num_users();
    links.offsets.resize(static_cast<std::size_t>(dataset.num_users()) + 1, links.offsets.back());
  }
}

/// Puts the new rows into `dataset`: their parts, and the items that come with them. `earlier`: what
/// it had; `table`: items of the new item table.
void take_rows(const IngestOptions& options, const json& provenance, const EarlierData& earlier,
               const graph::Dictionary& table, Dataset& dataset, ReadResult& read,
               AppendReport& report, Progress& progress) {
  tell_empty(read.files, progress);
  if (read.log.rows.user.empty()) return;
  check_columns(dataset, read, dataset.directory);
  number_sessions(dataset.split, read.log.rows);
  const std::int64_t latest = latest_time(dataset.split);
  const graph::SplitOptions split =
      split_of(options, provenance.at("inputs"), !read.log.rows.time_ms.empty());
  OrderedLog log = order_log(std::move(read.log.rows), read.log.users.size());
  LeftOutRows left_out(read.files, log.parts, log.order);
  if (options.only_listed) {
    leave_unlisted_out(log, read.log.items, table, earlier.num_items, left_out);
    compact_dictionaries(log, read.log.users, read.log.items,
                         {earlier.num_users, earlier.num_items});
  }
  thin_log(log, read.log, options, left_out);
  KnownThings known(dataset.split);
  divide_new_rows(log, read.log, split, options.privacy.drop_repeats, known, left_out);
  left_out.count_kept();
  for (std::size_t row = 0; row < log.rows.time_ms.size(); ++row)
    report.num_older_rows += static_cast<std::int64_t>(log.parts[row] != Part::left_out &&
                                                       log.rows.time_ms[row] < latest);
  graph::SplitInteractions rows = rows_by_part(log);
  check_parts(read.files, rows);
  count_from_before(tombstones_of(provenance), rows, earlier.num_users, earlier.num_items, report);
  report.new_train = rows.train.interactions.size();
  report.new_validation = rows.validation.size();
  report.new_test = rows.test.size();
  const auto parts = parts_of(dataset.split);
  const auto more = parts_of(rows);
  for (std::size_t part = 0; part < parts.size(); ++part)
    add_rows(*parts[part], *more[part], read.log.users.size());
  warn_of_cut_sessions(graph::count_cut_sessions(dataset.split), split, progress);
}

/// Adds the items from `first_new` on that only the log knows to those of before, for data sets with an
/// item table. Earlier ones whose row comes now stay counted: which they are is not kept.
void add_items_without_row(json& provenance, const graph::Dictionary& items, std::int64_t first_new,
                           const graph::Dictionary& table) {
  const auto before = provenance.find("items_without_row");
  if (before == provenance.end()) return;
  std::int64_t count = before->get<std::int64_t>();
  for (std::int64_t id = first_new; id < items.size(); ++id)
    count += table.find(items.raw(static_cast<NodeId>(id))) == graph::kNoNode;
  *before = count;
}

}  // namespace

std::string kept_settings(const fs::path& data) {
  const json manifest = read_manifest(data, kDataArtifact);
  const json& provenance = manifest.at("provenance");
  if (!provenance.contains("settings")) {
    throw InputError(
        fmt::format("{}: it does not say how its log was read, as data sets of earlier programs "
                    "and of calls of "
                    "the library do: ingest it again",
                    data.string()));
  }
  return provenance.at("settings").get<std::string>();
}

IngestOptions event_log_options(IngestOptions options, const fs::path& folder) {
  options.split_method = options.split_method.value_or(default_split(options));
  const bool has_events = !options.columns.event.empty();
  options.columns = {"user", "item", "time", has_events ? "event" : "", "", ""};
  options.time_format = "iso8601";
  options.log = {{folder / "events-*.csv"}, {.separator = ',', .quote = '"', .escape = TextMark()}};
  options.filters.clear();
  std::erase(options.privacy.pseudonymise, Entity::session);  // of which it has none
  if (options.privacy.pseudonymise.empty()) options.privacy.pseudonym_key.clear();
  if (!has_item_table(options)) options.attributes.clear();
  return options;
}

LaterRows read_later_rows(const IngestOptions& given, const fs::path& data, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  auto [dataset, manifest] = read_whole(
      data, [&] { return std::pair(read_dataset(data), read_manifest(data, kDataArtifact)); });
  json& provenance = manifest.at("provenance");
  json& inputs = provenance.at("inputs");
  check_appendable(given);
  IngestOptions options = with_files(given, progress);
  prepare_privacy(options);
  check_same_key(options, provenance, data);
  LaterRows later;
  AppendReport& report = later.report;
  EarlierData earlier = {dataset.hash, dataset.num_users(), dataset.num_items(), {}};
  if (!dataset.split.train.interactions.time_ms.empty())
    earlier.latest_time_ms = latest_time(dataset.split);
  report.known_files = leave_known_out(inputs, options.log.files, options.log.text);
  if (options.item_table) {
    for (std::string& name :
         leave_known_out(inputs, options.item_table->files, options.item_table->text))
      report.known_files.push_back(std::move(name));
    if (options.item_table->files.empty()) options.item_table.reset();
  }
  for (const std::string& name : report.known_files)
    progress.note(fmt::format("{}: its rows are in the data set already", name));
  // Attributes come from the item table, or where there never was one from the log.
  const bool had_table = std::any_of(inputs.begin(), inputs.end(),
                                     [](const json& input) { return input.at("role") == "items"; });
  if (had_table != has_item_table(options) && !options.attributes.empty()) {
    if (!had_table)
      throw InputError(
          "append: the attributes of items were read from the log, expected no item table");
    options.attributes.clear();
  }
  const std::vector<InputFile> files = input_files(options);
  check_ingest_options(options);
  settle_column_types(options, progress);

  ReadResult read;
  RawCatalog raw_catalog;
  read.log.users = std::move(dataset.users);
  read.log.items = std::move(dataset.items);
  if (!options.log.files.empty()) read_table_log(options, read, raw_catalog, progress);
  stop_if_asked(progress);
  if (has_item_table(options)) read_item_table(options, read, raw_catalog);
  if (!options.log.files.empty())
    take_rows(options, provenance, earlier, raw_catalog.items, dataset, read, report, progress);
  dataset.users = std::move(read.log.users);
  dataset.items = std::move(read.log.items);
  add_items_without_row(provenance, dataset.items, earlier.num_items, raw_catalog.items);
  for (std::int64_t item = 0; item < raw_catalog.items.size(); ++item)
    dataset.items.intern(raw_catalog.items.raw(static_cast<NodeId>(item)));
  report.item_rows = add_up(read.item_files);
  for (auto& cells : {add_up(read.files, true), add_up(read.item_files, true)}) {
    report.item_rows.rejected.insert(report.item_rows.rejected.end(), cells.rejected.begin(),
                                     cells.rejected.end());
  }
  graph::Catalog fresh = build_catalog(raw_catalog, dataset.items, report.item_rows, options);
  add_later_content(options, dataset.catalog, dataset.items, fresh, read);
  std::vector<std::int64_t> num_known_values;
  for (const graph::Attribute& attribute : dataset.catalog.attributes)
    num_known_values.push_back(attribute.values.size());
  dataset.catalog =
      extend_catalog(std::move(dataset.catalog), fresh, dataset.items, report.item_rows, options);
  PrivacyCounts privacy;
  privacy.rare = merge_rare_values(dataset.catalog, dataset.split.train.interactions,
                                   options.privacy.min_value_users, num_known_values);
  keep_links(dataset);
  judge_repeats(dataset, options);
  stop_if_asked(progress);

  report.rows = add_up(read.files);
  report.files = std::move(read.files);
  report.files.insert(report.files.end(), read.item_files.begin(), read.item_files.end());
  report.vector_rows = add_up(read.vector_files);
  report.files.insert(report.files.end(), read.vector_files.begin(), read.vector_files.end());
  close_accounts(report.files, {&report.rows, &report.item_rows, &report.vector_rows});
  for (json& input : inputs_to_json(files, read)) inputs.push_back(std::move(input));
  provenance["resources"] = resources_since(start);
  privacy.num_users = dataset.num_users();
  privacy.num_items = dataset.num_items();
  privacy.times_changed = read.times_changed;
  privacy.repeats_dropped = rows_of_reason(report.rows, kExactRepeat);
  if (json facts = privacy_json(options, privacy, provenance.value("privacy", json()));
      !facts.empty())
    provenance["privacy"] = std::move(facts);
  tell_privacy(options, privacy, progress);
  add_earlier_version(provenance, earlier);
  provenance["version"] = version_of(provenance) + 1;
  later.rows = report.rows;
  add_earlier(manifest.at("rows"), later.rows);
  report.num_new_users = dataset.num_users() - earlier.num_users;
  report.num_new_items = dataset.num_items() - earlier.num_items;
  report.num_users = dataset.num_users();
  report.num_items = dataset.num_items();
  later.nothing = std::all_of(files.begin(), files.end(), [](const InputFile& file) {
    return file.role == InputRole::accounts;
  });
  later.provenance_json = provenance.dump();
  later.files_json = manifest.at("files_read").dump();
  later.dataset = std::move(dataset);
  return later;
}

void write_later_rows(LaterRows& later, ArtifactWriter& writer) {
  write_dataset(writer, later.dataset, later.provenance_json, later.rows, later.report.files,
                later.files_json);
}

void tell_later_rows(const LaterRows& later, const fs::path& data, Progress& progress) {
  const AppendReport& report = later.report;
  tell_rejections({&report.rows, &report.item_rows}, progress);
  tell_from_before(data, tombstones_of(json::parse(later.provenance_json)), report, progress);
  if (report.num_older_rows > 0)
    progress.note(fmt::format("{} rows are from before the latest one of {}", report.num_older_rows,
                              data.string()));
  progress.end(fmt::format(
      "{} of {} new rows kept; {} new users, {} new items; {} train, {} validation, {} test",
      report.rows.kept, report.rows.read, report.num_new_users, report.num_new_items,
      report.new_train, report.new_validation, report.new_test));
}

AppendReport append(const IngestOptions& options, const fs::path& data, const Destination& out,
                    Progress& progress) {
  ArtifactWriter writer(out, kDataArtifact);
  progress.begin("append");
  LaterRows later = read_later_rows(options, data, progress);
  const bool in_place = fs::weakly_canonical(data) == fs::weakly_canonical(out.path);
  if (!later.nothing || !in_place) write_later_rows(later, writer);
  tell_later_rows(later, data, progress);
  return std::move(later.report);
}

}  // namespace penchant::pipeline
