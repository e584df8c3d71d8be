// SPDX-License-Identifier: Apache-2.0
#include "pipeline/explain/encoder_hop.h"

#include <numeric>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "graph/error.h"
#include "graph/propagation_graph.h"
#include "kernels/transfer.h"
#include "models/gcn.h"
#include "models/safetensors.h"
#include "pipeline/data/known_graphs.h"
#include "pipeline/explain/explanation.h"
#include "pipeline/model/finished_vectors.h"
#include "pipeline/model/model_manifest.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;
using graph::at;
using graph::NodeId;
using kernels::Backend;
using kernels::ConstFloatView;
using models::ModelKind;
using models::Parameter;

namespace {

double dot_product(const float* x, std::span<const float> v) {
  double sum = 0.0;
  for (std::size_t j = 0; j < v.size(); ++j)
    sum += static_cast<double>(x[j]) * static_cast<double>(v[j]);
  return sum;
}

/// rows v, row by row.
std::vector<double> products(ConstFloatView rows, std::span<const float> v) {
  std::vector<double> values(at(rows.rows));
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < rows.rows; ++i) values[at(i)] = dot_product(rows.row(i), v);
  return values;
}

/// A x + y.
std::vector<double> propagated(const graph::CsrView& adjacency, const std::vector<double>& x,
                               const std::vector<double>& y) {
  std::vector<double> values(x.size());
#pragma omp parallel for schedule(dynamic, 1024)
  for (std::int64_t i = 0; i < adjacency.num_rows; ++i) {
    double sum = y[at(i)];
    for (auto e = adjacency.offsets[at(i)]; e < adjacency.offsets[at(i) + 1]; ++e)
      sum += static_cast<double>(adjacency.value(e)) *
             x[static_cast<std::size_t>(adjacency.columns[at(e)])];
    values[at(i)] = sum;
  }
  return values;
}

}  // namespace

double Hop::total() const {
  return std::accumulate(neighbours.begin(), neighbours.end(), own + constant,
                         [](double sum, const Message& message) { return sum + message.share; });
}

struct EncoderHops::Impl {
  models::ModelOptions options;
  fs::path path;
  models::TensorFile file;
  ConstFloatView embeddings;
  std::int64_t num_users = 0, num_items = 0;
  graph::Csr adjacency = {};
  std::vector<std::uint8_t> linked = {};  ///< users and items with an edge between them
  /// Of hubs, in the order of their nodes: the relation, and the value's name.
  std::vector<std::pair<std::string, std::string>> hubs = {};
  std::vector<float> hidden = {};      ///< gcn, node_weighted: h of all nodes [N x D]
  std::vector<float> last_layer = {};  ///< gcn: W [D x D]; node_weighted: alpha [N]
  std::vector<float> bias = {};        ///< [D]

  Impl(const fs::path& model_directory, const nlohmann::json& manifest)
      : options(model_from_json(manifest.at("model"))),
        path(model_directory / kModelWeights),
        file(models::map_safetensors(path)) {}

  void take_graph(const Graphs& graphs, const Dataset& dataset);
  template <typename Layer>
  void take_layers(const char* weight, Backend& backend);
};

void EncoderHops::Impl::take_graph(const Graphs& graphs, const Dataset& dataset) {
  num_users = graphs.user_item.num_users;
  num_items = graphs.user_item.num_items;
  adjacency = model_adjacency(propagation_graph(graphs), options.kind);
  for (std::int64_t user = 0; user < num_users; ++user)
    linked.push_back(graphs.user_item.user_items.view().row_size(user) > 0 ? 1 : 0);
  for (std::int64_t item = 0; item < num_items; ++item)
    linked.push_back(graphs.user_item.item_users.view().row_size(item) > 0 ? 1 : 0);
  graph::Catalog read;
  if (dataset.use == DatasetUse::lookup) read = read_catalog(dataset);
  const graph::Catalog& catalog = dataset.use == DatasetUse::lookup ? read : dataset.catalog;
  for (const graph::Relation& relation : graphs.item.relations) {
    if (relation.columns != graph::NodeKind::hub) continue;
    const graph::Attribute* const attribute = catalog.find(relation.name);
    for (const NodeId value : relation.hub_values) {
      hubs.emplace_back(relation.name, attribute == nullptr
                                           ? std::string()
                                           : value_text(*attribute, value, dataset));
    }
  }
}

