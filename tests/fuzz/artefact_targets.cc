// SPDX-License-Identifier: Apache-2.0
// Artefacts that somebody else wrote, to deceive: their hashes are right, what they say is not.
#include <algorithm>
#include <memory>

#include <nlohmann/json.hpp>

#include "graph/files.h"
#include "kernels/backend.h"
#include "pipeline/artifact/artifact_files.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/data/dataset.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/model/model.h"
#include "pipeline/training/checkpoint.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"
#include "tests/fuzz/fuzzed_files.h"
#include "tests/fuzz/targets.h"

namespace penchant::fuzz {

using namespace pipeline;
namespace fs = std::filesystem;
using nlohmann::json;
using Seeds = std::vector<std::string>;

namespace {

/// A dozen users, a model, and a copy of each whose files are exchanged for inputs.
struct Artefacts {
  fs::path data = work_folder() / "whole.data", model = work_folder() / "whole.model";
  fs::path broken_data = work_folder() / "broken.data",
           broken_model = work_folder() / "broken.model";
  std::unique_ptr<kernels::Backend> backend =
      kernels::make_backend({kernels::DeviceChoice::cpu, 1});
  Dataset dataset;
  Graphs graphs;
  TrainOptions recipe = recipe_of(models::ModelKind::lightgcn);

  Artefacts() {
    std::string log = "user,item,time,event\n";
    for (int row = 0; row < 120; ++row) {
      log += "u" + std::to_string(row * 7 % 12) + ",i" + std::to_string(row * row % 11) + "," +
             std::to_string(1'600'000'000 + 5000 * row) +
             (row % 3 == 0 ? ",view\n" : ",purchase\n");
    }
    IngestOptions options;
    options.log.files = {put_file("whole.csv", log)};
    options.columns = {"user", "item", "time", "event", "", ""};
    ingest(options, data, silent_progress());
    dataset = read_dataset(data);
    graphs = make_graphs(dataset.split.train, dataset, {});
    recipe.model.embedding_dim = 4;
    recipe.model.num_layers = 1;
    recipe.epochs = 1;
    recipe.batch_size = 32;
    recipe.num_negatives = 4;
    recipe.calibrate_popularity = false;
    recipe.blend_filter = false;
    recipe.retry_lower_rate = false;
    recipe.node_order = NodeOrder::none;
    train(dataset, graphs, recipe, "", model, *backend, silent_progress());
    fs::copy(data, broken_data, fs::copy_options::recursive);
    fs::copy(model, broken_model, fs::copy_options::recursive);
  }
};

Artefacts& artefacts() {
  static Artefacts made;
  return made;
}

/// With the hash of its own that it should have, so that readers look at the rest. False: no JSON
/// object that could be one.
bool put_manifest(const fs::path& folder, std::string_view input) {
  json manifest = parse_json_line(input);
  if (!manifest.is_object() || !manifest.contains("kind") || !manifest["kind"].is_string())
    return false;
  try {
    write_manifest(folder, manifest);
  } catch (const json::exception&) {  // text that is not UTF-8
    return false;
  }
  return true;
}

void use(const Dataset& dataset) {
  const graph::Interactions& train = dataset.split.train.interactions;
  for (std::size_t row = 0; row < train.item.size(); ++row) {
    if (train.item[row] < 0 || std::cmp_greater_equal(train.item[row], dataset.num_items()))
      throw std::logic_error("an item that there is none of");
  }
  make_graphs(dataset.split.train, dataset, {});
}

}  // namespace

Seeds manifest_seeds() {
  return {
      R"({"kind":"model","format_version":2,"files":{"weights.safetensors":"00"},"manifest_hash":"0"})",
      R"({"kind":"data","format_version":1})"};
}
void run_manifest(std::string_view input) {
  const fs::path folder = work_folder() / "manifest";
  fs::create_directories(folder);
  put_file("manifest/manifest.json", input);
  for (const char* kind : {kDataArtifact, kModelArtifact}) {
    answer([&] { check_files(folder, kind, read_manifest(folder, kind)); });
    is_finished(folder, kind);
  }
  manifest_kind(folder);
}

Seeds data_manifest_seeds() { return {graph::read_file(artefacts().data / kManifestName)}; }
void run_data_manifest(std::string_view input) {
  const fs::path& folder = artefacts().broken_data;
  if (!put_manifest(folder, input)) return;
  answer([&] { use(read_dataset(folder)); });
  answer([&] { read_known_rows(read_dataset(folder, DatasetUse::lookup)); });
}

Seeds model_manifest_seeds() { return {graph::read_file(artefacts().model / kManifestName)}; }
void run_model_manifest(std::string_view input) {
  Artefacts& made = artefacts();
  if (!put_manifest(made.broken_model, input)) return;
  answer([&] {
    const Model model = Model::open(made.broken_model, made.dataset, *made.backend);
    model.recommend(made.dataset.users.raw(0), 5, SeenItems::automatic, Ranking::full);
  });
}

/// One file of a data set, its hash put right: which one the first byte says.
Seeds columns_seeds() {
  Seeds seeds;
  const fs::path& data = artefacts().data;
  const std::vector<std::string> names = files_below(data);
  for (std::size_t place = 0; place < names.size(); ++place) {
    if (names[place].ends_with(".npy"))
      seeds.push_back(static_cast<char>(place) + graph::read_file(data / names[place]));
  }
  return seeds;
}
void run_columns(std::string_view input) {
  Choices choices(input);
  const fs::path& data = artefacts().data;
  const fs::path& broken = artefacts().broken_data;
  static const std::vector<std::string> names = files_below(data);
  const std::string& name = names[choices.below(static_cast<unsigned>(names.size()))];
  if (!name.ends_with(".npy")) return;  // Parquet's own reader has a target
  put_file("broken.data/" + name, input);
  json manifest = json::parse(graph::read_file(data / kManifestName));
  manifest["files"][name] = hash_bytes(input);
  write_manifest(broken, manifest);
  answer([&] { use(read_dataset(broken)); });
  put_file("broken.data/" + name, graph::read_file(data / name));
}

Seeds checkpoint_seeds() { return {graph::read_file(artefacts().model / "weights.safetensors")}; }
void run_checkpoint(std::string_view input) {
  Artefacts& made = artefacts();
  static const json course = training_course(made.dataset, made.graphs, made.recipe);
  fs::create_directories(work_folder() / "begun.model");
  put_file("begun.model/checkpoint.safetensors", input);
  answer([&] { read_checkpoint(work_folder() / "begun.model", course, made.recipe); });
}

}  // namespace penchant::fuzz
