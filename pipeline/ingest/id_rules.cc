// SPDX-License-Identifier: Apache-2.0
#include "pipeline/ingest/id_rules.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "graph/error.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/ingest/attribute_cells.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/tables/tables.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

bool lists(const IngestOptions& options, Entity entity) {
  const std::vector<Entity>& listed = options.privacy.pseudonymise;
  return std::find(listed.begin(), listed.end(), entity) != listed.end();
}

/// Columns of the log, or of another table, that hold ids which become pseudonyms.
std::vector<std::string> hidden_columns(const IngestOptions& options) {
  std::vector<std::string> columns;
  const auto add = [&](Entity entity, const std::string& column) {
    if (lists(options, entity) && !column.empty()) columns.push_back(column);
  };
  add(Entity::user, options.columns.user);
  add(Entity::item, options.columns.item);
  add(Entity::session, options.columns.session);
  add(Entity::item, options.item_column);
  return columns;
}

/// What would take raw ids into files by another way.
void check_privacy(const IngestOptions& options) {
  const PrivacyOptions& privacy = options.privacy;
  if (privacy.pseudonymise.empty() != privacy.pseudonym_key.empty()) {
    throw InputError(
        privacy.pseudonymise.empty()
            ? "data.pseudonym_key is given, but data.pseudonymise names no ids that it is for "
              "(user, item, session)"
            : "data.pseudonymise names ids, but data.pseudonym_key no file with the key; `penchant "
              "pseudonym --new-key FILE` makes one");
  }
  const bool has_columns =
      options.format == InputFormat::table || options.format == InputFormat::recbole;
  if (lists(options, Entity::session) && (!has_columns || options.columns.session.empty()))
    throw InputError(
        "data.pseudonymise names sessions, and the log has none (data.columns.session)");
  const std::vector<std::string> hidden = hidden_columns(options);
  const auto is_hidden = [&](const std::string& column) {
    return std::find(hidden.begin(), hidden.end(), column) != hidden.end();
  };
  for (const auto* filters : {&options.filters, &options.item_filters}) {
    for (const RowFilter& filter : *filters) {
      if (!is_hidden(filter.column)) continue;
      throw InputError(fmt::format(
          "a filter names column '{}', whose ids become pseudonyms (data.pseudonymise): its values "
          "would stand in the manifest; expected filters of other columns",
          filter.column));
    }
  }
  for (const AttributeColumn& attribute : options.attributes) {
    if (!has_columns || !is_hidden(attribute.column)) continue;
    throw InputError(
        fmt::format("data.attributes: column '{}' holds ids that become pseudonyms "
                    "(data.pseudonymise), expected other columns",
                    attribute.column));
  }
}

}  // namespace

/// One person's many accounts, as ids that have been made pseudonyms already.
struct IdRules::Accounts {
  struct Entry {
    std::string person;
    std::int64_t line = 0;
    std::size_t place = 0;  ///< of `met`
  };
  std::unordered_map<std::string, Entry, TextHash, std::equal_to<>> of;
  std::vector<std::atomic<bool>> met;

  /// Reads the table; `hide` makes an id what it is called from here on.
  void read(const fs::path& path, const IngestOptions& options, bool hidden,
            const std::function<std::string(std::string_view)>& hide);
  /// Sets every account's person to the end of its chain.
  void follow_chains(const fs::path& path);

  const Entry* find(std::string_view account) const {
    const auto entry = of.find(account);
    return entry == of.end() ? nullptr : &entry->second;
  }
};

void IdRules::Accounts::read(const fs::path& path, const IngestOptions& options, bool hidden,
                             const std::function<std::string(std::string_view)>& hide) {
  static const std::vector<std::string> kColumns = {"account", "person"};
  TableReadOptions text;
  text.frames = options.log.text.frames;
  text.withhold_names = hidden;
  const std::vector<std::string> names = table_columns(path, text);
  if (std::set(names.begin(), names.end()) != std::set(kColumns.begin(), kColumns.end()) ||
      names.size() != kColumns.size()) {
    throw InputError(fmt::format(
        "{}: {} columns{}, expected two that are named account and person (data.same_user)",
        path.string(), names.size(), hidden ? "" : fmt::format(" ({})", printable_list(names))));
  }
  TableReader reader(path, text, kColumns);
  TextBatch batch;
  while (reader.next(batch)) {
    if (!batch.malformed.empty()) {
      throw InputError(fmt::format("{}:{}: {}", path.string(), batch.malformed.front().line,
                                   explain(batch.malformed.front())));
    }
    for (std::size_t row = 0; std::cmp_less(row, batch.num_rows); ++row) {
      const std::int64_t line = batch.line(row);
      std::array<std::string, 2> ids;
      for (std::size_t column = 0; column < ids.size(); ++column) {
        const std::string_view cell = batch.columns[column][row];
        if (is_missing(cell, options.missing) || !is_valid_utf8(cell)) {
          throw InputError(fmt::format("{}:{}: column '{}' {}, expected a user id", path.string(),
                                       line, kColumns[column],
                                       is_valid_utf8(cell) ? "is empty" : "is not valid UTF-8"));
        }
        ids[column] = hide(cell);
      }
      if (ids[0] == ids[1]) continue;  // an account that is the person's own
      const auto [known, is_new] = of.try_emplace(ids[0], Entry{ids[1], line, of.size()});
      if (!is_new && known->second.person != ids[1]) {
        throw InputError(
            fmt::format("{}:{}: account '{}' is of another person than in line {}, "
                        "expected one",
                        path.string(), line, printable(ids[0]), known->second.line));
      }
    }
  }
  met = std::vector<std::atomic<bool>>(of.size());
}

