// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/given_key.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/utf8.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

std::shared_ptr<const PseudonymKey> given_key(const std::string& file, const fs::path& data) {
  if (file.empty()) return nullptr;
  auto key = std::make_shared<const PseudonymKey>(file);
  const json provenance = read_manifest(data, kDataArtifact).value("provenance", json::object());
  const json privacy = provenance.value("privacy", json::object());
  const std::string kept = privacy.value("pseudonyms", json::object()).value("key", std::string());
  if (kept.empty()) {
    throw InputError(fmt::format("--key has no effect: {} has no pseudonyms (data.pseudonymise)",
                                 data.string()));
  }
  if (kept != key->fingerprint()) {
    throw InputError(fmt::format(
        "{}: another key than that of the pseudonyms of {}: fingerprint {}, expected {}", file,
        data.string(), key->fingerprint(), kept));
  }
  return key;
}

std::vector<std::string> pseudonyms_by(const PseudonymFlags& flags) {
  if (flags.key.empty() == flags.new_key.empty())
    throw InputError("pseudonym: expected either --key or --new-key");
  if (!flags.new_key.empty()) {
    if (!flags.ids.empty() || !flags.ids_file.empty())
      throw InputError(
          "pseudonym: --new-key makes a key and nothing else, expected no ids with it");
    write_new_key(flags.new_key);
    return {};
  }
  const auto entity = parse_enum<Entity>(flags.kind, "--kind");
  const PseudonymKey key(flags.key);
  std::vector<std::string> pseudonyms;
  const auto add = [&](std::string_view raw, const std::string& place) {
    if (raw.empty() || !is_valid_utf8(raw)) {
      throw InputError(fmt::format("{}: {}, expected a raw id", place,
                                   raw.empty() ? "an empty id" : "an id that is not valid UTF-8"));
    }
    pseudonyms.push_back(key.pseudonym(entity, raw));
  };
  for (std::size_t i = 0; i < flags.ids.size(); ++i) add(flags.ids[i], fmt::format("id {}", i + 1));
  if (!flags.ids_file.empty()) {
    TextLines lines(flags.ids_file);
    std::string_view raw;
    for (std::int64_t line = 1; lines.next(raw); ++line) {
      if (!raw.empty()) add(raw, fmt::format("{}:{}", flags.ids_file, line));
    }
  }
  if (pseudonyms.empty())
    throw InputError(
        "pseudonym: no id was given, expected some, or --ids FILE, or --ids - (stdin)");
  return pseudonyms;
}

}  // namespace penchant::pipeline
