// SPDX-License-Identifier: Apache-2.0
// What is known of an item besides the attribute that is asked for, as one sparse row:
//   [hashed marks of its other attributes | its vector | values of its neighbours]
// Marks are the values of an attribute (also what stands in a text as a whole, and the tenth of all
// numbers in which a number lies), pairs of values of two attributes, and words and runs of four
// letters of texts and of values, weighted by log(1 + N / carriers). The marks of one group have
// length 1 together; so has the vector.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "graph/catalog.h"
#include "graph/csr.h"
#include "graph/ids.h"
#include "kernels/matrix.h"
#include "pipeline/tags/tag_neighbours.h"

namespace penchant::pipeline {

/// Which attributes are left out of an item's row as if it did not have them: bit a for the a-th of
/// the catalogue, bit kRowsHidden for what rows say of it.
using HiddenParts = std::uint64_t;
inline constexpr std::int64_t kRowsHidden = 63;

/// One mark of an item.
struct TagMark {
  std::uint64_t hash;
  std::int32_t group;  ///< marks of equal group are of one length together
};

/// The marks of items.
class TagMarks {
 public:
  /// Of all attributes but `target`. Throws InputError for more than 62 attributes.
  TagMarks(const graph::Catalog& catalog, std::string_view target);
  std::vector<TagMark> of(graph::NodeId item, HiddenParts hidden) const;
  /// Whether an item has the a-th attribute of the catalogue.
  bool has(std::size_t attribute, graph::NodeId item) const;
  std::size_t num_attributes() const { return catalog_.attributes.size(); }
  bool is_target(std::size_t attribute) const {
    return catalog_.attributes[attribute].name == target_;
  }

 private:
  void add_values(std::size_t attribute, graph::NodeId item, std::vector<std::uint64_t>& values,
                  std::vector<TagMark>& marks) const;

  const graph::Catalog& catalog_;
  std::string_view target_;
  std::vector<std::vector<float>> tenths_;  ///< of numeric attributes: bounds between tenths
};

/// Shares of an item's values among those of its neighbours that become features, the largest.
inline constexpr std::size_t kMostNeighbourValues = 8;

class TagFeatures {
 public:
  /// Chooses the columns of marks: those that two or more of `sample` carry, the most frequent up to
  /// `most_marks`. `vectors` [I x D] in host memory. All must outlive it.
  TagFeatures(const TagMarks& marks, kernels::ConstFloatView vectors, std::int64_t num_classes,
              std::span<const graph::NodeId> sample, std::span<const HiddenParts> hidden,
              std::int64_t most_marks);
  std::int64_t num_columns() const {
    return num_marks_ + vectors_.cols +
           static_cast<std::int64_t>(TagNeighbours::kKinds) * num_classes_;
  }
  /// [items x F].
  graph::Csr rows(
      std::span<const graph::NodeId> items, std::span<const HiddenParts> hidden,
      std::span<const std::array<ValueWeights, TagNeighbours::kKinds>> neighbours) const;

 private:
  using Row = std::vector<std::pair<graph::NodeId, float>>;
  void add_marks(graph::NodeId item, HiddenParts hidden, Row& row) const;
  void add_vector(graph::NodeId item, Row& row) const;
  void add_shares(const std::array<ValueWeights, TagNeighbours::kKinds>& near, Row& row) const;

  const TagMarks& marks_;
  kernels::ConstFloatView vectors_;
  std::int64_t num_classes_ = 0, num_marks_ = 0;
  std::vector<graph::NodeId> columns_;  ///< by the low bits of a hash; kNoNode: not kept
  std::vector<float> idf_;              ///< of the columns of marks
};

}  // namespace penchant::pipeline
