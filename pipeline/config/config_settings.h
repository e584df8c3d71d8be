// SPDX-License-Identifier: Apache-2.0
// The configuration's keys: each knows how to read its value from TOML, how to write it, and what
// it means. What files and command lines do with them: config.cc.
#pragma once

#include "pipeline/config/config_values.h"

#include <functional>
#include <string>
#include <vector>

namespace penchant::pipeline {

/// One key: how to read it, how to write it, what it means.
struct Setting {
  std::string key;
  std::string help;
  std::function<void(Config&, const toml::node&, const Source&)> read;
  std::function<std::string(const Config&)> write;
  bool is_path = false;  ///< or a list of paths: relative ones belong to the file's folder
};

/// All keys, in the order in which configurations are printed.
const std::vector<Setting>& all_settings();

}  // namespace penchant::pipeline
