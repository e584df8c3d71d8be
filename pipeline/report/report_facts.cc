// SPDX-License-Identifier: Apache-2.0
// What a report shows, taken from the artefacts' manifests and from the model itself.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/analysis.h"
#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/files.h"
#include "kernels/transfer.h"
#include "partition/partition.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/json_file.h"
#include "pipeline/artifact/json_lines.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/data/graph_stage.h"
#include "pipeline/evaluation/evaluate.h"
#include "pipeline/model/model.h"
#include "pipeline/privacy/gaussian_accounting.h"
#include "pipeline/report/item_map.h"
#include "pipeline/report/report.h"
#include "pipeline/report/row_attack.h"
#include "pipeline/report/sample.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::NodeId;
using nlohmann::json;

namespace {

constexpr std::int64_t kMostPartitionEntries = 6'000'000;  ///< METIS takes about 5 s
constexpr std::int64_t kMostUsersOfBias = 300;
constexpr std::int64_t kListLength = 20;
constexpr std::size_t kMostCategories = 9;
constexpr std::size_t kMostNameBytes = 80;
constexpr std::uint64_t kMostTextBytes = std::uint64_t{64} << 20;  ///< config.toml, metrics.jsonl

using graph::at;

/// Nodes by degree in bins [2^k, 2^(k + 1)), and those of degree 0.
json degree_bins(const graph::CsrView& matrix) {
  std::vector<std::int64_t> bins;
  std::int64_t isolated = 0;
  for (std::int64_t row = 0; row < matrix.num_rows; ++row) {
    const std::int64_t degree = matrix.row_size(row);
    if (degree == 0) {
      ++isolated;
      continue;
    }
    const auto bin = static_cast<std::size_t>(std::log2(static_cast<double>(degree)));
    if (bin >= bins.size()) bins.resize(bin + 1);
    ++bins[bin];
  }
  json result = {{"isolated", isolated}, {"from", json::array()}, {"nodes", bins}};
  for (std::size_t bin = 0; bin < bins.size(); ++bin)
    result["from"].push_back(std::int64_t{1} << bin);
  return result;
}

json graph_facts(const graph::UserItemGraph& graph, const graph::CsrView& adjacency,
                 const json& statistics) {
  const graph::Components components = graph::connected_components(adjacency);
  std::vector<std::int64_t> sizes(at(components.count));
  for (const NodeId component : components.component) ++sizes[at(component)];
  std::map<std::int64_t, std::int64_t> by_size;
  for (const std::int64_t size : sizes) ++by_size[size];
  const std::vector<NodeId> cores = graph::core_numbers(adjacency);
  std::map<NodeId, std::int64_t> by_core;
  for (const NodeId core : cores) ++by_core[core];
  json result = {{"user_degrees", degree_bins(graph.user_items.view())},
                 {"item_degrees", degree_bins(graph.item_users.view())},
                 {"components", {{"size", json::array()}, {"count", json::array()}}},
                 {"cores", {{"core", json::array()}, {"nodes", json::array()}}},
                 {"statistics", statistics}};
  for (const auto& [size, count] : by_size) {
    result["components"]["size"].push_back(size);
    result["components"]["count"].push_back(count);
  }
  for (const auto& [core, nodes] : by_core) {
    result["cores"]["core"].push_back(core);
    result["cores"]["nodes"].push_back(nodes);
  }
  return result;
}

/// A value of an artefact's manifest.
json value_of(const fs::path& directory, const char* kind, const char* key) {
  const json manifest = read_manifest(directory, kind);
  json value;
  take_values(directory / kManifestName, [&] { value = manifest.at(key); });
  return value;
}

/// What the partition stage found, or what METIS and chance give now on graphs that are not large.
/// Whether the data set has such a part. One that is there and cannot be read is an error: a page would
/// silently show something else.
bool has_part(const fs::path& directory, std::string_view kind) {
  if (!fs::exists(directory / kManifestName)) return false;
  read_manifest(directory, kind);
  return true;
}

json partition_facts(const fs::path& data_directory, const graph::CsrView& adjacency) {
  const fs::path directory = data_directory / "partition";
  if (has_part(directory, kPartitionArtifact))
    return value_of(directory, kPartitionArtifact, "comparison");
  json result = json::array();
  constexpr std::int64_t kParts = 8;
  if (adjacency.num_entries() > kMostPartitionEntries || adjacency.num_rows < kParts) return result;
  for (const auto method : {partition::Method::metis, partition::Method::random}) {
    partition::PartitionOptions options;
    options.method = method;
    options.num_parts = kParts;
    const partition::Quality quality = partition::measure_quality(
        adjacency, partition::partition_nodes(adjacency, options), kParts);
    result.push_back({{"method", enum_name(method)},
                      {"parts", kParts},
                      {"cut_share", quality.cut_share},
                      {"balance", quality.balance},
                      {"halo_share", quality.halo_share}});
  }
  return result;
}

std::string text_of(const fs::path& path) {
  return fs::exists(path) ? graph::read_file(path, kMostTextBytes) : std::string();
}

json json_lines(const fs::path& path) {
  json lines = json::array();
  std::istringstream file(text_of(path));
  for (std::string line; std::getline(file, line);) {
    json entry = parse_json_line(line);
    if (entry.is_object()) lines.push_back(std::move(entry));
  }
  return lines;
}

std::string short_name(const Dataset& dataset, NodeId item) {
  return shortened(item_label(dataset, item), kMostNameBytes);
}

/// The attribute that colours the map: one that is called category, else the first with values.
const graph::Attribute* category_of(const graph::Catalog& catalog) {
  const graph::Attribute* chosen = nullptr;
  for (const graph::Attribute& attribute : catalog.attributes) {
    if (attribute.kind != graph::AttributeKind::categorical &&
        attribute.kind != graph::AttributeKind::list)
      continue;
    if (attribute.name.find("categ") != std::string::npos) return &attribute;
    if (chosen == nullptr) chosen = &attribute;
  }
  return chosen;
}

json map_facts(const Model& model, const ReportOptions& options) {
  constexpr std::int64_t kMostOfCovariance = 20000;
  const Dataset& dataset = model.dataset();
  json map = {{"items", json::array()}};
  const std::int64_t dim = model.layout().embedding_dim;
  if (dim == 0) return map;
  kernels::Download<float> download;
  const kernels::ConstFloatView items = download(model.items().cols_of(0, dim), model.backend());
  const std::vector<std::int64_t> shown = draw_sample(items.rows, options.max_map_items, 102);
  const ItemMap places =
      map_items(items, shown, draw_sample(items.rows, kMostOfCovariance, 101), model.backend());
  map["variance_share"] = places.variance_share;
  map["umap"] = !places.umap.empty();
  map["num_items"] = items.rows;

  const graph::Attribute* category = category_of(dataset.catalog);
  const auto value_of = [&](std::int64_t item) {
    const auto row = category->item_values.view().row(item);
    return row.empty() ? graph::kNoNode : row.front();
  };
  std::map<NodeId, std::int64_t> counts;
  if (category != nullptr) {
    for (const std::int64_t item : shown) {
      if (value_of(item) != graph::kNoNode) ++counts[value_of(item)];
    }
    map["category"] = category->name;
  }
  std::vector<std::pair<std::int64_t, NodeId>> order;
  for (const auto& [value, count] : counts) order.emplace_back(-count, value);
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), kMostCategories));
  const auto group_of = [&](std::int64_t item) -> std::string {
    if (category == nullptr) return "items";
    const NodeId value = value_of(item);
    for (const auto& [count, known] : order) {
      if (known == value) return std::string(category->values.raw(value));
    }
    return value == graph::kNoNode ? "none" : "other";
  };
  const auto point = [](const std::vector<double>& coordinates, std::size_t row) {
    return json{std::round(coordinates[2 * row] * 1e4) / 1e4,
                std::round(coordinates[2 * row + 1] * 1e4) / 1e4};
  };
  for (std::size_t row = 0; row < shown.size(); ++row) {
    const auto id = static_cast<NodeId>(shown[row]);
    json item = {{"components", point(places.components, row)},
                 {"group", group_of(id)},
                 {"name", short_name(dataset, id)},
                 {"id", std::string(dataset.items.raw(id))},
                 {"count", dataset.item_statistics.count[at(id)]}};
    if (!places.umap.empty()) item["umap"] = point(places.umap, row);
    map["items"].push_back(std::move(item));
  }
  return map;
}

