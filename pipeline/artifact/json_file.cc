// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/json_file.h"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/files.h"

namespace penchant::pipeline {

namespace {

[[noreturn]] void too_deep(std::string_view place) {
  throw InputError(fmt::format("{}: nested more deeply than {} levels", place, kDeepestStructure));
}

bool is_too_deep(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepestStructure) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

void check_json_depth(std::string_view text, const std::filesystem::path& path) {
  if (is_too_deep(text)) too_deep(path.string());
}

void check_toml_depth(std::string_view text, std::string_view place) {
  int depth = 0;
  int dots = 0;  // of the key that is being read
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '#':
        i = std::min(text.find('\n', i), text.size());
        dots = 0;
        break;
      case '"':
      case '\'': {
        const std::string_view triple = c == '"' ? "\"\"\"" : "'''";
        const bool lines = text.substr(i, 3) == triple;
        const std::string_view end = lines ? triple : triple.substr(0, 1);
        for (i += end.size(); i < text.size() && text.substr(i, end.size()) != end; ++i) {
          if (!lines && text[i] == '\n') break;  // not closed: the parser will say so
          i += c == '"' && text[i] == '\\' ? 1 : 0;
        }
        i += end.size() - 1;
        // Quotes right before the end of such a text belong to it.
        for (int more = 0; lines && more < 2 && i + 1 < text.size() && text[i + 1] == c; ++more)
          ++i;
        break;
      }
      case '[':
      case '{':
        if (++depth > kDeepestStructure) too_deep(place);
        dots = 0;
        break;
      case ']':
      case '}':
        --depth;
        break;
      case '.':
        if (++dots > kDeepestStructure) too_deep(place);
        break;
      case '\n':
      case '=':
      case ',':
        dots = 0;
        break;
      default:
        break;
    }
  }
}

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& path) {
  check_json_depth(text, path);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw InputError(
        fmt::format("{}: damaged: not valid JSON at byte {}", path.string(), error.byte));
  } catch (const nlohmann::json::out_of_range&) {
    throw InputError(
        fmt::format("{}: damaged: a number beyond what a double holds", path.string()));
  }
}

nlohmann::json read_json_file(const std::filesystem::path& path, std::uint64_t largest) {
  return parse_json(graph::read_file(path, largest), path);
}

nlohmann::json read_json_if_good(const std::filesystem::path& path) {
  try {
    return read_json_file(path);
  } catch (const InputError&) {
    return nlohmann::json::value_t::discarded;
  }
}

void take_values(const std::filesystem::path& file, const std::function<void()>& take) {
  try {
    take();
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: damaged: {}", file.string(), error.what()));
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

nlohmann::json parse_json_line(std::string_view line) {
  if (is_too_deep(line)) return nlohmann::json::value_t::discarded;
  return nlohmann::json::parse(line, nullptr, false);
}

}  // namespace penchant::pipeline
