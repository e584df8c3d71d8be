// SPDX-License-Identifier: Apache-2.0
// What raw ids become while a log is read: pseudonyms, and one person's many accounts that person.
// Applied to a cell before anything keeps or tells it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/data/pseudonyms.h"

namespace penchant::pipeline {

struct IngestOptions;

/// Serves all threads.
class IdRules {
 public:
  /// Reads the key and the table of accounts. Throws InputError: PrivacyOptions that contradict
  /// each other, a bad key (PseudonymKey), a table without the columns account and person, with an
  /// account of two persons, or with a chain that leads back to where it began.
  explicit IdRules(const IngestOptions& options);
  ~IdRules();

  /// Whether cells of the log stay out of messages.
  bool withholds_cells() const { return key_ != nullptr; }
  bool changes(Entity entity) const;
  /// The id that takes the place of `raw`: text of the rules, of `room`, or `raw` itself.
  std::string_view map(Entity entity, std::string_view raw, std::string& room) const;
  const PseudonymKey* key() const { return key_.get(); }
  /// Accounts of the table that are another's, and those of them that were met until now.
  std::int64_t num_accounts() const;
  std::int64_t num_accounts_met() const;

 private:
  struct Accounts;
  std::unique_ptr<PseudonymKey> key_;
  std::array<bool, kNumEntities> pseudonymous_{};
  std::unique_ptr<Accounts> accounts_;  ///< null without a table
};

/// Rules of `options`, or null where ids stay as they are. Throws as IdRules.
std::shared_ptr<const IdRules> id_rules(const IngestOptions& options);

/// One entity's ids, mapped one after another.
class IdMap {
 public:
  IdMap(const IngestOptions& options, Entity entity);
  /// Valid until the next call.
  std::string_view operator()(std::string_view raw) {
    return rules_ == nullptr ? raw : rules_->map(entity_, raw, room_);
  }
  bool changes() const { return rules_ != nullptr; }

 private:
  const IdRules* rules_ = nullptr;
  Entity entity_;
  std::string room_;
};

}  // namespace penchant::pipeline
