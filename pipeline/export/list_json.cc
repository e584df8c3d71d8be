// SPDX-License-Identifier: Apache-2.0
#include "pipeline/export/list_json.h"

#include <string>

#include <nlohmann/json.hpp>

namespace penchant::pipeline {

nlohmann::json list_to_json(const Dataset& dataset, std::span<const ScoredItem> items) {
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < items.size(); ++i) {
    list.push_back({{"rank", i + 1},
                    {"item", std::string(dataset.items.raw(items[i].item))},
                    {"score", items[i].score},
                    {"label", item_label(dataset, items[i].item)}});
  }
  return list;
}

}  // namespace penchant::pipeline
