// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/partition_stage.h"

#include <chrono>
#include <cmath>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/npy.h"
#include "graph/propagation_graph.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/npy_file.h"
#include "pipeline/data/store.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using nlohmann::json;

json to_json(const PartitionReport& report) {
  const partition::Quality& quality = report.quality;
  return {{"method", enum_name(report.method)},
          {"parts", quality.num_parts},
          {"edge_cut", quality.edge_cut},
          {"cut_share", quality.cut_share},
          {"balance", quality.balance},
          {"edge_balance", quality.edge_balance},
          {"halo", quality.halo},
          {"halo_share", quality.halo_share},
          {"empty_parts", quality.empty_parts},
          {"seconds", report.seconds}};
}

namespace {

/// Says once that the parts are not what was asked for.
void warn_of_parts(const partition::PartitionOptions& options, const partition::Quality& quality,
                   std::int64_t num_nodes, Progress& progress) {
  constexpr double kRounding = 0.005;  // METIS counts with floats
  const double average = static_cast<double>(num_nodes) / static_cast<double>(options.num_parts);
  // A part holds whole nodes: the best balance there is.
  const double allowed = std::max(options.imbalance, std::ceil(average) / average) + kRounding;
  const bool unbalanced = options.method == partition::Method::metis && quality.balance > allowed;
  if (quality.empty_parts == 0 && !unbalanced) return;
  progress.warn(fmt::format(
      "partition: {} of {} parts are used, balance {:.3f} (partition.imbalance is {:.3f}): {} "
      "nodes are few for so many parts; a smaller partition.parts fills them",
      options.num_parts - quality.empty_parts, options.num_parts, quality.balance,
      options.imbalance, num_nodes));
}

/// What a partition is made by, as its manifest says it.
json partition_inputs(const Dataset& dataset, const Graphs& graphs,
                      const partition::PartitionOptions& options) {
  return {{"data_hash", dataset.hash},
          {"graph_options", stored_graph_options(graphs.options)},
          {"parts", options.num_parts},
          {"method", enum_name(options.method)},
          {"seed", static_cast<std::uint64_t>(options.seed)},
          {"imbalance", options.imbalance}};
}

struct Partition {
  std::vector<PartitionReport> reports;
  std::vector<graph::NodeId> order;
};

Partition make_partition(const fs::path& data_directory, const Dataset& dataset,
                         const Graphs& graphs, const partition::PartitionOptions& options,
                         Progress& progress, Storing storing, const std::string& stamp) {
  using partition::Method;
  progress.begin("partition");
  const auto begun = std::chrono::steady_clock::now();
  std::optional<ArtifactWriter> writer;
  store(storing, progress, [&] {
    writer.emplace(Destination{data_directory / "partition", stamp}, kPartitionArtifact);
    writer->clear();
  });
  const Csr adjacency = graph::build_propagation_graph(graphs.user_item, graphs.item).adjacency;
  std::vector<Method> methods = {options.method};
  for (const Method method : {Method::metis, Method::range, Method::hash, Method::random}) {
    if (method != options.method) methods.push_back(method);
  }
  Partition result;
  std::vector<PartitionReport>& reports = result.reports;
  std::vector<graph::NodeId> chosen_parts;
  json comparison = json::array();
  for (const Method method : methods) {
    partition::PartitionOptions chosen = options;
    chosen.method = method;
    const auto start = std::chrono::steady_clock::now();
    std::vector<graph::NodeId> parts = partition::partition_nodes(adjacency.view(), chosen);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    reports.push_back(
        {method, partition::measure_quality(adjacency.view(), parts, options.num_parts), seconds});
    comparison.push_back(to_json(reports.back()));
    if (method == options.method) {
      result.order = partition::part_order(adjacency.view(), parts, options.num_parts);
      chosen_parts = std::move(parts);
    }
    progress.update(static_cast<std::int64_t>(reports.size()),
                    static_cast<std::int64_t>(methods.size()), enum_name(method));
    stop_if_asked(progress);
  }
  if (writer) {
    store(storing, progress, [&] {
      write_npy_file(writer->folder() / "parts.npy", chosen_parts);
      write_npy_file(writer->folder() / "order.npy", result.order);
      json manifest = partition_inputs(dataset, graphs, options);
      manifest["resources"] = resources_since(begun);
      manifest["comparison"] = comparison;
      writer->finish(std::move(manifest));
    });
  }
  warn_of_parts(options, reports.front().quality, adjacency.num_rows, progress);
  progress.end(fmt::format("{} parts by {}: {:.1f} % of edges cut, balance {:.3f}",
                           options.num_parts, enum_name(options.method),
                           100.0 * reports.front().quality.cut_share,
                           reports.front().quality.balance));
  return result;
}

/// Every node once.
bool is_permutation(const std::vector<graph::NodeId>& order) {
  std::vector<bool> seen(order.size(), false);
  for (const graph::NodeId node : order) {
    if (node < 0 || static_cast<std::size_t>(node) >= order.size() ||
        seen[static_cast<std::size_t>(node)])
      return false;
    seen[static_cast<std::size_t>(node)] = true;
  }
  return true;
}

}  // namespace

