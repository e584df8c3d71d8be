// SPDX-License-Identifier: Apache-2.0
// What draw_pairs of every backend shares: checks, and the arrays of those that draw on the host.
// No fmt: the CUDA module includes it too.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "graph/error.h"
#include "kernels/backend.h"

namespace penchant::kernels {

/// A negative that the user has is drawn again, so many draws in all (Negatives::own).
inline constexpr std::uint64_t kNegativeTries = 8;

/// The arrays of a PairSourceOptions in host memory of their own, exactly as large as they are.
struct PairArrays {
  explicit PairArrays(const PairSourceOptions& options)
      : offsets(copied(options.user_items.offsets)),
        items(copied(options.user_items.columns)),
        thresholds(copied(options.thresholds)),
        aliases(copied(options.aliases)),
        node_ids(copied(options.node_ids)),
        item_bias(copied(options.item_bias)) {}
  template <typename T>
  static std::vector<T> copied(std::span<const T> values) {
    return {values.begin(), values.end()};
  }

  std::vector<graph::EdgeOffset> offsets;
  std::vector<graph::NodeId> items;
  std::vector<double> thresholds;
  std::vector<graph::NodeId> aliases, node_ids;
  std::vector<float> item_bias;
};

inline void check_pair_source(const PairSourceOptions& options) {
  const auto require = [](const char* name, std::size_t size, std::int64_t expected) {
    if (static_cast<std::int64_t>(size) != expected)
      throw InputError("pair_source: " + std::string(name) + " has " + std::to_string(size) +
                       " elements, expected " + std::to_string(expected));
  };
  const std::int64_t items = options.user_items.num_cols;
  require("thresholds", options.thresholds.size(), items);
  require("aliases", options.aliases.size(), items);
  if (!options.node_ids.empty())
    require("node_ids", options.node_ids.size(), options.user_items.num_rows + items);
  if (!options.item_bias.empty()) require("item_bias", options.item_bias.size(), items);
}

inline void check_pair_draw(const PairDraw& draw, std::int64_t num_pairs, std::int64_t num_items,
                            bool has_bias, Device device) {
  const auto require = [device](const char* name, const auto& view, std::int64_t size) {
    const std::string start = "draw_pairs: " + std::string(name);
    if (view.size != size)
      throw InputError(start + " has " + std::to_string(view.size) + " elements, expected " +
                       std::to_string(size));
    if (size > 0 && view.device != device)
      throw InputError(start + " does not lie on the backend's device");
  };
  const std::int64_t batch = draw.users.size;
  const std::int64_t negatives = draw.kind == Negatives::own ? batch : draw.negatives.size;
  require("users", draw.users, batch);
  require("positives", draw.positives, batch);
  require("negatives", draw.negatives, negatives);
  if (negatives > 0 && num_items == 0)
    throw InputError("draw_pairs: there are no items to draw negatives from");
  if (draw.positive_bias.size > 0) require("positive_bias", draw.positive_bias, batch);
  if (draw.negative_bias.size > 0) require("negative_bias", draw.negative_bias, negatives);
  if ((draw.positive_bias.size > 0 || draw.negative_bias.size > 0) && !has_bias)
    throw InputError("draw_pairs: the pairs have no item_bias");
  if (draw.first_pair < 0 || draw.first_pair > num_pairs - batch)
    throw InputError("draw_pairs: pairs " + std::to_string(draw.first_pair) + " to " +
                     std::to_string(draw.first_pair + batch) + " of " + std::to_string(num_pairs));
}

}  // namespace penchant::kernels
