// SPDX-License-Identifier: Apache-2.0
// Raw ids that people give by hand.
#pragma once

#include <string>
#include <string_view>

#include "graph/dictionary.h"

namespace penchant::pipeline {

/// What is wrong with a raw id that a dictionary does not have, with the nearest that it has.
/// `kind`: "user" or "item".
std::string unknown_id(const graph::Dictionary& dictionary, std::string_view raw, const char* kind);
/// The dense id. Throws InputError with that text.
graph::NodeId find_raw(const graph::Dictionary& dictionary, std::string_view raw, const char* kind);

}  // namespace penchant::pipeline
