// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/raw_ids.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/nearest.h"
#include "pipeline/artifact/printable.h"

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

}  // namespace penchant::pipeline
