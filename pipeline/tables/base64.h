// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace penchant::pipeline {

/// RFC 4648, section 4, padded with "=".
std::string base64_of(std::string_view bytes);

}  // namespace penchant::pipeline
