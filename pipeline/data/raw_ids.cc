// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/raw_ids.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

using graph::NodeId;

std::string unknown_id(const graph::Dictionary& dictionary, std::string_view raw,
                       const char* kind) {
  constexpr std::int64_t kScan = 100000;  // enough for a hint, quick for any catalogue
  std::vector<std::string> known;
  if (raw.size() <= kLongestHint) {
    for (std::int64_t i = 0; i < std::min(kScan, dictionary.size()); ++i)
      known.emplace_back(dictionary.raw(static_cast<NodeId>(i)));
  }
  const std::string near = nearest(raw, known);
  return fmt::format("unknown {} '{}': not in the data set's {} known ids{}", kind, printable(raw),
                     dictionary.size(),
                     near.empty() ? "" : fmt::format("; did you mean '{}'?", printable(near)));
}

NodeId find_raw(const graph::Dictionary& dictionary, std::string_view raw, const char* kind) {
  const NodeId id = dictionary.find(raw);
  if (id == graph::kNoNode) throw InputError(unknown_id(dictionary, raw, kind));
  return id;
}

IdFile read_id_file(const std::filesystem::path& path, const graph::Dictionary& dictionary,
                    const char* kind, UnknownRawIds unknown) {
  IdFile file;
  std::vector<bool> is_there(static_cast<std::size_t>(dictionary.size()), false);
  TextLines lines(path);
  std::string_view raw;
  for (std::int64_t line = 1; lines.next(raw); ++line) {
    if (raw.empty()) continue;
    const NodeId id = dictionary.find(raw);
    if (id == graph::kNoNode) {
      if (unknown == UnknownRawIds::error) {
        throw InputError(fmt::format("{}:{}: {}; --unknown skip leaves such lines out",
                                     path.string(), line, unknown_id(dictionary, raw, kind)));
      }
      ++file.num_unknown;
      continue;
    }
    if (is_there[static_cast<std::size_t>(id)]) {
      if (file.num_repeated++ == 0) file.first_repeated = line;
      continue;
    }
    is_there[static_cast<std::size_t>(id)] = true;
    file.ids.push_back(id);
  }
  if (file.ids.empty() && file.num_unknown == 0) {
    throw InputError(
        fmt::format("{}: holds no id, expected one raw {} id a line", path.string(), kind));
  }
  return file;
}

}  // namespace penchant::pipeline
