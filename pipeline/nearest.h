// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the word that was probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penchant::pipeline {

/// The entry of `known` nearest to `word` by edit distance, or empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace penchant::pipeline
