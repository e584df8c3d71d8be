// SPDX-License-Identifier: Apache-2.0
// The server's own description (OpenAPI 3.0.3), with the limits that it runs with.
#pragma once

#include <cstdint>
#include <string>

#include "pipeline/serve/server.h"

namespace penchant::pipeline {

/// Of a catalogue of so many items.
std::string openapi_document(const ServeOptions& options, std::int64_t num_items);

}  // namespace penchant::pipeline
