// SPDX-License-Identifier: Apache-2.0
// The fused model against its oracle: user vectors, ranking logits, the loss, and every gradient
// against central differences of the oracle's loss.
#include "models/interest_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/models/model_data.h"
#include "tests/oracle/interest.h"
#include "tests/oracle/linear.h"
#include "tests/support/backends.h"

namespace penchant::models {
namespace {

using graph::NodeId;
using support::Dense;

constexpr std::int64_t kNumItems = 7;
constexpr std::int64_t kNumHubs = 2;
constexpr std::int64_t kDim = 5;

struct InterestCase {
  const char* name;
  SequenceKind sequence = SequenceKind::lstm;
  std::int64_t layers = 1;
  bool graph = true;
  bool item_graph = true;
  bool normalize = false;
  bool layer_norm = false;
  bool ranking_head = true;
  bool features = false;  ///< event types and time gaps
  bool ratings = false;
  bool bias = false;
  float dropout = 0.0F;
  std::vector<std::int64_t> mlp_dims = {6};
};

std::ostream& operator<<(std::ostream& out, const InterestCase& c) { return out << c.name; }

std::vector<InterestCase> interest_cases() {
  std::vector<InterestCase> result(12);
  result[0] = {.name = "lstm"};
  result[1] = {.name = "two lstm layers with dropout", .layers = 2, .dropout = 0.4F};
  result[2] = {.name = "rnn, cosines", .sequence = SequenceKind::rnn, .normalize = true};
  result[3] = {.name = "cnn", .sequence = SequenceKind::cnn};
  result[4] = {.name = "cnn with dropout and features",
               .sequence = SequenceKind::cnn,
               .features = true,
               .dropout = 0.3F};
  result[5] = {.name = "graph part alone", .sequence = SequenceKind::none};
  result[6] = {.name = "sequence alone", .graph = false, .item_graph = false};
  result[7] = {.name = "features and bias", .features = true, .bias = true};
  result[8] = {.name = "linear fusion, no ranking head", .ranking_head = false, .mlp_dims = {}};
  result[9] = {.name = "two normalised hidden layers",
               .layer_norm = true,
               .dropout = 0.2F,
               .mlp_dims = {6, 4}};
  result[11] = {.name = "ratings", .ratings = true, .dropout = 0.3F};
  result[10] = {.name = "cosines, everything",
                .layers = 2,
                .normalize = true,
                .layer_norm = true,
                .features = true,
                .bias = true,
                .dropout = 0.25F};
  return result;
}

ModelOptions options_of(const InterestCase& c) {
  ModelOptions options;
  options.kind = ModelKind::interest;
  options.embedding_dim = kDim;
  options.num_layers = 2;
  options.own_share = 1.0F;
  options.temperature = c.normalize ? 0.5F : 1.0F;
  options.normalize = c.normalize;
  options.initializer = Initializer::normal;
  options.interest.sequence = c.sequence;
  options.interest.hidden_dim = 6;
  options.interest.sequence_layers = c.layers;
  options.interest.cnn_widths = {1, 3};
  options.interest.graph = c.graph;
  options.interest.item_graph = c.item_graph;
  options.interest.dropout = c.dropout;
  options.interest.mlp_dims = c.mlp_dims;
  options.interest.layer_norm = c.layer_norm;
  options.interest.ranking_head = c.ranking_head;
  options.interest.ranking_weight = 0.7F;
  if (c.ratings) options.interest.ranking_target = RankingTarget::rating;
  return options;
}

/// Four sequences: one longer than the pooling window, two of equal length, one of a single event;
/// an item twice in a sequence, a negative that is a target, a negative twice.
oracle::InterestBatch batch_of(const InterestCase& c) {
  oracle::InterestBatch batch;
  batch.lengths = {7, 3, 3, 1};
  batch.items = {0, 1, 2, 0, 3, 4, 5, 2, 2, 6, 1, 5, 3, 4};
  batch.targets = {1, 2, 0, 3, 4, 5, 6, 2, 6, 0, 5, 3, 1, 0};
  batch.unobserved = {6, 5, 4, 5, 6, 0, 1, 3, 4, 5, 0, 1, 2, 3};
  batch.negatives = {0, 3, 5, 5, 2};
  for (std::size_t k = 0; k < batch.items.size(); ++k)
    batch.ratings.push_back(static_cast<double>(1 + k % 5));
  if (c.features) {
    batch.events = {0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1};
    batch.gaps = {0, 1, 3, 1, 2, 2, 1, 0, 1, 1, 0, 3, 3, 0};
  }
  if (c.bias) {
    batch.positive_bias = support::random_dense(1, 14, 141);
    batch.negative_bias = support::random_dense(1, 5, 142);
  }
  batch.dropout_seed = graph::Seed{9};
  batch.dropout_step = 3;
  return batch;
}

/// The batch on a backend.
class DeviceInterestBatch {
 public:
  DeviceInterestBatch(kernels::Backend& backend, const oracle::InterestBatch& batch) {
    offsets_ = {0};
    std::vector<NodeId> last;
    for (const std::int64_t length : batch.lengths) {
      offsets_.push_back(offsets_.back() + length);
      last.push_back(static_cast<NodeId>(offsets_.back() - 1));
    }
    steps_ = {0};
    std::vector<NodeId> packed, events(batch.items.size());
    for (std::int64_t t = 0; t < batch.lengths[0]; ++t) {
      for (std::size_t b = 0; b < batch.lengths.size(); ++b) {
        if (batch.lengths[b] <= t) continue;
        events[static_cast<std::size_t>(offsets_[b] + t)] = static_cast<NodeId>(packed.size());
        packed.push_back(static_cast<NodeId>(offsets_[b] + t));
      }
      steps_.push_back(static_cast<std::int64_t>(packed.size()));
    }
    std::vector<float> scale;
    for (const std::int64_t length : batch.lengths) {
      double weight = 0.0;
      for (std::int64_t t = 0; t < length; ++t) {
        weight = 1.0 + 0.8F * weight;
        scale.push_back(static_cast<float>(1.0 / std::sqrt(weight)));
      }
    }
    const auto ids = [&](const std::vector<NodeId>& host) {
      return ids_.emplace_back().upload(backend, std::span<const NodeId>(host));
    };
    const auto numbers = [&](const std::vector<float>& host) {
      return numbers_.emplace_back().upload(backend, std::span<const float>(host));
    };
    const auto row = [](const Dense& values) {
      return std::vector<float>(values.values.begin(), values.values.end());
    };
    ids_.reserve(16);
    view.sequences = {{offsets_}, {steps_}, ids(packed), ids(events)};
    view.items = ids(batch.items);
    view.events = ids(batch.events);
    view.gaps = ids(batch.gaps);
    view.last_events = ids(last);
    view.history_scale = numbers(scale);
    targets.items = ids(batch.targets);
    targets.negatives = ids(batch.negatives);
    targets.unobserved = ids(batch.unobserved);
    targets.ratings = numbers({batch.ratings.begin(), batch.ratings.end()});
    targets.positive_bias = numbers(row(batch.positive_bias));
    targets.negative_bias = numbers(row(batch.negative_bias));
  }
  InterestBatch view;
  InterestTargets targets;

