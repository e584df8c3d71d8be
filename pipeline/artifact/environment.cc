// SPDX-License-Identifier: Apache-2.0
#include "pipeline/artifact/environment.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "graph/error.h"

namespace penchant::pipeline {

namespace {

constexpr std::string_view kOpen = "${";
constexpr std::size_t kShortestSecret = 4;

/// Values and names. Of the process, as the environment is: messages about a value can come from
/// any depth of a library that was given it.
struct Expanded {
  std::mutex mutex;
  std::vector<std::pair<std::string, std::string>> values;  ///< the longest first
};

Expanded& expanded() {
  static Expanded instance;
  return instance;
}

void remember(const std::string& value, const std::string& name) {
  if (value.size() < kShortestSecret) return;
  Expanded& all = expanded();
  const std::lock_guard lock(all.mutex);
  const std::pair entry{value, fmt::format("${{{}}}", name)};
  if (std::find(all.values.begin(), all.values.end(), entry) != all.values.end()) return;
  all.values.push_back(entry);
  std::stable_sort(all.values.begin(), all.values.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

bool is_escaped(std::string_view text, std::size_t place) {
  return place > 0 && text[place - 1] == '$';
}

}  // namespace

bool names_variable(std::string_view text) {
  for (std::size_t place = text.find(kOpen); place != std::string_view::npos;
       place = text.find(kOpen, place + kOpen.size())) {
    if (!is_escaped(text, place)) return true;
  }
  return false;
}

std::string expand_environment(std::string_view text, std::string_view place) {
  std::string result;
  while (true) {
    const std::size_t first = text.find(kOpen);
    result += text.substr(0, first);
    if (first == std::string_view::npos) return result;
    if (is_escaped(text, first)) {
      result += '{';  // the "$" in front is there already
      text.remove_prefix(first + kOpen.size());
      continue;
    }
    const std::size_t last = text.find('}', first);
    if (last == std::string_view::npos)
      throw InputError(
          fmt::format("{}: '${{' without '}}' in '{}'; write $${{ for ${{ itself", place, text));
    const std::string_view inside = text.substr(first + kOpen.size(), last - first - kOpen.size());
    const std::size_t colon = inside.find(":-");
    const std::string name(inside.substr(0, colon));
    const char* value = std::getenv(name.c_str());
    const bool is_set = value != nullptr && *value != '\0';
    if (!is_set && colon == std::string_view::npos)
      throw InputError(fmt::format("{}: environment variable {} is not set", place, name));
    if (is_set) {
      remember(value, name);
      result += value;
    } else {
      result += inside.substr(colon + 2);
    }
    text.remove_prefix(last + 1);
  }
}

std::string escape_environment(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, kOpen.size()) == kOpen) result += '$';
    result += text[i];
  }
  return result;
}

std::string hide_environment(std::string text) {
  Expanded& all = expanded();
  const std::lock_guard lock(all.mutex);
  for (const auto& [value, name] : all.values) {
    for (std::size_t place = text.find(value); place != std::string::npos;
         place = text.find(value, place + name.size()))
      text.replace(place, value.size(), name);
  }
  return text;
}

}  // namespace penchant::pipeline
