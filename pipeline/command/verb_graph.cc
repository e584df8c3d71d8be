// SPDX-License-Identifier: Apache-2.0
// penchant graph, penchant partition.
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/printable.h"
#include "pipeline/command/verbs.h"
#include "pipeline/data/graph_stage.h"

namespace penchant::pipeline {

using nlohmann::json;

namespace {

std::string degrees(const json& summary) {
  return fmt::format("mean {:.1f}, median {}, p90 {}, p99 {}, max {}, isolated {}, Gini {:.2f}",
                     summary["mean"].get<double>(), summary["median"].get<std::int64_t>(),
                     summary["p90"].get<std::int64_t>(), summary["p99"].get<std::int64_t>(),
                     summary["maximum"].get<std::int64_t>(),
                     summary["isolated"].get<std::int64_t>(), summary["gini"].get<double>());
}

std::string shape(const json& graph) {
  return fmt::format("  components {}, largest {} nodes; innermost core {} of {} nodes\n",
                     graph["components"].get<std::int64_t>(),
                     graph["largest_component"].get<std::int64_t>(),
                     graph["degeneracy"].get<std::int64_t>(),
                     graph["nodes_in_innermost_core"].get<std::int64_t>());
}

void print_graph(const std::string& statistics, bool as_json) {
  const json facts = json::parse(statistics);
  if (as_json) {
    print(facts.dump(2) + "\n");
    return;
  }
  const json& user_item = facts["user_item"];
  std::string text =
      fmt::format("user-item graph: {} users x {} items, {} edges, density {:.2e}\n",
                  user_item["users"].get<std::int64_t>(), user_item["items"].get<std::int64_t>(),
                  user_item["edges"].get<std::int64_t>(), user_item["density"].get<double>());
  text += "  user degrees: " + degrees(user_item["user_degrees"]) +
          "\n  item degrees: " + degrees(user_item["item_degrees"]) + "\n" + shape(user_item);
  for (const json& relation : facts["item_relations"]) {
    text += fmt::format("item relation '{}' (weight {}): {} edges{}\n",
                        printable(relation["name"].get<std::string>()),
                        relation["weight"].get<double>(), relation["edges"].get<std::int64_t>(),
                        relation["hubs"].get<std::int64_t>() > 0
                            ? fmt::format(" to {} hubs", relation["hubs"].get<std::int64_t>())
                            : "");
    text += "  item degrees: " + degrees(relation["item_degrees"]) + "\n" + shape(relation);
  }
  print_text(text);
}

}  // namespace

void print_partition(const std::vector<PartitionReport>& reports, bool as_json) {
  if (as_json) {
    json all = json::array();
    for (const PartitionReport& report : reports) all.push_back(to_json(report));
    print(json{{"partitions", all}}.dump(2) + "\n");
    return;
  }
  std::string text =
      fmt::format("{:<10}{:>12}{:>10}{:>10}{:>14}{:>12}{:>10}{:>9}\n", "method", "edges cut",
                  "cut %", "balance", "edge balance", "halo rows", "halo/N", "s");
  for (const PartitionReport& report : reports) {
    const auto& q = report.quality;
    text += fmt::format("{:<10}{:>12}{:>10.1f}{:>10.3f}{:>14.3f}{:>12}{:>10.2f}{:>9.2f}\n",
                        enum_name(report.method), q.edge_cut, 100.0 * q.cut_share, q.balance,
                        q.edge_balance, q.halo, q.halo_share, report.seconds);
  }
  print(text);
}

void add_graph_verbs(CLI::App& program, Invocation& invocation) {
  const auto data = std::make_shared<std::string>();
  auto* graph_verb = program.add_subcommand(
      "graph", "Build the user-item and the item graph of a data set; print their statistics");
  add_common_options(*graph_verb, invocation, UsesDevice::no);
  graph_verb->add_option("data", *data, "Data set (X.data)")->required();
  graph_verb->callback([data, &invocation] {
    const Config config = invocation.config_for("graph");
    TerminalProgress progress = invocation.progress();
    const Dataset dataset = read_dataset(*data);
    print_graph(build_graphs(*data, dataset, config.graph, progress).statistics_json,
                invocation.json);
  });

  const auto parts = std::make_shared<std::int64_t>(0);
  const auto method = std::make_shared<std::string>();
  auto* partition_verb = program.add_subcommand(
      "partition", "Divide the graph by METIS; compare with range, hash and random");
  add_common_options(*partition_verb, invocation, UsesDevice::no);
  partition_verb->add_option("data", *data, "Data set (X.data)")->required();
  partition_verb->add_option("--parts", *parts, "Number of parts");
  partition_verb->add_option("--method", *method,
                             "metis, range, hash or random: the one whose parts are stored");
  partition_verb->callback([data, parts, method, partition_verb, &invocation] {
    Config config = invocation.config();
    if (partition_verb->count("--parts") > 0) {
      check_option("--parts", "partition.parts", *parts);
      config.partition.num_parts = *parts;
    }
    if (!method->empty())
      config.partition.method = parse_enum<partition::Method>(*method, "--method");
    invocation.check(config, "partition");
    TerminalProgress progress = invocation.progress();
    const Dataset dataset = read_dataset(*data);
    const Graphs graphs = load_or_build_graphs(*data, dataset, config.graph, progress);
    print_partition(partition_graphs(*data, dataset, graphs, config.partition, progress),
                    invocation.json);
  });
}

}  // namespace penchant::pipeline
