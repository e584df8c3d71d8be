// SPDX-License-Identifier: Apache-2.0
// penchant ablate: the parts of the interest model, one table.
#include <algorithm>

#include <fmt/core.h>

#include "graph/error.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/command/verbs.h"
#include "pipeline/config/setting_uses.h"
#include "pipeline/workflow/ablate.h"

namespace penchant::pipeline {

namespace {

/// The variants of these names, all without any.
std::vector<Variant> choose_variants(const std::vector<std::string>& names) {
  const std::vector<Variant> all = interest_variants();
  if (names.empty()) return all;
  std::vector<Variant> chosen;
  for (const std::string& name : names) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Variant& known) { return known.name == name; });
    if (found == all.end()) {
      std::string known;
      for (const Variant& variant : all) known += (known.empty() ? "" : ", ") + variant.name;
      throw InputError(fmt::format("--only is '{}', expected some of: {}", name, known));
    }
    chosen.push_back(*found);
  }
  return chosen;
}

/// Settings that none of the variants uses are refused.
void check_variants(const Config& config, const std::vector<Variant>& variants,
                    const VerbSettings& verb, Progress& progress) {
  std::vector<Config> configs;
  for (const Variant& variant : variants) {
    Config changed = config;
    for (const std::string& setting : variant.settings) apply_setting(changed, setting);
    changed.given = config.given;
    configs.push_back(std::move(changed));
  }
  check_settings(configs, verb, progress);
}

}  // namespace

void add_ablate_verb(CLI::App& program, Invocation& invocation) {
  struct Flags {
    std::string input, out;
    std::vector<std::string> only;
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand(
      "ablate",
      "Train the interest model whole and with parts left out or exchanged; print one table. "
      "Finished variants are skipped when the command is repeated");
  add_common_options(*verb, invocation);
  verb->add_option("input", flags->input,
                   "Data set (X.data), or configuration (TOML) whose data set is made if it is not "
                   "there")
      ->required();
  verb->add_option("--out", flags->out, "Folder for models and results")->required();
  verb->add_option("--only", flags->only, "Names of variants, separated by commas")->delimiter(',');
  verb->callback([flags, &invocation] {
    const std::vector<Variant> variants = choose_variants(flags->only);
    std::filesystem::path data = flags->input;
    const bool configured = data.extension() == ".toml";
    if (configured && !invocation.config_file.empty())
      throw InputError(
          fmt::format("ablate: the configuration is {}; --config has no effect", flags->input));
    if (configured) invocation.config_file = flags->input;
    const Config config = invocation.config();
    TerminalProgress progress = invocation.progress();
    progress.begin("ablate");
    if (configured) data = config.data_out;
    if (data.empty()) throw InputError("ablate: data.out is not set");
    const bool ingests = configured && !is_finished(data, kDataArtifact);
    VerbSettings reads = settings_of("ablate");
    if (configured) reads.prefixes.emplace_back(ingests ? "data." : "data.out");
    check_variants(config, variants, reads, progress);
    if (ingests) ingest(ingest_options(config), data, progress);
    const AblationReport report = ablate(data, config, variants, flags->out, progress);
    print(invocation.json ? ablation_to_json(report).dump(2) + "\n" : ablation_table(report));
    if (report.interrupted) invocation.exit_code = kExitInterrupted;
  });
}

}  // namespace penchant::pipeline