/// A filter may have no vectors, and a model nothing beside them.
Ranking shown_ranking(const Model& model, const ReportOptions& options) {
  if (model.layout().width() == 0) return Ranking::full;
  return model.has_scorer() ? options.ranking : Ranking::vectors;
}

/// Half of the items among the most popular, half from the whole catalogue.
json neighbour_facts(const Model& model, const ReportOptions& options) {
  json result = json::array();
  const Dataset& dataset = model.dataset();
  const std::int64_t num_items = dataset.num_items();
  if (model.layout().width() == 0 || num_items <= options.num_neighbours) return result;
  const std::vector<std::int64_t>& counts = dataset.item_statistics.count;
  const std::int64_t popular = std::min(num_items, options.num_neighbour_items / 2);
  std::vector<NodeId> chosen = most_frequent(counts, popular);
  for (const std::int64_t item : draw_sample(num_items, options.num_neighbour_items - popular, 103))
    chosen.push_back(static_cast<NodeId>(item));
  for (const NodeId item : chosen) {
    json neighbours = json::array();
    for (const ScoredItem& near : model.similar(dataset.items.raw(item), options.num_neighbours))
      neighbours.push_back({{"name", short_name(dataset, near.item)},
                            {"id", std::string(dataset.items.raw(near.item))},
                            {"cosine", near.score}});
    result.push_back({{"name", short_name(dataset, item)},
                      {"id", std::string(dataset.items.raw(item))},
                      {"count", counts[at(item)]},
                      {"neighbours", neighbours}});
  }
  return result;
}

