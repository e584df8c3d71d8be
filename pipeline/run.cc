// SPDX-License-Identifier: Apache-2.0
#include "pipeline/run.h"

#include <fstream>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/npy.h"
#include "pipeline/evaluation_report.h"
#include "pipeline/manifest.h"
#include "pipeline/model_manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// What a stage was made from: written beside the artefact once the stage has succeeded.
class Stamp {
 public:
  Stamp(fs::path artifact, json inputs) : path_(std::move(artifact)), inputs_(std::move(inputs)) {}
  bool is_current() const {
    if (!is_finished(path_)) return false;
    std::ifstream file(path_ / kStampName);
    return json::parse(file, nullptr, false) == inputs_;
  }
  void write() const { write_file_atomically(path_ / kStampName, inputs_.dump(2) + "\n"); }

 private:
  fs::path path_;
  json inputs_;
};

std::vector<fs::path> files_of(const IngestOptions& options) {
  std::vector<fs::path> files = options.log.files;
  if (has_item_table(options))
    files.insert(files.end(), options.item_table->files.begin(), options.item_table->files.end());
  for (const fs::path& file :
       {options.train_file, options.test_file, options.sequences_file, options.attributes_file}) {
    if (!file.empty()) files.push_back(file);
  }
  if (!options.prefix.empty()) {
    for (const char* suffix : {".inter", ".item"}) {
      const fs::path file = options.prefix.string() + suffix;
      if (fs::exists(file)) files.push_back(file);
    }
  }
  return files;
}

json hashes_of(const std::vector<fs::path>& files) {
  json hashes = json::array();
  for (const fs::path& file : files)
    hashes.push_back({{"file", file.string()}, {"hash", hash_file(file)}});
  return hashes;
}

/// Runs `work` unless the stamp is current; notes which.
template <typename Work>
void stage(const char* name, const Stamp& stamp, RunReport& report, Progress& progress, Work work) {
  if (stamp.is_current()) {
    progress.begin(name);
    progress.end("unchanged, skipped");
    report.skipped.emplace_back(name);
    return;
  }
  work();
  if (report.interrupted) return;
  stamp.write();
  report.done.emplace_back(name);
}

/// The stored evaluation, if it was made from these inputs.
bool read_evaluation(const fs::path& path, const json& inputs, RunReport& report) {
  std::ifstream file(path);
  const json stored = json::parse(file, nullptr, false);
  if (!stored.is_object() || stored.value("inputs", json()) != inputs) return false;
  report.model = evaluation_from_json(stored);
  report.popularity.metrics = stored.at("popularity_metrics").get<std::map<std::string, double>>();
  return true;
}

json settings(const Config& config, const std::vector<std::string>& prefixes) {
  return json::parse(settings_json(config, prefixes));
}

}  // namespace

void load_metis_order(const fs::path& data, const Dataset& dataset, const Graphs& graphs,
                      Config& config, Progress& progress) {
  if (config.train.node_order != NodeOrder::metis ||
      config.train.model.kind == models::ModelKind::graph_filter)
    return;
  const fs::path directory = data / "partition";
  const bool current = is_finished(directory) && [&] {
    const json manifest = read_manifest(directory, "partition");
    return manifest.value("data_hash", "") == dataset.hash &&
           manifest.value("graph_options", json()) == graph_options_to_json(graphs.options);
  }();
  if (!current) {
    partition::PartitionOptions options = config.partition;
    options.num_parts = std::min(options.num_parts, dataset.num_users() + dataset.num_items());
    partition_graphs(data, dataset, graphs, options, progress);
  }
  config.train.metis_order = graph::read_npy<graph::NodeId>(directory / "order.npy");
  // The order is over users, items and hubs of the training graph; a refit has the same nodes.
}

