// SPDX-License-Identifier: Apache-2.0
// All that is fuzzed, by what it reads: text_targets.cc, array_targets.cc, artefact_targets.cc,
// server_targets.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penchant::fuzz {

/// No input is longer.
inline constexpr std::size_t kLongestInputOfAny = std::size_t{1} << 20;

#define PENCHANT_FUZZ_TARGETS(X)                                                          \
  X(text)                                                                                 \
  X(lightgcn) X(s3rec) X(recbole) X(toml) X(filter) X(where) X(time) X(parquet) X(npy)    \
      X(safetensors) X(vectors) X(metis) X(matrix_market) X(edge_list) X(manifest)        \
          X(data_manifest) X(model_manifest) X(columns) X(checkpoint) X(requests) X(http) \
              X(event_log)

#define PENCHANT_DECLARE(NAME)             \
  std::vector<std::string> NAME##_seeds(); \
  void run_##NAME(std::string_view input);
PENCHANT_FUZZ_TARGETS(PENCHANT_DECLARE)
#undef PENCHANT_DECLARE

}  // namespace penchant::fuzz
