// SPDX-License-Identifier: Apache-2.0
// Files of JSON lines (metrics.jsonl of a model): written line by line while something runs.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace penchant::pipeline {

/// Of a model: a line for each epoch or trial.
inline constexpr const char* kMetricsName = "metrics.jsonl";

std::string json_line(const nlohmann::json& value);
/// Throws InputError that names the file if it cannot be written.
void append_json_line(const std::filesystem::path& path, const nlohmann::json& value);
/// Leaves out lines that are no objects (one was cut off by a kill) and those that `keep` does not
/// want. Throws InputError where `keep` throws nlohmann::json::exception.
void keep_json_lines(const std::filesystem::path& path,
                     const std::function<bool(const nlohmann::json&)>& keep);

}  // namespace penchant::pipeline
