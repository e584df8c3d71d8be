// SPDX-License-Identifier: Apache-2.0
#include "models/encoder.h"

#include <cmath>
#include <map>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;
using testing::ElementsAre;

class EncoderOp : public support::BackendTest {
 protected:
  std::unique_ptr<Encoder> make(const ModelOptions& options, const kernels::SparseMatrix& adjacency,
                                const NodeInfo& nodes = {}, std::uint64_t seed = 1) {
    return make_encoder(options, adjacency, nodes, graph::Seed{seed}, backend());
  }
};
PENCHANT_INSTANTIATE_BACKENDS(EncoderOp);

ModelOptions options_of(ModelKind kind, std::int64_t num_layers, std::int64_t width) {
  ModelOptions options;
  options.kind = kind;
  options.num_layers = num_layers;
  options.embedding_dim = width;
  options.initializer = Initializer::normal;
  options.initial_scale = 0.5F;
  return options;
}

TEST_P(EncoderOp, ParametersAreVisitedByNameInOneOrder) {
  const graph::Csr csr = small_graph();
  const auto adjacency = backend().sparse(csr.view());
  const auto names = [&](ModelKind kind) {
    std::vector<std::string> result;
    make(options_of(kind, 2, 4), *adjacency)->visit_parameters([&](Parameter& p) {
      result.push_back(p.name + " " + std::to_string(p.value.rows()) + "x" +
                       std::to_string(p.value.cols()));
    });
    return result;
  };
  EXPECT_THAT(names(ModelKind::lightgcn), ElementsAre("embeddings 9x4"));
  EXPECT_THAT(names(ModelKind::gcn),
              ElementsAre("embeddings 9x4", "layer0.weight 4x4", "layer0.bias 1x4",
                          "layer1.weight 4x4", "layer1.bias 1x4"));
  EXPECT_THAT(names(ModelKind::node_weighted),
              ElementsAre("embeddings 9x4", "layer0.alpha 1x9", "layer0.bias 1x4",
                          "layer1.alpha 1x9", "layer1.bias 1x4"));
}

TEST_P(EncoderOp, InitialValuesHaveTheirMoments) {
  const graph::Csr csr = support::random_symmetric(2000, 4, 151);
  const auto adjacency = backend().sparse(csr.view());
  const auto gcn = values_of(backend(), *make(options_of(ModelKind::gcn, 2, 64), *adjacency));
  const auto deviation = [](const Dense& values) {
    const auto count = static_cast<double>(values.values.size());
    const double mean = std::accumulate(values.values.begin(), values.values.end(), 0.0) / count;
    double squares = 0.0;
    for (const double value : values.values) squares += (value - mean) * (value - mean);
    return std::sqrt(squares / count);
  };
  // Five standard errors of a standard deviation: 5 / sqrt(2 n), relative.
  EXPECT_NEAR(deviation(gcn.at("embeddings")), 0.5, 0.5 * 5 / std::sqrt(2.0 * 128000));
  EXPECT_NEAR(deviation(gcn.at("layer0.weight")), 1.0 / 8, 5.0 / 8 / std::sqrt(2.0 * 4096));
  EXPECT_NE(gcn.at("layer0.weight").values, gcn.at("layer1.weight").values)
      << "layers draw their own numbers";
  EXPECT_TRUE(agrees(gcn.at("layer0.bias"), Dense(1, 64), 0.0, origin(1)));
  const auto weighted =
      values_of(backend(), *make(options_of(ModelKind::node_weighted, 1, 8), *adjacency));
  EXPECT_TRUE(agrees(weighted.at("layer0.alpha"), Dense(1, 2000, 1.0), 0.0, origin(1)));
}

TEST_P(EncoderOp, SeedDecidesTheInitialValues) {
  const graph::Csr csr = small_graph();
  const auto adjacency = backend().sparse(csr.view());
  const auto embeddings = [&](std::uint64_t seed) {
    return values_of(backend(), *make(options_of(ModelKind::lightgcn, 1, 6), *adjacency, {}, seed))
        .at("embeddings");
  };
  EXPECT_TRUE(same_bits(embeddings(3), embeddings(3), origin(3)));
  EXPECT_FALSE(same_bits(embeddings(3), embeddings(4), origin(3)));
}