 private:
  std::vector<std::int64_t> offsets_, steps_;
  std::vector<DeviceArray<NodeId>> ids_;
  std::vector<DeviceArray<float>> numbers_;
};

/// The model of a case with random parameters.
struct InterestUnderTest {
  InterestUnderTest(kernels::Backend& backend, const InterestCase& c)
      : options(options_of(c)),
        csr(support::random_symmetric(kNumItems + kNumHubs, 4, 143)),
        adjacency(backend.sparse(csr.view())),
        model(options, {kNumItems, c.features ? 3 : 0, c.features ? 4 : 0}, *adjacency,
              graph::Seed{1}, backend) {
    std::uint64_t seed = 144;
    model.visit_parameters([&](Parameter& p) {
      parameters[p.name] = support::random_dense(p.value.rows(), p.value.cols(), seed++);
      upload(backend, parameters[p.name], p.value.view());
    });
  }
  oracle::Parameters gradients(kernels::Backend& backend) {
    oracle::Parameters result;
    model.visit_parameters(
        [&](Parameter& p) { result[p.name] = download(backend, p.gradient.view()); });
    return result;
  }
  double add_gradients(kernels::Backend& backend, const oracle::InterestBatch& batch) {
    const DeviceInterestBatch on_device(backend, batch);
    const StepDropout dropout{options.interest.dropout, batch.dropout_seed, batch.dropout_step};
    LossLog losses;
    model.add_gradients(backend, on_device.view, on_device.targets, dropout, losses);
    double sum = 0.0;
    losses.add_to(sum, backend);
    return sum / static_cast<double>(batch.items.size());
  }
  ModelOptions options;
  graph::Csr csr;
  std::unique_ptr<kernels::SparseMatrix> adjacency;
  InterestModel model;
  oracle::Parameters parameters;
};

/// What the oracle says of a case: the same on every backend.
struct Reference {
  oracle::Parameters parameters;
  double loss = 0.0;
  oracle::Parameters gradients;  ///< central differences
};

Reference reference_of(const InterestUnderTest& model, const oracle::InterestBatch& batch) {
  Reference result;
  result.parameters = model.parameters;
  const Dense item_graph = oracle::to_dense(model.csr.view());
  oracle::Parameters moved = model.parameters;
  const auto loss = [&] { return oracle::interest_loss(model.options, item_graph, moved, batch); };
  result.loss = loss();
  for (auto& [name, values] : moved) {
    Dense& gradient = result.gradients[name] = Dense(values.rows, values.cols);
    for (std::size_t k = 0; k < values.values.size(); ++k) {
      const double value = values.values[k];
      const double step = 1e-5 * std::max(1.0, std::abs(value));
      values.values[k] = value + step;
      const double above = loss();
      values.values[k] = value - step;
      gradient.values[k] = (above - loss()) / (2 * step);
      values.values[k] = value;
    }
  }
  return result;
}

// As in gradient_test.cc, with about 30 steps of up to 18 terms each.
constexpr double kInterestChain = 8192 * support::kEps;

class InterestModelTest : public support::BackendTest {
 protected:
  InterestModelTest() : BackendTest(1) {}
  /// Computed for the first backend that asks: it is most of the suite's time.
  static const Reference& reference(const InterestCase& c, const InterestUnderTest& model,
                                    const oracle::InterestBatch& batch) {
    static std::map<std::string, Reference> known;
    const auto place = known.find(c.name);
    if (place != known.end()) return place->second;
    return known.emplace(c.name, reference_of(model, batch)).first->second;
  }
};
PENCHANT_INSTANTIATE_BACKENDS(InterestModelTest);

TEST(StepDropout, NoTwoStepsAndSitesShareASubstream) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t step = 0; step < 50; ++step) {
    for (std::uint64_t site = 0; site < 200; ++site) {
      const std::uint64_t substream = StepDropout{0.5F, graph::Seed{1}, step}.at(site).substream;
      EXPECT_TRUE(seen.insert(substream).second) << "step " << step << ", site " << site;
      if (site < 16) {
        EXPECT_EQ(substream, step * 16 + site) << "as in models trained before";
      }
      EXPECT_LT(substream, std::uint64_t{1} << 56);
    }
  }
}

