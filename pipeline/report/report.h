// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page about a model and its data: no network, light and dark, readable on
// a phone. Charts by Plotly, whose script is written into the page. The page
// (pipeline/report/report.html) draws what report_facts() says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/artifact/progress.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/model.h"
#include "pipeline/model/ranking.h"
#include "pipeline/report/lookup.h"

namespace penchant::pipeline {

struct ReportOptions {
  std::int64_t max_users = 2000;         ///< ranked for, drawn at random; 0: all
  std::int64_t max_map_items = 3000;     ///< shown on the map, drawn at random
  std::int64_t num_neighbour_items = 8;  ///< items whose nearest neighbours are listed
  std::int64_t num_neighbours = 5;
  LookupOptions lookup;
  SeenItems seen_items = SeenItems::automatic;
  Ranking ranking = Ranking::vectors;  ///< full of a model without vectors
};

/// Everything that the page shows, as JSON: counts, distributions, curves, metrics, coordinates.
nlohmann::json report_facts(const Model& model, const ReportOptions& options, Progress& progress);

/// The page. Throws InputError that says what to install if Plotly's script or the page's template
/// are not there.
std::string report_page(const nlohmann::json& facts);

/// The X.data beside a model (in the folder that holds it) that the model was trained on. Throws
/// InputError if there is none.
std::filesystem::path find_data_of(const std::filesystem::path& model_directory);

}  // namespace penchant::pipeline
