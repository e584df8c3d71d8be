// SPDX-License-Identifier: Apache-2.0
// penchant upgrade: a model of an earlier program in today's format.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"
#include "pipeline/model/upgrade.h"

namespace penchant::pipeline {

void add_upgrade_verb(CLI::App& program, Invocation& invocation) {
  struct Flags {
    std::string data, model;
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand(
      "upgrade",
      "Bring a model of an earlier version up to date: make its vectors again of its weights");
  add_common_options(*verb, invocation);
  verb->add_option("data", flags->data, "Data set (X.data) that it was trained on")->required();
  verb->add_option("model", flags->model, "Model (X.model), which is replaced")->required();
  verb->callback([flags, &invocation] {
    const Config config = invocation.config_for("upgrade");
    const auto backend = kernels::make_backend(config.backend);
    const Dataset dataset = read_dataset(flags->data);
    TerminalProgress progress = invocation.progress();
    const UpgradeReport report = upgrade_model(flags->model, dataset, *backend, progress);
    if (invocation.json) {
      print(nlohmann::json{{"model", flags->model},
                           {"from_format", report.from_format},
                           {"format", report.format},
                           {"written", report.written}}
                .dump(2) +
            "\n");
      return;
    }
    print_text(report.written ? fmt::format("{}: written anew, format version {} (was {})\n",
                                            flags->model, report.format, report.from_format)
                              : fmt::format("{}: is up to date, format version {}\n", flags->model,
                                            report.format));
  });
}

}  // namespace penchant::pipeline
