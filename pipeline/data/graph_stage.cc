// SPDX-License-Identifier: Apache-2.0
#include "pipeline/data/graph_stage.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/analysis.h"
#include "graph/enum_names.h"
#include "graph/error.h"
#include "graph/link_graph.h"
#include "graph/npy.h"
#include "graph/propagation_graph.h"
#include "pipeline/artifact/artifact.h"
#include "pipeline/artifact/bounds.h"
#include "pipeline/artifact/interrupt.h"
#include "pipeline/artifact/manifest.h"
#include "pipeline/artifact/npy_file.h"
#include "pipeline/data/known_graphs.h"
#include "pipeline/data/mapped_rows.h"
#include "pipeline/data/store.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::Csr;
using nlohmann::json;

namespace {

json degrees_to_json(const graph::CsrView& matrix) {
  const graph::DegreeSummary degrees = graph::summarize_degrees(matrix);
  return {{"mean", degrees.mean},         {"minimum", degrees.minimum},
          {"median", degrees.median},     {"p90", degrees.p90},
          {"p99", degrees.p99},           {"maximum", degrees.maximum},
          {"isolated", degrees.isolated}, {"gini", degrees.gini}};
}

json shape_to_json(const graph::CsrView& symmetric) {
  const graph::Components components = graph::connected_components(symmetric);
  const std::vector<graph::NodeId> cores = graph::core_numbers(symmetric);
  const graph::NodeId degeneracy =
      cores.empty() ? 0 : *std::max_element(cores.begin(), cores.end());
  return {{"components", components.count},
          {"largest_component", components.largest},
          {"degeneracy", degeneracy},
          {"nodes_in_innermost_core", std::count(cores.begin(), cores.end(), degeneracy)}};
}

/// Of all links between users, whatever weight they have in a model.
json link_statistics(const Dataset& dataset) {
  json kinds = json::array();
  for (const graph::UserLinks& kind : dataset.links) {
    const graph::Relation relation = graph::relation_of(kind, 1.0F);
    json entry = shape_to_json(relation.edges.view());
    entry["name"] = kind.name;
    entry["directed"] = kind.directed;
    entry["links"] = kind.links.view().num_entries() / (kind.directed ? 1 : 2);
    entry["user_degrees"] = degrees_to_json(kind.links.view());
    kinds.push_back(std::move(entry));
  }
  return kinds;
}

json statistics(const Graphs& graphs) {
  const graph::CsrView user_items = graphs.user_item.user_items.view();
  json user_item = shape_to_json(graph::bipartite_adjacency(user_items).view());
  user_item["users"] = user_items.num_rows;
  user_item["items"] = user_items.num_cols;
  user_item["edges"] = user_items.num_entries();
  const double cells =
      static_cast<double>(user_items.num_rows) * static_cast<double>(user_items.num_cols);
  user_item["density"] = cells > 0 ? static_cast<double>(user_items.num_entries()) / cells : 0.0;
  user_item["user_degrees"] = degrees_to_json(user_items);
  user_item["item_degrees"] = degrees_to_json(graphs.user_item.item_users.view());
  json relations = json::array();
  for (const graph::Relation& relation : graphs.item.relations) {
    const bool square = relation.rows == relation.columns;
    json entry = square ? shape_to_json(relation.edges.view())
                        : shape_to_json(graph::bipartite_adjacency(relation.edges.view()).view());
    entry["name"] = relation.name;
    entry["rows"] = enum_name(relation.rows);
    entry["columns"] = enum_name(relation.columns);
    entry["weight"] = relation.weight;
    entry["hubs"] = relation.num_hubs;
    entry["edges"] = relation.edges.view().num_entries() / (square ? 2 : 1);
    entry["item_degrees"] = degrees_to_json(relation.edges.view());
    relations.push_back(std::move(entry));
  }
  return {{"user_item", user_item}, {"item_relations", relations}};
}

/// NAME.hub_values.npy of a relation with hubs.
std::string hub_values_file(const std::string& name) { return name + ".hub_values.npy"; }

void write_csr(const fs::path& directory, const std::string& name, const Csr& csr) {
  write_npy_file(directory / (name + ".offsets.npy"), csr.offsets);
  write_npy_file(directory / (name + ".columns.npy"), csr.columns);
  write_npy_file(directory / (name + ".values.npy"), csr.values);
}

Csr read_csr(const fs::path& directory, const std::string& name, std::int64_t num_rows,
             std::int64_t num_cols) {
  Csr csr{num_rows, num_cols,
          graph::read_npy<graph::EdgeOffset>(directory / (name + ".offsets.npy")),
          graph::read_npy<graph::NodeId>(directory / (name + ".columns.npy")),
          graph::read_npy<float>(directory / (name + ".values.npy"))};
  try {
    graph::validate(csr.view());
  } catch (const InputError& error) {
    throw InputError(
        fmt::format("{}: damaged: {}", (directory / (name + ".*.npy")).string(), error.what()));
  }
  return csr;
}

/// Whether its graphs are to be built again: it names no files, or not what its hubs stand for.
bool of_earlier_program(const json& manifest) {
  if (!manifest.contains("files")) return true;
  const json relations = manifest.value("/statistics/item_relations"_json_pointer, json::array());
  return std::any_of(relations.begin(), relations.end(),
                     [](const json& relation) { return !relation.contains("columns"); });
}

Graphs read_graphs(const fs::path& directory, const Dataset& dataset, const json& manifest) {
  Graphs graphs;
  graphs.user_item.num_users = dataset.num_users();
  graphs.user_item.num_items = dataset.num_items();
  graphs.user_item.user_items =
      read_csr(directory, "user_item", dataset.num_users(), dataset.num_items());
  graphs.user_item.item_users = graph::transpose(graphs.user_item.user_items.view());
  graphs.item.num_items = dataset.num_items();
  std::size_t index = 0;
  for (const json& entry : manifest.at("statistics").at("item_relations")) {
    const auto num_hubs = entry.at("hubs").get<std::int64_t>();
    const auto weight = entry.at("weight").get<float>();
    std::int64_t links = 0;
    for (const graph::Attribute& attribute : dataset.catalog.attributes)
      links = std::max(links, attribute.item_values.num_cols);
    if (num_hubs < 0 || num_hubs > links || !(weight >= 0.0F) || !std::isfinite(weight)) {
      throw InputError(fmt::format(
          "{}: damaged: a relation has {} hubs and weight {}, expected at most the {} values of an "
          "attribute and a weight that is not negative",
          (directory / kManifestName).string(), num_hubs, weight, links));
    }
    const std::string name = fmt::format("relation{}", index++);
    const auto kind_of = [&](const char* key) {
      return parse_enum<graph::NodeKind>(entry.at(key).get<std::string>(),
                                         (directory / kManifestName).string() + ": " + key);
    };
    graph::Relation relation{.name = entry.at("name").get<std::string>(),
                             .rows = kind_of("rows"),
                             .columns = kind_of("columns"),
                             .weight = weight,
                             .num_hubs = num_hubs,
                             .edges = read_csr(directory, name, dataset.num_items(),
                                               num_hubs == 0 ? dataset.num_items() : num_hubs)};
    if (num_hubs > 0) {
      const fs::path file = directory / hub_values_file(name);
      relation.hub_values = graph::read_npy<graph::NodeId>(file);
      if (static_cast<std::int64_t>(relation.hub_values.size()) != num_hubs)
        throw InputError(fmt::format("{}: damaged: {} values of {} hubs", file.string(),
                                     relation.hub_values.size(), num_hubs));
      const graph::Attribute* const attribute = dataset.catalog.find(relation.name);
      relation.of_vectors = attribute != nullptr && attribute->content.width > 0;
    }
    graphs.item.relations.push_back(std::move(relation));
  }
  graphs.statistics_json = manifest.at("statistics").dump();
  return graphs;
}

}  // namespace

