// SPDX-License-Identifier: Apache-2.0
// Characters of text files as the configuration writes them.
#pragma once

#include <string_view>

#include "pipeline/tables/text_options.h"

namespace penchant::pipeline {

/// A quote or escape as written in a configuration: one character, "none" or "auto".
TextMark parse_mark(std::string_view text, std::string_view key);
/// The file's separator as written in a configuration: one character, "\\t", "tab", or "auto".
char parse_separator(std::string_view text, std::string_view key);
/// The decimal sign of numbers in text: "." or ",".
char parse_decimal(std::string_view text, std::string_view key);

}  // namespace penchant::pipeline
