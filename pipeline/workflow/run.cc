// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/run.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/environment.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/tombstone.h"
#include "pipeline/evaluation/evaluation_report.h"
#include "pipeline/ingest/input_files.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/upgrade.h"
#include "pipeline/training/node_order.h"
#include "pipeline/training/private_training.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// What a stage was made from: stored in the artefact, which is finished with it or not at all.
class Stamp {
 public:
  Stamp(fs::path artifact, std::string_view kind, json inputs)
      : path_(std::move(artifact)), kind_(kind), inputs_(std::move(inputs)) {}
  /// True if the artefact is whole and was made from the same.
  bool is_current() const {
    if (!is_finished(path_, kind_)) return false;
    const json stored = read_json_if_good(path_ / kStampName);
    if (stored.is_discarded() || stored != inputs_)
      return false;  // what is discarded never differs
    try {
      check_files(path_, kind_, read_manifest(path_, kind_));
      return true;
    } catch (const InputError&) {
      return false;
    }
  }
  std::string text() const { return inputs_.dump(2) + "\n"; }
  Destination destination() const { return {path_, text()}; }

 private:
  fs::path path_;
  std::string kind_;
  json inputs_;
};

json hashes_of(const std::vector<InputFile>& files) {
  json hashes = json::array();
  for (const InputFile& file : files) {
    hashes.push_back(
        {{"file", hide_environment(file.path.string())}, {"hash", hash_file(file.path)}});
  }
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
  report.done.emplace_back(name);
}

/// The stored evaluation, if it was made from these inputs.
bool read_evaluation(const fs::path& path, const json& inputs, RunReport& report,
                     Progress& progress) {
  const json stored = read_json_if_good(path);
  if (!stored.is_object() || stored.value("inputs", json()) != inputs) return false;
  try {
    const EvaluateReport model = evaluation_from_json(stored);
    const auto popularity = stored.at("popularity_metrics").get<std::map<std::string, double>>();
    const auto same_name = [](const auto& a, const auto& b) { return a.first == b.first; };
    for (const auto* own : {&model.metrics, &model.full}) {
      if (!own->empty() && !std::ranges::equal(*own, popularity, same_name))
        throw InputError("its metrics are not those of popularity_metrics");
    }
    if (model.metrics.empty() && model.full.empty()) throw InputError("metrics is empty");
    report.model = model;
    report.popularity.metrics = popularity;
    return true;
  } catch (const std::exception& error) {  // a key is missing or of another type
    progress.warn(fmt::format("{} is damaged ({}); evaluated again", path.string(), error.what()));
    return false;
  }
}

/// Nobody asked for the data set to be made again, and its files may still hold what it forgot.
void require_nothing_forgotten(const fs::path& data) {
  const auto tombstones = tombstones_in(data);
  if (tombstones.empty()) return;
  throw InputError(fmt::format(
      "run: {} {}, and its files or settings are others now: making it again may bring that back; "
      "take it out of the files and make the data set with `penchant ingest`, or train on it as it "
      "is with `penchant train`",
      data.string(), told(tombstones)));
}

json settings(const Config& config, const std::vector<std::string>& prefixes) {
  return json::parse(settings_json(config, prefixes));
}

Dataset ingest_stage(const Config& config, RunReport& report, Progress& progress) {
  json inputs = {{"settings", settings(config, {"data."})},
                 {"files", hashes_of(input_files(with_files(config.ingest, silent_progress())))}};
  if (const fs::path& key = config.ingest.privacy.pseudonym_key; !key.empty())
    inputs["pseudonym_key"] = PseudonymKey(key).fingerprint();
  const Stamp stamp(config.data_out, kDataArtifact, inputs);
  stage("ingest", stamp, report, progress, [&] {
    require_nothing_forgotten(config.data_out);
    ingest(ingest_options(config), stamp.destination(), progress);
  });
  return read_dataset(config.data_out);
}

}  // namespace