json graph_options_to_json(const GraphOptions& options) {
  json all = stored_graph_options(options);
  all["link_weight"] = options.link_weight ? json(*options.link_weight) : json();
  all["link_weights"] = options.link_weights;
  return all;
}

json stored_graph_options(const GraphOptions& options) {
  return {{"user_item_weight", enum_name(options.user_item.weight)},
          {"cooccurrence", options.item.cooccurrence},
          {"cooccurrence_scope", enum_name(options.item.cooccurrence_options.scope)},
          {"cooccurrence_weighting", enum_name(options.item.cooccurrence_options.weight)},
          {"cooccurrence_window", options.item.cooccurrence_options.window},
          {"cooccurrence_top_k", options.item.cooccurrence_options.top_k},
          {"cooccurrence_max_basket", options.item.cooccurrence_options.max_basket},
          {"cooccurrence_relation_weight", options.item.cooccurrence_weight},
          {"attributes", options.item.attributes},
          {"all_attributes", options.item.all_attributes},
          {"attribute_relation_weight", options.item.attribute_weight},
          {"max_value_share", options.item.max_value_share}};
}

float GraphOptions::weight_of_links(const std::string& name) const {
  if (link_weight) return *link_weight;
  const auto found = link_weights.find(name);
  return found == link_weights.end() ? 0.0F : found->second;
}

