// SPDX-License-Identifier: Apache-2.0
// What `penchant compress` does between its options and what it says, for the program and the Python
// package.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"

namespace penchant::pipeline {

struct CompressFlags {
  std::string data, model, out;
  std::string vectors;                     ///< int8 or pq; empty: not
  std::string network;                     ///< int8; empty: not
  std::optional<std::int64_t> code_bytes;  ///< of pq
  std::optional<std::uint64_t> seed;       ///< of pq
};

/// Throws InputError as compress_vectors() and compress_network() do, and unless one of the two is
/// asked for. Returns what the verb says as JSON.
nlohmann::json compress_by(const CompressFlags& flags, const Config& config, Progress& progress);
/// For people.
std::string compress_text(const nlohmann::json& said);

}  // namespace penchant::pipeline