Dataset ingested(const Config& config, Progress& progress) {
  if (config.data_out.empty()) throw InputError("data.out is not set");
  RunReport report;
  return ingest_stage(config, report, progress);
}

RunReport run_all(Config config, Progress& progress) {
  if (config.data_out.empty()) throw InputError("run: data.out is not set");
  if (config.model_out.empty()) throw InputError("run: model.out is not set");
  refuse_private(config.train, "run");
  RunReport report;
  const auto backend = kernels::make_backend(config.backend);

  const Dataset dataset = ingest_stage(config, report, progress);
  // Before hours of training: what cannot be evaluated is found here.
  const EvaluateOptions evaluation = dataset.split.test.empty()
                                         ? config.evaluate
                                         : config.evaluate.fitted(dataset.num_items(), progress);

  const json graph_inputs = {{"data", dataset.hash}, {"settings", settings(config, {"graph."})}};
  const Stamp built(config.data_out / "graph", kGraphArtifact, graph_inputs);
  stage("graph", built, report, progress, [&] {
    build_graphs(config.data_out, dataset, config.graph, progress, Storing::required, built.text());
  });
  const Graphs graphs = load_or_build_graphs(config.data_out, dataset, config.graph, progress);

  json partition_inputs = graph_inputs;
  partition_inputs["partition"] = settings(config, {"partition."});
  const bool filter = config.train.model.kind == models::ModelKind::graph_filter;
  if (!filter) {  // a filter has no use for a node order
    const Stamp divided(config.data_out / "partition", kPartitionArtifact, partition_inputs);
    stage("partition", divided, report, progress, [&] {
      report.partitions =
          partition_graphs(config.data_out, dataset, graphs,
                           fitted(config.partition, dataset, progress), progress, divided.text());
    });
  }

  json train_inputs = graph_inputs;
  train_inputs["train"] = settings(config, {"model.", "filter.", "train."});
  if (config.train.node_order == NodeOrder::metis && !filter)
    train_inputs["partition"] = partition_inputs["partition"];
  const Stamp trained(config.model_out, kModelArtifact, train_inputs);
  if (is_finished(config.model_out, kModelArtifact) &&
      read_manifest(config.model_out, kModelArtifact).at("format_version") != kModelFormat &&
      trained.is_current()) {
    upgrade_model(config.model_out, dataset, *backend, progress);
    report.done.emplace_back("upgrade");
  }
  stage("train", trained, report, progress, [&] {
    load_metis_order(config.data_out, dataset, graphs, config.partition, config.train, progress);
    report.interrupted = train_or_resume(dataset, graphs, config.train, effective_toml(config),
                                         trained.destination(), *backend, progress)
                             .interrupted;
  });
  if (report.interrupted) return report;

  const Model model = Model::open(config.model_out, dataset, *backend);
  if (!dataset.split.test.empty()) {
    const fs::path path = config.model_out / kEvaluation;
    const json inputs = {{"model", model.hash()},
                         {"data", dataset.hash},
                         {"settings", settings(config, {"evaluate."})}};
    if (read_evaluation(path, inputs, report, progress)) {
      progress.begin("evaluate");
      progress.end("unchanged, skipped");
      report.skipped.emplace_back("evaluate");
    } else {
      report.model = evaluate(model, evaluation, progress);
      report.popularity = evaluate_popularity(dataset, evaluation, *backend, progress);
      json result = evaluation_to_json(report.model);
      result["inputs"] = inputs;
      result["popularity_metrics"] = report.popularity.metrics;
      write_file_atomically(path, result.dump(2) + "\n");
      report.done.emplace_back("evaluate");
    }
  }

  if (!config.embeddings_out.empty()) {
    const Stamp embedded(config.embeddings_out, kEmbeddingsArtifact,
                         {{"model", model.hash()},
                          {"data", dataset.hash},
                          {"settings", settings(config, {"embeddings."})}});
    stage("embed", embedded, report, progress,
          [&] { embed(model, config.embed, embedded.destination(), progress); });
  }
  return report;
}

}  // namespace penchant::pipeline
