// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/config_sources.h"

#include <charconv>
#include <system_error>

#include <fmt/core.h>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/tables/host_threads.h"

namespace penchant::pipeline {

Config ConfigSources::config() const {
  Config result = config_file.empty() ? Config() : read_config(config_file);
  if (!tables.empty()) apply_tables(result, tables);
  for (const std::string& assignment : settings) apply_setting(result, assignment);
  if (!device.empty()) {
    const bool indexed = device.starts_with("cuda:");
    result.backend.device =
        parse_enum<kernels::DeviceChoice>(indexed ? "cuda" : device, "--device");
    mark_given(result, "run.device", "--device");
    if (indexed) {
      const std::string index = device.substr(5);
      const auto [end, error] =
          std::from_chars(index.data(), index.data() + index.size(), result.backend.device_index);
      if (error != std::errc() || *end != '\0')
        throw InputError(
            fmt::format("--device is '{}', expected the number of a GPU behind cuda:", device));
      check_option("N of --device cuda:N", "run.device_index", result.backend.device_index);
      mark_given(result, "run.device_index", "--device");
    }
  }
  if (threads) {
    check_option("--threads", "run.threads", *threads);
    result.backend.num_threads = static_cast<int>(*threads);
    mark_given(result, "run.threads", "--threads");
  }
  if (result.given.contains("run.threads")) use_host_threads(result.backend.num_threads);
  return result;
}

}  // namespace penchant::pipeline
