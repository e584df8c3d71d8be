// SPDX-License-Identifier: Apache-2.0
// Forward, BPR loss of one batch, backward, Adam.
#include "pipeline/benchmark/workloads.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "graph/error.h"
#include "models/lightgcn.h"
#include "models/loss_log.h"
#include "models/optimiser.h"
#include "models/ranking_loss.h"
#include "pipeline/benchmark/oracle.h"
#include "pipeline/benchmark/workloads/graph_workload.h"

namespace penchant::pipeline {

using graph::NodeId;
using kernels::ConstFloatView;
using kernels::FloatMatrix;

namespace {

/// BPR batches of edges drawn uniformly, a uniform negative for each; a new batch each step.
class TrainingStep final : public GraphWorkload {
 public:
  explicit TrainingStep(const BenchContext& context)
      : GraphWorkload(context),
        model_(context.options.layers, 1.0F, dim_, *context.sparse, backend_),
        loss_(loss_options()),
        d_final_(backend_.matrix<float>(a_.num_rows, dim_)),
        batch_nodes_(backend_.vector<std::uint32_t>(kernels::row_set_words(a_.num_rows))) {
    model_.visit_parameters([&](models::Parameter& parameter) {
      fill_uniform(parameter.value.view(), context.options.seed, 0, backend_);
      backend_.axpby(0.0F, parameter.gradient.view(), 0.1F, parameter.value.view());
    });
    items_.reserve(static_cast<std::size_t>(a_.num_rows));
    for (NodeId node = 0; node < a_.num_rows; ++node) {
      if (is_item(node)) items_.push_back(node);
    }
  }

  void run() override {
    sample();
    const models::Batch batch{upload_[0](users_, backend_),
                              upload_[1](positives_, backend_),
                              upload_[2](negatives_, backend_),
                              {},
                              {}};
    backend_.fill_rows(batch_nodes_.view(), 0.0F, d_final_.view());  // of the step before
    const kernels::IdView nodes[] = {batch.users, batch.positives, batch.negatives};
    backend_.mark_rows(nodes, a_.num_rows, batch_nodes_.view());
    final_ = model_.forward(backend_, batch_nodes_.view());
    loss_.add_gradients(backend_, final_, batch, d_final_.view(),
                        losses_.next(backend_, batch.users.size));
    model_.backward(backend_, d_final_.view(), batch_nodes_.view(), models::Gradients::overwrite);
    models::adam_steps(model_, adam(), backend_);
    last_loss_ = 0.0;
    losses_.add_to(last_loss_, backend_);
  }

  std::string verify() override {
    models::Parameter* embeddings = nullptr;
    model_.visit_parameters([&](models::Parameter& parameter) { embeddings = &parameter; });
    FloatMatrix before = backend_.matrix<float>(a_.num_rows, dim_);
    backend_.copy(ConstFloatView(embeddings->value.view()), before.view());
    model_.forward(backend_);  // what a step leaves out of it is not left open
    run();
    require_layer_mean("the forward of training_step", before.view(), final_);
    const std::size_t rows = require_loss();
    require_layer_mean("the backward of training_step", d_final_.view(),
                       embeddings->gradient.view());
    require_adam(before.view(), *embeddings);
    return one_column() + fmt::format(
                              ", forward and backward; loss; gradient of the loss in {} "
                              "rows; Adam on {} rows",
                              rows, kSampledRows);
  }

  BenchWork work() const override {
    BenchWork work = propagation(2.0 * static_cast<double>(context_.options.layers),
                                 2.0 * layer_tables(context_.options.layers) + 9.0);
    return work;
  }
  std::string note() const override { return fmt::format("BPR, batch {}", context_.options.batch); }

 private:
  static models::ModelOptions loss_options() {
    models::ModelOptions options;
    options.loss = models::LossKind::bpr;
    options.normalize = false;
    return options;
  }
  bool is_item(NodeId node) const {
    const std::vector<std::uint8_t>& flags = context_.graph.is_item;
    return flags.empty() || flags[static_cast<std::size_t>(node)] != 0;
  }
  kernels::AdamOptions adam() const {
    kernels::AdamOptions options;
    options.l2 = 1e-5F;
    options.step = step_;
    return options;
  }

