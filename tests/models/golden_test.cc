// SPDX-License-Identifier: Apache-2.0
// Whole training steps against PyTorch: final embeddings, loss, every gradient, and the parameters
// after three steps of Adam. The numbers and the program that made them: tests/golden.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/models/model_data.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using nlohmann::json;
using support::Dense;

json golden() {
  const char* root = std::getenv("PENCHANT_SOURCE_DIR");
  const std::string path =
      std::string(root == nullptr ? PENCHANT_TEST_SOURCE_DIR : root) + "/tests/golden/models.json";
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return json::parse(file);
}

Dense dense(const json& rows) {
  Dense result(static_cast<std::int64_t>(rows.size()),
               static_cast<std::int64_t>(rows.at(0).size()));
  for (std::int64_t i = 0; i < result.rows; ++i) {
    for (std::int64_t j = 0; j < result.cols; ++j)
      result(i, j) = rows.at(static_cast<std::size_t>(i)).at(static_cast<std::size_t>(j));
  }
  return result;
}

Dense row(const json& values) {
  const auto numbers = values.get<std::vector<double>>();
  return {1, static_cast<std::int64_t>(numbers.size()), numbers};
}

oracle::Parameters parameters(const json& tables) {
  oracle::Parameters result;
  for (const auto& [name, table] : tables.items()) result[name] = dense(table);
  return result;
}

graph::Csr sparse(const Dense& matrix) {
  std::vector<graph::Entry> entries;
  for (std::int64_t i = 0; i < matrix.rows; ++i) {
    for (std::int64_t j = 0; j < matrix.cols; ++j) {
      if (matrix(i, j) != 0.0)
        entries.push_back({static_cast<graph::NodeId>(i), static_cast<graph::NodeId>(j),
                           static_cast<float>(matrix(i, j))});
    }
  }
  return graph::csr_from_entries(matrix.rows, matrix.cols, entries);
}

ModelOptions options_of(const json& c) {
  const std::map<std::string, ModelKind> kinds = {{"lightgcn", ModelKind::lightgcn},
                                                  {"gcn", ModelKind::gcn},
                                                  {"node_weighted", ModelKind::node_weighted}};
  const std::map<std::string, kernels::Activation> activations = {
      {"relu", kernels::Activation::relu},
      {"leaky_relu", kernels::Activation::leaky_relu},
      {"sigmoid", kernels::Activation::sigmoid},
      {"tanh", kernels::Activation::tanh}};
  ModelOptions options;
  options.kind = kinds.at(c.at("kind"));
  options.loss = c.at("loss") == "bpr" ? LossKind::bpr : LossKind::sampled_softmax;
  options.activation = activations.at(c.at("activation"));
  options.normalize = c.at("normalize");
  options.num_layers = c.at("num_layers");
  options.temperature = c.at("temperature");
  options.own_share = c.at("own_share");
  options.embedding_dim =
      static_cast<std::int64_t>(c.at("parameters").at("embeddings").at(0).size());
  options.initializer = Initializer::normal;
  return options;
}

void expect_agreement(const oracle::Parameters& got, const oracle::Parameters& want,
                      double relative, const support::Origin& origin) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, values] : want) {
    double largest = 0.0;
    for (const double value : values.values) largest = std::max(largest, std::abs(value));
    EXPECT_TRUE(agrees(got.at(name), values, relative * largest, origin)) << name;
  }
}

class Golden : public support::BackendTest {
 protected:
  Golden() : BackendTest(1) {}
};
PENCHANT_INSTANTIATE_BACKENDS(Golden);

TEST_P(Golden, TrainingStepsAgreeWithPyTorch) {
  const json reference = golden();
  ASSERT_FALSE(reference.at("cases").empty());
  for (const json& c : reference.at("cases")) {
    SCOPED_TRACE(c.at("kind").get<std::string>() + ", " + c.at("loss").get<std::string>() + ", " +
                 reference.at("generator").get<std::string>());
    const ModelOptions options = options_of(c);
    const graph::Csr csr = sparse(dense(c.at("adjacency")));
    const auto adjacency = backend().sparse(csr.view());
    const auto encoder = make_encoder(options, *adjacency, {}, graph::Seed{1}, backend());
    set_parameters(backend(), *encoder, parameters(c.at("parameters")));
    const oracle::Batch batch{c.at("users"), c.at("positives"), c.at("negatives"),
                              row(c.at("positive_bias")), row(c.at("negative_bias"))};
    const DeviceBatch on_device(backend(), batch);
    RankingLoss loss(options);
    kernels::FloatMatrix d_final = backend().matrix<float>(csr.num_rows, options.embedding_dim);

    kernels::AdamOptions adam;
    adam.learning_rate = c.at("learning_rate");
    adam.l2 = c.at("l2");
    for (const double want_loss : c.at("losses").get<std::vector<double>>()) {
      const kernels::ConstFloatView final = encoder->forward(backend());
      if (adam.step == 1) {
        EXPECT_TRUE(agrees(download(backend(), final), dense(c.at("final")), 2e-6, origin(0)));
      }
      backend().fill(d_final.view(), 0.0F);
      encoder->visit_parameters([&](Parameter& p) { backend().fill(p.gradient.view(), 0.0F); });
      const double sum = add_gradients(backend(), loss, final, on_device.view(), d_final.view());
      EXPECT_NEAR(sum / static_cast<double>(batch.users.size()), want_loss, 1e-5 * want_loss)
          << "step " << adam.step;
      encoder->backward(backend(), d_final.view());
      if (adam.step == 1)
        expect_agreement(gradients_of(backend(), *encoder), parameters(c.at("gradients")), 2e-5,
                         origin(0));
      encoder->visit_parameters([&](Parameter& p) {
        backend().adam_step(adam, p.gradient.view(), p.value.view(), p.first_moment.view(),
                            p.second_moment.view());
      });
      ++adam.step;
    }
    // A step is learning_rate = 1/64 long at most: one per mille of it.
    expect_agreement(values_of(backend(), *encoder), parameters(c.at("trained")), 2e-5, origin(0));
  }
}

}  // namespace
}  // namespace penchant::models
