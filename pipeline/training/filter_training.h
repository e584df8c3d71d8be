// SPDX-License-Identifier: Apache-2.0
// X.data -> X.model for graph filters, which have nothing to train in steps: options that are not
// given are chosen on the validation part, then the filter is made of train + validation.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "pipeline/training/train.h"

namespace penchant::pipeline {

/// train() for ModelKind::graph_filter. Writes weights.safetensors (the singular vectors),
/// metrics.jsonl (a line for each trial), config.toml and manifest.json.
TrainReport train_filter(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                         const std::string& config_toml, const Destination& destination,
                         kernels::Backend& backend, Progress& progress);

/// One set of options and what the validation part says of it.
struct FilterTrial {
  models::FilterOptions filter;
  std::map<std::string, double> metrics;
};

struct FilterSearchResult {
  models::FilterOptions best;
  std::vector<FilterTrial> trials;  ///< in the order tried; empty: nothing was left open, or there
                                    ///< is no validation part
  std::shared_ptr<const models::FilterGraph> graph;  ///< of the training part; null without trials
  bool interrupted = false;
};

/// Chooses what `options.filter` leaves open: the best kind at its start, then hill climbing along
/// one option after the other. Ends early, with what it has, once `out_of_time` says so.
FilterSearchResult search_filter(const Dataset& dataset, const Graphs& graphs,
                                 const TrainOptions& options, kernels::Backend& backend,
                                 Progress& progress, const std::function<bool()>& out_of_time);

/// Throws InputError if `options.filter` holds senseless values.
void check_filter_choice(const TrainOptions& options);

nlohmann::json filter_to_json(const models::FilterOptions& filter);
models::FilterOptions filter_from_json(const nlohmann::json& stored);
/// The options that the kind uses, for people.
std::string describe(const models::FilterOptions& filter);
/// A trial as a line of metrics.jsonl.
std::string trial_line(const FilterTrial& trial);

void write_singular_vectors(const std::filesystem::path& path, const models::FilterGraph& graph,
                            kernels::Backend& backend);
models::SingularVectors read_singular_vectors(const std::filesystem::path& path,
                                              std::int64_t num_items, kernels::Backend& backend);

/// Width of the vectors, of the manifest's "model". Throws InputError if it is out of bounds.
std::int64_t filter_width(const nlohmann::json& model);

/// load_model() of what train_filter wrote. `manifest` has been read and names this data set.
TrainedModel load_filter(const std::filesystem::path& model_directory,
                         const nlohmann::json& manifest, const Dataset& dataset,
                         kernels::Backend& backend);

}  // namespace penchant::pipeline
