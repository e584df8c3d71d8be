// SPDX-License-Identifier: Apache-2.0
// Values of the configuration from TOML and back: one overload of read_value and one of write_value
// for each type that a key can have.
#pragma once

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/config/config.h"
#include "pipeline/training/auto_plan.h"
#include "pipeline/training/train_options.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <filesystem>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace penchant::pipeline {

/// Where a value came from, for messages and for resolving paths.
struct Source {
  std::string place;             ///< "shop.toml:12:5" or "--set train.epochs=x"
  std::filesystem::path folder;  ///< paths are relative to it
};

[[noreturn]] inline void wrong_type(const Source& source, std::string_view key,
                                    std::string_view expected) {
  throw InputError(fmt::format("{}: {}: expected {}", source.place, key, expected));
}

// --- reading one value into one member: overloads by type ---

inline void read_value(const toml::node& node, bool& member, const Source& source,
                       std::string_view key) {
  const auto value = node.value_exact<bool>();
  if (!value) wrong_type(source, key, "true or false");
  member = *value;
}
inline void read_value(const toml::node& node, std::int64_t& member, const Source& source,
                       std::string_view key) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value) wrong_type(source, key, "a whole number");
  if (*value < 0) wrong_type(source, key, "a whole number that is not negative");
  member = *value;
}
inline void read_value(const toml::node& node, int& member, const Source& source,
                       std::string_view key) {
  std::int64_t wide = 0;
  read_value(node, wide, source, key);
  if (wide > std::numeric_limits<int>::max()) wrong_type(source, key, "a smaller number");
  member = static_cast<int>(wide);
}
inline void read_value(const toml::node& node, graph::Seed& member, const Source& source,
                       std::string_view key) {
  std::int64_t value = 0;
  read_value(node, value, source, key);
  member = static_cast<graph::Seed>(value);
}
inline void read_value(const toml::node& node, double& member, const Source& source,
                       std::string_view key) {
  const auto value = node.value<double>();
  if (!value || !node.is_number()) wrong_type(source, key, "a number");
  member = *value;
}
inline void read_value(const toml::node& node, float& member, const Source& source,
                       std::string_view key) {
  double wide = 0;
  read_value(node, wide, source, key);
  member = static_cast<float>(wide);
}
inline void read_value(const toml::node& node, std::string& member, const Source& source,
                       std::string_view key) {
  const auto value = node.value_exact<std::string>();
  if (!value) wrong_type(source, key, "a string");
  member = expand_environment(*value, source.place);
}
inline void read_value(const toml::node& node, std::filesystem::path& member, const Source& source,
                       std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = text.empty() ? std::filesystem::path() : (source.folder / text).lexically_normal();
}
inline void read_value(const toml::node& node, char& member, const Source& source,
                       std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = parse_separator(text, fmt::format("{}: {}", source.place, key));
}
inline void read_value(const toml::node& node, TextMark& member, const Source& source,
                       std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = parse_mark(text, fmt::format("{}: {}", source.place, key));
}
template <typename Enum>
requires std::is_enum_v<Enum>
void read_value(const toml::node& node, Enum& member, const Source& source, std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  member = parse_enum<Enum>(text, fmt::format("{}: {}", source.place, key));
}
template <typename T>
void read_value(const toml::node& node, std::vector<T>& member, const Source& source,
                std::string_view key) {
  member.clear();
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array)
      read_value(element, member.emplace_back(), source, key);
  } else {
    read_value(node, member.emplace_back(), source,
               key);  // a single value stands for a list of one
  }
}
inline void read_value(const toml::node& node, RowFilter& member, const Source& source,
                       std::string_view key) {
  std::string text;
  read_value(node, text, source, key);
  try {
    member = parse_filter(text);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}: {}", source.place, key, error.what()));
  }
}
inline void read_value(const toml::node& node, Budget& member, const Source& source,
                       std::string_view key) {
  const auto seconds = node.value_exact<std::int64_t>();
  std::string text = seconds ? std::to_string(*seconds) : "";
  if (!seconds) read_value(node, text, source, key);
  member = parse_budget(text, fmt::format("{}: {}", source.place, key));
}
/// "auto" leaves the choice to the program.
template <typename T>
void read_value(const toml::node& node, std::optional<T>& member, const Source& source,
                std::string_view key) {
  member.reset();
  if (node.value_exact<std::string>() == "auto") return;
  read_value(node, member.emplace(), source, key);
}

// --- writing one member as TOML: overloads by type ---

inline std::string toml_string(std::string_view text) {
  std::ostringstream out;
  out << toml::value<std::string>(std::string(text));
  return out.str();
}
inline std::string write_value(bool member) { return member ? "true" : "false"; }
inline std::string write_value(std::int64_t member) { return std::to_string(member); }
inline std::string write_value(int member) { return std::to_string(member); }
inline std::string write_value(graph::Seed member) {
  return std::to_string(static_cast<std::uint64_t>(member));
}
inline std::string write_value(double member) {
  std::string text = fmt::format("{}", member);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}
inline std::string write_value(float member) {
  std::string text = fmt::format("{}", member);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}
inline std::string write_value(const std::string& member) {
  return toml_string(escape_environment(member));
}
inline std::string write_value(const std::filesystem::path& member) {
  return write_value(member.string());
}
inline std::string write_value(Budget member) { return fmt::format("\"{}s\"", member.seconds); }
inline std::string write_value(char member) {
  return member == '\0' ? "\"auto\"" : toml_string(std::string(1, member));
}
inline std::string write_value(TextMark member) {
  if (member.is_automatic()) return "\"auto\"";
  return toml_string(member.character == '\0' ? "none" : std::string(1, member.character));
}
template <typename Enum>
requires std::is_enum_v<Enum> std::string write_value(Enum member) {
  return toml_string(enum_name(member));
}
inline std::string write_value(const RowFilter& member) { return write_value(filter_text(member)); }
template <typename T>
std::string write_value(const std::optional<T>& member) {
  return member ? write_value(*member) : "\"auto\"";
}
template <typename T>
std::string write_value(const std::vector<T>& member) {
  std::string text;
  for (const T& element : member) text += (text.empty() ? "" : ", ") + write_value(element);
  return "[" + text + "]";
}

}  // namespace penchant::pipeline
