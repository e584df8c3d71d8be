// SPDX-License-Identifier: Apache-2.0
// What is known of items besides behaviour: one Attribute per column of the item table.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graph/csr.h"
#include "graph/dictionary.h"
#include "graph/enum_names.h"

namespace penchant::graph {

/// categorical: at most one value an item. list: any number. numeric: one float. text: free text,
/// used as a name only.
enum class AttributeKind { categorical, list, numeric, text };
constexpr auto enum_words(AttributeKind) {
  return std::to_array<EnumWord<AttributeKind>>({{AttributeKind::categorical, "categorical"},
                                                 {AttributeKind::list, "list"},
                                                 {AttributeKind::numeric, "numeric"},
                                                 {AttributeKind::text, "text"}});
}

/// Of a list that was made of vectors: an item's values name the landmarks, items of the catalogue by
/// their raw ids, that its vector is nearest to by cosine (Liu, He and Chang, "Large graph
/// construction for scalable semi-supervised learning", ICML 2010, section 3). So items that look
/// alike share values, and stay comparable with items that come later.
struct ContentSpace {
  std::int64_t width = 0;        ///< D; 0: the values were given as they are
  std::vector<float> landmarks;  ///< [values.size() x D] by value id, of length 1
  // Of text, whose vectors are sums over its pieces' hashes (pipeline/ingest/text_space.h):
  std::vector<std::string> columns;  ///< attributes whose texts they are; empty: vectors were given
  std::vector<std::int32_t> pieces;  ///< [P] hashes, ascending
  std::vector<float> projection;     ///< [P x D]
};

/// One item attribute over all I items of the catalogue; which members are filled depends on
/// `kind`.
struct Attribute {
  std::string name;
  AttributeKind kind = AttributeKind::categorical;
  Dictionary values;  ///< categorical, list: value <-> dense value id
  Csr item_values;    ///< categorical, list: [I x values.size()], values empty (ones); a missing
                      ///< value is an empty row
  std::vector<float> numbers;      ///< numeric: I entries, NaN where missing
  std::vector<std::string> texts;  ///< text: I entries, empty where missing
  bool is_path = false;            ///< list: an item's values are the prefixes of one path a.b.c
  ContentSpace content;            ///< list: of vectors
};

struct Catalog {
  std::int64_t num_items = 0;
  std::vector<Attribute> attributes;

  /// nullptr if there is no attribute of that name.
  const Attribute* find(std::string_view name) const {
    for (const Attribute& attribute : attributes) {
      if (attribute.name == name) return &attribute;
    }
    return nullptr;
  }
};

}  // namespace penchant::graph