/// The layers before the last are run, the last one is kept.
template <typename Layer>
void EncoderHops::Impl::take_layers(const char* weight, Backend& backend) {
  const std::int64_t width = options.embedding_dim;
  const auto sparse = backend.sparse(adjacency.view());
  kernels::FloatMatrix current = backend.matrix<float>(embeddings.rows, width);
  backend.copy(embeddings, current.view());
  for (std::int64_t l = 0; l < options.num_layers; ++l) {
    const bool is_gcn = options.kind == ModelKind::gcn;
    const std::string first = fmt::format("layer{}.{}", l, weight);
    const std::string second = fmt::format("layer{}.bias", l);
    const ConstFloatView weights =
        file.find_finite(first, is_gcn ? width : 1, is_gcn ? width : embeddings.rows, path).view();
    const ConstFloatView biases = file.find_finite(second, 1, width, path).view();
    if (l + 1 == options.num_layers) {
      last_layer.assign(weights.data, weights.data + weights.rows * weights.cols);
      bias.assign(biases.data, biases.data + width);
      break;
    }
    Layer layer{Parameter(first, weights.rows, weights.cols, backend),
                Parameter(second, 1, width, backend), options.activation};
    layer.visit_parameters([&](Parameter& parameter) {
      backend.copy(parameter.name == first ? weights : biases, parameter.value.view());
    });
    typename Layer::Cache cache = layer.make_cache(embeddings.rows, backend);
    layer.forward(backend, *sparse, current.view(), cache);
    current = std::move(cache.output);
  }
  hidden =
      kernels::to_host({current.view().data, embeddings.rows * width, backend.device()}, backend);
}

EncoderHops::EncoderHops(const fs::path& model_directory, const nlohmann::json& manifest,
                         const Dataset& dataset, const GraphOptions& options, KnownPart known,
                         Backend& backend)
    : impl_(std::make_unique<Impl>(model_directory, manifest)) {
  impl_->take_graph(make_known_graphs(dataset, known, options), dataset);
  const std::int64_t num_nodes = impl_->adjacency.num_rows;
  impl_->embeddings =
      impl_->file.find("embeddings", num_nodes, impl_->options.embedding_dim, impl_->path).view();
  if (impl_->options.kind == ModelKind::gcn)
    impl_->take_layers<models::GcnLayer>("weight", backend);
  if (impl_->options.kind == ModelKind::node_weighted)
    impl_->take_layers<models::NodeWeightedLayer>("alpha", backend);
}

EncoderHops::~EncoderHops() = default;

std::int64_t EncoderHops::item_node(NodeId item) const { return impl_->num_users + item; }
bool EncoderHops::has_links(NodeId user) const { return impl_->linked[at(user)] != 0; }
bool EncoderHops::has_users(NodeId item) const { return impl_->linked[at(item_node(item))] != 0; }
bool EncoderHops::normalizes() const { return impl_->options.normalize; }

EncoderHops::Projection EncoderHops::project(std::span<const float> v) const {
  const Impl& impl = *impl_;
  const std::int64_t width = impl.options.embedding_dim;
  PENCHANT_ASSERT(static_cast<std::int64_t>(v.size()) == width);
  Projection projection;
  if (impl.options.kind == ModelKind::lightgcn) {
    projection.own = products(impl.embeddings, v);
    projection.sent = projection.own;
    for (std::int64_t l = 1; l < impl.options.num_layers; ++l)
      projection.sent = propagated(impl.adjacency.view(), projection.sent, projection.own);
    return projection;
  }
  const std::int64_t num_nodes = impl.adjacency.num_rows;
  const ConstFloatView hidden(impl.hidden.data(), num_nodes, width, width, kernels::Device::cpu);
  projection.constant = dot_product(impl.bias.data(), v);
  if (impl.options.kind == ModelKind::gcn) {
    std::vector<float> through;  // W v
    for (std::int64_t row = 0; row < width; ++row)
      through.push_back(static_cast<float>(dot_product(&impl.last_layer[at(row * width)], v)));
    projection.sent = products(hidden, through);
  } else {
    projection.sent = products(hidden, v);
    for (std::int64_t node = 0; node < num_nodes; ++node)
      projection.sent[at(node)] *= static_cast<double>(impl.last_layer[at(node)]);
  }
  return projection;
}

Hop EncoderHops::hop(std::int64_t node, const Projection& projection) const {
  const Impl& impl = *impl_;
  const graph::CsrView adjacency = impl.adjacency.view();
  Hop hop;
  hop.constant = projection.constant;
  double scale = 1.0;
  if (impl.options.kind == ModelKind::lightgcn) {
    const std::int64_t layers = impl.options.num_layers;
    const double own_share = layers == 0 ? 1.0 : static_cast<double>(impl.options.own_share);
    scale = 1.0 / (static_cast<double>(layers) + own_share);
    hop.own = own_share * scale * projection.own[at(node)];
    if (layers == 0) return hop;
  }
  for (auto e = adjacency.offsets[at(node)]; e < adjacency.offsets[at(node) + 1]; ++e) {
    const std::int64_t from = adjacency.columns[at(e)];
    const double share =
        scale * static_cast<double>(adjacency.value(e)) * projection.sent[at(from)];
    if (from == node) {
      hop.own += share;  // a self loop
    } else {
      hop.neighbours.push_back({from, share});
    }
  }
  return hop;
}

EncoderHops::Node EncoderHops::what_is(std::int64_t node) const {
  const Impl& impl = *impl_;
  if (node < impl.num_users) return {graph::NodeKind::user, static_cast<NodeId>(node)};
  node -= impl.num_users;
  if (node < impl.num_items) return {graph::NodeKind::item, static_cast<NodeId>(node)};
  const auto& [relation, value] = impl.hubs[at(node - impl.num_items)];
  return {graph::NodeKind::hub, graph::kNoNode, relation, value};
}

}  // namespace penchant::pipeline
