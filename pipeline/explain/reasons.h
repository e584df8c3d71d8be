// SPDX-License-Identifier: Apache-2.0
// Which of the items that a person had decide together: shares add up, what items decide does not.
#pragma once

#include <span>

#include "graph/ids.h"
#include "pipeline/explain/vector_shares.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// Marks the reasons of an explanation whose leads are known, and puts them first, what is left behind
/// them by leads. Exact shares decide as they add up: the three largest leads. Else six items are
/// candidates, and those three are taken without which, with all their events, the score falls most
/// behind the mean of `others`, every shortened history being scored anew. Candidates have the
/// largest leads, or, where shares are gradients, are missed most when they go alone.
void put_reasons_first(const Model& model, const Person& person,
                       std::span<const graph::NodeId> others, Explanation& explanation);

}  // namespace penchant::pipeline
