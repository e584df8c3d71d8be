// SPDX-License-Identifier: Apache-2.0
// A private model in X.model: weights.safetensors holds what was released of items, in the order of
// their raw ids, which items.ids.jsonl lists. No row of it, and no order, says what stood in the log:
// vectors of items in X.data's own order (that of the log) and vectors of users are made when the model
// is opened beside its data set, and are its owner's.
//
// A user with the items of row x has the vector z = (sum_i x_i w_i b_i) / length, w_i = c_i^-power, and
// a 1 behind it; an item has b_i and, behind it, a weight of log popularity c_i.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "graph/csr.h"
#include "kernels/backend.h"
#include "pipeline/data/dataset.h"

namespace penchant::pipeline {

/// What was released of items, and nothing else; rows are dense ids of some order.
struct PrivateItems {
  std::int64_t width = 0;         ///< D
  double item_power = 0.5;        ///< of popularity in the weight of an item in a user's row
  std::vector<float> popularity;  ///< [I] c, above 0: each user counts 1 / sqrt(own items)
  std::vector<float> vectors;     ///< [I x (D + 1)], the last column for popularity
};

/// Dense ids in the order of their raw ids: what no log can change of a public catalogue.
std::vector<graph::NodeId> by_raw_id(const graph::Dictionary& items);

/// Writes both files; `items` are in the order of raw ids.
void write_private_items(const std::filesystem::path& model_directory, const PrivateItems& items,
                         const graph::Dictionary& raw_ids);
/// In the dense ids of the data set. `model`: of the manifest. Throws InputError: damaged, other sizes.
PrivateItems read_private_items(const std::filesystem::path& model_directory,
                                const nlohmann::json& model, const Dataset& dataset);
/// Throws InputError or nlohmann::json::exception unless the manifest's "model" can be read.
void check_private_model(const nlohmann::json& model);

/// The manifest of a private model holds no hash of its data, by which somebody who guesses a log could
/// check the guess: the ledger beside the data set says which release was made of what. Throws
/// InputError unless it says that this one was made of this data set.
void require_private_data(const std::filesystem::path& model_directory,
                          const nlohmann::json& manifest, const Dataset& dataset);

/// [I x (D + 1)] on the backend's device.
kernels::FloatMatrix private_item_vectors(const PrivateItems& items, kernels::Backend& backend);
/// [B x (D + 1)] of anybody by rows [B x I]; without an item 0 and the 1: the most popular items.
kernels::FloatMatrix private_user_vectors(const PrivateItems& items, const graph::CsrView& rows,
                                          kernels::Backend& backend);

}  // namespace penchant::pipeline
