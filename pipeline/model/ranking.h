// SPDX-License-Identifier: Apache-2.0
// What the items of a list are ranked by.
#pragma once

#include <array>

#include "graph/enum_names.h"

namespace penchant::pipeline {

/// `vectors`: inner products of the stored vectors, what `penchant embed` writes; `full`: the filter,
/// the repeats or the mixture that a model adds to them as well.
enum class Ranking { vectors, full };
constexpr auto enum_words(Ranking) {
  return std::to_array<EnumWord<Ranking>>({{Ranking::vectors, "vectors"}, {Ranking::full, "full"}});
}

}  // namespace penchant::pipeline
