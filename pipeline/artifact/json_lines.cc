// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/json_lines.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

std::string json_line(const json& value) { return value.dump() + "\n"; }

void append_json_line(const fs::path& path, const json& value) {
  errno = EIO;  // where the stream fails without a call of the system
  std::ofstream file(path, std::ios::app);
  file << json_line(value);
  file.flush();
  if (!file)
    throw InputError(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
}

void keep_json_lines(const fs::path& path, const std::function<bool(const json&)>& keep) {
  std::istringstream file(fs::exists(path) ? graph::read_file(path) : "");
  std::string kept;
  std::string line;
  while (std::getline(file, line)) {
    const json entry = parse_json_line(line);
    try {
      if (entry.is_object() && keep(entry)) kept += line + "\n";
    } catch (const json::exception& error) {
      throw InputError(fmt::format("{}: damaged: {}", path.string(), error.what()));
    }
  }
  write_file_atomically(path, kept);
}

}  // namespace penchant::pipeline
