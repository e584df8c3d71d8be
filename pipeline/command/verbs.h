// SPDX-License-Identifier: Apache-2.0
// The verbs of the command line. Each adds its subcommand to the program; its callback does the
// work through the library and prints.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "pipeline/command/terminal_progress.h"
#include "pipeline/config/config_sources.h"
#include "pipeline/data/partition_stage.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

/// Options that every verb has, and what they mean for it.
struct Invocation : ConfigSources {
  bool json = false;
  bool quiet = false;
  int exit_code = 0;

  /// Refuses settings that have no effect on a verb (pipeline/config/setting_uses.h).
  void check(const Config& config, std::string_view verb) const;
  /// config(), checked: for verbs without options that are settings.
  Config config_for(std::string_view verb) const;
  TerminalProgress progress() const { return TerminalProgress(quiet); }
};

/// Whether a verb computes on a device that can be chosen.
enum class UsesDevice { no, yes };
/// Adds --json, --quiet, --config, --set, --threads and, where it is used, --device.
void add_common_options(CLI::App& verb, Invocation& invocation,
                        UsesDevice uses_device = UsesDevice::yes);

void add_ingest_verb(CLI::App& program, Invocation& invocation);
void add_append_verb(CLI::App& program, Invocation& invocation);
void add_update_verb(CLI::App& program, Invocation& invocation);
void add_replay_verb(CLI::App& program, Invocation& invocation);
void add_forget_verb(CLI::App& program, Invocation& invocation);
void add_pseudonym_verb(CLI::App& program, Invocation& invocation);
void add_graph_verbs(CLI::App& program, Invocation& invocation);  // graph, partition
void add_train_verb(CLI::App& program, Invocation& invocation);
void add_evaluate_verb(CLI::App& program, Invocation& invocation);
void add_embed_verb(CLI::App& program, Invocation& invocation);
void add_apply_verb(CLI::App& program, Invocation& invocation);
void add_recommend_verb(CLI::App& program, Invocation& invocation);
void add_similar_verb(CLI::App& program, Invocation& invocation);
void add_upgrade_verb(CLI::App& program, Invocation& invocation);
void add_audience_verb(CLI::App& program, Invocation& invocation);
void add_tag_verb(CLI::App& program, Invocation& invocation);
void add_compress_verb(CLI::App& program, Invocation& invocation);
void add_score_verb(CLI::App& program, Invocation& invocation);
void add_explain_verb(CLI::App& program, Invocation& invocation);
void add_serve_verb(CLI::App& program, Invocation& invocation);
void add_ablate_verb(CLI::App& program, Invocation& invocation);
void add_bench_verb(CLI::App& program, Invocation& invocation);
void add_report_verb(CLI::App& program, Invocation& invocation);
void add_run_verb(CLI::App& program, Invocation& invocation);
void add_generate_verb(CLI::App& program, Invocation& invocation);
void add_info_verbs(CLI::App& program, Invocation& invocation);  // info, config

/// Prints to stdout; a closed pipe ends the program quietly.
void print(const std::string& text);
/// The same for people: control characters of data are escaped.
void print_text(const std::string& text);

// Shared by the verbs.
/// Adds --ranking: how users' lists or pairs are scored (chosen_ranking).
void add_ranking_option(CLI::App& verb, std::string& text);
/// Adds --key: of the pseudonyms that raw ids become before they are looked up (given_key.h).
void add_key_option(CLI::App& verb, std::string& key);
/// --vectors and --vector-ids.
void add_vector_options(CLI::App& verb, AppendFlags& flags);
/// --key and --same-user, of new rows.
void add_privacy_options(CLI::App& verb, AppendFlags& flags);
/// What became of new rows, without where they were written.
std::string appended_text(const AppendReport& report);
void print_evaluation(const Evaluated& evaluated, bool as_json);
void print_partition(const std::vector<PartitionReport>& reports, bool as_json);

}  // namespace penchant::pipeline
