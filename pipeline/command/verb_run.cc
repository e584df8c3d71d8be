// SPDX-License-Identifier: Apache-2.0
// penchant run: every stage of a configuration.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/exit_codes.h"
#include "pipeline/command/verbs.h"
#include "pipeline/evaluation/evaluation_report.h"
#include "pipeline/workflow/run.h"

namespace penchant::pipeline {

void add_run_verb(CLI::App& program, Invocation& invocation) {
  auto* verb = program.add_subcommand(
      "run", "All stages of a configuration: ingest, graph, partition, train, evaluate, embed");
  add_common_options(*verb, invocation);
  verb->get_option("--config")->required(false);
  const auto file = std::make_shared<std::string>();
  verb->add_option("file", *file, "Configuration (TOML)")->required();
  verb->callback([file, &invocation] {
    if (!invocation.config_file.empty())
      throw InputError(fmt::format("run: the configuration is {}; --config has no effect", *file));
    invocation.config_file = *file;
    const Config config = invocation.config_for("run");
    TerminalProgress progress = invocation.progress();
    const RunReport report = run_all(config, progress);
    if (report.interrupted) {
      invocation.exit_code = kExitInterrupted;
      return;
    }
    if (invocation.json) {
      nlohmann::json result = {{"done", report.done},
                               {"skipped", report.skipped},
                               {"num_users", report.model.num_users},
                               {"metrics", report.model.metrics},
                               {"popularity_metrics", report.popularity.metrics},
                               {"data", config.data_out.string()},
                               {"model", config.model_out.string()},
                               {"embeddings", config.embeddings_out.string()}};
      if (!report.model.full.empty()) result["full"] = report.model.full;
      if (report.model.pairs) result["pairs"] = evaluation_to_json(report.model).at("pairs");
      print(result.dump(2) + "\n");
      return;
    }
    if (!report.partitions.empty()) print_partition(report.partitions, false);
    if (report.model.num_users > 0)
      print_evaluation({report.model, {{"popularity", report.popularity}}, {}, "test"}, false);
    print_text(fmt::format("data set    {}\nmodel       {}\nembeddings  {}\n",
                           config.data_out.string(), config.model_out.string(),
                           config.embeddings_out.empty() ? "not asked for (embeddings.out)"
                                                         : config.embeddings_out.string()));
  });
}

}  // namespace penchant::pipeline