TEST_P(InterestModelTest, LossAndGradientsAgreeWithTheOracle) {
  for (const InterestCase& c : interest_cases()) {
    SCOPED_TRACE(c);
    InterestUnderTest model(backend(), c);
    const oracle::InterestBatch batch = batch_of(c);
    const Reference& want_all = reference(c, model, batch);
    ASSERT_EQ(want_all.parameters.size(), model.parameters.size());
    for (const auto& [name, values] : model.parameters)
      ASSERT_EQ(want_all.parameters.at(name).values, values.values) << name;
    EXPECT_NEAR(model.add_gradients(backend(), batch), want_all.loss,
                kInterestChain * std::max(1.0, want_all.loss));
    const oracle::Parameters got = model.gradients(backend());
    ASSERT_EQ(got.size(), want_all.gradients.size());
    for (const auto& [name, want] : want_all.gradients) {
      EXPECT_GT(support::largest(want), 1e-5) << name << ": a gradient that vanishes tests nothing";
      EXPECT_TRUE(agrees(got.at(name), want, kInterestChain * support::largest(want), origin(143))) << name;
    }
  }
}

TEST_P(InterestModelTest, UserVectorsAndLogitsAgreeWithTheOracle) {
  for (const InterestCase& c : interest_cases()) {
    SCOPED_TRACE(c);
    InterestUnderTest model(backend(), c);
    const oracle::InterestBatch batch = batch_of(c);
    const Dense item_graph = oracle::to_dense(model.csr.view());
    const DeviceInterestBatch on_device(backend(), batch);
    model.model.forward_items(backend());
    const support::Guarded<float> users(backend(), 4, kDim);
    model.model.user_vectors(backend(), on_device.view, users.view());
    const Dense all = oracle::interest_users(model.options, item_graph, model.parameters, batch);
    Dense want(4, kDim);
    std::int64_t last = -1;
    for (std::int64_t b = 0; b < 4; ++b) {
      last += batch.lengths[static_cast<std::size_t>(b)];
      for (std::int64_t j = 0; j < kDim; ++j) want(b, j) = all(last, j);
    }
    EXPECT_TRUE(agrees(users.dense(), want, kInterestChain * support::largest(want), origin(143)));
    EXPECT_TRUE(users.intact());

    DeviceArray<NodeId> events;
    std::vector<NodeId> rows(batch.items.size());
    for (std::size_t k = 0; k < rows.size(); ++k) rows[k] = static_cast<NodeId>(k);
    const kernels::IdView event_rows = events.upload(backend(), std::span<const NodeId>(rows));
    const support::Guarded<float> logits(backend(), 1, event_rows.size);
    if (!c.ranking_head) {
      EXPECT_THROW(model.model.pair_logits(backend(), on_device.view, event_rows,
                                           on_device.targets.unobserved, logits.vector()),
                   InputError);
      continue;
    }
    model.model.pair_logits(backend(), on_device.view, event_rows, on_device.targets.unobserved,
                            logits.vector());
    const Dense want_logits = oracle::interest_logits(model.options, item_graph, model.parameters,
                                                      batch, batch.unobserved);
    EXPECT_TRUE(agrees(logits.dense(), want_logits, kInterestChain * support::largest(want_logits), origin(143)));
  }
}

