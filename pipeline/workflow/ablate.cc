// SPDX-License-Identifier: Apache-2.0
#include "pipeline/workflow/ablate.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/folder.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluation_report.h"
#include "pipeline/model/model.h"
#include "pipeline/training/node_order.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json row_to_json(const AblationRow& row) {
  json result = {{"name", row.variant.name},
                 {"settings", row.variant.settings},
                 {"best_validation", row.best_validation},
                 {"best_epoch", row.best_epoch},
                 {"epochs_run", row.epochs_run},
                 {"epoch_seconds", row.epoch_seconds},
                 {"seconds", row.seconds}};
  if (row.test.num_users > 0) result["test"] = evaluation_to_json(row.test);
  return result;
}

/// The stored row, if it was made from these inputs.
std::optional<AblationRow> read_row(const fs::path& path, const json& inputs,
                                    const Variant& variant) {
  const json stored = read_json_if_good(path);
  if (!stored.is_object() || stored.value("inputs", json()) != inputs) return std::nullopt;
  AblationRow row;
  row.variant = variant;
  try {
    row.best_validation = stored.at("best_validation").get<double>();
    row.best_epoch = stored.at("best_epoch").get<std::int64_t>();
    row.epochs_run = stored.at("epochs_run").get<std::int64_t>();
    row.epoch_seconds = stored.at("epoch_seconds").get<double>();
    row.seconds = stored.at("seconds").get<double>();
    if (stored.contains("test")) row.test = evaluation_from_json(stored.at("test"));
  } catch (const std::exception&) {
    return std::nullopt;  // damaged: the variant runs again
  }
  return row;
}

}  // namespace

std::vector<Variant> interest_variants() {
  const auto variant = [](std::string name, const char* sequence, const char* graph,
                          const char* item_graph) {
    return Variant{
        std::move(name),
        {"model.kind=interest", fmt::format("model.sequence={}", sequence),
         fmt::format("model.graph={}", graph), fmt::format("model.item_graph={}", item_graph)}};
  };
  return {variant("fused_lstm", "lstm", "true", "true"),
          variant("fused_rnn", "rnn", "true", "true"),
          variant("fused_cnn", "cnn", "true", "true"),
          variant("fused_lstm_no_item_graph", "lstm", "true", "false"),
          variant("graph_only", "none", "true", "true"),
          variant("graph_only_no_item_graph", "none", "true", "false"),
          variant("sequence_only", "lstm", "false", "false")};
}

AblationReport ablate(const fs::path& data, const Config& config,
                      const std::vector<Variant>& variants, const fs::path& out,
                      Progress& progress) {
  AblationReport report;
  // A wrong key is found before hours of training.
  std::vector<Config> configs;
  for (const Variant& variant : variants) {
    Config changed = config;
    for (const std::string& setting : variant.settings) apply_setting(changed, setting);
    changed.model_out = out / (variant.name + ".model");
    report.validation_metric = changed.train.validation_metric;
    configs.push_back(std::move(changed));
  }
  create_folder(out);
  const auto backend = kernels::make_backend(config.backend);
  const Dataset dataset = read_dataset(data);
  const EvaluateOptions evaluation = dataset.split.test.empty()
                                         ? config.evaluate
                                         : config.evaluate.fitted(dataset.num_items(), progress);
  for (std::size_t v = 0; v < variants.size(); ++v) {
    Config& changed = configs[v];
    const std::string& name = variants[v].name;
    const json inputs = {
        {"data", dataset.hash},
        {"settings", json::parse(settings_json(
                         changed, {"graph.", "model.", "filter.", "train.", "evaluate."}))}};
    const fs::path path = out / (name + ".json");
    progress.begin(name);
    if (auto stored = read_row(path, inputs, variants[v])) {
      progress.end("unchanged, skipped");
      report.skipped.push_back(name);
      report.rows.push_back(std::move(*stored));
      continue;
    }
    progress.end(fmt::format("variant {} of {}", v + 1, variants.size()));
    const Graphs graphs = load_or_build_graphs(data, dataset, changed.graph, progress);
    load_metis_order(data, dataset, graphs, changed.partition, changed.train, progress);
    const TrainReport trained =
        train_or_resume(dataset, graphs, changed.train, effective_toml(changed), changed.model_out,
                        *backend, progress);
    report.interrupted = trained.interrupted;
    if (report.interrupted) return report;
    AblationRow row{variants[v],
                    trained.best_validation,
                    trained.best_epoch,
                    trained.epochs_run,
                    trained.epoch_seconds,
                    trained.seconds,
                    {}};
    if (!dataset.split.test.empty()) {
      EvaluateOptions options = evaluation;
      options.part = HeldOut::test;
      row.test = evaluate(Model::open(changed.model_out, dataset, *backend), options, progress);
    }
    json stored = row_to_json(row);
    stored["inputs"] = inputs;
    write_file_atomically(path, stored.dump(2) + "\n");
    report.done.push_back(name);
    report.rows.push_back(std::move(row));
    report.interrupted = progress.stop_requested() && v + 1 < variants.size();
    if (report.interrupted) return report;
  }
  return report;
}

json ablation_to_json(const AblationReport& report) {
  json rows = json::array();
  for (const AblationRow& row : report.rows) rows.push_back(row_to_json(row));
  return {{"validation_metric", report.validation_metric},
          {"variants", rows},
          {"done", report.done},
          {"skipped", report.skipped},
          {"interrupted", report.interrupted}};
}

std::string ablation_table(const AblationReport& report) {
  constexpr const char* kShown[] = {"hit_rate@10", "ndcg@10", "recall@20", "ndcg@20"};
  // A line of the vectors and, where it was asked for, one of the full score.
  std::string text =
      fmt::format("{:<26}{:>22}", "variant", "validation " + report.validation_metric);
  for (const char* metric : kShown) text += fmt::format("{:>13}", metric);
  text += fmt::format("{:>10}{:>10}{:>8}{:>10}\n", "pair auc", "accuracy", "epochs", "s/epoch");
  const auto cell = [](const std::map<std::string, double>* values, const char* name, int width) {
    return values != nullptr && values->contains(name)
               ? fmt::format("{:>{}.4f}", values->at(name), width)
               : fmt::format("{:>{}}", "-", width);
  };
  for (const AblationRow& row : report.rows) {
    text += fmt::format("{:<26}{:>22.4f}", row.variant.name, row.best_validation);
    for (const char* metric : kShown) text += cell(&row.test.metrics, metric, 13);
    const auto* pairs = row.test.pairs ? &row.test.pairs->metrics.values : nullptr;
    text += cell(pairs, "auc", 10) + cell(pairs, "accuracy", 10);
    text += fmt::format("{:>8}{:>10.2f}\n", row.best_epoch, row.epoch_seconds);
    if (row.test.full.empty()) continue;
    text += fmt::format("{:<48}", "  full");
    for (const char* metric : kShown) text += cell(&row.test.full, metric, 13);
    text += "\n";
  }
  return text +
         "validation: by the full score, of training rows; test: by the vectors' inner products\n";
}

}  // namespace penchant::pipeline
