// SPDX-License-Identifier: Apache-2.0
// Keyed pseudonyms of raw ids (docs/privacy.md): who has the key can say which pseudonym an id has,
// who has not can neither do that nor go back.
//   pseudonym = letters of the entity, "_", first 32 hex digits of HMAC-SHA-256(key, entity 0x00 id)
// HMAC: RFC 2104 with SHA-256 of FIPS 180-4, by libsodium. Of 128 bits two of a billion
// ids are alike with a probability of 2e-21.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "graph/dictionary.h"
#include "graph/enum_names.h"

namespace penchant::pipeline {

/// What has raw ids of its own. Those of one are never compared with another's.
enum class Entity { user, item, session };
constexpr auto enum_words(Entity) {
  return std::to_array<EnumWord<Entity>>(
      {{Entity::user, "user"}, {Entity::item, "item"}, {Entity::session, "session"}});
}
inline constexpr std::size_t kNumEntities = 3;

/// Of "user" or "item", as messages call what an id is of.
constexpr Entity entity_of(std::string_view kind) {
  return kind == "user" ? Entity::user : Entity::item;
}

/// "pu_" and 32 hex digits of a user, "pi_" of an item, "ps_" of a session.
bool is_pseudonym(Entity entity, std::string_view raw);
/// Whether a dictionary's ids are pseudonyms: raw ids that people give by hand then stay out of
/// messages. `kind`: "user" or "item".
bool holds_pseudonyms(const graph::Dictionary& dictionary, std::string_view kind);

/// The secret, from a file. For several threads at once. While one lives, and after, the process
/// leaves no core dump, which would hold raw ids (prctl(2), PR_SET_DUMPABLE).
class PseudonymKey {
 public:
  static constexpr std::size_t kFewestBytes = 32;

  /// All bytes of the file but a line's end at its own end. Throws InputError naming the file, and
  /// nothing that is in it: missing, no regular file, of less than 32 bytes or more than 4096, or
  /// with permissions for others than its owner.
  explicit PseudonymKey(const std::filesystem::path& file);
  ~PseudonymKey();
  PseudonymKey(const PseudonymKey&) = delete;
  PseudonymKey& operator=(const PseudonymKey&) = delete;

  /// What has the form of a pseudonym of this entity stays as it is.
  std::string pseudonym(Entity entity, std::string_view raw) const;
  /// 16 hex digits that tell keys apart: of HMAC over a text that is no entity's, so that they help
  /// nobody who guesses ids.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Mac;
  std::string digest(std::string_view label, std::string_view text) const;
  std::unique_ptr<Mac> mac_;
  std::string fingerprint_;
};

/// Writes a key of 256 bits from the system's randomness, as 64 hex digits and a line's end, that
/// its owner alone may read. Throws InputError: something is there already, no folder, ...
void write_new_key(const std::filesystem::path& file);

}  // namespace penchant::pipeline