/// Items in ten groups of equal number, the most popular first: their share of the training rows
/// and of the recommendations to a sample of users.
json bias_facts(const Model& model, const ReportOptions& options) {
  const Dataset& dataset = model.dataset();
  constexpr std::int64_t kGroups = 10;
  const std::int64_t num_items = dataset.num_items();
  const std::int64_t length = std::min(kListLength, num_items);
  const std::vector<std::int64_t>& counts = dataset.item_statistics.count;
  std::vector<NodeId> order(at(num_items));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](NodeId a, NodeId b) { return counts[at(a)] > counts[at(b)]; });
  std::vector<std::int64_t> group(at(num_items));
  for (std::int64_t rank = 0; rank < num_items; ++rank)
    group[at(order[at(rank)])] = rank * kGroups / num_items;
  std::vector<double> rows(kGroups, 0.0);
  std::vector<double> lists(kGroups, 0.0);
  for (std::int64_t item = 0; item < num_items; ++item)
    rows[at(group[at(item)])] += static_cast<double>(counts[at(item)]);
  std::vector<std::uint8_t> reached(at(num_items), 0);
  const std::vector<std::int64_t> users = draw_sample(dataset.num_users(), kMostUsersOfBias, 104);
  for (const std::int64_t user : users) {
    for (const ScoredItem& item :
         model.recommend(dataset.users.raw(static_cast<NodeId>(user)), length, options.seen_items,
                         shown_ranking(model, options))) {
      if (item.item == graph::kNoNode) continue;
      lists[at(group[at(item.item)])] += 1;
      reached[at(item.item)] = 1;
    }
  }
  const auto shares = [](std::vector<double> values) {
    const double total = std::max(1.0, std::accumulate(values.begin(), values.end(), 0.0));
    for (double& value : values) value /= total;
    return values;
  };
  const auto distinct = std::accumulate(reached.begin(), reached.end(), std::int64_t{0});
  return {{"training", shares(rows)}, {"recommended", shares(lists)}, {"users", users.size()},
          {"length", length},         {"distinct_items", distinct},   {"num_items", num_items}};
}

json metric_facts(const Model& model, const ReportOptions& options, Progress& progress) {
  const Dataset& dataset = model.dataset();
  if (dataset.split.test.empty()) return json::object();
  EvaluateOptions evaluation;
  evaluation.max_users = options.max_users;
  evaluation.seen_items = options.seen_items;
  evaluation.ranking = shown_ranking(model, options);
  evaluation = evaluation.fitted(dataset.num_items(), progress);
  const EvaluateReport report = evaluate(model, evaluation, progress);
  const EvaluateReport popularity =
      evaluate_popularity(dataset, evaluation, model.backend(), progress);
  return {{"ranking", enum_name(evaluation.ranking)},
          {"model", evaluation.ranking == Ranking::full ? report.full : report.metrics},
          {"popularity", popularity.metrics},
          {"users", report.num_users},
          {"sampled", options.max_users > 0 && report.num_users == options.max_users},
          {"seen_items_masked", report.seen_items_masked}};
}

/// "vectors + 0.05 popularity + 2 filter".
std::string score_text(std::span<const ScoreTerm> terms) {
  std::string text;
  for (const ScoreTerm& term : terms) {
    text += text.empty() ? "" : " + ";
    if (term.weight != 1.0) text += fmt::format("{:.4g} ", term.weight);
    text += enum_name(term.kind);
  }
  return text;
}

std::string lookup_summary(const json& lookup) {
  if (lookup.is_null()) return "none";
  std::string text = fmt::format("{} items", lookup["items"]["shown"].get<std::int64_t>());
  if (lookup.contains("users"))
    text += fmt::format(", {} users", lookup["users"]["shown"].get<std::int64_t>());
  return text;
}