GraphOptions graph_options_from_json(const json& stored) {
  GraphOptions options;
  options.user_item.weight = parse_enum<graph::EdgeWeight>(
      stored.at("user_item_weight").get<std::string>(), "user_item_weight");
  graph::ItemGraphOptions& item = options.item;
  item.cooccurrence = stored.at("cooccurrence").get<bool>();
  item.cooccurrence_options.scope = parse_enum<graph::CooccurrenceScope>(
      stored.at("cooccurrence_scope").get<std::string>(), "cooccurrence_scope");
  item.cooccurrence_options.weight = parse_enum<graph::CooccurrenceWeight>(
      stored.at("cooccurrence_weighting").get<std::string>(), "cooccurrence_weighting");
  item.cooccurrence_options.window = stored.at("cooccurrence_window").get<std::int64_t>();
  item.cooccurrence_options.top_k = stored.at("cooccurrence_top_k").get<std::int64_t>();
  item.cooccurrence_options.max_basket = stored.at("cooccurrence_max_basket").get<std::int64_t>();
  item.cooccurrence_weight = stored.at("cooccurrence_relation_weight").get<float>();
  item.attributes = stored.at("attributes").get<std::vector<std::string>>();
  item.all_attributes = stored.at("all_attributes").get<bool>();
  item.attribute_weight = stored.at("attribute_relation_weight").get<float>();
  item.max_value_share = stored.at("max_value_share").get<double>();
  constexpr std::string_view kPlace = "damaged";
  // Earlier programs knew no links between users.
  if (const json weight = stored.value("link_weight", json()); !weight.is_null()) {
    options.link_weight = weight.get<float>();
    check_bounds("graph.relation_weight", static_cast<double>(*options.link_weight), kPlace);
  }
  const json weights = stored.value("link_weights", json::object());
  for (const auto& [name, weight] : weights.items()) {
    options.link_weights[name] = weight.get<float>();
    check_bounds("graph.relation_weight", weight.get<double>(), kPlace);
  }
  check_bounds("graph.window", item.cooccurrence_options.window, kPlace);
  check_bounds("graph.top_k", item.cooccurrence_options.top_k, kPlace);
  check_bounds("graph.max_basket", item.cooccurrence_options.max_basket, kPlace);
  check_bounds("graph.cooccurrence_weight", static_cast<double>(item.cooccurrence_weight), kPlace);
  check_bounds("graph.attribute_weight", static_cast<double>(item.attribute_weight), kPlace);
  check_bounds("graph.max_value_share", item.max_value_share, kPlace);
  return options;
}

graph::UserItemGraph make_user_item_graph(const graph::TrainingPart& train, const Dataset& dataset,
                                          const GraphOptions& options) {
  graph::UserItemGraph graph = graph::build_user_item_graph(train, dataset.num_users(),
                                                            dataset.num_items(), options.user_item);
  if (graph.user_items.columns.empty())
    throw InputError("graph: no edge is left between users and items");
  return graph;
}

Graphs weighed(const Graphs& graphs, graph::EdgeWeight weight, const Dataset& dataset,
               KnownPart known) {
  GraphOptions options = graphs.options;
  options.user_item.weight = weight;
  graph::UserItemGraph user_item = make_known_links(dataset, known, options);
  return {std::move(options), std::move(user_item), graphs.item, graphs.links, {}};
}

graph::UserItemGraph make_known_links(const Dataset& dataset, KnownPart known,
                                      const GraphOptions& options) {
  const bool both = known == KnownPart::train_and_validation;
  if (dataset.use == DatasetUse::lookup && options.user_item.weight == graph::EdgeWeight::ones) {
    const MappedRows train(dataset, "train");
    std::vector<graph::PartRows> parts = {{train.users.values(), train.items.values()}};
    std::optional<MappedRows> validation;
    if (both) {
      validation.emplace(dataset, "validation");
      parts.push_back({validation->users.values(), validation->items.values()});
    }
    try {
      return graph::link_users_and_items(parts, dataset.num_users(), dataset.num_items());
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: damaged: {}", dataset.directory.string(), error.what()));
    }
  }
  const bool whole = dataset.use == DatasetUse::everything;
  const graph::SplitInteractions read =
      whole ? graph::SplitInteractions{} : read_known_rows(dataset);
  const graph::SplitInteractions& split = whole ? dataset.split : read;
  if (!both) return make_user_item_graph(split.train, dataset, options);
  return make_user_item_graph(train_and_validation(split, dataset.num_users()), dataset, options);
}

Graphs make_graphs(const graph::TrainingPart& train, const Dataset& dataset,
                   const GraphOptions& options) {
  Graphs graphs;
  graphs.options = options;
  graphs.user_item = make_user_item_graph(train, dataset, options);
  graphs.item = graph::build_item_graph(train, dataset.catalog,
                                        possible_item_options(train.interactions, options.item));
  graphs.links = make_link_relations(dataset, options);
  return graphs;
}

std::vector<graph::Relation> make_link_relations(const Dataset& dataset,
                                                 const GraphOptions& options) {
  std::vector<graph::Relation> relations;
  for (const graph::UserLinks& kind : read_user_links(dataset)) {
    const float weight = options.weight_of_links(kind.name);
    if (weight != 0.0F) relations.push_back(graph::relation_of(kind, weight));
  }
  return relations;
}