partition::PartitionOptions fitted(partition::PartitionOptions options, const Dataset& dataset,
                                   Progress& progress) {
  const std::int64_t num_nodes = dataset.num_users() + dataset.num_items();
  if (options.num_parts <= num_nodes) return options;
  progress.warn(fmt::format("partition.parts is {}, and there are {} users and items: {} parts",
                            options.num_parts, num_nodes, num_nodes));
  options.num_parts = num_nodes;
  return options;
}

std::vector<PartitionReport> partition_graphs(const fs::path& data_directory,
                                              const Dataset& dataset, const Graphs& graphs,
                                              const partition::PartitionOptions& options,
                                              Progress& progress, const std::string& stamp) {
  return make_partition(data_directory, dataset, graphs, options, progress, Storing::required,
                        stamp)
      .reports;
}

std::vector<graph::NodeId> make_order(const Graphs& graphs,
                                      const partition::PartitionOptions& options) {
  const Csr adjacency = graph::build_propagation_graph(graphs.user_item, graphs.item).adjacency;
  return partition::part_order(
      adjacency.view(), partition::partition_nodes(adjacency.view(), options), options.num_parts);
}

std::vector<graph::NodeId> load_or_make_order(const fs::path& data_directory,
                                              const Dataset& dataset, const Graphs& graphs,
                                              const partition::PartitionOptions& options,
                                              Progress& progress) {
  const fs::path directory = data_directory / "partition";
  const auto stored = [&]() -> std::vector<graph::NodeId> {
    if (!is_finished(directory, kPartitionArtifact)) return {};
    const json manifest = read_manifest(directory, kPartitionArtifact);
    const json inputs = partition_inputs(dataset, graphs, options);
    for (const auto& [key, value] : inputs.items()) {
      if (manifest.value(key, json()) != value) return {};
    }
    if (!manifest.contains("files")) return {};  // of an earlier program
    check_files(directory, kPartitionArtifact, manifest);
    const fs::path file = directory / "order.npy";
    auto order = graph::read_npy<graph::NodeId>(file);
    std::int64_t nodes = dataset.num_users() + dataset.num_items();
    for (const graph::Relation& relation : graphs.item.relations) nodes += relation.num_hubs;
    if (static_cast<std::int64_t>(order.size()) != nodes || !is_permutation(order)) {
      throw InputError(
          fmt::format("{}: damaged: not an order of the graph's {} nodes", file.string(), nodes));
    }
    return order;
  };
  std::vector<graph::NodeId> order = read_whole(directory, stored);
  if (!order.empty()) return order;
  return make_partition(data_directory, dataset, graphs, options, progress, Storing::if_possible,
                        "")
      .order;
}

}  // namespace penchant::pipeline
