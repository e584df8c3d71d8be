// SPDX-License-Identifier: Apache-2.0
// The words for an enum's values in configuration, manifests and messages. They stand beside the
// enum, in its namespace:
//   enum class Fruit { apple, pear };
//   constexpr auto enum_words(Fruit) {
//     return std::to_array<EnumWord<Fruit>>({{Fruit::apple, "apple"}, {Fruit::pear, "pear"}});
//   }
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "graph/error.h"

namespace penchant {

template <typename Enum>
using EnumWord = std::pair<Enum, std::string_view>;

template <typename Enum>
std::string enum_name(Enum value) {
  for (const auto& [known, name] : enum_words(value)) {
    if (known == value) return std::string(name);
  }
  return {};
}

/// All names, for messages: "a, b, c".
template <typename Enum>
std::string all_enum_names() {
  std::string names;
  for (const auto& [known, name] : enum_words(Enum{}))
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

/// Throws InputError that names `key` and every accepted word.
template <typename Enum>
Enum parse_enum(std::string_view text, std::string_view key) {
  for (const auto& [known, name] : enum_words(Enum{})) {
    if (name == text) return known;
  }
  throw InputError(std::string(key) + " is '" + std::string(text) +
                   "', expected one of: " + all_enum_names<Enum>());
}

}  // namespace penchant
