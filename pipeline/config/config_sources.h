// SPDX-License-Identifier: Apache-2.0
// What a configuration is put together from, whoever asks: a file, settings on top of it, and the
// device and threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/config.h"

namespace penchant::pipeline {

struct ConfigSources {
  std::string config_file;            ///< TOML; empty: none
  std::vector<std::string> settings;  ///< "train.epochs=20"
  std::string tables = {};            ///< TOML of what no setting can hold: data.attributes,
                                      ///< data.event_weights
  std::string device;                 ///< auto, cpu, cuda or cuda:N; empty: run.device
  std::optional<std::int64_t> threads;

  /// The file, then the settings, then device and threads. The number of threads takes effect here.
  /// Throws InputError.
  Config config() const;
};

}  // namespace penchant::pipeline