TEST_P(InterestModelTest, ParameterGradientsAccumulate) {
  const InterestCase c = interest_cases()[10];
  InterestUnderTest model(backend(), c);
  model.add_gradients(backend(), batch_of(c));
  const auto once = model.gradients(backend());
  model.add_gradients(backend(), batch_of(c));
  for (const auto& [name, got] : model.gradients(backend())) {
    Dense want = once.at(name);
    for (double& value : want.values) value *= 2;
    EXPECT_TRUE(agrees(got, want, 8 * support::kEps * support::largest(want), origin(143))) << name;
  }
}

TEST_P(InterestModelTest, SameBitsAtOneAndTwoThreads) {
  const InterestCase c = interest_cases()[10];
  expect_same_bits_at_any_thread_count([&](kernels::Backend& fresh) {
    InterestUnderTest model(fresh, c);
    model.add_gradients(fresh, batch_of(c));
    return model.gradients(fresh).at("embeddings");
  });
}

TEST_P(InterestModelTest, AnotherStepDropsOtherElements) {
  const InterestCase c = interest_cases()[1];
  InterestUnderTest model(backend(), c);
  oracle::InterestBatch batch = batch_of(c);
  const double loss = model.add_gradients(backend(), batch);
  EXPECT_EQ(model.add_gradients(backend(), batch), loss);
  ++batch.dropout_step;
  EXPECT_NE(model.add_gradients(backend(), batch), loss);
}

// Fusion by concatenation, as in the design: x_f = [x_d, x_g] = [.1, .2, .3, .4, .5, .6] and
// sigmoid(W x_f + b) with W = [.5, -.5, 1, -1, 2, .5], b = -.4: z = .05 - .1 + .3 - .4 + 1 + .3 -
// .4 = .75, sigmoid(.75) = .679179.
TEST_P(InterestModelTest, WorkedExampleOfTheFusedHead) {
  const std::int64_t dims[] = {6, 1};
  Mlp head("head", dims, false, 0, graph::Seed{1}, 0, backend());
  head.visit_parameters([&](Parameter& p) {
    upload(backend(),
           p.name == "head.layer0.bias" ? Dense(1, 1, -0.4)
                                        : Dense(6, 1, {0.5, -0.5, 1.0, -1.0, 2.0, 0.5}),
           p.value.view());
  });
  kernels::FloatMatrix fused = backend().matrix<float>(1, 6);
  upload(backend(), Dense(1, 3, {0.1, 0.2, 0.3}), fused.view().cols_of(0, 3));
  upload(backend(), Dense(1, 3, {0.4, 0.5, 0.6}), fused.view().cols_of(3, 3));
  kernels::FloatMatrix y = backend().matrix<float>(1, 1);
  head.forward(backend(), fused.view(), {}, y.view());
  backend().activation(kernels::Activation::sigmoid, y.view(), y.view());
  EXPECT_NEAR(download(backend(), y.view())(0, 0), 0.679179, 1e-6);
}

TEST_P(InterestModelTest, OptionsThatDoNotFitAreRejected) {
  const auto make = [&](auto change) {
    InterestCase c{.name = "bad"};
    ModelOptions options = options_of(c);
    change(options);
    const graph::Csr csr = support::random_symmetric(kNumItems, 2, 143);
    const auto adjacency = backend().sparse(csr.view());
    InterestModel(options, {kNumItems, 0, 0}, *adjacency, graph::Seed{1}, backend());
  };
  EXPECT_NO_THROW(make([](ModelOptions&) {}));
  EXPECT_THROW(make([](ModelOptions& o) {
                 o.interest.sequence = SequenceKind::none;
                 o.interest.graph = false;
               }),
               InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.dropout = 1.0F; }), InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.dropout = -0.1F; }), InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.history_decay = 0.0F; }), InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.hidden_dim = 0; }), InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.sequence_layers = 0; }), InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.mlp_dims = {4, 0}; }), InputError);
  EXPECT_THROW(make([](ModelOptions& o) { o.interest.mlp_dims = {4, 4, 4, 4}; }), InputError);
  for (const std::vector<std::int64_t>& widths :
       {std::vector<std::int64_t>{}, {0}, {2, 2}, {1, 2, 3, 4, 5, 6, 7}}) {
    EXPECT_THROW(make([&](ModelOptions& o) {
                   o.interest.sequence = SequenceKind::cnn;
                   o.interest.cnn_widths = widths;
                 }),
                 InputError);
  }
}

}  // namespace
}  // namespace penchant::models