void IdRules::Accounts::follow_chains(const fs::path& path) {
  std::unordered_map<std::string, std::string> ends;
  for (const auto& [account, first] : of) {
    std::set<std::string_view> passed = {account};
    const Entry* entry = &first;
    while (const Entry* next = find(entry->person)) {
      if (!passed.insert(entry->person).second) {
        std::vector<std::int64_t> lines;
        const std::string& start = entry->person;
        const Entry* around = next;
        do {
          lines.push_back(around->line);
          const Entry* after = find(around->person);
          if (around->person == start) break;
          around = after;
        } while (around != nullptr);
        std::sort(lines.begin(), lines.end());
        throw InputError(fmt::format(
            "{}:{}: the accounts lead round in a circle (line{} {}), expected each chain to end at "
            "a person (data.same_user)",
            path.string(), lines.front(), lines.size() == 1 ? "" : "s", fmt::join(lines, ", ")));
      }
      entry = next;
    }
    ends.emplace(account, entry->person);
  }
  for (auto& [account, entry] : of) entry.person = ends.at(account);
}

IdRules::IdRules(const IngestOptions& options) {
  const PrivacyOptions& privacy = options.privacy;
  check_privacy(options);
  if (!privacy.pseudonymise.empty()) key_ = std::make_unique<PseudonymKey>(privacy.pseudonym_key);
  for (const Entity entity : privacy.pseudonymise)
    pseudonymous_[static_cast<std::size_t>(entity)] = true;
  if (privacy.same_user.empty()) return;
  accounts_ = std::make_unique<Accounts>();
  const bool hidden = lists(options, Entity::user);
  accounts_->read(privacy.same_user, options, key_ != nullptr, [&](std::string_view raw) {
    return hidden ? key_->pseudonym(Entity::user, raw) : std::string(raw);
  });
  accounts_->follow_chains(privacy.same_user);
}

IdRules::~IdRules() = default;

bool IdRules::changes(Entity entity) const {
  return pseudonymous_[static_cast<std::size_t>(entity)] ||
         (entity == Entity::user && accounts_ != nullptr);
}

std::string_view IdRules::map(Entity entity, std::string_view raw, std::string& room) const {
  std::string_view id = raw;
  if (pseudonymous_[static_cast<std::size_t>(entity)]) {
    room = key_->pseudonym(entity, raw);
    id = room;
  }
  if (entity != Entity::user || accounts_ == nullptr) return id;
  const Accounts::Entry* entry = accounts_->find(id);
  if (entry == nullptr) return id;
  accounts_->met[entry->place].store(true, std::memory_order_relaxed);
  return entry->person;
}

std::int64_t IdRules::num_accounts() const {
  return accounts_ == nullptr ? 0 : static_cast<std::int64_t>(accounts_->of.size());
}

std::int64_t IdRules::num_accounts_met() const {
  if (accounts_ == nullptr) return 0;
  return std::count_if(accounts_->met.begin(), accounts_->met.end(),
                       [](const std::atomic<bool>& one) { return one.load(); });
}

std::shared_ptr<const IdRules> id_rules(const IngestOptions& options) {
  check_privacy(options);
  if (options.privacy.pseudonymise.empty() && options.privacy.same_user.empty()) return nullptr;
  return std::make_shared<const IdRules>(options);
}

IdMap::IdMap(const IngestOptions& options, Entity entity) : entity_(entity) {
  if (options.ids != nullptr && options.ids->changes(entity)) rules_ = options.ids.get();
}

}  // namespace penchant::pipeline
