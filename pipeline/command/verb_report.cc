// SPDX-License-Identifier: Apache-2.0
// penchant report: what the data are, what the model learned, as one page.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/command/verbs.h"
#include "pipeline/model/model.h"
#include "pipeline/report/report.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

void add_report_verb(CLI::App& program, Invocation& invocation) {
  struct Flags {
    std::string model, data, out;
    ReportOptions options;
  };
  const auto flags = std::make_shared<Flags>();
  auto* verb = program.add_subcommand(
      "report", "Write one HTML page about a model and its data: charts, metrics, a map of items");
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
  verb->callback([flags, &invocation] {
    if (flags->options.max_users < 0) throw InputError("report: --users must not be negative");
    if (flags->options.max_map_items < 1 || flags->options.max_map_items > 20000)
      throw InputError(fmt::format("report: --map-items is {}, expected 1 to 20000",
                                   flags->options.max_map_items));
    const Config config = invocation.config_for("report");
    TerminalProgress progress = invocation.progress();
    fs::path model_directory = fs::path(flags->model).lexically_normal();
    if (!model_directory.has_filename()) model_directory = model_directory.parent_path();
    read_manifest(model_directory, "model");
    const fs::path data =
        flags->data.empty() ? find_data_of(model_directory) : fs::path(flags->data);
    fs::path out = flags->out;
    if (out.empty()) out = fs::path(model_directory).replace_extension(".html");
    const auto backend = kernels::make_backend(config.backend);
    const Dataset dataset = read_dataset(data);
    const Model model = Model::open(model_directory, dataset, *backend);
    const nlohmann::json facts = report_facts(model, flags->options, progress);
    const std::string page = report_page(facts);
    write_file_atomically(out, page);
    if (invocation.json) {
      print(nlohmann::json{{"out", out.string()}, {"bytes", page.size()}}.dump(2) + "\n");
    } else {
      print_text(
          fmt::format("{}: {:.1f} MB\n", out.string(), static_cast<double>(page.size()) * 1e-6));
    }
  });
}

}  // namespace penchant::pipeline
