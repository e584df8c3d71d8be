// SPDX-License-Identifier: Apache-2.0
// The main job through the installed library: ingest a log, train, evaluate, embed.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kernels/backend.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/model/model.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"

int main(int, char** arguments) {
  namespace fs = std::filesystem;
  namespace pipeline = penchant::pipeline;
  const fs::path folder = arguments[1];
  {
    std::ofstream log(folder / "log.csv");
    log << "user,item\n";
    for (int user = 0; user < 40; ++user) {
      for (int step = 0; step < 8; ++step)
        log << 'u' << user << ",i" << (user % 4) * 20 + (user * 7 + step * 3) % 20 << '\n';
    }
  }
  pipeline::Progress& progress = pipeline::silent_progress();
  pipeline::IngestOptions options;
  options.log.files = {folder / "log.csv"};
  options.columns.user = "user";
  options.columns.item = "item";
  pipeline::ingest(options, folder / "x.data", progress);
  const pipeline::Dataset dataset = pipeline::read_dataset(folder / "x.data");
  const auto backend = penchant::kernels::make_backend({});
  const pipeline::Graphs graphs = pipeline::make_graphs(dataset.split.train, dataset, {});
  pipeline::TrainOptions train = pipeline::recipe_of(penchant::models::ModelKind::lightgcn);
  train.epochs = 2;
  train.model.embedding_dim = 8;
  pipeline::train(dataset, graphs, train, "", folder / "x.model", *backend, progress);
  const pipeline::Model model = pipeline::Model::open(folder / "x.model", dataset, *backend);
  pipeline::EvaluateOptions evaluation;
  evaluation.cutoffs = {10};
  const auto report = pipeline::evaluate(model, evaluation, progress);
  pipeline::embed(model, {}, folder / "x.embeddings", progress);
  std::printf("%d items, recall@10 %.3f\n", static_cast<int>(dataset.num_items()),
              report.metrics.at("recall@10"));
  return fs::exists(folder / "x.embeddings" / "manifest.json") ? 0 : 1;
}
