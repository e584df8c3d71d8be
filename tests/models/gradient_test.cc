// SPDX-License-Identifier: Apache-2.0
// In two steps: the oracle's backward is checked by central differences of the oracle's forward,
// then the backend's by the oracle's.
#include <algorithm>
#include <cmath>
#include <ostream>

#include <gtest/gtest.h>

#include "tests/models/model_data.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using kernels::Activation;
using support::Dense;

struct GradientCase {
  ModelKind kind;
  LossKind loss;
  bool normalize;
  std::int64_t num_layers;
  Activation activation = Activation::tanh;
  float own_share = 1.0F;
  bool has_bias = false;  ///< of the scores
};

std::ostream& operator<<(std::ostream& out, const GradientCase& c) {
  const char* const kinds[] = {"lightgcn", "gcn", "node_weighted"};
  return out << kinds[static_cast<int>(c.kind)]
             << (c.loss == LossKind::bpr ? ", bpr" : ", sampled_softmax")
             << (c.normalize ? ", normalize" : "") << ", L " << c.num_layers << ", activation "
             << static_cast<int>(c.activation) << ", own_share " << c.own_share
             << (c.has_bias ? ", score bias" : "");
}

std::vector<GradientCase> cases() {
  std::vector<GradientCase> result;
  for (const ModelKind kind : {ModelKind::lightgcn, ModelKind::gcn, ModelKind::node_weighted}) {
    for (const LossKind loss : {LossKind::bpr, LossKind::sampled_softmax}) {
      for (const bool normalize : {false, true}) {
        for (const std::int64_t num_layers : {1, 2, 3})
          result.push_back({kind, loss, normalize, num_layers});
      }
    }
    result.push_back({kind, LossKind::sampled_softmax, true, 2, Activation::sigmoid, 0.0F, true});
    result.push_back({kind, LossKind::bpr, true, 2, Activation::leaky_relu, 0.5F});
    result.push_back({kind, LossKind::sampled_softmax, false, 2, Activation::relu, 0.0F, true});
  }
  result.push_back({ModelKind::lightgcn, LossKind::bpr, true, 0, Activation::identity, 0.0F});
  return result;
}

ModelOptions options_of(const GradientCase& c) {
  ModelOptions options;
  options.kind = c.kind;
  options.embedding_dim = 5;
  options.num_layers = c.num_layers;
  options.activation = c.activation;
  options.loss = c.loss;
  options.temperature = 0.5F;
  options.normalize = c.normalize;
  options.initializer = Initializer::normal;
  options.own_share = c.own_share;
  return options;
}

oracle::Batch batch_of(const GradientCase& c) {
  oracle::Batch batch = small_batch(c.loss);
  if (!c.has_bias) return batch;
  batch.positive_bias =
      support::random_dense(1, static_cast<std::int64_t>(batch.positives.size()), 131);
  batch.negative_bias =
      support::random_dense(1, static_cast<std::int64_t>(batch.negatives.size()), 132);
  return batch;
}

/// The encoder of a case on a backend, with random parameters.
struct Model {
  Model(kernels::Backend& backend, const GradientCase& c)
      : options(options_of(c)),
        csr(small_graph()),
        adjacency(backend.sparse(csr.view())),
        encoder(make_encoder(options, *adjacency, {}, graph::Seed{1}, backend)),
        parameters(random_parameters(*encoder, 133)) {
    set_parameters(backend, *encoder, parameters);
  }
  ModelOptions options;
  graph::Csr csr;
  std::unique_ptr<kernels::SparseMatrix> adjacency;
  std::unique_ptr<Encoder> encoder;
  oracle::Parameters parameters;
};

/// Forward, loss and backward once; the mean loss.
double run_backward(kernels::Backend& backend, Model& model, const oracle::Batch& batch) {
  const DeviceBatch on_device(backend, batch);
  kernels::FloatMatrix d_final = backend.matrix<float>(kNumNodes, model.options.embedding_dim);
  RankingLoss loss(model.options);
  const double sum = add_gradients(backend, loss, model.encoder->forward(backend), on_device.view(),
                                   d_final.view());
  model.encoder->backward(backend, d_final.view());
  return sum / static_cast<double>(batch.users.size());
}

