// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/json_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string_view>

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
  const auto failure = [&] {
    return InputError(fmt::format("{}: cannot write: {}", path.string(), std::strerror(errno)));
  };
  const std::string line = json_line(value);
  graph::Descriptor file(open(
      path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  if (!file.valid()) throw failure();
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t count = write(file.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw failure();
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  // The checkpoint that is written next counts on it.
  if (fsync(file.get()) != 0 || close(file.release()) != 0) throw failure();
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