graph::PropagationGraph propagation_graph(const Graphs& graphs) {
  return graph::build_propagation_graph(graphs.user_item, graphs.item, graphs.links);
}

namespace {

/// Says where co-occurrence cannot be read off the log as it was asked for (make_graphs).
void tell_of_cooccurrence(const Dataset& dataset, const GraphOptions& options, Progress& progress) {
  if (!options.item.cooccurrence) return;
  const graph::Interactions& log = dataset.split.train.interactions;
  if (log.time_ms.empty() && log.session.empty()) {
    progress.note(
        "no links of items that occur together: the log has neither times nor sessions; "
        "data.time_format = \"order\" takes the order of its rows for times");
  } else if (log.session.empty() &&
             options.item.cooccurrence_options.scope == graph::CooccurrenceScope::session) {
    progress.warn(
        "graph.cooccurrence_scope is session, and the log has no sessions: windows of a user's "
        "events are taken");
  }
}

}  // namespace

Graphs build_graphs(const fs::path& data_directory, const Dataset& dataset,
                    const GraphOptions& options, Progress& progress, Storing storing,
                    const std::string& stamp) {
  progress.begin("graph");
  tell_of_cooccurrence(dataset, options, progress);
  const auto start = std::chrono::steady_clock::now();
  std::optional<ArtifactWriter> writer;
  store(storing, progress, [&] {
    writer.emplace(Destination{data_directory / "graph", stamp}, kGraphArtifact);
    writer->clear();
  });
  std::int64_t links = dataset.split.train.interactions.size();
  for (const graph::Attribute& attribute : dataset.catalog.attributes)
    links += attribute.item_values.view().num_entries();
  announce_memory(progress, 16 * links,
                  fmt::format("up to {} links of users, items and attributes", links));
  Graphs graphs = make_graphs(dataset.split.train, dataset, options);
  stop_if_asked(progress);
  progress.update(1, 3,
                  fmt::format("{} user-item edges", graphs.user_item.user_items.columns.size()));
  json facts = statistics(graphs);
  if (!dataset.links.empty()) facts["links"] = link_statistics(dataset);
  progress.update(2, 3, "statistics");
  stop_if_asked(progress);
  if (writer) {
    store(storing, progress, [&] {
      write_csr(writer->folder(), "user_item", graphs.user_item.user_items);
      for (std::size_t r = 0; r < graphs.item.relations.size(); ++r) {
        const graph::Relation& relation = graphs.item.relations[r];
        const std::string name = fmt::format("relation{}", r);
        write_csr(writer->folder(), name, relation.edges);
        if (relation.num_hubs > 0)
          write_npy_file(writer->folder() / hub_values_file(name), relation.hub_values);
      }
      writer->finish({{"data_hash", dataset.hash},
                      {"options", stored_graph_options(options)},
                      {"resources", resources_since(start)},
                      {"statistics", facts}});
    });
  }
  graphs.statistics_json = facts.dump();
  std::string relations;
  for (const graph::Relation& relation : graphs.item.relations) {
    relations +=
        fmt::format("; {}: {} edges{}", relation.name, relation.edges.columns.size(),
                    relation.num_hubs > 0 ? fmt::format(" to {} hubs", relation.num_hubs) : "");
  }
  progress.end(fmt::format("{} users x {} items, {} edges{}", dataset.num_users(),
                           dataset.num_items(), graphs.user_item.user_items.columns.size(),
                           relations));
  return graphs;
}

Graphs load_or_build_graphs(const fs::path& data_directory, const Dataset& dataset,
                            const GraphOptions& options, Progress& progress) {
  const fs::path directory = data_directory / "graph";
  const auto stored = [&]() -> std::optional<Graphs> {
    if (!is_finished(directory, kGraphArtifact)) return std::nullopt;
    const json manifest = read_manifest(directory, kGraphArtifact);
    if (manifest.value("data_hash", json()) != dataset.hash || of_earlier_program(manifest) ||
        manifest.value("options", json()) != stored_graph_options(options))
      return std::nullopt;
    check_files(directory, kGraphArtifact, manifest);
    try {
      Graphs graphs = read_graphs(directory, dataset, manifest);
      graphs.options = options;
      graphs.links = make_link_relations(dataset, options);
      return graphs;
    } catch (const json::exception& error) {
      throw InputError(
          fmt::format("{}/manifest.json: damaged: {}", directory.string(), error.what()));
    }
  };
  if (std::optional<Graphs> graphs = read_whole(directory, stored)) return std::move(*graphs);
  return build_graphs(data_directory, dataset, options, progress, Storing::if_possible);
}

}  // namespace penchant::pipeline
