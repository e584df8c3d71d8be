// SPDX-License-Identifier: Apache-2.0
// Which values an item's neighbours carry: items bought together with it, and the nearest by
// vectors. An item is never its own neighbour, so that its own value never speaks for itself.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/csr.h"
#include "graph/ids.h"
#include "kernels/backend.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/model/model.h"

namespace penchant::pipeline {

/// Neighbours an item of each kind: as many as the item graph keeps by default.
inline constexpr std::int64_t kTagNeighbours = 20;

/// Vectors that know nothing of one attribute of the items.
struct TagVectors {
  kernels::FloatMatrix made;      ///< of rows; empty where the model's are taken
  kernels::ConstFloatView items;  ///< [I x D] on the backend's device
  std::string origin;             ///< "model" or "rows"
};

/// Whether the graphs that a model was trained on hold this attribute: its items' vectors then know
/// the values that are there, and those of items without one do not.
bool has_seen(const Model& model, std::string_view attribute);

/// The model's vectors, or, where it has none or they have seen the attribute, the leading singular
/// vectors of the users' rows, D_u^-1/2 A D_i^-1/2, each times its singular value.
TagVectors tag_vectors(const Model& model, std::string_view attribute, graph::Seed seed);

/// Values of neighbours with their weights, which are sums over neighbours.
struct ValueWeights {
  std::vector<graph::NodeId> values;  ///< ascending
  std::vector<float> weights;
};

/// Neighbours of items of one kind.
class TagNeighbours {
 public:
  /// How many kinds there are: bought together, near by vectors.
  static constexpr std::size_t kKinds = 2;
  /// `labels` [I x C] are the known values, which must outlive it; `index`: items that may be
  /// neighbours by vectors, ascending.
  TagNeighbours(const Model& model, const TagVectors& vectors, const graph::Csr& labels,
                std::vector<graph::NodeId> index);
  /// Of each item, the values of its neighbours of each kind: [items][kind].
  std::vector<std::array<ValueWeights, kKinds>> values_near(
      std::span<const graph::NodeId> items) const;

 private:
  kernels::Backend& backend_;
  const TagVectors& vectors_;
  const graph::Csr& labels_;
  graph::Csr together_;  ///< [I x I] co-occurrence
  std::vector<graph::NodeId> index_;
  kernels::FloatMatrix index_vectors_;  ///< [N x D]
};

}  // namespace penchant::pipeline
