// SPDX-License-Identifier: Apache-2.0
#include "models/encoder.h"

#include <cmath>

#include <fmt/core.h>

#include "graph/error.h"
#include "models/gcn.h"
#include "models/lightgcn.h"
#include "models/spectral.h"

namespace penchant::models {

using graph::NodeId;
using kernels::Activation;
using kernels::Backend;

void initialize_normal(Parameter& parameter, float standard_deviation,
                       std::span<const NodeId> row_ids, graph::Seed seed, std::uint64_t substream,
                       Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, substream);
  const std::int64_t rows = parameter.value.rows();
  const std::int64_t cols = parameter.value.cols();
  std::vector<float> host(static_cast<std::size_t>(rows * cols));
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t id = row_ids.empty() ? i : row_ids[static_cast<std::size_t>(i)];
    for (std::int64_t j = 0; j < cols; ++j) {
      host[static_cast<std::size_t>(i * cols + j)] =
          standard_deviation *
          static_cast<float>(random.normal(static_cast<std::uint64_t>(id * cols + j)));
    }
  }
  backend.copy(kernels::ConstFloatView(host.data(), rows, cols, cols, kernels::Device::cpu),
               parameter.value.view());
}

void initialize_uniform(Parameter& parameter, float bound, graph::Seed seed,
                        std::uint64_t substream, Backend& backend) {
  const graph::Random random(seed, graph::Stream::initialization, substream);
  const std::int64_t rows = parameter.value.rows();
  const std::int64_t cols = parameter.value.cols();
  std::vector<float> host(static_cast<std::size_t>(rows * cols));
  for (std::size_t k = 0; k < host.size(); ++k)
    host[k] = bound * static_cast<float>(2.0 * random.uniform(k) - 1.0);
  backend.copy(kernels::ConstFloatView(host.data(), rows, cols, cols, kernels::Device::cpu),
               parameter.value.view());
}

namespace {

void fill(Parameter& parameter, float value, Backend& backend) {
  backend.fill(parameter.value.view(), value);
}

std::unique_ptr<Encoder> make_gcn(const ModelOptions& options,
                                  const kernels::SparseMatrix& adjacency, graph::Seed seed,
                                  Backend& backend) {
  const std::int64_t width = options.embedding_dim;
  std::vector<GcnLayer> layers;
  for (std::int64_t l = 0; l < options.num_layers; ++l) {
    GcnLayer layer{Parameter(fmt::format("layer{}.weight", l), width, width, backend),
                   Parameter(fmt::format("layer{}.bias", l), 1, width, backend),
                   l + 1 < options.num_layers ? options.activation : Activation::identity};
    // Glorot and Bengio 2010: variance 2 / (fan in + fan out).
    initialize_normal(layer.weight, 1.0F / std::sqrt(static_cast<float>(width)), {}, seed,
                      static_cast<std::uint64_t>(l) + 1, backend);
    layers.push_back(std::move(layer));
  }
  return std::make_unique<LayerStack<GcnLayer>>(std::move(layers), width, adjacency, backend);
}

std::unique_ptr<Encoder> make_node_weighted(const ModelOptions& options,
                                            const kernels::SparseMatrix& adjacency,
                                            Backend& backend) {
  std::vector<NodeWeightedLayer> layers;
  for (std::int64_t l = 0; l < options.num_layers; ++l) {
    NodeWeightedLayer layer{
        Parameter(fmt::format("layer{}.alpha", l), 1, adjacency.rows(), backend),
        Parameter(fmt::format("layer{}.bias", l), 1, options.embedding_dim, backend),
        l + 1 < options.num_layers ? options.activation : Activation::identity};
    fill(layer.alpha, 1.0F, backend);
    layers.push_back(std::move(layer));
  }
  return std::make_unique<LayerStack<NodeWeightedLayer>>(std::move(layers), options.embedding_dim,
                                                         adjacency, backend);
}

}  // namespace

std::unique_ptr<Encoder> make_encoder(const ModelOptions& options,
                                      const kernels::SparseMatrix& adjacency, const NodeInfo& nodes,
                                      graph::Seed seed, Backend& backend) {
  if (options.embedding_dim < 1) throw InputError("model.embedding_dim must be at least 1");
  if (options.num_layers < 0 || (options.num_layers < 1 && options.kind != ModelKind::lightgcn)) {
    throw InputError(
        "model.num_layers must be at least 1 (0 is allowed for lightgcn: matrix factorisation)");
  }
  std::unique_ptr<Encoder> encoder;
  switch (options.kind) {
    case ModelKind::lightgcn:
      encoder = std::make_unique<LightGcn>(options.num_layers, options.own_share,
                                           options.embedding_dim, adjacency, backend);
      break;
    case ModelKind::gcn:
      encoder = make_gcn(options, adjacency, seed, backend);
      break;
    case ModelKind::node_weighted:
      encoder = make_node_weighted(options, adjacency, backend);
      break;
    case ModelKind::graph_filter:
      throw InputError("model.kind graph_filter has no encoder: it is not trained in steps");
    case ModelKind::interest:
      throw InputError("model.kind interest is more than a graph encoder: models/interest_model.h");
    case ModelKind::private_items:
      throw InputError("model.kind private has no encoder: it is not trained in steps");
    case ModelKind::automatic:
      throw InputError("model.kind auto has no encoder of its own: it chooses among the others");
  }
  encoder->visit_parameters([&](Parameter& parameter) {
    if (parameter.name != "embeddings") return;
    initialize_normal(parameter, options.initial_scale, nodes.initial_ids, seed, 0, backend);
    std::vector<float> mask(nodes.has_interactions.begin(), nodes.has_interactions.end());
    if (!mask.empty()) {
      kernels::Vector<float> scale = backend.vector<float>(static_cast<std::int64_t>(mask.size()));
      backend.copy(kernels::VectorView<const float>(
                       mask.data(), static_cast<std::int64_t>(mask.size()), kernels::Device::cpu),
                   scale.view());
      backend.scale_rows(parameter.value.view(), scale.view(), parameter.value.view());
    }
    if (options.initializer == Initializer::spectral)
      initialize_spectral(adjacency, options.initial_scale, seed, backend, parameter.value.view());
  });
  return encoder;
}

}  // namespace penchant::models
