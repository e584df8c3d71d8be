// SPDX-License-Identifier: Apache-2.0
// The one reader of JSON files, and what it asks of any text before a library that calls itself for
// each level of it sees it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace penchant::pipeline {

/// Levels of lists and objects that a text may have.
inline constexpr int kDeepestStructure = 64;
/// Of manifests, evaluations and configurations.
inline constexpr std::uint64_t kLargestText = std::uint64_t{64} << 20;

/// Throws InputError if brackets outside of strings are nested more deeply than kDeepestStructure.
void check_json_depth(std::string_view text, const std::filesystem::path& path);
/// The same for TOML, where dots nest too.
void check_toml_depth(std::string_view text, std::string_view place);

/// The parsed text of a file. Throws InputError naming the file and the byte where it is not JSON.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& path);

/// The parsed file. Throws InputError naming the file and the byte where it is not JSON.
nlohmann::json read_json_file(const std::filesystem::path& path,
                              std::uint64_t largest = kLargestText);

/// The same for what can be made again: nothing (a discarded value) where read_json_file throws.
nlohmann::json read_json_if_good(const std::filesystem::path& path);
/// Calls what takes values out of a file's JSON: what it throws, InputError or
/// nlohmann::json::exception, becomes an InputError that names the file.
void take_values(const std::filesystem::path& file, const std::function<void()>& take);
/// A line of a file of JSON lines; a discarded value if it is not JSON or nested too deeply.
nlohmann::json parse_json_line(std::string_view line);

}  // namespace penchant::pipeline
