// SPDX-License-Identifier: Apache-2.0
// The server's own description (OpenAPI 3.0.3), with the limits that it runs with.
#pragma once

#include <string>

#include "pipeline/data/dataset.h"
#include "pipeline/serve/server.h"

namespace penchant::pipeline {

/// Of the data set in use: its event types, its attributes, how long a list can be.
std::string openapi_document(const ServeOptions& options, const Dataset& dataset);

}  // namespace penchant::pipeline
