// SPDX-License-Identifier: Apache-2.0
// What an interest model needs to compute by products of 8 bits: between what its activations lie,
// as its manifest holds it under "int8". The bytes of the weights are made of the weights when the
// model is opened.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "kernels/quantized_recurrent.h"

namespace penchant::pipeline {

inline constexpr const char* kInt8Key = "int8";

struct NetworkRanges {
  std::vector<kernels::RecurrentRanges> network;  ///< one a layer
  std::vector<kernels::RecurrentRanges> head;     ///< where probabilities come from another network

  bool operator==(const NetworkRanges&) const = default;
};

nlohmann::json ranges_to_json(const NetworkRanges& ranges);
/// Throws nlohmann::json::exception where something is missing.
NetworkRanges ranges_from_json(const nlohmann::json& stored);
/// Whether a manifest is that of a model whose network computes by products of 8 bits.
bool is_int8(const nlohmann::json& manifest);

}  // namespace penchant::pipeline
