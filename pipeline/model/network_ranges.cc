// SPDX-License-Identifier: Apache-2.0
#include "pipeline/model/network_ranges.h"

#include <nlohmann/json.hpp>

namespace penchant::pipeline {

using nlohmann::json;

namespace {

json layers_to_json(const std::vector<kernels::RecurrentRanges>& layers) {
  json stored = json::array();
  for (const kernels::RecurrentRanges& layer : layers) {
    stored.push_back({{"input", {layer.input.lowest, layer.input.highest}},
                      {"output", {layer.output.lowest, layer.output.highest}}});
  }
  return stored;
}

kernels::ActivationRange range_from_json(const json& stored) {
  return {stored.at(0).get<float>(), stored.at(1).get<float>()};
}

std::vector<kernels::RecurrentRanges> layers_from_json(const json& stored) {
  std::vector<kernels::RecurrentRanges> layers;
  for (const json& layer : stored)
    layers.push_back({range_from_json(layer.at("input")), range_from_json(layer.at("output"))});
  return layers;
}

}  // namespace

json ranges_to_json(const NetworkRanges& ranges) {
  return {{"network", layers_to_json(ranges.network)}, {"head", layers_to_json(ranges.head)}};
}

NetworkRanges ranges_from_json(const json& stored) {
  return {layers_from_json(stored.at("network")), layers_from_json(stored.at("head"))};
}

bool is_int8(const json& manifest) { return !manifest.value(kInt8Key, json()).is_null(); }

}  // namespace penchant::pipeline