json stage_facts(const fs::path& data_directory, const json& data, const json& model) {
  json stages = json::array();
  const auto add = [&](const char* name, const json& resources) {
    if (!resources.is_object()) return;
    stages.push_back({{"stage", name},
                      {"seconds", resources.value("seconds", 0.0)},
                      {"peak_bytes", resources.value("peak_bytes", std::int64_t{0})}});
  };
  add("ingest", data.value("/provenance/resources"_json_pointer, json()));
  for (const char* stage : {"graph", "partition"}) {
    if (has_part(data_directory / stage, stage))
      add(stage, read_manifest(data_directory / stage, stage).value("resources", json()));
  }
  add("train", model.value("resources", json()));
  return stages;
}

/// What the model promises of people, if it does, and what a simple attack gets out of its vectors.
json privacy_facts(const Model& model, const json& model_manifest) {
  json facts = json::object();
  if (const auto promised = model_manifest.find("privacy"); promised != model_manifest.end()) {
    const double epsilon = promised->at("epsilon").get<double>();
    const double delta = promised->at("delta").get<double>();
    facts["promised"] = {{"epsilon", epsilon},
                         {"delta", delta},
                         {"unit", promised->at("unit")},
                         {"largest_advantage", largest_advantage(epsilon, delta)}};
  }
  if (const auto attack = attack_rows(model))
    facts["attack"] = {{"people", attack->num_people}, {"advantage", attack->advantage}};
  return facts;
}

}  // namespace

json report_facts(const Model& model, const ReportOptions& options, Progress& progress) {
  const Dataset& dataset = model.dataset();
  const fs::path& data_directory = dataset.directory;
  const fs::path& model_directory = model.directory();
  const json data_manifest = read_manifest(data_directory, "data");
  const json model_manifest = read_manifest(model_directory, "model");
  progress.begin("report");
  json statistics = json::object();
  if (has_part(data_directory / "graph", kGraphArtifact))
    statistics = value_of(data_directory / "graph", kGraphArtifact, "statistics");
  json facts;
  facts["title"] = model_directory.filename().string();
  facts["data"] = (data_directory / "").parent_path().filename().string();  // also of "shop.data/"
  facts["rows"] = value_of(data_directory, kDataArtifact, "rows");
  facts["files"] = data_manifest.value("files_read", json::array());  // older programs wrote none
  facts["sizes"] = {{"users", dataset.num_users()},
                    {"items", dataset.num_items()},
                    {"train", dataset.split.train.interactions.size()},
                    {"validation", dataset.split.validation.size()},
                    {"test", dataset.split.test.size()}};
  {
    const graph::UserItemGraph graph = graph::build_user_item_graph(
        dataset.split.train, dataset.num_users(), dataset.num_items(),
        graph_options_from_json(model_manifest.at("graph_options")).user_item);
    const graph::Csr adjacency = graph::bipartite_adjacency(graph.user_items.view());
    facts["graph"] = graph_facts(graph, adjacency.view(), statistics);
    facts["partition"] = partition_facts(data_directory, adjacency.view());
  }
  progress.update(1, 5, "graph");
  stop_if_asked(progress);
  facts["training"] = json_lines(model_directory / kMetricsName);
  facts["stages"] = stage_facts(data_directory, data_manifest, model_manifest);
  facts["map"] = map_facts(model, options);
  progress.update(2, 5, "map");
  stop_if_asked(progress);
  facts["neighbours"] = neighbour_facts(model, options);
  progress.update(3, 5, "neighbours");
  stop_if_asked(progress);
  facts["bias"] = bias_facts(model, options);
  progress.update(4, 5, "recommendations");
  stop_if_asked(progress);
  progress.end("data, graph and vectors");
  progress.begin("look-up");
  facts["lookup"] =
      lookup_facts(model, options.lookup,
                   {kListLength, options.seen_items, shown_ranking(model, options)}, progress);
  progress.end(lookup_summary(facts["lookup"]));
  facts["metrics"] = metric_facts(model, options, progress);
  facts["privacy"] = privacy_facts(model, model_manifest);
  facts["configuration"] = text_of(model_directory / "config.toml");
  facts["versions"] = {{"penchant, data", data_manifest.at("penchant_version")},
                       {"penchant, model", model_manifest.at("penchant_version")},
                       {"data made", data_manifest.at("created")},
                       {"model made", model_manifest.at("created")},
                       {"model", model_manifest.at("model").at("kind")},
                       {"trained on", model_manifest.value("device", "unknown")},
                       {"report made on", model.backend().description()},
                       {"data hash", dataset.hash},
                       {"model hash", model.hash()},
                       {"full score", score_text(model.terms())}};
  if (model_manifest.contains("chosen")) facts["versions"]["chosen"] = model_manifest["chosen"];
  return facts;
}

}  // namespace penchant::pipeline