TEST_P(EncoderOp, NodesWithoutInteractionsStartAtZero) {
  const graph::Csr csr = small_graph();
  const auto adjacency = backend().sparse(csr.view());
  const std::vector<std::uint8_t> has_interactions = {1, 0, 1, 1, 0, 1, 1, 1, 1};
  const Dense all = values_of(backend(), *make(options_of(ModelKind::lightgcn, 1, 3), *adjacency))
                        .at("embeddings");
  Dense want = all;
  for (std::int64_t j = 0; j < 3; ++j) want(1, j) = want(4, j) = 0.0;
  const Dense got = values_of(backend(), *make(options_of(ModelKind::lightgcn, 1, 3), *adjacency,
                                               {{}, has_interactions}))
                        .at("embeddings");
  EXPECT_TRUE(agrees(got, want, 0.0, origin(1)));
}

// Renumbering the nodes renumbers the result: the initial values follow initial_ids, the graph its
// own renumbering.
TEST_P(EncoderOp, RelabellingNodesCommutes) {
  const graph::Csr csr = small_graph();
  const std::vector<NodeId> old_of_new = {3, 8, 0, 5, 1, 7, 2, 4, 6};
  std::vector<NodeId> new_of_old(old_of_new.size());
  for (std::size_t k = 0; k < old_of_new.size(); ++k)
    new_of_old[static_cast<std::size_t>(old_of_new[k])] = static_cast<NodeId>(k);
  std::vector<graph::Entry> entries;
  for (std::int64_t i = 0; i < csr.num_rows; ++i) {
    for (std::int64_t k = 0; k < csr.view().row_size(i); ++k) {
      const auto place = static_cast<std::size_t>(k);
      entries.push_back({new_of_old[static_cast<std::size_t>(i)],
                         new_of_old[static_cast<std::size_t>(csr.view().row(i)[place])],
                         csr.view().row_values(i)[place]});
    }
  }
  const graph::Csr moved_csr = graph::csr_from_entries(kNumNodes, kNumNodes, entries);
  const auto adjacency = backend().sparse(csr.view());
  const auto moved_adjacency = backend().sparse(moved_csr.view());
  for (const ModelKind kind : {ModelKind::lightgcn, ModelKind::gcn, ModelKind::node_weighted}) {
    const auto plain = make(options_of(kind, 2, 7), *adjacency);
    const auto moved = make(options_of(kind, 2, 7), *moved_adjacency, {old_of_new, {}});
    const Dense want = download(backend(), plain->forward(backend()));
    const Dense relabelled = download(backend(), moved->forward(backend()));
    Dense got(kNumNodes, 7);
    for (std::int64_t i = 0; i < kNumNodes; ++i) {
      for (std::int64_t j = 0; j < 7; ++j)
        got(old_of_new[static_cast<std::size_t>(i)], j) = relabelled(i, j);
    }
    EXPECT_TRUE(agrees(got, want, 1e-6, origin(1))) << "model " << static_cast<int>(kind);
  }
}

TEST_P(EncoderOp, WithoutLayersLightGcnIsItsEmbeddings) {
  const graph::Csr csr = small_graph();
  const auto adjacency = backend().sparse(csr.view());
  for (const float own_share : {0.0F, 1.0F}) {
    ModelOptions options = options_of(ModelKind::lightgcn, 0, 5);
    options.own_share = own_share;
    const auto encoder = make(options, *adjacency);
    const Dense embeddings = values_of(backend(), *encoder).at("embeddings");
    EXPECT_TRUE(
        agrees(download(backend(), encoder->forward(backend())), embeddings, 0.0, origin(1)));
  }
}

TEST_P(EncoderOp, RefusesOptionsThatMakeNoModel) {
  const graph::Csr csr = small_graph();
  const auto adjacency = backend().sparse(csr.view());
  EXPECT_THROW(make(options_of(ModelKind::lightgcn, 1, 0), *adjacency), InputError);
  EXPECT_THROW(make(options_of(ModelKind::lightgcn, -1, 4), *adjacency), InputError);
  EXPECT_THROW(make(options_of(ModelKind::gcn, 0, 4), *adjacency), InputError);
  EXPECT_THROW(make(options_of(ModelKind::node_weighted, 0, 4), *adjacency), InputError);
}

}  // namespace
}  // namespace penchant::models
