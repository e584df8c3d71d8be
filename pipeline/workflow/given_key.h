// SPDX-License-Identifier: Apache-2.0
// Raw ids that people who have the key of a data set's pseudonyms give by hand (--key FILE), and the
// verb pseudonym.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "graph/dictionary.h"
#include "pipeline/data/pseudonyms.h"

namespace penchant::pipeline {

/// The key of --key, or null for an empty name. Throws InputError: PseudonymKey's, a data set without
/// pseudonyms, or with those of another key.
std::shared_ptr<const PseudonymKey> given_key(const std::string& file,
                                              const std::filesystem::path& data);

struct PseudonymFlags {
  std::string key;      ///< file with the key
  std::string new_key;  ///< instead of it: where to write a new one
  std::string kind = "user";
  std::string ids_file;  ///< one raw id a line, beside `ids`; empty: none
  std::vector<std::string> ids;
};
/// The pseudonyms of all ids, in their order; none where a key was made. Throws InputError: neither a
/// key nor a new one, no id, an empty one or one that is not valid UTF-8.
std::vector<std::string> pseudonyms_by(const PseudonymFlags& flags);

}  // namespace penchant::pipeline
