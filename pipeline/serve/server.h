// SPDX-License-Identifier: Apache-2.0
// penchant serve: all of the server put together, its signals and reloads (docs/serve.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/serve/http_server.h"
#include "pipeline/serve/request_json.h"

namespace penchant::pipeline {

struct ServeOptions {
  std::string data, model;
  HttpAddress address;
  HttpLimits http;
  RequestLimits requests;
  std::filesystem::path events;         ///< folder of the log; empty: no events are taken
  std::filesystem::path token_file;     ///< empty: everybody may ask
  std::int64_t max_events = 5'000'000;  ///< held at a time
};

/// Serves until SIGINT or SIGTERM; `ready` hears the address once it listens. Throws InputError: data
/// set, model, address, token or log.
void serve(const Config& config, const ServeOptions& options, Progress& progress,
           const std::function<void(const std::string& url)>& ready);

/// What Authorization: Bearer has to name: the first line of a file. Throws InputError.
std::string read_token(const std::filesystem::path& file);

}  // namespace penchant::pipeline
