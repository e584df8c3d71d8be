// SPDX-License-Identifier: Apache-2.0
// Vectors of items that were made elsewhere, of pictures, text or sound.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/dictionary.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/tables/account.h"

namespace penchant::pipeline {

/// Some items' vectors.
struct ItemVectors {
  std::int64_t width = 0;            ///< D
  std::vector<graph::NodeId> items;  ///< [N] ascending
  std::vector<float> numbers;        ///< [N x D]
};

/// Brings a vector to length 1; false if it is of zeros.
bool to_unit_length(float* numbers, std::int64_t width);

/// Reads a file, of vectors of `width` numbers, or of any one width if that is 0; the vectors come
/// to length 1. A row is counted and left out that is null, of zeros, of an item that is not in the
/// catalogue, or of one that has had a row. Throws InputError that names file and row: vectors of
/// different widths, a number that is none or infinite, an unknown format.
ItemVectors read_item_vectors(const VectorSource& source, const graph::Dictionary& items,
                              std::int64_t width, const IngestOptions& options,
                              FileAccount& account);

}  // namespace penchant::pipeline
