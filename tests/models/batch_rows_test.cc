// SPDX-License-Identifier: Apache-2.0
// Training that makes only the final rows which a batch reads, and starts the backward from the rows
// that it wrote, gives the bits of training by whole tables.
#include <limits>

#include <gtest/gtest.h>

#include "models/optimiser.h"
#include "tests/models/model_data.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;

constexpr std::int64_t kNodes = 90;
constexpr std::int64_t kWidth = 20;
constexpr int kSteps = 4;

enum class Work : bool { whole, rows_of_the_batch };

ModelOptions options_of(ModelKind kind, LossKind loss, std::int64_t layers, float own_share) {
  ModelOptions options;
  options.kind = kind;
  options.embedding_dim = kWidth;
  options.num_layers = layers;
  options.activation = kernels::Activation::tanh;
  options.loss = loss;
  options.temperature = 0.5F;
  options.normalize = loss == LossKind::sampled_softmax;
  options.initializer = Initializer::normal;
  options.own_share = own_share;
  return options;
}

/// Users are below 45. Few nodes of many, others each step; some repeat.
oracle::Batch batch_of_step(int step, LossKind loss) {
  oracle::Batch batch;
  for (int k = 0; k < 5; ++k) {
    batch.users.push_back(static_cast<NodeId>((7 * step + 11 * k) % 45));
    batch.positives.push_back(static_cast<NodeId>(45 + (5 * step + 13 * k) % 45));
    if (loss == LossKind::bpr || k < 3)
      batch.negatives.push_back(static_cast<NodeId>(45 + (3 * step + 17 * k) % 45));
  }
  return batch;
}

class BatchRows : public support::BackendTest {
 protected:
  BatchRows() : BackendTest(1) {}

  /// Parameters and moments of Adam after some steps.
  oracle::Parameters train(const ModelOptions& options, Work work) {
    const graph::Csr csr = support::random_symmetric(kNodes, 4, 71);
    const auto adjacency = backend().sparse(csr.view());
    const auto encoder = make_encoder(options, *adjacency, {}, graph::Seed{1}, backend());
    set_parameters(backend(), *encoder, random_parameters(*encoder, 72));
    RankingLoss loss(options);
    kernels::FloatMatrix d_final = backend().matrix<float>(kNodes, kWidth);
    kernels::Vector<std::uint32_t> nodes =
        backend().vector<std::uint32_t>(kernels::row_set_words(kNodes));
    const bool whole = work == Work::whole;
    kernels::AdamOptions adam;
    adam.learning_rate = 0.05F;
    adam.l2 = 1e-3F;
    for (int step = 0; step < kSteps; ++step) {
      adam.step = step + 1;
      const DeviceBatch on_device(backend(), batch_of_step(step, options.loss));
      const Batch batch = on_device.view();
      kernels::RowSet rows;
      if (whole) {
        backend().fill(d_final.view(), 0.0F);
        clear_gradients(*encoder, backend());
      } else {
        backend().fill_rows(nodes.view(), 0.0F, d_final.view());
        const kernels::IdView lists[] = {batch.users, batch.positives, batch.negatives};
        backend().mark_rows(lists, kNodes, nodes.view());
        rows = nodes.view();
      }
      const kernels::ConstFloatView final = encoder->forward(backend(), rows);
      add_gradients(backend(), loss, final, batch, d_final.view());
      encoder->backward(backend(), d_final.view(), rows,
                        whole ? Gradients::add : Gradients::overwrite);
      adam_steps(*encoder, adam, backend());
    }
    oracle::Parameters result;
    encoder->visit_parameters([&](Parameter& p) {
      result[p.name] = download(backend(), p.value.view());
      result[p.name + ".first"] = download(backend(), p.first_moment.view());
      result[p.name + ".second"] = download(backend(), p.second_moment.view());
    });
    return result;
  }
};
PENCHANT_INSTANTIATE_BACKENDS(BatchRows);

TEST_P(BatchRows, TrainWithTheBitsOfWholeTables) {
  for (const ModelKind kind : {ModelKind::lightgcn, ModelKind::gcn, ModelKind::node_weighted}) {
    for (const LossKind loss : {LossKind::bpr, LossKind::sampled_softmax}) {
      for (const std::int64_t layers : {0, 1, 2, 3}) {
        for (const float own_share : {0.0F, 1.0F}) {
          if (kind != ModelKind::lightgcn && (layers == 0 || own_share > 0.0F)) continue;
          SCOPED_TRACE(testing::Message() << enum_name(kind) << ", " << enum_name(loss) << ", L "
                                          << layers << ", own share " << own_share);
          const ModelOptions options = options_of(kind, loss, layers, own_share);
          const oracle::Parameters whole = train(options, Work::whole);
          for (const auto& [name, got] : train(options, Work::rows_of_the_batch))
            EXPECT_TRUE(same_bits(got, whole.at(name), origin(72))) << name;
        }
      }
    }
  }
}

// What is left out is left out: rows of the last layer that are not wanted keep what they held.
TEST_P(BatchRows, LeaveOtherFinalRowsAsTheyWere) {
  const graph::Csr csr = support::random_symmetric(kNodes, 4, 71);
  const auto adjacency = backend().sparse(csr.view());
  const ModelOptions options = options_of(ModelKind::lightgcn, LossKind::bpr, 2, 0.0F);
  const auto encoder = make_encoder(options, *adjacency, {}, graph::Seed{1}, backend());
  const Dense before = download(backend(), encoder->forward(backend()));
  set_parameters(backend(), *encoder, random_parameters(*encoder, 73));
  const support::Guarded<NodeId> ids(backend(), Dense(1, 3, {5, 60, 89}));
  kernels::Vector<std::uint32_t> rows =
      backend().vector<std::uint32_t>(kernels::row_set_words(kNodes));
  const kernels::IdView lists[] = {ids.vector()};
  backend().mark_rows(lists, kNodes, rows.view());
  const Dense got = download(backend(), encoder->forward(backend(), rows.view()));
  Dense want = download(backend(), encoder->forward(backend()));
  for (std::int64_t i = 0; i < kNodes; ++i) {
    for (std::int64_t j = 0; j < kWidth && i != 5 && i != 60 && i != 89; ++j)
      want(i, j) = before(i, j);
  }
  EXPECT_TRUE(same_bits(got, want, origin(73)));
}

}  // namespace
}  // namespace penchant::models
