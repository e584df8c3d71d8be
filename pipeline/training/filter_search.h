// SPDX-License-Identifier: Apache-2.0
// The options of a graph filter that validation chooses.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/graph_filter.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/choice/judge.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/training/train_options.h"

namespace penchant::pipeline {

/// One set of options and what the validation part says of it.
struct FilterTrial {
  models::FilterOptions filter;
  std::map<std::string, double> metrics;
};

struct FilterSearchResult {
  models::FilterOptions best;
  std::vector<FilterTrial> trials;  ///< in the order tried; empty: nothing was left open, or there
                                    ///< is no validation part
  double vectors_value = 0.0;       ///< of the best filter's vectors; 0: not known
  std::shared_ptr<const models::FilterGraph> graph;  ///< of the training part; null without trials
  bool interrupted = false;
};

/// Chooses what `options.filter` leaves open: the best kind at its start, then hill climbing along
/// one option after the other. Ends early, with what it has, once `out_of_time` says so.
FilterSearchResult search_filter(const Dataset& dataset, const Graphs& graphs,
                                 const TrainOptions& options, kernels::Backend& backend,
                                 Progress& progress, const std::function<bool()>& out_of_time);

/// The validation metric of the filter's vectors alone; 0: it has none.
double judge_filter_vectors(const models::GraphFilter& filter, const Graphs& graphs,
                            const TrainOptions& options, const Judge& judge,
                            kernels::Backend& backend);

/// Throws InputError if `options.filter` holds senseless values.
void check_filter_choice(const TrainOptions& options);

/// A trial as a line of metrics.jsonl.
std::string trial_line(const FilterTrial& trial);

}  // namespace penchant::pipeline
