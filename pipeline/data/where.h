// SPDX-License-Identifier: Apache-2.0
// Expressions over attributes (the grammar of item_filter.h), of items or of other rows.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "graph/catalog.h"

namespace penchant::pipeline {

/// What messages call the rows and where the expression was given.
struct WhereSubject {
  std::string_view option = "--where";
  std::string_view one = "item";
  std::string_view many = "items";
};

/// As where_holds() of item_filter.h, one entry a row of `rows`; `rows.num_items` is their number.
std::vector<std::uint8_t> where_holds(const graph::Catalog& rows, std::string_view where,
                                      const WhereSubject& subject);

}  // namespace penchant::pipeline
