// SPDX-License-Identifier: Apache-2.0
// What lists of every kind are refused for.
#pragma once

#include <cstdint>

#include "kernels/matrix.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// Throws InputError for k < 1 and k > limit; `what` has so many items: "the catalogue has".
void require_list_length(std::int64_t k, std::int64_t limit, const char* what);

/// Of scores [I x B]. A look-up maps singular vectors without a look at them; what is damaged shows
/// in the scores. Throws InputError that names the file.
void require_finite_scores(const Model& model, kernels::ConstFloatView scores);

}  // namespace penchant::pipeline
