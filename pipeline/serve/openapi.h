// SPDX-License-Identifier: Apache-2.0
// The server's own description (OpenAPI 3.0.3), with the limits that it runs with.
#pragma once

#include <string>

#include "pipeline/serve/server.h"

namespace penchant::pipeline {

std::string openapi_document(const ServeOptions& options);

}  // namespace penchant::pipeline