TrainReport train_or_resume(const Dataset& dataset, const Graphs& graphs, Config& config,
                            kernels::Backend& backend, Progress& progress) {
  const auto once = [&](bool resume) {
    config.train.resume = resume;
    return train(dataset, graphs, config.train, effective_toml(config), config.model_out, backend,
                 progress);
  };
  const bool unfinished = !is_finished(config.model_out);
  try {
    return once(unfinished);
  } catch (const InputError& error) {
    if (!unfinished ||
        std::string_view(error.what()).find("cannot resume") == std::string_view::npos)
      throw;
    progress.warn(fmt::format("{}; training starts over", error.what()));
    return once(false);
  }
}

RunReport run_all(Config config, Progress& progress) {
  if (config.data_out.empty()) throw InputError("run: data.out is not set");
  if (config.model_out.empty()) throw InputError("run: model.out is not set");
  RunReport report;
  const auto backend = kernels::make_backend(config.backend);

  stage("ingest",
        Stamp(config.data_out, {{"settings", settings(config, {"data."})},
                                {"files", hashes_of(files_of(config.ingest))}}),
        report, progress, [&] { ingest(config.ingest, config.data_out, progress); });
  const Dataset dataset = read_dataset(config.data_out);

  const json graph_inputs = {{"data", dataset.hash}, {"settings", settings(config, {"graph."})}};
  stage("graph", Stamp(config.data_out / "graph", graph_inputs), report, progress,
        [&] { build_graphs(config.data_out, dataset, config.graph, progress); });
  const Graphs graphs = load_or_build_graphs(config.data_out, dataset, config.graph, progress);

  json partition_inputs = graph_inputs;
  partition_inputs["partition"] = settings(config, {"partition."});
  const bool filter = config.train.model.kind == models::ModelKind::graph_filter;
  if (!filter) {  // a filter has no use for a node order
    stage(
        "partition", Stamp(config.data_out / "partition", partition_inputs), report, progress, [&] {
          partition::PartitionOptions options = config.partition;
          options.num_parts =
              std::min(options.num_parts, dataset.num_users() + dataset.num_items());
          report.partitions = partition_graphs(config.data_out, dataset, graphs, options, progress);
        });
  }

  json train_inputs = graph_inputs;
  train_inputs["train"] = settings(config, {"model.", "filter.", "train."});
  if (config.train.node_order == NodeOrder::metis && !filter)
    train_inputs["partition"] = partition_inputs["partition"];
  stage("train", Stamp(config.model_out, train_inputs), report, progress, [&] {
    load_metis_order(config.data_out, dataset, graphs, config, progress);
    report.interrupted = train_or_resume(dataset, graphs, config, *backend, progress).interrupted;
  });
  if (report.interrupted) return report;

  const TrainedModel model = load_model(config.model_out, dataset, *backend);
  if (!dataset.split.test.empty()) {
    EvaluateOptions options = config.evaluate;
    std::erase_if(options.cutoffs,
                  [&](std::int64_t cutoff) { return cutoff > dataset.num_items(); });
    if (options.cutoffs.empty()) options.cutoffs = {1};
    const fs::path path = config.model_out / kEvaluation;
    const json inputs = {{"model", model.model_hash},
                         {"data", dataset.hash},
                         {"settings", settings(config, {"evaluate."})}};
    if (read_evaluation(path, inputs, report)) {
      progress.begin("evaluate");
      progress.end("unchanged, skipped");
      report.skipped.emplace_back("evaluate");
    } else {
      report.model = evaluate(dataset, model, options, *backend, progress);
      report.popularity = evaluate_popularity(dataset, options, *backend, progress);
      json result = evaluation_to_json(report.model);
      result["inputs"] = inputs;
      result["popularity_metrics"] = report.popularity.metrics;
      write_file_atomically(path, result.dump(2) + "\n");
      report.done.emplace_back("evaluate");
    }
  }

  if (!config.embeddings_out.empty()) {
    stage("embed",
          Stamp(config.embeddings_out, {{"model", model.model_hash},
                                        {"data", dataset.hash},
                                        {"settings", settings(config, {"embeddings."})}}),
          report, progress,
          [&] { embed(dataset, model, config.embed, config.embeddings_out, *backend, progress); });
  }
  return report;
}

}  // namespace penchant::pipeline
