// SPDX-License-Identifier: Apache-2.0
// What a verb does between its options and what it says: shared by the command line and the Python
// package (python/). Options that are settings are set in the configuration by apply_flags; the
// caller then checks that all of it has an effect (check_settings).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/backend.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/progress.h"
#include "pipeline/config/config.h"
#include "pipeline/data/known_rows.h"
#include "pipeline/evaluation/baselines.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/score.h"
#include "pipeline/export/verify.h"
#include "pipeline/ingest/append.h"
#include "pipeline/ingest/forget.h"
#include "pipeline/model/model.h"
#include "pipeline/report/report.h"
#include "pipeline/training/train.h"
#include "pipeline/training/width_curve.h"

namespace penchant::pipeline {

/// What the verbs on a finished model begin with.
struct Loaded {
  Config config;
  std::unique_ptr<kernels::Backend> backend;
  Dataset dataset;
  Model model;

  /// `given`: the configuration as the verb's own options changed it. Where `data` has gone on, the
  /// kept version that the model was trained on is read (artifact/versions.h).
  Loaded(Config given, const std::filesystem::path& data, const std::filesystem::path& directory,
         DatasetUse use, KnownPart known = KnownPart::train_and_validation);
};

/// An answer by one version of the data set and of the model, should these be exchanged meanwhile.
template <typename Answering>
auto answer_by_one_version(const std::string& data, const std::string& model, Answering answering) {
  return read_whole(data, [&] { return read_whole(model, answering); });
}

/// `text`, of the option --ranking, or without it evaluate.ranking.
Ranking chosen_ranking(const std::string& text, const Config& config);
/// The same for someone new, who has no vector that was learned: without either, all that the model
/// knows ranks best.
Ranking chosen_history_ranking(const std::string& text, const Config& config);

/// What ingest says as JSON.
nlohmann::json ingest_json(const IngestReport& report, const std::filesystem::path& out);

struct AppendFlags {
  std::string data, out;  ///< out: empty for data
  std::string events;     ///< folder of a server's log
  std::vector<std::string> log, item_table;
  std::vector<std::string> vectors, vector_ids;  ///< NAME=FILE of an attribute made of vectors
  bool strict = false;
  std::string key,
      same_user;  ///< files, where they are no longer where the data set's log had them
};
/// How they are read.
IngestOptions append_options(const AppendFlags& flags, const std::shared_ptr<const Frames>& frames);
/// Reads later rows as those of the data set were read. `frames`: tables in memory, or null.
AppendReport append_by(const AppendFlags& flags, const std::shared_ptr<const Frames>& frames,
                       Progress& progress);
nlohmann::json append_json(const AppendReport& report, const AppendFlags& flags);

struct ForgetFlags {
  std::string data, out;                                 ///< out: empty for data
  std::string users_file, items_file;                    ///< one raw id a line; empty: none
  std::optional<std::vector<std::string>> users, items;  ///< raw ids, in place of the files
  std::string key;                                       ///< file: of the raw ids (given_key.h)
};
ForgetReport forget_by(const ForgetFlags& flags, Progress& progress);
nlohmann::json forget_json(const ForgetReport& report, const ForgetFlags& flags);

struct TrainFlags {
  std::string data, out, budget;
  std::optional<std::int64_t> seed;
  bool resume = false;
  std::optional<double> epsilon, delta;  ///< either makes it a private model
};
void apply_flags(const TrainFlags& flags, Config& config);
struct Trained {
  TrainReport report;
  std::string device;  ///< that it ran on
};
/// `config` is complete: with the flags, and checked.
Trained train_on(const TrainFlags& flags, Config config, Progress& progress);
nlohmann::json trained_json(const Trained& trained, const std::filesystem::path& out);

struct EvaluateFlags {
  std::string data, model, ranking, part = "test";
  std::vector<std::int64_t> widths;
  bool baselines = false;
};
struct Evaluated {
  EvaluateReport report;
  std::vector<Baseline> baselines;  ///< popularity alone where no others are asked for
  std::vector<WidthPoint> widths;
  std::string part;
};
Evaluated evaluate_by(const EvaluateFlags& flags, Config config, Progress& progress);
nlohmann::json evaluated_json(const Evaluated& evaluated);
/// For people.
std::string evaluated_text(const Evaluated& evaluated);

struct EmbedFlags {
  std::string data, model, out, type;
  std::vector<std::string> formats;
};
/// Sets where to write and what as well.
void apply_flags(const EmbedFlags& flags, Config& config);
/// Writes the vectors to embeddings.out of a complete configuration.
nlohmann::json embed_by(const EmbedFlags& flags, Config config, Progress& progress);

struct DeltaFlags {
  std::string data, model, since, out;
  double moved = 0;
};
/// What the manifest of the delta says, with "out".
nlohmann::json delta_by(const DeltaFlags& flags, Config config, Progress& progress);

struct ApplyFlags {
  std::string old, delta, out;
};
/// What the manifest of the embeddings says, with "out".
nlohmann::json apply_by(const ApplyFlags& flags, Progress& progress);

struct VerifyFlags {
  std::string data, model, path;
  std::int64_t sample = VerifyOptions().sample;
};
VerifyReport verify_by(const VerifyFlags& flags, Config config, Progress& progress);

struct ScoreFlags {
  std::string separator, quote, escape, ranking, encoding = "utf-8", unknown = "error";
  std::string user_column = "user", item_column = "item";
};
ScoreOptions score_options(const ScoreFlags& flags, const Config& config);

struct ReportFlags {
  std::string model, data, out;
  std::optional<std::int64_t> lookup_items, lookup_users;  ///< in place of the settings
  ReportOptions options;  ///< but for the look-up and what ranks, which are settings
};
struct WrittenReport {
  std::filesystem::path out;
  std::size_t bytes = 0;
};
void check_flags(const ReportFlags& flags);
void apply_flags(const ReportFlags& flags, Config& config);
WrittenReport report_by(const ReportFlags& flags, const Config& config, Progress& progress);

/// What `penchant info` says, in the order in which people read it.
struct Installation {
  std::vector<std::pair<std::string, std::string>> facts;  ///< name, value
  std::vector<std::string> gpus;                           ///< that can be used
};
/// Throws DeviceError where the configuration asks for a device that cannot be used.
Installation installation_for(const Config& config);
nlohmann::json installation_json(const Installation& installation);

/// A model's folder as it is given, without a slash at its end.
std::filesystem::path model_folder(const std::filesystem::path& given);

}  // namespace penchant::pipeline
