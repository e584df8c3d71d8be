// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/raw_ids.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

using graph::NodeId;

std::string known_id(const graph::Dictionary& dictionary, std::string_view raw, const char* kind,
                     const PseudonymKey* key) {
  if (key == nullptr || !holds_pseudonyms(dictionary, kind)) return std::string(raw);
  return key->pseudonym(entity_of(kind), raw);
}

std::string unknown_id_alone(const graph::Dictionary& dictionary, std::string_view raw,
                             const char* kind) {
  if (holds_pseudonyms(dictionary, kind) && !is_pseudonym(entity_of(kind), raw)) {
    return fmt::format(
        "unknown {}, which is not shown: the data set's {} known ids are pseudonyms, and this is "
        "none; `penchant pseudonym`, or here --key FILE, makes one of a raw id",
        kind, dictionary.size());
  }
  return fmt::format("unknown {} '{}': not in the data set's {} known ids", kind, printable(raw),
                     dictionary.size());
}

std::string unknown_id(const graph::Dictionary& dictionary, std::string_view raw,
                       const char* kind) {
  constexpr std::int64_t kScan = 100000;  // enough for a hint, quick for any catalogue
  std::vector<std::string> known;
  if (raw.size() <= kLongestHint && !holds_pseudonyms(dictionary, kind)) {
    for (std::int64_t i = 0; i < std::min(kScan, dictionary.size()); ++i)
      known.emplace_back(dictionary.raw(static_cast<NodeId>(i)));
  }
  const std::string near = nearest(raw, known);
  return unknown_id_alone(dictionary, raw, kind) +
         (near.empty() ? "" : fmt::format("; did you mean '{}'?", printable(near)));
}

NodeId find_raw(const graph::Dictionary& dictionary, std::string_view raw, const char* kind) {
  const NodeId id = dictionary.find(raw);
  if (id == graph::kNoNode) throw InputError(unknown_id(dictionary, raw, kind));
  return id;
}

namespace {

/// Ids one after another, without those that came before.
class DistinctIds {
 public:
  explicit DistinctIds(const graph::Dictionary& dictionary)
      : is_there_(static_cast<std::size_t>(dictionary.size()), false) {}
  /// `place`: where it stands, for the warning.
  void add(NodeId id, std::int64_t place) {
    if (is_there_[static_cast<std::size_t>(id)]) {
      if (found.num_repeated++ == 0) found.first_repeated = place;
      return;
    }
    is_there_[static_cast<std::size_t>(id)] = true;
    found.ids.push_back(id);
  }
  IdFile found;

 private:
  std::vector<bool> is_there_;
};

}  // namespace

IdFile read_id_file(const std::filesystem::path& path, const graph::Dictionary& dictionary,
                    const char* kind, UnknownRawIds unknown, const PseudonymKey* key) {
  DistinctIds distinct(dictionary);
  IdFile& file = distinct.found;
  TextLines lines(path);
  std::string_view raw;
  for (std::int64_t line = 1; lines.next(raw); ++line) {
    if (raw.empty()) continue;
    const NodeId id = dictionary.find(known_id(dictionary, raw, kind, key));
    if (id == graph::kNoNode) {
      if (unknown == UnknownRawIds::error) {
        throw InputError(
            fmt::format("{}:{}: {}; --unknown skip leaves such lines out", path.string(), line,
                        unknown_id(dictionary, known_id(dictionary, raw, kind, key), kind)));
      }
      ++file.num_unknown;
      continue;
    }
    distinct.add(id, line);
  }
  if (file.ids.empty() && file.num_unknown == 0) {
    throw InputError(
        fmt::format("{}: holds no id, expected one raw {} id a line", path.string(), kind));
  }
  if (file.num_repeated > 0) {
    file.repeated =
        fmt::format("{}:{}: {} line{} with an id of an earlier line left out", path.string(),
                    file.first_repeated, file.num_repeated, file.num_repeated == 1 ? "" : "s");
  }
  return std::move(file);
}

IdFile find_raw_ids(std::span<const std::string> raw, const graph::Dictionary& dictionary,
                    const char* kind, UnknownRawIds unknown, std::string_view name,
                    const PseudonymKey* key) {
  DistinctIds distinct(dictionary);
  IdFile& list = distinct.found;
  for (std::size_t place = 0; place < raw.size(); ++place) {
    const NodeId id = dictionary.find(known_id(dictionary, raw[place], kind, key));
    if (id != graph::kNoNode) {
      distinct.add(id, static_cast<std::int64_t>(place));
    } else if (unknown == UnknownRawIds::skip) {
      ++list.num_unknown;
    } else {
      const std::string wrong =
          unknown_id(dictionary, known_id(dictionary, raw[place], kind, key), kind);
      throw InputError(raw.size() == 1 ? wrong
                                       : fmt::format("{}[{}]: {}; unknown skip leaves such ids out",
                                                     name, place, wrong));
    }
  }
  if (list.num_repeated > 0) {
    list.repeated =
        fmt::format("{}[{}]: {} id{} that came before left out", name, list.first_repeated,
                    list.num_repeated, list.num_repeated == 1 ? "" : "s");
  }
  return std::move(list);
}

IdFile all_ids(const graph::Dictionary& dictionary) {
  IdFile all;
  all.ids.resize(static_cast<std::size_t>(dictionary.size()));
  std::iota(all.ids.begin(), all.ids.end(), NodeId{0});
  return all;
}

}  // namespace penchant::pipeline