  void sample() {
    ++step_;
    const graph::Random random(context_.options.seed, graph::Stream::negatives,
                               static_cast<std::uint64_t>(step_));
    const std::int64_t batch = context_.options.batch;
    users_.clear();
    positives_.clear();
    negatives_.clear();
    const auto num_entries = static_cast<std::uint64_t>(a_.num_entries());
    for (std::int64_t b = 0; b < batch; ++b) {
      const auto position = static_cast<std::uint64_t>(2 * b);
      const auto entry = static_cast<std::int64_t>(random.below(position, num_entries));
      auto row = static_cast<NodeId>(std::upper_bound(a_.offsets.begin(), a_.offsets.end(), entry) -
                                     a_.offsets.begin() - 1);
      NodeId column = a_.columns[static_cast<std::size_t>(entry)];
      if (is_item(row) && !is_item(column)) std::swap(row, column);
      users_.push_back(row);
      positives_.push_back(column);
      negatives_.push_back(
          items_[static_cast<std::size_t>(random.below(position + 1, items_.size()))]);
    }
  }

  /// The loss, and its gradient in rows of the batch and in others, where it is 0; returns how
  /// many.
  std::size_t require_loss() const {
    const HostCopy final(final_, backend_);
    const HostCopy d_final(d_final_.view(), backend_);
    const BprBatch batch{users_, positives_, negatives_};
    require_bpr_loss(final, batch, last_loss_);
    std::set<std::int64_t> rows;
    for (const std::int64_t row : sampled_rows(a_, kSampledRows / 4)) rows.insert(row);
    for (const std::vector<NodeId>* ids : {&users_, &positives_, &negatives_}) {
      const auto count = static_cast<std::int64_t>(ids->size());
      for (std::int64_t k = 0; k < kSampledRows / 4; ++k)
        rows.insert((*ids)[static_cast<std::size_t>(k * (count - 1) / (kSampledRows / 4 - 1))]);
    }
    for (const std::int64_t row : rows)
      require_row("the gradient of training_step's loss", d_final, row,
                  bpr_gradient_row(final, batch, static_cast<NodeId>(row)));
    return rows.size();
  }

  // Kingma and Ba 2015, algorithm 1, first step: m / (1 - beta1) = g, v / (1 - beta2) = g^2.
  void require_adam(ConstFloatView device_before, models::Parameter& embeddings) const {
    PENCHANT_ASSERT(step_ == 1);
    const HostCopy before_copy(device_before, backend_);
    const HostCopy gradient_copy(embeddings.gradient.view(), backend_);
    const HostCopy after(embeddings.value.view(), backend_);
    const ConstFloatView before = before_copy;
    const ConstFloatView gradient = gradient_copy;
    const kernels::AdamOptions options = adam();
    const double rate = options.learning_rate;
    for (const std::int64_t row : sampled_rows(a_, kSampledRows)) {
      Bounded want;
      for (std::int64_t k = 0; k < dim_; ++k) {
        const double g = gradient(row, k) +
                         static_cast<double>(options.l2) * static_cast<double>(before(row, k));
        want.value.push_back(before(row, k) -
                             rate * g / (std::abs(g) + static_cast<double>(options.epsilon)));
        want.bound.push_back(1e-3 * rate + 1e-6 * std::abs(static_cast<double>(before(row, k))));
      }
      require_row("the Adam step of training_step", after, row, want);
    }
  }

  models::LightGcn model_;
  models::RankingLoss loss_;
  ConstFloatView final_;  ///< the model's, of the last step
  FloatMatrix d_final_;
  kernels::Vector<std::uint32_t> batch_nodes_;  ///< rows of d_final_ that may not be zero
  std::vector<NodeId> items_, users_, positives_, negatives_;
  kernels::Upload<NodeId> upload_[3];
  std::int64_t step_ = 0;
  double last_loss_ = 0;
  models::LossLog losses_;
};

}  // namespace

std::unique_ptr<Workload> make_training_step(const BenchContext& context) {
  return std::make_unique<TrainingStep>(context);
}

}  // namespace penchant::pipeline
