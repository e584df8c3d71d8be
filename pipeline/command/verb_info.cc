// SPDX-License-Identifier: Apache-2.0
// penchant info, penchant config.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"
#include "pipeline/workflow/verb_calls.h"

namespace penchant::pipeline {

void add_info_verbs(CLI::App& program, Invocation& invocation) {
  auto* info = program.add_subcommand(
      "info", "Version, device, libraries, and why the GPU is or is not used");
  add_common_options(*info, invocation);
  info->callback([&invocation] {
    Installation installation = installation_for(invocation.config_for("info"));
    if (invocation.json) {
      print(installation_json(installation).dump(2) + "\n");
      return;
    }
    auto& [facts, gpus] = installation;
    for (std::size_t gpu = 0; gpu < gpus.size(); ++gpu)
      facts.emplace_back(fmt::format("gpu {}", gpu), gpus[gpu]);
    std::string text;
    for (const auto& [name, value] : facts) text += fmt::format("{:<10} {}\n", name, value);
    print(text);
  });

  auto* config_verb = program.add_subcommand("config", "The configuration");
  config_verb->require_subcommand(1);
  auto* show =
      config_verb->add_subcommand("show", "Print every key, its value and its meaning as TOML");
  add_common_options(*show, invocation);
  struct Flags {
    bool effective = false, markdown = false;
  };
  const auto flags = std::make_shared<Flags>();
  show->add_flag("--effective", flags->effective, "With --config and --set applied (the default)");
  show->add_flag("--markdown", flags->markdown, "The table of docs/configuration.md")
      ->excludes("--json")
      ->excludes("--effective");
  show->callback([flags, &invocation] {
    const Config config = invocation.config();
    if (invocation.json) {
      print(nlohmann::json::parse(settings_json(config, {""})).dump(2) + "\n");
    } else {
      print(flags->markdown ? configuration_markdown() : effective_toml(config));
    }
  });
}

}  // namespace penchant::pipeline
