// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/delta_files.h"

#include <ostream>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/tables/text_lines.h"

namespace penchant::pipeline {

using nlohmann::json;

std::string changed_stem(std::string_view entity) { return fmt::format("{}.changed", entity); }
std::string kept_stem(std::string_view entity) { return fmt::format("{}.kept", entity); }
std::string removed_name(std::string_view entity) {
  return fmt::format("{}.removed.jsonl", entity);
}
std::string order_name(std::string_view entity) { return fmt::format("{}.order.npy", entity); }

void write_raw_ids(const std::filesystem::path& path, const std::vector<std::string_view>& ids) {
  write_file_atomically(path, [&](std::ostream& out) {
    for (const std::string_view id : ids) out << json(std::string(id)).dump() << '\n';
  });
}

std::vector<std::string> read_raw_ids(const std::filesystem::path& path) {
  std::vector<std::string> ids;
  if (std::filesystem::file_size(path) == 0) return ids;
  TextLines lines(path);
  std::string_view line;
  while (lines.next(line)) {
    const json id = json::parse(line, nullptr, false);
    if (!id.is_string()) {
      throw InputError(fmt::format("{}: row {}: '{}', expected a JSON string", path.string(),
                                   ids.size() + 1, printable(line)));
    }
    ids.push_back(id.get<std::string>());
  }
  return ids;
}

}  // namespace penchant::pipeline
