// SPDX-License-Identifier: Apache-2.0
// What lists of every kind are refused for, and what single ones are made of.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/csr.h"
#include "kernels/matrix.h"
#include "pipeline/data/histories.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/lists.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// Throws InputError for k < 1 and k > limit; `what` has so many items: "the catalogue has".
void require_list_length(std::int64_t k, std::int64_t limit, const char* what,
                         const char* listed = "items");

/// The list of one owner of a block, at most k long.
std::vector<ScoredItem> list_of(const ListBlock& block, std::int64_t owner, std::int64_t k);

/// [B x I] distinct items of people's events, ascending, or no rows where they are not left out.
graph::Csr seen_of_people(const Dataset& dataset, const Histories& people, SeenItems seen_items);

/// Of scores [I x B]. A look-up maps singular vectors without a look at them; what is damaged shows
/// in the scores. Throws InputError that names the file.
void require_finite_scores(const Model& model, kernels::ConstFloatView scores);

}  // namespace penchant::pipeline
