// SPDX-License-Identifier: Apache-2.0
// One TOML file configures every stage. Each key is bound once, to a member of a stage's option
// struct; the binding serves parsing,
// --set, `config show --effective` and docs/configuration.md.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "partition/partition.h"
#include "pipeline/config/text_marks.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/export/embed.h"
#include "pipeline/ingest/ingest.h"
#include "pipeline/ingest/row_filter.h"
#include "pipeline/report/lookup.h"
#include "pipeline/training/recipes.h"
#include "pipeline/training/train.h"

namespace penchant::pipeline {

struct Config {
  std::filesystem::path data_out, model_out, embeddings_out;
  IngestOptions ingest;
  GraphOptions graph;
  partition::PartitionOptions partition;
  TrainOptions train;
  EvaluateOptions evaluate;
  EmbedOptions embed;
  LookupOptions lookup;
  std::vector<std::string> embed_formats = {"npy"};
  kernels::BackendOptions backend;
  /// TOML of the values that name environment variables, by key (data.attributes.0.column for a
  /// field of a table): what is stored of them.
  std::map<std::string, std::string> written;
  /// Where a key was set.
  struct Given {
    std::string place;  ///< "shop.toml:12:5", "--set train.epochs=3" or "--seed"
    bool on_command_line = false;
  };
  std::map<std::string, Given> given;  ///< keys that a file or the command line has set: a change
                                       ///< of model.kind gives all others the defaults of the new
  models::ModelKind defaults_of = TrainOptions().model.kind;  ///< kind whose defaults they have
};

/// Reads a TOML file. Paths in it are relative to its folder; ${NAME} and ${NAME:-default} are
/// environment variables. Throws InputError with file, line and column: unknown key (with the
/// nearest known one), wrong type, unknown word.
Config read_config(const std::filesystem::path& path);

/// Applies "train.epochs=20" on top. Paths are relative to the working folder.
void apply_setting(Config& config, std::string_view assignment);

/// Sets data.attributes and data.event_weights, which no assignment can hold, from TOML that holds
/// nothing else.
void apply_tables(Config& config, const std::string& toml);

/// Notes that a flag such as "--seed" has set a key.
void mark_given(Config& config, const std::string& key, const std::string& flag);

/// Complete TOML with every value and what it means.
std::string effective_toml(const Config& config);
/// How a log is read, as TOML of the section data without its files: what ingest keeps in the
/// manifest, and a configuration of that again.
std::string log_settings(const Config& config);
Config config_of_log(const std::string& log_settings, const std::string& place);
/// `config.ingest` with what ingest is to keep of it.
IngestOptions ingest_options(const Config& config);
/// One JSON object {key: value as TOML text} of all keys that start with one of `prefixes`: what a
/// stage depends on.
std::string settings_json(const Config& config, const std::vector<std::string>& prefixes);
/// Table of all keys for docs/configuration.md.
std::string configuration_markdown();

}  // namespace penchant::pipeline