TEST(OracleGradient, AgreesWithCentralDifferences) {
  const auto cpu = support::backend_by_name("cpu", 1);
  for (const GradientCase& c : cases()) {
    SCOPED_TRACE(c);
    const Model model(*cpu, c);
    const Dense adjacency = oracle::to_dense(model.csr.view());
    const oracle::Batch batch = batch_of(c);
    const auto gradients = oracle::gradients(model.options, adjacency, model.parameters, batch);
    ASSERT_EQ(gradients.size(), model.parameters.size()) << "every parameter has a gradient";
    const auto loss_at = [&](const oracle::Parameters& parameters) {
      return oracle::mean_loss(model.options, oracle::forward(model.options, adjacency, parameters),
                               batch);
    };
    for (const auto& [name, values] : model.parameters) {
      Dense differences(values.rows, values.cols);
      for (std::size_t k = 0; k < values.values.size(); ++k) {
        const double step = 1e-5 * std::max(1.0, std::abs(values.values[k]));
        oracle::Parameters moved = model.parameters;
        moved[name].values[k] = values.values[k] + step;
        const double above = loss_at(moved);
        moved[name].values[k] = values.values[k] - step;
        differences.values[k] = (above - loss_at(moved)) / (2 * step);
      }
      const double scale = support::largest(differences);
      EXPECT_GT(scale, 1e-4) << name << ": a gradient that vanishes tests nothing";
      EXPECT_TRUE(agrees(gradients.at(name), differences, 1e-6 * scale, {"oracle", 133})) << name;
    }
  }
}

class Gradient : public support::BackendTest {
 protected:
  Gradient() : BackendTest(1) {}
};
PENCHANT_INSTANTIATE_BACKENDS(Gradient);

// A gradient is a chain of sums, each with the relative bound (terms + 4) eps of docs/numerics.md.
// With at most 9 terms in each of the about 14 steps of three layers and a loss, whose terms partly
// cancel (factor 4), that is 1024 eps of the largest element.
constexpr double kChain = 1024 * support::kEps;

TEST_P(Gradient, LossAndGradientsAgreeWithTheOracle) {
  for (const GradientCase& c : cases()) {
    SCOPED_TRACE(c);
    Model model(backend(), c);
    const oracle::Batch batch = batch_of(c);
    const double loss = run_backward(backend(), model, batch);
    const Dense adjacency = oracle::to_dense(model.csr.view());
    EXPECT_NEAR(
        loss,
        oracle::mean_loss(model.options,
                          oracle::forward(model.options, adjacency, model.parameters), batch),
        kChain * std::max(1.0, loss));
    const auto want = oracle::gradients(model.options, adjacency, model.parameters, batch);
    for (const auto& [name, got] : gradients_of(backend(), *model.encoder)) {
      EXPECT_TRUE(agrees(got, want.at(name), kChain * support::largest(want.at(name)), origin(133))) << name;
    }
  }
}

TEST_P(Gradient, FinalEmbeddingsAgreeWithTheOracle) {
  for (const GradientCase& c : cases()) {
    SCOPED_TRACE(c);
    Model model(backend(), c);
    const Dense want =
        oracle::forward(model.options, oracle::to_dense(model.csr.view()), model.parameters);
    EXPECT_TRUE(agrees(download(backend(), model.encoder->forward(backend())), want,
                       kChain * support::largest(want), origin(133)));
  }
}

TEST_P(Gradient, ParameterGradientsAccumulate) {
  for (const ModelKind kind : {ModelKind::lightgcn, ModelKind::gcn, ModelKind::node_weighted}) {
    const GradientCase c{kind, LossKind::sampled_softmax, true, 2};
    SCOPED_TRACE(c);
    Model model(backend(), c);
    run_backward(backend(), model, batch_of(c));
    const auto once = gradients_of(backend(), *model.encoder);
    run_backward(backend(), model, batch_of(c));
    for (const auto& [name, got] : gradients_of(backend(), *model.encoder)) {
      Dense want = once.at(name);
      for (double& value : want.values) value *= 2;
      EXPECT_TRUE(agrees(got, want, 8 * support::kEps * support::largest(want), origin(133))) << name;
    }
  }
}

TEST_P(Gradient, SameBitsAtOneAndTwoThreads) {
  for (const ModelKind kind : {ModelKind::lightgcn, ModelKind::gcn, ModelKind::node_weighted}) {
    const GradientCase c{kind, LossKind::sampled_softmax, true, 3};
    SCOPED_TRACE(c);
    expect_same_bits_at_any_thread_count([&](kernels::Backend& fresh) {
      Model model(fresh, c);
      run_backward(fresh, model, batch_of(c));
      return gradients_of(fresh, *model.encoder).at("embeddings");
    });
  }
}

}  // namespace
}  // namespace penchant::models
