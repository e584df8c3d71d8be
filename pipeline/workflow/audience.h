// SPDX-License-Identifier: Apache-2.0
// What the verb audience does between its options and what it says, for the command line and the
// Python package.
#pragma once

#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/audience/audience.h"
#include "pipeline/config/config.h"

namespace penchant::pipeline {

struct Frame;  // pipeline/tables/frames.h

struct AudienceFlags {
  std::string data, model;
  std::string out;    ///< .parquet, .arrow, .csv or .jsonl; empty: a table in memory
  std::string share;  ///< "5%"
  AudienceOptions options;
  std::string key = {};  ///< file: of all raw ids given (given_key.h)
};

/// Writes user_id, rank, probability and lift, the likeliest first; says what audience_json() does,
/// with "out" and "size". `frame`: where there is no file. `config` is complete and checked. Throws
/// InputError as make_audience does.
nlohmann::json audience_by(const AudienceFlags& flags, const Config& config, Frame* frame,
                           Progress& progress);

/// For people.
std::string audience_text(const nlohmann::json& said);

}  // namespace penchant::pipeline
