// SPDX-License-Identifier: Apache-2.0
#include "pipeline/compress/compressed_network.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "kernels/quantized_recurrent.h"
#include "models/model_options.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/compress/vector_quality.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/data/histories.h"
#include "pipeline/model/derive_vectors.h"
#include "pipeline/model/interest_network.h"
#include "pipeline/model/model.h"
#include "pipeline/model/model_facts.h"
#include "pipeline/model/model_manifest.h"
#include "pipeline/model/network_ranges.h"
#include "pipeline/model/vector_model.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::Backend;
using nlohmann::json;

namespace {

/// Histories that ranges are taken from.
constexpr std::int64_t kCalibrationHistories = 4096;
constexpr std::int64_t kJudgedItems = 10;
constexpr std::array<std::int64_t, 2> kTimedBatches = {1, 64};
constexpr int kTimedRounds = 31;

/// At most `count` of the histories that are not empty, evenly spread.
Histories some_of(const Histories& histories, std::int64_t count) {
  std::vector<NodeId> rows;
  for (std::int64_t row = 0; row < histories.size(); ++row) {
    if (histories.length(row) > 0) rows.push_back(static_cast<NodeId>(row));
  }
  const auto all = static_cast<std::int64_t>(rows.size());
  std::vector<NodeId> chosen;
  for (std::int64_t k = 0; k < std::min(all, count); ++k)
    chosen.push_back(rows[at(k * all / std::min(all, count))]);
  return select_histories(histories, chosen);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Milliseconds that people's vectors take in one network and the other, by turns.
json timed(TrainedInterest& floats, TrainedInterest& bytes, const Histories& histories,
           Backend& backend, Progress& progress) {
  json result = json::object();
  for (const std::int64_t size : kTimedBatches) {
    const Histories batch = some_of(histories, size);
    if (batch.size() < size) continue;
    std::vector<double> before, after;
    for (int round = 0; round <= kTimedRounds; ++round) {
      stop_if_asked(progress);
      for (const bool is_float : {true, false}) {
        const auto start = std::chrono::steady_clock::now();
        (is_float ? floats : bytes).user_vectors(batch, backend);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        if (round > 0) (is_float ? before : after).push_back(took.count());  // the first is warm-up
      }
    }
    const double old_ms = median(before), new_ms = median(after);
    result[std::to_string(size)] = {
        {"float_ms", old_ms}, {"int8_ms", new_ms}, {"times_faster", old_ms / new_ms}};
  }
  return result;
}

void require_network(const fs::path& model, const json& manifest, Backend& backend) {
  const json& options = manifest.at("model");
  const std::string kind = options.at("kind").get<std::string>();
  if (kind != enum_name(models::ModelKind::interest)) {
    throw InputError(fmt::format(
        "{}: is a model of kind {}, and --network int8 is for interest models (model.kind = "
        "\"interest\"); --vectors makes the vectors of any model smaller",
        model.string(), kind));
  }
  const models::SequenceKind sequence = model_from_json(options).interest.sequence;
  if (sequence != models::SequenceKind::lstm && sequence != models::SequenceKind::rnn) {
    throw InputError(
        fmt::format("{}: its sequence network is {}, and --network int8 is for rnn and lstm "
                    "(model.sequence)",
                    model.string(), enum_name(sequence)));
  }
  if (is_int8(manifest))
    throw InputError(fmt::format("{}: its network is int8 already", model.string()));
  if (backend.device() != kernels::Device::cpu)
    throw InputError("compress: an int8 network computes on the CPU: choose --device cpu");
}

/// All that is in a model but its vectors.
void copy_parts(const fs::path& from, const json& manifest, const fs::path& to) {
  for (const auto& [name, hash] : manifest.at("files").items()) {
    if (name.starts_with(fmt::format("{}/", kVectorsFolder))) continue;
    std::error_code error;
    fs::create_directories((to / name).parent_path(), error);
    fs::copy_file(from / name, to / name, fs::copy_options::overwrite_existing, error);
    if (error) {
      throw InputError(
          fmt::format("{}: cannot be copied: {}", (from / name).string(), error.message()));
    }
  }
}

}  // namespace

json compress_network(const fs::path& model_directory, const Dataset& dataset, Backend& backend,
                      const Destination& destination, Progress& progress) {
  progress.begin("compress");
  std::error_code ignored;
  if (fs::equivalent(model_directory, destination.path, ignored)) {
    throw InputError(fmt::format(
        "compress: --out is the model itself, {}, which would be lost: give the int8 model another "
        "name",
        model_directory.string()));
  }
  Model::open(model_directory, dataset, backend);  // whole, of this data set
  json manifest = read_manifest(model_directory, kModelArtifact);
  require_network(model_directory, manifest, backend);
  const ModelFacts facts = model_facts(model_directory, manifest);
  const Graphs graphs =
      make_graphs(facts.saw_validation ? train_and_validation(dataset) : dataset.split.train,
                  dataset, facts.graph_options);
  const std::int64_t length = model_from_json(manifest.at("model")).interest.max_length;
  const Histories histories = known_histories(dataset, KnownPart::train, length);
  const auto network = [&](const json& of) {
    return load_interest(model_directory, of, dataset, graphs.item, KnownPart::train, backend);
  };
  const std::unique_ptr<TrainedInterest> floats = network(manifest);
  const json before_manifest = manifest;
  const Histories calibration = some_of(histories, kCalibrationHistories);
  manifest[kInt8Key] = ranges_to_json(floats->activation_ranges(calibration, backend));
  const std::unique_ptr<TrainedInterest> bytes = network(manifest);

  const auto vectors = [&](const json& of) {
    stop_if_asked(progress);
    return derive_vectors(model_directory, of, dataset, graphs, backend, KnownPart::train);
  };
  const FinishedVectors before = vectors(before_manifest);
  const FinishedVectors after = vectors(manifest);
  const VectorQuality quality(dataset, {before.users.view(), before.items.view()}, kJudgedItems,
                              backend, progress);
  json said = quality.compare({after.users.view(), after.items.view()});
  said["network"] = "int8";
  said["saw_validation"] = facts.saw_validation;
  said["calibration_histories"] = calibration.size();
  said["ranges"] = manifest[kInt8Key];
  said["vnni"] = kernels::QuantizedRecurrent::is_fast();
  said["people"] = timed(*floats, *bytes, histories, backend, progress);

  ArtifactWriter writer(destination, kModelArtifact);
  writer.clear();
  copy_parts(model_directory, before_manifest, writer.folder());
  finish_model(writer, std::move(manifest), dataset, graphs, backend);
  progress.end(fmt::format("{}: an int8 network", destination.path.string()));
  said["out"] = destination.path.string();
  return said;
}

}  // namespace penchant::pipeline
