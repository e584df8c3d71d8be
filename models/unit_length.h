// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace penchant::models {

/// Whether vectors that are filled in get length 1, as those of a model that normalises have.
enum class UnitLength { no, yes };

}  // namespace penchant::models
