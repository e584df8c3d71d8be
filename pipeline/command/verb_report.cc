// SPDX-License-Identifier: Apache-2.0
// penchant report: what the data are, what the model learned, as one page.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "pipeline/command/verbs.h"

namespace penchant::pipeline {

void add_report_verb(CLI::App& program, Invocation& invocation) {
  const auto flags = std::make_shared<ReportFlags>();
  auto* verb = program.add_subcommand(
      "report",
      "Write one HTML page about a model and its data: a look-up of items and users with their "
      "lists, charts, metrics, a map of items");
  add_common_options(*verb, invocation);
  verb->add_option("model", flags->model, "Model (X.model)")->required();
  verb->add_option("--data", flags->data,
                   "Data set (X.data); without it the one beside the model that it was trained on");
  verb->add_option("--out", flags->out, "Page to write (X.html beside the model)");
  verb->add_option("--users", flags->options.max_users,
                   "Users of the test part that metrics are measured on; 0: all")
      ->capture_default_str();
  verb->add_option("--map-items", flags->options.max_map_items, "Items on the map")
      ->capture_default_str();
  verb->add_option("--lookup-items", flags->lookup_items,
                   "Items that the page's look-up has lists of; 0: none; without it "
                   "report.lookup_items (5000)");
  verb->add_option(
      "--lookup-users", flags->lookup_users,
      "Users that it has lists and the latest rows of; 0: none of their ids are in the "
      "page; without it report.lookup_users (2000)");
  verb->callback([flags, &invocation] {
    check_flags(*flags);
    Config config = invocation.config();
    apply_flags(*flags, config);
    invocation.check(config, "report");
    TerminalProgress progress = invocation.progress();
    const WrittenReport page = report_by(*flags, config, progress);
    if (invocation.json) {
      print(nlohmann::json{{"out", page.out.string()}, {"bytes", page.bytes}}.dump(2) + "\n");
    } else {
      print_text(fmt::format("{}: {:.1f} MB\n", page.out.string(),
                             static_cast<double>(page.bytes) * 1e-6));
    }
  });
}

}  // namespace penchant::pipeline
