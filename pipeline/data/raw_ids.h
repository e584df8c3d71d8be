// SPDX-License-Identifier: Apache-2.0
// Raw ids that people give by hand.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/dictionary.h"
#include "graph/enum_names.h"
#include "pipeline/data/pseudonyms.h"

namespace penchant::pipeline {

/// What is wrong with a raw id that a dictionary does not have, with the nearest that it has. Where
/// the dictionary's are pseudonyms, an id that is none is not told. `kind`: "user" or "item".
std::string unknown_id(const graph::Dictionary& dictionary, std::string_view raw, const char* kind);
/// The same without the nearest, which takes a look at all ids.
std::string unknown_id_alone(const graph::Dictionary& dictionary, std::string_view raw,
                             const char* kind);
/// The dense id. Throws InputError with that text.
graph::NodeId find_raw(const graph::Dictionary& dictionary, std::string_view raw, const char* kind);

/// What a data set calls a raw id: where its ids are pseudonyms, that by `key`, if there is one.
std::string known_id(const graph::Dictionary& dictionary, std::string_view raw, const char* kind,
                     const PseudonymKey* key);

/// What becomes of an id in a list of them that is not known.
enum class UnknownRawIds { error, skip };
constexpr auto enum_words(UnknownRawIds) {
  return std::to_array<EnumWord<UnknownRawIds>>(
      {{UnknownRawIds::error, "error"}, {UnknownRawIds::skip, "skip"}});
}

/// What a file or a list of raw ids holds.
struct IdFile {
  std::vector<graph::NodeId> ids;   ///< distinct, in their order
  std::int64_t num_unknown = 0;     ///< left out
  std::int64_t num_repeated = 0;    ///< lines whose id an earlier line has, left out
  std::int64_t first_repeated = 0;  ///< line of the first of them, from 1
  std::string repeated;             ///< what to warn of; empty: nothing came twice
};
/// One raw id a line, or with a `key` that of a pseudonym (known_id), gzip or zstd as well; empty lines say nothing. Throws InputError: no such
/// file, no id in it, and with UnknownRawIds::error the line of an unknown one.
IdFile read_id_file(const std::filesystem::path& path, const graph::Dictionary& dictionary,
                    const char* kind, UnknownRawIds unknown, const PseudonymKey* key = nullptr);
/// The same of raw ids in memory, which may be none; errors and warnings say `name`[place], places
/// from 0, and of a single id only what is wrong with it.
IdFile find_raw_ids(std::span<const std::string> raw, const graph::Dictionary& dictionary,
                    const char* kind, UnknownRawIds unknown, std::string_view name,
                    const PseudonymKey* key = nullptr);
/// All ids of a dictionary.
IdFile all_ids(const graph::Dictionary& dictionary);

}  // namespace penchant::pipeline
