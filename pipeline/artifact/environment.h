// SPDX-License-Identifier: Apache-2.0
// Environment variables in a configuration. What they hold is used and never shown: it may be a
// password in a path, and messages, manifests and pages are passed on.
#pragma once

#include <string>
#include <string_view>

namespace penchant::pipeline {

/// Whether `text` names a variable: ${NAME} or ${NAME:-default}; $${ stands for ${ itself.
bool names_variable(std::string_view text);

/// With the variables' values in place of their names, which are not looked at again. Throws
/// InputError that begins with `place`: a variable that is not set and has no default, no "}".
std::string expand_environment(std::string_view text, std::string_view place);
/// What expand_environment makes `text` of, where it names no variable.
std::string escape_environment(std::string_view text);

/// `text` with the names in place of the values that this process has expanded, as far as these are
/// long enough (4 bytes) to mean something.
std::string hide_environment(std::string text);

}  // namespace penchant::pipeline
