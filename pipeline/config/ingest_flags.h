// SPDX-License-Identifier: Apache-2.0
// Options of the verb ingest, each of which is a setting by another name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/config.h"

namespace penchant::pipeline {

/// What was given; nothing and no entries: not given.
struct IngestFlags {
  using Text = std::optional<std::string>;
  Text out, format, sequences, attributes, prefix, separator, quote, escape;
  std::vector<std::string> log, train, validation, test, benchmark, item_table, filters;
  Text user_column, item_column, time_column, event_column, weight_column, session_column,
      part_column;
  bool strict = false;
};

/// Sets what was given and notes it. Throws InputError naming the option.
void apply_flags(const IngestFlags& flags, Config& config);

}  // namespace penchant::pipeline
