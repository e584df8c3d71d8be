// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/filter_training.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/filter_model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/training/filter_search.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using kernels::Backend;
using models::FilterGraph;

namespace {

/// Writes the filter of `search`, made of `learned`, and what was found.
void write_filter(ArtifactWriter& writer, const Dataset& dataset, const Graphs& learned,
                  KnownPart part, const TrainOptions& options, const FilterSearchResult& search,
                  std::chrono::steady_clock::time_point start, Backend& backend,
                  TrainReport& report, const Predecessor* before = nullptr) {
  const FilterGraph graph(learned.user_item.user_items.view(), search.best.rank, options.seed,
                          backend, models::scaling_of(search.best.kind));
  std::optional<EarlierAxes> axes;
  if (before != nullptr)
    axes = {before->model / kModelWeights, before->num_items, before->items};
  write_singular_vectors(writer.folder() / kModelWeights, graph, backend, axes ? &*axes : nullptr);
  report.chosen = describe(search.best);
  if (report.validated) {
    report.chosen += fmt::format("; {} {:.4f} on validation, best of {}", options.validation_metric,
                                 report.best_validation, search.trials.size());
  }
  finish_model(writer,
               {{"data_hash", dataset.hash},
                {"graph_options", graph_options_to_json(learned.options)},
                {"model",
                 {{"kind", enum_name(models::ModelKind::graph_filter)},
                  {"embedding_dim", options.model.embedding_dim},
                  {"filter", filter_to_json(search.best)}}},
                {"trained_on", part == KnownPart::train ? "train" : "train+validation"},
                {"trials", search.trials.size()},
                {"best_validation", report.best_validation},
                {"validation_metric", options.validation_metric},
                {"validation", validation_to_json(options.validation_metric, search.vectors_value,
                                                  report.best_validation)},
                {"seed", static_cast<std::uint64_t>(options.seed)},
                {"hash", hash_file(writer.folder() / kModelWeights)},
                {"resources", resources_since(start)},
                {"device", backend.description()}},
               dataset, learned, backend, before);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

TrainReport train_filter(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options,
                         const std::string& config_toml, const Destination& destination,
                         Backend& backend, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  check_filter_choice(options);
  progress.begin("train");
  ArtifactWriter writer(destination, kModelArtifact);
  writer.clear();
  const fs::path& model_directory = writer.folder();
  write_file_atomically(model_directory / "config.toml", config_toml);

  const FilterSearchResult search =
      search_filter(dataset, graphs, options, backend, progress, [] { return false; });
  TrainReport report;
  report.validated = !search.trials.empty();
  report.validation_metric = options.validation_metric;
  std::string log;
  for (const FilterTrial& trial : search.trials) {
    log += trial_line(trial);
    report.best_validation =
        std::max(report.best_validation, trial.metrics.at(options.validation_metric));
  }
  report.interrupted = search.interrupted;
  write_file_atomically(model_directory / kMetricsName, log);
  if (report.interrupted) {
    writer.keep();
    progress.end("interrupted while options were tried; the next run starts over");
    return report;
  }

  const bool refit = options.refit && !dataset.split.validation.empty();
  std::optional<Graphs> merged;
  if (refit) merged = make_graphs(train_and_validation(dataset), dataset, graphs.options);
  const Graphs& learned = merged ? *merged : graphs;
  write_filter(writer, dataset, learned, refit ? KnownPart::train_and_validation : KnownPart::train,
               options, search, start, backend, report);
  progress.end(report.chosen);
  return report;
}

TrainReport make_filter(const Dataset& dataset, const Graphs& graphs, KnownPart part,
                        const TrainOptions& options, const Destination& destination,
                        Backend& backend, Progress& progress, const Predecessor* before,
                        const std::string& config_toml) {
  const auto start = std::chrono::steady_clock::now();
  TrainOptions fixed = options;
  fixed.validate_every = 0;
  check_filter_choice(fixed);
  ArtifactWriter writer(destination, kModelArtifact);
  writer.clear();
  if (!config_toml.empty()) write_file_atomically(writer.folder() / "config.toml", config_toml);
  TrainReport report;
  report.validation_metric = options.validation_metric;
  const FilterSearchResult search =
      search_filter(dataset, graphs, fixed, backend, progress, [] { return false; });
  write_filter(writer, dataset, graphs, part, fixed, search, start, backend, report, before);
  return report;
}

}  // namespace penchant::pipeline
