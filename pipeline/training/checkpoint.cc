// SPDX-License-Identifier: Apache-2.0
#include "pipeline/training/checkpoint.h"

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/model/model_manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Of a checkpoint's metadata. Earlier ones had node rows in the order of the training, which the
/// next partition may change.
constexpr const char* kCheckpointFormat = "penchant checkpoint, node rows in dense order";
/// Seconds that the program goes on after a signal.
constexpr int kCheckpointGrace = 600;

}  // namespace

json training_course(const Dataset& dataset, const Graphs& graphs, const TrainOptions& options) {
  json course = options_course(options);
  course["data_hash"] = dataset.hash;
  course["graph"] = graph_options_to_json(graphs.options);
  return course;
}

json options_course(const TrainOptions& options) {
  return {{"model", model_to_json(options.model)},
          {"epochs", options.epochs},
          {"batch_size", options.batch_size},
          {"num_negatives", options.num_negatives},
          {"negative_power", options.negative_power},
          {"negative_correction", options.negative_correction},
          {"learning_rate", options.learning_rate},
          {"cosine_decay", options.cosine_decay},
          {"l2", options.l2},
          {"validate_every", options.validate_every},
          {"patience", options.patience},
          {"validation_metric", options.validation_metric},
          {"refit", options.refit},
          {"calibrate_popularity", options.calibrate_popularity},
          {"blend_filter", options.blend_filter},
          {"blend_repeats", options.blend_repeats},
          {"blend_links", options.blend_links},
          {"retry_lower_rate", options.retry_lower_rate},
          {"node_order", enum_name(options.node_order)},
          {"seed", static_cast<std::uint64_t>(options.seed)}};
}

void require_same_course(const fs::path& file, const json& stored, const json& now) {
  for (const auto& [key, value] : now.items()) {
    if (!stored.contains(key) || stored[key] != value) {
      throw CannotResume(fmt::format("{}: cannot resume: {} was {} and is now {}", file.string(),
                                     key, stored.contains(key) ? stored[key].dump() : "not set",
                                     value.dump()));
    }
  }
}

void refuse_other_training(const fs::path& folder, const char* other) {
  if (is_finished(folder, kModelArtifact) || !fs::exists(folder / other)) return;
  throw CannotResume(fmt::format(
      "{}: cannot resume: another kind of model was being trained, and model.kind, or what it "
      "follows from, is not what it was",
      (folder / other).string()));
}

Checkpoint read_checkpoint(const fs::path& folder, const json& course,
                           const TrainOptions& options) {
  const fs::path path = folder / kCheckpointName;
  Checkpoint checkpoint{models::read_safetensors(path), {}};
  std::map<std::string, std::string>& metadata = checkpoint.tensors.metadata;
  if (metadata["format"] != kCheckpointFormat) {
    throw InputError(fmt::format(
        "{}: cannot resume: it was written by another version of this program", path.string()));
  }
  try {
    for (const char* key : {"course", "position"}) check_json_depth(metadata.at(key), path);
    require_same_course(path, json::parse(metadata.at("course")), course);
    const json position = json::parse(metadata.at("position"));
    take_values(path, [&] { checkpoint.position = position_from_json(position); });
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: damaged: {}", path.string(), error.what()));
  } catch (const std::out_of_range&) {
    throw InputError(fmt::format("{}: is not a training checkpoint", path.string()));
  }
  const std::string fault = position_fault(checkpoint.position, options.epochs);
  if (!fault.empty()) throw InputError(fmt::format("{}: damaged: {}", path.string(), fault));
  return checkpoint;
}

void write_checkpoint(const fs::path& folder, const json& course, const TrainingPosition& position,
                      TrainingPhase& phase) {
  const InterruptGrace grace(kCheckpointGrace);
  phase.write_state(folder / kCheckpointName, {{"format", kCheckpointFormat},
                                               {"course", course.dump()},
                                               {"position", position_to_json(position).dump()}});
}

void trim_metrics(const fs::path& folder, const TrainingPosition& position) {
  keep_json_lines(folder / kMetricsName, [&](const json& entry) {
    const std::string phase = entry.value("phase", "");
    if (phase != position.phase) return phase == "select";
    const std::int64_t attempt = entry.value("attempt", std::int64_t{0});
    return attempt < position.attempt ||
           (attempt == position.attempt && entry.value("epoch", std::int64_t{0}) <= position.epoch);
  });
}

}  // namespace penchant::pipeline
